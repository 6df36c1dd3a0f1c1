//! The events of one request, and what became of each: it leaves only by delivery or with a reason.

use std::sync::Arc;

use crate::event::scan;
use crate::event::scan::position;
use crate::event::{
    Class, Depth, EventMut, Fields, Pool, Priority, Reason, ScanError, Span, Syntax, TargetId,
    Together, TopicId,
};

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

/// Where a member of an object stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its key, a string in quotes.
    pub key: Span,
    /// Its value.
    pub value: Span,
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
    /// What followed from it.
    pub effect: Effect,
    /// The validator that found it, by its index in the repo; `None` for other stages.
    pub validator: Option<u16>,
    /// The shape of the value, where there is one: digits and letters are not told.
    pub sample: Option<Box<str>>,
}

/// What followed from a violation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The event is rejected.
    #[default]
    Rejected,
    /// The field was made right or taken away, and the event goes on.
    Repaired,
    /// Nothing: the validator only looks. Enforced, it would reject the event.
    Shadow,
    /// Nothing: the validator only looks. Enforced, it would repair the field.
    ShadowRepair,
}

/// One client event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Line of the body, or element of the array, from 1.
    pub line: u32,
    /// The event as received, without white space around it. In a `text` repo the line, which need
    /// not be JSON; of a rejected event not even UTF-8.
    pub received: Span,
    /// The text that its slots speak of: as received, or as last settled.
    pub text: Span,
    /// What became of it.
    pub fate: Fate,
    /// What the catalog says; a route or restriction may override it.
    pub priority: Option<Priority>,
    /// What a restriction of the switches says; it stands over route and catalog.
    pub restricted: Option<Priority>,
    /// Where a restriction of the switches sends it, instead of where its route would.
    pub redirect: Option<(TargetId, TopicId)>,
    /// The first reason a validator found to reject it. It leaves only when all have looked.
    pub verdict: Option<Reason>,
    /// Whether slots may say something else than the text.
    pub(super) edited: bool,
    /// Whether the text repeats keys of fields. Then nothing is edited yet.
    pub(super) duplicated: bool,
    /// Where the members of the listed object are noted.
    pub(super) places: Span,
}

/// How much one value may be larger than its whole event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth(pub(super) u32);

impl Default for Growth {
    fn default() -> Self {
        Self(1 << 20)
    }
}

/// The events of one request with their text. Positions are into [`Batch::text`].
#[derive(Debug, Default)]
pub struct Batch {
    text: Vec<u8>,
    draft: Vec<u8>,
    fields: Arc<Fields>,
    events: Vec<Event>,
    slots: Vec<Slot>,
    places: Vec<Place>,
    violations: Vec<Violation>,
    growth: Growth,
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

    /// The same over buffers that earlier batches used.
    pub(crate) fn over(body: Vec<u8>, fields: Arc<Fields>, pool: &Pool) -> Self {
        Self {
            draft: pool.draft(),
            slots: pool.slots(),
            places: pool.places(),
            ..Self::new(body, fields)
        }
    }

    /// Gives the text and all positions in it back, once nothing will be read any more: from here
    /// on the batch only knows what became of its events.
    pub fn strip(&mut self, pool: &Pool) {
        pool.keep_text(std::mem::take(&mut self.text));
        pool.keep_draft(std::mem::take(&mut self.draft));
        pool.keep_slots(std::mem::take(&mut self.slots));
        pool.keep_places(std::mem::take(&mut self.places));
    }

    /// Sends an event out, also after [`Batch::strip`]. The first reason stays.
    pub fn leave(&mut self, index: usize, reason: Reason) {
        let event = &mut self.events[index];
        if event.fate == Fate::Live {
            event.fate = Fate::Left(reason);
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

    /// What happened to each event: its line and its fate, in the order of the body.
    pub fn fates(&self) -> impl Iterator<Item = (u32, Fate)> {
        self.events.iter().map(|event| (event.line, event.fate))
    }

    /// The violations of one event, in the order they were found. Looks at all of the batch; for
    /// many events use [`Batch::violations_by_event`].
    pub fn violations_of(&self, index: u32) -> impl Iterator<Item = &Violation> {
        self.violations
            .iter()
            .filter(move |violation| violation.event == index)
    }

    /// All violations, those of earlier events first.
    pub fn violations_by_event(&self) -> Vec<&Violation> {
        let mut sorted: Vec<_> = self.violations.iter().collect();
        sorted.sort_by_key(|violation| violation.event);
        sorted
    }

    /// Says by how many bytes an event may grow: a single value that is larger than the event as
    /// received and this together sends it out ([`Reason::Grown`]). 1 MiB unless told.
    pub fn limit_growth(&mut self, bytes: u32) {
        self.growth = Growth(bytes);
    }

    /// Appends bytes to the scratch that any event may then use as a value ([`EventMut::point`]).
    /// Empty if there is no room left below 4 GiB.
    pub fn share(&mut self, json: &[u8]) -> Span {
        append(&mut self.text, json).unwrap_or_default()
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
            index: position(index),
            growth: self.growth,
            text: &mut self.text,
            draft: &mut self.draft,
            fields: &self.fields,
            event: &mut self.events[index],
            slots: &mut self.slots[index * width..(index + 1) * width],
            places: &mut self.places,
            violations: &mut self.violations,
            together: Together::default(),
        }
    }

    /// The event that was added last.
    ///
    /// # Panics
    /// If there is none.
    pub fn last(&mut self) -> EventMut<'_> {
        self.event(self.events.len() - 1)
    }

    /// Adds an event with empty slots: one that cannot be read, to reject it.
    pub fn push(&mut self, line: u32, received: Span) -> EventMut<'_> {
        self.slots
            .resize(self.slots.len() + self.fields.len(), Slot::default());
        self.add(line, received, received, None);
        self.last()
    }

    /// Reads the object that stands between `start` and `end`, without white space around it, as
    /// the next event. The text is valid UTF-8 there. After an error nothing is added.
    pub fn read(
        &mut self,
        line: u32,
        start: usize,
        end: usize,
        depth: Depth,
    ) -> Result<(), ScanError> {
        let scanned = self.scan(start, end, depth)?;
        if (scanned.end as usize) < end {
            self.slots.truncate(self.events.len() * self.fields.len());
            return Err(ScanError {
                at: scanned.end,
                syntax: Syntax::Trailing,
            });
        }
        self.add_scanned(line, start, scanned);
        Ok(())
    }

    /// Reads the object that begins at `start` and ends somewhere before `end`, as the next event,
    /// and says where it ends. The text is valid UTF-8 there. After an error nothing is added.
    pub fn read_next(
        &mut self,
        line: u32,
        start: usize,
        end: usize,
        depth: Depth,
    ) -> Result<usize, ScanError> {
        let scanned = self.scan(start, end, depth)?;
        self.add_scanned(line, start, scanned);
        Ok(scanned.end as usize)
    }

    /// Adds an event that was received as something else: `json` goes to the scratch and is read.
    /// After an error nothing is added.
    pub fn read_as(
        &mut self,
        line: u32,
        received: Span,
        json: &[u8],
        depth: Depth,
    ) -> Result<(), ScanError> {
        let Some(text) = append(&mut self.text, json) else {
            return Err(ScanError::new(0, Syntax::TooLarge));
        };
        let scanned = self.scan(text.start as usize, text.end as usize, depth)?;
        self.add(line, received, text, Some(scanned));
        Ok(())
    }

    /// Where the value ends that starts at `start` (after white space): to step over what is not
    /// read as an event.
    pub fn skip(&self, start: usize, end: usize, depth: Depth) -> Result<usize, ScanError> {
        scan::value(&self.text, start, end, depth)
    }

    fn scan(&mut self, start: usize, end: usize, depth: Depth) -> Result<scan::Scanned, ScanError> {
        let width = self.slots.len();
        self.slots
            .resize(width + self.fields.len(), Slot::default());
        let slots = &mut self.slots[width..];
        let scanned = scan::object(
            &self.text,
            start,
            end,
            depth,
            &self.fields,
            slots,
            &mut self.places,
        );
        if scanned.is_err() {
            self.slots.truncate(width);
        }
        scanned
    }

    fn add_scanned(&mut self, line: u32, start: usize, scanned: scan::Scanned) {
        let text = Span {
            start: position(start),
            end: scanned.end,
        };
        self.duplicates += u64::from(scanned.duplicates);
        self.add(line, text, text, Some(scanned));
    }

    fn add(&mut self, line: u32, received: Span, text: Span, scanned: Option<scan::Scanned>) {
        let duplicated = scanned.is_some_and(|scanned| scanned.duplicates > 0);
        let places = scanned.map_or_else(Span::default, |scanned| scanned.places);
        self.events.push(Event {
            line,
            received,
            text,
            fate: Fate::Live,
            priority: None,
            restricted: None,
            redirect: None,
            verdict: None,
            edited: false,
            duplicated,
            places,
        });
    }
}

/// Appends to the text, if positions of 32 bits can name the result.
pub(super) fn append(text: &mut Vec<u8>, bytes: &[u8]) -> Option<Span> {
    let start = u32::try_from(text.len()).ok()?;
    let end = u32::try_from(text.len() + bytes.len()).ok()?;
    text.extend_from_slice(bytes);
    Some(Span { start, end })
}

#[cfg(test)]
mod tests;
