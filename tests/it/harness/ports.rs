//! Free ports on loopback, each given out once: below the range that the system takes for outgoing
//! connections, and from a place that differs by process, so that two runs rarely meet.

use std::net::TcpListener;
use std::sync::Mutex;

const FIRST: u16 = 12_000;
const COUNT: u16 = 19_000;
const NACOS: u16 = 4_000;

static NEXT: Mutex<Option<u16>> = Mutex::new(None);

/// A port whose neighbour is free as well, and those that a Nacos on it also takes: 1000 above (two
/// of them) and 1000 below. They lie below the others, so that they never meet.
pub(crate) fn free_nacos() -> u16 {
    static NEXT: Mutex<u16> = Mutex::new(0);
    let mut next = NEXT.lock().unwrap();
    let process = u16::try_from(std::process::id() % 25).unwrap();
    loop {
        let port = NACOS + (process * 40 + *next) % 1000;
        *next += 2;
        let ports = [port, port + 1, port + 1000, port + 1001, port - 1000];
        let mut listeners = ports
            .iter()
            .map(|port| TcpListener::bind(("127.0.0.1", *port)));
        if listeners.all(|listener| listener.is_ok()) {
            return port;
        }
    }
}

/// The first of `count` neighbouring ports that nobody listens on.
pub(crate) fn free(count: u16) -> u16 {
    let mut next = NEXT.lock().unwrap();
    let mut at = next.unwrap_or_else(start);
    loop {
        if at + count > FIRST + COUNT {
            at = FIRST;
        }
        let block = at..at + count;
        at += count;
        if block
            .clone()
            .all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        {
            *next = Some(at);
            return block.start;
        }
    }
}

fn start() -> u16 {
    let process = u16::try_from(std::process::id() % 190).unwrap();
    FIRST + process * 100
}
