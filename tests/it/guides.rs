//! The pages for people against the code that they tell of.

use std::fs;
use std::path::Path;

use regex::Regex;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_code_of_a_reply_is_told_to_those_who_send() {
    let guide = read("docs/sending.md");
    let code = Regex::new(r#"=> "([a-z]+\.[a-z0-9_]+)","#).unwrap();
    let mut codes = Vec::new();
    for file in ["src/event/reason.rs", "src/ingest/error.rs"] {
        let text = read(file);
        codes.extend(code.captures_iter(&text).map(|code| code[1].to_owned()));
    }
    assert!(codes.len() > 50, "{codes:?}");
    for code in codes {
        // The codes of one family share a line: `decode.json`, `.utf8`.
        let (_, own) = code.split_once('.').unwrap();
        let told = guide.contains(&format!("`{code}`")) || guide.contains(&format!("`.{own}`"));
        assert!(told, "docs/sending.md lacks `{code}`");
    }
}

#[test]
fn every_path_of_the_admin_port_is_told_to_operators() {
    let guide = read("docs/operations.md");
    let routes = read("src/admin.rs");
    let path = Regex::new(r#"\.route\("([^"]+)""#).unwrap();
    let paths: Vec<_> = path.captures_iter(&routes).collect();
    assert!(paths.len() > 8, "{paths:?}");
    for path in paths {
        let told = Regex::new(&format!(r"(?m)^\| `.*{}[`?]", &path[1])).unwrap();
        assert!(
            told.is_match(&guide),
            "docs/operations.md lacks {}",
            &path[1]
        );
    }
}
