//! The catalog: which events there are, and which properties each may have.
//!
//! Names of properties are numbered once, definitions are stored once, and an event is a small open
//! hash table from the number of a name to a definition; events with the same properties share one.
//! So ten thousand events with fifty properties each take some megabytes, and a look-up is one hash
//! of the key and one probe.

mod builder;
mod names;
mod wildcard;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::event::{Json, Priority};
use crate::pipeline::validate::catalog::names::Names;
use crate::pipeline::validate::catalog::wildcard::Wildcards;
use crate::pipeline::validate::{Property, ValueActions};

pub use builder::{CatalogBuilder, NewEvent, Use};

/// A compiled catalog.
#[derive(Debug, Default)]
pub struct Catalog {
    names: Names,
    properties: Vec<Property>,
    events: Vec<EventRule>,
    exact: HashMap<Box<str>, u32, RandomState>,
    wildcards: Wildcards,
    slots: Vec<Slot>,
    /// What becomes of what is wrong, unless a validator says otherwise.
    pub actions: CatalogActions,
}

/// What becomes of each class of violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogActions {
    /// Whether an event is rejected that the catalog does not know.
    pub unknown_event: bool,
    /// Whether an event is rejected whose status is `draft`.
    pub draft: bool,
    /// Whether an event is rejected whose status is `deprecated`.
    pub deprecated: bool,
    /// Whether an event is rejected whose status is `blocked`.
    pub blocked: bool,
    /// Whether an event is rejected that lacks a required property.
    pub missing: bool,
    /// What becomes of a property that the catalog does not know.
    pub unknown_property: super::Action,
    /// What becomes of a value that is wrong.
    pub values: ValueActions,
}

impl Default for CatalogActions {
    fn default() -> Self {
        Self {
            unknown_event: true,
            draft: false,
            deprecated: false,
            blocked: true,
            missing: true,
            unknown_property: super::Action::Accept,
            values: ValueActions::default(),
        }
    }
}

/// Where in its life an event is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Not released yet.
    Draft,
    /// In use.
    #[default]
    Active,
    /// Will go away.
    Deprecated,
    /// Not wanted any more.
    Blocked,
}

/// What the catalog says of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRule {
    /// Where in its life it is.
    pub status: Status,
    /// How important it is.
    pub priority: Option<Priority>,
    /// Who answers for it.
    pub owner: Box<str>,
    table: Table,
}

/// An event's properties: a range of the catalog's slots, a power of two long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Table {
    start: u32,
    mask: u32,
    /// How many properties must be there: they have the lowest ordinals.
    required: u16,
    /// Whether there is personal data among them.
    personal: bool,
}

/// One property of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    name: u32,
    property: u32,
    ordinal: u16,
}

impl Slot {
    const FREE: u32 = u32::MAX;
}

/// What the catalog says of one property of one event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'c> {
    pub(super) property: &'c Property,
    /// Its number within the event.
    pub(super) ordinal: u16,
}

impl Catalog {
    /// Most properties that an event may have.
    pub const MAX_PROPERTIES: usize = Seen::BITS;

    /// The event of that name: the exact one, or else that of the most specific wildcard.
    pub fn event(&self, name: &str) -> Option<&EventRule> {
        let index = self.exact.get(name).copied();
        let index = index.or_else(|| self.wildcards.find(name))?;
        self.events.get(index as usize)
    }

    /// Whether it lists this very name, not only a wildcard that fits it.
    pub fn lists(&self, event: &str) -> bool {
        self.exact.contains_key(event)
    }

    /// How many events it lists.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether it lists none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many names, definitions and slots it stores, for tools and tests.
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.names.len(), self.properties.len(), self.slots.len())
    }

    /// The property of an event by the key of a member.
    pub(super) fn property(&self, event: &EventRule, key: Json<'_>) -> Option<Known<'_>> {
        let name = self.names.find(&key.characters()?)?;
        let table = event.table;
        let mut at = Table::place(name);
        loop {
            let slot = self.slots.get((table.start + (at & table.mask)) as usize)?;
            if slot.name == name {
                return Some(Known {
                    property: &self.properties[slot.property as usize],
                    ordinal: slot.ordinal,
                });
            }
            if slot.name == Slot::FREE {
                return None;
            }
            at += 1;
        }
    }

    /// The names of the required properties of an event that are not among those seen.
    pub(super) fn missing(&self, event: &EventRule, seen: &Seen) -> impl Iterator<Item = &str> {
        let table = event.table;
        let none = seen.has_first(table.required);
        let start = table.start as usize;
        let length = if none { 0 } else { table.mask as usize + 1 };
        let slots = self.slots.get(start..start + length).unwrap_or_default();
        let absent = move |slot: &&Slot| {
            slot.name != Slot::FREE && slot.ordinal < table.required && !seen.has(slot.ordinal)
        };
        let slots = slots.iter().filter(absent);
        slots.map(|slot| self.names.text(slot.name))
    }
}

impl EventRule {
    /// Whether it must have the property of that ordinal.
    pub(super) fn requires(&self, ordinal: u16) -> bool {
        ordinal < self.table.required
    }

    /// Whether there is personal data among its properties.
    pub(super) fn is_personal(&self) -> bool {
        self.table.personal
    }
}

impl Table {
    /// Where the search for a name begins, before the mask.
    fn place(name: u32) -> u32 {
        name.wrapping_mul(0x9e37_79b9) >> 8
    }
}

/// Which properties of an event were seen, by ordinal.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen([u64; Self::WORDS]);

impl Seen {
    const WORDS: usize = 8;
    const BITS: usize = Self::WORDS * 64;

    /// Notes it, and says whether it was noted before.
    pub(super) fn insert(&mut self, ordinal: u16) -> bool {
        let (word, bit) = Self::place(ordinal);
        let before = self.0[word] & bit != 0;
        self.0[word] |= bit;
        before
    }

    pub(super) fn remove(&mut self, ordinal: u16) {
        let (word, bit) = Self::place(ordinal);
        self.0[word] &= !bit;
    }

    fn has(&self, ordinal: u16) -> bool {
        let (word, bit) = Self::place(ordinal);
        self.0[word] & bit != 0
    }

    /// Whether all of the first `count` were seen.
    fn has_first(&self, count: u16) -> bool {
        let whole = usize::from(count) / 64;
        let rest = (1u64 << (count % 64)) - 1;
        self.0[..whole].iter().all(|word| *word == u64::MAX)
            && self.0.get(whole).is_none_or(|word| word & rest == rest)
    }

    fn place(ordinal: u16) -> (usize, u64) {
        let word = usize::from(ordinal) / 64 % Self::WORDS;
        (word, 1 << (ordinal % 64))
    }
}
