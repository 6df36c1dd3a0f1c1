//! Which revision is live, and how that changes.
//!
//! A swap: compile (pure) → make new clients and tables ready → store one pointer → retire the old
//! ones after their last request.

mod bind;
pub mod control;
pub mod history;
pub mod live;
mod publish;
mod reconcile;
pub mod release;
mod restore;
mod retire;
pub mod source;
mod stage;
pub mod store;

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::delivery::Delivery;
use crate::device;
use crate::rollout::bind::Binder;
use crate::rollout::control::Control;
use crate::rollout::history::History;
use crate::rollout::live::Live;
use crate::rollout::publish::Publisher;
use crate::rollout::reconcile::Reconciler;
use crate::rollout::retire::Retired;
use crate::rollout::source::Source;
use crate::rollout::store::Store;
use crate::tasks::Tasks;
use crate::telemetry::metrics::Metrics;
use crate::unit::TimeSpan;

/// How documents go live.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
pub type Error = source::Error;

/// What a rollout is built from.
#[derive(Debug)]
pub struct Parts<'p> {
    /// Where documents come from.
    pub source: &'p source::Settings,
    /// Where relative paths of tables are looked for.
    pub data: &'p Path,
    /// The state directory.
    pub state: &'p Path,
    /// How documents go live.
    pub settings: &'p Settings,
    /// Where records go.
    pub delivery: &'p Delivery,
    /// What device maps are opened with.
    pub devices: &'p device::Opener,
    /// The pointer that is stored.
    pub live: &'p Arc<Live>,
    /// What is told of it.
    pub history: &'p Arc<History>,
    /// The metrics.
    pub metrics: &'p Metrics,
    /// Where what runs in the background is spawned.
    pub tasks: &'p Tasks,
}

/// The rollout of one source, not yet running.
#[derive(Debug)]
pub struct Rollout {
    reconciler: Reconciler,
    control: Control,
    retired: Retired,
    metrics: Metrics,
}

impl Rollout {
    /// Opens the source; everything that can fail is done here.
    pub fn open(parts: &Parts<'_>) -> Result<Self, Error> {
        let source = Source::open(parts.source, parts.state, parts.tasks)?;
        let retired = Retired::default();
        let publisher = Publisher {
            live: Arc::clone(parts.live),
            history: Arc::clone(parts.history),
            retired: retired.clone(),
            binder: Binder {
                delivery: parts.delivery.clone(),
                devices: parts.devices.clone(),
                metrics: parts.metrics.clone(),
            },
            metrics: parts.metrics.clone(),
        };
        let (control, commands) = control::channel();
        let store = Store::open(parts.state, &source.shown().environment());
        let reconciler = Reconciler::new(reconcile::Parts {
            source,
            store: Arc::new(store),
            base: parts.data.to_owned(),
            settings: parts.settings.clone(),
            delivery: parts.delivery.clone(),
            publisher,
            commands,
        });
        Ok(Self {
            reconciler,
            control,
            retired,
            metrics: parts.metrics.clone(),
        })
    }

    /// What operators ask of this instance.
    pub fn control(&self) -> Control {
        self.control.clone()
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
