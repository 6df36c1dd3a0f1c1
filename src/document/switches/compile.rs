//! From the switches as written, and the set that they are for, to what is in force for each repo.

mod fit;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use jiff::Timestamp;
use serde_json::Value;

use crate::document::diagnostic::{At, Diagnostic, Diagnostics};
use crate::document::digest::{Content, DataId, Digest};
use crate::document::scope::{Scope, World};
use crate::document::set::Set;
use crate::document::shape::{Shape, suggestion};
use crate::document::switches::listing::{Listed, Names};
use crate::document::switches::{ActionForm, RestrictionForm, SwitchForm, SwitchesForm};
use crate::document::text;
use crate::event::FieldsBuilder;
use crate::pipeline::switched::bucket::{Bucket, Flow};
use crate::pipeline::switched::restriction::{Action, Restriction};
use crate::pipeline::switched::{Switched, WiderFields};
use crate::pipeline::{Plan, RepoName};

use fit::{Unfit, place, set_switch};

/// The switches in force, for the set that they were compiled against.
#[derive(Debug)]
pub struct Switches {
    /// Of what is in force; the same on every instance.
    pub digest: Digest,
    /// What does not fit the set.
    pub warnings: Vec<Diagnostic>,
    /// When the next one runs out.
    pub next_until: Option<Timestamp>,
    /// What is in force, as people wrote it.
    pub listed: Arc<[Listed]>,
    repos: BTreeMap<RepoName, InForce>,
}

#[derive(Debug)]
struct InForce {
    plan: Weak<Plan>,
    switched: Arc<Switched>,
}

impl Default for Switches {
    /// None in force.
    fn default() -> Self {
        Self {
            digest: Digest::of([""; 0]),
            warnings: Vec::new(),
            next_until: None,
            listed: Arc::new([]),
            repos: BTreeMap::new(),
        }
    }
}

impl Switches {
    /// What is in force for a repo. A plan other than the one of the set that the switches were
    /// compiled against has what its document says.
    pub fn of(&self, repo: &RepoName, plan: &Arc<Plan>) -> Arc<Switched> {
        let found = self.repos.get(repo);
        let found =
            found.filter(|in_force| std::ptr::eq(in_force.plan.as_ptr(), &raw const **plan));
        found.map_or_else(
            || Arc::new(Switched::as_written(plan)),
            |in_force| Arc::clone(&in_force.switched),
        )
    }
}

/// Compiles the switches against a set. Buckets of rates that stay as they were are taken from
/// `before`.
pub fn compile(
    document: &DataId,
    content: &Content,
    set: &Set,
    now: Timestamp,
    before: Option<&Switches>,
) -> Result<Switches, Vec<Diagnostic>> {
    let mut out = Diagnostics::new(document.as_str());
    let tree = text::parse(&content.text).map_err(|error| {
        out.text_error(&error);
        std::mem::replace(&mut out, Diagnostics::new("")).into_vec()
    })?;
    let shape = Shape::of::<SwitchesForm>();
    let switches = shape.read(&tree.value, &mut out).map(|form| {
        let world = World::default();
        let mut compiler = Compiler {
            set,
            now,
            before,
            document,
            world: &world,
            out: &mut out,
            repos: BTreeMap::new(),
            effective: Vec::new(),
            listed: Vec::new(),
            next_until: None,
        };
        compiler.switches(&form);
        compiler.restrictions(&form, &tree.value);
        compiler.finish()
    });
    let failed = out.failed();
    out.locate(&tree);
    match switches {
        Some(switches) if !failed => Ok(Switches {
            warnings: out.into_vec(),
            ..switches
        }),
        _ => Err(out.into_vec()),
    }
}

struct Compiler<'c> {
    set: &'c Set,
    now: Timestamp,
    before: Option<&'c Switches>,
    document: &'c DataId,
    world: &'c World,
    out: &'c mut Diagnostics,
    repos: BTreeMap<RepoName, (Arc<Plan>, Switched)>,
    /// One line for each entry in force.
    effective: Vec<String>,
    listed: Vec<Listed>,
    next_until: Option<Timestamp>,
}

impl Compiler<'_> {
    fn switches(&mut self, form: &SwitchesForm) {
        let repos = At::ROOT.field("repos");
        for (repo, switches) in &form.repos {
            let at = repos.field(repo);
            let known = self.repo(repo, &at);
            for (name, switch) in switches {
                if known && self.in_force(switch.until.map(|until| until.get())) {
                    self.switch(repo, name, switch, &at.field(name));
                }
            }
        }
    }

    /// Whether the set has the repo; then its switches can be set.
    fn repo(&mut self, repo: &str, at: &At<'_>) -> bool {
        if self.repos.contains_key(repo) {
            return true;
        }
        if self
            .set
            .without_document
            .iter()
            .any(|name| name.as_str() == repo)
        {
            let message = format!("the document of repo `{repo}` does not compile yet");
            let hint = "repair that document; then this takes effect";
            self.out.warning(at, message, hint);
            return false;
        }
        let Some((name, compiled)) = self.set.repos.get_key_value(repo) else {
            let names: Vec<_> = self.set.repos.keys().map(RepoName::as_str).collect();
            let message = format!("no repo `{repo}` is live; this has no effect");
            self.out.warning(at, message, suggestion(repo, &names));
            return false;
        };
        let plan = Arc::clone(&compiled.plan);
        let switched = Switched::as_written(&plan);
        self.repos.insert(name.clone(), (plan, switched));
        true
    }

    fn in_force(&mut self, until: Option<Timestamp>) -> bool {
        let Some(until) = until else { return true };
        if until <= self.now {
            return false;
        }
        self.next_until = Some(self.next_until.map_or(until, |next| next.min(until)));
        true
    }

    fn switch(&mut self, repo: &str, name: &str, form: &SwitchForm, at: &At<'_>) {
        let Some((plan, switched)) = self.repos.get_mut(repo) else {
            return;
        };
        match set_switch(plan, switched, name, form.mode) {
            Ok(()) => {
                let mode = form.mode.as_str();
                self.effective
                    .push(format!("switch\n{repo}\n{name}\n{mode}"));
                self.list(Listed {
                    repo: RepoName::new(repo),
                    names: Names::Switch(name.into()),
                    says: mode.into(),
                    note: form.note.as_str().into(),
                    by: form.by.as_str().into(),
                    until: form.until.map(|until| until.get()),
                    since: self.now,
                });
            }
            Err(Unfit { message, hint }) => {
                self.out
                    .warning(at, format!("{message}; this has no effect"), hint);
            }
        }
    }

    fn restrictions(&mut self, form: &SwitchesForm, written: &Value) {
        let list = At::ROOT.field("restrictions");
        for (index, restriction) in form.restrictions.iter().enumerate() {
            let at = list.item(index);
            let known = self.repo(&restriction.repo, &at.field("repo"));
            let in_force = self.in_force(restriction.until.map(|until| until.get()));
            let written = canonical(&written["restrictions"][index]);
            let number = u8::try_from(index + 1).unwrap_or(u8::MAX);
            self.restriction(restriction, number, written, known && in_force, &at);
        }
    }

    /// Compiled in any case, to find what is wrong with it; put in force only if `wanted`.
    fn restriction(
        &mut self,
        form: &RestrictionForm,
        number: u8,
        written: String,
        wanted: bool,
        at: &At<'_>,
    ) {
        let repo = form.repo.as_str();
        let mut scope = Scope::new(self.document.as_str(), self.world);
        if let Some((plan, switched)) = self.repos.get(repo) {
            let wider = switched
                .fields
                .as_ref()
                .map_or(&plan.fields, |wider| &wider.0);
            scope.fields = FieldsBuilder::extend(wider);
        }
        let when = form.when.as_ref();
        let when = when.map(|when| when.compile(&mut scope, &at.field("when")));
        let action = self.action(form, &written, &mut scope, &at.field("do"));
        let Scope {
            diagnostics,
            fields,
            ..
        } = scope;
        self.out.append(diagnostics);
        if let (Some(action), Some((_, switched)), true) =
            (action, self.repos.get_mut(repo), wanted)
        {
            self.effective
                .push(format!("restriction\n{number}\n{written}"));
            let listed = Listed {
                repo: RepoName::new(repo),
                names: Names::Restriction(number),
                says: written.as_str().into(),
                note: form.note.as_str().into(),
                by: form.by.as_str().into(),
                until: form.until.map(|until| until.get()),
                since: self.now,
            };
            switched.fields = Some(WiderFields(Arc::new(fields.build())));
            switched.restrictions.push(Restriction {
                number,
                when: when.unwrap_or(crate::pipeline::condition::Condition::All([].into())),
                action,
                written: written.into(),
            });
            self.list(listed);
        }
    }

    /// Lists an entry that is in force; one that was before goes on since then.
    fn list(&mut self, mut listed: Listed) {
        let mut before = self.before.into_iter().flat_map(|before| &*before.listed);
        if let Some(same) = before.find(|before| before.does_the_same(&listed)) {
            listed.since = same.since;
        }
        self.listed.push(listed);
    }

    fn action(
        &mut self,
        form: &RestrictionForm,
        written: &str,
        scope: &mut Scope<'_>,
        at: &At<'_>,
    ) -> Option<Action> {
        Some(match &form.action {
            ActionForm::Drop => Action::Drop,
            ActionForm::Sample(sample) => {
                let at = at.field("sample");
                let of = sample.of.as_ref();
                Action::Sample {
                    keep: sample.keep,
                    by: of.map(|path| scope.field(&at.field("of"), path)),
                }
            }
            ActionForm::Redirect(redirect) => {
                let (plan, _) = self.repos.get(form.repo.as_str())?;
                match place(plan, redirect) {
                    Ok((target, topic)) => Action::Redirect(target, topic),
                    Err(Unfit { message, hint }) => {
                        let message = format!("{message}; this has no effect");
                        self.out.warning(&at.field("redirect"), message, hint);
                        return None;
                    }
                }
            }
            ActionForm::Priority(priority) => Action::Priority((*priority).into()),
            ActionForm::Rate(rate) => {
                let per_second = rate.events_per_second;
                Action::Rate(Flow { per_second }, self.bucket(&form.repo, written))
            }
        })
    }

    fn bucket(&self, repo: &str, written: &str) -> Arc<Bucket> {
        let before = self.before.and_then(|before| before.repos.get(repo));
        let restrictions = before
            .into_iter()
            .flat_map(|before| &before.switched.restrictions);
        let mut same = restrictions.filter(|each| *each.written == *written);
        same.find_map(|each| match &each.action {
            Action::Rate(_, bucket) => Some(Arc::clone(bucket)),
            _ => None,
        })
        .unwrap_or_default()
    }

    fn finish(self) -> Switches {
        let in_force = |(name, (plan, switched)): (RepoName, (Arc<Plan>, Switched))| {
            let plan = Arc::downgrade(&plan);
            let switched = Arc::new(switched);
            (name, InForce { plan, switched })
        };
        let mut effective = self.effective;
        effective.sort();
        Switches {
            digest: Digest::of(effective),
            warnings: Vec::new(),
            next_until: self.next_until,
            listed: self.listed.into(),
            repos: self.repos.into_iter().map(in_force).collect(),
        }
    }
}

/// A restriction without what changes nothing of its effect.
fn canonical(written: &Value) -> String {
    let mut written = written.clone();
    if let Value::Object(members) = &mut written {
        members.retain(|name, _| !matches!(name.as_str(), "note" | "by" | "until"));
        members.sort_keys();
    }
    written.to_string()
}
