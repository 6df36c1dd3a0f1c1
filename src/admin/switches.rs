//! What is enforced, looked at or off now, and who says so: the document, or a switch.

use std::sync::Arc;

use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::admin::State;
use crate::admin::answer::{Error, Json};
use crate::document::switches::listing::Names;
use crate::rollout::live::{Found, Listed, Repo, Revision};

/// Which repo is asked for; without it all of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    pub(super) repo: Option<String>,
}

/// The answer of `/api/switches`.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    instance: String,
    revision: String,
    repos: Vec<OfRepo>,
}

#[derive(Debug, Serialize)]
struct OfRepo {
    repo: String,
    steps: Vec<Step>,
    restrictions: Vec<Restriction>,
}

/// A validator, named executer or enrich step.
#[derive(Debug, Serialize)]
struct Step {
    /// `validator`, `executer` or `enrich`.
    kind: &'static str,
    name: String,
    /// What it does now: `enforce`, `shadow`, `off` or `on`.
    mode: &'static str,
    /// What its repo's document says.
    written: &'static str,
    /// Who says so: `document` or `switch`.
    from: &'static str,
    /// Whether switches cannot turn it off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    locked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    switch: Option<Switch>,
}

/// A switch as it was written, and since when this instance has it in force.
#[derive(Debug, Serialize)]
pub(super) struct Switch {
    note: String,
    by: String,
    until: Option<Timestamp>,
    since: Timestamp,
}

/// A restriction in force.
#[derive(Debug, Serialize)]
struct Restriction {
    number: u8,
    /// As it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Box<RawValue>>,
    #[serde(flatten)]
    switch: Switch,
}

pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Query(which): Query<Which>,
) -> Result<Json<Shown>, Error> {
    let revision = state.live.current();
    let repos = asked(&revision, &which)?;
    Ok(Json(Shown {
        instance: state.instance.clone(),
        revision: revision.digest.to_string(),
        repos: repos.iter().map(|repo| of_repo(repo, &revision)).collect(),
    }))
}

/// The repos that are asked for, by their names.
pub(super) fn asked<'r>(
    revision: &'r Revision,
    which: &Which,
) -> Result<Vec<&'r Arc<Repo>>, Error> {
    let Some(wanted) = &which.repo else {
        let mut repos: Vec<_> = revision.repos.values().collect();
        repos.sort_by(|a, b| a.pipeline.plan.repo.cmp(&b.pipeline.plan.repo));
        return Ok(repos);
    };
    match revision.repo(wanted) {
        Found::Repo(repo) => Ok(vec![repo]),
        Found::NoDocument | Found::Nothing => Err(Error {
            status: StatusCode::NOT_FOUND,
            code: "repo",
            message: format!("the live revision does not serve a repo `{wanted}`"),
        }),
    }
}

/// The switch that is in force for a validator or step.
pub(super) fn switch(revision: &Revision, repo: &str, name: &str) -> Option<Switch> {
    let mut listed = revision.switches.iter();
    let names = |each: &&Listed| {
        each.repo.as_str() == repo && matches!(&each.names, Names::Switch(of) if **of == *name)
    };
    listed.find(names).map(Switch::from)
}

impl From<&Listed> for Switch {
    fn from(listed: &Listed) -> Self {
        Self {
            note: listed.note.to_string(),
            by: listed.by.to_string(),
            until: listed.until,
            since: listed.since,
        }
    }
}

fn of_repo(repo: &Repo, revision: &Revision) -> OfRepo {
    let name = repo.pipeline.plan.repo.as_str();
    let mut steps = steps(repo);
    for step in &mut steps {
        step.switch = switch(revision, name, &step.name);
        if step.switch.is_some() {
            step.from = "switch";
        }
    }
    let listed = revision.switches.iter();
    let restrictions = listed.filter(|each| each.repo.as_str() == name);
    OfRepo {
        repo: name.to_owned(),
        steps,
        restrictions: restrictions.filter_map(restriction).collect(),
    }
}

fn restriction(listed: &Listed) -> Option<Restriction> {
    let Names::Restriction(number) = listed.names else {
        return None;
    };
    Some(Restriction {
        number,
        rule: RawValue::from_string(listed.says.to_string()).ok(),
        switch: Switch::from(listed),
    })
}

fn steps(repo: &Repo) -> Vec<Step> {
    let (plan, switched) = (&repo.pipeline.plan, &repo.pipeline.switched);
    let step = |kind, name: &str, mode, written, locked| Step {
        kind,
        name: name.to_owned(),
        mode,
        written,
        from: "document",
        locked,
        switch: None,
    };
    let runs = |runs: bool| if runs { "on" } else { "off" };
    let mut steps = Vec::new();
    for (index, each) in plan.executers.iter().enumerate() {
        if let Some(name) = &each.name {
            let mode = runs(switched.executer(index));
            steps.push(step("executer", name, mode, "on", each.locked));
        }
    }
    for (each, on) in plan.enrich.steps.iter().zip(&switched.enrich) {
        steps.push(step("enrich", &each.name, runs(*on), "on", each.locked));
    }
    for (index, each) in plan.validators.iter().enumerate() {
        let (mode, written) = (switched.mode(index).as_str(), each.mode.as_str());
        steps.push(step("validator", &each.name, mode, written, false));
    }
    steps
}
