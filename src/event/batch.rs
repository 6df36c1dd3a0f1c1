//! The events of one request, and what became of each: it leaves only by delivery or with a reason.

use std::sync::Arc;

use crate::event::{Class, FieldId, Fields, Json, Priority, Reason, Span};

/// Where a field stands in the event's text, and its value now.
///
/// `value == member` means untouched; a value without a member was added; a member without a value
/// was removed; both and different: replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// Position of the member's key (its opening quote), or of the element in an array.
    pub key: u32,
    /// The value as it stands in the event's text; empty if it is not there.
    pub member: Span,
    /// The value now; empty if there is none.
    pub value: Span,
}

impl Slot {
    /// Whether the overlay says something else than the text.
    pub fn edited(&self) -> bool {
        self.member != self.value
    }
}

/// What became of an event so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Still on its way.
    Live,
    /// Left, with a reason.
    Left(Reason),
}

/// Something a validator (or another stage) found wrong with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Index of the event.
    pub event: u32,
    /// What kind of thing is wrong.
    pub reason: Reason,
    /// The field, as a path; empty when it is about the event.
    pub field: String,
    /// What was expected and found; never the whole value.
    pub message: String,
}

/// One client event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Line of the body, or element of the array, from 1.
    pub line: u32,
    /// The event as received.
    pub received: Span,
    /// The text that its slots speak of: as received, or as last settled.
    pub text: Span,
    /// What became of it.
    pub fate: Fate,
    /// What the catalog says; a route or restriction may override it.
    pub priority: Option<Priority>,
}

/// The events of one request with their text. Positions are into [`Batch::text`].
#[derive(Debug, Default)]
pub struct Batch {
    text: Vec<u8>,
    draft: Vec<u8>,
    fields: Arc<Fields>,
    events: Vec<Event>,
    slots: Vec<Slot>,
    violations: Vec<Violation>,
    /// Members that repeated the key of a field; the last one counts.
    pub duplicates: u64,
}

impl Batch {
    /// A batch over a decoded body. The body is at most `u32::MAX / 2` bytes: limits see to it.
    pub fn new(body: Vec<u8>, fields: Arc<Fields>) -> Self {
        Self {
            text: body,
            fields,
            ..Self::default()
        }
    }

    /// Body and scratch.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The paths the slots are for.
    pub fn fields(&self) -> &Arc<Fields> {
        &self.fields
    }

    /// All events, those that left among them.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What was found wrong, in the order it was found.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How many events are still on their way.
    pub fn live(&self) -> usize {
        self.events
            .iter()
            .filter(|event| event.fate == Fate::Live)
            .count()
    }

    /// How many left with a reason of this class.
    pub fn left(&self, class: Class) -> usize {
        let of_class = |event: &&Event| matches!(event.fate, Fate::Left(r) if r.class() == class);
        self.events.iter().filter(of_class).count()
    }

    /// Appends bytes to the scratch that any event may then use as a value ([`EventMut::point`]).
    pub fn share(&mut self, json: &[u8]) -> Span {
        append(&mut self.text, json)
    }

    /// Runs `step` on every event that is still on its way.
    pub fn each(&mut self, mut step: impl FnMut(&mut EventMut<'_>)) {
        for index in 0..self.events.len() {
            if self.events[index].fate == Fate::Live {
                step(&mut self.event(index));
            }
        }
    }

    /// One event, to read and edit.
    ///
    /// # Panics
    /// If there is no such event.
    pub fn event(&mut self, index: usize) -> EventMut<'_> {
        let width = self.fields.len();
        EventMut {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            text: &mut self.text,
            draft: &mut self.draft,
            fields: &self.fields,
            event: &mut self.events[index],
            slots: &mut self.slots[index * width..(index + 1) * width],
            violations: &mut self.violations,
            duplicates: &mut self.duplicates,
        }
    }

    /// Adds an event with empty slots and gives it for filling; decoding does.
    pub fn push(&mut self, line: u32, received: Span) -> EventMut<'_> {
        let event = Event {
            line,
            received,
            text: received,
            fate: Fate::Live,
            priority: None,
        };
        self.events.push(event);
        self.slots
            .resize(self.slots.len() + self.fields.len(), Slot::default());
        self.event(self.events.len() - 1)
    }
}

/// One event of a batch, to read and edit. Reading sees all edits made before.
#[derive(Debug)]
pub struct EventMut<'b> {
    /// Its index in the batch.
    pub index: u32,
    /// What became of it, its line and priority.
    pub event: &'b mut Event,
    pub(super) text: &'b mut Vec<u8>,
    pub(super) draft: &'b mut Vec<u8>,
    pub(super) fields: &'b Arc<Fields>,
    pub(super) slots: &'b mut [Slot],
    pub(super) violations: &'b mut Vec<Violation>,
    pub(super) duplicates: &'b mut u64,
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

    /// The event as received (in a `text` repo: the line as an object).
    pub fn received(&self) -> &[u8] {
        self.event.received.of(self.text)
    }

    /// Sets the field to what `write` appends (one JSON value; nothing appended: nothing changes).
    /// `write` sees the batch's text, to copy from spans.
    pub fn set(&mut self, field: FieldId, write: impl FnOnce(&[u8], &mut Vec<u8>)) {
        self.draft.clear();
        write(self.text, self.draft);
        if !self.draft.is_empty() {
            let value = append(self.text, self.draft);
            self.point(field, value);
        }
    }

    /// Sets the field to a JSON value that already stands in the text.
    pub fn point(&mut self, field: FieldId, value: Span) {
        self.slots[field.index()].value = value;
        let below = !self.fields.descendants(field).is_empty();
        if below || self.above_is_valued(field) {
            self.settle();
        }
    }

    /// Takes the field away, with all below it.
    pub fn remove(&mut self, field: FieldId) {
        if self.span(field).is_none() {
            return;
        }
        self.slots[field.index()].value = Span::default();
        for below in self.fields.descendants(field) {
            self.slots[below.index()] = Slot::default();
        }
        if self.above_is_valued(field) {
            self.settle();
        }
    }

    /// Notes what is wrong, without a verdict.
    pub fn violate(&mut self, reason: Reason, field: &str, message: String) {
        let field = field.to_owned();
        self.violations.push(Violation {
            event: self.index,
            reason,
            field,
            message,
        });
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
}

/// Appends to the scratch. Positions stay below `u32::MAX` because limits bound body and growth.
pub(super) fn append(text: &mut Vec<u8>, bytes: &[u8]) -> Span {
    let start = u32::try_from(text.len()).unwrap_or(u32::MAX);
    text.extend_from_slice(bytes);
    Span {
        start,
        end: u32::try_from(text.len()).unwrap_or(u32::MAX),
    }
}
