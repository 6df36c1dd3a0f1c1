//! The IP table: from an address to a row, from a row to values that are JSON text already.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::tables::ColumnId;
use crate::tables::checksum::Checksum;
use crate::tables::ranges::{Ranges, flatten};
use crate::tables::rows::{RowId, Rows, RowsBuilder};
use crate::tables::trie::Trie;

/// An immutable table from addresses to rows. It is a handful of large vectors: dropping it is
/// cheap, but still done off the request path.
#[derive(Debug)]
pub struct IpTable {
    v4: Trie,
    v6: Trie,
    rows: Rows,
    columns: Box<[String]>,
    summary: Summary,
}

/// What the table says about an address.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    rows: &'a Rows,
    id: RowId,
}

/// What a table was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its files, in order.
    pub files: Vec<FileSummary>,
    /// SHA-256 over the columns and the files' digests: equal for equal tables.
    pub digest: Checksum,
    /// Distinct rows.
    pub rows: usize,
    /// IPv4 ranges with a row, after merging.
    pub ranges_v4: usize,
    /// IPv6 ranges with a row, after merging.
    pub ranges_v6: usize,
    /// Memory that it takes.
    pub bytes: usize,
    /// How long it took to read and build.
    pub took: Duration,
}

/// What came from one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSummary {
    /// The file.
    pub path: PathBuf,
    /// Its content.
    pub sha256: Checksum,
    /// Ranges as they stand in it.
    pub ranges: usize,
}

impl IpTable {
    /// The row of the most specific range that holds the address. An IPv4 address written in IPv6
    /// (`::ffff:1.2.3.4`) is that IPv4 address.
    pub fn lookup(&self, address: IpAddr) -> Option<Row<'_>> {
        let id = match address.to_canonical() {
            IpAddr::V4(address) => self.v4.find(&address.octets()),
            IpAddr::V6(address) => self.v6.find(&address.octets()),
        }?;
        Some(Row {
            rows: &self.rows,
            id,
        })
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<ColumnId> {
        self.columns
            .iter()
            .position(|column| column == name)
            .map(ColumnId)
    }

    /// What it was made of.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    pub(crate) fn build(
        columns: &[String],
        files: Vec<FileSummary>,
        rows: RowsBuilder,
        ranges: Ranges,
        started: Instant,
    ) -> Self {
        let rows = rows.build();
        let (v4, ranges_v4) = family(ranges.v4);
        let (v6, ranges_v6) = family(ranges.v6);
        let summary = Summary {
            digest: digest(columns, &files),
            files,
            rows: rows.len(),
            ranges_v4,
            ranges_v6,
            bytes: v4.bytes() + v6.bytes() + rows.bytes(),
            took: started.elapsed(),
        };
        Self {
            v4,
            v6,
            rows,
            columns: columns.into(),
            summary,
        }
    }
}

impl<'a> Row<'a> {
    /// The value as JSON text (a quoted string; a number or boolean if the database has one), or
    /// `None` where it has none.
    pub fn column(self, column: ColumnId) -> Option<&'a [u8]> {
        self.rows.value(self.id, column)
    }
}

fn family(ranges: Vec<crate::tables::ranges::Range>) -> (Trie, usize) {
    let runs = flatten(ranges);
    let filled = runs.iter().filter(|run| run.row.is_some()).count();
    (Trie::build(&runs), filled)
}

fn digest(columns: &[String], files: &[FileSummary]) -> Checksum {
    let mut text = Vec::new();
    for column in columns {
        text.extend_from_slice(column.as_bytes());
        text.push(0);
    }
    for file in files {
        text.extend_from_slice(file.sha256.bytes());
    }
    Checksum::of(&text)
}
