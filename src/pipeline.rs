//! The compiled repo, pure: what happens to the events of a request, stage by stage.
//!
//! A [`Plan`] is compiled from a repo document and what it refers to. A [`Pipeline`] is a plan with
//! the switches in force; moving a switch makes a new pipeline over the same plan.

pub mod access;
pub mod condition;
pub mod decode;
pub mod enrich;
pub mod executer;
#[cfg(test)]
pub(crate) mod fixture;
pub mod moment;
pub mod number;
pub mod route;
pub mod switched;
pub mod validate;

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::event::{Batch, ClientIp, Fields, Label, Pool, Reason, Records, Topic};
use crate::pipeline::access::Access;
use crate::pipeline::condition::Condition;
use crate::pipeline::enrich::Enrich;
use crate::pipeline::executer::Step;
use crate::pipeline::route::{Rejects, Router, Target};
use crate::pipeline::switched::Switched;
use crate::pipeline::validate::Validator;
use crate::tables::Tables;

/// A compiled repo with the switches in force.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// What was compiled.
    pub plan: Arc<Plan>,
    /// What is switched on and off, and the restrictions.
    pub switched: Arc<Switched>,
}

/// A compiled repo. Immutable.
#[derive(Debug)]
pub struct Plan {
    /// The repo.
    pub repo: RepoName,
    /// Every path that a stage reads or writes.
    pub fields: Arc<Fields>,
    /// Who may send, how much, how fast, from where.
    pub access: Access,
    /// What an event must meet to be wanted at all.
    pub constraint: Option<Condition>,
    /// The user's ordered steps.
    pub executers: Vec<Step>,
    /// What is added.
    pub enrich: Enrich,
    /// The named checks.
    pub validators: Vec<Validator>,
    /// From conditions to targets.
    pub router: Router,
    /// Where records go; a record's target is an index.
    pub targets: Vec<Target>,
    /// Every topic a record may go to; a record's topic is an index.
    pub topics: Vec<Topic>,
    /// Where rejected events go, if anywhere.
    pub rejects: Option<Rejects>,
    /// How many bytes the stages may add to one event.
    pub growth: u32,
    /// How many errors a reply shows.
    pub errors_shown: usize,
}

impl Plan {
    /// Where an event's name stands, unless a catalog of the repo says otherwise.
    pub const EVENT: &str = "event";
}

/// A repo's name; also its place in the URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepoName(Arc<str>);

impl RepoName {
    /// A name; documents see to it that it fits into a URL.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RepoName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is given to the stages from outside, once a request.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// When the request was received.
    pub received: Timestamp,
    /// Who sent it.
    pub client: Option<ClientIp>,
    /// The credential it came with: the key's id.
    pub key: Option<&'a str>,
    /// The enrichment data of the revision.
    pub tables: &'a Tables,
    /// Geo columns to use instead of a look-up: a sample fixes them.
    pub geo: Option<&'a serde_json::Map<String, serde_json::Value>>,
    /// The revision's digest.
    pub revision: &'a str,
    /// The id of the batch, unique over all instances.
    pub batch: &'a str,
    /// The instance's name.
    pub instance: &'a str,
}

impl Pipeline {
    /// The fields that a batch is decoded with: the plan's, and what only restrictions read.
    pub fn fields(&self) -> &Arc<Fields> {
        let wider = self.switched.fields.as_ref();
        wider.map_or(&self.plan.fields, |wider| &wider.0)
    }

    /// Reads the events of a body. Those that cannot be read are in the batch with a reason.
    pub fn decode(&self, body: Vec<u8>) -> Result<Batch, decode::Error> {
        self.decode_over(body, &Pool::default())
    }

    /// The same over buffers that earlier batches used.
    pub fn decode_over(&self, body: Vec<u8>, pool: &Pool) -> Result<Batch, decode::Error> {
        let mut batch = decode::decode(&self.plan.access.input, body, self.fields(), pool)?;
        batch.limit_growth(self.plan.growth);
        Ok(batch)
    }

    /// Filters what does not meet the constraint.
    pub fn constrain(&self, batch: &mut Batch, context: &Context<'_>) {
        if let Some(constraint) = &self.plan.constraint {
            batch.each(|event| {
                if !constraint.holds(event, context) {
                    event.leave(Reason::Constraint);
                }
            });
        }
    }

    /// Runs the user's steps that are switched on. Says which steps, by their index, could not work
    /// on how many events; mostly there are none, and then nothing is allocated.
    pub fn execute(&self, batch: &mut Batch, context: &Context<'_>) -> Vec<(usize, u32)> {
        let mut failed = Vec::new();
        for (index, step) in self.plan.executers.iter().enumerate() {
            if self.switched.executer(index) {
                match step.run(batch, context) {
                    0 => {}
                    events => failed.push((index, events)),
                }
            }
        }
        failed
    }

    /// Applies the emergency rules of the switches.
    pub fn restrict(&self, batch: &mut Batch, context: &Context<'_>) {
        self.switched.restrict(batch, context);
    }

    /// Adds time, address, geo columns and constants.
    pub fn enrich(&self, batch: &mut Batch, context: &Context<'_>) {
        self.plan.enrich.run(&self.switched, batch, context);
    }

    /// Runs the validators in their modes, all of them over all events; then those leave that are
    /// rejected.
    pub fn validate(&self, batch: &mut Batch, context: &Context<'_>) {
        for (index, validator) in self.plan.validators.iter().enumerate() {
            validator.run(self.switched.mode(index), batch, context);
        }
        validate::conclude(batch);
    }

    /// Makes the records of every event that is left, and those of the rejected ones. What personal
    /// data demands is done before, and not earlier: the devices are found by it.
    pub fn route(&self, batch: &mut Batch, context: &Context<'_>) -> Records {
        let mut records = Records::default();
        self.route_to(&mut records, batch, context);
        records
    }

    /// The same, behind the records that are there.
    pub fn route_to(&self, records: &mut Records, batch: &mut Batch, context: &Context<'_>) {
        for (index, validator) in self.plan.validators.iter().enumerate() {
            validator.protect(self.switched.mode(index), batch);
        }
        self.plan.router.run(self, batch, context, records);
        if let Some(rejects) = &self.plan.rejects {
            rejects.run(self, batch, context, records);
        }
    }
}

/// Where a record may go.
impl Plan {
    /// The labels of the producers it needs, without repetition.
    pub fn producers(&self) -> Vec<Label> {
        let mut labels: Vec<_> = self
            .targets
            .iter()
            .map(|target| target.producer.clone())
            .collect();
        labels.sort();
        labels.dedup();
        labels
    }
}
