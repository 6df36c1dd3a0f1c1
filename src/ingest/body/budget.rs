//! The bytes that bodies in flight may take, all together. What does not fit is refused at once:
//! waiting would hold the connection and help nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::metrics::gauge::Gauge;

/// A number of bytes, shared. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    used: AtomicUsize,
    shown: Gauge,
}

/// What one request holds of a budget; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    budget: Budget,
    held: usize,
}

/// The budget has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bodies in flight hold {used} of {limit} bytes, no room for {wanted} more")]
pub struct Full {
    /// Bytes that were asked for.
    pub wanted: usize,
    /// Bytes held when they were.
    pub used: usize,
    /// All there are.
    pub limit: usize,
}

impl Budget {
    /// Of that many bytes. What is held is shown by the gauge.
    pub fn new(limit: usize, shown: Gauge) -> Self {
        Self(Arc::new(Shared {
            limit,
            used: AtomicUsize::new(0),
            shown,
        }))
    }

    /// Bytes held now.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// All there are.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// A permit that holds nothing yet.
    pub fn permit(&self) -> Permit {
        Permit {
            budget: self.clone(),
            held: 0,
        }
    }
}

impl Permit {
    /// Bytes held.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Sees to it that at least `total` bytes are held.
    pub fn grow_to(&mut self, total: usize) -> Result<(), Full> {
        self.add(total.saturating_sub(self.held))
    }

    /// Holds `more` bytes more.
    pub fn add(&mut self, more: usize) -> Result<(), Full> {
        if more == 0 {
            return Ok(());
        }
        let limit = self.budget.0.limit;
        let within = |used: usize| used.checked_add(more).filter(|&sum| sum <= limit);
        let result = self
            .budget
            .0
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, within);
        result.map_err(|used| Full {
            wanted: more,
            used,
            limit,
        })?;
        self.held += more;
        self.budget.0.shown.inc_by(signed(more));
        Ok(())
    }

    /// Says what is really held, once the buffers are made. Allocators round up, so this may go
    /// over the limit by a little; it never fails.
    pub(super) fn resize(&mut self, total: usize) {
        let shared = &self.budget.0;
        if total >= self.held {
            let more = total - self.held;
            shared.used.fetch_add(more, Ordering::Relaxed);
            shared.shown.inc_by(signed(more));
        } else {
            let less = self.held - total;
            shared.used.fetch_sub(less, Ordering::Relaxed);
            shared.shown.dec_by(signed(less));
        }
        self.held = total;
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_hold_grow_and_give_back() {
        let budget = Budget::new(100, Gauge::default());
        let (mut one, mut two) = (budget.permit(), budget.permit());
        one.grow_to(60).unwrap();
        one.grow_to(30).unwrap();
        assert_eq!((one.held(), budget.used()), (60, 60));
        assert_eq!(
            two.add(41),
            Err(Full {
                wanted: 41,
                used: 60,
                limit: 100
            })
        );
        assert_eq!(
            two.add(usize::MAX),
            Err(Full {
                wanted: usize::MAX,
                used: 60,
                limit: 100
            })
        );
        assert_eq!((two.held(), budget.used()), (0, 60));
        two.add(40).unwrap();
        one.resize(10);
        assert_eq!(budget.used(), 50);
        drop((one, two));
        assert_eq!(budget.used(), 0);
    }
}
