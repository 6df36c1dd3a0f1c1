//! Which node of a Cluster has which key.
//!
//! Slot = CRC16 (XMODEM) of the key modulo 16,384; of a key with `{…}` in it, of what stands between
//! the first brace and the next closing one, if that is not empty (the Cluster specification, "Hash
//! tags"). Keys are bytes here, and some have such braces by chance.

use redis::Value;

/// How many slots there are.
pub(super) const SLOTS: usize = 16_384;

/// The slot of a key.
pub(super) fn slot(key: &[u8]) -> usize {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    usize::from(crc16(tag.unwrap_or(key))) % SLOTS
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let mut crc = crc ^ (u16::from(*byte) << 8);
        for _ in 0..8 {
            let carry = crc & 0x8000 != 0;
            crc = (crc << 1) ^ if carry { 0x1021 } else { 0 };
        }
        crc
    })
}

/// The masters of a Cluster by their slots, `(first, last, address)`, from the answer to `CLUSTER
/// SLOTS`. A node that does not know its own address says none: it is the one that was `asked`.
pub(super) fn masters(answer: &Value, asked: &str) -> Option<Vec<(usize, usize, String)>> {
    let Value::Array(ranges) = answer else {
        return None;
    };
    let range = |range: &Value| {
        let Value::Array(parts) = range else {
            return None;
        };
        let [
            Value::Int(first),
            Value::Int(last),
            Value::Array(master),
            ..,
        ] = &parts[..]
        else {
            return None;
        };
        let (host, port) = match &master[..] {
            [host, Value::Int(port), ..] => (text(host), port),
            _ => return None,
        };
        let own = asked.rsplit_once(':').map_or(asked, |(host, _)| host);
        let host = if host.is_empty() || host == "?" {
            own
        } else {
            &host
        };
        let place = |at: i64| usize::try_from(at).ok().filter(|at| *at < SLOTS);
        Some((place(*first)?, place(*last)?, format!("{host}:{port}")))
    };
    ranges.iter().map(range).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot(b"foo"), 12_182);
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        assert_eq!(slot(b"foo{bar}{zap}"), slot(b"bar"));
        assert_eq!(
            usize::from(crc16(b"foo{}{bar}")) % SLOTS,
            slot(b"foo{}{bar}")
        );
    }

    #[test]
    fn masters_are_read_from_the_answer() {
        let range = |first, last, host: &str, port| {
            let host = Value::BulkString(host.as_bytes().to_vec());
            let master = Value::Array(vec![host, Value::Int(port)]);
            Value::Array(vec![Value::Int(first), Value::Int(last), master])
        };
        let answer = Value::Array(vec![range(0, 8191, "a", 1), range(8192, 16_383, "", 2)]);
        let expected = [
            (0, 8191, "a:1".to_owned()),
            (8192, 16_383, "seed:2".to_owned()),
        ];
        assert_eq!(masters(&answer, "seed:1").unwrap(), expected);
        assert_eq!(masters(&Value::Nil, "seed:1"), None);
    }
}
