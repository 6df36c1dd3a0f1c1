//! Records as JSON Lines in `<folder>/<topic>/<time>-<n>.jsonl`, rolled by size and time.
//!
//! One thread writes. It takes all groups that are there, appends them to their topics' files,
//! syncs each file once, and then answers. A file is never opened again: what a failed write or
//! sync left behind its last good line is cut off, and the next group goes to a new file.

mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::event::{Reason, Topic};
use crate::sink::ledger::{Ledger, Ticket};
use crate::sink::{Done, Error, Message};

use writer::{Job, Writer};

/// How long a disk may take before the breaker opens.
pub(super) const BREAKER_AFTER: Duration = Duration::from_secs(3);

/// Where files are written, and when a new one is begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// The folder; one folder a topic is made in it.
    pub folder: PathBuf,
    /// A file that would grow larger is closed first.
    pub roll_size: u64,
    /// A file that is older is closed.
    pub roll_after: Duration,
    /// Whether a group is synced to the disk before it is answered.
    pub fsync: bool,
    /// The largest record, in bytes.
    pub message_max: u32,
    /// Bytes that each lane may have on the way.
    pub budget: u64,
}

impl Spec {
    /// The defaults, for this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            roll_size: 64 << 20,
            roll_after: Duration::from_secs(600),
            fsync: true,
            message_max: 16 << 20,
            budget: 64 << 20,
        }
    }
}

/// A running writer of files.
pub struct Client {
    folder: PathBuf,
    jobs: Mutex<Option<Sender<Job>>>,
    ended: Mutex<Receiver<()>>,
    ledger: Arc<Ledger>,
}

impl Client {
    /// Starts the writer.
    pub fn start(spec: &Spec) -> Result<Self, Error> {
        let (jobs, queue) = channel();
        let (end, ended) = channel();
        let ledger = Arc::new(Ledger::new());
        let writer = Writer::new(spec.clone(), ledger.clone());
        let run = move || {
            writer.run(&queue);
            // Nobody listens when closing has given up on it.
            end.send(()).ok();
        };
        std::thread::Builder::new()
            .name("file-writer".to_owned())
            .spawn(run)
            .map_err(|source| Error::Thread {
                target: spec.folder.display().to_string(),
                source,
            })?;
        Ok(Self {
            folder: spec.folder.clone(),
            jobs: Mutex::new(Some(jobs)),
            ended: Mutex::new(ended),
            ledger,
        })
    }

    /// Finds out whether the folder can be written. Blocks.
    pub fn answers(&self) -> Result<(), Error> {
        writer::probe(&self.folder).map_err(|source| Error::Folder {
            folder: self.folder.display().to_string(),
            source,
        })
    }

    pub(crate) fn open<'a>(
        &'a self,
        tag: u32,
        topic: &'a Topic,
        done: Done,
    ) -> Result<Group<'a>, Reason> {
        let ticket = self.ledger.open(tag, 1, done)?;
        Ok(Group {
            client: self,
            topic,
            ticket,
            lines: Vec::new(),
            records: 0,
        })
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn close(&self, grace: Duration, reason: Reason) -> usize {
        // With its last sender gone the writer finishes what is queued, and ends.
        drop(lock(&self.jobs).take());
        if lock(&self.ended).recv_timeout(grace).is_err() {
            tracing::error!(folder = %self.folder.display(), "files not written in time");
        }
        self.ledger.shut(reason)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// An open group of records; dropping it hands it to the writer.
#[derive(Debug)]
pub struct Group<'a> {
    client: &'a Client,
    topic: &'a Topic,
    ticket: Ticket,
    lines: Vec<u8>,
    records: u32,
}

impl Group<'_> {
    pub(crate) fn add(&mut self, message: &Message<'_>) {
        let begin = self.lines.len();
        self.lines.extend_from_slice(message.payload);
        // An event of an array may stand on several lines. Outside of its strings a line feed is
        // white space, and inside of them it cannot stand as it is.
        if memchr::memchr2(b'\n', b'\r', message.payload).is_some() {
            for byte in &mut self.lines[begin..] {
                if matches!(*byte, b'\n' | b'\r') {
                    *byte = b' ';
                }
            }
        }
        self.lines.push(b'\n');
        self.records += 1;
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        self.client.ledger.handed(self.ticket, self.records);
        let job = Job {
            topic: self.topic.clone(),
            lines: std::mem::take(&mut self.lines),
            records: self.records,
            ticket: self.ticket,
        };
        let jobs = lock(&self.client.jobs);
        let sent = jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        drop(jobs);
        if !sent {
            self.client.ledger.answer(self.ticket, Err(Reason::Closing));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
