//! Repos of an attempt.

use std::sync::Arc;

use crate::document::diagnostic::{At, Diagnostics};
use crate::document::digest::{Checksum, Content};
use crate::document::index;
use crate::document::repo::RepoForm;
use crate::document::set::CompiledRepo;
use crate::document::set::attempt::{Attempt, read};
use crate::document::set::uses::Uses;
use crate::pipeline::RepoName;

impl Attempt<'_> {
    pub(super) fn repo(&mut self, entry: &index::Entry) {
        let name = RepoName::new(&entry.name);
        let before = self
            .input
            .previous
            .and_then(|previous| previous.repos.get(&name));
        let before = before.cloned();
        let Some(content) = self.content(entry) else {
            return self.hold_repo(entry, &name, None, before);
        };
        if let Some(same) = before
            .as_ref()
            .filter(|before| before.content.sha256 == content.sha256)
            .filter(|before| before.uses.same(&self.others))
        {
            self.repos.insert(name, Arc::clone(same));
            self.keep(entry, content);
            return;
        }
        self.compiled_repos += 1;
        let changed = before
            .as_ref()
            .filter(|before| before.content.sha256 != content.sha256);
        match self.compile_repo(entry, &name, &content, changed.is_some()) {
            Some(compiled) => {
                self.repos.insert(name, Arc::new(compiled));
                self.keep(entry, content);
            }
            None => self.hold_repo(entry, &name, Some(content.sha256), before),
        }
    }

    /// `None`: it does not compile, or must wait for what it uses.
    fn compile_repo(
        &mut self,
        entry: &index::Entry,
        name: &RepoName,
        content: &Content,
        waits: bool,
    ) -> Option<CompiledRepo> {
        let (others, run_samples) = (&self.others, self.input.run_samples);
        let mut out = Diagnostics::new(entry.data_id.as_str());
        let read = read(
            self.shapes.repo(),
            content,
            &mut out,
            |form: &RepoForm, out| {
                let (compiled, found) = form.compile(name, entry.data_id.as_str(), &others.world);
                out.append(found);
                let uses = Uses::of(form, &compiled, others);
                let plan = Arc::new(compiled.plan);
                if run_samples && !out.failed() {
                    form.run_samples(&plan, compiled.device.as_ref(), out);
                }
                CompiledRepo {
                    plan,
                    device: compiled.device,
                    identity: uses.identity(content.sha256),
                    content: content.clone(),
                    uses,
                }
            },
        );
        let mut compiled = read.filter(|_| !out.failed());
        let holds = compiled
            .as_ref()
            .and_then(|compiled| compiled.uses.held(others));
        if let Some(held) = holds.filter(|_| waits && entry.pinned.is_none()) {
            let message = format!("not applied, because it uses `{held}`, which is held");
            out.warning(&At::ROOT, message, format!("correct `{held}` first"));
            compiled = None;
        }
        self.diagnostics.extend(out.into_vec());
        compiled
    }

    fn hold_repo(
        &mut self,
        entry: &index::Entry,
        name: &RepoName,
        refused: Option<Checksum>,
        before: Option<Arc<CompiledRepo>>,
    ) {
        let before = before.map(|before| (before.content.clone(), before));
        let (kept, _) = self.hold(entry, refused, before);
        match kept {
            Some(kept) => {
                self.repos.insert(name.clone(), kept);
            }
            None => {
                self.without_document.insert(name.clone());
            }
        }
    }
}
