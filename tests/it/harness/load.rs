//! Clients that send batches without pause, each on a connection of its own, and note every answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::gateway::Gateway;
use super::http::{self, Counts, Reply};

/// The lines of a batch, by connection and number of the batch on it; they can be made again.
pub(crate) type Lines = fn(connection: usize, batch: usize) -> Vec<String>;

pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    lines: Lines,
    connections: Vec<JoinHandle<Vec<Answer>>>,
}

/// What one batch was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) connection: usize,
    pub(crate) batch: usize,
    pub(crate) status: u16,
    /// Absent where nothing was taken.
    pub(crate) counts: Option<Counts>,
    pub(crate) revision: String,
    pub(crate) retry_lines: Vec<u64>,
    pub(crate) took: Duration,
}

/// All answers, and what they add up to.
pub(crate) struct Ledger {
    lines: Lines,
    pub(crate) answers: Vec<Answer>,
}

impl Load {
    /// Starts `connections` clients, each sending its next batch when the last is answered. A
    /// request that fails, or takes longer than `patience`, fails the test.
    pub(crate) fn start(
        gateway: &Gateway,
        repo: &str,
        connections: usize,
        patience: Duration,
        lines: Lines,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let url = gateway.url(&format!("/log/repo/{repo}"));
        let tasks = (0..connections).map(|connection| {
            let client = reqwest::Client::builder()
                .no_proxy()
                .timeout(patience)
                .build()
                .unwrap();
            tokio::spawn(send_on(
                connection,
                client,
                url.clone(),
                Arc::clone(&stop),
                lines,
            ))
        });
        Self {
            connections: tasks.collect(),
            stop,
            lines,
        }
    }

    /// Lets every client have its last answer, and returns what they noted.
    pub(crate) async fn finish(self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        let mut answers = Vec::new();
        for connection in self.connections {
            answers.extend(connection.await.unwrap());
        }
        Ledger {
            lines: self.lines,
            answers,
        }
    }
}

async fn send_on(
    connection: usize,
    client: reqwest::Client,
    url: String,
    stop: Arc<AtomicBool>,
    lines: Lines,
) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut batch = 0;
    while !stop.load(Ordering::Relaxed) {
        let body = lines(connection, batch).join("\n");
        let begun = Instant::now();
        let sent = http::try_send(client.post(&url).body(body)).await;
        let reply = sent
            .unwrap_or_else(|error| panic!("batch {batch} of connection {connection}: {error:?}"));
        let answer = answer(connection, batch, &reply, begun.elapsed());
        if answer.status == 503 {
            // As clients do that are told to come back later, only sooner.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        answers.push(answer);
        batch += 1;
    }
    answers
}

fn answer(connection: usize, batch: usize, reply: &Reply, took: Duration) -> Answer {
    let json = reply.json();
    let counted = json.get("received").is_some();
    Answer {
        connection,
        batch,
        status: reply.status,
        counts: counted.then(|| reply.counts()),
        revision: json["revision"].as_str().unwrap_or_default().to_owned(),
        retry_lines: reply.retry_lines(),
        took,
    }
}

impl Ledger {
    /// The sums of all replies.
    pub(crate) fn sums(&self) -> Counts {
        let mut sums = Counts::default();
        for counts in self.answers.iter().filter_map(|answer| answer.counts) {
            sums += counts;
        }
        sums
    }

    /// Every event that was answered as accepted; for repos that filter and reject nothing.
    pub(crate) fn accepted(&self) -> Vec<String> {
        let taken = self.answers.iter().filter(|answer| answer.counts.is_some());
        let accepted = taken.flat_map(|answer| {
            let lines = (self.lines)(answer.connection, answer.batch)
                .into_iter()
                .zip(1..);
            let lines = lines.filter(|(_, line)| !answer.retry_lines.contains(line));
            lines.map(|(text, _)| text).collect::<Vec<_>>()
        });
        accepted.collect()
    }

    pub(crate) fn slowest(&self) -> Duration {
        self.answers
            .iter()
            .map(|answer| answer.took)
            .max()
            .unwrap_or_default()
    }
}

/// 10 small events with an id that no other event has.
pub(crate) fn numbered(connection: usize, batch: usize) -> Vec<String> {
    (0..10)
        .map(|place| {
            format!(r#"{{"id":"{connection}-{batch}-{place}","text":"订单 \"{batch}\""}}"#)
        })
        .collect()
}
