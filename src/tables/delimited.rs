//! CSV files: `network,value,…` or `start,end,value,…`.
//!
//! The first line may be a header (its first cell is no address). Addresses are written as such or
//! as integers (below 2^32: IPv4). A network may be a single address. Lines that start with `#`
//! are comments.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use csv::StringRecord;
use ipnet::IpNet;

use crate::tables::Problem;
use crate::tables::ranges::Ranges;
use crate::tables::rows::RowsBuilder;

/// Adds the file's ranges and rows.
pub(crate) fn parse(
    content: &[u8],
    columns: &[String],
    rows: &mut RowsBuilder,
    ranges: &mut Ranges,
) -> Result<(), Problem> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(content);
    let mut record = StringRecord::new();
    let mut layout = None;
    let mut header = None;
    while reader
        .read_record(&mut record)
        .map_err(|error| csv_problem(&error, content))?
    {
        let place = Place {
            content,
            byte: record.position().map_or(0, csv::Position::byte),
        };
        if layout.is_none() && header.is_none() && !starts_with_address(&record) {
            header = Some(record.clone());
            continue;
        }
        let layout = match &layout {
            Some(layout) => layout,
            None => layout.insert(Layout::new(&record, header.as_ref(), columns)?),
        };
        layout.check_width(&record, place)?;
        let (first, last) = layout.form.range(&record, place)?;
        layout
            .cells
            .iter()
            .for_each(|&cell| rows.push_text(&record[cell]));
        let row = rows.finish_row();
        ranges
            .push(first, last, row)
            .map_err(|_| families(&record, place))?;
    }
    Ok(())
}

/// How each line of a file is read; decided by its first lines.
struct Layout {
    form: Form,
    /// Where each column of the table stands.
    cells: Vec<usize>,
    /// Cells of a line.
    width: usize,
    with_header: bool,
}

/// How a line says which addresses it is about.
#[derive(Clone, Copy)]
enum Form {
    /// `1.2.3.0/24`, or one address.
    Network,
    /// `1.2.3.0,1.2.3.255`
    Addresses,
    /// `16909056,16909311`
    Integers,
}

impl Layout {
    fn new(
        first: &StringRecord,
        header: Option<&StringRecord>,
        columns: &[String],
    ) -> Result<Self, Problem> {
        let form = Form::of(first);
        let Some(header) = header else {
            let cells: Vec<usize> = (form.width()..form.width() + columns.len()).collect();
            let width = form.width() + columns.len();
            return Ok(Self {
                form,
                cells,
                width,
                with_header: false,
            });
        };
        let find = |column: &String| {
            let place = header
                .iter()
                .skip(form.width())
                .position(|name| name == column);
            place
                .map(|place| place + form.width())
                .ok_or_else(|| Problem::Column {
                    column: column.clone(),
                    known: header
                        .iter()
                        .skip(form.width())
                        .map(str::to_owned)
                        .collect(),
                })
        };
        let cells = columns.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Self {
            form,
            cells,
            width: header.len(),
            with_header: true,
        })
    }

    fn check_width(&self, record: &StringRecord, place: Place<'_>) -> Result<(), Problem> {
        let found = record.len();
        if found == self.width {
            return Ok(());
        }
        if self.with_header {
            return Err(Problem::Cells {
                line: place.line(),
                found,
                expected: self.width,
            });
        }
        let network = self.form.width();
        let (found, expected) = (found.saturating_sub(network), self.width - network);
        Err(Problem::Count {
            line: place.line(),
            found,
            expected,
        })
    }
}

impl Form {
    fn of(record: &StringRecord) -> Self {
        let is_address =
            |cell: Option<&str>| cell.is_some_and(|cell| cell.parse::<IpAddr>().is_ok());
        let is_integer = |cell: Option<&str>| cell.is_some_and(|cell| cell.parse::<u128>().is_ok());
        let (first, second) = (record.get(0), record.get(1));
        if is_integer(first) && is_integer(second) {
            Self::Integers
        } else if is_address(first) && is_address(second) {
            Self::Addresses
        } else {
            Self::Network
        }
    }

    fn width(self) -> usize {
        match self {
            Self::Network => 1,
            Self::Addresses | Self::Integers => 2,
        }
    }

    fn range(self, record: &StringRecord, place: Place<'_>) -> Result<(IpAddr, IpAddr), Problem> {
        let problem = |found: &str, expected| Problem::Network {
            line: place.line(),
            found: found.to_owned(),
            expected,
        };
        let (start, end) = match self {
            Self::Network => {
                let cell = &record[0];
                let network = network(cell).ok_or_else(|| problem(cell, "a network"))?;
                return Ok((network.network(), network.broadcast()));
            }
            Self::Addresses => {
                let read = |cell: &str| cell.parse().map_err(|_| problem(cell, "an address"));
                (read(&record[0])?, read(&record[1])?)
            }
            Self::Integers => {
                let read = |cell: &str| integer(cell).ok_or_else(|| problem(cell, "an integer"));
                (read(&record[0])?, read(&record[1])?)
            }
        };
        if start.is_ipv4() == end.is_ipv4() && end < start {
            let (start, end) = (record[0].to_owned(), record[1].to_owned());
            return Err(Problem::Backwards {
                line: place.line(),
                start,
                end,
            });
        }
        Ok((start, end))
    }
}

fn starts_with_address(record: &StringRecord) -> bool {
    record
        .get(0)
        .is_some_and(|cell| network(cell).is_some() || integer(cell).is_some())
}

/// With host bits set it is still the network that they are in.
fn network(cell: &str) -> Option<IpNet> {
    if cell.contains('/') {
        return cell.parse().ok();
    }
    cell.parse::<IpAddr>().ok().map(IpNet::from)
}

fn integer(cell: &str) -> Option<IpAddr> {
    let number: u128 = cell.parse().ok()?;
    Some(match u32::try_from(number) {
        Ok(v4) => Ipv4Addr::from_bits(v4).into(),
        Err(_) => Ipv6Addr::from_bits(number).into(),
    })
}

fn families(record: &StringRecord, place: Place<'_>) -> Problem {
    Problem::Families {
        line: place.line(),
        start: record[0].to_owned(),
        end: record[1].to_owned(),
    }
}

fn csv_problem(error: &csv::Error, content: &[u8]) -> Problem {
    let place = Place {
        content,
        byte: error.position().map_or(0, csv::Position::byte),
    };
    Problem::Csv {
        line: place.line(),
        message: error.to_string(),
    }
}

/// Where a record stands. The parser counts the blank lines and comments before a record as part
/// of it, so the line is counted here, when somebody asks.
#[derive(Clone, Copy)]
struct Place<'a> {
    content: &'a [u8],
    byte: u64,
}

impl Place<'_> {
    fn line(self) -> u64 {
        let start = usize::try_from(self.byte)
            .unwrap_or(usize::MAX)
            .min(self.content.len());
        let (before, mut rest) = self.content.split_at(start);
        let mut line = 1 + memchr::memchr_iter(b'\n', before).count() as u64;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if !(rest[..end].trim_ascii().is_empty() || rest.starts_with(b"#")) {
                break;
            }
            rest = &rest[end + 1..];
            line += 1;
        }
        line
    }
}
