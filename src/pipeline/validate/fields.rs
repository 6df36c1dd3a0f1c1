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
        for typed in &self.fields {
            match event.get(typed.field).filter(|value| !value.is_null()) {
                Some(value) if typed.property.fits(value) => {}
                Some(value) => {
                    let judged = typed.property.judge(value, self.actions);
                    let sample = finder.sample(Some(value), typed.property.personal);
                    for found in judged.found {
                        finder.note(event, &typed.path, found, sample.clone());
                    }
                    if typed.required && judged.repair.takes_away() {
                        finder.note(event, &typed.path, Found::missing(), None);
                    }
                    if !finder.shadow {
                        apply(event, typed.field, judged.repair);
                    }
                }
                None if typed.required => missing(finder, event, typed.field, &typed.path),
                None => {}
            }
        }
    }

    pub(super) fn protect(&self, batch: &mut Batch) {
        let personal = |typed: &&Typed| typed.property.personal != Personal::None;
        for typed in self.fields.iter().filter(personal) {
            batch.each(|event| {
                event.unify();
                if let Some(value) = event.get(typed.field) {
                    let repair = typed.property.personal.apply(value);
                    apply(event, typed.field, repair);
                }
            });
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
