//! Which revision is live, and how that changes.
//!
//! A swap: compile (pure) → make new clients and tables ready → store one pointer → retire the old
//! ones after their last request.

mod bind;
pub mod history;
pub mod live;
mod publish;
mod reconcile;
mod retire;
mod stage;

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::center::directory::{self, Directory};
use crate::delivery::Delivery;
use crate::rollout::bind::Binder;
use crate::rollout::history::History;
use crate::rollout::live::Live;
use crate::rollout::publish::Publisher;
use crate::rollout::reconcile::Reconciler;
use crate::rollout::retire::Retired;
use crate::tasks::Tasks;
use crate::telemetry::metrics::Metrics;
use crate::unit::TimeSpan;

/// How documents go live.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How often everything is looked at again without a nudge, give or take 30 %.
    pub interval: TimeSpan,
    /// How long a changed producer's cluster has to answer before the old client stays.
    pub answer_within: TimeSpan,
    /// The same at the start, where there is no old client: then it is used unanswered.
    pub start_within: TimeSpan,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: TimeSpan::seconds(10),
            answer_within: TimeSpan::seconds(10),
            start_within: TimeSpan::seconds(3),
        }
    }
}

/// Why documents cannot be brought to life.
pub type Error = directory::Error;

/// The rollout of one source, not yet running.
#[derive(Debug)]
pub struct Rollout {
    reconciler: Reconciler,
    retired: Retired,
    metrics: Metrics,
}

impl Rollout {
    /// Opens the source; everything that can fail is done here.
    pub fn open(
        documents: &Path,
        settings: &Settings,
        delivery: &Delivery,
        live: &Arc<Live>,
        history: &Arc<History>,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let source = Directory::open(documents)?;
        let retired = Retired::default();
        let publisher = Publisher {
            live: Arc::clone(live),
            history: Arc::clone(history),
            retired: retired.clone(),
            binder: Binder {
                delivery: delivery.clone(),
                metrics: metrics.clone(),
            },
            metrics: metrics.clone(),
        };
        let reconciler = Reconciler::new(
            source,
            documents.to_owned(),
            settings.clone(),
            delivery.clone(),
            publisher,
        );
        Ok(Self {
            reconciler,
            retired,
            metrics: metrics.clone(),
        })
    }

    /// Reconciles until the process drains.
    pub fn spawn(self, tasks: &Tasks) {
        tasks.spawn("rollout", self.reconciler.run(tasks.stop_signal()));
        tasks.spawn(
            "retired revisions",
            self.retired.run(self.metrics, tasks.stop_signal()),
        );
    }
}
