//! A load from this process: connections that each send prepared requests one after another, for a
//! bounded time. The requests are bytes made beforehand, so that sending costs little.
//!
//! A few threads drive all connections: with a thread for each of them the kernel would wake one for
//! every reply, and bill that to the process under measurement.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Threads that drive the connections.
const THREADS: usize = 4;

/// What was answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answered {
    pub(crate) requests: u64,
    /// Requests whose status was not 200.
    pub(crate) failed: u64,
    /// From sending to the whole reply, shortest first.
    pub(crate) times: Vec<Duration>,
}

impl Answered {
    /// The time within which this share of the requests was answered.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a position in a list that fits into memory"
        )]
        let position = (self.times.len() as f64 * share) as usize;
        let last = self.times.len().saturating_sub(1);
        self.times
            .get(position.min(last))
            .copied()
            .unwrap_or_default()
    }
}

/// A request as bytes: `POST path` with this body.
pub(crate) fn request(path: &str, body: &[u8], gzip: bool) -> Vec<u8> {
    let encoding = if gzip {
        "Content-Encoding: gzip\r\n"
    } else {
        ""
    };
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
         X-Weir-Key: bench-key\r\nX-Forwarded-For: 192.0.2.200\r\n{encoding}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends every request once.
pub(crate) fn once(address: &str, requests: &[Vec<u8>]) {
    let mut stream = TcpStream::connect(address).expect("the gateway listens");
    let mut buffer = vec![0; 64 * 1024];
    for request in requests {
        stream.write_all(request).expect("the gateway reads");
        assert!(
            answered_well(&mut stream, &mut buffer),
            "a request of the warm-up failed"
        );
    }
}

/// Sends from `connections` connections for this long. Each begins elsewhere in the requests.
pub(crate) fn send(
    address: &str,
    requests: &[Vec<u8>],
    connections: usize,
    time: Duration,
) -> Answered {
    let failed = AtomicU64::new(0);
    let times = Mutex::new(Vec::new());
    let end = Instant::now() + time;
    let threads = THREADS.min(connections);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (failed, times) = (&failed, &times);
            scope.spawn(move || {
                let mut streams: Vec<_> = (thread..connections)
                    .step_by(threads)
                    .map(|number| {
                        let begin = number * requests.len() / connections;
                        let requests = requests.iter().cycle().skip(begin);
                        (connect(address), requests, Instant::now())
                    })
                    .collect();
                let mut buffer = vec![0; 64 * 1024];
                let mut last = false;
                let mut took = Vec::new();
                for (stream, requests, begun) in &mut streams {
                    *begun = Instant::now();
                    ask(stream, requests.next());
                }
                while !last {
                    last = Instant::now() >= end;
                    for (stream, requests, begun) in &mut streams {
                        if !answered_well(stream, &mut buffer) {
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                        let now = Instant::now();
                        took.push(now - *begun);
                        if !last {
                            *begun = now;
                            ask(stream, requests.next());
                        }
                    }
                }
                times.lock().expect("no thread panics").extend(took);
            });
        }
    });
    let mut times = times.into_inner().expect("no thread panics");
    times.sort_unstable();
    Answered {
        requests: times.len() as u64,
        failed: failed.into_inner(),
        times,
    }
}

fn ask(stream: &mut TcpStream, request: Option<&Vec<u8>>) {
    let request = request.expect("requests go round");
    stream.write_all(request).expect("the gateway reads");
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the gateway listens");
    stream.set_nodelay(true).expect("a socket option");
    stream
}

/// Reads one reply; whether its status is 200.
fn answered_well(stream: &mut TcpStream, buffer: &mut [u8]) -> bool {
    let mut read = 0;
    loop {
        let bytes = stream
            .read(&mut buffer[read..])
            .expect("the gateway answers");
        assert!(bytes > 0, "the gateway closed the connection");
        read += bytes;
        let reply = &buffer[..read];
        if let Some(end) = memchr::memmem::find(reply, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&reply[..end]).to_ascii_lowercase();
            let length = head
                .split("content-length: ")
                .nth(1)
                .expect("a reply with its length");
            let length: usize = length
                .split("\r\n")
                .next()
                .and_then(|n| n.parse().ok())
                .expect("a length");
            if read >= end + 4 + length {
                return head.starts_with("http/1.1 200");
            }
        }
    }
}
