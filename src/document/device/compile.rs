//! From a device section as written to the step that runs.

use crate::device::{Side, Step, WhenUnavailable, is_personal};
use crate::document::device::{DeviceForm, WhenUnavailableForm};
use crate::document::diagnostic::At;
use crate::document::route::SideForm;
use crate::document::scope::Scope;

impl DeviceForm {
    /// Compiles it; `at` is where it stands.
    pub fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Step {
        if !scope.world.devices {
            let hint = "declare `devices` in the tables document, or take this out";
            scope
                .diagnostics
                .error(at, "there is no device map to look into", hint);
        }
        let identifiers = self.compile_identifiers(scope, &at.field("identifiers"));
        let optional = |name: &str, path: &Option<String>, scope: &mut Scope<'_>| {
            path.as_ref().map(|path| scope.field(&at.field(name), path))
        };
        let side = |name: &str, form: &Option<SideForm>, scope: &mut Scope<'_>| {
            let (target, topic, priority) = form.as_ref()?.compile(scope, &at.field(name))?;
            Some(Side {
                target,
                topic,
                priority,
            })
        };
        let invalid: Vec<_> = self
            .invalid
            .iter()
            .map(|value| value.trim().to_lowercase().into_boxed_str())
            .collect();
        Step {
            fingerprint: Step::fingerprint(&identifiers, &invalid),
            identifiers,
            id_as: scope.field(&at.field("as"), self.id_path()),
            new_as: optional("new_as", &self.new_as, scope),
            status_as: optional("status_as", &self.status_as, scope),
            skew: optional("skew", &self.skew, scope),
            invalid,
            when_unavailable: self
                .when_unavailable
                .map_or_else(Default::default, Into::into),
            reattribution: side("reattribution", &self.reattribution, scope),
            conflicts: side("conflicts", &self.conflicts, scope),
        }
    }

    fn compile_identifiers(
        &self,
        scope: &mut Scope<'_>,
        at: &At<'_>,
    ) -> Vec<(String, crate::event::FieldId)> {
        if self.identifiers.is_empty() {
            let hint = "list them, strongest first: `{ oaid: properties.oaid }`";
            scope.diagnostics.error(at, "no identifier", hint);
        }
        let mut compiled = Vec::new();
        for (kind, path) in &self.identifiers {
            let at = at.field(kind);
            if is_personal(kind) {
                let message = format!("`{kind}` names a person, not a device");
                let hint = "log-in ids, phones and e-mails never enter the device map";
                scope.diagnostics.error(&at, message, hint);
            }
            compiled.push((kind.clone(), scope.field(&at, path)));
        }
        compiled
    }
}

impl From<WhenUnavailableForm> for WhenUnavailable {
    fn from(form: WhenUnavailableForm) -> Self {
        match form {
            WhenUnavailableForm::Degrade => Self::Degrade,
            WhenUnavailableForm::Reject => Self::Reject,
            WhenUnavailableForm::Skip => Self::Skip,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::scope::World;

    fn problems(form: serde_json::Value, devices: bool) -> Vec<String> {
        let world = World {
            devices,
            ..World::default()
        };
        let mut scope = Scope::new("weir.repo.r", &world);
        let form: DeviceForm = serde_json::from_value(form).unwrap();
        form.compile(&mut scope, &At::ROOT.field("device"));
        let found = scope.diagnostics.into_vec().into_iter();
        found
            .map(|each| format!("{}: {}", each.pointer, each.message))
            .collect()
    }

    #[test]
    fn the_order_in_which_identifiers_are_written_is_their_strength() {
        let form: DeviceForm = serde_json::from_str(
            r#"{ "identifiers": { "oaid": "o", "imei": "i", "cookie": "c" } }"#,
        )
        .unwrap();
        let world = World {
            devices: true,
            ..World::default()
        };
        let mut scope = Scope::new("weir.repo.r", &world);
        let step = form.compile(&mut scope, &At::ROOT);
        let kinds: Vec<_> = step
            .identifiers
            .iter()
            .map(|(kind, _)| kind.as_str())
            .collect();
        assert_eq!(kinds, ["oaid", "imei", "cookie"]);
    }

    #[test]
    fn a_device_section_that_cannot_work_is_an_error() {
        let form = json!({ "identifiers": { "oaid": "o", "user_id": "u" }, "as": "a..b" });
        assert_eq!(
            problems(form.clone(), true),
            [
                "/device/identifiers/user_id: `user_id` names a person, not a device",
                "/device/as: `a..b` is not a path"
            ]
        );
        assert_eq!(
            problems(form, false)[0],
            "/device: there is no device map to look into"
        );
        assert_eq!(
            problems(json!({ "identifiers": {} }), true),
            ["/device/identifiers: no identifier"]
        );
    }
}
