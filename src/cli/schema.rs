//! `weir schema`: the JSON Schemas of the documents, for editors and other tools.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value};

use crate::cli::{Output, print_json};
use crate::document::schemas;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// `repo`, `catalog`, `producers`, `tables`, `index` or `switches`; without it all of them.
    kind: Option<String>,
}

pub(super) fn run(arguments: &Arguments, _output: Output) -> anyhow::Result<ExitCode> {
    let all = schemas::all();
    match &arguments.kind {
        None => {
            let all: Map<String, Value> = all
                .into_iter()
                .map(|(kind, schema)| (kind.to_owned(), schema))
                .collect();
            print_json(&all)?;
        }
        Some(wanted) => {
            let kinds: Vec<_> = all.iter().map(|(kind, _)| *kind).collect();
            let message = format!(
                "there is no kind `{wanted}`; there are {}",
                kinds.join(", ")
            );
            let found = all.into_iter().find(|(kind, _)| kind == wanted);
            print_json(&found.context(message)?.1)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
