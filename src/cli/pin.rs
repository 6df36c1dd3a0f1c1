//! `weir pin` and `weir unpin`: going back on single instances, by their admin ports, for when Nacos
//! is away. They stay where they are, over changes and restarts, until they are unpinned.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::{Output, Usage, instance, nacos, print, print_json};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The digest of a set, or of a revision, that was live there; the admin port's /api/revisions
    /// lists them. Without it the set before the live one.
    #[arg(value_name = "DIGEST")]
    digest: Option<String>,
    /// Why; it is shown until the instance is unpinned.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    instances: instance::Arguments,
}

#[derive(Debug, clap::Args)]
pub(super) struct UnpinArguments {
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    instances: instance::Arguments,
}

pub(super) fn run(arguments: &Arguments, output: Output) -> anyhow::Result<ExitCode> {
    let reason = &arguments.reason;
    match &arguments.digest {
        Some(digest) => {
            let body = json!({ "digest": digest, "reason": reason });
            tell(&arguments.instances, "/api/pin", &body, output)
        }
        None => {
            let body = json!({ "reason": reason });
            tell(&arguments.instances, "/api/rollback", &body, output)
        }
    }
}

pub(super) fn unpin(arguments: &UnpinArguments, output: Output) -> anyhow::Result<ExitCode> {
    let body = json!({ "reason": arguments.reason });
    tell(&arguments.instances, "/api/unpin", &body, output)
}

fn tell(
    instances: &instance::Arguments,
    path: &str,
    body: &Value,
    output: Output,
) -> anyhow::Result<ExitCode> {
    if !instances.given() {
        let message = "no instance: name each with --admin URL, such as http://127.0.0.1:9090";
        return Err(Usage(message.to_owned()).into());
    }
    let instances = instances.connect()?;
    let answers = nacos::wait(async { Ok(instances.tell(path, body).await) })?;
    match output {
        Output::Human => {
            for (url, answer) in &answers {
                print(&line(url, answer))?;
            }
        }
        Output::Json => {
            let shown = answers.iter().map(|(url, answer)| match answer {
                Ok(revision) => json!({ "admin": url, "ok": true, "revision": revision }),
                Err(why) => json!({ "admin": url, "ok": false, "error": why }),
            });
            print_json(&shown.collect::<Vec<_>>())?;
        }
    }
    if answers.iter().all(|(_, answer)| answer.is_ok()) {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::FAILURE)
    }
}

/// One instance as it is afterwards.
fn line(url: &str, answer: &Result<Value, String>) -> String {
    match answer {
        Ok(revision) => {
            let of = |name: &str| revision[name].as_str().unwrap_or_default();
            let (state, set, digest) = (of("state"), of("set"), of("digest"));
            format!("{url}: {state}, set {set}, revision {digest}")
        }
        Err(why) => format!("{url}: {why}"),
    }
}
