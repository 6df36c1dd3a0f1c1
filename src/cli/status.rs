//! `weir status`: what stands in Nacos, what instances run, and whether they agree.

mod nacos;
mod told;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use crate::cli::instance::Instances;
use crate::cli::status::nacos::InNacos;
use crate::cli::{LATE, Output, Usage, instance, print, print_json};
use crate::unit::TimeSpan;

/// How often instances are asked while they are waited for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    nacos: crate::cli::nacos::Arguments,
    #[command(flatten)]
    instances: instance::Arguments,
    /// Wait until every instance runs this set or revision (or one whose digest begins so).
    #[arg(long, value_name = "DIGEST", requires = "admin")]
    wait: Option<String>,
    /// How long to wait, such as `90 s`.
    #[arg(long, value_name = "TIME", default_value = "60 s", value_parser = TimeSpan::parse)]
    timeout: TimeSpan,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    /// Whether everything that was asked answered.
    ok: bool,
    /// Whether every instance runs what stands in Nacos, and nothing is held.
    agree: bool,
    /// What stands in Nacos.
    #[serde(skip_serializing_if = "Option::is_none")]
    nacos: Option<InNacos>,
    /// What instances run.
    instances: Vec<Instance>,
    /// Of `--wait`: whether every instance runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<bool>,
}

/// An instance, as it tells of itself.
#[derive(Debug, Serialize)]
struct Instance {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The answer of `/api/revision`.
    #[serde(flatten)]
    report: Value,
}

pub(super) fn run(arguments: &Arguments, output: Output) -> anyhow::Result<ExitCode> {
    if !arguments.nacos.given() && !arguments.instances.given() {
        let message =
            "nothing to look at: name Nacos with --nacos URL, or instances with --admin URL";
        return Err(Usage(message.to_owned()).into());
    }
    let report = crate::cli::nacos::wait(report(arguments))?;
    match output {
        Output::Json => print_json(&report)?,
        Output::Human => print(&told::report(&report))?,
    }
    Ok(match report.reached {
        // What was waited for has come; the report says what else could not be seen.
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::from(LATE),
        None => ExitCode::from(u8::from(!report.ok)),
    })
}

async fn report(arguments: &Arguments) -> anyhow::Result<Report> {
    let instances = arguments.instances.connect()?;
    let mut report = Report::default();
    let end = Instant::now() + arguments.timeout.duration();
    loop {
        report.instances = ask(&instances).await;
        let Some(wanted) = &arguments.wait else { break };
        let reached = report.instances.iter().all(|each| each.runs(wanted));
        report.reached = Some(reached);
        if reached || Instant::now() >= end {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if arguments.nacos.given() {
        let client = arguments.nacos.connect()?;
        report.nacos = Some(nacos::look(&client).await);
    }
    report.ok = report.instances.iter().all(|each| each.error.is_none())
        && report
            .nacos
            .as_ref()
            .is_none_or(|nacos| nacos.error.is_none());
    report.agree = report.ok && report.agree();
    Ok(report)
}

async fn ask(instances: &Instances) -> Vec<Instance> {
    let answers = instances.ask("/api/revision").await.into_iter();
    let instance = |(url, answer)| {
        let (report, error) = match answer {
            Ok(report) => (report, None),
            Err(error) => (Value::Object(serde_json::Map::new()), Some(error)),
        };
        Instance { url, error, report }
    };
    answers.map(instance).collect()
}

impl Report {
    fn agree(&self) -> bool {
        let stands = self.nacos.as_ref().map(|nacos| nacos.set.clone());
        let mut sets = self.instances.iter().map(Instance::set);
        let first = stands.unwrap_or_else(|| sets.next().flatten());
        sets.all(|set| set == first) && self.instances.iter().all(|each| !each.is_held())
    }
}

impl Instance {
    fn text(&self, name: &str) -> Option<&str> {
        self.report.get(name)?.as_str()
    }

    /// The digest of the set that it runs.
    fn set(&self) -> Option<String> {
        self.text("set").map(str::to_owned)
    }

    fn is_held(&self) -> bool {
        let held = self.report.get("held").and_then(Value::as_array);
        held.is_some_and(|held| !held.is_empty())
    }

    fn runs(&self, wanted: &str) -> bool {
        let digests = [self.text("set"), self.text("digest")];
        digests
            .into_iter()
            .flatten()
            .any(|digest| digest.starts_with(wanted))
    }
}
