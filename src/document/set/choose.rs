//! Which documents make up the set: what the index says, or in a directory without one whatever
//! stands there.

use std::sync::Arc;

use crate::document::diagnostic::{At, Diagnostic, Diagnostics};
use crate::document::digest::{Content, DataId};
use crate::document::index::{Entry, Index, IndexForm, Kind, is_name};
use crate::document::paths::Paths;
use crate::document::set::{INDEX, Input, SWITCHES};
use crate::document::shape::Shape;
use crate::document::text;

/// The documents of a set, and where that is written.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) index: Arc<Index>,
    /// The index' own content; `None`: there is no index.
    pub(super) content: Option<Content>,
}

impl Chosen {
    /// Chooses; `None` if the index is wrong, or gone.
    pub(super) fn read(input: &Input<'_>, out: &mut Vec<Diagnostic>) -> Option<Self> {
        let before = input.previous.map(|previous| &previous.chosen);
        let mut problems = Diagnostics::new(INDEX);
        match input.documents.get(INDEX) {
            Some(Ok(content)) => {
                let same = before.filter(|before| before.content.as_ref() == Some(content));
                let index = match same {
                    Some(same) => Some(Arc::clone(&same.index)),
                    None => read_index(content, &mut problems).map(Arc::new),
                };
                out.extend(problems.into_vec());
                let index = index?;
                if input.listed {
                    warn_unlisted(input, &index, out);
                }
                Some(Self {
                    index,
                    content: Some(content.clone()),
                })
            }
            Some(Err(why)) => {
                let hint = "correct this; until then the set stays as it is";
                problems.error(&At::ROOT, format!("cannot be read: {why}"), hint);
                out.extend(problems.into_vec());
                None
            }
            None if before.is_some_and(|before| before.content.is_some()) => {
                let hint = "put it back; until then the set stays as it is";
                problems.error(&At::ROOT, "the index is missing", hint);
                out.extend(problems.into_vec());
                None
            }
            None => Some(Self {
                index: Arc::new(folder(input, out)),
                content: None,
            }),
        }
    }
}

pub(super) fn read_index(content: &Content, out: &mut Diagnostics) -> Option<Index> {
    let tree = match text::parse(&content.text) {
        Ok(tree) => tree,
        Err(error) => {
            out.text_error(&error);
            return None;
        }
    };
    let form: Option<IndexForm> = Shape::of::<IndexForm>().read(&tree.value, out);
    let index = form.map(|form| form.compile(&At::ROOT, out));
    out.locate(&tree);
    index.filter(|_| !out.failed())
}

/// Without an index every document belongs to the set, and so does what went away.
fn folder(input: &Input<'_>, out: &mut Vec<Diagnostic>) -> Index {
    let mut entries = Vec::new();
    for data_id in input.documents.keys() {
        if data_id.as_str() == SWITCHES {
            continue;
        }
        match named(data_id) {
            Ok(entry) => entries.push(entry),
            Err((message, hint)) => {
                let mut problems = Diagnostics::new(data_id.as_str());
                problems.warning(&At::ROOT, message, hint);
                out.extend(problems.into_vec());
            }
        }
    }
    let before = input
        .previous
        .into_iter()
        .flat_map(|previous| &previous.entries);
    let gone = before
        .filter(|entry| entry.sha256.is_some() && !input.documents.contains_key(&entry.data_id));
    entries.extend(gone.map(|entry| Entry {
        kind: entry.kind,
        name: entry.name.clone(),
        data_id: entry.data_id.clone(),
        pinned: None,
    }));
    entries.sort_by(|a, b| a.data_id.cmp(&b.data_id));
    Index {
        entries,
        switches: switches(input),
        paths: Paths::default(),
    }
}

/// Switches that were never there are not missed; those that went away are.
fn switches(input: &Input<'_>) -> Option<DataId> {
    let had = input
        .previous
        .is_some_and(|previous| previous.switches.is_some());
    (had || input.documents.contains_key(SWITCHES)).then(|| DataId::new(SWITCHES))
}

/// What a document is, by its dataId alone.
fn named(data_id: &DataId) -> Result<Entry, (String, String)> {
    let text = data_id.as_str();
    let entry = |kind, name: &str| Entry {
        kind,
        name: name.to_owned(),
        data_id: data_id.clone(),
        pinned: None,
    };
    if let Some(name) = text.strip_prefix("weir.repo.") {
        return if is_name(name) {
            Ok(entry(Kind::Repo, name))
        } else {
            let message = format!("`{name}` cannot be a repo's name: it stands in a URL");
            let hint =
                "rename the file: letters, digits, `.`, `_` and `-`, a letter or digit first";
            Err((message, hint.to_owned()))
        };
    }
    match (text, text.strip_prefix("weir.catalog.")) {
        ("weir.producers", _) => Ok(entry(Kind::Producers, "default")),
        ("weir.tables", _) => Ok(entry(Kind::Tables, "default")),
        (_, Some(name)) if !name.is_empty() => Ok(entry(Kind::Catalog, name)),
        _ => {
            let hint = "name it `weir.repo.<name>`, `weir.catalog.<name>`, `weir.producers`, \
                        `weir.tables`, `weir.switches` or `weir.index`";
            Err((
                "nobody reads a document of this name".to_owned(),
                hint.to_owned(),
            ))
        }
    }
}

fn warn_unlisted(input: &Input<'_>, index: &Index, out: &mut Vec<Diagnostic>) {
    let listed = |data_id: &DataId| {
        data_id.as_str() == INDEX
            || index.switches.as_ref() == Some(data_id)
            || index.entries.iter().any(|entry| entry.data_id == *data_id)
    };
    for data_id in input.documents.keys().filter(|data_id| !listed(data_id)) {
        let mut problems = Diagnostics::new(data_id.as_str());
        let hint = format!("add it to `{INDEX}`, or remove it");
        problems.warning(
            &At::ROOT,
            "the index does not name it, so it is not used",
            hint,
        );
        out.extend(problems.into_vec());
    }
}
