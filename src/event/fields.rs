//! The fields a pipeline works with, known when it compiles: a trie of paths, so that one scan of
//! an event finds them all.
//!
//! A path is written `properties.price`; a dot inside a name is escaped (`a\.b`), and a number
//! names an element where the value is an array. Ids are given in the order in which a document
//! names its paths, so that a stage has its ids while the document is still compiling.

use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::event::Json;
use crate::event::names::{Found, Names};

/// Where a field stands in an event: one or more names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Arc<[Box<str>]>);

/// Why a text is not a path.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PathError {
    /// Nothing was written.
    #[error("a path names at least one field")]
    Empty,
    /// A backslash stands before something other than `.` or `\`.
    #[error("a backslash in a path escapes only a dot or a backslash (`a\\.b`)")]
    Escape,
    /// Two dots in a row, or one at an end.
    #[error("a name in a path is empty; write `a.b`, and `a\\.b` for a dot inside a name")]
    EmptyName,
    /// Deeper than [`Path::MAX_DEPTH`].
    #[error("a path has at most {} names", Path::MAX_DEPTH)]
    TooDeep,
}

impl Path {
    /// Most names a path may have.
    pub const MAX_DEPTH: usize = 16;

    /// Reads `a.b.c`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        let mut names = vec![String::new()];
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let last = names.len() - 1;
            match c {
                '\\' => match chars.next() {
                    Some(escaped @ ('.' | '\\')) => names[last].push(escaped),
                    _ => return Err(PathError::Escape),
                },
                '.' => names.push(String::new()),
                other => names[last].push(other),
            }
        }
        if names.iter().any(String::is_empty) {
            return Err(PathError::EmptyName);
        }
        if names.len() > Self::MAX_DEPTH {
            return Err(PathError::TooDeep);
        }
        Ok(Self(
            names.into_iter().map(String::into_boxed_str).collect(),
        ))
    }

    /// The names, outermost first; never empty.
    pub fn names(&self) -> &[Box<str>] {
        &self.0
    }

    /// Whether `self` is `other` or stands above it.
    pub fn contains(&self, other: &Path) -> bool {
        other.0.starts_with(&self.0)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            f.write_str(&name.replace('\\', "\\\\").replace('.', "\\."))?;
        }
        Ok(())
    }
}

/// One path of a pipeline: an index into its [`Fields`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(pub u16);

impl FieldId {
    /// As an index into per-event slots.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// All the paths of a pipeline, as a trie. Immutable; made by [`FieldsBuilder`].
#[derive(Debug, Default)]
pub struct Fields {
    nodes: Vec<Node>,
    top: Vec<FieldId>,
    /// Of the top.
    names: Names,
    /// Of each field whether it stands alone; see [`Fields::stands_alone`].
    alone: Vec<bool>,
    listed: Option<FieldId>,
}

#[derive(Debug)]
struct Node {
    path: Path,
    parent: Option<FieldId>,
    children: Vec<FieldId>,
    /// Of the children.
    names: Names,
    /// The last name as it is written before a value: `"name":`.
    key: Vec<u8>,
    descendants: Vec<FieldId>,
    /// Whether a stage reads or writes this field itself, not only something below it.
    valued: bool,
}

impl Fields {
    /// How many slots an event has.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the pipeline looks at no field at all.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The children of a field, or the top-level fields.
    pub fn children(&self, of: Option<FieldId>) -> &[FieldId] {
        of.map_or(&self.top, |id| &self.nodes[id.index()].children)
    }

    /// The field above, if it is not at the top.
    pub fn parent(&self, id: FieldId) -> Option<FieldId> {
        self.nodes[id.index()].parent
    }

    /// The last name of the field's path.
    pub fn name(&self, id: FieldId) -> &str {
        self.nodes[id.index()]
            .path
            .names()
            .last()
            .map_or("", |name| name)
    }

    /// The last name as it is written before a value: in quotes, with a colon.
    pub(super) fn key(&self, id: FieldId) -> &[u8] {
        &self.nodes[id.index()].key
    }

    /// To find the children of a field, or the top-level fields, by their names.
    #[inline(always)]
    pub(super) fn names(&self, of: Option<FieldId>) -> &Names {
        of.map_or(&self.names, |id| &self.nodes[id.index()].names)
    }

    /// The whole path.
    pub fn path(&self, id: FieldId) -> &Path {
        &self.nodes[id.index()].path
    }

    /// Everything below a field.
    pub fn descendants(&self, id: FieldId) -> &[FieldId] {
        &self.nodes[id.index()].descendants
    }

    /// Whether some stage works with the field itself.
    pub fn valued(&self, id: FieldId) -> bool {
        self.nodes[id.index()].valued
    }

    /// Whether it is at the top, with no field below it: an edit of it concerns no other field.
    #[inline]
    pub(super) fn stands_alone(&self, id: FieldId) -> bool {
        self.alone.get(id.index()).copied().unwrap_or(false)
    }

    /// The object whose members are all noted while an event is scanned, because a stage looks
    /// through them. One object, and only if fields stand below it.
    #[inline]
    pub(super) fn listed(&self) -> Option<FieldId> {
        self.listed
    }

    fn table(&self, of: &[FieldId]) -> Names {
        let found = |id: &FieldId| {
            let has_below = !self.children(Some(*id)).is_empty();
            (
                self.name(*id),
                Found {
                    field: *id,
                    has_below,
                },
            )
        };
        Names::new(of.iter().map(found))
    }

    /// The field of a path, if the pipeline has it; for tests and tools, not for requests.
    pub fn find(&self, path: &Path) -> Option<FieldId> {
        let at = self.nodes.iter().position(|node| node.path == *path)?;
        u16::try_from(at).ok().map(FieldId)
    }
}

/// Collects paths while a document compiles.
#[derive(Debug, Default)]
pub struct FieldsBuilder {
    fields: Fields,
    ids: HashMap<Path, FieldId>,
}

impl FieldsBuilder {
    /// Most slots one pipeline may have, its intermediate objects included.
    pub const MAX: usize = 4096;

    /// The id of a path that a stage reads or writes; what stands above it gets ids too. `None`
    /// when there are more than [`FieldsBuilder::MAX`].
    pub fn add(&mut self, path: &Path) -> Option<FieldId> {
        let id = self.node(path)?;
        self.fields.nodes[id.index()].valued = true;
        Some(id)
    }

    /// The id of an object whose members a stage looks through without reading it as a value
    /// ([`crate::event::EventMut::object`]): edits below it cost nothing until then.
    pub fn add_object(&mut self, path: &Path) -> Option<FieldId> {
        let id = self.node(path)?;
        self.fields.listed.get_or_insert(id);
        Some(id)
    }

    /// The path of a field that was added.
    pub fn path(&self, id: FieldId) -> Option<&Path> {
        self.fields.nodes.get(id.index()).map(|node| &node.path)
    }

    /// The field above one that was added, if it is not at the top.
    pub fn parent(&self, id: FieldId) -> Option<FieldId> {
        self.fields.nodes.get(id.index())?.parent
    }

    /// With all the fields of another trie, which keep their ids.
    pub fn extend(fields: &Fields) -> Self {
        let mut builder = Self::default();
        for node in &fields.nodes {
            if let Some(id) = builder.node(&node.path) {
                builder.fields.nodes[id.index()].valued = node.valued;
            }
        }
        builder.fields.listed = fields.listed;
        builder
    }

    /// The trie.
    pub fn build(self) -> Fields {
        let mut fields = self.fields;
        fields.names = fields.table(&fields.top);
        let alone = |node: &Node| node.parent.is_none() && node.children.is_empty();
        fields.alone = fields.nodes.iter().map(alone).collect();
        let has_below = |id: &FieldId| !fields.nodes[id.index()].children.is_empty();
        fields.listed = fields.listed.filter(has_below);
        for id in 0..fields.nodes.len() {
            fields.nodes[id].names = fields.table(&fields.nodes[id].children);
        }
        fields
    }

    fn node(&mut self, path: &Path) -> Option<FieldId> {
        if let Some(id) = self.ids.get(path) {
            return Some(*id);
        }
        let parent = match path.names().split_last() {
            Some((_, [])) | None => None,
            Some((_, above)) => Some(self.node(&Path(above.into()))?),
        };
        if self.fields.nodes.len() >= Self::MAX {
            return None;
        }
        let id = FieldId(u16::try_from(self.fields.nodes.len()).ok()?);
        let node = Node {
            path: path.clone(),
            parent,
            children: Vec::new(),
            names: Names::default(),
            key: written(path),
            descendants: Vec::new(),
            valued: false,
        };
        self.fields.nodes.push(node);
        self.ids.insert(path.clone(), id);
        self.adopt(id, parent);
        Some(id)
    }

    fn adopt(&mut self, id: FieldId, parent: Option<FieldId>) {
        match parent {
            Some(parent) => self.fields.nodes[parent.index()].children.push(id),
            None => self.fields.top.push(id),
        }
        let mut above = parent;
        while let Some(node) = above {
            self.fields.nodes[node.index()].descendants.push(id);
            above = self.fields.nodes[node.index()].parent;
        }
    }
}

/// The last name of a path as a key, with its colon.
fn written(path: &Path) -> Vec<u8> {
    let mut key = Vec::new();
    Json::write_str(&mut key, path.names().last().map_or("", |name| name));
    key.push(b':');
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn a_field_knows_what_stands_below_it() {
        let mut builder = FieldsBuilder::default();
        for text in ["b.c.d", "b", "a", "b.a", "b.c-", "c"] {
            builder.add(&path(text)).unwrap();
        }
        let fields = builder.build();
        let b = fields.find(&path("b")).unwrap();
        let below: Vec<_> = fields
            .descendants(b)
            .iter()
            .map(|id| fields.path(*id).to_string())
            .collect();
        assert_eq!(below, ["b.c", "b.c.d", "b.a", "b.c-"]);
        assert!(fields.valued(b));
        assert!(!fields.valued(fields.find(&path("b.c")).unwrap()));
        let alone = |text| fields.stands_alone(fields.find(&path(text)).unwrap());
        assert!(alone("a") && alone("c"));
        assert!(!alone("b") && !alone("b.c") && !alone("b.a"));
        assert_eq!(fields.children(None).len(), 3);
        assert_eq!(fields.children(Some(b)).len(), 3);
    }

    #[test]
    fn an_extended_trie_keeps_the_ids_it_had() {
        let mut builder = FieldsBuilder::default();
        for text in ["b.c.d", "a"] {
            builder.add(&path(text)).unwrap();
        }
        let before = builder.build();
        let mut wider = FieldsBuilder::extend(&before);
        assert_eq!(wider.add(&path("b.c.d")), before.find(&path("b.c.d")));
        let new = wider.add(&path("b.x")).unwrap();
        assert_eq!(new.index(), before.len());
        let after = wider.build();
        assert!(!after.valued(after.find(&path("b")).unwrap()));
        assert_eq!(after.find(&path("a")), before.find(&path("a")));
    }

    #[test]
    fn paths_escape_dots_and_print_as_written() {
        assert_eq!(path(r"a\.b.c").names().len(), 2);
        assert_eq!(path(r"a\.b.c").to_string(), r"a\.b.c");
        assert_eq!(Path::parse("a..b"), Err(PathError::EmptyName));
        assert_eq!(Path::parse(""), Err(PathError::Empty));
        assert_eq!(Path::parse(r"a\b"), Err(PathError::Escape));
    }
}
