//! Writing an event: the original bytes and the edits, in one pass.
//!
//! An edit is a place in the text and what happens there: a member is cut, a value replaced, a
//! member inserted before the closing brace. Edits never overlap and are applied in the order of
//! their places. Commas need no plan: a cut takes the comma after the member, or else the one that
//! was written last; an insertion looks at what was written last.

use crate::event::batch::append;
use crate::event::scan::{self, position};
use crate::event::{Depth, EventMut, FieldId, Fields, Json, Reason, ScanError, Slot, Span, Syntax};

/// Edits that find room on the stack; an event with more costs an allocation.
const FEW: usize = 48;

#[derive(Clone, Copy, Debug, Default)]
struct Edit {
    at: u32,
    field: FieldId,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default)]
enum Kind {
    /// Take the member at `at` away.
    #[default]
    Cut,
    /// Write another value over the one at `at`.
    Replace,
    /// Add a member before the closing brace at `at`.
    Insert,
}

impl EventMut<'_> {
    /// Appends the event with its edits to `out`.
    pub fn write(&self, fields: &Fields, out: &mut Vec<u8>) {
        let text = self.event.text;
        if !self.event.edited {
            out.extend_from_slice(text.of(self.text));
            return;
        }
        let mut few = [Edit::default(); FEW];
        let mut many = Vec::new();
        let mut count = 0;
        self.edits(fields, &mut |edit| {
            match few.get_mut(count) {
                Some(free) => *free = edit,
                None => many.push(edit),
            }
            count += 1;
        });
        let edits = if many.is_empty() {
            &mut few[..count]
        } else {
            many.extend_from_slice(&few);
            &mut many[..]
        };
        edits.sort_unstable_by_key(|edit| (edit.at, edit.field));
        self.splice(fields, edits, out);
    }

    /// How many bytes the event has grown since it was received, if it were written now; zero if
    /// it has shrunk. Never too few, and too many only by some commas and white space.
    pub fn grown(&self) -> u32 {
        let mut added = self.event.text.len();
        let mut gone = self.event.received.len();
        if self.event.edited {
            self.edits(self.fields, &mut |edit| {
                let slot = &self.slots[edit.field.index()];
                match edit.kind {
                    Kind::Cut => gone += (slot.member.end - slot.key) as usize,
                    Kind::Replace => {
                        gone += slot.member.len();
                        added += self.value_len(self.fields, edit.field);
                    }
                    Kind::Insert => added += self.member_len(self.fields, edit.field),
                }
            });
        }
        position(added.saturating_sub(gone))
    }

    /// Writes the event with its edits into the scratch and finds its fields there again; for the
    /// rare edit that changes the shape above or below other fields. An event that is no longer
    /// what the scanner takes leaves the batch as it was before its last edits.
    pub fn settle(&mut self) {
        if !self.event.edited {
            return;
        }
        let mut draft = std::mem::take(self.draft);
        draft.clear();
        self.write(self.fields, &mut draft);
        let adopted = self.adopt(&draft, Depth::EDITED);
        *self.draft = draft;
        if let Err(error) = adopted {
            let reason = match error.syntax {
                Syntax::TooDeep => Reason::DecodeDepth,
                Syntax::TooLarge => Reason::Grown,
                _ => Reason::Execute,
            };
            self.reject(
                reason,
                "",
                format!("the edited event cannot be read: {error}"),
            );
        }
    }

    /// Replaces the whole event by another object. After an error (its position is in `json`) the
    /// event is what it was before.
    pub fn settle_from(&mut self, json: &[u8]) -> Result<(), ScanError> {
        if let Err(error) = simdutf8::compat::from_utf8(json) {
            return Err(ScanError::new(error.valid_up_to(), Syntax::Utf8));
        }
        self.settle();
        let before = json.len() - Json::trim_start(json).len();
        self.adopt(Json::trim(json), Depth::MAX)
            .map_err(|error| ScanError {
                at: error.at + position(before),
                ..error
            })
    }

    /// Leaves of members with the same key only the last one in the text, so that an edit of that
    /// one does not bring an earlier one back. An event that nothing edits keeps them all, so a
    /// step that must let no value through calls this even where it finds nothing to edit.
    pub fn unify(&mut self) {
        if !self.event.duplicated {
            return;
        }
        let text = self.event.text;
        let (start, end) = (text.start as usize, text.end as usize);
        self.slots.fill(Slot::default());
        let mut cuts = scan::superseded(self.text, start, end, self.fields, self.slots);
        cuts.sort_unstable_by_key(|slot| slot.key);
        let mut draft = std::mem::take(self.draft);
        draft.clear();
        let mut done = text.start;
        for slot in cuts {
            // Others may stand inside a member that is cut.
            if slot.key >= done {
                draft.extend_from_slice(
                    Span {
                        start: done,
                        end: slot.key,
                    }
                    .of(self.text),
                );
                done = self.cut(&slot, &mut draft);
            }
        }
        draft.extend_from_slice(
            Span {
                start: done,
                end: text.end,
            }
            .of(self.text),
        );
        let adopted = self.adopt(&draft, Depth::EDITED);
        *self.draft = draft;
        if let Err(error) = adopted {
            self.reject(
                Reason::Execute,
                "",
                format!("the event cannot be edited: {error}"),
            );
        }
    }

    /// Makes an object the event's text. Positions of an error are in `json`.
    fn adopt(&mut self, json: &[u8], depth: Depth) -> Result<(), ScanError> {
        let Some(text) = append(self.text, json) else {
            return Err(ScanError::new(0, Syntax::TooLarge));
        };
        let scanned = self.find(text, depth);
        let error = match scanned {
            Ok(scanned) if scanned.end == text.end => {
                self.event.text = text;
                self.event.duplicated = scanned.duplicates > 0;
                self.event.places = scanned.places;
                self.event.edited = false;
                return Ok(());
            }
            Ok(scanned) => ScanError {
                at: scanned.end,
                syntax: Syntax::Trailing,
            },
            Err(error) => error,
        };
        self.text.truncate(text.start as usize);
        // The text from before was read once: it can be read again.
        self.event.edited = false;
        let again = self.find(self.event.text, Depth::EDITED);
        debug_assert!(again.is_ok(), "{again:?}");
        self.event.places = again.map_or_else(|_| Span::default(), |scanned| scanned.places);
        Err(ScanError {
            at: error.at - text.start,
            ..error
        })
    }

    fn find(&mut self, text: Span, depth: Depth) -> Result<scan::Scanned, ScanError> {
        self.slots.fill(Slot::default());
        let (start, end) = (text.start as usize, text.end as usize);
        scan::object(
            self.text,
            start,
            end,
            depth,
            self.fields,
            self.slots,
            self.places,
        )
    }

    /// All edits, in no order.
    fn edits(&self, fields: &Fields, found: &mut impl FnMut(Edit)) {
        for (id, slot) in (0u16..).map(FieldId).zip(self.slots.iter()) {
            if !slot.edited() {
                continue;
            }
            let (at, kind, field) = if slot.member.is_empty() {
                let Some(made) = self.made_for(fields, id) else {
                    continue;
                };
                (self.closing(fields, made), Kind::Insert, made)
            } else if self.has_value(fields, id) {
                (slot.member.start, Kind::Replace, id)
            } else {
                (slot.key, Kind::Cut, id)
            };
            found(Edit { at, field, kind });
        }
    }

    /// The member to insert for a field that was added: itself, or what is missing above it. `None`
    /// if another field sees to it: one removed above that is made anew, or the first that was
    /// added below what is missing.
    fn made_for(&self, fields: &Fields, id: FieldId) -> Option<FieldId> {
        let mut made = id;
        while let Some(above) = fields.parent(made) {
            let slot = &self.slots[above.index()];
            if !slot.value.is_empty() {
                break;
            }
            if !slot.member.is_empty() {
                return None;
            }
            made = above;
        }
        let mut below = fields.descendants(made).iter();
        let first = below.find(|below| self.slots[below.index()].edited());
        (made == id || first == Some(&id)).then_some(made)
    }

    /// Whether the field, or anything below it, has a value.
    fn has_value(&self, fields: &Fields, id: FieldId) -> bool {
        let valued = |id: &FieldId| !self.slots[id.index()].value.is_empty();
        valued(&id) || fields.descendants(id).iter().any(valued)
    }

    /// Where the object ends that a new field is put in.
    fn closing(&self, fields: &Fields, id: FieldId) -> u32 {
        let within = fields
            .parent(id)
            .map(|above| self.slots[above.index()].member);
        within.unwrap_or(self.event.text).end - 1
    }

    fn splice(&self, fields: &Fields, edits: &[Edit], out: &mut Vec<u8>) {
        let text = self.event.text;
        out.reserve(text.len() + 64 * edits.len());
        let mut done = text.start;
        for edit in edits {
            let slot = &self.slots[edit.field.index()];
            out.extend_from_slice(
                Span {
                    start: done,
                    end: edit.at,
                }
                .of(self.text),
            );
            match edit.kind {
                Kind::Cut => done = self.cut(slot, out),
                Kind::Replace => {
                    self.put_value(fields, edit.field, out);
                    done = slot.member.end;
                }
                Kind::Insert => {
                    if !matches!(out.trim_ascii_end().last(), Some(b'{')) {
                        out.push(b',');
                    }
                    self.put_member(fields, edit.field, out);
                    done = edit.at;
                }
            }
        }
        out.extend_from_slice(
            Span {
                start: done,
                end: text.end,
            }
            .of(self.text),
        );
    }

    /// Leaves a member out that would come next, with one comma, and says where to go on.
    fn cut(&self, slot: &Slot, out: &mut Vec<u8>) -> u32 {
        let blank = |at: u32| {
            let rest = &self.text[at as usize..];
            position(at as usize + rest.len() - rest.trim_ascii_start().len())
        };
        let next = blank(slot.member.end);
        if self.text.get(next as usize) == Some(&b',') {
            return blank(next + 1);
        }
        // The last of its object: the comma before it goes, if any member was left.
        let kept = out.trim_ascii_end();
        let kept = kept
            .strip_suffix(b",")
            .unwrap_or(kept)
            .trim_ascii_end()
            .len();
        out.truncate(kept);
        slot.member.end
    }

    fn put_member(&self, fields: &Fields, id: FieldId, out: &mut Vec<u8>) {
        out.extend_from_slice(fields.key(id));
        self.put_value(fields, id, out);
    }

    /// The value of an edited field: its own, or an object made of what stands below it.
    fn put_value(&self, fields: &Fields, id: FieldId, out: &mut Vec<u8>) {
        let value = self.slots[id.index()].value;
        if !value.is_empty() {
            out.extend_from_slice(value.of(self.text));
            return;
        }
        out.push(b'{');
        for child in fields.children(Some(id)) {
            if self.has_value(fields, *child) {
                if out.last() != Some(&b'{') {
                    out.push(b',');
                }
                self.put_member(fields, *child, out);
            }
        }
        out.push(b'}');
    }

    fn member_len(&self, fields: &Fields, id: FieldId) -> usize {
        fields.key(id).len() + self.value_len(fields, id) + b",".len()
    }

    fn value_len(&self, fields: &Fields, id: FieldId) -> usize {
        let value = self.slots[id.index()].value;
        if !value.is_empty() {
            return value.len();
        }
        let children = fields.children(Some(id)).iter();
        let filled = children.filter(|child| self.has_value(fields, **child));
        b"{}".len()
            + filled
                .map(|child| self.member_len(fields, *child))
                .sum::<usize>()
    }
}
