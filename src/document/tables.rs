//! The tables document: the IP table, and how devices are remembered.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::device;
use crate::document::diagnostic::{At, Diagnostics};
use crate::tables;
use crate::unit::SecretRef;

/// Enrichment tables, and the device map.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tables")]
pub struct TablesForm {
    /// A number that people raise with every change.
    pub version: u64,
    /// What these tables are for.
    #[serde(default)]
    pub description: String,
    /// Who answers for them.
    #[serde(default)]
    pub owner: String,
    /// The IP table.
    pub ip: Option<IpForm>,
    /// How devices are remembered.
    pub devices: Option<DevicesForm>,
}

/// The IP table: what is known of networks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "IpTable")]
pub struct IpForm {
    /// The files, CSV or MaxMind's format. Where two say something about one address, the smaller
    /// network wins.
    #[schemars(length(min = 1))]
    pub files: Vec<FileForm>,
    /// The columns by name: in a CSV with a header by its names, without one by position; in
    /// MaxMind's format by path, `country.iso_code`.
    #[schemars(length(min = 1))]
    pub columns: Vec<String>,
}

/// A file of a table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TableFile")]
pub struct FileForm {
    /// Where it stands on the instances.
    #[schemars(length(min = 1))]
    pub path: String,
    /// Only this content is taken; without it the file is watched.
    #[schemars(regex(pattern = "^[0-9a-fA-F]{64}$"))]
    pub sha256: Option<String>,
}

/// How devices are remembered.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Devices")]
pub struct DevicesForm {
    /// In the memory of each instance: for one instance, and for trying things out.
    pub memory: MemoryForm,
    /// What the digests of identifiers are keyed with. Without it each start makes a key of its own,
    /// and the ids of all devices change with it.
    pub secret: Option<SecretRef>,
}

/// The device map in memory.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeviceMemory")]
pub struct MemoryForm {
    /// At most so many identifiers (default 1,000,000); the oldest are forgotten first.
    #[schemars(range(min = 1000))]
    pub identifiers: Option<u32>,
}

/// The compiled tables document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// The IP table.
    pub ip: Option<tables::Spec>,
    /// How devices are remembered.
    pub devices: Option<device::Spec>,
}

impl TablesForm {
    /// Compiles it. That the files are there is for the instance to see.
    pub fn compile(&self, at: &At<'_>, out: &mut Diagnostics) -> Tables {
        Tables {
            ip: self.ip.as_ref().map(|ip| ip.compile(&at.field("ip"), out)),
            devices: self
                .devices
                .as_ref()
                .map(|devices| devices.compile(&at.field("devices"), out)),
        }
    }
}

impl IpForm {
    fn compile(&self, at: &At<'_>, out: &mut Diagnostics) -> tables::Spec {
        let columns = at.field("columns");
        for (index, column) in self.columns.iter().enumerate() {
            if self.columns[..index].contains(column) {
                let message = format!("the column `{column}` stands twice");
                out.error(&columns.item(index), message, "rename one of the two");
            }
        }
        let at = at.field("files");
        let files = self.files.iter().enumerate();
        tables::Spec {
            files: files
                .map(|(index, file)| tables::FileSpec {
                    path: file.path.as_str().into(),
                    sha256: file.checksum(&at.item(index), out),
                })
                .collect(),
            columns: self.columns.clone(),
        }
    }
}

impl FileForm {
    fn checksum(&self, at: &At<'_>, out: &mut Diagnostics) -> Option<tables::Checksum> {
        let parsed = self.sha256.as_deref()?.parse();
        parsed
            .map_err(|error: tables::BadChecksum| {
                out.error(&at.field("sha256"), "not a SHA-256", error.to_string());
            })
            .ok()
    }
}

impl DevicesForm {
    const IDENTIFIERS: u32 = 1_000_000;

    fn compile(&self, at: &At<'_>, out: &mut Diagnostics) -> device::Spec {
        if self.secret.is_none() {
            let message = "without a secret the ids of devices change with every start";
            out.warning(
                at,
                message,
                "add `secret: file:/path` or `secret: env:NAME`",
            );
        }
        device::Spec {
            map: device::MapSpec::Memory {
                most: self.memory.identifiers.unwrap_or(Self::IDENTIFIERS),
            },
            secret: self
                .secret
                .as_ref()
                .map(|secret| secret.reference().clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::document::shape::Shape;

    fn compile(value: &Value) -> (Option<Tables>, Vec<String>) {
        let mut out = Diagnostics::new("weir.tables");
        let form: Option<TablesForm> = Shape::of::<TablesForm>().read(value, &mut out);
        let tables = form.map(|form| form.compile(&At::ROOT, &mut out));
        let found = out.into_vec();
        (tables, found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn files_columns_and_devices_become_specs() {
        let (tables, problems) = compile(&json!({
            "version": 1,
            "ip": { "files": [ { "path": "/data/a.csv", "sha256": "00".repeat(32) } ], "columns": ["country"] },
            "devices": { "memory": {}, "secret": "env:DEVICE_KEY" },
        }));
        assert_eq!(problems, [""; 0]);
        let tables = tables.unwrap();
        assert_eq!(tables.ip.unwrap().columns, ["country"]);
        assert_eq!(
            tables.devices.unwrap().map,
            device::MapSpec::Memory { most: 1_000_000 }
        );
    }

    #[test]
    fn ids_that_change_with_every_start_are_warned_of() {
        let (tables, problems) = compile(&json!({ "version": 1, "devices": { "memory": {} } }));
        assert_eq!(tables.unwrap().devices.unwrap().secret, None);
        assert!(
            problems[0].contains("warning: weir.tables /devices: without a secret"),
            "{problems:?}"
        );
    }

    #[test]
    fn redis_is_refused_with_what_there_is_instead() {
        let (_, problems) = compile(&json!({
            "version": 1,
            "devices": { "redis": { "nodes": ["redis:6379"] }, "memory": {}, "secret": "env:DEVICE_KEY" },
        }));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].contains("not part of this version"),
            "{problems:?}"
        );
        assert!(problems[0].contains("memory"), "{problems:?}");
    }

    #[test]
    fn a_column_stands_once() {
        let (_, problems) = compile(&json!({
            "version": 1, "ip": { "files": [ { "path": "a" } ], "columns": ["c", "d", "c"] },
        }));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("/ip/columns/2: the column `c` stands twice"));
    }
}
