//! From a compiled set, the switches and what was made ready to a revision. Repos for which nothing
//! changed are shared with the revision before.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::delivery::Delivery;
use crate::device;
use crate::document::set::{CompiledRepo, Set};
use crate::document::switches::Switches;
use crate::pipeline::executer::Step;
use crate::pipeline::{Pipeline, RepoName};
use crate::rollout::live::{Digest, Key, Repo, Revision};
use crate::rollout::stage::{Ready, chain};
use crate::telemetry::meter::RepoMeter;
use crate::telemetry::metrics::Metrics;

/// What revisions are bound with.
#[derive(Clone, Debug)]
pub(super) struct Binder {
    pub(super) delivery: Delivery,
    pub(super) devices: device::Opener,
    pub(super) metrics: Metrics,
}

impl Binder {
    pub(super) fn bind(
        &self,
        set: &Set,
        switches: &Switches,
        ready: &Ready,
        before: &Revision,
    ) -> Revision {
        let mut repos = HashMap::new();
        let mut without_document: HashSet<_> = set.without_document.iter().cloned().collect();
        for (name, compiled) in &set.repos {
            let before = before.repos.get(name);
            match self.repo(name, compiled, switches, ready, before) {
                Some(repo) => {
                    repos.insert(name.clone(), repo);
                }
                None => {
                    tracing::error!(repo = %name, "repo answers 503: a producer of it does not run");
                    without_document.insert(name.clone());
                }
            }
        }
        Revision {
            digest: digest(set, switches, ready),
            repos,
            without_document,
            paths: set.paths.clone(),
            switches: Arc::clone(&switches.listed),
            tables: Arc::clone(&ready.tables),
            devices: ready.devices.clone(),
            serving: true,
        }
    }

    fn repo(
        &self,
        name: &RepoName,
        compiled: &CompiledRepo,
        switches: &Switches,
        ready: &Ready,
        before: Option<&Arc<Repo>>,
    ) -> Option<Arc<Repo>> {
        let switched = switches.of(name, &compiled.plan);
        let producers: Vec<_> = compiled
            .plan
            .targets
            .iter()
            .map(|target| {
                let (_, producer) = ready.producers.get(&target.producer)?;
                Some((producer.clone(), target.ack))
            })
            .collect::<Option<_>>()?;
        if let Some(before) = before {
            let same_plan = Arc::ptr_eq(&before.pipeline.plan, &compiled.plan);
            let same_producers = before.destinations.are(&producers);
            if same_plan && same_producers && *before.pipeline.switched == *switched {
                return Some(Arc::clone(before));
            }
        }
        let plan = Arc::clone(&compiled.plan);
        plan.executers
            .iter()
            .for_each(|step| give_secret(name, step));
        let headers = plan
            .targets
            .iter()
            .map(|target| Arc::clone(&target.headers));
        let destinations = self.delivery.bind(producers, &plan.topics);
        Some(Arc::new(Repo {
            destinations: destinations.with_headers(headers),
            device: compiled.device.clone(),
            keys: plan
                .access
                .keys
                .iter()
                .map(|key| resolve(name, key))
                .collect(),
            meter: RepoMeter::new(&self.metrics, name.as_str()),
            pipeline: Pipeline { plan, switched },
        }))
    }
}

/// Gives a step its secret. Without it, the step takes the values away that it should hide.
fn give_secret(repo: &RepoName, step: &Step) {
    let Some(reference) = step.secret() else {
        return;
    };
    let secret = reference.resolve().inspect_err(|error| {
        let (why, executer) = (chain(error), step.label());
        tracing::error!(%repo, executer, why, "values are taken away: the secret to hash them with is missing");
    });
    step.bind(secret.ok().as_ref());
}

/// Resolves a key's secret. A secret that cannot be had degrades its repo: see [`Key::secret`].
fn resolve(repo: &RepoName, key: &crate::pipeline::access::Key) -> Key {
    let secret = key
        .secret
        .resolve()
        .inspect_err(|error| {
            let why = chain(error);
            tracing::error!(%repo, key = %key.id, why, "key cannot be checked: its secret is missing");
        })
        .ok();
    Key {
        id: key.id.as_ref().into(),
        secret,
    }
}

/// Of the set, with the effective switches and the content of files that no document binds.
fn digest(set: &Set, switches: &Switches, ready: &Ready) -> Digest {
    let table = ready
        .tables
        .ip
        .iter()
        .map(|table| table.summary().digest.bytes().to_vec());
    let documents = [set.digest.as_str(), switches.digest.as_str()];
    Digest::of(
        documents
            .into_iter()
            .map(|digest| digest.as_bytes().to_vec())
            .chain(table),
    )
}
