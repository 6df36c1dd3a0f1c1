//! Bodies and what becomes of them.

use super::*;
use crate::event::{Fate, FieldsBuilder, Path};

fn input(format: Format) -> Input {
    Input {
        format,
        event_limit: 60,
        max_events: 5,
        depth: Depth(4),
    }
}

fn read(format: Format, body: &[u8]) -> Result<Batch, Error> {
    let mut fields = FieldsBuilder::default();
    fields.add(&Path::parse("message").unwrap()).unwrap();
    let fields = Arc::new(fields.build());
    decode(&input(format), body.to_vec(), &fields, &Pool::default())
}

/// Of each event its line, and what was received or why it was not taken.
fn lines(format: Format, body: &[u8]) -> Vec<(u32, String)> {
    let batch = read(format, body).unwrap();
    let said = |index: usize| match batch.events()[index].fate {
        Fate::Live => String::from_utf8(batch.events()[index].received.of(batch.text()).to_vec()),
        Fate::Left(reason) => {
            let violation = batch
                .violations_of(u32::try_from(index).unwrap())
                .next()
                .unwrap();
            assert_eq!(violation.reason, reason);
            Ok(format!("{}: {}", reason.code(), violation.message))
        }
    };
    let events = 0..batch.events().len();
    events
        .map(|index| (batch.events()[index].line, said(index).unwrap()))
        .collect()
}

fn jsonl(body: &str) -> Vec<(u32, String)> {
    lines(Format::Jsonl, body.as_bytes())
}

fn said(lines: &[(u32, &str)]) -> Vec<(u32, String)> {
    lines
        .iter()
        .map(|(line, said)| (*line, (*said).to_owned()))
        .collect()
}

#[test]
fn lines_end_in_either_way_and_blank_ones_count() {
    let expected = said(&[(1, r#"{"a":1}"#), (3, r#"{"a":2}"#), (5, r#"{"a":3}"#)]);
    assert_eq!(jsonl("{\"a\":1}\n\n{\"a\":2}\n \t\n{\"a\":3}"), expected);
    assert_eq!(
        jsonl("{\"a\":1}\r\n\r\n  {\"a\":2}\t\r\n\r\n{\"a\":3}\r\n"),
        expected
    );
    assert_eq!(jsonl("\u{feff}{\"a\":1}\n"), said(&[(1, r#"{"a":1}"#)]));
}

#[test]
fn nothing_is_no_event() {
    for body in [
        "",
        "\n",
        "\r\n\n",
        " \n",
        "[]",
        " [ ] \n",
        "\u{feff}",
        "\u{feff}[]",
    ] {
        assert_eq!(jsonl(body), [], "{body:?}");
        if !body.contains('[') {
            assert_eq!(lines(Format::Text, body.as_bytes()), [], "{body:?}");
        }
    }
}

#[test]
fn a_bad_line_rejects_itself_alone() {
    for (line, expected) in [
        ("{\"a\" 1}", "decode.json: expected `:` at byte 6"),
        ("  {\"a\":tru}", "decode.json: expected `true` at byte 6"),
        (
            "{\"a\":1",
            "decode.json: the text ends in the middle of a value at byte 7",
        ),
        (
            "{\"a\":1,",
            "decode.json: the text ends in the middle of a value at byte 8",
        ),
        (
            "{\"a\":\"b",
            "decode.json: the text ends in the middle of a value at byte 8",
        ),
        (
            "{} {}",
            "decode.json: something follows the value at byte 3",
        ),
        ("{}x", "decode.json: something follows the value at byte 3"),
        ("hello", "decode.json: expected a value at byte 1"),
        (
            "12 34",
            "decode.json: something follows the value at byte 3",
        ),
        ("12", "decode.object: an event is a JSON object"),
        ("null", "decode.object: an event is a JSON object"),
        (
            "{\"a\":\"\\ud800\"}",
            "decode.json: a surrogate escape stands without its partner at byte 7",
        ),
        (
            "{\"a\":\"\t\"}",
            "decode.json: a control character inside a string must be escaped at byte 7",
        ),
        (
            "{\"a\":{\"b\":[[[1]]]}}",
            "decode.depth: nested deeper than 4 levels at byte 13",
        ),
    ] {
        let body = format!("{{\"a\":1}}\n{line}\n{{\"a\":2}}\n");
        let expected = said(&[(1, r#"{"a":1}"#), (2, expected), (3, r#"{"a":2}"#)]);
        assert_eq!(jsonl(&body), expected);
        let last = format!("{{\"a\":1}}\n{line}");
        assert_eq!(jsonl(&last), expected[..2]);
    }
}

#[test]
fn invalid_utf8_rejects_its_line_alone() {
    let body = b"{\"a\":\"\xc3\xa9\"}\n{\"a\":\"\xc3\"}\n\xff\n{\"a\":2}";
    let expected = said(&[
        (1, "{\"a\":\"\u{e9}\"}"),
        (2, "decode.utf8: not valid UTF-8 at byte 7"),
        (3, "decode.utf8: not valid UTF-8 at byte 1"),
        (4, "{\"a\":2}"),
    ]);
    assert_eq!(lines(Format::Jsonl, body), expected);
    let text = lines(Format::Text, b"\xff\nb");
    assert_eq!(
        text,
        said(&[(1, "decode.utf8: not valid UTF-8 at byte 1"), (2, "b")])
    );
    let at = read(Format::Jsonl, b"[{\"a\":\"\xc3\"}]").unwrap_err();
    assert_eq!(
        at,
        Error::Array {
            at: 8,
            syntax: Syntax::Utf8
        }
    );
}

#[test]
fn a_large_event_is_rejected_and_an_equal_one_is_not() {
    let fits = format!("{{\"a\":\"{}\"}}", "x".repeat(52));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(53));
    let refused = "decode.size: the event has 61 bytes, and the limit is 60";
    let expected = said(&[(1, &fits), (2, refused), (3, "{}")]);
    assert_eq!(jsonl(&format!("  {fits}  \r\n{large}\n{{}}")), expected);
    assert_eq!(jsonl(&format!("[ {fits} ,{large},{{}}]")), expected);
}

#[test]
fn more_events_than_allowed_refuse_the_body() {
    let many = Err(Error::TooManyEvents { most: 5 });
    for (format, fits, one_more) in [
        (Format::Jsonl, "{}\n\n{}\n{\n1\n{}\n\n", "{}"),
        (Format::Jsonl, "[{},{},1,{},{}", ",{}]"),
        (Format::Text, "a\n\nb\nc\nd\ne\n\n", "f"),
    ] {
        let body = format!("{fits}{}", if fits.starts_with('[') { "]" } else { "" });
        assert_eq!(
            read(format, body.as_bytes()).unwrap().events().len(),
            5,
            "{fits}"
        );
        let body = format!("{fits}{one_more}");
        assert_eq!(
            read(format, body.as_bytes()).map(|batch| batch.events().len()),
            many
        );
    }
}

#[test]
fn an_array_counts_its_elements() {
    let expected = said(&[
        (1, "{\"a\":1}"),
        (2, "decode.object: an event is a JSON object"),
        (3, "decode.depth: nested deeper than 4 levels at byte 13"),
        (4, "{ }"),
    ]);
    assert_eq!(
        jsonl("\n [{\"a\":1}\n,\n[2], {\"a\":{\"b\":[[[1]]]}},\n{ } ]\n"),
        expected
    );
}

#[test]
fn an_array_that_does_not_parse_refuses_the_body() {
    for (body, at, syntax) in [
        ("[", 2, Syntax::Truncated),
        ("[{}", 4, Syntax::Truncated),
        ("[{},", 5, Syntax::Truncated),
        ("[{},]", 5, Syntax::Expected("a value")),
        ("[,{}]", 2, Syntax::Expected("a value")),
        ("[{} {}]", 5, Syntax::Expected("`,` or `]`")),
        ("[{}}", 4, Syntax::Expected("`,` or `]`")),
        ("[{}] x", 6, Syntax::Trailing),
        ("[{}][]", 5, Syntax::Trailing),
        ("[{\"a\":tru}]", 7, Syntax::Expected("`true`")),
        ("[{\"a\":1]", 8, Syntax::Expected("`,` or `}`")),
    ] {
        let error = read(Format::Jsonl, body.as_bytes()).unwrap_err();
        assert_eq!(error, Error::Array { at, syntax }, "{body}");
    }
}

#[test]
fn a_line_of_text_is_a_message() {
    let mut batch = read(
        Format::Text,
        "[a]\r\n \t\n b \"\\\u{1}\u{e9} \r\n\n".as_bytes(),
    )
    .unwrap();
    let message = batch
        .fields()
        .find(&Path::parse("message").unwrap())
        .unwrap();
    let mut seen = Vec::new();
    batch.each(|event| {
        let text = event.get(message).unwrap().as_str().unwrap().into_owned();
        let mut json = Vec::new();
        let fields = Fields::default();
        event.write(&fields, &mut json);
        seen.push((event.event.line, text, String::from_utf8(json).unwrap()));
    });
    let expected = [
        (1, "[a]".to_owned(), r#"{"message":"[a]"}"#.to_owned()),
        (
            3,
            " b \"\\\u{1}\u{e9} ".to_owned(),
            "{\"message\":\" b \\\"\\\\\\u0001\u{e9} \"}".to_owned(),
        ),
    ];
    assert_eq!(seen, expected);
    assert_eq!(batch.event(1).received(), " b \"\\\u{1}\u{e9} ".as_bytes());
}

#[test]
fn repeated_fields_are_counted() {
    let batch = read(Format::Jsonl, br#"{"message":1,"message":2,"x":1,"x":2}"#).unwrap();
    assert_eq!(batch.duplicates, 1);
}
