//! Samples: events that a repo document carries with what must become of them. They run whenever it
//! compiles, so that a change that breaks one never goes live.
//!
//! A sample is exact and does not age: it fixes the time of receipt, the address, what the IP table
//! says and which device it is. Nothing outside of the document is asked.

mod expect;
mod run;

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::document::moment::Moment;

pub use run::{MOST, run};

/// An event, and what must become of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Sample")]
pub struct SampleForm {
    /// What it shows, in a few words; problems are told under this name.
    pub name: String,
    /// The event as a client sends it. In a repo with `input.format: text` it is one line of text:
    /// `{ message: "…" }`.
    pub event: Map<String, Value>,
    /// When it is received. Without it, when the event's own field `time` says (a number since 1970,
    /// or RFC 3339), or else on 2026-01-01.
    pub received: Option<Moment>,
    /// Who sends it; without it nobody that is known.
    #[schemars(with = "Option<String>")]
    pub address: Option<IpAddr>,
    /// What the IP table says, by column, instead of a look-up; without it nothing.
    pub geo: Option<Map<String, Value>>,
    /// Which device it is, instead of a look-up; without it none.
    pub device: Option<SampleDevice>,
    /// What must become of it.
    pub expect: ExpectForm,
}

/// Which device a sample comes from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleDevice {
    /// Its id.
    pub id: String,
    /// Whether it is new; without it that is not known.
    pub is_new: Option<bool>,
}

/// What must become of a sample. What is left out may be anything.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Expect")]
pub struct ExpectForm {
    /// Whether it is delivered.
    pub outcome: Outcome,
    /// Of an event that is filtered or rejected: why, as in the reply's `code`.
    pub code: Option<String>,
    /// Of an accepted event: the one topic that it goes to.
    pub topic: Option<String>,
    /// Of an accepted event: all the topics that it goes to, in any order.
    pub topics: Option<Vec<String>>,
    /// Of an accepted event: values as delivered, by path.
    #[serde(default)]
    pub fields: BTreeMap<String, Value>,
    /// Of an accepted event: paths at which nothing stands.
    #[serde(default)]
    pub absent: Vec<String>,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is delivered.
    Accepted,
    /// It is dropped on purpose, and that is no error.
    Filtered,
    /// It is refused, with a reason.
    Rejected,
}

impl Outcome {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Filtered => "filtered",
            Self::Rejected => "rejected",
        }
    }
}

#[cfg(test)]
mod tests;
