//! From conditions to targets: which record goes where.

use crate::event::{Ack, Batch, Label, Records};
use crate::pipeline::{Context, Pipeline};

/// Where records go.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which producer.
    pub producer: Label,
    /// When such a record is safe.
    pub ack: Ack,
}

/// The rules of a repo.
#[derive(Debug, Default)]
pub struct Router {}

impl Router {
    /// Appends the records of every event that is left.
    pub fn run(
        &self,
        pipeline: &Pipeline,
        batch: &mut Batch,
        context: &Context<'_>,
        records: &mut Records,
    ) {
        let _ = (pipeline, batch, context, records);
    }
}

/// Where rejected events go.
#[derive(Debug)]
pub struct Rejects {}

impl Rejects {
    /// Appends a record for every rejected event.
    pub fn run(
        &self,
        pipeline: &Pipeline,
        batch: &mut Batch,
        context: &Context<'_>,
        records: &mut Records,
    ) {
        let _ = (pipeline, batch, context, records);
    }
}
