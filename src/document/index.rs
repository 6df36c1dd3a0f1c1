//! The index: which documents make up the set, under which names; which URL paths map to which
//! repo. Moving it is a release.

mod write;

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::diagnostic::{At, Diagnostics};
use crate::document::digest::{Checksum, DataId};
use crate::document::moment::Moment;
use crate::document::paths::Paths;
use crate::pipeline::RepoName;

/// The index.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Index")]
pub struct IndexForm {
    /// A number that people raise with every change.
    pub version: u64,
    /// What this set is for.
    #[serde(default)]
    pub description: String,
    /// Who answers for it.
    #[serde(default)]
    pub owner: String,
    /// The documents of the set.
    pub documents: Vec<EntryForm>,
    /// The dataId of the switches (usually `weir.switches`).
    pub switches: Option<String>,
    /// From a URL path to a repo, for clients whose path cannot be changed. The exact path counts,
    /// else the longest one above it.
    #[serde(default)]
    pub paths: BTreeMap<String, String>,
    /// Who released it, when and why: written by `weir apply` and `weir rollback`. It says nothing
    /// of the set, and is no part of its digest.
    pub release: Option<ReleaseForm>,
}

/// Who released an index, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Release")]
pub struct ReleaseForm {
    /// Who.
    pub by: String,
    /// When.
    pub at: Moment,
    /// Why.
    pub reason: String,
    /// The digest of the set, where it was released.
    pub of: String,
    /// Of a rollback: the digest of the set that it took back.
    pub undoes: Option<String>,
}

/// A document of the set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Entry")]
pub struct EntryForm {
    /// What it is.
    pub kind: Kind,
    /// Its name in the set; that of a repo is its place in the URL. Catalogs of one name are merged.
    pub name: String,
    /// Where it stands: `weir.repo.tracking`.
    pub data_id: String,
    /// Pins the entry: only the content with this SHA-256 (64 hex digits) is taken. Without it the
    /// entry floats: whatever stands there now counts.
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"))]
    pub sha256: Option<String>,
    /// Of an entry that floated until `weir rollback` pinned it: the dataId that `weir float` lets
    /// it follow again.
    pub floated: Option<String>,
}

/// What a document is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One kind of traffic.
    Repo,
    /// Events and their properties.
    Catalog,
    /// Producers by label.
    Producers,
    /// Enrichment tables and devices.
    Tables,
}

impl Kind {
    /// The word for it in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repo => "repo",
            Self::Catalog => "catalog",
            Self::Producers => "producers",
            Self::Tables => "tables",
        }
    }
}

/// A compiled index.
#[derive(Debug)]
pub struct Index {
    /// In the order of the index.
    pub entries: Vec<Entry>,
    /// Where the switches stand.
    pub switches: Option<DataId>,
    /// From URL paths to repos.
    pub paths: Paths,
}

/// An entry of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its name in the set.
    pub name: String,
    /// Where it stands.
    pub data_id: DataId,
    /// The only content that is taken, if it is pinned.
    pub pinned: Option<Checksum>,
}

impl IndexForm {
    /// Compiles it; whether its documents are there is for the set to say.
    pub fn compile(&self, at: &At<'_>, out: &mut Diagnostics) -> Index {
        let documents = at.field("documents");
        let mut names = HashMap::new();
        let mut places = HashMap::new();
        let mut entries = Vec::new();
        for (index, form) in self.documents.iter().enumerate() {
            let at = documents.item(index);
            form.check_names(&at, out);
            let single = match form.kind {
                Kind::Repo => Some(form.name.as_str()),
                Kind::Catalog => None,
                Kind::Producers | Kind::Tables => Some(""),
            };
            if let Some(name) = single
                && let Some(first) = names.insert((form.kind, name), index)
            {
                twice(form, first, &at, out);
            }
            if let Some(first) = places.insert(form.data_id.as_str(), index) {
                let message = format!(
                    "`{}` stands twice in the index, first as entry {first}",
                    form.data_id
                );
                out.error(&at.field("data_id"), message, "remove one of the two");
            }
            entries.push(form.compile(&at, out));
        }
        Index {
            entries,
            switches: self
                .switches
                .as_deref()
                .map(|id| switches(id, &places, at, out)),
            paths: self.compile_paths(at, out),
        }
    }

    fn compile_paths(&self, at: &At<'_>, out: &mut Diagnostics) -> Paths {
        let at = at.field("paths");
        let repos: Vec<_> = self
            .documents
            .iter()
            .filter(|entry| entry.kind == Kind::Repo)
            .map(|entry| entry.name.as_str())
            .collect();
        for (path, repo) in &self.paths {
            let at = at.field(path);
            if let Some((message, hint)) = wrong_path(path) {
                out.error(&at, message, hint);
            }
            if !repos.contains(&repo.as_str()) {
                let hint = crate::document::shape::suggestion(repo, &repos);
                out.error(&at, format!("no repo `{repo}` in this index"), hint);
            }
        }
        let pairs = self.paths.iter();
        Paths::new(pairs.map(|(path, repo)| (path.clone(), RepoName::new(repo))))
    }
}

fn switches(id: &str, places: &HashMap<&str, usize>, at: &At<'_>, out: &mut Diagnostics) -> DataId {
    let at = at.field("switches");
    if places.contains_key(id) {
        let message = format!("`{id}` is already an entry of the index");
        out.error(&at, message, "the switches are a document of their own");
    }
    check_data_id(id, &at, out);
    DataId::new(id)
}

fn twice(form: &EntryForm, first: usize, at: &At<'_>, out: &mut Diagnostics) {
    let (message, hint) = match form.kind {
        Kind::Producers | Kind::Tables => {
            let kind = form.kind.as_str();
            let message = format!("a second document of kind `{kind}`, after entry {first}");
            (message, "a set has one: put the two together".to_owned())
        }
        Kind::Repo | Kind::Catalog => {
            let message = format!(
                "the repo `{}` stands twice, first as entry {first}",
                form.name
            );
            (message, "rename one of the two, or remove it".to_owned())
        }
    };
    out.error(&at.field("name"), message, hint);
}

impl EntryForm {
    fn check_names(&self, at: &At<'_>, out: &mut Diagnostics) {
        if self.kind == Kind::Repo && !is_name(&self.name) {
            let message = format!(
                "`{}` cannot be a repo's name: it stands in a URL",
                self.name
            );
            out.error(&at.field("name"), message, NAMES);
        } else if self.name.is_empty() {
            out.error(&at.field("name"), "the name is empty", NAMES);
        }
        check_data_id(&self.data_id, &at.field("data_id"), out);
        if let Some(floated) = &self.floated {
            check_data_id(floated, &at.field("floated"), out);
        }
    }

    fn compile(&self, at: &At<'_>, out: &mut Diagnostics) -> Entry {
        let pinned = self.sha256.as_deref().and_then(|text| {
            text.parse()
                .map_err(|error: crate::tables::BadChecksum| {
                    out.error(&at.field("sha256"), "not a SHA-256", error.to_string());
                })
                .ok()
        });
        Entry {
            kind: self.kind,
            name: self.name.clone(),
            data_id: DataId::new(&self.data_id),
            pinned,
        }
    }
}

const NAMES: &str = "use letters, digits, `.`, `_` and `-`, at most 100, a letter or digit first";

/// Whether a text can be a repo's name.
pub fn is_name(text: &str) -> bool {
    let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(legal)
}

fn check_data_id(id: &str, at: &At<'_>, out: &mut Diagnostics) {
    let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-' | b':');
    if id.is_empty() || id.len() > 256 || !id.bytes().all(legal) {
        let message = format!("`{id}` cannot be a dataId");
        out.error(
            at,
            message,
            "use letters, digits, `.`, `_`, `-` and `:`, at most 256",
        );
    }
}

/// Paths that are served anyhow.
const RESERVED: [&str; 2] = ["/log/repo", "/healthz"];

fn wrong_path(path: &str) -> Option<(String, String)> {
    if !path.starts_with('/') {
        return Some((
            format!("the path `{path}` does not begin with `/`"),
            format!("write `/{path}`"),
        ));
    }
    if path
        .bytes()
        .any(|c| c.is_ascii_whitespace() || matches!(c, b'?' | b'#'))
        || path.contains("//")
    {
        let hint = "write the path alone: no query, no white space, no empty part";
        return Some((format!("`{path}` is not a URL path"), hint.to_owned()));
    }
    let below = |reserved: &str| {
        path.strip_prefix(reserved)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let reserved = RESERVED.iter().find(|each| below(each))?;
    let hint = "choose another path; `/log/repo/{repo}` needs no mapping";
    Some((
        format!("`{reserved}` is served by the gateway itself"),
        hint.to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::document::shape::Shape;

    fn compile(value: &Value) -> (Option<Index>, Vec<String>) {
        let mut out = Diagnostics::new("weir.index");
        let form: Option<IndexForm> = Shape::of::<IndexForm>().read(value, &mut out);
        let index = form.map(|form| form.compile(&At::ROOT, &mut out));
        let found = out.into_vec().into_iter();
        let line = |each: crate::document::diagnostic::Diagnostic| {
            assert!(!each.hint.is_empty(), "{each}");
            format!("{}: {}", each.pointer, each.message)
        };
        (index, found.map(line).collect())
    }

    #[test]
    fn entries_float_or_are_pinned() {
        let (index, problems) = compile(&json!({
            "version": 1,
            "documents": [
                { "kind": "repo", "name": "tracking", "data_id": "weir.repo.tracking" },
                { "kind": "catalog", "name": "app", "data_id": "weir.catalog.app.1", "sha256": "ab".repeat(32) },
                { "kind": "catalog", "name": "app", "data_id": "weir.catalog.app.2" },
            ],
            "switches": "weir.switches",
            "paths": { "/v1/track": "tracking" },
        }));
        assert_eq!(problems, [""; 0]);
        let index = index.unwrap();
        assert_eq!(index.entries.len(), 3);
        assert!(index.entries[0].pinned.is_none());
        assert!(index.entries[1].pinned.is_some());
        assert_eq!(
            index.paths.find("/v1/track/x").unwrap().as_str(),
            "tracking"
        );
    }

    #[test]
    fn everything_wrong_with_an_index_is_reported() {
        let (_, problems) = compile(&json!({
            "version": 1,
            "documents": [
                { "kind": "repo", "name": "a/b", "data_id": "weir.repo.ab" },
                { "kind": "repo", "name": "x", "data_id": "weir repo x" },
                { "kind": "repo", "name": "x", "data_id": "weir.repo.ab" },
                { "kind": "tables", "name": "one", "data_id": "t1" },
                { "kind": "tables", "name": "two", "data_id": "t2" },
            ],
            "switches": "t1",
            "paths": { "v1": "x", "/v1?a=1": "x", "/log/repo/x": "x", "/v2": "xx" },
        }));
        assert_eq!(
            problems,
            [
                "/documents/0/name: `a/b` cannot be a repo's name: it stands in a URL",
                "/documents/1/data_id: `weir repo x` cannot be a dataId",
                "/documents/2/name: the repo `x` stands twice, first as entry 1",
                "/documents/2/data_id: `weir.repo.ab` stands twice in the index, first as entry 0",
                "/documents/4/name: a second document of kind `tables`, after entry 3",
                "/switches: `t1` is already an entry of the index",
                "/paths/~1log~1repo~1x: `/log/repo` is served by the gateway itself",
                "/paths/~1v1?a=1: `/v1?a=1` is not a URL path",
                "/paths/~1v2: no repo `xx` in this index",
                "/paths/v1: the path `v1` does not begin with `/`",
            ]
        );
    }

    #[test]
    fn a_digest_that_is_none_is_a_problem_of_shape() {
        let entry = json!({ "kind": "repo", "name": "x", "data_id": "x", "sha256": "3f2a" });
        let (_, problems) = compile(&json!({ "version": 1, "documents": [entry] }));
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].starts_with("/documents/0/sha256: "),
            "{problems:?}"
        );
    }
}
