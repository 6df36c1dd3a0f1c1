//! The device map on a real Redis: memory per device, and what look-ups cost: cached, known and not
//! cached, new; with one connection for all threads and with one for each.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use tokio::runtime::Runtime;
use weir::device::{Devices, Layout, MapSpec, Opener, RedisSpec, Spec, Step, WhenUnavailable};
use weir::event::{Batch, Depth, Fields, FieldsBuilder, Path as FieldPath};
use weir::secret::Reference;
use weir::tasks::Tasks;
use weir::telemetry::metrics::Metrics;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/redis/redis.sh");
const PORT: u16 = 16_479;
const DEVICES: usize = 1_000_000;
const BATCH: usize = 25;
/// Requests on their way at a time while the map is filled.
const REQUESTS: usize = 16;
const MEASURE: Duration = Duration::from_secs(2);

struct World {
    runtime: Runtime,
    step: Step,
    fields: Arc<Fields>,
    folder: std::path::PathBuf,
}

/// Measures everything and prints it.
pub(crate) fn print() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-redis");
    let world = World::new(&folder);
    println!(
        "\nDevice map on Redis, {DEVICES} devices with three identifiers, batches of {BATCH}:\n"
    );
    for (name, layout) in [
        ("bucketed", Layout::bucketed(3 * DEVICES as u64)),
        ("plain", Layout::Plain),
    ] {
        world.script(&[
            "up",
            "--port",
            &PORT.to_string(),
            "--owner",
            &std::process::id().to_string(),
        ]);
        world.measure(name, layout);
        world.script(&["down"]);
        let _removed = std::fs::remove_dir_all(folder.join("data1"));
    }
}

impl World {
    fn new(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("a folder for the bench");
        std::fs::write(folder.join("key"), "the key of the bench").expect("a key");
        let mut builder = FieldsBuilder::default();
        let mut field = |path: &str| {
            let path = FieldPath::parse(path).expect("a path");
            builder.add(&path).expect("few fields")
        };
        let identifiers: Vec<_> = ["oaid", "imei", "cookie"]
            .map(|kind| (kind.to_owned(), field(kind)))
            .into();
        let step = Step {
            fingerprint: Step::fingerprint(&identifiers, &[]),
            identifiers,
            id_as: field("device"),
            new_as: Some(field("new")),
            status_as: Some(field("status")),
            skew: None,
            invalid: Vec::new(),
            when_unavailable: WhenUnavailable::Degrade,
            reattribution: None,
            conflicts: None,
        };
        Self {
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime"),
            step,
            fields: Arc::new(builder.build()),
            folder: folder.to_owned(),
        }
    }

    fn script(&self, arguments: &[&str]) {
        let (verb, rest) = arguments.split_first().expect("a verb");
        let done = Command::new(SCRIPT)
            .arg(verb)
            .arg(&self.folder)
            .args(rest)
            .output()
            .expect("the script runs");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    /// A map with nothing cached.
    fn open(&self, layout: Layout) -> Devices {
        let metrics = Metrics::new(&mut Registry::default());
        let _inside = self.runtime.enter();
        let opener = Opener::new(&metrics, &Tasks::default());
        let redis = RedisSpec {
            nodes: vec![format!("127.0.0.1:{PORT}").into()],
            cluster: false,
            tls: false,
            username: None,
            password: None,
            layout,
            deadline: Duration::from_secs(10),
        };
        let key = self.folder.join("key");
        let spec = Spec {
            map: MapSpec::Redis(redis),
            secret: Some(Reference::File(key.to_string_lossy().into_owned())),
            cache: 512 << 20,
        };
        Devices::open(&spec, &opener).expect("the key is there")
    }

    fn measure(&self, name: &str, layout: Layout) {
        let empty = used_memory();
        let devices = self.open(layout);
        let begun = Instant::now();
        self.fill(&devices);
        let seconds = begun.elapsed().as_secs_f64();
        let bytes = used_memory().saturating_sub(empty) / DEVICES as u64;
        #[expect(clippy::cast_precision_loss, reason = "a printed figure")]
        let rate = DEVICES as f64 / seconds;
        println!("{name:<9} {bytes:>5} bytes a device; {rate:.0} new devices a second");
        let cached = self.time_cached(&devices);
        println!(
            "{name:<9} {cached:>5.0} ns an event whose device is cached, all of them different"
        );
        let shared = self.known(&[&self.open(layout), &self.open(layout)], 1);
        let own = self.known(&[&self.open(layout), &self.open(layout)], 2);
        println!(
            "{name:<9} {shared:>5.0} requests a second of {BATCH} known devices not cached over one \
             connection, {:.2} of that over two",
            own / shared
        );
    }

    /// Every device once.
    fn fill(&self, devices: &Devices) {
        self.runtime
            .block_on(join_all((0..REQUESTS).map(|request| async move {
                for first in (request * BATCH..DEVICES).step_by(REQUESTS * BATCH) {
                    self.attribute(devices, first).await;
                }
            })));
    }

    async fn attribute(&self, devices: &Devices, first: usize) {
        let mut batch = self.batch(first);
        let received = Timestamp::UNIX_EPOCH;
        let told = devices.attribute(&self.step, &mut batch, received).await;
        assert_eq!(told.counts.degraded, 0, "redis answers");
    }

    /// Nanoseconds per event, the least of several rounds.
    fn time_cached(&self, devices: &Devices) -> f64 {
        let mut least = f64::INFINITY;
        let end = Instant::now() + MEASURE;
        self.runtime.block_on(self.attribute(devices, 0));
        while Instant::now() < end {
            // The same event again would be asked whether it is the device's first.
            let mut batches: Vec<_> = (0..40).map(|_| self.batch_with(0, ",\"n\":1")).collect();
            let begun = Instant::now();
            for batch in &mut batches {
                let received = Timestamp::UNIX_EPOCH;
                let attribute = devices.attribute(&self.step, batch, received);
                futures_util::FutureExt::now_or_never(attribute).expect("all is cached");
            }
            #[expect(clippy::cast_precision_loss, reason = "a printed figure")]
            let each = begun.elapsed().as_nanos() as f64 / (40 * BATCH) as f64;
            least = least.min(each);
        }
        least
    }

    /// Requests a second of devices that the map knows and nobody has cached, by two threads that
    /// share a map, or have one each.
    fn known(&self, maps: &[&Devices; 2], used: usize) -> f64 {
        let begun = Instant::now();
        let requests = 4_000;
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let devices = maps[thread % used];
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .expect("a runtime");
                    runtime.block_on(join_all((0..8).map(|at| async move {
                        for request in (at..requests).step_by(8) {
                            let first = (thread * requests + request) * BATCH;
                            self.attribute(devices, first).await;
                        }
                    })));
                });
            }
        });
        f64::from(2 * u32::try_from(requests).unwrap_or(u32::MAX)) / begun.elapsed().as_secs_f64()
    }

    /// Events of `BATCH` devices, with all their identifiers.
    fn batch(&self, first: usize) -> Batch {
        self.batch_with(first, "")
    }

    /// The same with one more member.
    fn batch_with(&self, first: usize, more: &str) -> Batch {
        let mut body = Vec::new();
        let mut ends = Vec::new();
        for device in first..first + BATCH {
            body.extend_from_slice(
                format!(
                    "{{\"oaid\":\"{device:08x}-7a5e-4c3b-9f21-5ca1ab1e0001\",\"imei\":\"{}\",\
                     \"cookie\":\"cookie-of-{device}\"{more}}}\n",
                    imei(device)
                )
                .as_bytes(),
            );
            ends.push(body.len() - 1);
        }
        let mut batch = Batch::new(body, Arc::clone(&self.fields));
        let mut start = 0;
        for (line, end) in (1u32..).zip(ends) {
            batch
                .read(line, start, end, Depth(8))
                .expect("the events are sound");
            start = end + 1;
        }
        batch
    }
}

/// Fifteen digits, the last one by Luhn.
fn imei(device: usize) -> String {
    let digits = format!("86{device:012}");
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            let doubled = digit * if at % 2 == 0 { 2 } else { 1 };
            doubled / 10 + doubled % 10
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

fn used_memory() -> u64 {
    let client = ::redis::Client::open(("127.0.0.1", PORT)).expect("an address");
    let mut connection = client.get_connection().expect("redis answers");
    let told: String = ::redis::cmd("INFO")
        .arg("memory")
        .query(&mut connection)
        .expect("redis tells");
    let line = told
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    line.and_then(|bytes| bytes.parse().ok())
        .expect("it tells its memory")
}
