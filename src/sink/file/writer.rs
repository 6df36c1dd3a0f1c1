//! The thread that writes: group commit, rolling, and what to do when the disk refuses.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use jiff::Timestamp;

use crate::event::{Reason, Topic};
use crate::sink::file::Spec;
use crate::sink::ledger::{Ledger, Ticket};
use crate::telemetry::clock;

/// How often files are looked at that nobody writes to.
const IDLE: Duration = Duration::from_secs(1);
/// What one commit takes at most, so that the first group of many does not wait for the last.
const COMMIT: usize = 8 << 20;

/// A group to write.
pub(super) struct Job {
    pub(super) topic: Topic,
    pub(super) lines: Vec<u8>,
    pub(super) records: u32,
    pub(super) ticket: Ticket,
}

pub(super) struct Writer {
    spec: Spec,
    ledger: Arc<Ledger>,
    files: HashMap<Topic, Open>,
    made: u32,
}

/// A file that is being written.
struct Open {
    file: File,
    /// What is good: written and, if asked for, synced.
    length: u64,
    opened: Instant,
}

impl Writer {
    pub(super) fn new(spec: Spec, ledger: Arc<Ledger>) -> Self {
        Self {
            spec,
            ledger,
            files: HashMap::new(),
            made: 0,
        }
    }

    /// Writes groups until every sender is gone and the queue is empty.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            match jobs.recv_timeout(IDLE) {
                Ok(first) => self.commit(gather(first, jobs)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let old = self.spec.roll_after;
            self.files.retain(|_, open| open.opened.elapsed() < old);
        }
    }

    fn commit(&mut self, by_topic: HashMap<Topic, Vec<Job>>) {
        for (topic, jobs) in by_topic {
            let written = self.append(&topic, &jobs);
            if let Err(error) = &written {
                let folder = self.spec.folder.display().to_string();
                tracing::error!(folder, %topic, %error, "records not written");
            }
            for job in jobs {
                let taken = if written.is_ok() {
                    Ok(job.records)
                } else {
                    Err(Reason::Unavailable)
                };
                self.ledger.answer(job.ticket, taken);
            }
        }
    }

    /// All groups or none: after an error the file ends where it did before.
    fn append(&mut self, topic: &Topic, jobs: &[Job]) -> io::Result<()> {
        let mut open = self.file(topic)?;
        match open.append(jobs, self.spec.fsync) {
            Ok(()) => {
                if open.length < self.spec.roll_size {
                    self.files.insert(topic.clone(), open);
                }
                Ok(())
            }
            Err(error) => {
                open.cut();
                Err(error)
            }
        }
    }

    fn file(&mut self, topic: &Topic) -> io::Result<Open> {
        match self.files.remove(topic) {
            Some(open) => Ok(open),
            None => self.begin(topic),
        }
    }

    fn begin(&mut self, topic: &Topic) -> io::Result<Open> {
        let folder = self.spec.folder.join(topic.as_str());
        make_folder(&folder)?;
        let time = Timestamp::try_from(clock::now()).map_err(io::Error::other)?;
        loop {
            self.made += 1;
            let name = format!("{}-{:06}.jsonl", time.strftime("%Y%m%dT%H%M%SZ"), self.made);
            match OpenOptions::new()
                .append(true)
                .create_new(true)
                .open(folder.join(name))
            {
                Ok(file) => {
                    sync_folder(&folder)?;
                    return Ok(Open {
                        file,
                        length: 0,
                        opened: Instant::now(),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Open {
    fn append(&mut self, jobs: &[Job], fsync: bool) -> io::Result<()> {
        let mut length = self.length;
        for job in jobs {
            self.file.write_all(&job.lines)?;
            length += job.lines.len() as u64;
        }
        if fsync {
            self.file.sync_data()?;
        }
        self.length = length;
        Ok(())
    }

    /// Takes back what was not answered as written. If that fails too, a reader may find records
    /// twice, or half a line at the end of this file; none that was answered is touched.
    fn cut(&self) {
        if let Err(error) = self
            .file
            .set_len(self.length)
            .and_then(|()| self.file.sync_data())
        {
            tracing::error!(%error, "a file that could not be written could not be cut either");
        }
    }
}

fn gather(first: Job, jobs: &Receiver<Job>) -> HashMap<Topic, Vec<Job>> {
    let mut size = 0;
    let mut by_topic: HashMap<Topic, Vec<Job>> = HashMap::new();
    let mut next = Some(first);
    while let Some(job) = next {
        size += job.lines.len();
        by_topic.entry(job.topic.clone()).or_default().push(job);
        next = (size < COMMIT).then(|| jobs.try_recv().ok()).flatten();
    }
    by_topic
}

/// Makes the folder, and makes its name durable.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    folder.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Whether files can be made in the folder.
pub(super) fn probe(folder: &Path) -> io::Result<()> {
    make_folder(folder)?;
    let probe = folder.join(format!(".weir-probe-{}", std::process::id()));
    File::create(&probe)?.sync_all()?;
    match std::fs::remove_file(probe) {
        // Another producer for the same folder was asked at the same time.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
