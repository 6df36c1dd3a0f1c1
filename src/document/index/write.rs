//! An index as text: YAML that people can read and edit in a console, one line for each entry.

use crate::document::index::{EntryForm, IndexForm, ReleaseForm};

impl IndexForm {
    /// As YAML.
    pub fn to_yaml(&self) -> String {
        let mut text = format!("version: {}\n", self.version);
        for (name, value) in [("description", &self.description), ("owner", &self.owner)] {
            if !value.is_empty() {
                text.push_str(&format!("{name}: {}\n", scalar(value)));
            }
        }
        text.push_str(match self.documents[..] {
            [] => "documents: []\n",
            _ => "documents:\n",
        });
        for entry in &self.documents {
            text.push_str(&format!("  - {}\n", entry.to_yaml()));
        }
        if let Some(switches) = &self.switches {
            text.push_str(&format!("switches: {}\n", scalar(switches)));
        }
        if !self.paths.is_empty() {
            text.push_str("paths:\n");
        }
        for (path, repo) in &self.paths {
            text.push_str(&format!("  {}: {}\n", quoted(path), scalar(repo)));
        }
        if let Some(release) = &self.release {
            text.push_str("release:\n");
            text.push_str(&release.to_yaml());
        }
        text
    }
}

impl EntryForm {
    fn to_yaml(&self) -> String {
        let mut members = vec![
            format!("kind: {}", self.kind.as_str()),
            format!("name: {}", scalar(&self.name)),
            format!("data_id: {}", scalar(&self.data_id)),
        ];
        // A digest may look like a number.
        members.extend(
            self.sha256
                .as_ref()
                .map(|it| format!("sha256: {}", quoted(it))),
        );
        members.extend(
            self.floated
                .as_ref()
                .map(|it| format!("floated: {}", scalar(it))),
        );
        format!("{{ {} }}", members.join(", "))
    }
}

impl ReleaseForm {
    fn to_yaml(&self) -> String {
        let mut text = format!(
            "  by: {}\n  at: {}\n",
            scalar(&self.by),
            quoted(&self.at.to_string())
        );
        text.push_str(&format!("  reason: {}\n", scalar(&self.reason)));
        text.push_str(&format!("  of: {}\n", quoted(&self.of)));
        if let Some(undoes) = &self.undoes {
            text.push_str(&format!("  undoes: {}\n", quoted(undoes)));
        }
        text
    }
}

/// A text without quotes if nobody could read it as anything else.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 10] = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan",
    ];
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain) && !is_word {
        return text.to_owned();
    }
    quoted(text)
}

/// In double quotes, as JSON has it, which YAML reads the same.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::diagnostic::Diagnostics;
    use crate::document::index::Kind;
    use crate::document::shape::Shape;
    use crate::document::text;

    fn read(text: &str) -> IndexForm {
        let mut out = Diagnostics::new("weir.index");
        let tree = text::parse(text).unwrap();
        let form = Shape::of::<IndexForm>().read(&tree.value, &mut out);
        assert!(!out.failed(), "{:?} in {text}", out.into_vec());
        form.unwrap()
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let entry = |name: &str, pinned: bool| EntryForm {
            kind: Kind::Repo,
            name: name.to_owned(),
            data_id: format!("weir.repo.{name}"),
            sha256: pinned.then(|| "1".repeat(64)),
            floated: pinned.then(|| "weir.repo.a:b".to_owned()),
        };
        let form = IndexForm {
            version: 7,
            description: "of the \"shop\": # 1\nand more".to_owned(),
            owner: "off".to_owned(),
            documents: vec![
                entry("tracking", false),
                entry("1e3", true),
                entry("null", false),
            ],
            switches: Some("weir.switches".to_owned()),
            paths: [("/v1/track".to_owned(), "tracking".to_owned())].into(),
            release: Some(ReleaseForm {
                by: "ann <ann@here>".to_owned(),
                at: "2026-01-01T00:00:00Z"
                    .parse::<jiff::Timestamp>()
                    .unwrap()
                    .into(),
                reason: "- 'sale': yes\t\u{e9}\u{2028}".to_owned(),
                of: "123456789012".to_owned(),
                undoes: Some("00000000e000".to_owned()),
            }),
        };
        let text = form.to_yaml();
        let back = read(&text);
        assert_eq!(back.documents, form.documents);
        assert_eq!(back.release, form.release);
        assert_eq!(back.paths, form.paths);
        let rest = |form: &IndexForm| (form.version, form.description.clone(), form.owner.clone());
        assert_eq!(rest(&back), rest(&form));
        assert_eq!(back.to_yaml(), text);
        let empty = IndexForm {
            documents: Vec::new(),
            release: None,
            ..form
        };
        assert!(read(&empty.to_yaml()).documents.is_empty());
    }
}
