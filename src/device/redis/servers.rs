//! The servers of a map: which has which key, and asking them.
//!
//! The slots of a Cluster are asked for regularly, and at once when a node says that a key has moved;
//! what has moved is asked again where it is now, within the same deadline.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use hashbrown::HashMap;
use redis::{ServerErrorKind, cmd};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::device::Opener;
use crate::device::lookup::{Answer, Command};
use crate::device::redis::layout::{Layout, Writer};
use crate::device::redis::node::{Access, Node};
use crate::device::redis::slots::{self, SLOTS};
use crate::device::redis::{Spec, keeper};
use crate::tasks::{Drained, Ended};

/// Between two looks at the slots of a Cluster: when all went well, and when not.
const SURVEY: Duration = Duration::from_secs(10);
const SURVEY_AGAIN: Duration = Duration::from_millis(200);
/// How long a node may take to tell them.
const SURVEY_WITHIN: Duration = Duration::from_secs(1);
/// How often it is looked whether the servers have been met.
const LOOK: Duration = Duration::from_millis(5);

/// The servers of a map.
#[derive(Debug)]
pub(super) struct Servers {
    cluster: bool,
    seeds: Vec<Box<str>>,
    access: Arc<Access>,
    opener: Opener,
    stop: CancellationToken,
    topology: ArcSwap<Topology>,
    moved: Notify,
}

/// Which server has what.
#[derive(Debug, Default)]
struct Topology {
    nodes: Vec<Kept>,
    /// By slot, the index of its node; empty where there are no slots, or none are known.
    slots: Vec<Option<u16>>,
}

/// A node, and what ends its keeper.
#[derive(Clone, Debug)]
struct Kept {
    node: Arc<Node>,
    stop: CancellationToken,
}

/// Commands for one node, by their position.
struct Parcel {
    node: Arc<Node>,
    places: Vec<usize>,
    /// Whether the node must be told that it is asked for what it is only about to have.
    asking: bool,
}

impl Servers {
    pub(super) fn new(
        spec: &Spec,
        access: Access,
        opener: &Opener,
        stop: CancellationToken,
    ) -> Self {
        Self {
            cluster: spec.cluster,
            seeds: spec.nodes.clone(),
            access: Arc::new(access),
            opener: opener.clone(),
            stop,
            topology: ArcSwap::default(),
            moved: Notify::new(),
        }
    }

    /// Begins to keep the servers that are known from the start, and to look for others.
    pub(super) fn spawn(self: &Arc<Self>) {
        let nodes = self.seeds.iter().map(|seed| self.keep(seed)).collect();
        let slots = Vec::new();
        self.topology.store(Arc::new(Topology { nodes, slots }));
        if self.cluster {
            let servers = Arc::clone(self);
            self.opener
                .tasks
                .spawn_on(&self.opener.runtime, "device map survey", async move {
                    servers.survey().await
                });
        }
    }

    fn keep(&self, address: &str) -> Kept {
        let kept = Kept {
            node: Arc::new(Node::new(address, &self.opener.metrics)),
            stop: self.stop.child_token(),
        };
        let keeper = keeper::keep(
            Arc::clone(&kept.node),
            Arc::clone(&self.access),
            kept.stop.clone(),
        );
        self.opener
            .tasks
            .spawn_on(&self.opener.runtime, "device map keeper", keeper);
        kept
    }

    /// Waits until every server has been looked at.
    pub(super) async fn settled(&self) {
        loop {
            let topology = self.topology.load_full();
            let known = !self.cluster || !topology.slots.is_empty();
            let met = |kept: &Kept| kept.node.probed.load(Ordering::Acquire);
            if known && topology.nodes.iter().all(met) {
                return;
            }
            sleep(LOOK).await;
        }
    }

    /// Has commands done, and gives an answer to each.
    pub(super) async fn ask(
        &self,
        layout: Layout,
        commands: &[Command],
        end: Instant,
    ) -> Vec<Answer> {
        let mut answers = vec![Answer::Failed; commands.len()];
        let topology = self.topology.load_full();
        let parcels = topology.parcels(layout, commands);
        let mut moved = Vec::new();
        self.send(layout, commands, parcels, end, &mut answers, &mut moved)
            .await;
        if !moved.is_empty() {
            self.moved.notify_one();
            let parcels = topology.redirected(moved);
            let mut again = Vec::new();
            self.send(layout, commands, parcels, end, &mut answers, &mut again)
                .await;
        }
        answers
    }

    /// Sends each parcel to its node. What a node says has moved goes to `moved`.
    async fn send(
        &self,
        layout: Layout,
        commands: &[Command],
        parcels: Vec<Parcel>,
        end: Instant,
        answers: &mut [Answer],
        moved: &mut Vec<Moved>,
    ) {
        let asked = parcels.into_iter().map(|parcel| async move {
            let mut written = Writer::new(parcel.asking);
            let mut counts = Vec::with_capacity(parcel.places.len());
            for place in &parcel.places {
                counts.push(layout.write(&commands[*place], &mut written));
            }
            let values = parcel.node.ask(&written.pipeline, end).await;
            (parcel, counts, values.map(|values| written.answers(values)))
        });
        for (parcel, counts, values) in join_all(asked).await {
            let Some(values) = values else { continue };
            let mut rest = &values[..];
            for (place, count) in parcel.places.iter().zip(counts) {
                let Some((own, others)) = rest.split_at_checked(count) else {
                    break;
                };
                rest = others;
                match layout.read(&commands[*place], own) {
                    Ok(answer) => answers[*place] = answer,
                    Err(error) => match Moved::of(*place, error) {
                        Some(redirect) => moved.push(redirect),
                        None => parcel.node.answered_with(&error.to_string()),
                    },
                }
            }
        }
    }

    /// Looks for the nodes of the Cluster until the process drains.
    async fn survey(self: Arc<Self>) -> Ended {
        loop {
            let found = self.masters().await;
            let pause = if found.is_some() {
                SURVEY
            } else {
                SURVEY_AGAIN
            };
            if let Some(masters) = found {
                self.install(&masters);
            }
            tokio::select! {
                () = self.stop.cancelled() => return Ok(Drained),
                () = self.moved.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// What the first node that answers says.
    async fn masters(&self) -> Option<Vec<(usize, usize, String)>> {
        for kept in &self.topology.load_full().nodes {
            let Some(mut connection) = kept.node.connection() else {
                continue;
            };
            let mut slots = cmd("CLUSTER");
            slots.arg("SLOTS");
            let asked = timeout(SURVEY_WITHIN, slots.query_async(&mut connection)).await;
            if let Ok(Ok(answer)) = asked {
                let masters = slots::masters(&answer, &kept.node.address);
                if let Some(masters) = masters.filter(|masters| !masters.is_empty()) {
                    return Some(masters);
                }
            }
        }
        None
    }

    /// Takes what was found: nodes that are there already stay, and so do those of the document.
    fn install(&self, masters: &[(usize, usize, String)]) {
        let before = self.topology.load_full();
        let mut nodes: Vec<Kept> = Vec::new();
        let mut slots = vec![None; SLOTS];
        let addresses = self.seeds.iter().map(|seed| &**seed);
        for address in addresses.chain(masters.iter().map(|(.., address)| &**address)) {
            if position(&nodes, address).is_none() {
                let kept = position(&before.nodes, address).map(|at| before.nodes[at].clone());
                nodes.push(kept.unwrap_or_else(|| self.keep(address)));
            }
        }
        for (first, last, address) in masters {
            let at = position(&nodes, address).and_then(|at| u16::try_from(at).ok());
            slots[*first..=*last].fill(at);
        }
        for gone in &before.nodes {
            if position(&nodes, &gone.node.address).is_none() {
                gone.stop.cancel();
            }
        }
        self.topology.store(Arc::new(Topology { nodes, slots }));
    }
}

fn position(nodes: &[Kept], address: &str) -> Option<usize> {
    nodes.iter().position(|kept| kept.node.address == address)
}

/// A command whose key is elsewhere.
struct Moved {
    place: usize,
    address: String,
    /// For now only, because the key is on its way.
    asking: bool,
}

impl Moved {
    /// What an error says of that: `MOVED 3999 127.0.0.1:6381`.
    fn of(place: usize, error: &redis::ServerError) -> Option<Self> {
        let asking = match error.kind()? {
            ServerErrorKind::Moved => false,
            ServerErrorKind::Ask => true,
            _ => return None,
        };
        let address = error.details()?.split(' ').nth(1)?.to_owned();
        Some(Self {
            place,
            address,
            asking,
        })
    }
}

impl Topology {
    /// The commands by the nodes that have their keys. Those that nobody is known to have are left
    /// out: they are not answered.
    fn parcels(&self, layout: Layout, commands: &[Command]) -> Vec<Parcel> {
        if self.slots.is_empty() {
            let first = self.nodes.first().filter(|_| !commands.is_empty());
            return first.map_or_else(Vec::new, |kept| {
                vec![Parcel {
                    node: Arc::clone(&kept.node),
                    places: (0..commands.len()).collect(),
                    asking: false,
                }]
            });
        }
        let mut by_node: HashMap<u16, Vec<usize>> = HashMap::new();
        for (place, command) in commands.iter().enumerate() {
            if let Some(node) = self.slots[slots::slot(&layout.name(command))] {
                by_node.entry(node).or_default().push(place);
            }
        }
        let parcel = |(node, places): (u16, Vec<usize>)| Parcel {
            node: Arc::clone(&self.nodes[usize::from(node)].node),
            places,
            asking: false,
        };
        by_node.into_iter().map(parcel).collect()
    }

    /// The same for commands whose keys have moved to nodes that are known.
    fn redirected(&self, moved: Vec<Moved>) -> Vec<Parcel> {
        let mut parcels: Vec<Parcel> = Vec::new();
        for Moved {
            place,
            address,
            asking,
        } in moved
        {
            let Some(at) = position(&self.nodes, &address) else {
                continue;
            };
            let node = &self.nodes[at].node;
            let same =
                |parcel: &&mut Parcel| parcel.asking == asking && Arc::ptr_eq(&parcel.node, node);
            match parcels.iter_mut().find(same) {
                Some(parcel) => parcel.places.push(place),
                None => parcels.push(Parcel {
                    node: Arc::clone(node),
                    places: vec![place],
                    asking,
                }),
            }
        }
        parcels
    }
}
