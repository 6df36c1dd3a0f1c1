//! Routes as people write them: rules from conditions to targets; where rejected events go; and
//! what identifies an event.

mod compile;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use crate::document::catalog::PriorityForm;
use crate::document::condition::ConditionForm;
use crate::document::one_or_many::OneOrMany;

pub use compile::Defaults;

/// The rules of a repo: a list of them, or an object that also says how many may match.
#[derive(Clone, Debug, Default)]
pub struct RouteForm {
    /// How many rules may match.
    pub matching: MatchForm,
    /// The rules, in order.
    pub rules: Vec<RuleForm>,
    /// Whether the list alone was written: then a rule's pointer has no `rules` in it.
    pub list: bool,
}

/// Rules, and how many of them may match.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Route")]
struct Long {
    /// How many rules may match (default `first`).
    #[serde(default, rename = "match")]
    matching: MatchForm,
    /// The rules, in order.
    rules: Vec<RuleForm>,
}

/// How many rules may match.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Match")]
pub enum MatchForm {
    /// The first one that holds.
    #[default]
    First,
    /// Every one that holds.
    All,
}

/// `when` and `to`, or `otherwise`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rule")]
pub struct RuleForm {
    /// Which events; without it all of them.
    pub when: Option<ConditionForm>,
    /// Where they go: one target or several.
    pub to: Option<OneOrMany<TargetForm>>,
    /// Where events go that no rule took; stands alone, at the end.
    pub otherwise: Option<OneOrMany<TargetForm>>,
}

/// Where a record goes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Target")]
pub struct TargetForm {
    /// The producer's label.
    pub producer: String,
    /// The topic: a constant, or a template over declared values, `events_{{ project }}`.
    pub topic: String,
    /// The topic for an event whose value is missing or not declared; without it such an event is
    /// rejected.
    #[serde(rename = "else")]
    pub fallback: Option<String>,
    /// The field whose content is the record's key.
    pub key: Option<String>,
    /// How important; what the catalog says counts where this says nothing (default `P2`).
    pub priority: Option<PriorityForm>,
    /// When a record is safe; by default what `delivery` says.
    pub ack: Option<AckForm>,
    /// Constant headers, beside those that the producer writes.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// What "safe" means for a record.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Ack")]
pub enum AckForm {
    /// It is in this process's queue.
    Memory,
    /// Kafka acknowledged it.
    Kafka,
    /// Kafka acknowledged it, or it is fsynced here.
    Any,
    /// It is fsynced here.
    Disk,
    /// It is fsynced here and Kafka acknowledged it.
    Both,
}

/// `sync`: the reply waits until every record is safe; `async`: it does not.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Delivery")]
pub enum DeliveryForm {
    /// Targets have `ack: any` unless they say otherwise.
    #[default]
    Sync,
    /// Targets have `ack: memory` unless they say otherwise.
    Async,
}

/// Where rejected events go, as one JSON record each.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rejects")]
pub struct RejectsForm {
    /// The producer's label.
    pub producer: String,
    /// The topic.
    pub topic: String,
    /// How important (default `P3`).
    pub priority: Option<PriorityForm>,
    /// When such a record is safe (default `memory`): it never changes a reply.
    pub ack: Option<AckForm>,
    /// Where the SDK's name stands (default `properties.$lib`).
    pub sdk: Option<String>,
    /// Where the SDK's version stands (default `properties.$lib_version`).
    pub sdk_version: Option<String>,
}

/// Where records beside the events go.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SideTarget")]
pub struct SideForm {
    /// The producer's label.
    pub producer: String,
    /// The topic.
    pub topic: String,
    /// How important (default `P3`).
    pub priority: Option<PriorityForm>,
    /// When such a record is safe (default `memory`): it never changes a reply.
    pub ack: Option<AckForm>,
}

/// What identifies an event.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EventId")]
pub struct EventIdForm {
    /// The fields that hold an id; the first that is there counts. Without any the id is made of
    /// the repo and the event as received.
    pub from: OneOrMany<String>,
}

impl<'de> Deserialize<'de> for RouteForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RouteVisitor)
    }
}

struct RouteVisitor;

impl<'de> Visitor<'de> for RouteVisitor {
    type Value = RouteForm;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rules, or an object with `match` and `rules`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<RouteForm, A::Error> {
        Ok(RouteForm {
            matching: MatchForm::First,
            rules: Vec::deserialize(SeqAccessDeserializer::new(seq))?,
            list: true,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RouteForm, A::Error> {
        let long = Long::deserialize(MapAccessDeserializer::new(map))?;
        Ok(RouteForm {
            matching: long.matching,
            rules: long.rules,
            list: false,
        })
    }
}

impl JsonSchema for RouteForm {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "RulesOrRoute".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let rules = generator.subschema_for::<Vec<RuleForm>>();
        let long = generator.subschema_for::<Long>();
        json_schema!({ "anyOf": [rules, long] })
    }
}
