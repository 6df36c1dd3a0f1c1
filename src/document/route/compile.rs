//! From routes as written to those that run.

mod topic;

use crate::document::diagnostic::At;
use crate::document::one_or_many::OneOrMany;
use crate::document::route::{
    AckForm, DeliveryForm, EventIdForm, MatchForm, RejectsForm, RouteForm, RuleForm, SideForm,
    TargetForm,
};
use crate::document::scope::Scope;
use crate::document::shape::suggestion;
use crate::event::{Ack, Label, Priority, TargetId, TopicId};
use crate::pipeline::route::{EventId, Rejects, Router, Rule, Target, Way};

use topic::constant_topic;

/// What a repo says once for all of its targets.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// When records are safe, unless their target says otherwise.
    pub ack: Ack,
    /// The largest event that may come in, in bytes.
    pub event_limit: u32,
    /// How many bytes the pipeline may add to one.
    pub growth: u32,
}

impl RouteForm {
    /// Compiles the rules; `at` is where they stand. Targets and topics go into the scope.
    pub fn compile(&self, defaults: Defaults, scope: &mut Scope<'_>, at: &At<'_>) -> Router {
        let inner = at.field("rules");
        let rules_at = if self.list { at } else { &inner };
        let mut router = Router {
            all: self.matching == MatchForm::All,
            ..Router::default()
        };
        let mut compiler = Compiler {
            defaults,
            small: Vec::new(),
            scope,
        };
        for (index, form) in self.rules.iter().enumerate() {
            let at = rules_at.item(index);
            let last = index + 1 == self.rules.len();
            compiler.rule(form, last, &mut router, &at);
        }
        if self.rules.is_empty() {
            let hint = "write `- otherwise: { producer: …, topic: … }` to send all events there";
            scope.diagnostics.error(at, "no event goes anywhere", hint);
        }
        router
    }
}

struct Compiler<'c, 'w> {
    defaults: Defaults,
    /// Producers that were reported as too small: once is enough.
    small: Vec<String>,
    scope: &'c mut Scope<'w>,
}

impl Compiler<'_, '_> {
    fn error(&mut self, at: &At<'_>, message: impl Into<String>, hint: impl Into<String>) {
        self.scope.diagnostics.error(at, message, hint);
    }

    fn rule(&mut self, form: &RuleForm, last: bool, router: &mut Router, at: &At<'_>) {
        if let Some(otherwise) = &form.otherwise {
            if form.when.is_some() || form.to.is_some() {
                let hint = "write `otherwise` as a rule of its own, without `when` and `to`";
                self.error(at, "`otherwise` stands beside `when` or `to`", hint);
            }
            if !last {
                let hint = "move it to the end: it takes what no rule took";
                self.error(at, "`otherwise` is not the last rule", hint);
            }
            let at = at.field("otherwise");
            router.otherwise = self.ways(otherwise, &at);
            return;
        }
        let Some(to) = &form.to else {
            self.error(at, "a rule without `to`", "say where these events go");
            return;
        };
        let when = form.when.as_ref();
        let when = when.map(|when| when.compile(self.scope, &at.field("when")));
        if when.is_none() && !last && !router.all {
            let hint = "add `when`, or make it `otherwise` and move it to the end";
            self.error(
                at,
                "a rule without `when` takes all events from those after it",
                hint,
            );
        }
        let to = self.ways(to, &at.field("to"));
        router.rules.push(Rule { when, to });
    }

    fn ways(&mut self, forms: &OneOrMany<TargetForm>, at: &At<'_>) -> Vec<Way> {
        if forms.values.is_empty() {
            self.error(at, "an empty list of targets", "say where these events go");
        }
        let mut ways = Vec::new();
        for (index, form) in forms.values.iter().enumerate() {
            let item = at.item(index);
            let at = if forms.list { &item } else { at };
            let topic = topic::compile(form, self.scope, at);
            let target = self.target(form, at);
            let key = form.key.as_ref();
            let key = key.map(|key| self.scope.field(&at.field("key"), key));
            if let Some((topic, target)) = topic.zip(target) {
                ways.push(Way {
                    target,
                    topic,
                    key,
                    priority: form.priority.map(Into::into),
                });
            }
        }
        ways
    }

    fn target(&mut self, form: &TargetForm, at: &At<'_>) -> Option<TargetId> {
        let ack = form.ack.map_or(self.defaults.ack, |ack| {
            ack.compile(self.scope, &at.field("ack"))
        });
        let at = at.field("producer");
        let message_max = message_max(&form.producer, self.scope, &at)?;
        let Defaults {
            event_limit,
            growth,
            ..
        } = self.defaults;
        let largest = u64::from(event_limit) + u64::from(growth);
        if largest > u64::from(message_max) && !self.small.contains(&form.producer) {
            self.small.push(form.producer.clone());
            let message = format!(
                "`{}` takes records of {message_max} bytes; an event may have {event_limit}, and \
                 the pipeline may add {growth}",
                form.producer
            );
            let hint = "lower `input.limits.event` or `growth`, or raise the producer's \
                        `message_max`";
            self.error(&at, message, hint);
        }
        let headers = form.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str().into(), value.as_str().into()));
        let target = Target {
            producer: Label::new(&form.producer),
            ack,
            message_max,
            headers: headers.collect(),
        };
        add_target(target, self.scope, &at)
    }
}

/// The largest record of a producer, if there is such a producer.
fn message_max(label: &str, scope: &mut Scope<'_>, at: &At<'_>) -> Option<u32> {
    let producers = &scope.world.producers;
    if let Some(producer) = producers.get(&Label::new(label)) {
        return Some(producer.message_max);
    }
    let known: Vec<_> = producers.keys().map(Label::as_str).collect();
    let hint = match known[..] {
        [] => "declare it in the producers document".to_owned(),
        _ => suggestion(label, &known),
    };
    let message = format!("there is no producer `{label}`");
    scope.diagnostics.error(at, message, hint);
    None
}

/// Targets that are the same are one.
fn add_target(target: Target, scope: &mut Scope<'_>, at: &At<'_>) -> Option<TargetId> {
    let known = scope.targets.iter().position(|known| *known == target);
    let index = known.unwrap_or(scope.targets.len());
    let Ok(id) = u16::try_from(index) else {
        let hint = "split the repo";
        scope
            .diagnostics
            .error(at, "more than 65,536 targets", hint);
        return None;
    };
    if known.is_none() {
        scope.targets.push(target);
    }
    Some(TargetId(id))
}

impl From<DeliveryForm> for Ack {
    fn from(form: DeliveryForm) -> Self {
        match form {
            DeliveryForm::Sync => Self::Any,
            DeliveryForm::Async => Self::Memory,
        }
    }
}

impl AckForm {
    /// Compiles it; `at` is where it stands.
    pub fn compile(self, scope: &mut Scope<'_>, at: &At<'_>) -> Ack {
        let (word, ack) = match self {
            Self::Memory => return Ack::Memory,
            Self::Kafka => return Ack::Kafka,
            Self::Any => return Ack::Any,
            Self::Disk => ("disk", Ack::Disk),
            Self::Both => ("both", Ack::Both),
        };
        let message = format!("`ack: {word}` needs a spool on disk, and this version has none");
        let hint = "take `kafka`, or `any`, which will use the spool once there is one";
        scope.diagnostics.error(at, message, hint);
        ack
    }
}

impl RejectsForm {
    /// The least that a producer must take, so that a reject record fits.
    const LEAST: u32 = 64 << 10;

    /// Compiles where rejected events go; `at` is where that stands.
    pub fn compile(
        &self,
        event_id: EventId,
        scope: &mut Scope<'_>,
        at: &At<'_>,
    ) -> Option<Rejects> {
        let ack = self.ack.map(|ack| ack.compile(scope, &at.field("ack")));
        let topic = constant_topic(&self.topic, scope, &at.field("topic"));
        let sdk = self.sdk.as_deref().unwrap_or("properties.$lib");
        let version = self.sdk_version.as_deref();
        let version = version.unwrap_or("properties.$lib_version");
        let sdk = scope.field(&at.field("sdk"), sdk);
        let sdk_version = scope.field(&at.field("sdk_version"), version);
        let what = "a rejected event";
        let target = side_target(&self.producer, ack, what, Self::LEAST, scope, at);
        Some(Rejects {
            target: target?,
            topic: topic?,
            priority: self.priority.map_or(Priority::P3, Into::into),
            event_id,
            sdk,
            sdk_version,
        })
    }
}

impl SideForm {
    /// The least that a producer must take, so that such a record fits.
    const LEAST: u32 = 8 << 10;

    /// Compiles it; `at` is where it stands.
    pub fn compile(
        &self,
        scope: &mut Scope<'_>,
        at: &At<'_>,
    ) -> Option<(TargetId, TopicId, Priority)> {
        let ack = self.ack.map(|ack| ack.compile(scope, &at.field("ack")));
        let topic = constant_topic(&self.topic, scope, &at.field("topic"));
        let what = "such a record";
        let target = side_target(&self.producer, ack, what, Self::LEAST, scope, at);
        let priority = self.priority.map_or(Priority::P3, Into::into);
        Some((target?, topic?, priority))
    }
}

/// Where records go that are not the events themselves. Its producer must take the largest of them.
fn side_target(
    producer: &str,
    ack: Option<Ack>,
    what: &str,
    least: u32,
    scope: &mut Scope<'_>,
    at: &At<'_>,
) -> Option<TargetId> {
    let at = at.field("producer");
    let message_max = message_max(producer, scope, &at)?;
    if message_max < least {
        let message = format!(
            "`{producer}` takes records of {message_max} bytes; {what} needs up to {least}"
        );
        let hint = "raise the producer's `message_max`";
        scope.diagnostics.error(&at, message, hint);
    }
    let target = Target {
        producer: Label::new(producer),
        ack: ack.unwrap_or(Ack::Memory),
        message_max,
        headers: [].into(),
    };
    add_target(target, scope, &at)
}

impl EventIdForm {
    /// Compiles what identifies an event; `at` is where that stands.
    pub fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> EventId {
        let at = at.field("from");
        let mut from = Vec::new();
        for (index, path) in self.from.values.iter().enumerate() {
            let item = at.item(index);
            let at = if self.from.list { &item } else { &at };
            from.push(scope.field(at, path));
        }
        EventId { from }
    }
}

#[cfg(test)]
mod tests;
