//! Whether records are let through, for a cluster or for one of its topics.
//!
//! Closed: all are. Open: none is, until the rest is over; then one group goes as a probe, alone.
//! An acknowledgement, of the probe or of anything older, closes it; a probe that fails opens it
//! again. The clock is handed in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::event::Reason;

/// Whether a group may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Like all others.
    Free,
    /// Alone: what becomes of it decides.
    Probe,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        reason: Reason,
        until: Instant,
    },
    Probing {
        reason: Reason,
    },
}

/// A breaker. Asking a closed one takes no lock.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    open: AtomicBool,
    state: Mutex<State>,
}

impl Breaker {
    /// Whether a group may go now.
    pub(super) fn admit(&self, now: Instant) -> Result<Admission, Reason> {
        if !self.open.load(Ordering::Acquire) {
            return Ok(Admission::Free);
        }
        let mut state = self.lock();
        match *state {
            State::Closed => Ok(Admission::Free),
            State::Open { reason, until } if now >= until => {
                *state = State::Probing { reason };
                Ok(Admission::Probe)
            }
            State::Open { reason, .. } | State::Probing { reason } => Err(reason),
        }
    }

    /// Opens it; the first probe may go at `until`. True if it was closed.
    pub(super) fn trip(&self, reason: Reason, until: Instant) -> bool {
        let mut state = self.lock();
        let closed = *state == State::Closed;
        *state = State::Open { reason, until };
        self.open.store(true, Ordering::Release);
        closed
    }

    /// Something was acknowledged: closes it. True if it was open.
    pub(super) fn acknowledged(&self) -> bool {
        if !self.open.load(Ordering::Acquire) {
            return false;
        }
        let mut state = self.lock();
        let was_open = std::mem::take(&mut *state) != State::Closed;
        self.open.store(false, Ordering::Release);
        was_open
    }

    /// The probe came to nothing: the next may go at `until`.
    pub(super) fn probe_failed(&self, until: Instant) {
        let mut state = self.lock();
        if let State::Probing { reason } = *state {
            *state = State::Open { reason, until };
        }
    }

    /// Why records are refused, if they are.
    pub(super) fn refuses(&self) -> Option<Reason> {
        if !self.open.load(Ordering::Acquire) {
            return None;
        }
        match *self.lock() {
            State::Closed => None,
            State::Open { reason, .. } | State::Probing { reason } => Some(reason),
        }
    }

    /// Whether a group would be admitted, without admitting one.
    pub(super) fn would_admit(&self, now: Instant) -> bool {
        if !self.open.load(Ordering::Acquire) {
            return true;
        }
        match *self.lock() {
            State::Closed => true,
            State::Open { until, .. } => now >= until,
            State::Probing { .. } => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const REST: Duration = Duration::from_secs(5);

    #[test]
    fn an_open_breaker_refuses_with_its_reason_until_the_rest_is_over() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        assert_eq!(breaker.admit(now), Ok(Admission::Free));
        assert!(breaker.trip(Reason::UnknownTopic, now + REST));
        assert!(
            !breaker.trip(Reason::UnknownTopic, now + REST),
            "it was open already"
        );
        assert_eq!(breaker.admit(now), Err(Reason::UnknownTopic));
        assert_eq!(breaker.refuses(), Some(Reason::UnknownTopic));
        assert_eq!(breaker.admit(now + REST), Ok(Admission::Probe));
    }

    #[test]
    fn a_probe_goes_alone() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        breaker.trip(Reason::Unavailable, now);
        assert!(breaker.would_admit(now));
        assert_eq!(breaker.admit(now), Ok(Admission::Probe));
        assert_eq!(breaker.admit(now), Err(Reason::Unavailable));
        assert!(!breaker.would_admit(now));
    }

    #[test]
    fn a_failed_probe_opens_it_again_and_the_next_one_follows() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        breaker.trip(Reason::Unavailable, now);
        breaker.admit(now).unwrap();
        breaker.probe_failed(now + REST);
        assert_eq!(breaker.admit(now), Err(Reason::Unavailable));
        assert_eq!(breaker.admit(now + REST), Ok(Admission::Probe));
    }

    #[test]
    fn any_acknowledgement_closes_it() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        assert!(!breaker.acknowledged(), "it was closed");
        breaker.trip(Reason::Unavailable, now + REST);
        assert!(breaker.acknowledged());
        assert_eq!(breaker.admit(now), Ok(Admission::Free));
        assert_eq!(breaker.refuses(), None);
        // The probe of an earlier opening, answered late, does not open it.
        breaker.probe_failed(now + REST);
        assert_eq!(breaker.admit(now), Ok(Admission::Free));
    }
}
