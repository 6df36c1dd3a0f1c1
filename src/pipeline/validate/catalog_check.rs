//! `catalog`: an event against what a catalog says of it.
//!
//! The properties are gone through once, in place, each looked up in the event's table. Only where
//! something is changed are they written anew, once.

mod rewrite;

use std::sync::Arc;

use crate::event::{Batch, EventMut, FieldId, Json, Place, Reason, Span};
use crate::pipeline::validate::catalog::{Catalog, CatalogActions, EventRule, Known, Seen, Status};
use crate::pipeline::validate::catalog_check::rewrite::{Change, rewrite};
use crate::pipeline::validate::property::kind_of;
use crate::pipeline::validate::repair::Repair;
use crate::pipeline::validate::{Action, Finder, Found, Personal};

/// Events against a catalog.
#[derive(Debug)]
pub struct CatalogCheck {
    /// The catalog.
    pub catalog: Arc<Catalog>,
    /// Where the event's name stands.
    pub event: FieldId,
    /// Its path, for messages.
    pub event_path: Box<str>,
    /// The object that holds the properties; `None`: the event itself.
    pub properties: Option<FieldId>,
    /// Its path, for messages; empty for the event itself.
    pub properties_path: Box<str>,
    /// What becomes of what is wrong.
    pub actions: CatalogActions,
}

/// A member that is not right, while the properties are gone through.
#[derive(Clone, Copy, Debug)]
struct Odd {
    place: Place,
    ordinal: Option<u16>,
}

impl CatalogCheck {
    pub(super) fn run(&self, finder: Finder, batch: &mut Batch) {
        let mut odd = Vec::new();
        batch.each(|event| self.check(finder, event, &mut odd));
    }

    fn check(&self, finder: Finder, event: &mut EventMut<'_>, odd: &mut Vec<Odd>) {
        let name = event.get(self.event);
        let name = name.and_then(Json::as_str);
        let Some(rule) = name.as_deref().and_then(|name| self.catalog.event(name)) else {
            if self.actions.unknown_event {
                let message = match name {
                    Some(_) => "the catalog does not know this event",
                    None => "expected the name of an event",
                };
                drop(name);
                let found = Found::rejecting(Reason::ValidateUnknown, message);
                finder.note(event, &self.event_path, found, None);
            }
            return;
        };
        drop(name);
        if rule.priority.is_some() {
            event.event.priority = rule.priority;
        }
        self.check_status(finder, event, rule);
        self.check_properties(finder, event, rule, odd);
    }

    fn check_status(&self, finder: Finder, event: &mut EventMut<'_>, rule: &EventRule) {
        let (rejected, status) = match rule.status {
            Status::Active => return,
            Status::Draft => (self.actions.draft, "is a draft"),
            Status::Deprecated => (self.actions.deprecated, "is deprecated"),
            Status::Blocked => (self.actions.blocked, "is blocked"),
        };
        if rejected {
            let message = format!("this event {status} in the catalog");
            let found = Found::rejecting(Reason::ValidateBlocked, message);
            finder.note(event, &self.event_path, found, None);
        }
    }

    fn check_properties(
        &self,
        finder: Finder,
        event: &mut EventMut<'_>,
        rule: &EventRule,
        odd: &mut Vec<Odd>,
    ) {
        odd.clear();
        let mut present = Seen::default();
        let object = self.object(event);
        match object {
            Some(object) => self.look_through(event, object, rule, odd, &mut present),
            None => self.check_object(finder, event),
        }
        if self.actions.missing {
            for name in self.catalog.missing(rule, &present) {
                finder.note(event, &self.path(name), Found::missing(), None);
            }
        }
        let Some(object) = object.filter(|_| !odd.is_empty()) else {
            return;
        };
        let mut changes = Vec::new();
        for each in odd.iter() {
            let repair = self.judge(finder, event, rule, each);
            if repair != Repair::Keep && !finder.shadow {
                changes.push(Change {
                    at: each.place.key.start,
                    ordinal: each.ordinal,
                    repair,
                });
            }
        }
        if !changes.is_empty() && event.event.verdict.is_none() {
            self.apply(event, object, rule, &changes);
        }
    }

    /// The object with the properties, with all edits in it.
    fn object(&self, event: &mut EventMut<'_>) -> Option<Span> {
        match self.properties {
            Some(field) => event.object(field),
            None => {
                event.settle();
                Some(event.event.text)
            }
        }
    }

    /// Properties that are something else than an object.
    fn check_object(&self, finder: Finder, event: &mut EventMut<'_>) {
        let value = self.properties.and_then(|field| event.get(field));
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return;
        };
        if self.actions.values.wrong_type != Action::Accept {
            let message = format!("expected object, got {}", kind_of(value));
            let sample = finder.sample(Some(value), Personal::None);
            let found = Found::rejecting(Reason::ValidateType, message);
            finder.note(event, &self.properties_path, found, sample);
        }
    }

    /// Collects the members that are not right, and which properties are there.
    fn look_through(
        &self,
        event: &EventMut<'_>,
        object: Span,
        rule: &EventRule,
        odd: &mut Vec<Odd>,
        present: &mut Seen,
    ) {
        let mut seen = Seen::default();
        let mut look = |place: Place| {
            let value = event.at(place.value);
            let known = self.catalog.property(rule, event.at(place.key));
            if let Some(Known { property, ordinal }) = known {
                if seen.insert(ordinal) {
                    // The last member of a name counts.
                    odd.retain(|before| before.ordinal != Some(ordinal));
                    present.remove(ordinal);
                }
                if value.is_null() {
                    return;
                }
                present.insert(ordinal);
                if property.fits(value) {
                    return;
                }
            } else if self.actions.unknown_property == Action::Accept {
                return;
            }
            odd.push(Odd {
                place,
                ordinal: known.map(|known| known.ordinal),
            });
        };
        let noted = self
            .properties
            .and_then(|field| event.places(field, object));
        match noted {
            Some(places) => places.iter().copied().for_each(look),
            None => {
                let json = event.at(object);
                let places = json.members().map(|member| Place {
                    key: object.part(json, member.key),
                    value: object.part(json, member.value),
                });
                places.for_each(&mut look);
            }
        }
    }

    fn judge(
        &self,
        finder: Finder,
        event: &mut EventMut<'_>,
        rule: &EventRule,
        odd: &Odd,
    ) -> Repair {
        let (key, value) = (event.at(odd.place.key), event.at(odd.place.value));
        let path = self.path(&key.as_str().unwrap_or_default());
        let known = self.catalog.property(rule, key);
        let personal = known.map_or(Personal::None, |known| known.property.personal);
        let sample = finder.sample(Some(value), personal);
        let Some(known) = known else {
            let action = self.actions.unknown_property;
            let message = "the catalog does not know this property of the event";
            let found = Found {
                reason: Reason::ValidateUnknown,
                message: message.to_owned(),
                rejects: action == Action::Reject,
            };
            finder.note(event, &path, found, sample);
            return match action {
                Action::DropProperty => Repair::Drop,
                Action::NullProperty => Repair::Null,
                Action::Accept | Action::Coerce | Action::Reject => Repair::Keep,
            };
        };
        let judged = known.property.judge(value, self.actions.values);
        for found in judged.found {
            finder.note(event, &path, found, sample.clone());
        }
        let required = self.actions.missing && rule.requires(known.ordinal);
        if required && judged.repair.takes_away() {
            finder.note(event, &path, Found::missing(), None);
        }
        judged.repair
    }

    /// Does what personal data demands.
    pub(super) fn protect(&self, batch: &mut Batch) {
        batch.each(|event| {
            let name = event.get(self.event).and_then(Json::as_str);
            let rule = name.as_deref().and_then(|name| self.catalog.event(name));
            if let Some(rule) = rule.filter(|rule| rule.is_personal()) {
                drop(name);
                self.protect_event(event, rule);
            }
        });
    }

    fn protect_event(&self, event: &mut EventMut<'_>, rule: &EventRule) {
        let Some(object) = self.object(event) else {
            return;
        };
        let mut changes = Vec::new();
        let json = event.at(object);
        for member in json.members() {
            let Some(known) = self.catalog.property(rule, member.key) else {
                continue;
            };
            if known.property.personal != Personal::None {
                changes.push(Change {
                    at: span(json, object, member.key).start,
                    ordinal: None,
                    repair: known.property.personal.apply(member.value),
                });
            }
        }
        if !changes.is_empty() {
            self.apply(event, object, rule, &changes);
        }
    }

    fn apply(&self, event: &mut EventMut<'_>, object: Span, rule: &EventRule, changes: &[Change]) {
        let ordinal = |key: Json<'_>| {
            let known = self.catalog.property(rule, key);
            known.map(|known| known.ordinal)
        };
        let json = rewrite(event.at(object), object.start, changes, ordinal);
        match self.properties {
            Some(field) => {
                event.set(field, |_, out| out.extend_from_slice(&json));
            }
            None => {
                if let Err(error) = event.settle_from(&json) {
                    let message = format!("the edited event cannot be read: {error}");
                    event.reject(Reason::Execute, "", message);
                }
            }
        }
    }

    /// The path of a property, for messages.
    fn path(&self, name: &str) -> String {
        let name = name.replace('\\', "\\\\").replace('.', "\\.");
        if self.properties_path.is_empty() {
            return name;
        }
        format!("{}.{name}", self.properties_path)
    }
}

/// Where a part of an object stands in the batch's text.
fn span(json: Json<'_>, object: Span, part: Json<'_>) -> Span {
    // Both are slices of the same text, and positions of 32 bits name all of it.
    let offset = part.raw().as_ptr().addr() - json.raw().as_ptr().addr();
    let start = object.start + u32::try_from(offset).unwrap_or(u32::MAX);
    let length = u32::try_from(part.raw().len()).unwrap_or(u32::MAX);
    Span {
        start,
        end: start + length,
    }
}
