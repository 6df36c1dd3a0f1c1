//! Why a table could not be loaded: the file, the line, what is wrong and what to do.

use std::path::PathBuf;

use crate::tables::Checksum;

/// Why a table could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The table names no file.
    #[error("the table has no files: name at least one")]
    NoFiles,
    /// The table names no column.
    #[error("the table has no columns: name at least one")]
    NoColumns,
    /// A file cannot be read.
    #[error("read table file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is larger than 1 GiB.
    #[error("table file {} is larger than 1 GiB: split it, or leave out columns", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file is not the one that the document asks for.
    #[error(
        "table file {} has sha256 {found}, but the document asks for {expected}: \
         put the right file there, or change the document",
        path.display()
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// What the document says.
        expected: Checksum,
        /// What the content has.
        found: Checksum,
    },
    /// What stands in a file is wrong.
    #[error("table file {}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: Problem,
    },
}

/// What is wrong with the content of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No range at all: more likely an accident than a wish.
    #[error("no ranges in it: an empty table is never loaded")]
    Empty,
    /// The CSV itself is broken (quotes, encoding).
    #[error("line {line}: not CSV in UTF-8: {message}")]
    Csv {
        /// From 1.
        line: u64,
        /// What the parser says.
        message: String,
    },
    /// No network where one must stand.
    #[error(
        "line {line}: `{found}` is not {expected}: every line must start like the first, \
         with a network (1.2.3.0/24) or with start and end of a range (1.2.3.0,1.2.3.255)"
    )]
    Network {
        /// From 1.
        line: u64,
        /// The cell.
        found: String,
        /// What must stand there.
        expected: &'static str,
    },
    /// A range that ends before it starts.
    #[error("line {line}: the range {start} to {end} ends before it starts: swap the two")]
    Backwards {
        /// From 1.
        line: u64,
        /// Its start as written.
        start: String,
        /// Its end as written.
        end: String,
    },
    /// A range from IPv4 to IPv6.
    #[error("line {line}: the range {start} to {end} starts in IPv4 and ends in IPv6")]
    Families {
        /// From 1.
        line: u64,
        /// Its start as written.
        start: String,
        /// Its end as written.
        end: String,
    },
    /// A line without header has more or fewer values than the table has columns.
    #[error(
        "line {line}: {found} values after the network, but the table names {expected} columns: \
         name as many, or give the file a header line to pick from"
    )]
    Count {
        /// From 1.
        line: u64,
        /// Values in the line.
        found: usize,
        /// Columns of the table.
        expected: usize,
    },
    /// A line is longer or shorter than the header line.
    #[error("line {line}: {found} cells, but the header line has {expected}: is a comma unquoted?")]
    Cells {
        /// From 1.
        line: u64,
        /// Cells in the line.
        found: usize,
        /// Cells in the header line.
        expected: usize,
    },
    /// A column that the file does not have.
    #[error("no column `{column}`: it has {}", list(known))]
    Column {
        /// The column of the table.
        column: String,
        /// What the file has.
        known: Vec<String>,
    },
    /// A column of a MaxMind database that is not one value.
    #[error(
        "column `{column}` holds {found}, not one value: name what stands inside, as {}",
        list(known)
    )]
    Nested {
        /// The column of the table.
        column: String,
        /// What it holds.
        found: &'static str,
        /// Paths that do name a value.
        known: Vec<String>,
    },
    /// The MaxMind database is broken.
    #[error("not a sound MaxMind database: {0}: fetch it again")]
    Mmdb(String),
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
