//! What is seen of a server, and told of it.

use std::sync::atomic::Ordering;

use prometheus_client::registry::Registry;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use super::*;
use crate::telemetry::metrics::Metrics;

const LONG: Duration = Duration::from_secs(60);
/// Of a server that evicts.
const EVICTS: &str = "redis_version:7.0.15\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:1\r\n";

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

/// A server, and the metrics of whoever keeps it.
struct World {
    address: String,
    metered: Registry,
    metrics: Metrics,
}

/// With a server that evicts, and takes so long for its first `INFO`.
async fn world(slow: Duration) -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    Handle::current().spawn(async move {
        let mut slow = Some(slow);
        while let Ok((client, _)) = listener.accept().await {
            Handle::current().spawn(serve(client, slow.take()));
        }
    });
    let mut metered = Registry::default();
    let metrics = Metrics::new(&mut metered);
    World {
        address,
        metered,
        metrics,
    }
}

async fn serve(mut client: TcpStream, mut slow: Option<Duration>) {
    let (from, mut to) = client.split();
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match &*line {
            "PING" => "+PONG\r\n".to_owned(),
            "INFO" => {
                if let Some(slow) = slow.take() {
                    sleep(slow).await;
                }
                format!("${}\r\n{EVICTS}\r\n", EVICTS.len())
            }
            // Lengths, and what is not asked.
            _ => continue,
        };
        if to.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

impl World {
    fn node(&self) -> Arc<Node> {
        Arc::new(Node::new(&self.address, &self.metrics))
    }

    fn metric(&self, name: &str) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.metered).unwrap();
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit_once(' '));
        value.map_or("", |(_, value)| value).to_owned()
    }

    fn evicts(&self) -> String {
        let name = format!(
            "weir_device_node_fault{{node=\"{}\",fault=\"maxmemory_policy\"}}",
            self.address
        );
        self.metric(&name)
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let wait = async {
            while !holds(self) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(LONG, wait).await.expect(what);
    }
}

fn access() -> Arc<Access> {
    Arc::new(Access {
        deadline: Duration::from_millis(30),
        tls: false,
        username: None,
        password: None,
    })
}

/// Keeps a node, and gives what ends that.
fn kept(node: &Arc<Node>) -> (CancellationToken, tokio::task::JoinHandle<Ended>) {
    let stop = CancellationToken::new();
    let keeper = keep(Arc::clone(node), access(), stop.clone());
    (stop, Handle::current().spawn(keeper))
}

#[tokio::test]
async fn a_server_that_was_too_slow_to_tell_of_itself_is_asked_again() {
    let world = world(SIGN + SIGN / 2).await;
    let node = world.node();
    let (stop, keeper) = kept(&node);
    world
        .until("it is told of", |world| world.evicts() == "1")
        .await;
    stop.cancel();
    keeper.await.unwrap().unwrap();
    assert_eq!(world.evicts(), "", "its map is gone");
}

#[tokio::test]
async fn the_end_of_a_replaced_map_hides_nothing_of_the_new_one() {
    let world = world(Duration::ZERO).await;
    let (old, new) = (world.node(), world.node());
    let (stop_old, old_keeper) = kept(&old);
    let (stop_new, new_keeper) = kept(&new);
    let both = |_: &World| old.probed.load(Ordering::Acquire) && new.probed.load(Ordering::Acquire);
    world.until("both have looked", both).await;
    stop_old.cancel();
    old_keeper.await.unwrap().unwrap();
    world
        .until("it is told of", |world| world.evicts() == "1")
        .await;
    let refused = format!("weir_device_node_refused{{node=\"{}\"}}", world.address);
    assert_eq!(world.metric(&refused), "0");
    stop_new.cancel();
    new_keeper.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_was_never_there_is_shown_as_refused() {
    let world = world(Duration::ZERO).await;
    let node = Arc::new(Node::new("127.0.0.1:1", &world.metrics));
    let (stop, keeper) = kept(&node);
    let refused = "weir_device_node_refused{node=\"127.0.0.1:1\"}";
    world
        .until("it is shown", |world| world.metric(refused) == "1")
        .await;
    stop.cancel();
    keeper.await.unwrap().unwrap();
}
