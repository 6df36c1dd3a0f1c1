//! The producers document: Kafka clusters and folders of files, by label.

mod kafka;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use kafka::KafkaForm;

use crate::document::diagnostic::{At, Diagnostics};
use crate::event::Label;
use crate::sink::{self, file};
use crate::unit::{Size, TimeSpan};

/// The producers by label.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Producers")]
pub struct ProducersForm {
    /// A number that people raise with every change.
    pub version: u64,
    /// What these producers are for.
    #[serde(default)]
    pub description: String,
    /// Who answers for them.
    #[serde(default)]
    pub owner: String,
    /// By label: where records go. Only those that a repo uses run.
    pub producers: BTreeMap<String, ProducerForm>,
}

/// Where records go.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[schemars(rename = "Producer")]
pub enum ProducerForm {
    /// To a Kafka cluster.
    Kafka(Box<KafkaForm>),
    /// To files of JSON Lines, one folder a topic.
    File(FileForm),
}

/// Files of JSON Lines: `<folder>/<topic>/<time>-<n>.jsonl`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FileProducer")]
pub struct FileForm {
    /// The folder; it is made if it is not there.
    #[schemars(length(min = 1))]
    pub folder: String,
    /// When a new file is begun.
    #[serde(default)]
    pub roll: RollForm,
    /// Whether records are synced to the disk before they count as safe (default `true`).
    pub fsync: Option<bool>,
    /// The largest record (default `16 MiB`).
    pub message_max: Option<Size>,
    /// What each lane may have on the way (default `64 MiB`).
    pub budget: Option<Size>,
}

/// When a new file is begun.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Roll")]
pub struct RollForm {
    /// Before it would grow larger than this (default `64 MiB`).
    pub size: Option<Size>,
    /// When it is older than this (default `10 min`).
    pub after: Option<TimeSpan>,
}

impl ProducersForm {
    /// Compiles all of them.
    pub fn compile(&self, at: &At<'_>, out: &mut Diagnostics) -> BTreeMap<Label, sink::Spec> {
        let at = at.field("producers");
        let mut specs = BTreeMap::new();
        for (label, form) in &self.producers {
            let at = at.field(label);
            if label.is_empty() || label.contains(|c: char| c.is_whitespace() || c.is_control()) {
                let message = format!("`{label}` cannot be a label");
                out.error(&at, message, "use a short word without white space");
            }
            let spec = match form {
                ProducerForm::Kafka(form) => form.compile(&at.field("kafka"), out),
                ProducerForm::File(form) => sink::Spec::File(form.compile(&at.field("file"), out)),
            };
            check_budget(&spec, &at, out);
            specs.insert(Label::new(label), spec);
        }
        specs
    }
}

fn check_budget(spec: &sink::Spec, at: &At<'_>, out: &mut Diagnostics) {
    let (budget, message_max) = (spec.budget(), u64::from(spec.message_max()));
    if budget < message_max {
        let (budget, largest) = (Size::bytes(budget), Size::bytes(message_max));
        let message = format!("`budget` ({budget}) is smaller than `message_max` ({largest})");
        out.error(
            at,
            message,
            "raise `budget`: at least one record must fit into it",
        );
    }
}

impl FileForm {
    fn compile(&self, at: &At<'_>, out: &mut Diagnostics) -> file::Spec {
        let default = file::Spec::new(self.folder.as_str().into());
        let roll = at.field("roll");
        let size = self.roll.size.map_or(default.roll_size, Size::get);
        if size < 1 << 10 {
            out.error(
                &roll.field("size"),
                "files would be smaller than 1 KiB",
                "write `64 MiB`",
            );
        }
        let after = self
            .roll
            .after
            .map_or(default.roll_after, TimeSpan::duration);
        if after.as_millis() < 1_000 {
            out.error(
                &roll.field("after"),
                "files would be younger than 1 s",
                "write `10 min`",
            );
        }
        file::Spec {
            roll_size: size,
            roll_after: after,
            fsync: self.fsync.unwrap_or(default.fsync),
            message_max: self.message_max.map_or(default.message_max, Size::get_u32),
            budget: self.budget.map_or(default.budget, Size::get),
            ..default
        }
    }
}

#[cfg(test)]
mod tests;
