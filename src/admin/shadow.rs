//! What validators in mode `shadow` would have done: what product staff look at before they switch
//! one to `enforce`.

use std::sync::Arc;

use axum::extract::{Query, State as Shared};
use serde::Serialize;

use crate::admin::State;
use crate::admin::answer::{Error, Json};
use crate::admin::switches::{Switch, Which, asked, switch};
use crate::gateway::shadow::{Key, Row, Table};
use crate::rollout::live::{Repo, Revision};

/// The answer of `/api/shadow`.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    instance: String,
    revision: String,
    repos: Vec<OfRepo>,
}

#[derive(Debug, Serialize)]
struct OfRepo {
    repo: String,
    /// Its validators that are in mode `shadow` now.
    validators: Vec<Validator>,
    /// What was found since the process started, the most frequent first; also by validators that
    /// are in another mode now.
    found: Vec<Found>,
    /// Events found beyond the rows of the table.
    other: u64,
}

#[derive(Debug, Serialize)]
struct Validator {
    name: String,
    /// Who put it into that mode: `document` or `switch`.
    from: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    switch: Option<Switch>,
}

#[derive(Debug, Serialize)]
struct Found {
    #[serde(flatten)]
    key: Key,
    #[serde(flatten)]
    row: Row,
}

pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Query(which): Query<Which>,
) -> Result<Json<Shown>, Error> {
    let revision = state.live.current();
    let repos = asked(&revision, &which)?;
    let mut tables = state.gateway.shadows().tables();
    let repos = repos.into_iter().map(|repo| {
        let table = tables.remove(&repo.pipeline.plan.repo).unwrap_or_default();
        of_repo(repo, table, &revision)
    });
    Ok(Json(Shown {
        instance: state.instance.clone(),
        revision: revision.digest.to_string(),
        repos: repos.collect(),
    }))
}

fn of_repo(repo: &Repo, table: Table, revision: &Revision) -> OfRepo {
    let (plan, switched) = (&repo.pipeline.plan, &repo.pipeline.switched);
    let name = plan.repo.as_str();
    let shadow = |(index, _): &(usize, _)| switched.mode(*index).as_str() == "shadow";
    let validators = plan.validators.iter().enumerate().filter(shadow);
    let validators = validators.map(|(_, each)| {
        let switch = switch(revision, name, &each.name);
        Validator {
            name: each.name.to_string(),
            from: if switch.is_some() {
                "switch"
            } else {
                "document"
            },
            switch,
        }
    });
    OfRepo {
        repo: name.to_owned(),
        validators: validators.collect(),
        other: table.other(),
        found: table
            .rows()
            .into_iter()
            .map(|(key, row)| Found { key, row })
            .collect(),
    }
}
