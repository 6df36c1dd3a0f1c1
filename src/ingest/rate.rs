//! How fast a repo may be sent to: token buckets by repo, key or address.
//!
//! Requests are paid for before the body is read, events after decoding, when their number is known:
//! a bucket of events may go into debt, and while it is, whole requests are refused. Buckets belong to
//! the instance and outlive every swap: they hold only what was taken, the rate is given each time.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::event::ClientIp;
use crate::pipeline::RepoName;
use crate::pipeline::access::{Rate, RatePer};

/// Locks that requests spread over.
const SHARDS: usize = 16;
/// Buckets of one shard before those that are full again are looked for.
const FIRST_SWEEP: usize = 1024;
/// Buckets of one shard; senders beyond share one bucket.
const MOST: usize = 65_536;
/// Between two sweeps of a shard that has no room: each looks at all of it.
const REST: Duration = Duration::from_secs(1);

/// All the buckets of the instance.
#[derive(Debug)]
pub struct Rates {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Owner {
    repo: RepoName,
    who: Who,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Everybody,
    Key(Arc<str>),
    Address(ClientIp),
    /// Those for whom there was no room.
    Crowd,
}

#[derive(Debug)]
struct Shard {
    buckets: HashMap<Owner, Pair>,
    sweep_at: usize,
    /// When it was last swept.
    swept: Option<Instant>,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            buckets: HashMap::new(),
            sweep_at: FIRST_SWEEP,
            swept: None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    requests: Bucket,
    events: Bucket,
}

/// What is left, and since when. It starts full.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: f64,
    at: Instant,
    full_at: Instant,
}

/// Who sends: what a rate may be counted by.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'s> {
    /// The repo.
    pub repo: &'s RepoName,
    /// The key's id, if the repo has keys.
    pub key: Option<&'s Arc<str>>,
    /// The client's address.
    pub address: Option<ClientIp>,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::default(),
        }
    }
}

impl Rates {
    /// Lets one request in, or says how long to wait.
    pub fn admit(&self, rate: &Rate, sender: Sender<'_>, now: Instant) -> Result<(), Duration> {
        self.with(rate, sender, now, |pair| {
            if let Some(per_second) = rate.events_per_second {
                let level = pair.events.fill(per_second, rate.burst, now);
                if level <= 0.0 {
                    return Err(wait(-level + 1.0, per_second));
                }
            }
            if let Some(per_second) = rate.requests_per_second {
                let level = pair.requests.fill(per_second, rate.burst, now);
                if level < 1.0 {
                    return Err(wait(1.0 - level, per_second));
                }
                pair.requests.take(1.0, per_second, rate.burst);
            }
            Ok(())
        })
    }

    /// Charges the events of a request that was let in.
    pub fn charge(&self, rate: &Rate, sender: Sender<'_>, events: u32, now: Instant) {
        if let Some(per_second) = rate.events_per_second {
            self.with(rate, sender, now, |pair| {
                pair.events.fill(per_second, rate.burst, now);
                pair.events.take(f64::from(events), per_second, rate.burst);
            });
        }
    }

    fn with<T>(
        &self,
        rate: &Rate,
        sender: Sender<'_>,
        now: Instant,
        step: impl FnOnce(&mut Pair) -> T,
    ) -> T {
        let owner = Owner::of(rate.per, sender);
        let shard = usize::try_from(self.hasher.hash_one(&owner)).unwrap_or_default() % SHARDS;
        let mut shard = self.shards[shard]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        step(shard.pair(owner, rate, now))
    }
}

impl Owner {
    fn of(per: RatePer, sender: Sender<'_>) -> Self {
        let who = match (per, sender.key, sender.address) {
            (RatePer::Key, Some(key), _) => Who::Key(Arc::clone(key)),
            (RatePer::Address, _, Some(address)) => Who::Address(address.subscriber()),
            (RatePer::Repo | RatePer::Key | RatePer::Address, _, _) => Who::Everybody,
        };
        Self {
            repo: sender.repo.clone(),
            who,
        }
    }
}

impl Shard {
    fn pair(&mut self, owner: Owner, rate: &Rate, now: Instant) -> &mut Pair {
        if self.buckets.len() >= self.sweep_at && !self.buckets.contains_key(&owner) {
            self.sweep(now);
        }
        let crowded = self.buckets.len() >= MOST && !self.buckets.contains_key(&owner);
        let owner = if crowded {
            let who = Who::Crowd;
            Owner { who, ..owner }
        } else {
            owner
        };
        self.buckets.entry(owner).or_insert_with(|| Pair {
            requests: Bucket::full(rate.requests_per_second, rate.burst, now),
            events: Bucket::full(rate.events_per_second, rate.burst, now),
        })
    }

    /// Forgets the buckets that are full again: they are like those that never were.
    fn sweep(&mut self, now: Instant) {
        let rested = |swept: Instant| now.saturating_duration_since(swept) >= REST;
        if self.buckets.len() < MOST || self.swept.is_none_or(rested) {
            self.buckets.retain(|_, pair| !pair.full(now));
            self.sweep_at = (self.buckets.len() * 2).clamp(FIRST_SWEEP, MOST);
            self.swept = Some(now);
        }
    }
}

impl Pair {
    fn full(&self, now: Instant) -> bool {
        self.requests.full_at <= now && self.events.full_at <= now
    }
}

impl Bucket {
    fn full(per_second: Option<f64>, burst: f64, now: Instant) -> Self {
        Self {
            level: per_second.unwrap_or_default() * burst,
            at: now,
            full_at: now,
        }
    }

    /// Adds what has run in since, and says what is there.
    fn fill(&mut self, per_second: f64, burst: f64, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + passed * per_second).min(per_second * burst);
        self.at = self.at.max(now);
        self.level
    }

    fn take(&mut self, amount: f64, per_second: f64, burst: f64) {
        self.level -= amount;
        self.full_at = self.at + wait(per_second * burst - self.level, per_second);
    }
}

/// How long until so much has run in; at most a day.
fn wait(amount: f64, per_second: f64) -> Duration {
    let longest = Duration::from_secs(86_400);
    Duration::try_from_secs_f64(amount / per_second).map_or(longest, |wait| wait.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(per: RatePer, requests: Option<f64>, events: Option<f64>) -> Rate {
        Rate {
            per,
            requests_per_second: requests,
            events_per_second: events,
            burst: 2.0,
        }
    }

    fn from<'s>(repo: &'s RepoName, key: &'s Arc<str>, address: &str) -> Sender<'s> {
        Sender {
            repo,
            key: Some(key),
            address: Some(ClientIp::new(address.parse().unwrap())),
        }
    }

    #[test]
    fn requests_are_paid_for_before_and_come_back_with_time() {
        let (rates, now) = (Rates::default(), Instant::now());
        let (repo, key) = (RepoName::new("a"), "k".into());
        let sender = from(&repo, &key, "192.0.2.1");
        let rate = rate(RatePer::Repo, Some(1.0), None);
        assert_eq!(rates.admit(&rate, sender, now), Ok(()));
        assert_eq!(rates.admit(&rate, sender, now), Ok(()));
        assert_eq!(rates.admit(&rate, sender, now), Err(SECOND));
        assert_eq!(
            rates.admit(&rate, sender, now + SECOND / 2),
            Err(SECOND / 2)
        );
        assert_eq!(rates.admit(&rate, sender, now + SECOND), Ok(()));
        assert!(rates.admit(&rate, sender, now + SECOND).is_err());
    }

    #[test]
    fn events_in_debt_refuse_whole_requests_until_it_is_paid() {
        let (rates, now) = (Rates::default(), Instant::now());
        let (repo, key) = (RepoName::new("a"), "k".into());
        let sender = from(&repo, &key, "192.0.2.1");
        let rate = rate(RatePer::Repo, None, Some(10.0));
        assert_eq!(rates.admit(&rate, sender, now), Ok(()));
        rates.charge(&rate, sender, 50, now);
        assert!(rates.admit(&rate, sender, now).is_err());
        assert!(rates.admit(&rate, sender, now + 3 * SECOND).is_err());
        assert_eq!(rates.admit(&rate, sender, now + 4 * SECOND), Ok(()));
    }

    #[test]
    fn each_has_its_own_bucket() {
        let (rates, now) = (Rates::default(), Instant::now());
        let (repo, one, two) = (RepoName::new("a"), "1".into(), "2".into());
        let rate = rate(RatePer::Key, Some(0.5), None);
        assert!(
            rates
                .admit(&rate, from(&repo, &one, "192.0.2.1"), now)
                .is_ok()
        );
        assert!(
            rates
                .admit(&rate, from(&repo, &one, "192.0.2.2"), now)
                .is_err()
        );
        assert!(
            rates
                .admit(&rate, from(&repo, &two, "192.0.2.1"), now)
                .is_ok()
        );
        let rate = Rate {
            per: RatePer::Address,
            ..rate
        };
        let net = ["2001:db8::1", "2001:db8::2"].map(|address| from(&repo, &one, address));
        assert!(rates.admit(&rate, net[0], now).is_ok());
        assert!(rates.admit(&rate, net[1], now).is_err());
        let other = RepoName::new("b");
        assert!(
            rates
                .admit(&rate, from(&other, &one, "2001:db8::1"), now)
                .is_ok()
        );
    }

    #[test]
    fn a_new_rate_goes_on_with_what_was_taken() {
        let (rates, now) = (Rates::default(), Instant::now());
        let (repo, key) = (RepoName::new("a"), "k".into());
        let sender = from(&repo, &key, "192.0.2.1");
        let slow = rate(RatePer::Repo, None, Some(1.0));
        rates.charge(&slow, sender, 102, now);
        assert!(rates.admit(&slow, sender, now + SECOND).is_err());
        let fast = rate(RatePer::Repo, None, Some(1000.0));
        assert_eq!(rates.admit(&fast, sender, now + 2 * SECOND), Ok(()));
    }

    #[test]
    fn buckets_that_are_full_again_are_forgotten() {
        let (rates, now) = (Rates::default(), Instant::now());
        let (repo, key) = (RepoName::new("a"), "k".into());
        let rate = rate(RatePer::Address, Some(1.0), None);
        let senders = SHARDS * FIRST_SWEEP * 4;
        for n in 0..u32::try_from(senders).unwrap() {
            let address = std::net::Ipv4Addr::from(n).to_string();
            let later = now + n * SECOND;
            rates
                .admit(&rate, from(&repo, &key, &address), later)
                .unwrap();
        }
        let kept: usize = rates
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap().buckets.len())
            .sum();
        assert!(kept <= SHARDS * FIRST_SWEEP, "{kept}");
    }

    /// One request from somebody; gives what was in the bucket.
    fn send(shard: &mut Shard, from: u32, now: Instant) -> f64 {
        let address = ClientIp::new(std::net::Ipv4Addr::from(from).into());
        let owner = Owner {
            repo: RepoName::new("a"),
            who: Who::Address(address),
        };
        let rate = rate(RatePer::Address, Some(1.0), None);
        let pair = shard.pair(owner, &rate, now);
        let level = pair.requests.fill(1.0, rate.burst, now);
        pair.requests.take(1.0, 1.0, rate.burst);
        level
    }

    #[test]
    fn a_shard_that_was_full_of_senders_has_room_for_others_once_they_are_gone() {
        let (mut shard, now) = (Shard::default(), Instant::now());
        let most = u32::try_from(MOST).unwrap();
        for n in 0..most {
            if n == most / 4 * 3 {
                shard.sweep(now);
            }
            assert!(send(&mut shard, n, now) > 1.0, "its own bucket");
        }
        let crowd = [0, 1, 2].map(|n| send(&mut shard, most + n, now));
        assert_eq!(crowd, [2.0, 1.0, 0.0], "they share a bucket");
        let later = now + 10 * SECOND;
        let own = [10, 11, 12].map(|n| send(&mut shard, most + n, later));
        assert_eq!(own, [2.0; 3], "each has its own again");
    }
}
