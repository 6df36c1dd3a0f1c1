//! Tests on strings. Most strings hold no escape, and then their bytes are their characters: what
//! a test must look at is searched for a backslash, and only if there is one is the string undone.

use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, BuildError, Input, StartKind};
use memchr::memchr;
use memchr::memmem::Finder;

use crate::event::{Json, Kind};

/// A surrogate pair is the longest way to write one character.
const LONGEST_ESCAPE: usize = 12;

/// What stands between the quotes, or `None` for other types.
fn inner(value: Json<'_>) -> Option<&[u8]> {
    match (value.kind(), value.raw()) {
        (Kind::String, [_, inner @ .., _]) => Some(inner),
        _ => None,
    }
}

/// Whether the value is this string.
pub(super) fn equals(value: Json<'_>, expected: &[u8]) -> bool {
    let Some(raw) = inner(value) else {
        return false;
    };
    // An escape is always longer than what it stands for.
    if raw.len() <= expected.len() {
        return raw == expected && memchr(b'\\', raw).is_none();
    }
    memchr(b'\\', raw).is_some()
        && value
            .as_str()
            .is_some_and(|text| text.as_bytes() == expected)
}

/// Where in a string something is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At its beginning.
    Start,
    /// At its end.
    End,
    /// Anywhere.
    Anywhere,
}

/// Strings that are looked for at one place.
#[derive(Debug)]
pub struct Needles {
    place: Place,
    longest: usize,
    search: Search,
}

#[derive(Debug)]
enum Search {
    One(Box<[u8]>),
    Finder(Box<Finder<'static>>),
    Ends(Box<[Box<[u8]>]>),
    Automaton(AhoCorasick),
}

impl Needles {
    /// Prepares the search. Fails when the automaton would be too large.
    pub fn new(place: Place, needles: &[String]) -> Result<Self, BuildError> {
        let longest = needles.iter().map(String::len).max().unwrap_or(0);
        let bytes = |text: &String| text.as_bytes().into();
        let search = match (place, needles) {
            (Place::Anywhere, [one]) => Search::Finder(Box::new(Finder::new(one).into_owned())),
            (_, [one]) => Search::One(bytes(one)),
            (Place::End, many) => Search::Ends(many.iter().map(bytes).collect()),
            (Place::Start, many) => Search::Automaton(automaton(StartKind::Anchored, many)?),
            (Place::Anywhere, many) => Search::Automaton(automaton(StartKind::Unanchored, many)?),
        };
        Ok(Self {
            place,
            longest,
            search,
        })
    }

    /// Whether one of them stands at the place in the string.
    pub fn found(&self, value: Json<'_>) -> bool {
        let Some(raw) = inner(value) else {
            return false;
        };
        let looked_at = match self.place {
            Place::Start => &raw[..raw.len().min(self.longest)],
            Place::End => &raw[raw.len().saturating_sub(self.longest + LONGEST_ESCAPE)..],
            Place::Anywhere => raw,
        };
        if memchr(b'\\', looked_at).is_none() {
            return self.found_in(raw);
        }
        value
            .as_str()
            .is_some_and(|text| self.found_in(text.as_bytes()))
    }

    fn found_in(&self, text: &[u8]) -> bool {
        match (&self.search, self.place) {
            (Search::One(one), Place::Start) => text.starts_with(one),
            (Search::One(one), _) => text.ends_with(one),
            (Search::Finder(finder), _) => finder.find(text).is_some(),
            (Search::Ends(ends), _) => ends.iter().any(|end| text.ends_with(end)),
            (Search::Automaton(automaton), Place::Start) => {
                automaton.is_match(Input::new(text).anchored(Anchored::Yes))
            }
            (Search::Automaton(automaton), _) => automaton.is_match(text),
        }
    }
}

fn automaton(start: StartKind, needles: &[String]) -> Result<AhoCorasick, BuildError> {
    // A DFA for the few needles of a hand-written list; a table of thousands would be large.
    let kind = (needles.len() <= 100).then_some(AhoCorasickKind::DFA);
    AhoCorasick::builder()
        .start_kind(start)
        .kind(kind)
        .build(needles)
}
