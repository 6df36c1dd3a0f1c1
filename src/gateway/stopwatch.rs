//! How long each stage takes over the events of a request, for a sample of the requests: to look at
//! the clock after every stage of every request would cost more than some of the stages.

use std::time::Instant;

use crate::telemetry::metrics::{self, Metrics};

/// One request in so many is timed.
const SAMPLE: u8 = 16;

/// A stage of the data path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Decode,
    Constraint,
    Executers,
    Restrictions,
    Enrich,
    Validate,
    Device,
    Route,
    Deliver,
}

impl Stage {
    /// The word of the documents for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Constraint => "constraint",
            Self::Executers => "executers",
            Self::Restrictions => "restrictions",
            Self::Enrich => "enrich",
            Self::Validate => "validate",
            Self::Device => "device",
            Self::Route => "route",
            Self::Deliver => "deliver",
        }
    }
}

/// Times the stages of one request, or not.
#[derive(Debug)]
pub(super) struct Stopwatch<'m>(Option<&'m Metrics>);

impl<'m> Stopwatch<'m> {
    /// For the request of this id; its last character is as good as random.
    pub(super) fn new(metrics: &'m Metrics, id: &str) -> Self {
        let last = id.as_bytes().last().copied().unwrap_or_default();
        Self((last % SAMPLE == 0).then_some(metrics))
    }

    /// Runs a stage.
    pub(super) fn time<T>(&mut self, stage: Stage, run: impl FnOnce() -> T) -> T {
        let Some(metrics) = self.0 else {
            return run();
        };
        let begun = Instant::now();
        let result = run();
        Self::note(metrics, stage, begun);
        result
    }

    /// Runs the one stage that may wait.
    pub(super) async fn wait<T>(&mut self, stage: Stage, run: impl Future<Output = T>) -> T {
        let Some(metrics) = self.0 else {
            return run.await;
        };
        let begun = Instant::now();
        let result = run.await;
        Self::note(metrics, stage, begun);
        result
    }

    fn note(metrics: &Metrics, stage: Stage, begun: Instant) {
        let labels = metrics::Stage {
            stage: stage.name(),
        };
        let seconds = begun.elapsed().as_secs_f64();
        metrics
            .stage_seconds
            .get_or_create(&labels)
            .observe(seconds);
    }
}
