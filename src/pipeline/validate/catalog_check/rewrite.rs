//! Writing an object anew with some of its members changed; the others stay as they are written.

use crate::event::Json;
use crate::pipeline::validate::repair::Repair;

/// What is done to one member.
#[derive(Debug)]
pub(super) struct Change {
    /// Where its key stands in the batch's text.
    pub(super) at: u32,
    /// Its number in the catalog. Earlier members of the same number go: they would come back if
    /// the last one were taken away.
    pub(super) ordinal: Option<u16>,
    /// What is done.
    pub(super) repair: Repair,
}

/// The object with its changes. `start` is where it stands in the batch's text.
pub(super) fn rewrite(
    object: Json<'_>,
    start: u32,
    changes: &[Change],
    ordinal: impl Fn(Json<'_>) -> Option<u16>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(object.raw().len() + 64);
    out.push(b'{');
    for member in object.members() {
        let offset = member.key.raw().as_ptr().addr() - object.raw().as_ptr().addr();
        let at = u64::from(start) + offset as u64;
        let change = changes.iter().find(|change| u64::from(change.at) == at);
        let value = match change.map(|change| &change.repair) {
            Some(Repair::Drop) => continue,
            Some(Repair::Null) => &b"null"[..],
            Some(Repair::Replace(value)) => value,
            Some(Repair::Keep) => member.value.raw(),
            None if changes.iter().any(|change| change.ordinal.is_some()) => {
                let same = ordinal(member.key);
                if same.is_some() && changes.iter().any(|change| change.ordinal == same) {
                    continue;
                }
                member.value.raw()
            }
            None => member.value.raw(),
        };
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(member.key.raw());
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.push(b'}');
    out
}
