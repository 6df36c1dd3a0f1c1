//! Putting a catalog together.

use hashbrown::HashMap;

use crate::event::Priority;
use crate::pipeline::validate::catalog::wildcard::Wildcards;
use crate::pipeline::validate::catalog::{Catalog, CatalogActions, EventRule, Slot, Status, Table};
use crate::pipeline::validate::{Personal, Property};

/// A catalog while its documents compile.
#[derive(Debug, Default)]
pub struct CatalogBuilder {
    catalog: Catalog,
    wildcards: Vec<(String, u32)>,
    /// Events with the same properties share a table.
    tables: HashMap<Box<[Use]>, Table>,
}

/// A property as one event uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Use {
    /// The number of its name.
    pub name: u32,
    /// The index of its definition.
    pub property: u32,
    /// Whether the event must have it.
    pub required: bool,
}

/// An event to add.
#[derive(Clone, Copy, Debug)]
pub struct NewEvent<'a> {
    /// Its name, perhaps with wildcards.
    pub name: &'a str,
    /// Where in its life it is.
    pub status: Status,
    /// How important it is.
    pub priority: Option<Priority>,
    /// Who answers for it.
    pub owner: &'a str,
    /// Its properties, at most [`Catalog::MAX_PROPERTIES`], no name twice.
    pub uses: &'a [Use],
}

impl CatalogBuilder {
    /// The number of a property's name.
    pub fn name(&mut self, name: &str) -> u32 {
        self.catalog.names.add(name)
    }

    /// The index of a new definition.
    pub fn property(&mut self, property: Property) -> u32 {
        self.catalog.properties.push(property);
        index(self.catalog.properties.len() - 1)
    }

    /// Adds an event.
    pub fn event(&mut self, event: NewEvent<'_>) {
        let table = match self.tables.get(event.uses) {
            Some(table) => *table,
            None => self.table(event.uses),
        };
        let number = index(self.catalog.events.len());
        self.catalog.events.push(EventRule {
            status: event.status,
            priority: event.priority,
            owner: event.owner.into(),
            table,
        });
        if Wildcards::is(event.name) {
            self.wildcards.push((event.name.to_owned(), number));
        } else {
            self.catalog.exact.insert(event.name.into(), number);
        }
    }

    /// The catalog.
    pub fn build(self, actions: CatalogActions) -> Catalog {
        let mut catalog = self.catalog;
        catalog.wildcards = Wildcards::new(self.wildcards);
        catalog.actions = actions;
        catalog.events.shrink_to_fit();
        catalog.slots.shrink_to_fit();
        catalog
    }

    /// A new table, at most four fifths full.
    fn table(&mut self, uses: &[Use]) -> Table {
        let slots = &mut self.catalog.slots;
        let size = (uses.len() + uses.len() / 4 + 1).next_power_of_two();
        let start = slots.len();
        let free = Slot {
            name: Slot::FREE,
            property: 0,
            ordinal: 0,
        };
        slots.resize(start + size, free);
        let required = uses.iter().filter(|each| each.required).count();
        let (mut first, mut second) = (0, required);
        for each in uses {
            let counter = if each.required {
                &mut first
            } else {
                &mut second
            };
            let slot = Slot {
                name: each.name,
                property: each.property,
                ordinal: u16::try_from(*counter).unwrap_or(u16::MAX),
            };
            *counter += 1;
            let mut at = Table::place(each.name) as usize;
            while slots[start + (at & (size - 1))].name != Slot::FREE {
                at += 1;
            }
            slots[start + (at & (size - 1))] = slot;
        }
        let properties = &self.catalog.properties;
        let personal = |each: &Use| properties[each.property as usize].personal != Personal::None;
        let table = Table {
            start: index(start),
            mask: index(size - 1),
            required: u16::try_from(required).unwrap_or(u16::MAX),
            personal: uses.iter().any(personal),
        };
        self.tables.insert(uses.into(), table);
        table
    }
}

/// All of a set's documents together hold fewer things than that.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
