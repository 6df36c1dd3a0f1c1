//! Documents that are wrong and were never good on this instance: it looks for the newest good
//! content in what the source remembers of them, and holds them at that.

use std::sync::Arc;

use crate::document::digest::{Content, DataId};
use crate::document::set::{self, Set};
use crate::rollout::publish::Origin;
use crate::rollout::reconcile::{Documents, Reconciler};

impl Reconciler {
    /// Looks back for each floating document of a set that has no good content. True if one was
    /// found, which is then in the set that is compiled from.
    pub(super) async fn look_back(&mut self, set: &Arc<Set>) -> bool {
        if self.source.is_local() || !matches!(self.origin_of_live(), Origin::Source) {
            return false;
        }
        let without = set
            .entries
            .iter()
            .filter(|entry| entry.sha256.is_none() && !entry.pinned)
            .map(|entry| entry.data_id.clone());
        let without: Vec<_> = without.collect();
        let mut good = Arc::clone(set);
        for data_id in without {
            if self.looked_back.insert(data_id.clone())
                && let Some(found) = self.newest_good(&data_id, &good).await
            {
                good = found;
            }
        }
        let found = !Arc::ptr_eq(&good, set);
        if found {
            self.previous = Some(good);
        }
        found
    }

    /// The set with the newest good content of a document.
    async fn newest_good(&mut self, data_id: &DataId, set: &Arc<Set>) -> Option<Arc<Set>> {
        let source = Arc::clone(&self.source);
        let versions = match source.versions(data_id.as_str()).await {
            Ok(versions) => versions,
            Err(why) => return self.look_back_later(data_id, &why),
        };
        let documents = self.to_compile();
        for version in versions {
            let text = match source.version(data_id.as_str(), &version).await {
                Ok(Some(text)) => text,
                Ok(None) => continue,
                Err(why) => return self.look_back_later(data_id, &why),
            };
            let content = Content::new(text);
            let sha256 = content.sha256;
            let with = with(&documents, data_id, content);
            if let Some(found) = try_with(with, set, data_id).await {
                tracing::warn!(
                    document = %data_id,
                    %sha256,
                    "a document is wrong and was never good here: its newest good version is used"
                );
                return Some(found);
            }
        }
        tracing::error!(document = %data_id, "a document is wrong, and no version of it is good");
        None
    }

    fn look_back_later(&mut self, data_id: &DataId, why: &str) -> Option<Arc<Set>> {
        tracing::warn!(document = %data_id, why, "earlier versions of a document cannot be read");
        self.looked_back.remove(data_id);
        self.again = true;
        None
    }
}

fn with(documents: &Documents, data_id: &DataId, content: Content) -> Documents {
    let mut documents = documents.clone();
    documents.insert(data_id.clone(), Ok(content));
    documents
}

/// Compiles; `None` if the document is not good as it stands.
async fn try_with(documents: Documents, set: &Arc<Set>, data_id: &DataId) -> Option<Arc<Set>> {
    let previous = Arc::clone(set);
    let compiled = tokio::task::spawn_blocking(move || {
        set::compile(&set::Input {
            documents: &documents,
            previous: Some(&previous),
            run_samples: true,
            listed: false,
        })
    });
    let set = compiled.await.ok()?.set?;
    let entry = set.entries.iter().find(|entry| entry.data_id == *data_id)?;
    (entry.sha256.is_some() && !entry.held).then(|| Arc::new(set))
}
