//! Enrichment data loaded whole: the IP table.
//!
//! [`load`] reads the files of a [`Spec`] (CSV or MaxMind's format) into an immutable [`IpTable`]:
//! ranges are flattened so that the most specific wins (`ranges`), their rows are stored once
//! (`rows`), and look-ups go through a table of 16-8-8-… bits (`trie`). Loading blocks: call it
//! where blocking is allowed.

mod checksum;
mod delimited;
mod error;
mod mmdb;
mod ranges;
mod rows;
mod table;
#[cfg(test)]
mod tests;
mod trie;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

pub use checksum::{BadChecksum, Checksum};
pub use error::{Error, Problem};
pub use table::{FileSummary, IpTable, Row, Summary};

use ranges::Ranges;
use rows::RowsBuilder;

/// The largest file that is read. The largest databases on offer are about half of it.
const MAX_FILE: u64 = 1 << 30;

/// The tables of a revision. A table whose files did not change is shared with the revision before.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// The IP table, if the documents declare one.
    pub ip: Option<Arc<IpTable>>,
}

/// Which files make up an IP table, and which of their values it offers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// The files. Where two say something about the same address, the smaller range wins, and
    /// between equal ranges the later file.
    pub files: Vec<FileSpec>,
    /// The columns by name. In a CSV file with a header line they are found by name, without one
    /// by position; in a MaxMind database a name is a path such as `country.iso_code`,
    /// `city.names.en` or `subdivisions.0.iso_code`.
    pub columns: Vec<String>,
}

/// One file of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileSpec {
    /// Where it stands.
    pub path: PathBuf,
    /// If given, only this content is taken.
    pub sha256: Option<Checksum>,
}

/// A column of a table: its position in [`Spec::columns`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnId(usize);

impl Spec {
    /// The same with relative paths looked for in a folder.
    #[must_use]
    pub fn beside(&self, folder: &Path) -> Self {
        let mut spec = self.clone();
        for file in &mut spec.files {
            file.path = folder.join(&file.path);
        }
        spec
    }

    /// The column of that name; known before the table is loaded.
    pub fn column(&self, name: &str) -> Option<ColumnId> {
        self.columns
            .iter()
            .position(|column| column == name)
            .map(ColumnId)
    }
}

/// Reads all files and builds the table. Blocking, and half a second of work for a large database.
pub fn load(spec: &Spec) -> Result<IpTable, Error> {
    let started = Instant::now();
    if spec.files.is_empty() {
        return Err(Error::NoFiles);
    }
    if spec.columns.is_empty() {
        return Err(Error::NoColumns);
    }
    let mut rows = RowsBuilder::new(spec.columns.len());
    let mut ranges = Ranges::default();
    let mut files = Vec::with_capacity(spec.files.len());
    for file in &spec.files {
        files.push(load_file(file, &spec.columns, &mut rows, &mut ranges)?);
    }
    Ok(IpTable::build(&spec.columns, files, rows, ranges, started))
}

/// The digest of a file's content, to notice a change. Blocking.
pub fn checksum(path: &Path) -> Result<Checksum, Error> {
    let read_error = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(read_error)?;
    Checksum::of_reader(file).map_err(read_error)
}

fn load_file(
    file: &FileSpec,
    columns: &[String],
    rows: &mut RowsBuilder,
    ranges: &mut Ranges,
) -> Result<FileSummary, Error> {
    let content = read(&file.path)?;
    let sha256 = Checksum::of(&content);
    if let Some(expected) = file.sha256.filter(|expected| *expected != sha256) {
        return Err(Error::Checksum {
            path: file.path.clone(),
            expected,
            found: sha256,
        });
    }
    let before = ranges.len();
    let parsed = if mmdb::is_mmdb(&content) {
        mmdb::parse(&content, columns, rows, ranges)
    } else {
        delimited::parse(&content, columns, rows, ranges)
    };
    parsed.map_err(|problem| Error::Content {
        path: file.path.clone(),
        problem,
    })?;
    let ranges = ranges.len() - before;
    if ranges == 0 {
        return Err(Error::Content {
            path: file.path.clone(),
            problem: Problem::Empty,
        });
    }
    Ok(FileSummary {
        path: file.path.clone(),
        sha256,
        ranges,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let read_error = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(read_error)?;
    let size = file.metadata().map_err(read_error)?.len();
    let mut content = Vec::with_capacity(usize::try_from(size.min(MAX_FILE)).unwrap_or(0));
    file.take(MAX_FILE + 1)
        .read_to_end(&mut content)
        .map_err(read_error)?;
    if content.len() as u64 > MAX_FILE {
        return Err(Error::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(content)
}
