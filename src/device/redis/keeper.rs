//! Keeps a node connected, and watches whether it answers: requests do neither.
//!
//! A node that answers is asked for a sign of life once a second, one that does not ten times. When
//! it is connected it is looked at closer: its version, whether it evicts, and whether it keeps an
//! append-only file, because a map that forgets makes every device new again.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, cmd};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::device::redis::node::{Access, Node};
use crate::tasks::{Drained, Ended};
use crate::telemetry::metrics::{DeviceFault, DeviceNode};

/// Between two looks at a node that answers, and at one that does not.
const HEALTHY: Duration = Duration::from_secs(1);
const AWAY: Duration = Duration::from_millis(100);
/// How long a node may take for a sign of life, and for a connection, where requests do not wait
/// longer themselves.
const SIGN: Duration = Duration::from_millis(500);
const CONNECT: Duration = Duration::from_secs(1);

/// What its keeper knows of a node.
#[derive(Debug, Default)]
struct Seen {
    /// What was last told of it: why it is away, if it is. Nothing before the first look.
    told: Option<Option<String>>,
    /// What was found when it was looked at closer; nothing before.
    faults: Option<Vec<(&'static str, bool)>>,
}

/// Keeps a node until it is told to stop.
pub(super) async fn keep(node: Arc<Node>, access: Arc<Access>, stop: CancellationToken) -> Ended {
    let mut seen = Seen::default();
    loop {
        let looked = tokio::select! {
            () = stop.cancelled() => break,
            looked = look(&node, &access, &mut seen) => looked,
        };
        let away = looked.as_ref().err().cloned();
        match &looked {
            Ok(()) => node.admit(),
            Err(_) => node.refuse(),
        }
        show(&node, &seen);
        tell(&node, &mut seen.told, away);
        node.probed
            .store(true, std::sync::atomic::Ordering::Release);
        let pause = if looked.is_ok() { HEALTHY } else { AWAY };
        tokio::select! {
            () = stop.cancelled() => break,
            () = node.nudge.notified() => {}
            () = sleep(pause) => {}
        }
    }
    forget(&node);
    Ok(Drained)
}

/// Publishes what is known of a node, at every look: the keeper of a map that was replaced takes the
/// same metrics back when it ends.
fn show(node: &Node, seen: &Seen) {
    node.show();
    for (fault, shows) in seen.faults.iter().flatten() {
        let labels = DeviceFault {
            node: node.address.clone(),
            fault,
        };
        let gauge = node.metrics.device_node_fault.get_or_create_owned(&labels);
        gauge.set(i64::from(*shows));
    }
}

/// Takes back what was told of a node that is no longer one of the map's.
fn forget(node: &Node) {
    let (metrics, address) = (&node.metrics, &node.address);
    let node = address.clone();
    metrics.device_node_refused.remove(&DeviceNode { node });
    for Fault { name: fault, .. } in FAULTS {
        let node = address.clone();
        metrics
            .device_node_fault
            .remove(&DeviceFault { node, fault });
    }
}

/// Tells what changed: `told` is what was last said of it; nothing before the first look.
fn tell(node: &Node, told: &mut Option<Option<String>>, away: Option<String>) {
    let complaint = node.complaint();
    let address = &node.address;
    match (&*told, &away) {
        (Some(None), None) => {
            if let Some(why) = complaint {
                tracing::warn!(%address, why, "redis refuses commands of the device map");
            }
        }
        (Some(Some(_)), Some(_)) => {}
        (_, Some(why)) => {
            tracing::warn!(%address, why, "redis does not answer, events are attributed degraded");
        }
        (_, None) => tracing::info!(%address, "redis answers"),
    }
    *told = Some(away);
}

/// Whether the node answers; if not, why. Connects where there is no connection.
async fn look(node: &Node, access: &Access, seen: &mut Seen) -> Result<(), String> {
    let patience = SIGN.max(access.deadline);
    let before = node.connection();
    let fresh = before.is_none();
    let mut connection = match before {
        Some(connection) => connection,
        None => {
            seen.faults = None;
            let connected = access.connect(&node.address, CONNECT.max(patience)).await;
            connected.map_err(|error| error.to_string())?
        }
    };
    let sign = sign_of_life(&mut connection, patience).await;
    let took = sign.inspect_err(|_| node.connect_to(None))?;
    if !fresh && node.refuses() && took > access.deadline {
        // One that always comes too late would open its breaker again and again.
        return Err(format!("answers only after {took:?}"));
    }
    if seen.faults.is_none() {
        seen.faults = examine(node, &mut connection, patience).await;
    }
    if fresh {
        node.connect_to(Some(connection));
    }
    Ok(())
}

/// How long it took.
async fn sign_of_life(
    connection: &mut MultiplexedConnection,
    patience: Duration,
) -> Result<Duration, String> {
    let (ping, begun) = (cmd("PING"), Instant::now());
    match timeout(patience, ping.exec_async(connection)).await {
        Ok(answered) => answered
            .map(|()| begun.elapsed())
            .map_err(|error: RedisError| error.to_string()),
        Err(_) => Err(format!("no answer within {patience:?}")),
    }
}

/// Something about a server that makes it unfit for the map.
struct Fault {
    name: &'static str,
    /// Whether what the server says of itself shows it.
    shows: fn(&str) -> bool,
    advice: &'static str,
}

const FAULTS: [Fault; 3] = [
    Fault {
        name: "version",
        shows: |told| {
            let version = value(told, "redis_version").unwrap_or_default();
            let major = version.split('.').next().unwrap_or_default();
            major.parse::<u32>().is_ok_and(|major| major < 7)
        },
        advice: "redis is older than 7.0: claims of `layout: plain` fail; install 7.0 or newer",
    },
    Fault {
        name: "maxmemory_policy",
        shows: |told| value(told, "maxmemory_policy").is_some_and(|set| set != "noeviction"),
        advice: "redis evicts keys: devices would be forgotten and become new again; set \
                 `maxmemory-policy noeviction`",
    },
    Fault {
        name: "appendonly",
        shows: |told| value(told, "aof_enabled").is_some_and(|set| set == "0"),
        advice: "redis keeps no append-only file: devices are lost with a restart and become new \
                 again; set `appendonly yes`",
    },
];

/// Looks at what a server says of itself, and warns of what makes it unfit. Nothing if it did not
/// say it in time: then it is asked again.
async fn examine(
    node: &Node,
    connection: &mut MultiplexedConnection,
    patience: Duration,
) -> Option<Vec<(&'static str, bool)>> {
    let info = cmd("INFO");
    let asked = timeout(patience, info.query_async::<String>(connection)).await;
    let address = &node.address;
    let told = match asked.ok()? {
        Ok(told) => told,
        Err(error) => {
            let why = error.to_string();
            tracing::warn!(%address, why, "redis cannot be checked for eviction and persistence");
            return Some(Vec::new());
        }
    };
    let found = FAULTS.iter().map(|fault| {
        let shows = (fault.shows)(&told);
        if shows {
            tracing::warn!(%address, fault = fault.name, "{}", fault.advice);
        }
        (fault.name, shows)
    });
    Some(found.collect())
}

/// A line of `INFO`.
fn value<'i>(told: &'i str, name: &str) -> Option<&'i str> {
    told.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests;
