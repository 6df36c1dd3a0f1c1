//! `weir serve`: runs the gateway until SIGTERM.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value};

use crate::app;
use crate::cli::{Output, print, print_json};
use crate::settings;

/// Every flag overrides its `WEIR_` variable, which overrides the file.
#[derive(Debug, clap::Args)]
#[expect(clippy::doc_markdown, reason = "the comments are the text of --help")]
pub(super) struct Arguments {
    /// The directory of documents (WEIR_DOCUMENTS).
    #[arg(long, value_name = "DIR")]
    documents: Option<PathBuf>,
    /// The address of the data port (WEIR_LISTEN; default 127.0.0.1:8080).
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The address of the admin port (WEIR_ADMIN; default 127.0.0.1:9090).
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
    /// Where the process keeps what must survive it (WEIR_STATE; default `state`).
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// A TOML file of settings.
    #[arg(long, value_name = "FILE", env = "WEIR_SETTINGS")]
    settings: Option<PathBuf>,
    /// Print the settings that the gateway would run with, and end.
    #[arg(long)]
    print_settings: bool,
}

pub(super) fn run(arguments: Arguments, output: Output) -> anyhow::Result<ExitCode> {
    let file = arguments.settings.clone();
    let print_settings = arguments.print_settings;
    let variable = |name: &str| std::env::var(name).ok();
    let settings = settings::load(file.as_deref(), variable, arguments.flags())?;
    if print_settings {
        match output {
            Output::Human => print(settings::print(&settings)?.trim_end())?,
            Output::Json => print_json(&settings)?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let documents = settings.documents.clone().context(
        "no documents: name a directory with --documents DIR (or WEIR_DOCUMENTS); \
         config-examples/quickstart is one",
    )?;
    app::serve(&settings, &documents)?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn flags(self) -> Map<String, Value> {
        let path = |path: Option<PathBuf>| path.map(|path| path.to_string_lossy().into_owned());
        let flags = [
            ("documents", path(self.documents)),
            ("listen", self.listen),
            ("admin", self.admin),
            ("state", path(self.state)),
        ];
        let given = |(name, value): (&str, Option<String>)| {
            value.map(|value| (name.to_owned(), Value::String(value)))
        };
        flags.into_iter().filter_map(given).collect()
    }
}
