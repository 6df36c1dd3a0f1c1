//! Which Nacos a command means, and what stands there. The same flags and variables as for `serve`.

use std::collections::BTreeMap;
use std::future::Future;

use anyhow::Context as _;

use crate::center::nacos::{Nacos, Operation, Password, Row, Settings};
use crate::cli::Usage;
use crate::document::diagnostic::Diagnostic;
use crate::document::digest::{Content, DataId};
use crate::document::index::IndexForm;
use crate::document::set::{self, Compilation, INDEX, Input};
use crate::document::switches;
use crate::rollout::release::timeline::{At, Past, Walk};
use crate::rollout::release::{Standing, Stood, read_index};
use crate::telemetry::clock;
use crate::unit::TimeSpan;

/// Where Nacos is. The password comes from `WEIR_NACOS_PASSWORD` or `WEIR_NACOS_PASSWORD_FILE`, the
/// name from `WEIR_NACOS_USERNAME`, and how long one call may take from `WEIR_NACOS_DEADLINE`.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Nacos")]
#[group(id = "of nacos")]
pub(super) struct Arguments {
    /// Its address; several of one cluster are separated by commas.
    #[arg(long, value_name = "URL", env = "WEIR_NACOS")]
    nacos: Option<String>,
    /// The namespace of this environment.
    #[arg(long, value_name = "NAMESPACE", env = "WEIR_NAMESPACE")]
    namespace: Option<String>,
    /// The group of the documents.
    #[arg(long, value_name = "GROUP", env = "WEIR_GROUP", default_value = "WEIR")]
    group: String,
}

impl Arguments {
    /// Whether a Nacos was named.
    pub(super) fn given(&self) -> bool {
        self.nacos.as_deref().is_some_and(|url| !url.is_empty())
    }

    /// A client. Touches no network.
    pub(super) fn connect(&self) -> anyhow::Result<Nacos> {
        let missing = |what: &str, flag: &str, variable: &str| {
            Usage(format!("no {what}: name it with {flag} (or {variable})"))
        };
        if !self.given() {
            return Err(missing("Nacos", "--nacos URL", "WEIR_NACOS").into());
        }
        if self.namespace.as_deref().unwrap_or_default().is_empty() {
            return Err(missing("namespace", "--namespace NAME", "WEIR_NAMESPACE").into());
        }
        Ok(Nacos::connect(&self.settings()?)?)
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let default = Settings::default();
        let deadline = match variable("WEIR_NACOS_DEADLINE") {
            Some(text) => TimeSpan::parse(&text)
                .map_err(|error| Usage(format!("WEIR_NACOS_DEADLINE is `{text}`: {error}")))?,
            None => default.deadline,
        };
        Ok(Settings {
            url: self.nacos.clone(),
            namespace: self.namespace.clone(),
            group: self.group.clone(),
            username: variable("WEIR_NACOS_USERNAME"),
            username_file: variable("WEIR_NACOS_USERNAME_FILE").map(Into::into),
            password: variable("WEIR_NACOS_PASSWORD").map(|text| Password::new(&text)),
            password_file: variable("WEIR_NACOS_PASSWORD_FILE").map(Into::into),
            deadline,
        })
    }
}

/// Runs a command that waits for the network.
pub(super) fn wait<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(work)
}

/// A document as it was last written.
pub(super) async fn stood(nacos: &Nacos, id: &str) -> anyhow::Result<Option<Stood>> {
    let found = nacos.read_latest(id).await?;
    Ok(found.map(|document| Stood {
        content: Content::new(document.content),
        md5: document.md5,
    }))
}

/// The index, and these documents, as far as they are there.
pub(super) async fn standing(
    nacos: &Nacos,
    also: impl Fn(&Standing) -> Vec<DataId>,
) -> anyhow::Result<Standing> {
    let index = stood(nacos, INDEX).await?;
    let mut standing = Standing {
        index,
        documents: BTreeMap::new(),
    };
    let form = standing.form();
    let floating = form.iter().flat_map(|form| &form.documents);
    let floating = floating.filter(|entry| entry.sha256.is_none());
    let mut wanted: Vec<_> = floating.map(|entry| DataId::new(&entry.data_id)).collect();
    wanted.extend(also(&standing));
    for id in wanted {
        if !standing.documents.contains_key(&id)
            && let Some(stood) = stood(nacos, id.as_str()).await?
        {
            standing.documents.insert(id, stood);
        }
    }
    Ok(standing)
}

/// The sets that stood one after the other, the newest first, until `enough` says so.
pub(super) async fn past(
    nacos: &Nacos,
    enough: impl Fn(&Walk) -> bool,
) -> anyhow::Result<Vec<Past>> {
    let mut walk = Walk::default();
    while !enough(&walk) {
        while let Some(id) = walk.wants().first().cloned() {
            let rows = nacos.history(id.as_str()).await?;
            let content = match walk.at(&rows) {
                At::Now => stood(nacos, id.as_str()).await?.map(|stood| stood.content),
                At::Row(row) => held(nacos, &id, &row).await?,
                At::Absent => None,
            };
            walk.give(&id, rows, content);
        }
        let Some(next) = walk.next() else { break };
        let before = match next.row.operation {
            Operation::Insert => None,
            Operation::Update | Operation::Delete => held(nacos, &next.document, &next.row).await?,
        };
        walk.undo(&next, before);
    }
    Ok(walk.end())
}

async fn held(nacos: &Nacos, id: &DataId, row: &Row) -> anyhow::Result<Option<Content>> {
    let content = nacos.history_content(id.as_str(), &row.id).await?;
    Ok(content.map(Content::new))
}

/// Compiles a set as an instance would at a start, with the contents that are at hand and the others
/// from Nacos; the switches that stand there too.
pub(super) async fn compile(
    nacos: &Nacos,
    index: &IndexForm,
    at_hand: &BTreeMap<DataId, Content>,
) -> anyhow::Result<Compilation> {
    let mut documents = BTreeMap::new();
    for entry in &index.documents {
        let id = DataId::new(&entry.data_id);
        let content = match at_hand.get(&id) {
            Some(content) => Some(content.clone()),
            None => stood(nacos, id.as_str()).await?.map(|stood| stood.content),
        };
        documents.extend(content.map(|content| (id, Ok(content))));
    }
    documents.insert(DataId::new(INDEX), Ok(Content::new(index.to_yaml())));
    let mut compilation = set::compile(&Input {
        documents: &documents,
        previous: None,
        run_samples: true,
        listed: false,
    });
    let found = switches(nacos, &compilation).await?;
    compilation.diagnostics.extend(found);
    Ok(compilation)
}

/// What is wrong with the switches that stand in Nacos, for a set.
pub(super) async fn switches(
    nacos: &Nacos,
    compilation: &Compilation,
) -> anyhow::Result<Vec<Diagnostic>> {
    let Some((set, id)) = compilation
        .set
        .as_ref()
        .and_then(|set| Some((set, set.switches.as_ref()?)))
    else {
        return Ok(Vec::new());
    };
    let Some(stood) = stood(nacos, id.as_str()).await? else {
        return Ok(Vec::new());
    };
    let compiled = switches::compile(id, &stood.content, set, clock::timestamp(), None);
    Ok(compiled.map_or_else(|problems| problems, |switches| switches.warnings))
}

/// The index that stands, or why it cannot be used.
pub(super) fn index(standing: &Standing) -> anyhow::Result<Option<IndexForm>> {
    let Some(stood) = &standing.index else {
        return Ok(None);
    };
    match read_index(&stood.content) {
        Ok(form) => Ok(Some(form)),
        Err(problems) => {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            anyhow::bail!(
                "the index that stands in Nacos is wrong\n{}",
                lines.join("\n")
            )
        }
    }
}
