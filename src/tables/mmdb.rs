//! MaxMind's format: every network of the database, with the values that the columns name.
//!
//! A column is a path into the record, `city.names.en`; a number is a position in a list. Records
//! are shared by many networks and read once each.

use hashbrown::HashMap;
use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader, WithinOptions};
use serde_json::Value;

use crate::tables::Problem;
use crate::tables::ranges::Ranges;
use crate::tables::rows::{RowId, RowsBuilder};

const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// The marker stands within the last 128 KiB.
const MARKER_WITHIN: usize = 128 * 1024;
/// How many paths an error shows.
const SHOWN: usize = 24;

type Found<'a> = LookupResult<'a, &'a [u8]>;

/// Whether the content is such a database.
pub(crate) fn is_mmdb(content: &[u8]) -> bool {
    let tail = &content[content.len().saturating_sub(MARKER_WITHIN)..];
    memchr::memmem::rfind(tail, MARKER).is_some()
}

/// Adds the database's networks and rows.
pub(crate) fn parse(
    content: &[u8],
    columns: &[String],
    rows: &mut RowsBuilder,
    ranges: &mut Ranges,
) -> Result<(), Problem> {
    let reader = Reader::from_source(content).map_err(|error| broken(&error))?;
    let mut columns: Vec<Column<'_>> = columns.iter().map(|name| Column::new(name)).collect();
    let mut known: HashMap<usize, RowId> = HashMap::new();
    let mut sample = None;
    for found in reader
        .networks(WithinOptions::default())
        .map_err(|error| broken(&error))?
    {
        let found = found.map_err(|error| broken(&error))?;
        let Some(offset) = found.offset() else {
            continue;
        };
        sample.get_or_insert(found);
        let row = match known.get(&offset) {
            Some(&row) => row,
            None => {
                for column in &mut columns {
                    column.read(&found, rows)?;
                }
                *known.entry(offset).or_insert(rows.finish_row())
            }
        };
        let network = found.network().map_err(|error| broken(&error))?;
        let network = ipnet::IpNet::new(network.ip(), network.prefix())
            .map_err(|error| Problem::Mmdb(error.to_string()))?;
        ranges
            .push(network.network(), network.broadcast(), row)
            .map_err(|_| Problem::Mmdb("a network of two families".to_owned()))?;
    }
    match (columns.iter().find(|column| !column.seen), sample) {
        (Some(column), Some(sample)) => Err(Problem::Column {
            column: column.name.to_owned(),
            known: paths(&sample)?,
        }),
        _ => Ok(()),
    }
}

struct Column<'a> {
    name: &'a str,
    path: Vec<PathElement<'a>>,
    /// Whether any record has it: a column that none has is a typing error.
    seen: bool,
}

impl<'a> Column<'a> {
    fn new(name: &'a str) -> Self {
        let element = |part: &'a str| match part.parse() {
            Ok(index) => PathElement::Index(index),
            Err(_) => PathElement::Key(part),
        };
        Self {
            name,
            path: name.split('.').map(element).collect(),
            seen: false,
        }
    }

    fn read(&mut self, found: &Found<'_>, rows: &mut RowsBuilder) -> Result<(), Problem> {
        let value = match found.decode_path::<Value>(&self.path) {
            Ok(value) => value,
            // The path goes through something that has no parts: nothing stands there.
            Err(MaxMindDbError::Decoding { .. }) => None,
            Err(error) => return Err(broken(&error)),
        };
        self.seen |= value.is_some();
        match value {
            None | Some(Value::Null) => rows.push_none(),
            Some(Value::String(text)) => rows.push_text(&text),
            Some(Value::Object(_)) => return Err(self.nested("an object", found)),
            Some(Value::Array(_)) => return Err(self.nested("a list", found)),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => {
                rows.push_json(value.to_string().as_bytes());
            }
        }
        Ok(())
    }

    fn nested(&self, what: &'static str, found: &Found<'_>) -> Problem {
        let inside = format!("{}.", self.name);
        let known = paths(found).unwrap_or_default();
        let known = known
            .into_iter()
            .filter(|path| path.starts_with(&inside))
            .collect();
        Problem::Nested {
            column: self.name.to_owned(),
            found: what,
            known,
        }
    }
}

/// The paths of the single values in a record.
fn paths(found: &Found<'_>) -> Result<Vec<String>, Problem> {
    let record: Option<Value> = found.decode().map_err(|error| broken(&error))?;
    let mut paths = Vec::new();
    collect(&record.unwrap_or_default(), "", &mut paths);
    paths.truncate(SHOWN);
    Ok(paths)
}

fn collect(value: &Value, path: &str, paths: &mut Vec<String>) {
    let join = |part: &str| {
        if path.is_empty() {
            part.to_owned()
        } else {
            format!("{path}.{part}")
        }
    };
    match value {
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(key, value)| collect(value, &join(key), paths));
        }
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .for_each(|(index, value)| collect(value, &join(&index.to_string()), paths)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            paths.push(path.to_owned());
        }
    }
}

fn broken(error: &MaxMindDbError) -> Problem {
    Problem::Mmdb(error.to_string())
}
