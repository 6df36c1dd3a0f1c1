//! Finding the content of an entry, or saying why there is none.

use crate::document::diagnostic::{At, Diagnostics};
use crate::document::digest::Content;
use crate::document::index;
use crate::document::set::INDEX;
use crate::document::set::attempt::Attempt;
use crate::document::text;

impl Attempt<'_> {
    /// The content that an entry asks for. A pinned one may be known from before.
    pub(super) fn content(&mut self, entry: &index::Entry) -> Option<Content> {
        let found = self.input.documents.get(&entry.data_id);
        let fits = |content: &&Content| entry.pinned.is_none_or(|sha256| sha256 == content.sha256);
        if let Some(content) = found.and_then(|found| found.as_ref().ok()).filter(fits) {
            return Some(content.clone());
        }
        if entry.pinned.is_some()
            && let Some(previous) = self.input.previous
            && let Some(content) = previous.good.values().find(fits)
        {
            return Some(content.clone());
        }
        let mut out = Diagnostics::new(entry.data_id.as_str());
        match found {
            Some(Ok(content)) => {
                let message = format!(
                    "the content has the SHA-256 {}, not the one it is pinned to",
                    content.sha256
                );
                let hint = "publish the pinned content here, or pin the index to this one";
                out.error(&At::ROOT, message, hint);
            }
            Some(Err(why)) => {
                let hint = "correct this; the last good content stays until then";
                out.error(&At::ROOT, format!("cannot be read: {why}"), hint);
            }
            None if self.chosen.content.is_some() => out = self.not_there(entry),
            None => {
                let hint =
                    "put it back; the last good content stays until then, or until the next start";
                out.error(&At::ROOT, "the document is missing", hint);
            }
        }
        self.diagnostics.extend(out.into_vec());
        None
    }

    /// Said at the place in the index that names it.
    fn not_there(&self, entry: &index::Entry) -> Diagnostics {
        let mut out = Diagnostics::new(INDEX);
        let mut entries = self.chosen.index.entries.iter();
        let place = entries.position(|each| each.data_id == entry.data_id);
        let documents = At::ROOT.field("documents");
        let item = documents.item(place.unwrap_or_default());
        let message = format!("there is no document `{}`", entry.data_id);
        let hint = "write it, or take this entry out";
        out.error(&item.field("data_id"), message, hint);
        let content = self.chosen.content.as_ref();
        if let Some(Ok(tree)) = content.map(|content| text::parse(&content.text)) {
            out.locate(&tree);
        }
        out
    }
}
