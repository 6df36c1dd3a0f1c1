//! The repo document: one kind of traffic, from who may send to where each event goes.

pub mod access;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::device;
use crate::document::condition::ConditionForm;
use crate::document::device::DeviceForm;
use crate::document::diagnostic::{At, Diagnostics};
use crate::document::enrich::EnrichForm;
use crate::document::executer::ExecuterForm;
use crate::document::repo::access::{AuthForm, CorsForm, InputForm, RateForm};
use crate::document::route::{
    AckForm, Defaults, DeliveryForm, EventIdForm, RejectsForm, RouteForm,
};
use crate::document::samples::{self, SampleForm};
use crate::document::scope::{Scope, World};
use crate::document::validate::{self, ValidatorForm, ValidatorsForm};
use crate::event::{Ack, Path};
use crate::pipeline::executer::Step;
use crate::pipeline::route::Rejects;
use crate::pipeline::switched::Switched;
use crate::pipeline::{Pipeline, Plan, RepoName};
use crate::unit::Size;

/// One kind of traffic.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Repo")]
pub struct RepoForm {
    /// A number that people raise with every change.
    pub version: u64,
    /// What is sent here.
    #[serde(default)]
    pub description: String,
    /// Who answers for it.
    #[serde(default)]
    pub owner: String,
    /// How a body becomes events, and how much of it is taken.
    #[serde(default)]
    pub input: InputForm,
    /// Who may send; without it everybody.
    pub auth: Option<AuthForm>,
    /// How much may come in.
    pub rate: Option<RateForm>,
    /// Which web pages may send; without it none.
    pub cors: Option<CorsForm>,
    /// By path: the values that may stand in a topic.
    #[serde(default)]
    pub values: BTreeMap<String, Vec<String>>,
    /// What an event must meet to be wanted at all; others are filtered, and that is no error.
    pub constraint: Option<ConditionForm>,
    /// What is done to every event, step by step.
    #[serde(default)]
    pub executers: Vec<ExecuterForm>,
    /// What is added to every event.
    pub enrich: Option<EnrichForm>,
    /// What every event is checked for.
    #[serde(default)]
    pub validate: ValidatorsForm,
    /// How events are attributed to devices.
    pub device: Option<DeviceForm>,
    /// Where events go.
    pub route: RouteForm,
    /// Where rejected events go; without it nowhere.
    pub rejects: Option<RejectsForm>,
    /// Whether the reply waits until every record is safe (default `sync`).
    pub delivery: Option<DeliveryForm>,
    /// When a record is safe, unless its target says it; in place of `delivery`.
    pub ack: Option<AckForm>,
    /// What identifies an event; without it the repo and the event as received.
    pub event_id: Option<EventIdForm>,
    /// How many errors a reply shows (default 20).
    #[schemars(range(max = 10_000))]
    pub errors: Option<u16>,
    /// How many bytes the pipeline may add to one event (default `16 KiB`).
    pub growth: Option<Size>,
    /// Events with what must become of them; they run whenever this document compiles.
    #[serde(default)]
    pub samples: Vec<SampleForm>,
}

/// A compiled repo document.
#[derive(Debug)]
pub struct Compiled {
    /// What happens to its events.
    pub plan: Plan,
    /// How its events are attributed to devices.
    pub device: Option<device::Step>,
}

impl RepoForm {
    /// Compiles it; what is wrong is in the diagnostics, and the result then not usable.
    pub fn compile(
        &self,
        repo: &RepoName,
        document: &str,
        world: &World,
    ) -> (Compiled, Diagnostics) {
        let at = &At::ROOT;
        let mut scope = Scope::new(document, world);
        self.declare_values(&mut scope);
        let access = self.access(at, &mut scope.diagnostics);
        let constraint = self.constraint.as_ref();
        let constraint = constraint.map(|form| form.compile(&mut scope, &at.field("constraint")));
        let executers = self.executers(&mut scope, &at.field("executers"));
        let enrich = self.enrich.as_ref();
        let enrich = enrich.map(|form| form.compile(&mut scope, &at.field("enrich"), repo));
        let validators = validate::compile(
            &self.validate,
            self.device.as_ref(),
            &mut scope,
            &at.field("validate"),
        );
        self.name_events(&mut scope);
        let device = self.device.as_ref();
        let device = device.map(|form| form.compile(&mut scope, &at.field("device")));
        let growth = self.growth.unwrap_or(Size::kib(16)).get_u32();
        let defaults = Defaults {
            ack: self.default_ack(&mut scope, at),
            event_limit: access.input.event_limit,
            growth,
        };
        let router = self.route.compile(defaults, &mut scope, &at.field("route"));
        let rejects = self.rejects(&mut scope, at);
        let plan = Plan {
            repo: repo.clone(),
            access,
            constraint,
            executers,
            enrich: enrich.unwrap_or_default(),
            validators,
            router,
            targets: scope.targets,
            topics: scope.topics,
            rejects,
            growth,
            errors_shown: self.errors.map_or(20, usize::from),
            fields: Arc::new(scope.fields.build()),
        };
        let mut out = scope.diagnostics;
        unique_names(&plan, &mut out);
        (Compiled { plan, device }, out)
    }

    /// What a validator finds is counted by the event's name; a catalog says where that stands.
    fn name_events(&self, scope: &mut Scope<'_>) {
        if !self.validate.is_empty()
            && let Ok(path) = Path::parse(Plan::EVENT)
        {
            scope.fields.add(&path);
        }
    }

    fn default_ack(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Ack {
        let delivery = self.delivery.unwrap_or_default().into();
        let Some(ack) = self.ack else {
            return delivery;
        };
        let at = at.field("ack");
        if self.delivery.is_some() {
            let hint = "keep one of them: `sync` means `ack: any`, `async` means `ack: memory`";
            scope
                .diagnostics
                .error(&at, "`ack` and `delivery` say the same thing", hint);
        }
        ack.compile(scope, &at)
    }

    fn rejects(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Option<Rejects> {
        let id = self.event_id.as_ref();
        let id = id
            .map(|form| form.compile(scope, &at.field("event_id")))
            .unwrap_or_default();
        let form = self.rejects.as_ref()?;
        form.compile(id, scope, &at.field("rejects"))
    }

    /// Runs the samples through what the document was compiled to.
    pub fn run_samples(
        &self,
        plan: &Arc<Plan>,
        device: Option<&device::Step>,
        out: &mut Diagnostics,
    ) {
        let pipeline = Pipeline {
            plan: Arc::clone(plan),
            switched: Arc::new(Switched::as_written(plan)),
        };
        samples::run(
            &self.samples,
            &pipeline,
            device,
            &At::ROOT.field("samples"),
            out,
        );
    }

    fn executers(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Vec<Step> {
        let forms = self.executers.iter().enumerate();
        forms
            .filter_map(|(index, form)| form.compile(scope, &at.item(index)))
            .collect()
    }

    /// The names of the catalogs that its validators check against.
    pub(super) fn catalogs(&self) -> BTreeSet<&str> {
        self.validate
            .iter()
            .filter_map(ValidatorForm::catalog)
            .collect()
    }

    fn declare_values(&self, scope: &mut Scope<'_>) {
        let values = At::ROOT.field("values");
        for (path, declared) in &self.values {
            let at = values.field(path);
            match Path::parse(path) {
                Ok(path) => scope.values.push((path, declared.clone())),
                Err(error) => {
                    let message = format!("`{path}` is not a path");
                    scope.diagnostics.error(&at, message, error.to_string());
                }
            }
            if declared.is_empty() {
                let hint = "list the values that may stand in a topic, or remove the field";
                scope.diagnostics.error(&at, "no value is declared", hint);
            }
        }
    }
}

/// One switch must not move two things.
fn unique_names(plan: &Plan, out: &mut Diagnostics) {
    let executers = plan.executers.iter().enumerate();
    let executers =
        executers.filter_map(|(index, step)| Some((step.name.as_deref()?, "executers", index)));
    let enrich = plan.enrich.steps.iter().enumerate();
    let enrich = enrich.map(|(index, step)| (&*step.name, "enrich", index));
    let validators = plan.validators.iter().enumerate();
    let validators = validators.map(|(index, each)| (&*each.name, "validate", index));
    let mut seen = HashMap::new();
    for (name, list, index) in executers.chain(enrich).chain(validators) {
        let Some(first) = seen.insert(name, list) else {
            continue;
        };
        // Two of the same list are reported where the list compiles, but for executers.
        if first != list || list == "executers" {
            let message = format!("the name `{name}` stands twice, first under `{first}`");
            let list_at = At::ROOT.field(list);
            let item = list_at.item(index);
            let at = if list == "enrich" { list_at } else { item };
            out.error(
                &at,
                message,
                "names are unique within a repo, so that a switch moves one thing",
            );
        }
    }
}

impl ValidatorForm {
    fn catalog(&self) -> Option<&str> {
        match self {
            Self::Catalog(form) => Some(&form.catalog),
            Self::Required(_)
            | Self::Types(_)
            | Self::Schema(_)
            | Self::Freshness(_)
            | Self::Size(_)
            | Self::Condition(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
