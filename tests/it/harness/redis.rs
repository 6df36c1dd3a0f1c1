//! Real Redis servers, alone or as a Cluster, started by `tests/services/redis/redis.sh` under
//! `target/tmp`; each test has its own. The script watches this process and stops what is left when
//! it ends, however it ends. Beside them a proxy that counts round trips.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redis::ConnectionLike as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::ports;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/redis/redis.sh");

pub(crate) struct Redis {
    folder: PathBuf,
    servers: String,
    cluster: bool,
}

impl Redis {
    /// One server.
    pub(crate) fn single(name: &str) -> Self {
        Self::start(name, false, &[])
    }

    /// A Cluster of three masters without replicas.
    pub(crate) fn cluster(name: &str) -> Self {
        Self::start(name, true, &[])
    }

    /// The same, whose nodes give one another up after two seconds, and not after fifteen: a machine
    /// that is busy does not stand still for that long.
    pub(crate) fn impatient_cluster(name: &str) -> Self {
        Self::start(name, true, &[("REDIS_NODE_TIMEOUT", "2000")])
    }

    /// One server that is set up as the script's environment says.
    pub(crate) fn with(name: &str, environment: &[(&str, &str)]) -> Self {
        Self::start(name, false, environment)
    }

    fn start(name: &str, cluster: bool, environment: &[(&str, &str)]) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let owner = std::process::id().to_string();
        remove_logs_of_ended_runs(root);
        let folder = root.join(format!("redis-{owner}-{name}"));
        // A Cluster's bus has the three ports behind its own.
        let port = ports::free(6);
        let mut command = Command::new(SCRIPT);
        command.arg("up").arg(&folder);
        command.args(["--port", &port.to_string(), "--owner", &owner]);
        command.args(cluster.then_some("--cluster"));
        command.envs(environment.iter().copied());
        run(&mut command);
        let servers = fs::read_to_string(folder.join("servers")).unwrap();
        Self {
            folder,
            servers: servers.trim().to_owned(),
            cluster,
        }
    }

    /// As a list in a document: `["127.0.0.1:1", "127.0.0.1:2"]`.
    pub(crate) fn nodes(&self) -> String {
        format!("{:?}", self.addresses())
    }

    pub(crate) fn addresses(&self) -> Vec<&str> {
        self.servers.split(',').collect()
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.cluster
    }

    pub(crate) fn kill(&self, node: u8) {
        self.fault("kill", node);
    }

    pub(crate) fn pause(&self, node: u8) {
        self.fault("pause", node);
    }

    pub(crate) fn resume(&self, node: u8) {
        self.fault("resume", node);
    }

    /// Starts a killed node again and waits until it has read its data.
    pub(crate) fn restart(&self, node: u8) {
        self.fault("start", node);
    }

    fn fault(&self, verb: &str, node: u8) {
        let mut command = Command::new(SCRIPT);
        run(command.arg(verb).arg(&self.folder).arg(node.to_string()));
    }

    /// Moves so many slots from the first node of a Cluster to the second.
    pub(crate) fn move_slots(&self, count: usize) {
        let id = |connection: &mut redis::Connection| -> String {
            redis::cmd("CLUSTER").arg("MYID").query(connection).unwrap()
        };
        let ids: Vec<_> = self.connections().iter_mut().map(id).collect();
        let mut command = Command::new(SCRIPT);
        command
            .arg("cli")
            .arg(&self.folder)
            .args(["1", "--cluster", "reshard"]);
        command.arg(self.addresses()[0]);
        command.args(["--cluster-from", &ids[0], "--cluster-to", &ids[1]]);
        command.args(["--cluster-slots", &count.to_string(), "--cluster-yes"]);
        run(&mut command);
    }

    /// Begins to move every slot from the first node of a Cluster to the second, and does not end
    /// it: the first has none of their keys, and sends whoever asks to the second.
    pub(crate) fn leave_slots_on_the_way(&self) {
        let mut nodes = self.connections();
        let ids: Vec<String> = nodes
            .iter_mut()
            .map(|node| redis::cmd("CLUSTER").arg("MYID").query(node).unwrap())
            .collect();
        // The first of three masters has the first third of the slots.
        for (node, way, other) in [(1, "IMPORTING", &ids[0]), (0, "MIGRATING", &ids[1])] {
            let mut told = redis::pipe();
            for slot in 0..=5_460 {
                let set = told.cmd("CLUSTER").arg("SETSLOT").arg(slot);
                set.arg(way).arg(other).ignore();
            }
            told.exec(&mut nodes[node]).unwrap();
        }
    }

    /// A connection to each node.
    pub(crate) fn connections(&self) -> Vec<redis::Connection> {
        let connect = |address: &str| {
            let client = redis::Client::open(format!("redis://{address}")).unwrap();
            client.get_connection().unwrap()
        };
        self.addresses().into_iter().map(connect).collect()
    }

    /// Everything that a dump tells: each key as it is, and as `DUMP` gives its value; then the
    /// append-only files and a snapshot as they stand on disk.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let mut told = Vec::new();
        for connection in &mut self.connections() {
            let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(connection).unwrap();
            for key in keys {
                told.extend_from_slice(&key);
                let value: Option<Vec<u8>> =
                    redis::cmd("DUMP").arg(&key).query(connection).unwrap();
                told.extend(value.unwrap_or_default());
                told.push(b'\n');
            }
            let _saved = connection.req_command(&redis::cmd("SAVE")).unwrap();
        }
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().filter_map(Result::ok) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    told.extend(fs::read(entry.path()).unwrap());
                }
            }
        }
        told
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // The watching script stops what this misses.
        let _status = Command::new(SCRIPT).arg("down").arg(&self.folder).status();
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
}

/// Folders are named by the process that they belonged to.
fn remove_logs_of_ended_runs(root: &Path) {
    for entry in fs::read_dir(root).unwrap().filter_map(Result::ok) {
        let name = entry.file_name().into_string().unwrap_or_default();
        let process = name
            .strip_prefix("redis-")
            .and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            // The run's own watch may be doing the same.
            let _removed = fs::remove_dir_all(entry.path());
        }
    }
}

/// Stands before a server and counts how often a client wrote after it had been answered: the round
/// trips, while one request is on its way at a time. Signs of life pass without being counted.
pub(crate) struct Counting {
    pub(crate) port: u16,
    trips: Arc<AtomicUsize>,
}

impl Counting {
    pub(crate) async fn before(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let trips = Arc::new(AtomicUsize::new(0));
        let (address, counter) = (address.to_owned(), Arc::clone(&trips));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&address).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let asked = Arc::new(AtomicUsize::new(0));
                tokio::spawn(forward(
                    from_client,
                    to_server,
                    Side::Client(Arc::clone(&asked), Arc::clone(&counter)),
                ));
                tokio::spawn(forward(from_server, to_client, Side::Server(asked)));
            }
        });
        Self { port, trips }
    }

    /// How many round trips there were since it was last asked.
    pub(crate) fn trips(&self) -> usize {
        self.trips.swap(0, Ordering::SeqCst)
    }
}

enum Side {
    /// Whether it waits for an answer, and the trips.
    Client(Arc<AtomicUsize>, Arc<AtomicUsize>),
    Server(Arc<AtomicUsize>),
}

/// What a keeper asks for, and is answered, beside the requests.
const SIGNS: [&[u8]; 2] = [b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"];

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, side: Side) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        match &side {
            _ if SIGNS.contains(&&piece[..length]) => {}
            Side::Client(waits, trips) => {
                if waits.swap(1, Ordering::SeqCst) == 0 {
                    trips.fetch_add(1, Ordering::SeqCst);
                }
            }
            Side::Server(waits) => waits.store(0, Ordering::SeqCst),
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_keeps_what_it_acknowledged_when_it_is_killed() {
        let redis = Redis::single("harness");
        let set = |redis: &Redis, name: &str| {
            redis::cmd("SET")
                .arg(name)
                .arg("planted")
                .exec(&mut redis.connections()[0])
                .unwrap();
        };
        set(&redis, "known");
        redis.kill(1);
        redis.restart(1);
        let dump = redis.dump();
        let holds = |text: &str| dump.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(holds("known") && holds("planted") && !holds("absent"));
    }

    #[tokio::test]
    async fn a_cluster_has_three_masters() {
        let redis = Redis::cluster("harness-cluster");
        assert!(redis.is_cluster());
        for connection in &mut redis.connections() {
            let told: String = redis::cmd("CLUSTER").arg("INFO").query(connection).unwrap();
            assert!(told.contains("cluster_size:3"), "{told}");
        }
    }
}
