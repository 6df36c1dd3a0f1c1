//! The documents that repos take from, as this attempt has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::digest::{Checksum, DataId};
use crate::document::scope::{Producer, World};
use crate::document::set::CompiledCatalog;
use crate::document::tables::Tables;
use crate::event::Label;
use crate::sink;

/// The documents that repos take from.
#[derive(Debug, Default)]
pub(in crate::document::set) struct Others {
    pub(in crate::document::set) producers: BTreeMap<Label, sink::Spec>,
    pub(in crate::document::set) tables: Tables,
    pub(in crate::document::set) catalogs: BTreeMap<String, CompiledCatalog>,
    /// What of it a repo sees while it compiles.
    pub(in crate::document::set) world: World,
    pub(super) held_producers: Option<DataId>,
    pub(super) held_tables: Option<DataId>,
    pub(super) held_catalogs: BTreeMap<String, DataId>,
}

impl Others {
    /// Makes the world, when all of them are there.
    pub(super) fn complete(&mut self) {
        let producer = |(label, spec): (&Label, &sink::Spec)| {
            let producer = Producer {
                message_max: spec.message_max(),
                file: matches!(spec, sink::Spec::File(_)),
            };
            (label.clone(), producer)
        };
        let catalogs = self.catalogs.iter();
        self.world = World {
            producers: self.producers.iter().map(producer).collect(),
            catalogs: catalogs
                .map(|(name, each)| (name.clone(), Arc::clone(&each.catalog)))
                .collect(),
            geo_columns: self.tables.ip.as_ref().map(|ip| ip.columns.clone()),
            devices: self.tables.devices.is_some(),
        };
    }

    /// The digests of the documents of a catalog.
    pub(in crate::document::set) fn parts_of(&self, catalog: &str) -> Vec<Checksum> {
        let parts = self
            .catalogs
            .get(catalog)
            .into_iter()
            .flat_map(|each| &each.parts);
        parts.map(|(_, content)| content.sha256).collect()
    }

    /// The dataId of the producers document, if it is held.
    pub(in crate::document::set) fn held_producers(&self) -> Option<&str> {
        self.held_producers.as_ref().map(DataId::as_str)
    }

    /// The dataId of the tables document, if it is held.
    pub(in crate::document::set) fn held_tables(&self) -> Option<&str> {
        self.held_tables.as_ref().map(DataId::as_str)
    }

    /// The dataId of a document of a catalog, if it is held.
    pub(in crate::document::set) fn held_catalog(&self, name: &str) -> Option<&str> {
        self.held_catalogs.get(name).map(DataId::as_str)
    }
}
