//! What a swap costs those who are served meanwhile: the times of requests under full load, in turns
//! with the repo document left alone and changed once a second. Without a difference beyond the
//! spread of the undisturbed turns, a swap costs them nothing.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::load::{self, Answered};
use crate::{corpus, kafka};

const BATCH: usize = 25;
const CONNECTIONS: usize = 32;
const TURNS: u64 = 5;
const TURN: Duration = Duration::from_secs(5);
const REPO: &str = "documents/weir.repo.tracking.yaml";

/// Starts Kafka and the gateway, measures in turns, prints.
pub(crate) fn print() {
    let folder = tempfile::tempdir().expect("a folder");
    let brokers = kafka::start_kafka(folder.path());
    let running = kafka::start_weir(folder.path(), &brokers);
    let events = corpus::tracking(kafka::EVENTS);
    load::once(&running.address, &kafka::first_events(&events));
    let requests = kafka::requests(&events, BATCH, false);
    let turn = || load::send(&running.address, &requests, CONNECTIONS, TURN);
    turn();
    println!("\nFull load ({BATCH} events x {CONNECTIONS}), in turns; times of requests in ms\n");
    println!(
        "{:<6} {:>14} {:>9} {:>9}   {:>14} {:>9} {:>9} {:>8}",
        "turn", "alone: p50", "p99", "most", "swapped: p50", "p99", "most", "swaps"
    );
    let (mut alone, mut swapped) = (Vec::new(), Vec::new());
    for number in 1..=TURNS {
        let quiet = turn();
        let (busy, swaps) = while_swapping(folder.path(), number, turn);
        assert_eq!(quiet.failed + busy.failed, 0, "no request fails");
        println!(
            "{number:<6} {:>14.2} {:>9.2} {:>9.2}   {:>14.2} {:>9.2} {:>9.2} {swaps:>8}",
            millis(quiet.quantile(0.5)),
            millis(quiet.quantile(0.99)),
            millis(quiet.quantile(1.0)),
            millis(busy.quantile(0.5)),
            millis(busy.quantile(0.99)),
            millis(busy.quantile(1.0)),
        );
        alone.push(millis(quiet.quantile(0.99)));
        swapped.push(millis(busy.quantile(0.99)));
    }
    kafka::stop_kafka(folder.path());
    println!(
        "\np99 {:.2} ms alone, {:.2} ms with a swap a second; the turns alone differ by {:.2} ms",
        mean(&alone),
        mean(&swapped),
        alone.iter().copied().fold(f64::MIN, f64::max)
            - alone.iter().copied().fold(f64::MAX, f64::min),
    );
}

/// One turn with the document changed once a second, and how often it was.
fn while_swapping(folder: &Path, number: u64, turn: impl Fn() -> Answered) -> (Answered, u64) {
    let (over, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    let answered = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let swap = swaps.fetch_add(1, Ordering::Relaxed);
                change(&folder.join(REPO), number * 1000 + swap);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        let answered = turn();
        over.store(true, Ordering::Relaxed);
        answered
    });
    (answered, swaps.into_inner())
}

/// Another version of the document, written beside it and renamed.
fn change(document: &Path, version: u64) {
    let text = fs::read_to_string(document).expect("the document");
    let rest = text
        .lines()
        .filter(|line| !line.starts_with("version:"))
        .collect::<Vec<_>>()
        .join("\n");
    let beside = document.with_extension("new");
    fs::write(&beside, format!("version: {version}\n{rest}\n")).expect("a file");
    fs::rename(beside, document).expect("a renamed file");
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a handful")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
