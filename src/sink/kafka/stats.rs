//! What is kept of the Kafka library's statistics.

use std::collections::HashMap;

use serde::Deserialize;

/// What a client last said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Records in its queues.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Brokers that it is connected to.
    pub brokers_up: usize,
    /// Brokers that it wants to be connected to, and is not.
    pub brokers_down: usize,
    /// Requests that had to be sent again.
    pub retries: u64,
    /// Requests that were never answered.
    pub timeouts: u64,
}

#[derive(Deserialize)]
struct Statistics {
    msg_cnt: u64,
    msg_size: u64,
    brokers: HashMap<String, Broker>,
}

#[derive(Deserialize)]
struct Broker {
    state: String,
    #[serde(default)]
    connects: i64,
    txretries: u64,
    req_timeouts: u64,
}

impl Snapshot {
    /// From the library's JSON; nothing if it has another shape.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let statistics: Statistics = serde_json::from_slice(json).ok()?;
        let mut snapshot = Self {
            records: statistics.msg_cnt,
            bytes: statistics.msg_size,
            ..Self::default()
        };
        for broker in statistics.brokers.values() {
            match broker.state.as_str() {
                "UP" => snapshot.brokers_up += 1,
                // Never tried: the library connects only where it has something to do.
                _ if broker.connects == 0 => {}
                _ => snapshot.brokers_down += 1,
            }
            snapshot.retries += broker.txretries;
            snapshot.timeouts += broker.req_timeouts;
        }
        Some(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_told_apart_by_whether_they_were_ever_wanted() {
        let json = br#"{"msg_cnt":3,"msg_size":90,"more":1,"brokers":{
            "a":{"state":"UP","connects":1,"txretries":1,"req_timeouts":0},
            "b":{"state":"TRY_CONNECT","connects":4,"txretries":0,"req_timeouts":2},
            "c":{"state":"INIT","connects":0,"txretries":0,"req_timeouts":0}}}"#;
        let expected = Snapshot {
            records: 3,
            bytes: 90,
            brokers_up: 1,
            brokers_down: 1,
            retries: 1,
            timeouts: 2,
        };
        assert_eq!(Snapshot::parse(json), Some(expected));
        assert_eq!(Snapshot::parse(b"{}"), None);
    }
}
