//! How entries stand in Redis.
//!
//! ```text
//! bucketed   hash   'w' · generation · 'b' · bits · bucket (3 bytes)   field: bytes 2 to 11 of the key
//! plain      string 'w' · generation · 'p' · key (12 bytes)
//! strangers  string 'w' · generation · 'g' · day (2 bytes) · key       a count; gone after two days
//! ```
//! The bucket is the first `bits` bits of the key, so that a bucket holds about 64 fields: Redis keeps
//! small hashes in one piece of memory each, which takes a quarter of what plain keys take. Other
//! numbers of bits, and other generations, are other maps.
//!
//! Every command is on one key and atomic, so that it may be sent to a Cluster.

use std::ops::Deref;

use redis::{Pipeline, ServerError, Value};

use crate::device::digest::Key;
use crate::device::entry::Entry;
use crate::device::lookup::{Answer, Command};

/// Changes whenever entries are packed another way.
const GENERATION: u8 = 1;
/// How long counts of strangers are kept, in seconds: longer than the day that they are of.
const STRANGERS_KEPT: u32 = 2 * 86_400;

/// How devices are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Many identifiers in one hash.
    Bucketed {
        /// The number of buckets, as a power of two.
        bits: u8,
    },
    /// A string for each identifier.
    Plain,
}

/// The name of a key in Redis.
pub(super) struct Name {
    bytes: [u8; Name::LONGEST],
    length: usize,
}

impl Name {
    const LONGEST: usize = 17;

    fn of(kind: u8, parts: [&[u8]; 2]) -> Self {
        let mut name = Self {
            bytes: [0; Self::LONGEST],
            length: 0,
        };
        for part in [&[b'w', GENERATION, kind][..], parts[0], parts[1]] {
            let end = name.length + part.len();
            name.bytes[name.length..end].copy_from_slice(part);
            name.length = end;
        }
        name
    }
}

impl Deref for Name {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Where an entry stands: a field, or all of it.
enum Place<'k> {
    Field(Name, &'k [u8]),
    Whole(Name),
}

/// What one node is sent, and what it answers.
///
/// A node that is asked for keys that are only on their way to it must be told so before each of its
/// commands: it knows it for one command alone.
pub(super) struct Writer {
    pub(super) pipeline: Pipeline,
    asking: bool,
    commands: usize,
}

impl Writer {
    pub(super) fn new(asking: bool) -> Self {
        Self {
            pipeline: Pipeline::new(),
            asking,
            commands: 0,
        }
    }

    fn cmd(&mut self, name: &str) -> &mut Pipeline {
        if self.asking {
            self.pipeline.cmd("ASKING");
        }
        self.commands += 1;
        self.pipeline.cmd(name)
    }

    /// The answers to the commands alone.
    pub(super) fn answers(&self, mut values: Vec<Value>) -> Vec<Value> {
        if self.asking {
            let mut at = 0..;
            values.retain(|_| at.next().is_some_and(|at: usize| at % 2 == 1));
        }
        values
    }
}

impl Layout {
    /// Most bits of a key that a bucket is chosen by, and fewest.
    pub const BITS: std::ops::RangeInclusive<u8> = 8..=24;

    /// Buckets for about so many identifiers, with about 64 in each.
    pub fn bucketed(identifiers: u64) -> Self {
        let buckets = (identifiers / 64).max(1);
        // Half of the identifiers more round up.
        let bits = (buckets + buckets / 2).ilog2();
        let bits = u8::try_from(bits).unwrap_or(u8::MAX);
        Self::Bucketed {
            bits: bits.clamp(*Self::BITS.start(), *Self::BITS.end()),
        }
    }

    fn place(self, key: &Key) -> Place<'_> {
        match self {
            Self::Bucketed { bits } => {
                let [a, b, c, ..] = key.0;
                let bucket = u32::from_be_bytes([0, a, b, c]) >> (24 - bits);
                let name = Name::of(b'b', [&[bits], &bucket.to_be_bytes()[1..]]);
                Place::Field(name, &key.0[2..])
            }
            Self::Plain => Place::Whole(Name::of(b'p', [&key.0, &[]])),
        }
    }

    /// The key in Redis that a command is on.
    pub(super) fn name(self, command: &Command) -> Name {
        match command {
            Command::Meet(key, day) => strangers(key, *day),
            Command::Get(key) | Command::Claim(key, _) | Command::Put(key, _) => {
                match self.place(key) {
                    Place::Field(name, _) | Place::Whole(name) => name,
                }
            }
        }
    }

    /// Appends a command as those of Redis; says how many.
    pub(super) fn write(self, command: &Command, to: &mut Writer) -> usize {
        let before = to.commands;
        match (command, self.place(&command.key())) {
            (Command::Get(_), Place::Field(name, field)) => {
                to.cmd("HGET").arg(&*name).arg(field);
            }
            (Command::Get(_), Place::Whole(name)) => {
                to.cmd("GET").arg(&*name);
            }
            (Command::Claim(_, entry), Place::Field(name, field)) => {
                let entry = entry.encode();
                to.cmd("HSETNX").arg(&*name).arg(field).arg(entry);
                to.cmd("HGET").arg(&*name).arg(field);
            }
            (Command::Claim(_, entry), Place::Whole(name)) => {
                let set = to.cmd("SET").arg(&*name).arg(entry.encode());
                set.arg("NX").arg("GET");
            }
            (Command::Put(_, entry), Place::Field(name, field)) => {
                to.cmd("HSET").arg(&*name).arg(field).arg(entry.encode());
            }
            (Command::Put(_, entry), Place::Whole(name)) => {
                to.cmd("SET").arg(&*name).arg(entry.encode());
            }
            (Command::Meet(key, day), _) => {
                let name = strangers(key, *day);
                to.cmd("INCR").arg(&*name);
                to.cmd("EXPIRE").arg(&*name).arg(STRANGERS_KEPT);
            }
        }
        to.commands - before
    }

    /// What Redis' answers to a command mean.
    pub(super) fn read<'v>(
        self,
        command: &Command,
        values: &'v [Value],
    ) -> Result<Answer, &'v ServerError> {
        let error = values.iter().find_map(|value| match value {
            Value::ServerError(error) => Some(error),
            _ => None,
        });
        if let Some(error) = error {
            return Err(error);
        }
        Ok(match (command, self, values) {
            (Command::Get(_), _, [value]) => entry(value),
            (Command::Claim(..), Self::Bucketed { .. }, [Value::Int(1), _]) => Answer::Entry(None),
            (Command::Claim(..), Self::Bucketed { .. }, [_, value]) => match entry(value) {
                // Somebody deleted it in between.
                Answer::Entry(None) => Answer::Failed,
                other => other,
            },
            (Command::Claim(..), Self::Plain, [value]) => entry(value),
            (Command::Put(..), _, _) => Answer::Done,
            (Command::Meet(..), _, [Value::Int(met), _]) => {
                Answer::Count(u32::try_from(*met).unwrap_or(u32::MAX))
            }
            _ => Answer::Failed,
        })
    }
}

fn strangers(key: &Key, day: u16) -> Name {
    Name::of(b'g', [&day.to_be_bytes(), &key.0])
}

fn entry(value: &Value) -> Answer {
    match value {
        Value::Nil => Answer::Entry(None),
        Value::BulkString(packed) => {
            let entry = Entry::decode(packed);
            entry.map_or(Answer::Failed, |entry| Answer::Entry(Some(entry)))
        }
        _ => Answer::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_about_64_identifiers() {
        for (identifiers, bits) in [(1, 8), (3_000_000, 16), (30_000_000, 19), (u64::MAX, 24)] {
            assert_eq!(Layout::bucketed(identifiers), Layout::Bucketed { bits });
        }
    }

    #[test]
    fn names_tell_layout_generation_and_bucket_and_no_key_is_lost() {
        let key = Key([0xab, 0xcd, 0xef, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        let name = |layout: Layout| layout.name(&Command::Get(key));
        assert_eq!(
            *name(Layout::Bucketed { bits: 20 }),
            [b'w', 1, b'b', 20, 0x0a, 0xbc, 0xde]
        );
        assert_eq!(name(Layout::Plain)[3..], key.0);
        let Place::Field(_, field) = (Layout::Bucketed { bits: 16 }).place(&key) else {
            panic!("a bucket has fields");
        };
        assert_eq!(*field, key.0[2..], "the first two bytes are the bucket");
    }

    #[test]
    fn a_node_that_only_receives_a_key_is_told_so_before_every_command() {
        let key = Key([7; 12]);
        let entry = Entry::decode(&key.0).unwrap();
        let (claim, meet) = (Command::Claim(key, entry), Command::Meet(key, 1));
        let mut told = Writer::new(true);
        let layout = Layout::Bucketed { bits: 16 };
        let counts = [claim, meet].map(|command| layout.write(&command, &mut told));
        let names: Vec<_> = told
            .pipeline
            .cmd_iter()
            .map(|command| name_of(&command.args_iter().next().unwrap()))
            .collect();
        let expected = ["HSETNX", "HGET", "INCR", "EXPIRE"].map(|name| ["ASKING", name]);
        assert_eq!(names, expected.concat());
        assert_eq!(counts, [2, 2]);
        let values = (0..8).map(Value::Int).collect();
        assert_eq!(told.answers(values), [1, 3, 5, 7].map(Value::Int));
    }

    fn name_of(argument: &redis::Arg<&[u8]>) -> String {
        match argument {
            redis::Arg::Simple(name) => String::from_utf8(name.to_vec()).unwrap(),
            _ => String::new(),
        }
    }

    #[test]
    fn an_error_among_the_answers_is_told() {
        let told = redis::parse_redis_value(b"-MOVED 7 127.0.0.1:1\r\n").unwrap();
        let claim = Command::Get(Key([0; 12]));
        let values = [told];
        let error = Layout::Plain.read(&claim, &values).unwrap_err();
        assert_eq!(error.code(), "MOVED");
    }
}
