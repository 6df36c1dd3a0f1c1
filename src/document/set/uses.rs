//! What a repo takes from other documents: while that stays the same, its pipeline is reused.

use std::collections::BTreeMap;

use crate::device;
use crate::document::digest::{Checksum, Digest};
use crate::document::repo::{Compiled, RepoForm};
use crate::document::set::attempt::Others;
use crate::event::Label;
use crate::sink;

/// What a repo takes from other documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Uses {
    /// The producers that it sends to.
    pub(super) producers: BTreeMap<Label, sink::Spec>,
    /// The documents of the catalogs that it checks against.
    pub(super) catalogs: BTreeMap<String, Vec<Checksum>>,
    /// The columns of the IP table, if it looks addresses up.
    pub(super) columns: Option<Vec<String>>,
    /// How devices are remembered, if it attributes events to them.
    pub(super) devices: Option<device::Spec>,
}

impl Uses {
    /// What a repo that compiled takes.
    pub(super) fn of(form: &RepoForm, compiled: &Compiled, others: &Others) -> Self {
        let labels = compiled.plan.producers().into_iter();
        let producers = labels.filter_map(|label| {
            let spec = others.producers.get(&label)?.clone();
            Some((label, spec))
        });
        let catalogs = form.catalogs().into_iter();
        let geo = form
            .enrich
            .as_ref()
            .is_some_and(|enrich| enrich.geo.is_some());
        let columns = others.world.geo_columns.clone().filter(|_| geo);
        let devices = others.tables.devices.clone();
        Self {
            producers: producers.collect(),
            catalogs: catalogs
                .map(|name| (name.to_owned(), others.parts_of(name)))
                .collect(),
            columns,
            devices: devices.filter(|_| compiled.device.is_some()),
        }
    }

    /// Whether a repo that took this would compile to the same again. The addresses of a producer
    /// do not matter to a pipeline, only what it takes.
    pub(super) fn same(&self, others: &Others) -> bool {
        let producers = self.producers.iter().all(|(label, spec)| {
            let now = others.producers.get(label);
            now.is_some_and(|now| {
                now.message_max() == spec.message_max() && kind(now) == kind(spec)
            })
        });
        let mut catalogs = self.catalogs.iter();
        let columns = self.columns.is_none() || self.columns == others.world.geo_columns;
        let devices = self.devices.is_none() || others.world.devices;
        producers
            && columns
            && devices
            && catalogs.all(|(name, parts)| others.parts_of(name) == *parts)
    }

    /// The held documents among those that it takes from.
    pub(super) fn held<'o>(&self, others: &'o Others) -> Option<&'o str> {
        let catalogs = self
            .catalogs
            .keys()
            .filter_map(|name| others.held_catalog(name));
        let producers = others
            .held_producers()
            .filter(|_| !self.producers.is_empty());
        let tables = self.columns.is_some() || self.devices.is_some();
        let tables = others.held_tables().filter(|_| tables);
        catalogs.chain(producers).chain(tables).next()
    }

    /// Of a repo's content and what it takes.
    pub(super) fn identity(&self, content: Checksum) -> Digest {
        let mut parts = vec![content.to_string()];
        parts.extend(self.producers.iter().map(|(label, spec)| {
            format!("producer {label} {} {}", kind(spec), spec.message_max())
        }));
        for (name, sums) in &self.catalogs {
            parts.extend(sums.iter().map(|sum| format!("catalog {name} {sum}")));
        }
        parts.extend(
            self.columns
                .iter()
                .map(|columns| format!("columns {}", columns.join("\n"))),
        );
        parts.extend(self.devices.iter().map(|_| "devices".to_owned()));
        Digest::of(parts)
    }
}

fn kind(spec: &sink::Spec) -> &'static str {
    match spec {
        sink::Spec::Kafka(_) => "kafka",
        sink::Spec::File(_) => "file",
    }
}
