//! From enrich steps as written to those that run.

use std::collections::BTreeMap;

use crate::document::diagnostic::At;
use crate::document::enrich::{
    AddressMask, ClientIpForm, ConstantsForm, EnrichForm, GeoForm, InstanceForm, TimeForm,
    TimeFormat,
};
use crate::document::scope::Scope;
use crate::event::FieldId;
use crate::pipeline::RepoName;
use crate::pipeline::enrich::{Adds, Enrich, Format, Known, Skew, Step};

impl EnrichForm {
    /// Compiles the steps; `at` is where they stand. The repo's own name is one of the constants.
    pub fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>, repo: &RepoName) -> Enrich {
        let mut enrich = Enrich::default();
        let steps = &mut enrich.steps;
        if let Some(form) = &self.time {
            let adds = form.compile(scope, &at.field("time"));
            steps.push(step(form.name.as_deref(), "time", form.locked, adds));
        }
        if let Some(form) = &self.client_ip {
            let adds = form.compile(scope, &at.field("client_ip"));
            steps.push(step(form.name.as_deref(), "client_ip", form.locked, adds));
        }
        if let Some(forms) = &self.geo {
            let at = at.field("geo");
            for (index, form) in forms.values.iter().enumerate() {
                let item = at.item(index);
                let at = if forms.list { &item } else { &at };
                let adds = form.compile(scope, at);
                steps.push(step(form.name.as_deref(), "geo", form.locked, adds));
            }
        }
        if let Some(form) = &self.constants {
            let adds = form.compile(scope, &at.field("constants"));
            steps.push(step(form.name.as_deref(), "constants", form.locked, adds));
        }
        if let Some(form) = &self.instance {
            let adds = form.compile(scope, &at.field("instance"), repo);
            steps.push(step(form.name.as_deref(), "instance", form.locked, adds));
        }
        unique(scope, at, steps);
        enrich
    }
}

fn step(name: Option<&str>, kind: &str, locked: bool, adds: Adds) -> Step {
    Step {
        name: name.unwrap_or(kind).into(),
        locked,
        adds,
    }
}

fn unique(scope: &mut Scope<'_>, at: &At<'_>, steps: &[Step]) {
    for (index, step) in steps.iter().enumerate() {
        if steps[..index].iter().any(|before| before.name == step.name) {
            let message = format!("two enrich steps have the name `{}`", step.name);
            let hint = "give each a `name` of its own; the switches know them by it";
            scope.diagnostics.error(at, message, hint);
        }
    }
}

impl TimeForm {
    fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Adds {
        let into = scope.field(&at.field("as"), &self.into);
        let skew = self.skew.as_ref().map(|form| {
            let at = at.field("skew");
            Skew {
                from: scope.field(&at.field("from"), &form.from),
                unit: form.unit.unwrap_or_default().into(),
                into: scope.field(&at.field("as"), &form.into),
            }
        });
        Adds::Time {
            into,
            format: match self.format {
                TimeFormat::Second => Format::Second,
                TimeFormat::Millisecond => Format::Millisecond,
                TimeFormat::Microsecond => Format::Microsecond,
                TimeFormat::Rfc3339 => Format::Rfc3339,
            },
            skew,
        }
    }
}

impl ClientIpForm {
    fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Adds {
        Adds::ClientIp {
            into: scope.field(&at.field("as"), &self.into),
            masked: self.mask == AddressMask::Network,
        }
    }
}

impl GeoForm {
    fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Adds {
        let from = self.from.as_deref().filter(|from| *from != "client_ip");
        let from = from.map(|from| scope.field(&at.field("from"), from));
        check_columns(scope, at, &self.into);
        let into = at.field("as");
        let columns = self.into.iter();
        let columns = columns
            .map(|(column, path)| {
                let field = scope.field(&into.field(column), path);
                (column.as_str().into(), field)
            })
            .collect();
        Adds::Geo { from, columns }
    }
}

fn check_columns(scope: &mut Scope<'_>, at: &At<'_>, wanted: &BTreeMap<String, String>) {
    let Some(columns) = &scope.world.geo_columns else {
        let hint = "declare `ip` in the tables document, or take this step out";
        scope
            .diagnostics
            .error(at, "there is no IP table to look into", hint);
        return;
    };
    let into = at.field("as");
    for column in wanted.keys().filter(|column| !columns.contains(column)) {
        let message = format!("the IP table has no column `{column}`");
        let hint = format!("its columns are {}", columns.join(", "));
        scope.diagnostics.error(&into.field(column), message, hint);
    }
}

impl ConstantsForm {
    fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Adds {
        let at = at.field("set");
        let constant = |(path, value): (&String, &serde_json::Value)| {
            let json = value.to_string().into_bytes().into_boxed_slice();
            (scope.field(&at.field(path), path), json)
        };
        Adds::Constants(self.set.iter().map(constant).collect())
    }
}

impl InstanceForm {
    fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>, repo: &RepoName) -> Adds {
        let at = at.field("as");
        let into = &self.into;
        let all = [
            ("name", &into.name, Known::Instance),
            ("repo", &into.repo, Known::Repo(repo.clone())),
            ("revision", &into.revision, Known::Revision),
            ("batch", &into.batch, Known::Batch),
            ("key", &into.key, Known::Key),
        ];
        let mut fields: Vec<(FieldId, Known)> = Vec::new();
        for (key, path, known) in all {
            if let Some(path) = path {
                fields.push((scope.field(&at.field(key), path), known));
            }
        }
        Adds::Instance(fields)
    }
}

#[cfg(test)]
mod tests;
