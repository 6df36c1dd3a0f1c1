//! Instances, asked over their admin ports.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use crate::secret::Secret;
use crate::unit::SecretRef;

/// How long one answer may take.
const WITHIN: Duration = Duration::from_secs(5);

/// How long what is asked for may take; longer than the admin port itself waits.
const DONE_WITHIN: Duration = Duration::from_secs(40);

/// Which instances are asked.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Instances")]
#[group(id = "of instances")]
pub(super) struct Arguments {
    /// The admin port of an instance, such as `http://127.0.0.1:9090`; may be repeated.
    #[arg(long, value_name = "URL")]
    admin: Vec<String>,
    /// Where the token of the admin ports stands: `file:/path` or `env:NAME`.
    #[arg(long, value_name = "REFERENCE", env = "WEIR_ADMIN_PORT_TOKEN", value_parser = SecretRef::parse)]
    admin_token: Option<SecretRef>,
}

/// The admin ports of some instances.
#[derive(Debug)]
pub(super) struct Instances {
    client: Client,
    urls: Vec<String>,
    token: Option<Secret>,
}

impl Arguments {
    /// Whether an instance was named.
    pub(super) fn given(&self) -> bool {
        !self.admin.is_empty()
    }

    pub(super) fn connect(&self) -> anyhow::Result<Instances> {
        let token = self.admin_token.as_ref();
        let token = token.map(|token| token.reference().resolve()).transpose()?;
        let whole = |url: &String| match url.contains("://") {
            true => url.trim_end_matches('/').to_owned(),
            false => format!("http://{}", url.trim_end_matches('/')),
        };
        Ok(Instances {
            client: Client::builder()
                .timeout(WITHIN)
                .no_proxy()
                .build()
                .context("make an HTTP client")?,
            urls: self.admin.iter().map(whole).collect(),
            token,
        })
    }
}

impl Instances {
    /// What each of them answers at a path, or why there is no answer.
    pub(super) async fn ask(&self, path: &str) -> Vec<(String, Result<Value, String>)> {
        let mut answers = Vec::new();
        for url in &self.urls {
            let answer = self.ask_one(&format!("{url}{path}")).await;
            answers.push((url.clone(), answer.map_err(|error| format!("{error:#}"))));
        }
        answers
    }

    /// Has each of them do something, which may take until clusters have answered.
    pub(super) async fn tell(
        &self,
        path: &str,
        body: &Value,
    ) -> Vec<(String, Result<Value, String>)> {
        let mut answers = Vec::new();
        for url in &self.urls {
            let request = self.client.post(format!("{url}{path}"));
            let request = request.timeout(DONE_WITHIN).body(body.to_string());
            let answer = self.send(request).await;
            answers.push((url.clone(), answer.map_err(|error| format!("{error:#}"))));
        }
        answers
    }

    async fn ask_one(&self, url: &str) -> anyhow::Result<Value> {
        self.send(self.client.get(url)).await
    }

    async fn send(&self, mut request: RequestBuilder) -> anyhow::Result<Value> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let reply = request.send().await.map_err(reqwest::Error::without_url)?;
        let status = reply.status();
        let body = reply.bytes().await.map_err(reqwest::Error::without_url)?;
        let answer: Value =
            serde_json::from_slice(&body).context("the answer is not one of weir's admin port")?;
        if let Some(message) = answer["error"]["message"].as_str() {
            anyhow::bail!("{status}: {message}");
        }
        Ok(answer)
    }
}
