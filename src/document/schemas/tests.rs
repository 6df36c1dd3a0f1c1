//! The schemas against the files in `schemas/`, against JSON Schema itself, and against the examples.

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::all;
use crate::document::diagnostic::Diagnostics;
use crate::document::shape::Shape;
use crate::document::text;

/// What [`Shape`] knows, and what says nothing about a document.
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

/// A kind as an independent implementation reads it, and as we do.
struct Checks {
    theirs: Validator,
    ours: Shape,
}

impl Checks {
    fn of(kind: &str) -> Self {
        let found = all().into_iter().find(|(name, _)| *name == kind);
        let (_, schema) = found.unwrap_or_else(|| panic!("no kind {kind}"));
        Self {
            theirs: jsonschema::validator_for(&schema).unwrap(),
            ours: Shape::of_schema(&schema),
        }
    }

    fn ours_takes(&self, document: &Value) -> bool {
        self.ours
            .read::<Value>(document, &mut Diagnostics::new("d"))
            .is_some()
    }
}

/// The documents of the examples, with their kinds.
fn examples() -> Vec<(String, PathBuf, Value)> {
    let mut found = Vec::new();
    for folder in fs::read_dir(root().join("config-examples")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let yaml = path.extension().is_some_and(|ending| ending == "yaml");
            if let (Some(rest), true) = (name.strip_prefix("weir."), yaml) {
                let kind = rest.split('.').next().unwrap().to_owned();
                let tree = text::parse(&fs::read_to_string(&path).unwrap()).unwrap();
                found.push((kind, path, tree.value));
            }
        }
    }
    assert!(found.len() > 8, "the examples are gone");
    found
}

#[test]
fn every_example_fits_its_schema() {
    for (kind, path, document) in examples() {
        let checks = Checks::of(&kind);
        if let Err(error) = checks.theirs.validate(&document) {
            panic!("{}: {error} at {}", path.display(), error.instance_path());
        }
        let mut out = Diagnostics::new(&path.display().to_string());
        checks.ours.read::<Value>(&document, &mut out);
        assert_eq!(out.into_vec(), []);
    }
}

#[test]
fn our_own_check_refuses_what_the_schema_refuses() {
    let wrong = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0.5),
        json!("x"),
        json!([]),
        json!({}),
        json!({ "strange": 1 }),
    ];
    for (kind, path, document) in examples() {
        let checks = Checks::of(&kind);
        let mut pointers = Vec::new();
        all_pointers(&document, &mut String::new(), &mut pointers);
        for pointer in pointers {
            for value in &wrong {
                let mut changed = document.clone();
                *changed.pointer_mut(&pointer).unwrap() = value.clone();
                let (theirs, ours) = (
                    checks.theirs.is_valid(&changed),
                    checks.ours_takes(&changed),
                );
                assert!(
                    theirs == ours,
                    "{} with {value} at {pointer}: the schema says {theirs}, we say {ours}",
                    path.display()
                );
            }
        }
    }
}

fn all_pointers(value: &Value, at: &mut String, out: &mut Vec<String>) {
    out.push(at.clone());
    let below: Vec<(String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(n, value)| (n.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    for (step, value) in below {
        let len = at.len();
        at.push('/');
        at.push_str(&step);
        all_pointers(value, at, out);
        at.truncate(len);
    }
}
