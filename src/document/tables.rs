//! The tables document: the IP table, and how devices are remembered.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::device;
use crate::document::diagnostic::{At, Diagnostics};
use crate::tables;
use crate::unit::{SecretRef, Size, TimeSpan};

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
    pub memory: Option<MemoryForm>,
    /// On a Redis, single or Cluster, that all instances share.
    pub redis: Option<RedisForm>,
    /// What the digests of identifiers are keyed with; `redis` needs it. Without it each start makes
    /// a key of its own, and the ids of all devices change with it.
    pub secret: Option<SecretRef>,
    /// How long a request may wait for Redis before its events are attributed without it (default
    /// `30 ms`).
    pub deadline: Option<TimeSpan>,
    /// How devices stand in Redis (default `bucketed`). To change it is to begin anew.
    pub layout: Option<LayoutForm>,
    /// About how many identifiers Redis will hold, by which `bucketed` makes its buckets (default
    /// 30,000,000); some times as many still do well. To change it is to begin anew.
    #[schemars(range(min = 1000))]
    pub identifiers: Option<u64>,
    /// How much memory the devices may take that an instance has found today and does not ask for
    /// again (default `32 MiB`).
    pub cache: Option<Size>,
}

/// The device map on a Redis.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeviceRedis")]
pub struct RedisForm {
    /// `host:port` of the server, or of some nodes of the Cluster.
    #[schemars(length(min = 1))]
    pub nodes: Vec<String>,
    /// Whether it is a Cluster (default: when there are several nodes).
    pub cluster: Option<bool>,
    /// Whether connections are encrypted; certificates are checked against those of the system.
    #[serde(default)]
    pub tls: bool,
    /// Who logs in, if not the default user.
    pub username: Option<String>,
    /// With what.
    pub password: Option<SecretRef>,
}

/// How devices stand in Redis.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "DeviceLayout")]
pub enum LayoutForm {
    /// About 64 identifiers in one hash: a quarter of the memory.
    Bucketed,
    /// A key for each identifier.
    Plain,
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
                .and_then(|devices| devices.compile(&at.field("devices"), out)),
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
    const IN_MEMORY: u32 = 1_000_000;
    const IN_REDIS: u64 = 30_000_000;

    fn compile(&self, at: &At<'_>, out: &mut Diagnostics) -> Option<device::Spec> {
        let map = match (&self.memory, &self.redis) {
            (Some(memory), None) => self.in_memory(memory, at, out),
            (None, Some(redis)) => self.in_redis(redis, at, out)?,
            (Some(_), Some(_)) => {
                let message = "devices are remembered in one place";
                out.error(at, message, "keep `redis` or `memory`");
                return None;
            }
            (None, None) => {
                let hint = "write `redis: { nodes: [ \"host:6379\" ] }`, or `memory: {}` for one \
                            instance";
                out.error(at, "it is not said where devices are remembered", hint);
                return None;
            }
        };
        Some(device::Spec {
            map,
            secret: self
                .secret
                .as_ref()
                .map(|secret| secret.reference().clone()),
            cache: self.cache.map_or(device::Devices::CACHE, Size::get),
        })
    }

    fn in_memory(
        &self,
        memory: &MemoryForm,
        at: &At<'_>,
        out: &mut Diagnostics,
    ) -> device::MapSpec {
        if self.secret.is_none() {
            let message = "without a secret the ids of devices change with every start";
            out.warning(
                at,
                message,
                "add `secret: file:/path` or `secret: env:NAME`",
            );
        }
        let of_redis = [
            ("deadline", self.deadline.is_some()),
            ("layout", self.layout.is_some()),
            ("identifiers", self.identifiers.is_some()),
        ];
        for (name, _) in of_redis.into_iter().filter(|(_, written)| *written) {
            let message = format!("`{name}` is about `redis`, and devices are in memory");
            out.error(&at.field(name), message, "take it out");
        }
        device::MapSpec::Memory {
            most: memory.identifiers.unwrap_or(Self::IN_MEMORY),
        }
    }

    fn in_redis(
        &self,
        redis: &RedisForm,
        at: &At<'_>,
        out: &mut Diagnostics,
    ) -> Option<device::MapSpec> {
        let before = out.errors();
        if self.secret.is_none() {
            let message = "`redis` needs a secret: it holds digests, which all instances must make \
                           with the same key";
            let hint = "add `secret: file:/path` or `secret: env:NAME`";
            out.error(at, message, hint);
        }
        let deadline = self.deadline.map_or(device::DEADLINE, TimeSpan::duration);
        if deadline.is_zero() {
            let hint = "write some milliseconds: `30 ms`";
            out.error(&at.field("deadline"), "no time to ask redis", hint);
        }
        let at = at.field("redis");
        let nodes = at.field("nodes");
        for (index, node) in redis.nodes.iter().enumerate() {
            let port = node.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
            if !matches!(port, Some(Ok(1..))) || node.starts_with(':') {
                let message = format!("`{node}` is not an address");
                out.error(&nodes.item(index), message, "write `host:port`");
            }
        }
        let cluster = redis.cluster.unwrap_or(redis.nodes.len() > 1);
        if !cluster && redis.nodes.len() > 1 {
            let message = "several nodes, and `cluster: false`";
            out.error(&nodes, message, "name one server, or say `cluster: true`");
        }
        let layout = match self.layout.unwrap_or(LayoutForm::Bucketed) {
            LayoutForm::Plain => device::Layout::Plain,
            LayoutForm::Bucketed => {
                device::Layout::bucketed(self.identifiers.unwrap_or(Self::IN_REDIS))
            }
        };
        let password = redis.password.as_ref();
        (out.errors() == before).then(|| {
            device::MapSpec::Redis(device::RedisSpec {
                nodes: redis
                    .nodes
                    .iter()
                    .map(|node| node.as_str().into())
                    .collect(),
                cluster,
                tls: redis.tls,
                username: redis.username.as_deref().map(Into::into),
                password: password.map(|secret| secret.reference().clone()),
                layout,
                deadline,
            })
        })
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
    fn redis_is_compiled_with_what_designs_say_where_nothing_is_said() {
        let (tables, problems) = compile(&json!({
            "version": 1,
            "devices": { "redis": { "nodes": ["redis:6379"] }, "secret": "env:DEVICE_KEY" },
        }));
        assert_eq!(problems, [""; 0]);
        let device::MapSpec::Redis(redis) = tables.unwrap().devices.unwrap().map else {
            panic!("it is on redis");
        };
        assert_eq!(redis.deadline.as_millis(), 30);
        assert_eq!(redis.layout, device::Layout::Bucketed { bits: 19 });
        assert!(!redis.cluster && !redis.tls);
    }

    #[test]
    fn a_map_that_cannot_work_is_an_error() {
        let problems = |devices: Value| compile(&json!({ "version": 1, "devices": devices })).1;
        let cases = [
            (json!({}), "it is not said where"),
            (
                json!({ "redis": { "nodes": ["redis:6379"] }, "memory": {} }),
                "in one place",
            ),
            (
                json!({ "redis": { "nodes": ["redis:6379"] } }),
                "needs a secret",
            ),
            (
                json!({ "redis": { "nodes": ["redis"] }, "secret": "env:K" }),
                "not an address",
            ),
            (
                json!({ "redis": { "nodes": ["a:1", "b:1"], "cluster": false }, "secret": "env:K" }),
                "`cluster: false`",
            ),
            (
                json!({ "memory": {}, "secret": "env:K", "layout": "plain" }),
                "is about `redis`",
            ),
        ];
        for (devices, expected) in cases {
            let found = problems(devices);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(expected), "{found:?}");
        }
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
