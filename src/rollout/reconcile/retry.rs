//! Documents that compile, and of which something could not be made ready because a cluster, a file
//! or a secret was away, are tried again: they are whole by themselves once what they need is back.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::document::digest::DataId;
use crate::document::set::Set;
use crate::rollout::reconcile::Reconciler;
use crate::rollout::stage::Ready;

/// Documents, and what of each is not ready.
pub(super) type Reasons = BTreeMap<DataId, String>;

/// Documents that compile, and of which something is not ready; until something changes.
#[derive(Debug, Default)]
pub(super) struct Unready {
    now: Documents,
    /// What was not ready before it was tried again.
    before: Option<Documents>,
    since: Option<Instant>,
}

#[derive(Debug, Default)]
struct Documents {
    /// Those that stay at their last good content.
    held: Reasons,
    /// Those that are live without something.
    lacking: Reasons,
}

impl Unready {
    /// Holds more documents.
    pub(super) fn hold(&mut self, documents: Reasons) {
        self.now.held.extend(documents);
        self.since = Some(Instant::now());
    }

    /// Sets what the others go without; true if all of it was known before it was tried again.
    pub(super) fn lack(&mut self, lacking: Reasons) -> bool {
        self.now.lacking = lacking;
        let before = self.before.take();
        self.since = (!self.is_empty()).then(Instant::now);
        before.is_some_and(|before| {
            same(&before.held, &self.now.held) && same(&before.lacking, &self.now.lacking)
        })
    }

    /// What is held cannot go live with the rest of its release; true if that was known before it
    /// was tried again.
    pub(super) fn refuse(&mut self) -> bool {
        let before = self.before.take();
        let before =
            before.filter(|before| !before.held.is_empty() && same(&before.held, &self.now.held));
        let known = before.is_some();
        if let Some(before) = before {
            self.now.lacking = before.lacking;
        }
        known
    }

    /// What comes of the next step is told, also if it is known.
    pub(super) fn tell(&mut self) {
        self.before = None;
    }

    /// Forgets them: something changed.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether there are none, and none are being tried again.
    pub(super) fn is_empty(&self) -> bool {
        self.now.held.is_empty() && self.now.lacking.is_empty() && self.before.is_none()
    }

    /// Whether it is held.
    pub(super) fn holds(&self, data_id: &DataId) -> bool {
        self.now.held.contains_key(data_id)
    }

    /// Those that are held, and why.
    pub(super) fn held(&self) -> &Reasons {
        &self.now.held
    }

    /// Those that go without something, and why.
    pub(super) fn lacking(&self) -> &Reasons {
        &self.now.lacking
    }
}

/// Whether they say the same, but for counts and times: those differ with each try.
fn same(a: &Reasons, b: &Reasons) -> bool {
    a.keys().eq(b.keys())
        && a.values()
            .map(|why| gist(why))
            .eq(b.values().map(|why| gist(why)))
}

/// A text without digits and without what stands in parentheses.
fn gist(why: &str) -> String {
    let mut depth = 0_usize;
    let mut gist = String::new();
    for c in why.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && !c.is_ascii_digit() => gist.push(c),
            _ => {}
        }
    }
    gist
}

impl Reconciler {
    /// Whether what is not ready is to be tried again now; from then on it is.
    pub(super) fn tries_again(&mut self) -> bool {
        let Some(since) = self.unready.since else {
            return false;
        };
        let pause = self.settings.interval.duration() / 2;
        if !self.asking.is_empty() || since.elapsed() < pause {
            return false;
        }
        self.answers.forget();
        self.unready = Unready {
            before: Some(std::mem::take(&mut self.unready.now)),
            ..Unready::default()
        };
        true
    }

    /// Whether a set is live just so.
    pub(super) fn is_live(&self, set: &Set, ready: &Ready) -> bool {
        let live = self.set.as_ref();
        live.is_some_and(|live| live.digest == set.digest) && ready.is_like(&self.ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(why: &str) -> Reasons {
        BTreeMap::from([(DataId::new("weir.producers"), why.to_owned())])
    }

    #[test]
    fn the_same_reason_with_other_numbers_is_not_told_again() {
        let first = reasons("broker:1 is away (after 3 ms, 2 of them)");
        assert!(same(&first, &reasons("broker:2 is away (after 17 ms)")));
        assert!(!same(&first, &reasons("broker:1 refuses (after 3 ms)")));
        assert!(!same(&first, &Reasons::new()));
    }
}
