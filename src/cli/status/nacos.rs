//! What stands in Nacos: the index and whoever released it, where each entry stands, and whether
//! all of it compiles.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::center::nacos::Nacos;
use crate::cli::nacos;
use crate::document::diagnostic::Diagnostic;
use crate::document::digest::{Content, DataId};
use crate::document::index::{EntryForm, IndexForm};
use crate::document::set::INDEX;
use crate::rollout::release::{Standing, digest};

/// What stands in Nacos.
#[derive(Debug, Default, Serialize)]
pub(super) struct InNacos {
    pub(super) server: String,
    pub(super) namespace: String,
    pub(super) group: String,
    /// Why nothing can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// The digest of the set.
    pub(super) set: Option<String>,
    /// The version of the index.
    pub(super) version: Option<u64>,
    /// Who released it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) release: Option<Release>,
    pub(super) documents: Vec<Document>,
    /// What an instance that starts now would find wrong.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Who released an index, when and why.
#[derive(Debug, Serialize)]
pub(super) struct Release {
    pub(super) by: String,
    pub(super) at: String,
    pub(super) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) undoes: Option<String>,
}

/// An entry of the index.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) data_id: String,
    /// `floating`, `pinned` or `pinned by rollback`.
    pub(super) state: &'static str,
    /// Of the content; none where the document is missing.
    pub(super) sha256: Option<String>,
}

pub(super) async fn look(client: &Nacos) -> InNacos {
    let mut found = InNacos {
        server: client.server(),
        namespace: client.namespace().to_owned(),
        group: client.group().to_owned(),
        ..InNacos::default()
    };
    if let Err(error) = look_at_index(client, &mut found).await {
        found.error = Some(format!("{error:#}"));
    }
    found
}

async fn look_at_index(client: &Nacos, found: &mut InNacos) -> anyhow::Result<()> {
    // Pinned contents are read too: somebody may have deleted one.
    let all = |standing: &Standing| {
        let form = standing.form();
        let entries = form.iter().flat_map(|form| &form.documents);
        entries.map(|entry| DataId::new(&entry.data_id)).collect()
    };
    let standing = nacos::standing(client, all).await?;
    let Some(index) = nacos::index(&standing)? else {
        anyhow::bail!(
            "there is no {INDEX}: publish it again from its history, or with `weir rollback`; \
             `weir apply --init` prepares an empty namespace"
        );
    };
    let contents: BTreeMap<DataId, Content> = standing
        .documents
        .into_iter()
        .map(|(id, stood)| (id, stood.content))
        .collect();
    found.set = Some(digest(&index, |id| contents.get(id)).to_string());
    found.version = Some(index.version);
    found.release = index.release.as_ref().map(|release| Release {
        by: release.by.clone(),
        at: release.at.to_string(),
        reason: release.reason.clone(),
        undoes: release.undoes.clone(),
    });
    found.documents = documents(&index, &contents);
    found.diagnostics = nacos::compile(client, &index, &contents).await?.diagnostics;
    Ok(())
}

fn documents(index: &IndexForm, contents: &BTreeMap<DataId, Content>) -> Vec<Document> {
    let document = |entry: &EntryForm| Document {
        kind: entry.kind.as_str(),
        name: entry.name.clone(),
        data_id: entry.data_id.clone(),
        state: match (&entry.sha256, &entry.floated) {
            (None, _) => "floating",
            (Some(_), None) => "pinned",
            (Some(_), Some(_)) => "pinned by rollback",
        },
        sha256: contents
            .get(entry.data_id.as_str())
            .map(|content| content.sha256.to_string()),
    };
    index.documents.iter().map(document).collect()
}
