//! `weir serve`: runs the gateway until SIGTERM.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Map, Value};

use crate::app;
use crate::cli::{Output, print, print_json};
use crate::settings;

/// Every flag overrides its `WEIR_` variable, which overrides the file.
#[derive(Debug, clap::Args)]
#[expect(clippy::doc_markdown, reason = "the comments are the text of --help")]
pub(super) struct Arguments {
    /// The directory of documents (WEIR_DOCUMENTS); or --nacos.
    #[arg(long, value_name = "DIR")]
    documents: Option<PathBuf>,
    /// The config center that documents come from, http://HOST:PORT (WEIR_NACOS); or --documents.
    /// Who logs in stands in WEIR_NACOS_USERNAME and WEIR_NACOS_PASSWORD_FILE (or
    /// WEIR_NACOS_PASSWORD).
    #[arg(long, value_name = "URL")]
    nacos: Option<String>,
    /// The namespace of this environment there, by its id (WEIR_NAMESPACE).
    #[arg(long, value_name = "NS")]
    namespace: Option<String>,
    /// The group of all documents there (WEIR_GROUP; default WEIR).
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Where relative paths of tables are looked for (WEIR_DATA; default: the directory of
    /// documents, or with --nacos the working directory).
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
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
    app::serve(&settings, &settings.source()?)?;
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
            ("data", path(self.data)),
        ];
        let nacos = [
            ("url", self.nacos),
            ("namespace", self.namespace),
            ("group", self.group),
        ];
        let given = |(name, value): (&str, Option<String>)| {
            value.map(|value| (name.to_owned(), Value::String(value)))
        };
        let mut flags: Map<_, _> = flags.into_iter().filter_map(given).collect();
        let nacos: Map<_, _> = nacos.into_iter().filter_map(given).collect();
        flags.insert("nacos".to_owned(), Value::Object(nacos));
        flags
    }
}
