//! Going back: the index of an earlier set, over the one that stands. What floated then and holds
//! something else now is pinned to the content of then, until `weir float` lets it float again.

use crate::document::digest::{Content, DataId, Digest};
use crate::document::index::{EntryForm, IndexForm, ReleaseForm};
use crate::rollout::release::timeline::Past;
use crate::rollout::release::{
    Error, Release, Standing, base_of, digest, entries_called, float, followed, is_called, pin,
};

/// The release that brings an earlier set back.
pub fn to(past: &Past, standing: &Standing, release: &ReleaseForm) -> Result<Release, Error> {
    let index = past.index.clone().unwrap_or_else(nothing);
    let mut going = Going::new(past, standing);
    let documents = index.documents.iter().map(|entry| going.back(entry));
    let documents = documents.collect::<Result<_, _>>()?;
    Ok(going.release(IndexForm { documents, ..index }, release))
}

/// The release that brings the entries of one name back to what they were, in the index that stands.
pub fn of_entry(
    name: &str,
    past: &Past,
    standing: &Standing,
    release: &ReleaseForm,
) -> Result<Release, Error> {
    let index = standing.form().unwrap_or_else(nothing);
    entries_called(&index, name)?;
    let before = past.index.clone().unwrap_or_else(nothing);
    let before =
        entries_called(&before, name).map_err(|_| Error::NothingBefore(name.to_owned()))?;
    let mut going = Going::new(past, standing);
    let earlier = before.iter().map(|entry| going.back(entry));
    let mut earlier = earlier.collect::<Result<Vec<_>, _>>()?.into_iter();
    let mut documents = Vec::new();
    for entry in &index.documents {
        if is_called(entry, name) {
            documents.extend(earlier.by_ref());
        } else {
            documents.push(entry.clone());
        }
    }
    Ok(going.release(IndexForm { documents, ..index }, release))
}

/// The release in which the entries of a name float again, over whatever stands there.
pub fn floating(name: &str, standing: &Standing, release: &ReleaseForm) -> Result<Release, Error> {
    let index = standing.form().unwrap_or_else(nothing);
    let called = entries_called(&index, name)?;
    if called.iter().all(|entry| entry.sha256.is_none()) {
        return Err(Error::Floats(name.to_owned()));
    }
    let mut documents = Vec::new();
    for entry in &index.documents {
        if is_called(entry, name) && entry.sha256.is_some() {
            if !standing.documents.contains_key(followed(entry)) {
                return Err(Error::NoContent(followed(entry).to_owned()));
            }
            documents.push(float(entry));
        } else {
            documents.push(entry.clone());
        }
    }
    let going = Going {
        past: None,
        standing,
        addressed: Vec::new(),
    };
    Ok(going.release(IndexForm { documents, ..index }, release))
}

/// The dataIds that the entries of a name would follow.
pub fn places(name: &str, index: &IndexForm) -> Result<Vec<DataId>, Error> {
    let called = entries_called(index, name)?.into_iter();
    Ok(called.map(|entry| DataId::new(followed(entry))).collect())
}

struct Going<'a> {
    past: Option<&'a Past>,
    standing: &'a Standing,
    addressed: Vec<(DataId, Content)>,
}

impl<'a> Going<'a> {
    fn new(past: &'a Past, standing: &'a Standing) -> Self {
        Self {
            past: Some(past),
            standing,
            addressed: Vec::new(),
        }
    }

    /// An entry as it was: pinned ones need nothing, floating ones only if their document changed.
    fn back(&mut self, entry: &EntryForm) -> Result<EntryForm, Error> {
        if entry.sha256.is_some() {
            return Ok(entry.clone());
        }
        let then = self.past.and_then(|past| past.content(&entry.data_id));
        let then = then.ok_or_else(|| Error::NoContent(entry.data_id.clone()))?;
        let now = self.standing.documents.get(entry.data_id.as_str());
        if now.is_some_and(|now| now.content == *then) {
            return Ok(entry.clone());
        }
        let pinned = pin(entry, then);
        let place = DataId::new(&pinned.data_id);
        self.addressed.push((place, then.clone()));
        Ok(EntryForm {
            floated: Some(entry.data_id.clone()),
            ..pinned
        })
    }

    fn release(self, index: IndexForm, release: &ReleaseForm) -> Release {
        let content = |id: &str| {
            let stood = self.standing.documents.get(id);
            stood.map(|stood| &stood.content)
        };
        let digest: Digest = digest(&index, content);
        let release = ReleaseForm {
            of: digest.to_string(),
            ..release.clone()
        };
        Release {
            digest,
            addressed: self.addressed,
            base: base_of(self.standing.index.as_ref()),
            index: IndexForm {
                version: self.standing.next_version().max(index.version),
                release: Some(release),
                ..index
            },
            follow: None,
        }
    }
}

/// The index of a set without documents.
pub fn nothing() -> IndexForm {
    crate::rollout::release::index_of([], false)
}
