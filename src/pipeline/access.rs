//! Who may send to a repo, how much, how fast, and from which web pages.

use crate::pipeline::decode::Input;
use crate::secret::Reference;

/// What a body may cost before its events are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes on the wire.
    pub wire: u32,
    /// Bytes unpacked.
    pub body: u32,
    /// Unpacked over packed.
    pub ratio: u32,
}

/// A key that may send.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its name in the documents, for rates and logs.
    pub id: Box<str>,
    /// Where it stands.
    pub secret: Reference,
}

/// What a rate is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RatePer {
    /// The whole repo.
    Repo,
    /// Each key.
    Key,
    /// Each client address.
    Address,
}

/// How much may come in, an instance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// What it is counted by.
    pub per: RatePer,
    /// Charged after decoding; a bucket in debt refuses whole requests.
    pub events_per_second: Option<f64>,
    /// Charged before the body is read.
    pub requests_per_second: Option<f64>,
    /// How many seconds' worth may come at once.
    pub burst: f64,
}

/// Everything that is decided before the body is read.
#[derive(Clone, Debug)]
pub struct Access {
    /// How a body becomes events, and the limits of each.
    pub input: Input,
    /// What a body may cost.
    pub limits: Limits,
    /// Who may send; empty: everybody.
    pub keys: Vec<Key>,
    /// How fast.
    pub rate: Option<Rate>,
    /// Origins of web pages that may send; `*` is all of them.
    pub origins: Vec<Box<str>>,
}
