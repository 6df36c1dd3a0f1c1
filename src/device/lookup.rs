//! From identifiers to devices, as rounds of commands that a map answers: this decides, the map does.
//!
//! 1. Read where each identifier leads.
//! 2. Nowhere: the device is new to the map. Its strongest identifier claims to own it. To one
//!    device: the identifiers that led nowhere are claimed for it. To several: the strongest counts,
//!    and nothing is written.
//! 3. The other identifiers of a new device are claimed for it.
//!
//! Of the new devices of one request that share identifiers the first leads: what it claims counts for
//! the others as well.
//!
//! A claim is one command on one key, and the first one counts: it answers with what stands there, so
//! that events that race end at the same device, and see it where they do not. What is not answered
//! leaves a device `degraded`.

mod asked;

use hashbrown::HashMap;

use crate::device::digest::Key;
use crate::device::entry::{Entry, First, Link, Record};

pub(super) use asked::Asked;

/// An identifier that leads more strangers than this to its device in a day is distrusted.
pub(super) const MOST_STRANGERS: u32 = 50;

/// Something that a map does, on one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Reads what stands there.
    Get(Key),
    /// Writes it if nothing stands there, and says what stood there.
    Claim(Key, Entry),
    /// Writes it over what stands there.
    Put(Key, Entry),
    /// Counts a stranger that the identifier led to its device on this day, and says how many.
    Meet(Key, u16),
}

impl Command {
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Get(key) | Self::Claim(key, _) | Self::Put(key, _) | Self::Meet(key, _) => *key,
        }
    }
}

/// What a map says to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// To a read or a claim: what stands, or stood, there.
    Entry(Option<Entry>),
    /// To a count.
    Count(u32),
    /// It is written.
    Done,
    /// Nothing within the deadline, or an error.
    Failed,
}

/// Whether the map is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Devices are remembered.
    Remember,
    /// Only what would become of them is told.
    Foresee,
}

/// When the request was received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) second: u32,
    pub(super) day: u16,
}

/// The look-up of the devices of one request.
#[derive(Debug)]
pub(super) struct Lookup {
    mode: Mode,
    moment: Moment,
    round: u8,
    pub(super) asked: Vec<Asked>,
    /// Of each command of the round: the device, and the position of the key in it.
    sent: Vec<(usize, usize)>,
    commands: Vec<Command>,
}

impl Lookup {
    pub(super) fn new(mode: Mode, moment: Moment) -> Self {
        Self {
            mode,
            moment,
            round: 0,
            asked: Vec::new(),
            sent: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// Whether the map was changed.
    pub(super) fn remembers(&self) -> bool {
        self.mode == Mode::Remember
    }

    /// Days since 1970.
    pub(super) fn day(&self) -> u16 {
        self.moment.day
    }

    /// The commands of the next round; none when everything is settled.
    pub(super) fn next(&mut self) -> &[Command] {
        loop {
            self.sent.clear();
            self.commands.clear();
            self.round += 1;
            match self.round {
                1 => self.read(),
                2 => self.claim(),
                3 => self.claim_others(),
                _ => {}
            }
            if self.commands.is_empty() {
                self.follow();
                break;
            }
            if self.mode == Mode::Remember || self.round == 1 {
                break;
            }
            // As if nobody had been there before.
            let granted = |command: &Command| match command {
                Command::Get(_) | Command::Claim(..) => Answer::Entry(None),
                Command::Meet(..) => Answer::Count(0),
                Command::Put(..) => Answer::Done,
            };
            let granted: Vec<_> = self.commands.iter().map(granted).collect();
            self.answer(granted.into_iter());
        }
        &self.commands
    }

    /// The answers to the commands of this round, in their order; what is missing at the end was
    /// not answered.
    pub(super) fn answer(&mut self, answers: impl Iterator<Item = Answer>) {
        let answers = answers.chain(std::iter::repeat(Answer::Failed));
        let sent = self.sent.iter().zip(&self.commands).zip(answers);
        for ((&(device, at), command), answer) in sent {
            let asked = &mut self.asked[device];
            match (*command, answer) {
                (Command::Get(_), Answer::Entry(entry)) => asked.entries[at] = entry,
                (Command::Claim(_, ours), Answer::Entry(before)) => {
                    let makes = matches!(ours, Entry::Own(record) if record.first.is_some());
                    asked.created |= before.is_none() && makes;
                    asked.entries[at] = Some(before.unwrap_or(ours));
                }
                (Command::Meet(..), Answer::Count(met)) if met > MOST_STRANGERS => {
                    asked.distrust = Some(at);
                }
                (Command::Get(_), _) => asked.failed = true,
                // Nobody else knows of this device: it may be another one.
                (Command::Claim(..), _) if asked.found().next().is_none() => asked.failed = true,
                (Command::Claim(..), _) => asked.partial = true,
                (Command::Put(..) | Command::Meet(..), _) => {}
            }
        }
    }

    /// What is to be written and need not be waited for: records of today.
    pub(super) fn afterwards(&self) -> Vec<Command> {
        let mut commands: Vec<Command> = Vec::new();
        if self.mode == Mode::Remember {
            for command in self.asked.iter().filter_map(|a| a.of_today(self.moment)) {
                let twice = commands.iter().any(|each| each.key() == command.key());
                if !twice {
                    commands.push(command);
                }
            }
        }
        commands
    }

    fn send(&mut self, device: usize, at: usize, command: Command) {
        self.sent.push((device, at));
        self.commands.push(command);
    }

    fn read(&mut self) {
        for device in 0..self.asked.len() {
            for at in 0..self.asked[device].keys.len() {
                self.send(device, at, Command::Get(self.asked[device].keys[at]));
            }
        }
    }

    fn claim(&mut self) {
        let mut new: HashMap<Key, usize> = HashMap::new();
        for device in 0..self.asked.len() {
            let asked = &self.asked[device];
            let (owner, conflict) = asked.owner();
            if asked.failed || conflict {
                continue;
            }
            let Some((found_by, _)) = asked.found().next() else {
                let leader = asked
                    .leading_nowhere()
                    .find_map(|key| new.get(&key).copied());
                // Whoever shares an identifier with one that follows is the same device as well.
                for key in asked.leading_nowhere() {
                    new.entry(key).or_insert(leader.unwrap_or(device));
                }
                if let Some(at) = asked.unknown().filter(|_| leader.is_none()) {
                    let entry = Entry::Own(self.record(asked, Some(asked.event)));
                    self.send(device, at, Command::Claim(asked.keys[at], entry));
                }
                self.asked[device].leader = leader;
                continue;
            };
            // The strongest was unknown, and a weaker one led here: perhaps it leads everybody here.
            if asked.entries[0].is_none() {
                let meet = Command::Meet(asked.keys[found_by], self.moment.day);
                self.send(device, found_by, meet);
            }
            self.connect(device, owner);
        }
    }

    fn claim_others(&mut self) {
        for device in 0..self.asked.len() {
            let asked = &self.asked[device];
            let leader = asked.leader.map(|leader| &self.asked[leader]);
            let (owner, conflict) = leader.unwrap_or(asked).owner();
            let nowhere = leader.unwrap_or(asked).found().next().is_none();
            if asked.failed || conflict || nowhere {
                continue;
            }
            self.connect(device, owner);
            let asked = &self.asked[device];
            if let Some((at, entry)) = asked.distrust.and_then(|at| Some((at, asked.entries[at]?)))
            {
                let put = Command::Put(asked.keys[at], entry.distrusted());
                self.send(device, at, put);
            }
        }
    }

    /// What was claimed for the first of several new devices holds for the others.
    fn follow(&mut self) {
        for device in 0..self.asked.len() {
            let Some(leader) = self.asked[device].leader else {
                continue;
            };
            let (before, rest) = self.asked.split_at_mut(device);
            let (leader, asked) = (&before[leader], &mut rest[0]);
            asked.failed |= leader.failed;
            asked.partial |= leader.partial;
            for (key, entry) in asked.keys.iter().zip(&mut asked.entries) {
                let shared = leader.keys.iter().position(|each| each == key);
                if let Some(at) = shared {
                    *entry = leader.entries[at];
                }
            }
        }
    }

    /// Lets the identifiers that led nowhere lead to the device.
    fn connect(&mut self, device: usize, owner: Key) {
        for at in 0..self.asked[device].keys.len() {
            let asked = &self.asked[device];
            let key = asked.keys[at];
            let leader = asked.leader.map(|leader| &self.asked[leader]);
            let claimed = leader.is_some_and(|leader| leader.keys.contains(&key));
            if asked.entries[at].is_some() || claimed {
                continue;
            }
            let entry = if key == owner {
                // Others know the device by it: its record was lost, or is on its way.
                Entry::Own(self.record(asked, None))
            } else {
                Entry::Link(Link {
                    owner,
                    distrusted: false,
                })
            };
            self.send(device, at, Command::Claim(key, entry));
        }
    }

    fn record(&self, asked: &Asked, first: Option<First>) -> Record {
        Record {
            first_seen: self.moment.second,
            last_day: self.moment.day,
            first,
            skew: asked.skew,
            distrusted: false,
        }
    }
}

#[cfg(test)]
mod tests;
