//! The layout of `docs/ARCHITECTURE.md`, as a test: who may use whom, and how long a file may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules each module may use, lowest layer first.
const MAY_USE: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("secret", &[]),
    ("unit", &["secret"]),
    ("telemetry", &["unit"]),
    ("tasks", &["telemetry"]),
    ("tables", &["telemetry"]),
    ("spool", &["telemetry"]),
    ("device", &["event", "secret", "tasks", "telemetry"]),
    ("sink", &["event", "secret", "telemetry"]),
    ("center", &["secret", "unit", "tasks", "telemetry"]),
    ("pipeline", &["event", "secret", "tables"]),
    (
        "delivery",
        &["event", "sink", "spool", "tasks", "telemetry"],
    ),
    (
        "document",
        &[
            "event", "secret", "unit", "tables", "device", "sink", "pipeline", "delivery",
        ],
    ),
    (
        "rollout",
        &[
            "event",
            "secret",
            "unit",
            "center",
            "document",
            "pipeline",
            "tables",
            "device",
            "sink",
            "delivery",
            "tasks",
            "telemetry",
        ],
    ),
    (
        "gateway",
        &[
            "event",
            "pipeline",
            "device",
            "rollout",
            "delivery",
            "tasks",
            "telemetry",
        ],
    ),
    (
        "ingest",
        &[
            "event",
            "secret",
            "unit",
            "pipeline",
            "rollout",
            "gateway",
            "tasks",
            "telemetry",
        ],
    ),
    (
        "admin",
        &[
            "event",
            "secret",
            "unit",
            "document",
            "rollout",
            "delivery",
            "gateway",
            "tasks",
            "telemetry",
        ],
    ),
];

/// The only files that know all parts, and the composition of every module's settings.
const MAY_USE_ALL: &[&str] = &["settings", "app", "cli", "main", "lib"];

const MAX_LINES: usize = 400;

#[test]
fn layers_have_no_cycle() {
    let mut lower = BTreeSet::new();
    for (module, uses) in MAY_USE {
        for used in *uses {
            assert!(
                lower.contains(used),
                "`{used}` is not listed before `{module}`"
            );
        }
        lower.insert(module);
    }
}

#[test]
fn modules_use_only_what_they_may() {
    let mut wrong = Vec::new();
    for source in sources() {
        if MAY_USE_ALL.contains(&source.module.as_str()) {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == source.module) else {
            wrong.push(format!(
                "{}: module `{}` is not in the table",
                source.path, source.module
            ));
            continue;
        };
        for used in uses(source.code()) {
            if used != source.module && !allowed.contains(&used.as_str()) {
                wrong.push(format!(
                    "{}: `{}` may not use `{used}`",
                    source.path, source.module
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_say_what_they_are_and_are_short() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//!") {
            wrong.push(format!(
                "{}: no comment that says what the file is",
                source.path
            ));
        }
        let lines = source.code().lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{}: {lines} lines", source.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_document_shows_the_same_table() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md");
    let text = fs::read_to_string(document).unwrap();
    let shown = table(&text);
    let tested = MAY_USE.iter().map(|(module, uses)| {
        (
            module.to_string(),
            uses.iter().map(|used| used.to_string()).collect(),
        )
    });
    assert_eq!(shown, tested.collect::<BTreeMap<_, BTreeSet<_>>>());
}

/// The rows of the table `| module | may use |`; a row may name several modules, and `nothing`.
fn table(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| module | may use |"))
        .skip(2);
    let mut table = BTreeMap::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let mut cells = row.trim_matches('|').split('|').map(names);
        let (modules, uses) = (cells.next().unwrap(), cells.next().unwrap());
        for module in modules.difference(&MAY_USE_ALL.iter().map(|name| name.to_string()).collect())
        {
            table.insert(module.clone(), uses.clone());
        }
    }
    table
}

/// The names in a cell: words between commas, without what stands in brackets.
fn names(cell: &str) -> BTreeSet<String> {
    let mut plain = String::new();
    let mut depth = 0;
    for letter in cell.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            letter if depth == 0 && letter != '`' => plain.push(letter),
            _ => {}
        }
    }
    let words = plain
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty() && *word != "nothing");
    words.map(str::to_owned).collect()
}

struct Source {
    module: String,
    path: String,
    text: String,
}

impl Source {
    /// The text without its tests, which may be long and may build what they need of any module.
    fn code(&self) -> &str {
        if self.path.ends_with("/tests.rs") || self.path.contains("/tests/") {
            return "";
        }
        let tests = self.text.find("#[cfg(test)]\nmod tests {");
        &self.text[..tests.unwrap_or(self.text.len())]
    }
}

/// Every file below `src/`.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut pending = vec![root.clone()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(source(&root, &path));
            }
        }
    }
    assert!(found.len() > 20, "the test looks at the wrong folder");
    found
}

fn source(root: &Path, path: &PathBuf) -> Source {
    let inner = path.strip_prefix(root).unwrap();
    let first = inner.iter().next().unwrap().to_str().unwrap();
    Source {
        module: first.trim_end_matches(".rs").to_owned(),
        path: format!("src/{}", inner.display()),
        text: fs::read_to_string(path).unwrap(),
    }
}

/// The modules named after `crate::`, outside comments. House style has one `use` per module, so
/// `crate::{..}` never appears.
fn uses(text: &str) -> BTreeSet<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}
