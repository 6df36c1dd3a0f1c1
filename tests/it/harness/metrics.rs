//! The answer of `/metrics`, and the sums that must balance.

use std::collections::BTreeMap;

use super::http::Counts;

pub(crate) struct Metrics(Vec<Sample>);

struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(lines.map(sample).collect())
    }

    /// The sum over all series of this name that carry these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let matching = self.0.iter().filter(|sample| {
            let carries = |(key, value): &(&str, &str)| {
                sample.labels.get(*key).map(String::as_str) == Some(*value)
            };
            sample.name == name && labels.iter().all(carries)
        });
        matching.map(|sample| sample.value).sum()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counters of events are small whole numbers"
    )]
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.sum(name, labels) as u64
    }

    /// The books of a repo, which must balance.
    pub(crate) fn books(&self, repo: &str) -> Counts {
        let of = |what: &str| self.count(&format!("weir_events_{what}_total"), &[("repo", repo)]);
        let counts = Counts {
            received: of("received"),
            accepted: of("accepted"),
            filtered: of("filtered"),
            rejected: of("rejected"),
            retry: of("retry"),
        };
        assert!(
            counts.balance(),
            "the books of {repo} do not balance: {counts:?}"
        );
        counts
    }
}

/// `name{key="value",…} 1.0`; no label of the gateway's holds a quote.
fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels
        .trim_end_matches('}')
        .split("\",")
        .filter(|pair| !pair.is_empty());
    let labels = labels.map(|pair| {
        let (key, value) = pair.split_once("=\"").unwrap();
        (key.to_owned(), value.trim_end_matches('"').to_owned())
    });
    Sample {
        name: name.to_owned(),
        labels: labels.collect(),
        value: value.parse().unwrap(),
    }
}
