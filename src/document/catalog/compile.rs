//! From the documents of one catalog to the catalog.

mod property;

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::document::catalog::{
    CatalogForm, EventForm, PriorityForm, PropertyForm, RulesForm, StatusForm, ViolationsForm,
};
use crate::document::diagnostic::{At, Diagnostic, Diagnostics};
use crate::document::validate::{EventAction, PropertyAction};
use crate::event::Priority;
use crate::pipeline::validate::catalog::{
    Catalog, CatalogActions, CatalogBuilder, NewEvent, Status, Use,
};
use crate::pipeline::validate::{Action, ValueActions};

use property::Shape;
pub(in crate::document) use property::compile as compile_property;

/// One document of a catalog.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Its dataId.
    pub document: &'a str,
    /// What it says.
    pub form: &'a CatalogForm,
}

/// Compiles the documents of one catalog; no catalog if any of them is wrong. What one document
/// defines, the others may use; an event or a definition that stands in two of them is an error.
pub fn compile(parts: &[Part<'_>]) -> (Option<Arc<Catalog>>, Vec<Diagnostic>) {
    let mut compiler = Compiler::default();
    let mut found: Vec<_> = parts
        .iter()
        .map(|part| Diagnostics::new(part.document))
        .collect();
    let mut violations = ViolationsForm::default();
    for (part, diagnostics) in parts.iter().zip(&mut found) {
        compiler.define(part, diagnostics);
        violations = merge(violations, part.form.violations, diagnostics);
    }
    for (part, diagnostics) in parts.iter().zip(&mut found) {
        compiler.events(part, diagnostics);
    }
    let actions = violations.over(CatalogActions::default());
    let failed = found.iter().any(Diagnostics::failed);
    let diagnostics = found.into_iter().flat_map(Diagnostics::into_vec).collect();
    let catalog = (!failed).then(|| Arc::new(compiler.builder.build(actions)));
    (catalog, diagnostics)
}

fn merge(
    before: ViolationsForm,
    form: ViolationsForm,
    diagnostics: &mut Diagnostics,
) -> ViolationsForm {
    let at = At::ROOT.field("violations");
    form.check(&at, diagnostics);
    if before.or(form) != form.or(before) {
        let message = "another document of this catalog says something else";
        diagnostics.error(&at, message, "say it in one document");
    }
    before.or(form)
}

#[derive(Default)]
struct Compiler<'a> {
    builder: CatalogBuilder,
    /// Definitions that are the same are stored once.
    shapes: HashMap<Shape<'a>, u32>,
    shared: HashMap<&'a str, (&'a RulesForm, Use)>,
    groups: HashMap<&'a str, &'a [String]>,
    /// Where each event stands.
    events: HashMap<&'a str, &'a str>,
    /// Reused from event to event.
    uses: HashMap<u32, Use>,
}

impl<'a> Compiler<'a> {
    /// Takes in shared properties and groups.
    fn define(&mut self, part: &Part<'a>, diagnostics: &mut Diagnostics) {
        let at = At::ROOT.field("properties");
        for (name, PropertyForm { rules }) in &part.form.properties {
            let at = at.field(name);
            let each = self.property(name, rules, &at, diagnostics);
            let before = self.shared.insert(name, (rules, each));
            if before.is_some_and(|(before, _)| before != rules) {
                let message = format!("another document defines `{name}` differently");
                diagnostics.error(&at, message, "define it once");
            }
        }
        let at = At::ROOT.field("groups");
        for (name, members) in &part.form.groups {
            let at = at.field(name);
            if part.form.properties.contains_key(name) {
                let message = format!("`{name}` is a property and a group");
                diagnostics.error(&at, message, "`use` could mean either: rename one");
            }
            let before = self.groups.insert(name, members);
            if before.is_some_and(|before| before != members) {
                let message = format!("another document defines the group `{name}` differently");
                diagnostics.error(&at, message, "define it once");
            }
        }
    }

    fn property(
        &mut self,
        name: &str,
        rules: &'a RulesForm,
        at: &At<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Use {
        let shape = Shape::of(rules);
        let property = match self.shapes.get(&shape) {
            Some(index) => *index,
            None => {
                let property = property::compile(rules, at, diagnostics);
                let index = self.builder.property(property);
                self.shapes.insert(shape, index);
                index
            }
        };
        Use {
            name: self.builder.name(name),
            property,
            required: rules.required,
        }
    }

    fn events(&mut self, part: &Part<'a>, diagnostics: &mut Diagnostics) {
        self.check_groups(&part.form.groups, diagnostics);
        let at = At::ROOT.field("events");
        for (name, form) in &part.form.events {
            let at = at.field(name);
            if let Some(document) = self.events.insert(name, part.document) {
                let message = format!("the event `{name}` stands in `{document}` too");
                diagnostics.error(&at, message, "an event stands in one document");
            }
            self.event(name, form, &at, diagnostics);
        }
    }

    fn check_groups(&self, groups: &BTreeMap<String, Vec<String>>, diagnostics: &mut Diagnostics) {
        let at = At::ROOT.field("groups");
        for (group, members) in groups {
            let at = at.field(group);
            for (index, name) in members.iter().enumerate() {
                if !self.shared.contains_key(name.as_str()) {
                    let message = format!("there is no shared property `{name}`");
                    let hint = "define it below `properties`";
                    diagnostics.error(&at.item(index), message, hint);
                }
            }
        }
    }

    fn event(
        &mut self,
        name: &'a str,
        form: &'a EventForm,
        at: &At<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        self.uses.clear();
        self.use_shared(form, at, diagnostics);
        let own = at.field("properties");
        for (name, PropertyForm { rules }) in &form.properties {
            let each = self.property(name, rules, &own.field(name), diagnostics);
            self.uses.insert(each.name, each);
        }
        let required = at.field("required");
        for (index, name) in form.required.iter().enumerate() {
            let number = self.builder.name(name);
            match self.uses.get_mut(&number) {
                Some(each) => each.required = true,
                None => {
                    let message = format!("the event has no property `{name}`");
                    let hint = "list it below `use` or `properties` too";
                    diagnostics.error(&required.item(index), message, hint);
                }
            }
        }
        if self.uses.len() > Catalog::MAX_PROPERTIES {
            let message = format!(
                "an event has at most {} properties",
                Catalog::MAX_PROPERTIES
            );
            diagnostics.error(at, message, "put some of them into an object");
            return;
        }
        let mut uses: Vec<Use> = self.uses.values().copied().collect();
        uses.sort_unstable_by_key(|each| each.name);
        self.builder.event(NewEvent {
            name,
            status: form.status.into(),
            priority: form.priority.map(Into::into),
            owner: &form.owner,
            uses: &uses,
        });
    }

    fn use_shared(&mut self, form: &EventForm, at: &At<'_>, diagnostics: &mut Diagnostics) {
        let at = at.field("use");
        for (index, name) in form.uses.iter().enumerate() {
            if let Some((_, each)) = self.shared.get(name.as_str()) {
                self.uses.insert(each.name, *each);
            } else if let Some(members) = self.groups.get(name.as_str()) {
                let known = |name: &String| self.shared.get(name.as_str());
                for (_, each) in members.iter().filter_map(known) {
                    self.uses.insert(each.name, *each);
                }
            } else {
                let message = format!("there is no property or group `{name}`");
                let hint = "define it below `properties` or `groups`";
                diagnostics.error(&at.item(index), message, hint);
            }
        }
    }
}

impl ViolationsForm {
    /// What is said here, over what holds otherwise.
    pub(in crate::document) fn over(self, other: CatalogActions) -> CatalogActions {
        let rejects = |form: Option<EventAction>, other| {
            form.map_or(other, |form| form == EventAction::Reject)
        };
        CatalogActions {
            unknown_event: rejects(self.unknown_event, other.unknown_event),
            draft: rejects(self.draft, other.draft),
            deprecated: rejects(self.deprecated, other.deprecated),
            blocked: rejects(self.blocked, other.blocked),
            missing: rejects(self.missing, other.missing),
            unknown_property: self
                .unknown_property
                .map_or(other.unknown_property, Into::into),
            values: self.of_values().over(other.values),
        }
    }

    /// Reports what cannot be done.
    pub(in crate::document) fn check(self, at: &At<'_>, diagnostics: &mut Diagnostics) {
        let classes = [
            ("unknown_property", self.unknown_property),
            ("bad_pattern", self.bad_pattern),
        ];
        for (class, action) in classes {
            if action == Some(PropertyAction::Coerce) {
                let message = format!("`{class}` cannot be coerced");
                let hint = "nobody can tell what was meant; take `drop_property`, `null_property` or `reject`";
                diagnostics.error(&at.field(class), message, hint);
            }
        }
    }
}

impl crate::document::validate::PropertyActions {
    /// What is said here, over what holds otherwise.
    pub(in crate::document) fn over(self, other: ValueActions) -> ValueActions {
        let or = |form: Option<PropertyAction>, other| form.map_or(other, Action::from);
        ValueActions {
            wrong_type: or(self.wrong_type, other.wrong_type),
            out_of_range: or(self.out_of_range, other.out_of_range),
            bad_enum: or(self.bad_enum, other.bad_enum),
            bad_pattern: or(self.bad_pattern, other.bad_pattern),
        }
    }
}

impl From<PropertyAction> for Action {
    fn from(action: PropertyAction) -> Self {
        match action {
            PropertyAction::Accept => Self::Accept,
            PropertyAction::Coerce => Self::Coerce,
            PropertyAction::DropProperty => Self::DropProperty,
            PropertyAction::NullProperty => Self::NullProperty,
            PropertyAction::Reject => Self::Reject,
        }
    }
}

impl From<StatusForm> for Status {
    fn from(status: StatusForm) -> Self {
        match status {
            StatusForm::Draft => Self::Draft,
            StatusForm::Active => Self::Active,
            StatusForm::Deprecated => Self::Deprecated,
            StatusForm::Blocked => Self::Blocked,
        }
    }
}

impl From<PriorityForm> for Priority {
    fn from(priority: PriorityForm) -> Self {
        match priority {
            PriorityForm::P0 => Self::P0,
            PriorityForm::P1 => Self::P1,
            PriorityForm::P2 => Self::P2,
            PriorityForm::P3 => Self::P3,
        }
    }
}

#[cfg(test)]
mod tests;
