//! CPU time and instructions per event of each step, in this process: the tracking example over
//! batches of 25, and the same done with trees.
//!
//! Instructions are counted by callgrind, if valgrind is there: this program runs a step a number of
//! times under it, and twice as often, and takes the difference.

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use serde_json::Value;
use weir::device::{self, Devices};
use weir::document::digest::{Content, DataId};
use weir::document::set::{self, Input};
use weir::event::{Batch, ClientIp, Records};
use weir::pipeline::switched::Switched;
use weir::pipeline::{Context, Pipeline};
use weir::tables::{self, Tables};

use crate::corpus;

const BATCH: usize = 25;
const BATCHES: usize = 40;
const MEASURE: Duration = Duration::from_secs(1);
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config-examples/tracking");

/// A step by its name, and what it costs beside the work before it.
const STEPS: [&str; 11] = [
    "copy",
    "decode",
    "constraint",
    "executers",
    "enrich",
    "validate",
    "device",
    "route",
    "tree",
    "tree in and out",
    "decode cdn",
];

struct World {
    pipeline: Pipeline,
    tables: Tables,
    device: Option<device::Step>,
    devices: Devices,
    tracking: Vec<Vec<u8>>,
    cdn: Vec<Vec<u8>>,
}

/// Measures all steps and prints them.
pub(crate) fn print() {
    let world = World::new();
    println!("\nOne core, tracking example, batches of {BATCH}; per event:\n");
    println!(
        "{:<18} {:>9} {:>13}",
        "up to and with", "ns", "instructions"
    );
    let copy = world.time("copy");
    for step in STEPS {
        let nanoseconds = world.time(step);
        let instructions = instructions(step).map_or_else(|| "-".to_owned(), |n| format!("{n:.0}"));
        println!("{step:<18} {nanoseconds:>9.0} {instructions:>13}");
    }
    let (route, tree) = (
        world.time("route") - copy,
        world.time("tree in and out") - copy,
    );
    println!(
        "\nthe whole pipeline takes {:.2} of a tree in and out",
        route / tree
    );
}

/// Runs a step `rounds` times; what callgrind looks at.
pub(crate) fn repeat(step: &str, rounds: usize) {
    let world = World::new();
    for _ in 0..rounds {
        world.run(step);
    }
}

impl World {
    fn new() -> Self {
        let documents =
            weir::center::directory::read(EXAMPLE.as_ref()).expect("the example is there");
        let documents = documents
            .iter()
            .map(|(name, text)| {
                let text = text.as_ref().expect("the example is readable");
                (DataId::new(name), Ok(Content::new(text.as_str())))
            })
            .collect();
        let input = Input {
            documents: &documents,
            previous: None,
            run_samples: false,
            listed: true,
        };
        let set = set::compile(&input).set.expect("the example compiles");
        let repo = set.repos.first_key_value().expect("it has a repo").1;
        let plan = &repo.plan;
        let mut switched = Switched::as_written(plan);
        switch_freshness_off(&mut switched, plan);
        let mut spec = set.tables.ip.clone().expect("it has an ip table");
        for file in &mut spec.files {
            file.path = std::path::Path::new(EXAMPLE).join(&file.path);
        }
        let map = device::MapSpec::Memory { most: 1_000_000 };
        let world = Self {
            pipeline: Pipeline {
                plan: Arc::clone(plan),
                switched: Arc::new(switched),
            },
            tables: Tables {
                ip: Some(Arc::new(tables::load(&spec).expect("the table loads"))),
            },
            device: repo.device.clone(),
            devices: Devices::alone(&device::Spec {
                map,
                secret: None,
                cache: Devices::CACHE,
            })
            .expect("it needs no secret"),
            tracking: bodies(&corpus::tracking(BATCH * BATCHES)),
            cdn: bodies(&corpus::cdn(BATCH * BATCHES)),
        };
        world.know_devices();
        world
    }

    /// Devices are known before anything is measured, and by other events than those measured.
    fn know_devices(&self) {
        for body in &self.tracking {
            let text = String::from_utf8_lossy(body).replace("{\"", "{ \"");
            drop(self.stages("route", text.into_bytes()));
        }
    }

    /// Nanoseconds per event: the least of several rounds, which is what the machine's noise hides.
    fn time(&self, step: &str) -> f64 {
        let mut least = f64::INFINITY;
        let end = Instant::now() + MEASURE;
        while Instant::now() < end {
            let begun = Instant::now();
            self.run(step);
            #[expect(clippy::cast_precision_loss, reason = "a printed figure")]
            let each = begun.elapsed().as_nanos() as f64 / (BATCH * BATCHES) as f64;
            least = least.min(each);
        }
        least
    }

    /// Every body once, up to and with a step.
    fn run(&self, step: &str) {
        let (step, bodies) = match step {
            "decode cdn" => ("decode", &self.cdn),
            other => (other, &self.tracking),
        };
        for body in bodies {
            match step {
                "copy" => drop(black_box(body.clone())),
                "tree" => parse(body),
                "tree in and out" => rewrite(body),
                _ => drop(black_box(self.stages(step, body.clone()))),
            }
        }
    }

    fn stages(&self, last: &str, body: Vec<u8>) -> (Batch, Records) {
        let (pipeline, context) = (&self.pipeline, self.context());
        let mut batch = pipeline.decode(body).expect("the corpus is sound");
        let nothing = Records::default;
        if last == "decode" {
            return (batch, nothing());
        }
        pipeline.constrain(&mut batch, &context);
        if last == "constraint" {
            return (batch, nothing());
        }
        drop(pipeline.execute(&mut batch, &context));
        if last == "executers" {
            return (batch, nothing());
        }
        pipeline.enrich(&mut batch, &context);
        if last == "enrich" {
            return (batch, nothing());
        }
        pipeline.validate(&mut batch, &context);
        if last == "validate" {
            return (batch, nothing());
        }
        if let Some(step) = &self.device {
            let attribute = self.devices.attribute(step, &mut batch, context.received);
            let attributed = attribute.now_or_never();
            drop(attributed.expect("a map in memory never waits"));
        }
        if last == "device" {
            return (batch, nothing());
        }
        let records = pipeline.route(&mut batch, &context);
        (batch, records)
    }

    fn context(&self) -> Context<'_> {
        Context {
            received: jiff::Timestamp::UNIX_EPOCH,
            client: Some(ClientIp::new([192, 0, 2, 200].into())),
            key: Some("app"),
            tables: &self.tables,
            geo: None,
            revision: "3f2a91c0d4e5",
            batch: "bench",
            instance: "bench",
        }
    }
}

fn bodies(events: &[String]) -> Vec<Vec<u8>> {
    events
        .chunks(BATCH)
        .map(|events| events.join("\n").into_bytes())
        .collect()
}

/// The corpus was made long ago.
fn switch_freshness_off(switched: &mut Switched, plan: &weir::pipeline::Plan) {
    for (mode, validator) in switched.modes.iter_mut().zip(&plan.validators) {
        if &*validator.name == "fresh" {
            *mode = weir::pipeline::validate::Mode::Off;
        }
    }
}

fn parse(body: &[u8]) {
    for line in body.split(|byte| *byte == b'\n') {
        black_box(serde_json::from_slice::<Value>(line).expect("the corpus is sound"));
    }
}

fn rewrite(body: &[u8]) {
    for line in body.split(|byte| *byte == b'\n') {
        let mut event: Value = serde_json::from_slice(line).expect("the corpus is sound");
        for name in ["recv_time", "ip", "geo_country", "geo_city"] {
            event[name] = Value::from("192.0.2.200");
        }
        black_box(serde_json::to_vec(&event).expect("a tree can be written"));
    }
}

/// Instructions per event by callgrind; `None` without valgrind.
fn instructions(step: &str) -> Option<f64> {
    let few = count(step, 2)?;
    let many = count(step, 4)?;
    #[expect(clippy::cast_precision_loss, reason = "a printed figure")]
    Some((many.saturating_sub(few)) as f64 / (2 * BATCH * BATCHES) as f64)
}

fn count(step: &str, rounds: usize) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args(["loop", step, &rounds.to_string()])
        .output()
        .ok()?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = told.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}
