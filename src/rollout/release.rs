//! From what stands in Nacos, and what shall, to what must be written: pure; whoever carries it out
//! does so in this order.
//!
//! 1. Contents under dataIds that end in the first 12 hex characters of their digest. Nobody reads
//!    them yet.
//! 2. The index, by compare-and-swap: that is the release. Who loses here has changed nothing that
//!    any instance reads.
//! 3. Contents of floating entries under their own dataIds, by compare-and-swap. Until now the index
//!    pins these entries to the contents of step 1, so that they too went live by the one write.
//! 4. The index again, with these entries floating: the same set.

pub mod back;
#[cfg(test)]
mod tests;
pub mod timeline;

use std::collections::BTreeMap;

use crate::center::nacos::Base;
use crate::document::diagnostic::{At, Diagnostic, Diagnostics};
use crate::document::digest::{Checksum, Content, DataId, Digest};
use crate::document::index::{EntryForm, IndexForm, Kind, ReleaseForm};
use crate::document::set::INDEX;
use crate::document::shape::Shape;
use crate::document::text;

/// A document as it stands in Nacos, with the md5 that a compare-and-swap takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stood {
    /// Its text.
    pub content: Content,
    /// Of the text.
    pub md5: String,
}

/// What stands in Nacos: the index, and documents by their dataIds.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The index, if there is one.
    pub index: Option<Stood>,
    /// Those that were read and are there.
    pub documents: BTreeMap<DataId, Stood>,
}

/// What shall stand.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The index as people wrote it.
    pub index: IndexForm,
    /// Contents by the dataIds of this index.
    pub contents: BTreeMap<DataId, Content>,
}

/// Which entries float.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// These do, whatever the index says.
    pub float: Which,
    /// These are pinned, whatever the index says.
    pub pin: Which,
}

/// Some entries of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// None.
    #[default]
    None,
    /// All of them.
    All,
    /// Those with one of these names (`tracking`, or with the kind: `repo/tracking`).
    Named(Vec<String>),
}

/// What must be written.
#[derive(Clone, Debug)]
pub struct Release {
    /// The digest of the set that it makes.
    pub digest: Digest,
    /// Contents under content-addressed dataIds, to be verified where they stand already.
    pub addressed: Vec<(DataId, Content)>,
    /// The index, over this base.
    pub index: IndexForm,
    /// What stands where the index goes.
    pub base: Base,
    /// What lets entries float that the index pins for the moment.
    pub follow: Option<Follow>,
}

/// What people want, compared with what stands.
#[derive(Clone, Debug)]
pub enum Plan {
    /// The index stands already. So should these contents, which somebody may have deleted.
    Stands(Vec<(DataId, Content)>),
    /// It must be released.
    Release(Box<Release>),
}

/// The second half of a release with floating entries.
#[derive(Clone, Debug)]
pub struct Follow {
    /// Their contents.
    pub documents: Vec<(DataId, Content, Base)>,
    /// The index in which they float.
    pub index: IndexForm,
}

/// Why there is no release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An entry has no content.
    #[error("the index names `{0}`, and there is no such document")]
    NoContent(String),
    /// A name that no entry has.
    #[error("no entry of the index has the name `{0}`")]
    NoEntry(String),
    /// A name that entries of several kinds have.
    #[error("entries of several kinds have the name `{0}`; write the kind before it: `repo/{0}`")]
    Ambiguous(String),
    /// An entry that floats already.
    #[error("`{0}` floats already")]
    Floats(String),
    /// An earlier content that is not there any more.
    #[error("no earlier content of `{0}` is in the history")]
    NothingBefore(String),
}

impl Which {
    /// Whether an entry is meant.
    pub fn includes(&self, entry: &EntryForm) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| is_called(entry, name)),
        }
    }
}

impl Choice {
    fn floats(&self, entry: &EntryForm) -> bool {
        !self.pin.includes(entry) && (self.float.includes(entry) || entry.sha256.is_none())
    }

    /// Whether every name that was given is that of an entry.
    pub fn check(&self, index: &IndexForm) -> Result<(), Error> {
        for which in [&self.float, &self.pin] {
            let Which::Named(names) = which else { continue };
            for name in names {
                entries_called(index, name)?;
            }
        }
        Ok(())
    }
}

/// The release of what people wrote, unless it stands already.
pub fn plan(
    wanted: &Wanted,
    standing: &Standing,
    choice: &Choice,
    release: &ReleaseForm,
) -> Result<Plan, Error> {
    choice.check(&wanted.index)?;
    let mut planned = Planned::default();
    for entry in &wanted.index.documents {
        let content = wanted.contents.get(entry.data_id.as_str());
        let content = content.ok_or_else(|| Error::NoContent(entry.data_id.clone()))?;
        planned.take(entry, content, choice.floats(entry), standing);
    }
    let Planned {
        addressed,
        first,
        last,
        floating,
    } = planned;
    let version = standing.next_version().max(wanted.index.version);
    let index = |documents| IndexForm {
        version,
        documents,
        release: Some(release.clone()),
        ..wanted.index.clone()
    };
    let (index, last) = (index(first), index(last));
    let stands = standing.form();
    if floating.is_empty() && stands.is_some_and(|stands| says_the_same(&stands, &last)) {
        return Ok(Plan::Stands(addressed));
    }
    Ok(Plan::Release(Box::new(Release {
        digest: Digest::new(&release.of),
        addressed,
        index,
        base: base_of(standing.index.as_ref()),
        follow: (!floating.is_empty()).then_some(Follow {
            documents: floating,
            index: last,
        }),
    })))
}

/// The entries of the two indexes, and the contents that they need.
#[derive(Debug, Default)]
struct Planned {
    addressed: Vec<(DataId, Content)>,
    first: Vec<EntryForm>,
    last: Vec<EntryForm>,
    floating: Vec<(DataId, Content, Base)>,
}

impl Planned {
    fn take(&mut self, entry: &EntryForm, content: &Content, floats: bool, standing: &Standing) {
        let (pinned, floating) = (pin(entry, content), float(entry));
        let place = DataId::new(&floating.data_id);
        let stood = standing.documents.get(&place);
        if floats && stood.is_some_and(|stood| stood.content == *content) {
            self.first.push(floating.clone());
            self.last.push(floating);
            return;
        }
        let address = DataId::new(&pinned.data_id);
        self.addressed.push((address, content.clone()));
        if floats {
            self.floating.push((place, content.clone(), base_of(stood)));
            self.first.push(EntryForm {
                floated: Some(floating.data_id.clone()),
                ..pinned
            });
            self.last.push(floating);
        } else {
            self.first.push(pinned.clone());
            self.last.push(pinned);
        }
    }
}

impl Standing {
    /// The index, if it can be read.
    pub fn form(&self) -> Option<IndexForm> {
        read_index(&self.index.as_ref()?.content).ok()
    }

    /// Who released what stands, when and why, if the index says so.
    pub fn release(&self) -> Option<ReleaseForm> {
        self.form()?.release
    }

    fn next_version(&self) -> u64 {
        self.form().map_or(1, |form| form.version + 1)
    }
}

/// The dataIds that the entries follow which shall float.
pub fn places(index: &IndexForm, choice: &Choice) -> Vec<DataId> {
    let floating = index.documents.iter().filter(|entry| choice.floats(entry));
    floating.map(|entry| DataId::new(followed(entry))).collect()
}

/// Reads an index, or says what is wrong with it.
pub fn read_index(content: &Content) -> Result<IndexForm, Vec<Diagnostic>> {
    let mut out = Diagnostics::new(INDEX);
    let tree = match text::parse(&content.text) {
        Ok(tree) => tree,
        Err(error) => {
            out.text_error(&error);
            return Err(out.into_vec());
        }
    };
    let form: Option<IndexForm> = Shape::of::<IndexForm>().read(&tree.value, &mut out);
    if let Some(form) = &form {
        form.compile(&At::ROOT, &mut out);
    }
    out.locate(&tree);
    match form {
        Some(form) if !out.failed() => Ok(form),
        _ => Err(out.into_vec()),
    }
}

/// The digest of the set that an index makes of these contents. Entries without one do not count.
pub fn digest<'c>(index: &IndexForm, content: impl Fn(&str) -> Option<&'c Content>) -> Digest {
    let in_force = index.documents.iter().filter_map(|entry| {
        let sha256 = sha256(entry, &content)?;
        Some((entry.kind.as_str(), entry.name.as_str(), sha256))
    });
    let paths = index.paths.iter();
    Digest::of_set(
        in_force,
        paths.map(|(path, repo)| (path.as_str(), repo.as_str())),
    )
}

/// Of the content that an entry takes.
fn sha256<'c>(
    entry: &EntryForm,
    content: impl Fn(&str) -> Option<&'c Content>,
) -> Option<Checksum> {
    match &entry.sha256 {
        Some(sha256) => sha256.parse().ok(),
        None => content(&entry.data_id).map(|content| content.sha256),
    }
}

/// Whether two indexes make the same set in the same way.
fn says_the_same(a: &IndexForm, b: &IndexForm) -> bool {
    let rest = |form: &IndexForm| (form.description.clone(), form.owner.clone());
    a.documents == b.documents
        && a.paths == b.paths
        && a.switches == b.switches
        && rest(a) == rest(b)
}

/// The entry, bound to a content under its content-addressed dataId.
fn pin(entry: &EntryForm, content: &Content) -> EntryForm {
    let sha256 = content.sha256.to_string();
    EntryForm {
        data_id: addressed(followed(entry), &sha256),
        sha256: Some(sha256),
        floated: None,
        ..entry.clone()
    }
}

/// The entry, following whatever stands under its own dataId.
fn float(entry: &EntryForm) -> EntryForm {
    EntryForm {
        data_id: followed(entry).to_owned(),
        sha256: None,
        floated: None,
        ..entry.clone()
    }
}

/// The dataId that an entry follows, or would if it floated: without the digest at its end.
fn followed(entry: &EntryForm) -> &str {
    if let Some(floated) = &entry.floated {
        return floated;
    }
    let (data_id, sha256) = (entry.data_id.as_str(), entry.sha256.as_deref());
    let digest = sha256.and_then(|sha256| sha256.get(..DIGITS));
    let without = digest.and_then(|digest| data_id.strip_suffix(&digest.to_ascii_lowercase()));
    without
        .and_then(|without| without.strip_suffix('.'))
        .unwrap_or(data_id)
}

/// How much of a digest a dataId ends in.
const DIGITS: usize = 12;

fn addressed(data_id: &str, sha256: &str) -> String {
    format!("{data_id}.{}", &sha256[..DIGITS.min(sha256.len())])
}

fn base_of(stood: Option<&Stood>) -> Base {
    stood.map_or(Base::Absent, |stood| Base::Md5(stood.md5.clone()))
}

fn is_called(entry: &EntryForm, name: &str) -> bool {
    match name.split_once('/') {
        Some((kind, name)) => entry.kind.as_str() == kind && entry.name == name,
        None => entry.name == name,
    }
}

/// The entries of a name: one, or the parts of a catalog.
fn entries_called<'i>(index: &'i IndexForm, name: &str) -> Result<Vec<&'i EntryForm>, Error> {
    let called = index
        .documents
        .iter()
        .filter(|entry| is_called(entry, name));
    let called: Vec<_> = called.collect();
    match called.first() {
        None => Err(Error::NoEntry(name.to_owned())),
        Some(first) if called.iter().all(|entry| entry.kind == first.kind) => Ok(called),
        Some(_) => Err(Error::Ambiguous(name.to_owned())),
    }
}

/// The index of a directory that has none: every document, by the kind that its name tells.
pub fn index_of(
    entries: impl IntoIterator<Item = (Kind, String, DataId)>,
    switches: bool,
) -> IndexForm {
    let entry = |(kind, name, data_id): (Kind, String, DataId)| EntryForm {
        kind,
        name,
        data_id: data_id.to_string(),
        sha256: None,
        floated: None,
    };
    IndexForm {
        version: 1,
        description: String::new(),
        owner: String::new(),
        documents: entries.into_iter().map(entry).collect(),
        switches: switches.then(|| crate::document::set::SWITCHES.to_owned()),
        paths: BTreeMap::new(),
        release: None,
    }
}
