//! The map on a Redis, single or Cluster, that all instances share.
//!
//! A round of a look-up is one pipeline to each node that it concerns, and all rounds of a request
//! together have one deadline. A node that misses it several times, or is not connected, is asked
//! nothing until its keeper has seen it answer ([`node`], [`keeper`]): a request never waits for a
//! connection. Whatever is not answered leaves its devices `degraded`.

mod keeper;
mod layout;
mod node;
mod servers;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::device::lookup::{Command, Lookup};
use crate::device::redis::servers::Servers;
use crate::device::{Error, Opener};
use crate::secret::Reference;
use crate::tasks::Drained;

pub use layout::Layout;

/// A Redis, as compiled from the tables document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// `host:port` of the server, or of some nodes of the Cluster.
    pub nodes: Vec<Box<str>>,
    /// Whether it is a Cluster.
    pub cluster: bool,
    /// Whether connections are encrypted.
    pub tls: bool,
    /// Who logs in, if not the default user.
    pub username: Option<Box<str>>,
    /// With what.
    pub password: Option<Reference>,
    /// How devices are laid out.
    pub layout: Layout,
    /// How long a request may wait for the map.
    pub deadline: Duration,
}

/// The map.
#[derive(Debug)]
pub(super) struct Redis {
    layout: Layout,
    deadline: Duration,
    servers: Arc<Servers>,
    /// What is written without being waited for.
    later: mpsc::Sender<Vec<Command>>,
    /// Ends the tasks of the map with it.
    _stop: DropGuard,
}

/// How long the start waits for servers that do not answer, and what is written later for its turn,
/// where requests do not wait longer themselves.
const PATIENCE: Duration = Duration::from_secs(1);
/// Requests whose later writes may wait; those of more are left to the next request of the device.
const LATER: usize = 1024;

impl Redis {
    /// Connects, and waits for the first answers, but not for long.
    pub(super) fn open(spec: &Spec, opener: &Opener) -> Result<Self, Error> {
        let password = spec.password.as_ref().map(Reference::resolve).transpose();
        let access = node::Access {
            deadline: spec.deadline,
            tls: spec.tls,
            username: spec.username.clone(),
            password: password.map_err(Error::Password)?,
        };
        let stop = opener.tasks.stop_signal();
        let guard = stop.clone().drop_guard();
        let servers = Arc::new(Servers::new(spec, access, opener, stop.clone()));
        let (later, written) = mpsc::channel(LATER);
        servers.spawn();
        let patience = PATIENCE.max(spec.deadline);
        let writer = write_later(Arc::clone(&servers), spec.layout, patience, written, stop);
        opener
            .tasks
            .spawn_on(&opener.runtime, "device map writer", async move {
                writer.await;
                Ok(Drained)
            });
        // Without servers the map is open all the same, and their keepers tell what is wrong.
        let _told = opener
            .runtime
            .block_on(async { tokio::time::timeout(patience, servers.settled()).await });
        Ok(Self {
            layout: spec.layout,
            deadline: spec.deadline,
            servers,
            later,
            _stop: guard,
        })
    }

    /// Carries a look-up out, within the deadline.
    pub(super) async fn run(&self, lookup: &mut Lookup) {
        let end = Instant::now() + self.deadline;
        loop {
            let commands = lookup.next();
            if commands.is_empty() {
                break;
            }
            let answers = self.servers.ask(self.layout, commands, end).await;
            lookup.answer(answers.into_iter());
        }
        let later = lookup.afterwards();
        if !later.is_empty() {
            // When too much waits, the next request of these devices writes it.
            let _queued = self.later.try_send(later);
        }
    }
}

/// Writes what requests left behind, many at once.
async fn write_later(
    servers: Arc<Servers>,
    layout: Layout,
    patience: Duration,
    mut written: mpsc::Receiver<Vec<Command>>,
    stop: CancellationToken,
) {
    let mut batches = Vec::new();
    loop {
        let taken = tokio::select! {
            () = stop.cancelled() => return,
            taken = written.recv_many(&mut batches, 64) => taken,
        };
        if taken == 0 {
            return;
        }
        let commands: Vec<_> = batches.drain(..).flatten().collect();
        let end = Instant::now() + patience;
        let _answers = servers.ask(layout, &commands, end).await;
    }
}
