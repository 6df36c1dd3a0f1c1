//! From validators as written to those that run.

use serde_json::Value;

use crate::document::catalog::compile_property;
use crate::document::device::DeviceForm;
use crate::document::diagnostic::At;
use crate::document::scope::Scope;
use crate::document::validate::{
    CatalogCheckForm, EventAction, FreshnessForm, ModeForm, MustForm, RequiredForm, SchemaForm,
    SizeForm, TypesForm, ValidatorForm,
};
use crate::event::{FieldId, Path};
use crate::pipeline::validate::{
    CatalogCheck, Check, Freshness, Mode, Must, Required, Schema, Size, Typed, Types, Validator,
    ValueActions,
};

/// Compiles a repo's validators; `at` is where the list stands. What `device` fills they cannot
/// read: devices are found only for events that passed.
pub fn compile(
    forms: &[ValidatorForm],
    device: Option<&DeviceForm>,
    scope: &mut Scope<'_>,
    at: &At<'_>,
) -> Vec<Validator> {
    let later = device.into_iter().flat_map(DeviceForm::fills);
    scope.later = later.filter_map(|path| Path::parse(path).ok()).collect();
    let validators = compile_all(forms, scope, at);
    scope.later.clear();
    validators
}

fn compile_all(forms: &[ValidatorForm], scope: &mut Scope<'_>, at: &At<'_>) -> Vec<Validator> {
    let mut validators: Vec<Validator> = Vec::new();
    for (index, form) in forms.iter().enumerate() {
        let at = at.item(index);
        if validators.iter().any(|before| *before.name == *form.name()) {
            let message = format!("two validators have the name `{}`", form.name());
            let hint = "the switches and counts know a validator by its name";
            scope.diagnostics.error(&at.field("name"), message, hint);
        }
        if form.name().is_empty() {
            let hint = "the switches and counts know a validator by its name";
            scope
                .diagnostics
                .error(&at.field("name"), "an empty name", hint);
        }
        let check = form.compile(scope, &at);
        // What does not compile is reported, and the rest is still looked at.
        if let Some(check) = check {
            validators.push(Validator {
                name: form.name().into(),
                mode: form.mode(),
                index: u16::try_from(validators.len()).unwrap_or(u16::MAX),
                check,
            });
        }
    }
    validators
}

impl ValidatorForm {
    /// By which it is switched and counted.
    pub fn name(&self) -> &str {
        match self {
            Self::Required(form) => &form.name,
            Self::Types(form) => &form.name,
            Self::Catalog(form) => &form.name,
            Self::Schema(form) => &form.name,
            Self::Freshness(form) => &form.name,
            Self::Size(form) => &form.name,
            Self::Condition(form) => &form.name,
        }
    }

    fn mode(&self) -> Mode {
        let form = match self {
            Self::Required(form) => form.mode,
            Self::Types(form) => form.mode,
            Self::Catalog(form) => form.mode,
            Self::Schema(form) => form.mode,
            Self::Freshness(form) => form.mode,
            Self::Size(form) => form.mode,
            Self::Condition(form) => form.mode,
        };
        form.into()
    }

    fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Option<Check> {
        match self {
            Self::Required(form) => Some(Check::Required(form.compile(scope, at))),
            Self::Types(form) => Some(Check::Types(form.compile(scope, at))),
            Self::Catalog(form) => form.compile(scope, at).map(Check::Catalog),
            Self::Schema(form) => form.compile(scope, at).map(Check::Schema),
            Self::Freshness(form) => Some(Check::Freshness(form.compile(scope, at))),
            Self::Size(form) => Some(Check::Size(form.compile(scope, at))),
            Self::Condition(form) => Some(Check::Condition(form.compile(scope, at))),
        }
    }
}

impl From<ModeForm> for Mode {
    fn from(mode: ModeForm) -> Self {
        match mode {
            ModeForm::Enforce => Self::Enforce,
            ModeForm::Shadow => Self::Shadow,
            ModeForm::Off => Self::Off,
        }
    }
}

impl RequiredForm {
    fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Required {
        if self.missing == Some(EventAction::Accept) {
            let hint = "`mode: off` says that more clearly";
            let message = "a validator that accepts what it looks for does nothing";
            scope
                .diagnostics
                .warning(&at.field("missing"), message, hint);
            return Required { fields: Vec::new() };
        }
        let at = at.field("fields");
        if self.fields.is_empty() {
            let hint = "name what must be there, as in `fields: [ event, time ]`";
            scope.diagnostics.error(&at, "no field is named", hint);
        }
        let field = |(index, path): (usize, &String)| {
            (scope.field(&at.item(index), path), path.as_str().into())
        };
        Required {
            fields: self.fields.iter().enumerate().map(field).collect(),
        }
    }
}

impl TypesForm {
    fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Types {
        let fields = at.field("fields");
        if self.fields.is_empty() {
            let hint = "name them with their types, as in `fields: { time: int }`";
            scope.diagnostics.error(&fields, "no field is named", hint);
        }
        let typed = self.fields.iter().map(|(path, form)| {
            let at = fields.field(path);
            Typed {
                field: scope.field(&at, path),
                path: path.as_str().into(),
                required: form.rules.required,
                property: compile_property(&form.rules, &at, &mut scope.diagnostics),
            }
        });
        let typed = typed.collect();
        let form = crate::document::catalog::ViolationsForm {
            wrong_type: self.wrong_type,
            out_of_range: self.out_of_range,
            bad_enum: self.bad_enum,
            bad_pattern: self.bad_pattern,
            ..Default::default()
        };
        form.check(at, &mut scope.diagnostics);
        Types {
            fields: typed,
            actions: form.of_values().over(ValueActions::default()),
        }
    }
}

impl CatalogCheckForm {
    /// `.` stands for the event itself.
    const EVENT: &'static str = ".";

    fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Option<CatalogCheck> {
        let event_path = self.event.as_deref().unwrap_or("event");
        let properties_path = self.properties.as_deref().unwrap_or("properties");
        let event = scope.field(&at.field("event"), event_path);
        let whole = properties_path == Self::EVENT;
        let properties = (!whole).then(|| scope.object(&at.field("properties"), properties_path));
        let violations = self.violations();
        violations.check(at, &mut scope.diagnostics);
        let Some(catalog) = scope.world.catalogs.get(&self.catalog) else {
            let message = format!("there is no catalog `{}`", self.catalog);
            let known: Vec<_> = scope.world.catalogs.keys().map(String::as_str).collect();
            let hint = match known[..] {
                [] => "no catalog of the set compiles".to_owned(),
                _ => format!("the catalogs that compile are {}", known.join(", ")),
            };
            scope.diagnostics.error(&at.field("catalog"), message, hint);
            return None;
        };
        Some(CatalogCheck {
            catalog: catalog.clone(),
            event,
            event_path: event_path.into(),
            properties,
            properties_path: if whole { "" } else { properties_path }.into(),
            actions: violations.over(catalog.actions),
        })
    }
}

impl SchemaForm {
    fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Option<Schema> {
        let field = self.field.as_deref();
        let field: Option<(FieldId, &str)> =
            field.map(|path| (scope.field(&at.field("field"), path), path));
        let at = at.field("schema");
        if !matches!(self.schema, Value::Object(_) | Value::Bool(_)) {
            let hint = "write the schema as an object, such as `{ type: object }`";
            scope.diagnostics.error(&at, "not a JSON Schema", hint);
            return None;
        }
        match Schema::compile(field, &self.schema) {
            Ok(schema) => Some(schema),
            Err(error) => {
                let message = format!("the schema does not compile: {error}");
                let hint =
                    "it must be a JSON Schema (draft 2020-12 or older) that refers only to itself";
                let pointer = at.pointer() + &error.pointer;
                let severity = crate::document::diagnostic::Severity::Error;
                scope
                    .diagnostics
                    .push(severity, pointer, message, hint.to_owned());
                None
            }
        }
    }
}

impl FreshnessForm {
    fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Freshness {
        if self.past.is_none() && self.future.is_none() {
            let hint = "write `past: 10 d`, `future: 1 h`, or both";
            scope.diagnostics.error(at, "a window without a side", hint);
        }
        Freshness {
            field: scope.field(&at.field("field"), &self.field),
            path: self.field.as_str().into(),
            unit: self.unit.unwrap_or_default().into(),
            past: self.past.map(|past| past.duration()),
            future: self.future.map(|future| future.duration()),
        }
    }
}

impl SizeForm {
    fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Size {
        if self.max.get() == 0 {
            let hint = "write for example `64 KiB`";
            let message = "no event is that small";
            scope.diagnostics.error(&at.field("max"), message, hint);
        }
        Size {
            max: self.max.get_u32(),
        }
    }
}

impl MustForm {
    fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Must {
        let message = match &self.message {
            Some(message) => message.clone(),
            None => format!("the condition `{}` does not hold", self.name),
        };
        Must {
            condition: self.condition.compile(scope, &at.field("condition")),
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests;
