//! The gateway as a process of its own: started on free ports and a folder of documents, stopped by
//! SIGTERM as an operator does, ended with the test that started it.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::documents::Documents;
use super::http::{self, Reply};
use super::metrics::Metrics;
use super::nacos::Space;
use super::{LONG, eventually, ports};

pub(crate) struct Gateway {
    child: Child,
    /// Log and state.
    folder: TempDir,
    arguments: Vec<String>,
    pub(crate) documents: Documents,
    pub(crate) data: u16,
    pub(crate) admin: u16,
    pub(crate) client: reqwest::Client,
    /// Keeps no connection open, so that none is counted among the gateway's files.
    operator: reqwest::Client,
}

impl Gateway {
    /// Starts the program and waits until it is ready.
    pub(crate) async fn start(documents: Documents) -> Self {
        Self::start_with(documents, |_| {}).await
    }

    /// The same with more arguments or environment.
    pub(crate) async fn start_with(documents: Documents, more: impl FnOnce(&mut Command)) -> Self {
        let gateway = Self::spawn(documents, more);
        gateway.until_ready().await;
        gateway
    }

    /// Starts the program and does not wait.
    pub(crate) fn spawn(documents: Documents, more: impl FnOnce(&mut Command)) -> Self {
        let source = ["--documents", documents.path().to_str().unwrap()].map(str::to_owned);
        Self::spawn_from(&source, documents, more)
    }

    /// The same with documents from elsewhere: `source` are the arguments that say where from.
    pub(crate) fn spawn_from(
        source: &[String],
        documents: Documents,
        more: impl FnOnce(&mut Command),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, admin) = (ports::free(1), ports::free(1));
        let state = folder.path().join("state");
        let arguments = [
            "serve".to_owned(),
            format!("--listen=127.0.0.1:{data}"),
            format!("--admin=127.0.0.1:{admin}"),
            format!("--state={}", state.display()),
        ];
        let arguments = [&arguments, source].concat();
        let child = launch(&folder, &arguments, more);
        Self {
            child,
            folder,
            arguments,
            documents,
            data,
            admin,
            client: http::client(),
            operator: http::client_without_pool(),
        }
    }

    /// Starts the program with documents from a namespace of Nacos, and does not wait.
    pub(crate) fn spawn_on(space: &Space) -> Self {
        let source = space.arguments();
        Self::spawn_from(&source, Documents::empty(), |_| {})
    }

    /// Starts the program with documents from a namespace of Nacos, and waits until it is ready.
    pub(crate) async fn start_on(space: &Space) -> Self {
        let gateway = Self::spawn_on(space);
        gateway.until_ready().await;
        gateway
    }

    /// Publishes a document and waits for the outcome.
    pub(crate) async fn publish(&self, space: &Space, data_id: &str, text: &str) -> Revision {
        let before = self.revision().await;
        space.publish(data_id, text).await;
        self.outcome_after(&before).await
    }

    /// What is answered to the question whether it is ready.
    pub(crate) async fn readiness(&self) -> Option<(u16, String)> {
        let answer = self.operator.get(self.admin_url("/readyz")).send().await;
        let answer = answer.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// Ends the process as a power cut does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the program again, with the state that is there, and does not wait.
    pub(crate) fn start_again(&mut self) {
        self.child = launch(&self.folder, &self.arguments, |_| {});
    }

    /// The same with documents from elsewhere.
    pub(crate) fn start_again_from(&mut self, source: &[String]) {
        self.arguments.truncate(4);
        self.arguments.extend_from_slice(source);
        self.start_again();
    }

    pub(crate) async fn until_ready(&self) {
        let client = &self.operator;
        let url = self.admin_url("/readyz");
        eventually(LONG, "the gateway is ready", || async {
            let answer = client.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.data)
    }

    pub(crate) fn admin_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.admin)
    }

    /// A `POST /log/repo/{repo}` to be completed with headers.
    pub(crate) fn batch(
        &self,
        repo: &str,
        body: impl Into<reqwest::Body>,
    ) -> reqwest::RequestBuilder {
        self.client
            .post(self.url(&format!("/log/repo/{repo}")))
            .body(body)
    }

    /// Sends a batch and returns the whole answer.
    pub(crate) async fn post(&self, repo: &str, body: impl Into<reqwest::Body>) -> Reply {
        http::send(self.batch(repo, body)).await
    }

    /// An answer of the admin port, as JSON.
    pub(crate) async fn api(&self, path: &str) -> Value {
        let answer = self
            .operator
            .get(self.admin_url(path))
            .send()
            .await
            .unwrap();
        let text = answer.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path} is no JSON: {text}"))
    }

    /// Asks the admin port for something to be done; the status and the answer.
    pub(crate) async fn ask(&self, path: &str, question: &Value) -> (u16, Value) {
        let body = question.to_string();
        let asked = self.operator.post(self.admin_url(path)).body(body);
        let answer = asked.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let json = serde_json::from_str(&text);
        (
            status,
            json.unwrap_or_else(|_| panic!("{path} is no JSON: {text}")),
        )
    }

    pub(crate) async fn revision(&self) -> Revision {
        Revision(self.api("/api/revision").await)
    }

    /// Waits until the outcome of a change is reported that came after `before`.
    pub(crate) async fn outcome_after(&self, before: &Revision) -> Revision {
        eventually(LONG, "the outcome of the change is reported", || async {
            let revision = self.revision().await;
            (revision.sequence() > before.sequence()).then_some(revision)
        })
        .await
    }

    /// Writes or replaces a document and waits for the outcome.
    pub(crate) async fn change(&self, name: &str, text: &str) -> Revision {
        let before = self.revision().await;
        self.documents.put(name, text);
        self.outcome_after(&before).await
    }

    pub(crate) async fn metrics(&self) -> Metrics {
        let answer = self
            .operator
            .get(self.admin_url("/metrics"))
            .send()
            .await
            .unwrap();
        Metrics::parse(&answer.text().await.unwrap())
    }

    /// The state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The lines of all files of a topic that a `file` producer wrote below the gateway's folder. A
    /// line that is being written is none yet.
    pub(crate) fn written(&self, topic: &str) -> Vec<String> {
        let mut files = Vec::new();
        let mut pending = vec![(self.folder.path().to_owned(), false)];
        while let Some((folder, inside)) = pending.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    pending.push((entry.path(), entry.file_name() == topic));
                } else if inside {
                    files.push(entry.path());
                }
            }
        }
        files.sort();
        let whole = |file: &PathBuf| {
            let mut bytes = std::fs::read(file).unwrap();
            let end = bytes.iter().rposition(|byte| *byte == b'\n');
            bytes.truncate(end.map_or(0, |end| end + 1));
            String::from_utf8(bytes).unwrap()
        };
        let texts = files.iter().map(whole);
        texts
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What `/proc` says of the process.
    pub(crate) fn resources(&self) -> Resources {
        let process = PathBuf::from(format!("/proc/{}", self.pid()));
        let status = std::fs::read_to_string(process.join("status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        Resources {
            memory_kib: field("VmRSS:"),
            peak_kib: field("VmHWM:"),
            threads: field("Threads:"),
            open_files: u64::try_from(std::fs::read_dir(process.join("fd")).unwrap().count())
                .unwrap(),
        }
    }

    /// Asks the process to end.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn exited(&mut self) -> ExitStatus {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the gateway ends within 120 s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// SIGTERM; the exit code must be 0.
    pub(crate) async fn stop(&mut self) {
        self.terminate();
        let status = self.exited().await;
        assert_eq!(
            status.code(),
            Some(0),
            "exit code after SIGTERM; the log:\n{}",
            self.log()
        );
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(40)..];
            println!("the last lines of the gateway's log:\n{}", last.join("\n"));
        }
        // It may have ended already; then there is nothing to end.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn launch(folder: &TempDir, arguments: &[String], more: impl FnOnce(&mut Command)) -> Child {
    let log = |name: &str| {
        let path = folder.path().join(name);
        File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap()
    };
    let mut command = command();
    command
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        // For a machine that is busy with other tests.
        .env("WEIR_NACOS_DEADLINE", "20 s")
        .stdout(log("stdout"))
        .stderr(log("log"));
    more(&mut command);
    command.spawn().unwrap()
}

/// The answer of `/api/revision`.
#[derive(Debug)]
pub(crate) struct Revision(pub(crate) Value);

impl Revision {
    pub(crate) fn digest(&self) -> &str {
        self.0["digest"].as_str().unwrap_or_default()
    }

    /// The set of the live revision.
    pub(crate) fn set(&self) -> &str {
        self.0["set"].as_str().unwrap_or_default()
    }

    /// `applied`, `refused`, `held` and so on: what came of the newest change.
    pub(crate) fn state(&self) -> &str {
        self.0["state"].as_str().unwrap_or_default()
    }

    /// The number of the newest outcome.
    pub(crate) fn sequence(&self) -> u64 {
        self.0["outcomes"][0]["sequence"]
            .as_u64()
            .unwrap_or_default()
    }

    /// The diagnostics of the newest outcome, as text.
    pub(crate) fn diagnostics(&self) -> String {
        self.0["outcomes"][0]["diagnostics"].to_string()
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Resources {
    pub(crate) memory_kib: u64,
    pub(crate) peak_kib: u64,
    pub(crate) threads: u64,
    pub(crate) open_files: u64,
}

/// The program, with nothing of the caller's environment that would change its settings.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    for (name, _) in std::env::vars() {
        if name.starts_with("WEIR_") {
            command.env_remove(name);
        }
    }
    command
}
