//! The whole gateway with a real Kafka acknowledging, and the plain peer on the same cluster: events
//! a second and core of CPU time that the process spent, and its memory.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::load;
use crate::{corpus, process};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
pub(crate) const EVENTS: usize = 10_000;
/// Events of a request, and on how many connections: enough of them that the time which Kafka takes
/// to answer does not leave the process idle.
const BATCHES: [(usize, usize); 3] = [(1, 256), (25, 32), (200, 16)];
const MEASURE: Duration = Duration::from_secs(6);
const WARM_UP: Duration = Duration::from_secs(2);

/// Events a second and core of CPU for every size of batch, plain and gzip.
struct Result {
    cells: Vec<f64>,
    memory_at_rest: f64,
    memory_loaded: f64,
}

/// Starts Kafka, measures both, prints.
pub(crate) fn print() {
    let folder = tempfile::tempdir().expect("a folder");
    let brokers = start_kafka(folder.path());
    let weir = measure(&mut start_weir(folder.path(), &brokers));
    let peer = measure(&mut start_peer(&brokers));
    stop_kafka(folder.path());
    println!(
        "\nWith a real Kafka acknowledging (lz4, acks=all), the tracking example without scripts"
    );
    println!("of its own (no campaign parsed out of addresses), both headers on every record:");
    println!("events a second and core of CPU time spent by the process\n");
    println!(
        "{:<26} {:>12} {:>12} {:>8}",
        "batch", "weir", "plain peer", "ratio"
    );
    let cells = BATCHES
        .iter()
        .flat_map(|batch| [(batch, "plain"), (batch, "gzip")]);
    for (index, ((batch, connections), encoding)) in cells.enumerate() {
        let (weir, peer) = (weir.cells[index], peer.cells[index]);
        let name = format!("{batch} events x {connections}, {encoding}");
        println!("{name:<26} {weir:>12.0} {peer:>12.0} {:>8.2}", weir / peer);
    }
    println!(
        "\n{:<26} {:>12} {:>12}",
        "memory, MiB", "weir", "plain peer"
    );
    println!(
        "{:<26} {:>12.1} {:>12.1}",
        "at rest", weir.memory_at_rest, peer.memory_at_rest
    );
    println!(
        "{:<26} {:>12.1} {:>12.1}",
        "most under load", weir.memory_loaded, peer.memory_loaded
    );
}

/// Only sends, to a gateway that runs already: what a profiler looks at.
pub(crate) fn load(address: &str, batch: &str, seconds: &str) {
    let batch = batch.parse().expect("a number of events");
    let (_, connections) = BATCHES
        .iter()
        .find(|(b, _)| *b == batch)
        .expect("1, 25 or 200");
    let events = corpus::tracking(EVENTS);
    load::once(address, &first_events(&events));
    let requests = requests(&events, batch, false);
    let time = Duration::from_secs(seconds.parse().expect("a number of seconds"));
    let answered = load::send(address, &requests, *connections, time);
    println!(
        "{} requests, {} failed, p99 {:?}",
        answered.requests,
        answered.failed,
        answered.quantile(0.99)
    );
}

/// A process under measurement; killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .expect("the process can be killed");
    }
}

fn measure(running: &mut Running) -> Result {
    let pid = running.child.id();
    let (memory_at_rest, _) = process::memory(pid);
    let events = corpus::tracking(EVENTS);
    let mut cells = Vec::new();
    load::once(&running.address, &first_events(&events));
    for (batch, connections) in BATCHES {
        for gzip in [false, true] {
            let requests = requests(&events, batch, gzip);
            load::send(&running.address, &requests, connections, WARM_UP);
            let before = process::cpu(pid);
            let answered = load::send(&running.address, &requests, connections, MEASURE);
            let spent = process::cpu(pid) - before;
            assert_eq!(
                answered.failed, 0,
                "requests failed: the figures would mean nothing"
            );
            let events = answered.requests * u64::try_from(batch).expect("a small batch");
            #[expect(clippy::cast_precision_loss, reason = "a printed figure")]
            cells.push(events as f64 / spent.as_secs_f64());
        }
    }
    let (_, memory_loaded) = process::memory(pid);
    Result {
        cells,
        memory_at_rest,
        memory_loaded,
    }
}

/// Devices are known before anything is measured, and by other events than those measured.
pub(crate) fn first_events(events: &[String]) -> Vec<Vec<u8>> {
    let other = |event: &String| event.replacen('{', "{ ", 1);
    requests(&events.iter().map(other).collect::<Vec<_>>(), 200, false)
}

pub(crate) fn requests(events: &[String], batch: usize, gzip: bool) -> Vec<Vec<u8>> {
    let request = |events: &[String]| {
        let mut body = (events.join("\n") + "\n").into_bytes();
        if gzip {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&body).expect("memory");
            body = encoder.finish().expect("memory");
        }
        load::request("/log/repo/tracking", &body, gzip)
    };
    events.chunks(batch).map(request).collect()
}

/// The tracking example on one cluster, with the freshness of the prepared events not looked at.
pub(crate) fn start_weir(folder: &Path, brokers: &str) -> Running {
    let documents = folder.join("documents");
    fs::create_dir(&documents).expect("a folder");
    for file in fs::read_dir(Path::new(ROOT).join("config-examples/tracking")).expect("examples") {
        let path = file.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a text");
        let text = text
            .replace("127.0.0.1:19092", brokers)
            .replace("127.0.0.1:19192", brokers)
            .replace("redis: { nodes: [ \"127.0.0.1:16379\" ] }", "memory: {}")
            .replace("fresh: { mode: shadow", "fresh: { mode: off");
        let text = without_campaign(&text);
        fs::write(documents.join(path.file_name().expect("a name")), text).expect("a copy");
    }
    let (listen, admin) = (free_address(), free_address());
    let child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["serve", "--listen", &listen, "--admin", &admin])
        .arg("--documents")
        .arg(&documents)
        .arg("--state")
        .arg(folder.join("state"))
        .env("WEIR_KEY_APP", "bench-key")
        .env("WEIR_KEY_SERVER", "bench-key-of-servers")
        .env("WEIR_DEVICE_KEY", "bench-device-key")
        .env("WEIR_DATA_PORT_TRUSTED", "127.0.0.0/8")
        .env("WEIR_LOG_LEVEL", "warn")
        .spawn()
        .expect("the gateway starts");
    wait_for(&listen);
    let running = Running {
        child,
        address: listen,
    };
    let probe = requests(&corpus::tracking(1), 1, false);
    let deadline = Instant::now() + Duration::from_secs(30);
    while load::send(&running.address, &probe, 1, Duration::from_millis(50)).failed > 0 {
        assert!(
            Instant::now() < deadline,
            "the gateway does not accept events"
        );
    }
    running
}

/// The budget is for checks, look-ups and routing, not for taking addresses apart.
fn without_campaign(text: &str) -> String {
    let kept = text.lines().filter(|line| !line.contains("campaign"));
    kept.collect::<Vec<_>>().join("\n")
}

fn start_peer(brokers: &str) -> Running {
    let address = free_address();
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["peer", &address, brokers])
        .spawn()
        .expect("the peer starts");
    wait_for(&address);
    Running { child, address }
}

pub(crate) fn start_kafka(folder: &Path) -> String {
    let port = free_address()
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    let owner = std::process::id().to_string();
    let output = Command::new(script())
        .arg("up")
        .arg(folder.join("kafka"))
        .args(["--port", &port, "--owner", &owner])
        .env("KAFKA_AUTO_CREATE", "true")
        .stderr(Stdio::inherit())
        .output()
        .expect("the script runs");
    assert!(output.status.success(), "kafka does not start");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(crate) fn stop_kafka(folder: &Path) {
    let stopped = Command::new(script())
        .arg("down")
        .arg(folder.join("kafka"))
        .status();
    assert!(
        stopped.is_ok_and(|status| status.success()),
        "kafka does not stop"
    );
}

fn script() -> PathBuf {
    Path::new(ROOT).join("tests/services/kafka/kafka.sh")
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").to_string()
}

fn wait_for(address: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "nobody listens on {address}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
