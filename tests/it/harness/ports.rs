//! Free ports on loopback, each given out once: below the range that the system takes for outgoing
//! connections, and from a place that differs by process, so that two runs rarely meet.

use std::net::TcpListener;
use std::sync::Mutex;

const FIRST: u16 = 12_000;
const COUNT: u16 = 19_000;

static NEXT: Mutex<Option<u16>> = Mutex::new(None);

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
