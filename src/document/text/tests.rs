//! Texts that are, or are not, one document and nothing else.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(text: &str) -> Value {
    parse(text)
        .unwrap_or_else(|error| panic!("{text}: {error:?}"))
        .value
}

fn refusal(text: &str) -> (Option<u32>, String) {
    let error = parse(text).expect_err(text);
    assert!(!error.hint.is_empty(), "{text}");
    (error.line, error.message)
}

#[test]
fn the_first_character_tells_json_from_yaml() {
    let same = json!({"a": [1, "x", null, true, 1.5], "b": {"c": "d"}});
    assert_eq!(read(&same.to_string()), same);
    assert_eq!(read(&format!("\u{feff}\n {same}")), same);
    assert_eq!(read("a: [1, x, null, true, 1.5]\nb:\n  c: d\n"), same);
}

#[test]
fn plain_scalars_follow_the_core_schema() {
    let all =
        "[off, yes, ~, 012, 0o17, 0xff, +3, -4, .5, 1e3, 12:30, 1_000, '7', 18446744073709551615]";
    let expected = json!([
        "off",
        "yes",
        null,
        12,
        15,
        255,
        3,
        -4,
        0.5,
        1000.0,
        "12:30",
        "1_000",
        "7",
        u64::MAX
    ]);
    assert_eq!(read(&format!("a: {all}"))["a"], expected);
    assert_eq!(read("1: x\ntrue: y\n"), json!({"1": "x", "true": "y"}));
}

#[test]
fn a_key_that_stands_twice_is_refused_in_both() {
    assert_eq!(
        refusal("a: 1\nb: 2\na: 3\n"),
        (Some(3), "the key `a` stands twice in one object".to_owned())
    );
    assert_eq!(
        refusal("{\"a\": 1,\n \"b\": {\"c\": 1,\n\"c\": 2}}"),
        (Some(3), "the key `c` stands twice in one object".to_owned())
    );
}

#[test]
fn what_a_reader_could_mistake_is_refused() {
    for (text, line, message) in [
        ("a: &x 1\nb: 2\n", 1, "an anchor is not taken in documents"),
        ("a: 1\nb: *x\n", 2, "an alias is not taken in documents"),
        ("a: !!str 1\n", 1, "a tag is not taken in documents"),
        ("a: 1\n---\nb: 2\n", 2, "a second document begins here"),
        (
            "a: 1\nb: .inf\n",
            2,
            "`.inf` is no number that fits into 64 bits",
        ),
        (
            "a: 1e400\n",
            1,
            "`1e400` is no number that fits into 64 bits",
        ),
        (
            "a: -9223372036854775809\n",
            1,
            "`-9223372036854775809` is no number that fits into 64 bits",
        ),
        (
            "a: 18446744073709551616\n",
            1,
            "`18446744073709551616` is no number that fits into 64 bits",
        ),
        (
            "a: 1\n? [b]\n: 2\n",
            2,
            "the key of a member is a list or an object",
        ),
    ] {
        assert_eq!(refusal(text), (Some(line), message.to_owned()), "{text}");
    }
    assert!(refusal("{\"a\": 1e400}").1.contains("number out of range"));
}

#[test]
fn blank_is_never_empty() {
    for text in [
        "",
        "  \n\n",
        "# only a comment\n",
        "---\n",
        "\u{feff}",
        "--- \n...\n",
    ] {
        assert_eq!(
            refusal(text),
            (
                None,
                "the document is blank, which is never read as empty".to_owned()
            ),
            "{text:?}"
        );
    }
    assert_eq!(read("~"), Value::Null);
}

#[test]
fn size_and_nesting_are_bounded() {
    let large = format!("a: {}", "x".repeat(2 << 20));
    assert!(refusal(&large).1.contains("the most is 2 MiB"));
    let message = "nested deeper than 64 levels".to_owned();
    for open in ["[", "a: [[", "- - "] {
        assert_eq!(
            refusal(&open.repeat(100_000 / open.len())).1,
            message,
            "{open}"
        );
    }
    assert_eq!(refusal(&"{\"a\":".repeat(100)).1, message);
}

#[test]
fn syntax_errors_name_their_line() {
    assert_eq!(refusal("{\"a\": 1,\n\"b\": }").0, Some(2));
    assert_eq!(refusal("{\"a\": 1}\n{}").0, Some(2));
    assert_eq!(refusal("a: 1\nb: [1, 2\nc: 3\n").0, Some(3));
    assert!(parse("a:\n\t- 1\n").unwrap_err().hint.contains("tabs"));
}

#[test]
fn a_pointer_leads_back_to_its_line() {
    let yaml = "a: 1\nb:\n  - x\n  - c: 2\n    d:\n      e: 3\nf/g: 4\n";
    let json =
        "{\"a\": 1,\n \"b\": [\n  \"x:\",\n  {\"c\": 2,\n   \"d\": {\n \"e\": 3}}],\n\"f/g\": 4}";
    for (text, lines) in [(yaml, [1, 1, 3, 4, 5, 6, 7]), (json, [1, 1, 3, 4, 5, 6, 7])] {
        let tree = parse(text).unwrap();
        let pointers = ["", "/a", "/b/0", "/b/1/c", "/b/1/d", "/b/1/d/e", "/f~1g"];
        let found = pointers.map(|pointer| tree.lines.find(&tree.value, pointer).unwrap());
        assert_eq!(found, lines, "{text}");
        assert_eq!(tree.lines.find(&tree.value, "/b/1/missing"), Some(4));
    }
}

/// Texts that look like documents, so that the parser gets past the first character.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "b: ",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\n\t",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "\"",
        "'",
        "\\u12",
        "#",
        " #x",
        "&a ",
        "*a",
        "!!str ",
        "!<",
        "%YAML 1.2\n",
        "---\n",
        "...\n",
        "|",
        ">-\n ",
        "? ",
        "1e9",
        ".inf",
        "0x",
        "~",
        "<<: ",
        "\r\n",
        "\u{feff}",
        "\u{85}",
        "é",
        "@",
        "`",
        "null",
        "\0",
        "\\",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_every_node_has_its_line(text in texts()) {
        if let Ok(tree) = parse(&text) {
            prop_assert_eq!(tree.lines.0.len(), count(&tree.value), "{:?}", tree);
        }
    }

    #[test]
    fn arbitrary_text_does_not_panic(text in ".{0,200}") {
        drop(parse(&text));
    }

    #[test]
    fn json_documents_read_as_serde_reads_them(text in texts()) {
        let text = format!("[{text}");
        if let Ok(tree) = parse(&text) {
            prop_assert_eq!(tree.value, serde_json::from_str::<Value>(&text).unwrap());
        }
    }
}
