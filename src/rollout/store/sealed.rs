//! Files that are whole or not there: written beside their name, synced, renamed, and the folder
//! synced. A record carries the SHA-256 of its own text, so that damage is seen.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::document::digest::Checksum;
use crate::rollout::store::Error;

/// How the name of a file ends that is being written.
const UNFINISHED: &str = ".unfinished";

/// Writes a file so that after a crash the old or the new content stands there, whole.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let written = || -> io::Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(UNFINISHED);
        let beside = PathBuf::from(beside);
        let mut file = File::create(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder(path)
    };
    written().map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

/// Removes a file; one that is not there is removed already.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::remove_file(path) {
        Ok(()) => sync_folder(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Removes what a crash left half written.
pub(super) fn sweep(folder: &Path) {
    for name in names(folder) {
        if name.ends_with(UNFINISHED) {
            // What cannot be removed is overwritten by the next write of that name.
            let _left = fs::remove_file(folder.join(name));
        }
    }
}

/// The names in a folder; none where it cannot be listed.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let name = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
    entries.filter_map(name).collect()
}

/// Writes a record: its JSON in one line, and the SHA-256 of that line in the next.
pub(super) fn write_record(path: &Path, record: &impl Serialize) -> Result<(), Error> {
    let json = serde_json::to_string(record).map_err(|error| Error::Write {
        path: path.to_owned(),
        source: error.into(),
    })?;
    let sha256 = Checksum::of(json.as_bytes());
    write(path, format!("{json}\n{sha256}\n").as_bytes())
}

/// Reads a record; `None` if there is none.
pub(super) fn read_record<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let Some(bytes) = read(path)? else {
        return Ok(None);
    };
    let corrupt = |why: &str| Error::Corrupt {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let text = String::from_utf8(bytes).map_err(|_| corrupt("it is not UTF-8"))?;
    let mut lines = text.lines();
    let (Some(json), Some(sha256), None) = (lines.next(), lines.next(), lines.next()) else {
        return Err(corrupt("it is not a record and its digest"));
    };
    if sha256.parse() != Ok(Checksum::of(json.as_bytes())) {
        return Err(corrupt("its digest does not fit it"));
    }
    let record = serde_json::from_str(json).map_err(|error| corrupt(&error.to_string()))?;
    Ok(Some(record))
}

/// Reads a file; `None` if it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read {
            path: path.to_owned(),
            source,
        }),
    }
}
