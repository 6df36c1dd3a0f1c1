//! What a repo document sees while it compiles: the fields it names so far, and the other documents
//! of the set.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::diagnostic::{At, Diagnostics};
use crate::event::{FieldId, FieldsBuilder, Label, Path, Topic};
use crate::pipeline::route::Target;
use crate::pipeline::validate::catalog::Catalog;

/// The other documents of the set, compiled.
#[derive(Debug, Default)]
pub struct World {
    /// By label: what the producers document declares.
    pub producers: BTreeMap<Label, Producer>,
    /// By name: the merged catalogs. A catalog that does not compile is absent here.
    pub catalogs: BTreeMap<String, Arc<Catalog>>,
    /// The columns of the IP table, if the tables document declares one.
    pub geo_columns: Option<Vec<String>>,
    /// Whether the tables document has a `devices` section.
    pub devices: bool,
}

/// What a repo needs to know of a producer.
#[derive(Clone, Debug)]
pub struct Producer {
    /// The largest record it takes, in bytes.
    pub message_max: u32,
    /// Whether it is a file producer.
    pub file: bool,
}

/// A repo document while it compiles.
#[derive(Debug)]
pub struct Scope<'w> {
    /// The rest of the set.
    pub world: &'w World,
    /// What is wrong so far.
    pub diagnostics: Diagnostics,
    /// The paths named so far.
    pub fields: FieldsBuilder,
    /// `values`: what may stand in a topic, by path.
    pub values: Vec<(Path, Vec<String>)>,
    /// Fields that are filled only after the stage that compiles now: naming one is an error.
    pub later: Vec<Path>,
    /// Topics given out so far; a [`crate::event::TopicId`] is an index.
    pub topics: Vec<Topic>,
    /// Targets given out so far; a [`crate::event::TargetId`] is an index.
    pub targets: Vec<Target>,
}

impl<'w> Scope<'w> {
    /// At the start of a document.
    pub fn new(document: &str, world: &'w World) -> Self {
        Self {
            world,
            diagnostics: Diagnostics::new(document),
            fields: FieldsBuilder::default(),
            values: Vec::new(),
            later: Vec::new(),
            topics: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// The id of a path as written; reports what is wrong with it. The id is usable even then, so
    /// that compiling goes on and finds the other problems.
    pub fn field(&mut self, at: &At<'_>, text: &str) -> FieldId {
        self.path(at, text, FieldsBuilder::add)
    }

    /// The same for an object whose members a stage looks through without reading it as a value.
    pub fn object(&mut self, at: &At<'_>, text: &str) -> FieldId {
        self.path(at, text, FieldsBuilder::add_object)
    }

    fn path(
        &mut self,
        at: &At<'_>,
        text: &str,
        add: impl FnOnce(&mut FieldsBuilder, &Path) -> Option<FieldId>,
    ) -> FieldId {
        match Path::parse(text) {
            Ok(path) => {
                if let Some((message, hint)) = doubtful(&path) {
                    self.diagnostics.warning(at, message, hint);
                }
                self.add(at, &path, add)
            }
            Err(error) => {
                self.diagnostics
                    .error(at, format!("`{text}` is not a path"), error.to_string());
                FieldId(0)
            }
        }
    }

    fn add(
        &mut self,
        at: &At<'_>,
        path: &Path,
        add: impl FnOnce(&mut FieldsBuilder, &Path) -> Option<FieldId>,
    ) -> FieldId {
        if self.later.iter().any(|later| later.contains(path)) {
            let message = format!("`{path}` is filled only after this stage");
            let hint = "devices are found for events that passed validation; read it in a route";
            self.diagnostics.error(at, message, hint);
        }
        add(&mut self.fields, path).unwrap_or_else(|| {
            let most = FieldsBuilder::MAX;
            let message = format!("a repo works with at most {most} fields");
            self.diagnostics.error(at, message, "split the repo");
            FieldId(0)
        })
    }
}

/// A path that is taken as it stands, and was probably meant in another notation.
fn doubtful(path: &Path) -> Option<(String, String)> {
    let names = path.names();
    if let [first, second, ..] = names
        && &**first == "$"
    {
        let message = format!("`$` is taken as the name of a field in `{path}`");
        let hint = format!("a path begins with the event's own field: `{second}`");
        return Some((message, hint));
    }
    names.iter().find_map(|name| {
        if name.trim() != &**name {
            let message = format!("the white space in `{path}` belongs to the name");
            return Some((message, "take it away".to_owned()));
        }
        let (list, index) = name.strip_suffix(']')?.rsplit_once('[')?;
        index.parse::<u32>().ok()?;
        let message = format!("`{name}` is taken as the name of a field");
        let hint = format!("an element of a list is `{list}.{index}`");
        Some((message, hint))
    })
}
