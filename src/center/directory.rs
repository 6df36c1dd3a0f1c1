//! Documents in a directory: a file is named by its dataId and an ending (`weir.index.yaml`,
//! `weir.repo.events.json`). Other files are not looked at.
//!
//! The operating system's notices are only nudges: whoever is nudged reads the whole directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use crate::center::{Contents, Unreadable};

/// The largest document, in bytes.
const MAX_BYTES: u64 = 2 * 1024 * 1024;
const PREFIX: &str = "weir.";
const ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// A directory of documents.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    nudge: Arc<Notify>,
    /// Ends its notices when dropped.
    _watcher: Option<RecommendedWatcher>,
}

/// Why a directory is no source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be listed.
    #[error("list the documents in {path}")]
    List {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Directory {
    /// A directory that can be listed, watched from now on. Where the system gives no notices,
    /// changes are found by the timer of whoever reads.
    pub fn open(root: &Path) -> Result<Self, Error> {
        list(root)?;
        let nudge = Arc::new(Notify::new());
        let watcher = watch(root, Arc::clone(&nudge))
            .inspect_err(|error| {
                tracing::warn!(path = %root.display(), %error, "directory is not watched, only polled");
            })
            .ok();
        Ok(Self {
            root: root.to_owned(),
            nudge,
            _watcher: watcher,
        })
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Waits until something may have changed since the last call.
    pub async fn nudged(&self) {
        self.nudge.notified().await;
    }

    /// Reads every document. Blocking.
    pub fn read(&self) -> Result<Contents, Error> {
        read(&self.root)
    }
}

/// Reads every document of a directory. Blocking.
pub fn read(root: &Path) -> Result<Contents, Error> {
    let mut contents = Contents::new();
    for path in list(root)? {
        let Some(data_id) = data_id(&path) else {
            continue;
        };
        let content = content(&path);
        contents
            .entry(data_id.to_owned())
            .and_modify(|known| {
                let message = "two files have this dataId with different endings; remove one";
                *known = Err(Unreadable(message.to_owned()));
            })
            .or_insert(content);
    }
    Ok(contents)
}

fn watch(root: &Path, nudge: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading must not nudge us to read again.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            nudge.notify_one();
        }
    })?;
    watcher.watch(root, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

fn list(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut paths: Vec<_> = fs::read_dir(root)?
            .map(|entry| entry.map(|e| e.path()))
            .collect::<Result<_, _>>()?;
        paths.sort();
        Ok(paths)
    };
    list().map_err(|source| Error::List {
        path: root.to_owned(),
        source,
    })
}

fn data_id(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let data_id = ENDINGS
        .iter()
        .find_map(|ending| name.strip_suffix(ending))?;
    (data_id.starts_with(PREFIX) && !path.is_dir()).then_some(data_id)
}

fn content(path: &Path) -> Result<String, Unreadable> {
    let unreadable = |error: io::Error| Unreadable(format!("cannot be read: {error}"));
    let bytes = fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MAX_BYTES {
        let most = MAX_BYTES / 1024 / 1024;
        return Err(Unreadable(format!(
            "is {bytes} bytes, and a document is at most {most} MiB; split it"
        )));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|error| {
        Unreadable(format!(
            "is not UTF-8 at byte {}",
            error.utf8_error().valid_up_to()
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn files_are_named_by_data_id_and_ending() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
        write("weir.index.yaml", b"version: 1");
        write("weir.repo.a.json", b"{}");
        write("weir.repo.b.json", b"{}");
        write("weir.repo.b.yml", b"{}");
        write("weir.repo.c.yaml", b"\xff");
        write("weir.repo.d.yaml", &vec![b' '; 5 * 1024 * 1024]);
        write("notes.yaml", b"");
        write("weir.repo.a.json.swp", b"");
        let contents = read(folder.path()).unwrap();
        let names: Vec<_> = contents.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "weir.index",
                "weir.repo.a",
                "weir.repo.b",
                "weir.repo.c",
                "weir.repo.d"
            ]
        );
        assert_eq!(contents["weir.index"], Ok("version: 1".to_owned()));
        assert!(
            contents["weir.repo.b"]
                .as_ref()
                .unwrap_err()
                .0
                .contains("two files")
        );
        assert!(
            contents["weir.repo.c"]
                .as_ref()
                .unwrap_err()
                .0
                .contains("UTF-8")
        );
        assert!(
            contents["weir.repo.d"]
                .as_ref()
                .unwrap_err()
                .0
                .contains("at most 2 MiB")
        );
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        assert!(matches!(
            Directory::open(Path::new("/nowhere")),
            Err(Error::List { .. })
        ));
    }

    #[tokio::test]
    async fn a_changed_file_nudges() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        fs::write(folder.path().join("weir.index.yaml"), "version: 1").unwrap();
        tokio::time::timeout(Duration::from_secs(20), directory.nudged())
            .await
            .unwrap();
    }
}
