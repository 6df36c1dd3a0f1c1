//! `required` and `types`: single fields, by their paths.

use crate::event::{Batch, EventMut, FieldId};
use crate::pipeline::validate::repair::Repair;
use crate::pipeline::validate::{Finder, Found, Personal, Property, ValueActions};

/// Fields that must be there and not be `null`.
#[derive(Debug)]
pub struct Required {
    /// The fields, with their paths for messages.
    pub fields: Vec<(FieldId, Box<str>)>,
}

/// What single fields must be.
#[derive(Debug)]
pub struct Types {
    /// The fields.
    pub fields: Vec<Typed>,
    /// What becomes of what is wrong.
    pub actions: ValueActions,
}

/// What one field must be.
#[derive(Debug)]
pub struct Typed {
    /// Which field.
    pub field: FieldId,
    /// Its path, for messages.
    pub path: Box<str>,
    /// Whether it must be there.
    pub required: bool,
    /// What it must be.
    pub property: Property,
}

impl Required {
    pub(super) fn run(&self, finder: Finder, event: &mut EventMut<'_>) {
        for (field, path) in &self.fields {
            missing(finder, event, *field, path);
        }
    }
}

fn missing(finder: Finder, event: &mut EventMut<'_>, field: FieldId, path: &str) {
    let value = event.get(field);
    if value.is_none_or(|value| value.is_null()) {
        let sample = finder.sample(value, Personal::None);
        finder.note(event, path, Found::missing(), sample);
    }
}

impl Types {
    pub(super) fn run(&self, finder: Finder, event: &mut EventMut<'_>) {
        event.together(|event| {
            for typed in &self.fields {
                event.catch_up(typed.field);
                typed.check(self.actions, finder, event);
            }
        });
    }

    pub(super) fn protect(&self, batch: &mut Batch) {
        let personal = |typed: &&Typed| typed.property.personal != Personal::None;
        let fields: Vec<_> = self.fields.iter().filter(personal).collect();
        if fields.is_empty() {
            return;
        }
        batch.each(|event| {
            event.unify();
            event.together(|event| {
                for typed in &fields {
                    event.catch_up(typed.field);
                    typed.protect(event);
                }
            });
        });
    }
}

impl Typed {
    fn check(&self, actions: ValueActions, finder: Finder, event: &mut EventMut<'_>) {
        match event.get(self.field).filter(|value| !value.is_null()) {
            Some(value) if self.property.fits(value) => {}
            Some(value) => {
                let judged = self.property.judge(value, actions);
                let sample = finder.sample(Some(value), self.property.personal);
                for found in judged.found {
                    finder.note(event, &self.path, found, sample.clone());
                }
                if self.required && judged.repair.takes_away() {
                    finder.note(event, &self.path, Found::missing(), None);
                }
                if !finder.shadow {
                    apply(event, self.field, judged.repair);
                }
            }
            None if self.required => missing(finder, event, self.field, &self.path),
            None => {}
        }
    }

    fn protect(&self, event: &mut EventMut<'_>) {
        if let Some(value) = event.get(self.field) {
            let repair = self.property.personal.apply(value);
            apply(event, self.field, repair);
        }
    }
}

fn apply(event: &mut EventMut<'_>, field: FieldId, repair: Repair) {
    match repair {
        Repair::Keep => {}
        Repair::Replace(json) => {
            event.set(field, |_, out| out.extend_from_slice(&json));
        }
        Repair::Null => {
            event.set(field, |_, out| out.extend_from_slice(b"null"));
        }
        Repair::Drop => event.remove(field),
    }
}
