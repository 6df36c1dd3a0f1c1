//! THE DATA PATH: take a request, run the stages, deliver, account.
//!
//! One revision serves a request from start to end. The stages are synchronous and pure; only the
//! acknowledgements are waited for. From the first record handed over the batch belongs to the
//! gateway: its books are closed whether or not the client still waits ([`handover`]).

mod books;
pub mod explain;
mod handover;
pub mod receipt;
pub mod shadow;
mod stopwatch;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::runtime::Handle;

use crate::delivery::{Delivery, Stamp};
use crate::device::{Attributed, Origin};
use crate::event::{Batch, ClientIp, Pool, Records};
use crate::gateway::explain::Explanation;
use crate::gateway::handover::Handover;
use crate::gateway::receipt::Receipt;
use crate::gateway::shadow::Shadows;
use crate::gateway::stopwatch::{Stage, Stopwatch};
use crate::pipeline::{Context, Pipeline, decode};
use crate::rollout::live::{Live, Repo, Revision};
use crate::tasks::Tasks;
use crate::telemetry::metrics::Metrics;

/// What takes requests to safety. One for the process.
#[derive(Debug)]
pub struct Gateway {
    live: Arc<Live>,
    delivery: Delivery,
    tasks: Tasks,
    runtime: Handle,
    instance: Box<str>,
    metrics: Metrics,
    shadows: Shadows,
}

/// The events of one client, to be taken to safety.
#[derive(Debug)]
pub struct Request<'r> {
    /// What serves it, from start to end.
    pub revision: &'r Revision,
    /// The repo it was sent to.
    pub repo: &'r Arc<Repo>,
    /// The decoded body.
    pub body: Vec<u8>,
    /// When its head had been read.
    pub received: Timestamp,
    /// Who sent it.
    pub client: Option<ClientIp>,
    /// The id of the key it came with.
    pub key: Option<&'r str>,
    /// The id of the request, and of its batch.
    pub id: &'r str,
}

impl Gateway {
    /// A gateway for this instance. Batches whose clients went away end on the current runtime.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn new(
        live: Arc<Live>,
        delivery: Delivery,
        tasks: Tasks,
        instance: &str,
        metrics: Metrics,
    ) -> Self {
        Self {
            live,
            delivery,
            tasks,
            runtime: Handle::current(),
            instance: instance.into(),
            metrics,
            shadows: Shadows::default(),
        }
    }

    /// What validators in mode `shadow` found since the process started.
    pub fn shadows(&self) -> &Shadows {
        &self.shadows
    }

    /// The revision that serves new requests.
    pub fn current(&self) -> Arc<Revision> {
        self.live.current()
    }

    /// Where the buffers of requests come from and go back to.
    pub fn pool(&self) -> &Pool {
        self.delivery.pool()
    }

    /// Takes one request through the pipeline and accounts for every event in it. `charge` learns how
    /// many events there are, as soon as that is known; `held` is given up when the books are closed.
    pub async fn accept<H: Send + 'static>(
        &self,
        request: Request<'_>,
        charge: impl FnOnce(usize),
        held: H,
    ) -> Result<Receipt, decode::Error> {
        let (repo, stamp) = (request.repo, request.stamp());
        let revision = request.revision;
        let pipeline = &repo.pipeline;
        let mut watch = Stopwatch::new(&self.metrics, request.id);
        let (context, body) = request.context(&self.instance);

        let mut batch = watch.time(Stage::Decode, || pipeline.decode_over(body, self.pool()))?;
        charge(batch.events().len());
        watch.time(Stage::Constraint, || {
            pipeline.constrain(&mut batch, &context)
        });
        let failed = watch.time(Stage::Executers, || pipeline.execute(&mut batch, &context));
        books::count_failed(&failed, pipeline, &repo.meter);
        watch.time(Stage::Restrictions, || {
            pipeline.restrict(&mut batch, &context)
        });
        watch.time(Stage::Enrich, || pipeline.enrich(&mut batch, &context));
        watch.time(Stage::Validate, || pipeline.validate(&mut batch, &context));
        let attribute = attribute(revision, repo, &mut batch, &context);
        let attributed = watch.wait(Stage::Device, attribute).await;
        let mut records = Records {
            buffer: self.pool().text(0),
            items: Vec::new(),
        };
        watch.time(Stage::Route, || {
            pipeline.route_to(&mut records, &mut batch, &context);
        });
        if let Some(step) = &repo.device {
            attributed.report(step, &origin(pipeline, &context), &mut records);
        }

        if !books::covered(&batch, &records) {
            self.metrics.books_unbalanced.inc();
            debug_assert!(
                false,
                "an event of repo {} has no record",
                pipeline.plan.repo
            );
        }
        let pending = watch.time(Stage::Deliver, || {
            self.delivery.start(&repo.destinations, records, &stamp)
        });
        self.shadows.note(&mut batch, &pipeline.plan);
        batch.strip(self.pool());
        Ok(Handover::new(self, repo, pending, batch, held)
            .settle()
            .await)
    }
}

impl Gateway {
    /// Tells what would become of a request, and does nothing of it.
    pub async fn explain(&self, request: Request<'_>) -> Result<Explanation, decode::Error> {
        let (repo, devices) = (request.repo, &request.revision.devices);
        let (context, body) = request.context(&self.instance);
        let device = repo.device.as_ref().map(|step| (devices, step));
        let headers = |target| repo.destinations.headers(target);
        explain::explain(&repo.pipeline, device, body, &context, headers).await
    }
}

/// Finds the devices of a batch, where its repo asks for them.
async fn attribute(
    revision: &Revision,
    repo: &Repo,
    batch: &mut Batch,
    context: &Context<'_>,
) -> Attributed {
    let Some(step) = &repo.device else {
        return Attributed::default();
    };
    let devices = &revision.devices;
    let attributed = devices.attribute(step, batch, context.received).await;
    for (status, events) in attributed.counts.by_status() {
        repo.meter.attributed(status.as_str(), events);
    }
    attributed
}

/// What records about devices tell of their request.
fn origin<'c>(pipeline: &'c Pipeline, context: &Context<'c>) -> Origin<'c> {
    Origin {
        repo: pipeline.plan.repo.as_str(),
        batch: context.batch,
        revision: context.revision,
        received: context.received,
    }
}

impl<'r> Request<'r> {
    fn stamp(&self) -> Stamp<'r> {
        Stamp {
            revision: self.revision.digest.as_str(),
            batch: self.id,
        }
    }

    fn context(self, instance: &'r str) -> (Context<'r>, Vec<u8>) {
        let context = Context {
            received: self.received,
            client: self.client,
            key: self.key,
            tables: &self.revision.tables,
            geo: None,
            revision: self.revision.digest.as_str(),
            batch: self.id,
            instance,
        };
        (context, self.body)
    }
}

#[cfg(test)]
mod tests;
