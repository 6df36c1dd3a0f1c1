//! The schemas against the files in `schemas/`, against JSON Schema itself, and against the examples.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::all;

/// What [`crate::document::shape`] knows, and what says nothing about a document.
const KEYWORDS: [&str; 28] = [
    "$defs",
    "$id",
    "$ref",
    "$schema",
    "additionalProperties",
    "anyOf",
    "const",
    "default",
    "description",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "title",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_files_are_what_is_generated_and_no_others() {
    let mut names = Vec::new();
    for (kind, schema) in all() {
        let name = format!("{kind}.schema.json");
        let file = root().join("schemas").join(&name);
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("WEIR_WRITE_SCHEMAS").is_some() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &text).unwrap();
        }
        let written = fs::read_to_string(&file).unwrap_or_default();
        assert!(written == text, "{name} is out of date: run `make schemas`");
        names.push(name);
    }
    for entry in fs::read_dir(root().join("schemas")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name), "{name} is the schema of no kind");
    }
}

#[test]
fn every_schema_is_one_of_the_draft_that_it_names() {
    for (kind, schema) in all() {
        assert_eq!(
            schema["$schema"], "https://json-schema.org/draft/2020-12/schema",
            "{kind}"
        );
        if let Err(error) = jsonschema::draft202012::meta::validate(&schema) {
            panic!("{kind}: {error} at {}", error.instance_path());
        }
    }
}

#[test]
fn no_schema_says_what_our_own_check_does_not_know() {
    for (kind, schema) in all() {
        keywords(&schema, &mut |keyword| {
            let known = KEYWORDS.contains(&keyword) || ["type", "writeOnly"].contains(&keyword);
            assert!(known, "the schema of {kind} has `{keyword}`");
        });
    }
}

/// Visits the keywords of a schema, but not the names of its properties.
fn keywords(schema: &Value, visit: &mut impl FnMut(&str)) {
    match schema {
        Value::Array(all) => all.iter().for_each(|each| keywords(each, visit)),
        Value::Object(members) => {
            for (keyword, value) in members {
                visit(keyword);
                match (keyword.as_str(), value) {
                    ("properties" | "$defs", Value::Object(named)) => {
                        named.values().for_each(|each| keywords(each, visit));
                    }
                    ("default" | "examples" | "enum" | "const", _) => {}
                    _ => keywords(value, visit),
                }
            }
        }
        _ => {}
    }
}
