//! One event, to read and edit. Edits change slots only; the text stays as it is until the event is
//! written, or until an edit changes the shape above or below other fields (then it is settled).

use std::sync::Arc;

use crate::event::batch::{Growth, append};
use crate::event::{
    Effect, Event, Fate, FieldId, Fields, Json, Place, Reason, Slot, Span, Violation,
};

/// One event of a batch, to read and edit. Reading sees all edits made before.
///
/// A [`Span`] that was read stays valid through all later edits: text is only ever appended.
#[derive(Debug)]
pub struct EventMut<'b> {
    /// Its index in the batch.
    pub index: u32,
    /// What became of it, its line and priority.
    pub event: &'b mut Event,
    pub(super) growth: Growth,
    pub(super) text: &'b mut Vec<u8>,
    pub(super) draft: &'b mut Vec<u8>,
    pub(super) fields: &'b Arc<Fields>,
    pub(super) slots: &'b mut [Slot],
    pub(super) places: &'b mut Vec<Place>,
    pub(super) violations: &'b mut Vec<Violation>,
    pub(super) together: Together,
}

/// Several edits as one; see [`EventMut::together`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Together {
    /// They are being made.
    open: bool,
    /// One of them changed an object that a stage reads.
    behind: bool,
}

/// An event as it once was; see [`EventMut::save`].
#[derive(Clone, Copy, Debug)]
pub struct Saved {
    text: Span,
    places: Span,
    edited: bool,
    duplicated: bool,
}

impl EventMut<'_> {
    /// The field's value now.
    pub fn get(&self, field: FieldId) -> Option<Json<'_>> {
        self.span(field).map(|span| Json(span.of(self.text)))
    }

    /// Where the field's value now stands.
    pub fn span(&self, field: FieldId) -> Option<Span> {
        let value = self.slots[field.index()].value;
        (!value.is_empty()).then_some(value)
    }

    /// The value that stands at `span` of the batch's text.
    pub fn at(&self, span: Span) -> Json<'_> {
        Json(span.of(self.text))
    }

    /// The paths of the pipeline.
    pub fn fields(&self) -> &Fields {
        self.fields
    }

    /// The event as received (in a `text` repo: the line).
    pub fn received(&self) -> &[u8] {
        self.event.received.of(self.text)
    }

    /// Whether the field can be set: it is there, or what it would stand in is an object, or is
    /// missing and can be made. Elements are never added to an array, and nothing is put below a
    /// string, a number or `null`.
    pub fn accepts(&self, field: FieldId) -> bool {
        if self.span(field).is_some() {
            return true;
        }
        let mut above = self.fields.parent(field);
        while let Some(id) = above {
            if let Some(span) = self.span(id) {
                return span.of(self.text).starts_with(b"{");
            }
            above = self.fields.parent(id);
        }
        true
    }

    /// The largest that the event may become.
    pub fn room(&self) -> usize {
        self.event.received.len() + self.growth.0 as usize
    }

    /// Sets the field to what `write` appends (one JSON value; nothing appended: nothing changes).
    /// `write` sees the batch's text, to copy from spans. False if the event does not take it
    /// ([`EventMut::accepts`]), and nothing changed; or if the value is so large that the event
    /// left ([`Reason::Grown`]).
    pub fn set(&mut self, field: FieldId, write: impl FnOnce(&[u8], &mut Vec<u8>)) -> bool {
        if !self.accepts(field) {
            return false;
        }
        self.draft.clear();
        write(self.text, self.draft);
        if self.draft.is_empty() {
            return true;
        }
        let most = self.event.received.len() + self.growth.0 as usize;
        let value = if self.draft.len() > most {
            None
        } else {
            append(self.text, self.draft)
        };
        let Some(value) = value else {
            let path = self.fields.path(field).to_string();
            let message = format!(
                "a value of {} bytes is more than may be added",
                self.draft.len()
            );
            self.reject(Reason::Grown, &path, message);
            return false;
        };
        self.point(field, value)
    }

    /// Sets the field to a JSON value that already stands in the text. False if the event does not
    /// take it, and nothing changed. To move a value into or out of itself (`a` to `a.b`), take its
    /// span, remove it, then point.
    pub fn point(&mut self, field: FieldId, value: Span) -> bool {
        if value.is_empty() {
            return false;
        }
        if self.fields.stands_alone(field) {
            self.unify();
            self.event.edited = true;
            self.slots[field.index()].value = value;
            return true;
        }
        if !self.accepts(field) {
            return false;
        }
        self.unify();
        self.event.edited = true;
        self.slots[field.index()].value = value;
        self.clear_below(field);
        if !self.fields.descendants(field).is_empty() {
            self.settle();
        } else if self.above_is_valued(field) {
            self.settle_above();
        }
        true
    }

    /// Points a field that belongs to the gateway to a value, whatever the client wrote where it
    /// goes ([`EventMut::make_room`]).
    pub fn claim(&mut self, field: FieldId, value: Span) {
        if !self.point(field, value) && !value.is_empty() {
            self.make_room(field);
            self.point(field, value);
        }
    }

    /// Lets the field be set: what it cannot be put in is replaced by an empty object.
    pub fn make_room(&mut self, field: FieldId) {
        if self.accepts(field) {
            return;
        }
        let mut above = self.fields.parent(field);
        while let Some(id) = above.filter(|id| self.span(*id).is_none()) {
            above = self.fields.parent(id);
        }
        if let Some(id) = above {
            self.set(id, |_, out| out.extend_from_slice(b"{}"));
        }
    }

    /// Takes the field away, with all below it. What follows an element of an array moves up.
    /// No earlier member with the same key comes back.
    pub fn remove(&mut self, field: FieldId) {
        self.unify();
        if self.together.behind && self.span(field).is_none() {
            // It may be an object that was made for a field below it.
            self.settle();
        }
        if self.span(field).is_none() {
            return;
        }
        self.event.edited = true;
        self.slots[field.index()].value = Span::default();
        self.clear_below(field);
        if self.in_array(field) {
            self.settle();
        } else if self.above_is_valued(field) {
            self.settle_above();
        }
    }

    /// Makes several edits. The objects above them that stages read are made anew once, after the
    /// last one, instead of after each: before `edits` reads such an object, it must
    /// [`EventMut::catch_up`].
    pub fn together<T>(&mut self, edits: impl FnOnce(&mut Self) -> T) -> T {
        self.together.open = true;
        let made = edits(self);
        let behind = self.together.behind;
        self.together = Together::default();
        if behind {
            self.settle();
        }
        made
    }

    /// Among edits that are made [`EventMut::together`]: makes the field anew now, if it is an object
    /// that one of them may have changed.
    pub fn catch_up(&mut self, field: FieldId) {
        if self.together.behind && !self.fields.descendants(field).is_empty() {
            self.settle();
            self.together.behind = false;
        }
    }

    /// Keeps what the event is now, so that several edits can be taken back together. Its slots go
    /// to `slots`.
    pub fn save(&self, slots: &mut Vec<Slot>) -> Saved {
        slots.clear();
        slots.extend_from_slice(self.slots);
        Saved {
            text: self.event.text,
            places: self.event.places,
            edited: self.event.edited,
            duplicated: self.event.duplicated,
        }
    }

    /// Takes all edits back that were made since then. What became of the event stays.
    pub fn restore(&mut self, saved: Saved, slots: &[Slot]) {
        self.slots.copy_from_slice(slots);
        self.event.text = saved.text;
        self.event.places = saved.places;
        self.event.edited = saved.edited;
        self.event.duplicated = saved.duplicated;
    }

    /// Notes what is wrong, without a verdict.
    pub fn violate(&mut self, reason: Reason, field: &str, message: String) {
        self.note(Violation {
            event: self.index,
            reason,
            field: field.to_owned(),
            message,
            effect: Effect::Rejected,
            validator: None,
            sample: None,
        });
    }

    /// Notes what a validator found; the event's index is set here.
    pub fn note(&mut self, found: Violation) {
        let event = self.index;
        self.violations.push(Violation { event, ..found });
    }

    /// Sends the event out of the batch. The first reason stays.
    pub fn leave(&mut self, reason: Reason) {
        if self.event.fate == Fate::Live {
            self.event.fate = Fate::Left(reason);
        }
    }

    /// Sends the event out and notes why.
    pub fn reject(&mut self, reason: Reason, field: &str, message: String) {
        self.violate(reason, field, message);
        self.leave(reason);
    }

    /// Where an object stands that no stage reads as a value, but whose members one looks through
    /// ([`Json::members`]): the event is settled first, if anything in it was edited.
    pub fn object(&mut self, field: FieldId) -> Option<Span> {
        if self.event.edited {
            let below = self.fields.descendants(field).iter().chain([&field]);
            let mut slots = below.map(|id| &self.slots[id.index()]);
            if slots.any(Slot::edited) {
                self.settle();
            }
        } else {
            self.unify();
        }
        self.span(field)
            .filter(|span| span.of(self.text).starts_with(b"{"))
    }

    /// Where the members of an object stand that [`EventMut::object`] has just found, if they were
    /// noted when it was scanned; else it must be gone through.
    pub fn places(&self, field: FieldId, object: Span) -> Option<&[Place]> {
        let slot = &self.slots[field.index()];
        let as_scanned = slot.member == object && !slot.edited();
        let places = self.event.places;
        (as_scanned && self.fields.listed() == Some(field))
            .then(|| &self.places[places.start as usize..places.end as usize])
    }

    fn clear_below(&mut self, field: FieldId) {
        for below in self.fields.descendants(field) {
            self.slots[below.index()] = Slot::default();
        }
    }

    /// Whether a stage reads an object that this field stands in: then the object must be made
    /// anew before it is read.
    fn above_is_valued(&self, field: FieldId) -> bool {
        let mut above = self.fields.parent(field);
        while let Some(id) = above {
            if self.fields.valued(id) {
                return true;
            }
            above = self.fields.parent(id);
        }
        false
    }

    fn settle_above(&mut self) {
        if self.together.open {
            self.together.behind = true;
        } else {
            self.settle();
        }
    }

    fn in_array(&self, field: FieldId) -> bool {
        let parent = self
            .fields
            .parent(field)
            .and_then(|parent| self.span(parent));
        parent.is_some_and(|parent| parent.of(self.text).starts_with(b"["))
    }
}
