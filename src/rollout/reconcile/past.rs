//! Documents that are wrong and were never good on this instance: it looks for the newest good
//! content in what the source remembers of them, and holds them at that.

use std::sync::Arc;

use crate::center::nacos::Error;
use crate::document::digest::{Content, DataId};
use crate::document::set::{self, Set};
use crate::rollout::publish::Origin;
use crate::rollout::reconcile::{Documents, Reconciler};

/// Whether earlier versions of a document were looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// They were.
    Through,
    /// They could not be read.
    InVain,
}

impl Reconciler {
    /// Looks back for each floating document of a set that has no good content. True if one was
    /// found, which is then in the set that is compiled from.
    pub(super) async fn look_back(&mut self, set: &Arc<Set>) -> bool {
        if self.source.is_local() || !matches!(self.origin_of_live(), Origin::Source) {
            return false;
        }
        let without = set.entries.iter().filter(|entry| {
            let looked = self.looked_back.get(&entry.data_id);
            entry.sha256.is_none() && !entry.pinned && looked != Some(&Looked::Through)
        });
        let without: Vec<_> = without.map(|entry| entry.data_id.clone()).collect();
        let mut good = Arc::clone(set);
        for data_id in without {
            match self.newest_good(&data_id, &good).await {
                Ok(found) => {
                    self.looked_back.insert(data_id, Looked::Through);
                    good = found.unwrap_or(good);
                }
                Err(error) => {
                    let before = self.looked_back.insert(data_id.clone(), Looked::InVain);
                    if before.is_none() {
                        let document = data_id;
                        tracing::warn!(%document, %error, "earlier versions of a document cannot be read");
                    }
                    // The others would only wait as long for nothing.
                    if error.is_outage() {
                        break;
                    }
                }
            }
        }
        let found = !Arc::ptr_eq(&good, set);
        if found {
            self.previous = Some(good);
        }
        found
    }

    /// Looks back again where that was in vain, and nowhere else. True if something was found.
    pub(super) async fn looks_back_again(&mut self) -> bool {
        let in_vain = self
            .looked_back
            .values()
            .any(|looked| *looked == Looked::InVain);
        match self.set.clone().filter(|_| in_vain) {
            Some(set) => self.look_back(&set).await,
            None => false,
        }
    }

    /// The set with the newest good content of a document.
    async fn newest_good(
        &mut self,
        data_id: &DataId,
        set: &Arc<Set>,
    ) -> Result<Option<Arc<Set>>, Error> {
        let source = Arc::clone(&self.source);
        let versions = source.versions(data_id.as_str()).await?;
        let documents = self.to_compile();
        for version in versions {
            let Some(text) = source.version(data_id.as_str(), &version).await? else {
                continue;
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
                return Ok(Some(found));
            }
        }
        tracing::error!(document = %data_id, "a document is wrong, and no version of it is good");
        Ok(None)
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
