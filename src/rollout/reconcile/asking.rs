//! Clusters that are being asked whether they answer, beside the reconciler's own steps. An answer
//! takes seconds where nobody gives one, and other documents may change meanwhile: what is being
//! asked goes on, so that changes one after the other do not put the answer off for ever.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::delivery::{Connected, Delivery};
use crate::event::Label;
use crate::rollout::reconcile::{Underway, Wanted};
use crate::sink;

/// What is being asked.
#[derive(Debug, Default)]
pub(super) struct Asking {
    underway: FuturesUnordered<Underway<(Wanted, Vec<Connected>)>>,
    wanted: Wanted,
}

impl Asking {
    /// Begins to ask some more.
    pub(super) fn ask(&mut self, delivery: &Delivery, wanted: Wanted, within: Duration) {
        self.wanted.extend(wanted.iter().cloned());
        let delivery = delivery.clone();
        self.underway.push(Underway::new(async move {
            let connected = delivery.connect(&wanted, within).await;
            (wanted, connected)
        }));
    }

    /// Whether it is being asked.
    pub(super) fn includes(&self, each: &(Label, sink::Spec)) -> bool {
        self.wanted.contains(each)
    }

    /// Whether nothing is.
    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Waits for the next answers, in the order of what was wanted; for ever where there are none.
    pub(super) async fn answered(&mut self) -> (Wanted, Vec<Connected>) {
        let Some((wanted, connected)) = self.underway.next().await else {
            return std::future::pending().await;
        };
        self.wanted.retain(|each| !wanted.contains(each));
        (wanted, connected)
    }
}
