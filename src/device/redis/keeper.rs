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
/// How long a node may take for a sign of life, and for a connection.
const SIGN: Duration = Duration::from_millis(500);
const CONNECT: Duration = Duration::from_secs(1);

/// Keeps a node until it is told to stop.
pub(super) async fn keep(node: Arc<Node>, access: Arc<Access>, stop: CancellationToken) -> Ended {
    let mut told = None;
    loop {
        let looked = tokio::select! {
            () = stop.cancelled() => break,
            looked = look(&node, &access) => looked,
        };
        let away = looked.as_ref().err().cloned();
        match &looked {
            Ok(()) => node.admit(),
            Err(_) => node.refuse(),
        }
        tell(&node, &mut told, away);
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
async fn look(node: &Node, access: &Access) -> Result<(), String> {
    if let Some(mut connection) = node.connection() {
        let sign = sign_of_life(&mut connection).await;
        return match sign {
            // One that always comes too late would open its breaker again and again.
            Ok(took) if node.refuses() && took > access.deadline => {
                Err(format!("answers only after {took:?}"))
            }
            Ok(_) => Ok(()),
            Err(why) => {
                node.connect_to(None);
                Err(why)
            }
        };
    }
    let mut connection = access
        .connect(&node.address, CONNECT)
        .await
        .map_err(|error| error.to_string())?;
    sign_of_life(&mut connection).await?;
    examine(node, &mut connection).await;
    node.connect_to(Some(connection));
    Ok(())
}

/// How long it took.
async fn sign_of_life(connection: &mut MultiplexedConnection) -> Result<Duration, String> {
    let (ping, begun) = (cmd("PING"), Instant::now());
    match timeout(SIGN, ping.exec_async(connection)).await {
        Ok(answered) => answered
            .map(|()| begun.elapsed())
            .map_err(|error: RedisError| error.to_string()),
        Err(_) => Err(format!("no answer within {SIGN:?}")),
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

/// Looks at what a server says of itself, and warns of what makes it unfit.
async fn examine(node: &Node, connection: &mut MultiplexedConnection) {
    let info = cmd("INFO");
    let asked = timeout(SIGN, info.query_async::<String>(connection)).await;
    let address = &node.address;
    let told = match asked {
        Ok(Ok(told)) => told,
        Ok(Err(error)) => {
            let why = error.to_string();
            tracing::warn!(%address, why, "redis cannot be checked for eviction and persistence");
            return;
        }
        Err(_) => return,
    };
    for Fault {
        name,
        shows,
        advice,
    } in &FAULTS
    {
        let labels = DeviceFault {
            node: address.clone(),
            fault: name,
        };
        let fault = shows(&told);
        let gauge = node.metrics.device_node_fault.get_or_create_owned(&labels);
        gauge.set(i64::from(fault));
        if fault {
            tracing::warn!(%address, fault = name, "{advice}");
        }
    }
}

/// A line of `INFO`.
fn value<'i>(told: &'i str, name: &str) -> Option<&'i str> {
    told.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(told: &str) -> Vec<&'static str> {
        let shown = FAULTS.iter().filter(|fault| (fault.shows)(told));
        shown.map(|fault| fault.name).collect()
    }

    #[test]
    fn a_server_that_forgets_is_unfit() {
        let good = "redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n";
        assert_eq!(faults(good), [""; 0]);
        assert_eq!(faults(&good.replace("7.0.15", "6.2.0")), ["version"]);
        assert_eq!(
            faults(&good.replace("noeviction", "allkeys-lru")),
            ["maxmemory_policy"]
        );
        assert_eq!(
            faults(&good.replace("enabled:1", "enabled:0")),
            ["appendonly"]
        );
        assert_eq!(faults("redis_version:10.1.0"), [""; 0]);
    }
}
