//! The scanner against `serde_json`: the same verdict on every text, the same value for every field.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use crate::event::arbitrary;
use crate::event::scan::{Depth, ScanError, Scanned, Syntax, object};
use crate::event::{FieldId, Fields, Json, Slot};

/// Compares verdicts. Where `serde_json` objects only to the size of a number, ours is not asked.
fn same_verdict(text: &[u8]) {
    let ours = Json::parse(text, Depth::MAX);
    match serde_json::from_slice::<Value>(text) {
        Err(error) if error.to_string().starts_with("number out of range") => {}
        theirs => {
            let text = String::from_utf8_lossy(text);
            assert_eq!(
                ours.is_ok(),
                theirs.is_ok(),
                "{text:?}: {ours:?}, {theirs:?}"
            );
        }
    }
}

fn scan(text: &[u8], start: usize, end: usize, fields: &Fields) -> (Scan, Vec<Slot>) {
    let mut slots = vec![Slot::default(); fields.len()];
    (
        object(
            text,
            start,
            end,
            Depth::MAX,
            fields,
            &mut slots,
            &mut Vec::new(),
        ),
        slots,
    )
}

type Scan = Result<Scanned, ScanError>;

/// Texts on and just beside the grammar.
const TEXTS: &[&str] = &[
    "{}",
    "[]",
    "null",
    "nul",
    "true",
    "tru",
    "-",
    "-0",
    "01",
    "1.",
    "1.0",
    ".5",
    "1e",
    "1e+",
    "1e+5",
    "\"\\u12\"",
    "\"\\u00e9\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\\udc00\"",
    "\"\\ud800\\u0041\"",
    "\"\\x\"",
    "\"a\u{1}\"",
    "\"a\nb\"",
    "{\"a\":}",
    "{\"a\" 1}",
    "{,}",
    "{\"a\":1,}",
    "[1,]",
    "[,1]",
    "{\"\":{\"\":[]}}",
    "\"",
    "\"abc",
    "{\"a\":1",
    "[1 2]",
    "",
    " ",
    "{}{}",
    "1 2",
    "\u{feff}{}",
    "\"\u{7f}\"",
    "'a'",
    "{a:1}",
    "NaN",
    "-Infinity",
    "+1",
    "\u{c}1",
    "\u{b}1",
    "\u{a0}1",
    "1\u{0}",
    "{\"a\":1}\u{0}",
    "\"\\ud800\\udbff\"",
    "\"\\ud800\\u\"",
    "\"\\ud800\\udc0\"",
    "\"\\uD83D\\uDE0g\"",
    "\"\\u+123\"",
    "\"\\",
    "\"\\u",
];

#[test]
fn verdicts_are_those_of_serde_json() {
    for text in TEXTS {
        same_verdict(text.as_bytes());
    }
}

#[test]
fn every_place_in_a_step_is_looked_at() {
    let specials = [
        "",
        "\"",
        "\\",
        "\\\"",
        "\\u00e9",
        "\\u00e",
        "\\ud83d\\ude00",
        "\u{1f}",
        "\u{e9}",
    ];
    for before in 0..40 {
        for special in specials {
            for after in [0, 1, 7, 15, 16, 17, 40] {
                let inside = format!("{}{special}{}", "a".repeat(before), "b".repeat(after));
                same_verdict(format!("\"{inside}\"").as_bytes());
                same_verdict(format!("\"{inside}").as_bytes());
                same_verdict(format!("{{\"{inside}\":1}}").as_bytes());
            }
        }
        let digits = "7".repeat(before);
        for text in [
            "", ".5", ".", "e5", "e", "e+", ".5e-1", "x", "/", ":", "\u{e9}",
        ] {
            same_verdict(format!("{digits}{text}").as_bytes());
            same_verdict(format!("-0.{digits}{text}").as_bytes());
            same_verdict(format!("[{digits}{text}]").as_bytes());
            same_verdict(format!("{{\"a\":{digits}{text},\"b\":1}}").as_bytes());
        }
    }
}

#[test]
fn numbers_of_any_size_are_fine() {
    let digits = "9".repeat(5000);
    for number in ["1e400", "-1e999999999", &digits, "0.0000001e-99999"] {
        assert_eq!(
            Json::parse(number.as_bytes(), Depth::MAX).unwrap().raw(),
            number.as_bytes()
        );
    }
}

#[test]
fn nesting_is_bounded() {
    let nested =
        |levels: usize| format!("{}{}", "{\"a\":".repeat(levels), "[]") + &"}".repeat(levels);
    let none = Fields::default();
    let fields = arbitrary::fields();
    for fields in [&none, &fields] {
        let verdict = |levels: usize, depth: u16| {
            let text = nested(levels);
            let mut slots = vec![Slot::default(); fields.len()];
            let end = text.len();
            object(
                text.as_bytes(),
                0,
                end,
                Depth(depth),
                fields,
                &mut slots,
                &mut Vec::new(),
            )
            .map_err(|e| e.syntax)
        };
        assert!(verdict(31, 32).is_ok());
        assert_eq!(verdict(32, 32), Err(Syntax::TooDeep));
        assert_eq!(verdict(200_000, u16::MAX), Err(Syntax::TooDeep));
    }
}

#[test]
fn a_broken_line_says_what_and_where() {
    let none = Fields::default();
    for (text, at, syntax) in [
        ("[]", 0, Syntax::NotAnObject),
        ("{\"a\":\"\\ud800\"}", 6, Syntax::LoneSurrogate),
        ("{\"a\":\"\u{1}\"}", 6, Syntax::ControlCharacter),
        ("{\"a\":1 ", 7, Syntax::Truncated),
        ("", 0, Syntax::Truncated),
        ("{\"a\":1 \"b\"}", 7, Syntax::Expected("`,` or `}`")),
        ("{a:1}", 1, Syntax::Expected("a key in quotes")),
    ] {
        let (scanned, _) = scan(text.as_bytes(), 0, text.len(), &none);
        assert_eq!(scanned, Err(ScanError { at, syntax }), "{text}");
    }
    let error = Json::parse(b"{} x", Depth::MAX).unwrap_err();
    assert_eq!(
        error,
        ScanError {
            at: 3,
            syntax: Syntax::Trailing
        }
    );
    let error = Json::parse(b"\"a\xff\"", Depth::MAX).unwrap_err();
    assert_eq!(
        error,
        ScanError {
            at: 2,
            syntax: Syntax::Utf8
        }
    );
}

/// A change to a text.
#[derive(Clone, Debug)]
enum Mutation {
    Delete(Index),
    Insert(Index, u8),
    Replace(Index, u8),
    Truncate(Index),
    Repeat(Index, Index),
}

const BYTES: &[u8] = b"{}[]\",:\\u0019eE+-.tfnd8 \n\x00\x1f\x80\xc3\xff";

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        at().prop_map(Mutation::Delete),
        (at(), select(BYTES)).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        (at(), select(BYTES)).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        at().prop_map(Mutation::Truncate),
        (at(), at()).prop_map(|(from, to)| Mutation::Repeat(from, to)),
    ]
}

fn mutate(text: &mut Vec<u8>, mutation: &Mutation) {
    if text.is_empty() {
        return;
    }
    let len = text.len();
    match mutation {
        Mutation::Delete(at) => drop(text.remove(at.index(len))),
        Mutation::Insert(at, byte) => text.insert(at.index(len), *byte),
        Mutation::Replace(at, byte) => text[at.index(len)] = *byte,
        Mutation::Truncate(at) => text.truncate(at.index(len)),
        Mutation::Repeat(from, to) => {
            let (from, to) = (from.index(len), to.index(len));
            let piece = text[from.min(to)..from.max(to)].to_vec();
            text.splice(from..from, piece);
        }
    }
}

proptest! {
    #![proptest_config(arbitrary::cases())]

    #[test]
    fn fields_have_the_values_that_a_tree_has(node in arbitrary::object()) {
        let text = node.text();
        let fields = arbitrary::fields();
        let (scanned, slots) = scan(text.as_bytes(), 0, text.len(), &fields);
        let scanned = scanned.unwrap();
        prop_assert_eq!(scanned.end as usize, text.len());
        prop_assert_eq!(scanned.duplicates, node.duplicates(&fields));
        let tree: Value = serde_json::from_str(&text).unwrap();
        for id in (0..u16::try_from(fields.len()).unwrap()).map(FieldId) {
            let slot = slots[id.index()];
            let path = fields.path(id);
            let theirs = arbitrary::at(&tree, path.names());
            prop_assert_eq!(slot.value, slot.member);
            prop_assert_eq!(slot.value.is_empty(), theirs.is_none(), "{} of {}", path, text);
            if let Some(theirs) = theirs {
                let raw = slot.value.of(text.as_bytes());
                prop_assert_eq!(raw.trim_ascii(), raw);
                let ours: Value = serde_json::from_slice(raw).unwrap();
                prop_assert_eq!(&ours, theirs, "{} of {}", path, text);
                let string = Json(raw).as_str();
                prop_assert_eq!(string.as_deref(), theirs.as_str());
            }
        }
    }

    #[test]
    fn changed_texts_get_the_same_verdict(
        node in arbitrary::node(),
        mutations in vec(mutation(), 0..4),
    ) {
        let mut text = node.text().into_bytes();
        for mutation in &mutations {
            mutate(&mut text, mutation);
            same_verdict(&text);
        }
    }

    #[test]
    fn any_row_of_tokens_gets_the_same_verdict(
        tokens in vec(select(&[
            "{", "}", "[", "]", "\"", "\"a\"", ":", ",", "\"a\":", "1", "-", "0", ".", "e", "E+", "\\",
            "\\u", "d83d", "\\ude00", "00e9", "true", "null", "fals", " ", "\n", "\t", "\u{e9}", "1}",
        ][..]), 0..12),
    ) {
        let text = tokens.concat();
        same_verdict(text.as_bytes());
        same_verdict(format!("{{\"a\":{text}}}").as_bytes());
        same_verdict(format!("[\"{text}\"]").as_bytes());
    }

    #[test]
    fn what_stands_around_an_event_does_not_matter(
        node in arbitrary::object(),
        mutations in vec(mutation(), 0..2),
        before in "[a-z \\n\"{]{0,20}",
        after in select(&["\n", "\n}", "}", "\"}", "1", ",\"a\":1}", "\\", "00", " \n {}\n"][..]),
    ) {
        let mut text = node.text().into_bytes();
        mutations.iter().for_each(|mutation| mutate(&mut text, mutation));
        if std::str::from_utf8(&text).is_err() {
            return Ok(());
        }
        let fields = arbitrary::fields();
        let (alone, mut slots) = scan(&text, 0, text.len(), &fields);
        let (start, end) = (before.len(), before.len() + text.len());
        let within = [before.as_bytes(), &text, after.as_bytes()].concat();
        let (embedded, embedded_slots) = scan(&within, start, end, &fields);
        let by = u32::try_from(start).unwrap();
        prop_assert_eq!(alone.is_ok(), embedded.is_ok());
        if let (Ok(alone), Ok(embedded)) = (alone, embedded) {
            prop_assert_eq!(alone.end + by, embedded.end);
            for slot in slots.iter_mut().filter(|slot| !slot.member.is_empty()) {
                slot.key += by;
                for span in [&mut slot.member, &mut slot.value] {
                    (span.start, span.end) = (span.start + by, span.end + by);
                }
            }
        }
        if let Err(error) = embedded {
            prop_assert!((start..=end).contains(&(error.at as usize)));
        }
        prop_assert_eq!(slots, embedded_slots);
    }
}
