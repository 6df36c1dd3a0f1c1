//! What is added to every event: time of receipt, client address, geo columns, constants.
//!
//! What is the same for all events of a request is written into the batch once, and every event
//! points there. A field that these steps fill is theirs: what the client wrote there is replaced,
//! and taken away where nothing is known. What stands above it and is no object becomes one, or a
//! client could keep the field out.

use std::fmt::Write;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::event::{Batch, EventMut, FieldId, Json, Span};
use crate::pipeline::moment::{self, Unit};
use crate::pipeline::switched::Switched;
use crate::pipeline::{Context, RepoName};
use crate::tables::{ColumnId, Row};

/// The enrich steps of a repo, in order.
#[derive(Debug, Default)]
pub struct Enrich {
    /// Those that are written.
    pub steps: Vec<Step>,
}

/// One step, with the name by which it is switched.
#[derive(Debug)]
pub struct Step {
    /// Unique within the repo.
    pub name: Box<str>,
    /// Cannot be switched off.
    pub locked: bool,
    /// What it adds.
    pub adds: Adds,
}

/// What a step adds.
#[derive(Debug)]
pub enum Adds {
    /// The time of receipt.
    Time {
        /// Where to.
        into: FieldId,
        /// How it is written.
        format: Format,
        /// How far the client's clock is behind.
        skew: Option<Skew>,
    },
    /// The client's address.
    ClientIp {
        /// Where to.
        into: FieldId,
        /// Without the part that names a subscriber.
        masked: bool,
    },
    /// Columns of the IP table.
    Geo {
        /// The field with an address; `None`: the client's address.
        from: Option<FieldId>,
        /// Columns by name, and where they go.
        columns: Vec<(Box<str>, FieldId)>,
    },
    /// Constants, as JSON.
    Constants(Vec<(FieldId, Box<[u8]>)>),
    /// What is known of the instance and the request.
    Instance(Vec<(FieldId, Known)>),
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Seconds since 1970.
    Second,
    /// Milliseconds since 1970.
    Millisecond,
    /// Microseconds since 1970.
    Microsecond,
    /// RFC 3339 with milliseconds, in UTC.
    Rfc3339,
}

/// The time of receipt less the time at which the client says that it sent.
#[derive(Clone, Copy, Debug)]
pub struct Skew {
    /// The client's time.
    pub from: FieldId,
    /// What a number there counts.
    pub unit: Unit,
    /// Where the milliseconds go.
    pub into: FieldId,
}

/// Something that is known of the instance and the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The instance's name.
    Instance,
    /// The repo's name.
    Repo(RepoName),
    /// The revision's digest.
    Revision,
    /// The id of the batch.
    Batch,
    /// The id of the key.
    Key,
}

impl Enrich {
    /// Runs the steps that are switched on.
    pub fn run(&self, switched: &Switched, batch: &mut Batch, context: &Context<'_>) {
        if batch.live() == 0 {
            return;
        }
        for (index, step) in self.steps.iter().enumerate() {
            if switched.enrich.get(index).copied().unwrap_or(true) {
                step.run(batch, context);
            }
        }
    }
}

impl Step {
    fn run(&self, batch: &mut Batch, context: &Context<'_>) {
        match &self.adds {
            Adds::Time { into, format, skew } => {
                add_to_all(batch, *into, &format.write(context.received));
                if let Some(skew) = skew {
                    batch.each(|event| skew.run(event, context.received));
                }
            }
            Adds::ClientIp { into, masked } => {
                let client = context
                    .client
                    .map(|client| if *masked { client.masked() } else { client });
                let text = client.map(|client| format!("\"{client}\""));
                add_to_all(batch, *into, text.unwrap_or_default().as_bytes());
            }
            Adds::Geo { from, columns } => geo(*from, columns, batch, context),
            Adds::Constants(constants) => {
                let constants = constants.iter().map(|(into, json)| (*into, &**json));
                add_several(batch, constants);
            }
            Adds::Instance(fields) => {
                let known = fields.iter();
                add_several(
                    batch,
                    known.map(|(into, known)| (*into, known.write(context))),
                );
            }
        }
    }
}

impl Format {
    fn write(self, time: Timestamp) -> Vec<u8> {
        let number = match self {
            Self::Second => time.as_second(),
            Self::Millisecond => time.as_millisecond(),
            Self::Microsecond => time.as_microsecond(),
            Self::Rfc3339 => return format!("\"{time:.3}\"").into_bytes(),
        };
        number.to_string().into_bytes()
    }
}

impl Skew {
    fn run(self, event: &mut EventMut<'_>, received: Timestamp) {
        let sent = event
            .get(self.from)
            .and_then(|value| moment::read(value, self.unit));
        let Some(sent) = sent else {
            event.remove(self.into);
            return;
        };
        let behind = received.as_millisecond() - sent.as_millisecond();
        let mut text = Digits::default();
        let written = write!(text, "{behind}");
        debug_assert!(written.is_ok(), "a number of 64 bits has at most 20 digits");
        event.make_room(self.into);
        event.set(self.into, |_, out| out.extend_from_slice(text.bytes()));
    }
}

/// A number of 64 bits as text, without an allocation.
#[derive(Default)]
struct Digits {
    text: [u8; 20],
    len: usize,
}

impl Digits {
    fn bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.text.get_mut(self.len..self.len + text.len());
        room.ok_or(std::fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

impl Known {
    fn write(&self, context: &Context<'_>) -> Vec<u8> {
        let text = match self {
            Self::Instance => Some(context.instance),
            Self::Repo(repo) => Some(repo.as_str()),
            Self::Revision => Some(context.revision),
            Self::Batch => Some(context.batch),
            Self::Key => context.key,
        };
        let mut json = Vec::new();
        if let Some(text) = text {
            Json::write_str(&mut json, text);
        }
        json
    }
}

/// Writes the value once and lets every event point there; an empty one takes the field away.
fn add_to_all(batch: &mut Batch, into: FieldId, json: &[u8]) {
    let shared = batch.share(json);
    batch.each(|event| add(event, into, shared));
}

/// The same for several fields.
fn add_several<J: AsRef<[u8]>>(batch: &mut Batch, values: impl Iterator<Item = (FieldId, J)>) {
    let share = |(into, json): (FieldId, J)| (into, batch.share(json.as_ref()));
    let shared: Vec<_> = values.map(share).collect();
    batch.each(|event| {
        event.together(|event| {
            for (into, value) in &shared {
                add(event, *into, *value);
            }
        });
    });
}

fn add(event: &mut EventMut<'_>, into: FieldId, value: Span) {
    if value.is_empty() {
        event.remove(into);
    } else {
        event.claim(into, value);
    }
}

fn geo(
    from: Option<FieldId>,
    columns: &[(Box<str>, FieldId)],
    batch: &mut Batch,
    context: &Context<'_>,
) {
    match (context.geo, from) {
        (Some(fixed), _) => {
            let json = |(name, into): &(Box<str>, FieldId)| {
                let json = fixed.get(&**name).filter(|value| !value.is_null());
                (*into, json.map(ToString::to_string).unwrap_or_default())
            };
            add_several(batch, columns.iter().map(json));
        }
        (None, None) => {
            let table = context.tables.ip.as_deref();
            let row = table.and_then(|table| table.lookup(context.client?.get()));
            let column = |(name, into): &(Box<str>, FieldId)| {
                let id = table.and_then(|table| table.column(name));
                (*into, value(row, id))
            };
            add_several(batch, columns.iter().map(column));
        }
        (None, Some(from)) => geo_of_field(from, columns, batch, context),
    }
}

fn geo_of_field(
    from: FieldId,
    columns: &[(Box<str>, FieldId)],
    batch: &mut Batch,
    context: &Context<'_>,
) {
    let table = context.tables.ip.as_deref();
    let columns: Vec<_> = columns
        .iter()
        .map(|(name, into)| (table.and_then(|table| table.column(name)), *into))
        .collect();
    batch.each(|event| {
        let row = table.and_then(|table| table.lookup(address(event.get(from)?)?));
        event.together(|event| {
            for (id, into) in &columns {
                let json = value(row, *id);
                if json.is_empty() {
                    event.remove(*into);
                } else {
                    event.make_room(*into);
                    event.set(*into, |_, out| out.extend_from_slice(json));
                }
            }
        });
    });
}

fn address(value: Json<'_>) -> Option<IpAddr> {
    value.as_str()?.trim().parse().ok()
}

fn value(row: Option<Row<'_>>, column: Option<ColumnId>) -> &[u8] {
    row.zip(column)
        .and_then(|(row, column)| row.column(column))
        .unwrap_or_default()
}
