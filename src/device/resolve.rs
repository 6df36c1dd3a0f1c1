//! From the identifiers of one event to one device.
//!
//! Read where each of them leads. Nowhere: the device is new to the map; its id is made of the
//! strongest identifier, which is claimed first, then the others. To one device: the others are
//! claimed for it. To several: the strongest counts, and nothing is written. Claims are single-key
//! and the first one counts, so that events that race end at the same device.

use crate::device::digest::{DeviceId, Key};
use crate::device::memory::{Link, Record};
use crate::device::{Open, Status};

/// An identifier that leads more strangers than this to its device in a day is distrusted.
const MOST_STRANGERS: u32 = 50;

/// An identifier of an event, normalised.
#[derive(Debug)]
pub(super) struct Identifier<'i> {
    pub(super) kind: &'i str,
    pub(super) value: String,
}

/// The device of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) id: Option<DeviceId>,
    pub(super) status: Status,
    /// Whether this event is the device's first; `None`: nobody knows.
    pub(super) is_new: Option<bool>,
}

impl Resolved {
    /// No device, and nobody knows whether it is new.
    pub(super) fn without_id(status: Status) -> Self {
        Self {
            id: None,
            status,
            is_new: None,
        }
    }
}

impl Open {
    /// The device of an event with these identifiers, strongest first. `received` is the event,
    /// `day` the days since 1970.
    pub(super) fn resolve(
        &self,
        identifiers: &[Identifier<'_>],
        received: &[u8],
        day: u32,
    ) -> Resolved {
        let Some(strongest) = identifiers.first() else {
            return Resolved::without_id(Status::None);
        };
        let key = |each: &Identifier<'_>| self.keys.key(each.kind, &each.value);
        let keys: Vec<_> = identifiers.iter().map(key).collect();
        let links: Vec<_> = keys.iter().map(|key| self.map.get(*key)).collect();
        let believed = |link: &Option<Link>| link.filter(|link| !link.distrusted);
        let mut found = links.iter().filter_map(believed).map(|link| link.device);
        let (id, conflict) = match found.next() {
            Some(first) => (first, found.any(|other| other != first)),
            None => {
                let candidate = self.keys.candidate(strongest.kind, &strongest.value);
                let before = self.map.claim(keys[0], link(candidate, day));
                let before = before.filter(|before| !before.distrusted);
                (before.map_or(candidate, |before| before.device), false)
            }
        };
        if !conflict {
            self.connect(&keys, &links, id, day);
        }
        let is_new = self.is_first(id, received);
        let status = match (conflict, is_new) {
            (true, _) => Status::Conflict,
            (false, true) => Status::New,
            (false, false) => Status::Known,
        };
        Resolved {
            id: Some(id),
            status,
            is_new: Some(is_new),
        }
    }

    /// What `resolve` would say now; nothing is claimed.
    pub(super) fn foresee(&self, identifiers: &[Identifier<'_>], received: &[u8]) -> Resolved {
        let Some(strongest) = identifiers.first() else {
            return Resolved::without_id(Status::None);
        };
        let link = |each: &Identifier<'_>| self.map.get(self.keys.key(each.kind, &each.value));
        let believed = identifiers
            .iter()
            .filter_map(link)
            .filter(|link| !link.distrusted);
        let mut found = believed.map(|link| link.device);
        let candidate = || self.keys.candidate(strongest.kind, &strongest.value);
        let id = found.next().unwrap_or_else(candidate);
        let conflict = found.any(|other| other != id);
        let length = u32::try_from(received.len()).unwrap_or(u32::MAX);
        let known = self.map.record(id);
        let is_new = known.is_none_or(|known| {
            known.first_length == length && known.first_event == self.keys.event(received)
        });
        let status = match (conflict, is_new) {
            (true, _) => Status::Conflict,
            (false, true) => Status::New,
            (false, false) => Status::Known,
        };
        Resolved {
            id: Some(id),
            status,
            is_new: Some(is_new),
        }
    }

    /// Lets the identifiers that led nowhere lead to the device.
    fn connect(&self, keys: &[Key], links: &[Option<Link>], id: DeviceId, day: u32) {
        for (key, _) in keys.iter().zip(links).filter(|(_, link)| link.is_none()) {
            self.map.claim(*key, link(id, day));
        }
        // The strongest was unknown, and a weaker one led here: perhaps it leads everybody here.
        if links.first().is_some_and(Option::is_none) {
            let leads = |link: &Link| link.device == id && !link.distrusted;
            let mut known = keys.iter().zip(links);
            if let Some((key, _)) = known.find(|(_, link)| link.as_ref().is_some_and(leads)) {
                self.map.update(*key, |link| link.meet(day));
            }
        }
    }

    /// Whether the event is the first of its device: nobody knew it, or this event is sent again.
    fn is_first(&self, id: DeviceId, received: &[u8]) -> bool {
        let length = u32::try_from(received.len()).unwrap_or(u32::MAX);
        let known = self.map.record(id);
        if known.is_some_and(|known| known.first_length != length) {
            return false;
        }
        let digest = self.keys.event(received);
        let record = Record {
            first_length: length,
            first_event: digest,
        };
        let known = known.or_else(|| self.map.claim_record(id, record));
        known.is_none_or(|known| known == record)
    }
}

fn link(device: DeviceId, day: u32) -> Link {
    Link {
        device,
        day,
        strangers: 0,
        distrusted: false,
    }
}

impl Link {
    /// Counts a stranger that it led to its device.
    fn meet(&mut self, day: u32) {
        if self.day != day {
            (self.day, self.strangers) = (day, 0);
        }
        self.strangers += 1;
        self.distrusted |= self.strangers > MOST_STRANGERS;
    }
}

#[cfg(test)]
mod tests;
