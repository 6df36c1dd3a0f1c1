//! Real Nacos servers, started by `tests/services/nacos/nacos.sh` under `target/tmp`. One 3.1 and one
//! 2.3 are shared by all tests, each of which has a namespace of its own there; another is for those
//! that disturb it, one after the other. The script watches this process and stops all of them when it
//! ends, however it ends.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{OnceLock, PoisonError};

use tokio::sync::{Mutex, MutexGuard};
use weir::center::nacos::{Base, Error, Nacos as Client, Operation, Password, Row, Settings};
use weir::unit::TimeSpan;

use super::documents::Documents;
use super::{LONG, eventually, http, ports};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/nacos/nacos.sh");

/// A server.
pub(crate) struct Nacos {
    folder: PathBuf,
    port: u16,
    console: u16,
    is_3: bool,
    guarded: bool,
}

/// A server, for as long as one test has its turn.
pub(crate) struct Disturbed {
    server: &'static Nacos,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for Disturbed {
    type Target = Nacos;

    fn deref(&self) -> &Nacos {
        self.server
    }
}

/// One namespace of a server, as a test has it to itself.
pub(crate) struct Space {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    pub(crate) name: String,
    /// What the product uses.
    pub(crate) client: Client,
    console: u16,
    is_3: bool,
}

impl Nacos {
    /// The 3.1 that most tests use. The first to ask waits for it to start, about 15 s.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Nacos> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("shared", "3.1", None))
    }

    /// The 2.3 that is shared.
    pub(crate) fn shared_2() -> &'static Self {
        static SHARED: OnceLock<Nacos> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("shared-2", "2.3", None))
    }

    /// A 3.1 that is paused, killed and restarted by one test after the other.
    pub(crate) async fn to_disturb() -> Disturbed {
        static TURN: Mutex<()> = Mutex::const_new(());
        static SERVER: OnceLock<Nacos> = OnceLock::new();
        let turn = TURN.lock().await;
        let server = SERVER.get_or_init(|| Self::start("disturbed", "3.1", None));
        // The test before may have failed half-way.
        server.restart();
        Disturbed {
            server,
            _turn: turn,
        }
    }

    /// A 3.1 that asks for a login; a token of it lasts 5 s.
    pub(crate) fn guarded() -> &'static Self {
        static SHARED: OnceLock<Nacos> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("guarded", "3.1", Some(5)))
    }

    /// A 2.3 that asks for a login, for one test.
    pub(crate) fn guarded_2() -> Self {
        Self::start("guarded-2", "2.3", Some(5))
    }

    fn start(name: &str, version: &str, token_seconds: Option<u32>) -> Self {
        // Several at once would start more slowly than one after the other.
        static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let owner = std::process::id().to_string();
        remove_logs_of_ended_runs(root);
        let folder = root.join(format!("nacos-{owner}-{name}"));
        let port = ports::free_nacos();
        let console = if version.starts_with('3') {
            port + 1
        } else {
            port
        };
        let mut command = Command::new(SCRIPT);
        command.arg("up").arg(&folder);
        command.args([
            "--port",
            &port.to_string(),
            "--console",
            &console.to_string(),
        ]);
        command.args(["--version", version, "--owner", &owner]);
        if let Some(seconds) = token_seconds {
            command
                .arg("--auth")
                .env("NACOS_TOKEN_SECONDS", seconds.to_string());
        }
        run(&mut command);
        Self {
            folder,
            port,
            console,
            is_3: version.starts_with('3'),
            guarded: token_seconds.is_some(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The folder that the script knows it by.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A namespace, which is made.
    pub(crate) async fn space(&self, name: &str) -> Space {
        let space = self.space_without_namespace(name);
        space.client.create_namespace().await.unwrap();
        space
    }

    /// A namespace that nobody has made yet.
    pub(crate) fn space_without_namespace(&self, name: &str) -> Space {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let name = format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut settings = settings(&self.url(), &name);
        if self.guarded {
            settings.username = Some("nacos".to_owned());
            settings.password = Some(Password::new("nacos"));
        }
        Space {
            url: self.url(),
            name,
            client: Client::connect(&settings).unwrap(),
            console: self.console,
            is_3: self.is_3,
        }
    }

    /// Connections that clients have to its port for notices, by the clients' own ports.
    pub(crate) fn notice_connections(&self) -> BTreeSet<String> {
        let wanted = format!(":{:04X} 01 ", self.port + 1000);
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let local = table.lines().filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let [_, local, remote, state, ..] = fields[..] else {
                return None;
            };
            let is_one = format!("{remote} {state} ").ends_with(&wanted);
            is_one.then(|| local.to_owned())
        });
        local.collect()
    }

    pub(crate) fn kill(&self) {
        self.verb("kill");
    }

    pub(crate) fn pause(&self) {
        self.verb("pause");
    }

    pub(crate) fn resume(&self) {
        self.verb("resume");
    }

    /// Lets a paused server go on, starts a killed one again with what it had, and waits until it
    /// answers.
    pub(crate) fn restart(&self) {
        self.verb("start");
    }

    fn verb(&self, verb: &str) {
        run(Command::new(SCRIPT).arg(verb).arg(&self.folder));
    }
}

impl Drop for Nacos {
    fn drop(&mut self) {
        // The shared ones are never dropped; the watching script stops what this misses.
        let _status = Command::new(SCRIPT).arg("kill").arg(&self.folder).status();
    }
}

/// For a client of the product, patient enough for a machine that is busy with other tests.
pub(crate) fn settings(url: &str, namespace: &str) -> Settings {
    Settings {
        url: Some(url.to_owned()),
        namespace: Some(namespace.to_owned()),
        deadline: TimeSpan::seconds(20),
        ..Settings::default()
    }
}

impl Space {
    /// For the command line: `--nacos URL --namespace NAME`.
    pub(crate) fn arguments(&self) -> [String; 4] {
        ["--nacos", &self.url, "--namespace", &self.name].map(str::to_owned)
    }

    /// Publishes whatever is there, as the console does when people press "publish", and waits until
    /// clients are given it, or what somebody else has published over it. That lags behind a write,
    /// for each document by itself: an instance could read an index before what it names.
    pub(crate) async fn publish(&self, data_id: &str, content: &str) {
        self.publish_unseen(data_id, content).await;
        eventually(LONG, "clients are given what was published", || async {
            if self.client.read(data_id).await.ok()?.as_deref() == Some(content) {
                return Some(());
            }
            let latest = self.client.read_latest(data_id).await.ok()?;
            latest
                .is_none_or(|latest| latest.content != content)
                .then_some(())
        })
        .await;
    }

    /// Publishes whatever is there, and does not wait until clients are given it. The embedded
    /// database fails where two insert at the same moment and the machine is slow, and a server that
    /// was just started may not take it yet; people try again.
    pub(crate) async fn publish_unseen(&self, data_id: &str, content: &str) {
        eventually(LONG, "Nacos takes a document", || async {
            match self.client.publish(data_id, content, Base::Any).await {
                Ok(()) => Some(()),
                Err(error) if error.is_outage() => {
                    println!("once more: {error}");
                    None
                }
                Err(error) => panic!("{error}"),
            }
        })
        .await;
    }

    /// Publishes every document of a folder under the name of its file, the index last.
    pub(crate) async fn publish_all(&self, documents: &Documents) {
        let mut found = Vec::new();
        for entry in fs::read_dir(documents.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let data_id = name
                .strip_suffix(".yaml")
                .or_else(|| name.strip_suffix(".json"));
            if let Some(data_id) = data_id.filter(|data_id| data_id.starts_with("weir.")) {
                found.push((data_id.to_owned(), documents.read(&name)));
            }
        }
        found.sort_by_key(|(data_id, _)| (data_id == "weir.index", data_id.clone()));
        for (data_id, content) in found {
            self.publish(&data_id, &content).await;
        }
    }

    /// What stands there, as it was written last.
    pub(crate) async fn content(&self, data_id: &str) -> Option<String> {
        let document = self.client.read_latest(data_id).await.unwrap();
        document.map(|document| document.content)
    }

    pub(crate) async fn delete(&self, data_id: &str) {
        self.client.delete(data_id).await.unwrap();
    }

    /// Replaces text in a document; it must be there.
    pub(crate) async fn replace(&self, data_id: &str, from: &str, to: &str) {
        let content = self.content(data_id).await.unwrap();
        assert!(
            content.contains(from),
            "`{from}` does not stand in {data_id}"
        );
        self.publish(data_id, &content.replace(from, to)).await;
    }

    pub(crate) async fn history(&self, data_id: &str) -> Result<Vec<Row>, Error> {
        self.client.history(data_id).await
    }

    /// "Roll back" to a row of the history as the console of 3.1 does it: its content is published
    /// again, without looking at what is there; the row of an insert deletes.
    pub(crate) async fn roll_back(&self, data_id: &str, row: &Row) {
        let http = http::client();
        let url = format!("http://127.0.0.1:{}/v3/console/cs/config", self.console);
        let mut form = vec![
            ("namespaceId", self.name.clone()),
            ("groupName", "WEIR".to_owned()),
            ("dataId", data_id.to_owned()),
        ];
        let deletes = row.operation == Operation::Insert;
        if !deletes {
            let content = self.client.history_content(data_id, &row.id).await.unwrap();
            form.push(("content", content.unwrap()));
            form.push(("type", "yaml".to_owned()));
        }
        let reply = written(|| match deletes {
            true => http.delete(&url).query(&form),
            false => http.post(&url).form(&form),
        })
        .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["code"], 0, "{reply:?}");
    }

    /// Publishes past the product's client, which would refuse it; with more of the interface's own
    /// parameters.
    pub(crate) async fn publish_raw(
        &self,
        data_id: &str,
        content: &str,
        more: &[(&str, &str)],
    ) -> http::Reply {
        let mut form = self.place(data_id);
        form.push(("content", content));
        form.extend_from_slice(more);
        written(|| http::client().post(self.write_url()).form(&form)).await
    }

    /// The parameters that name a document.
    pub(crate) fn place<'a>(&'a self, data_id: &'a str) -> Vec<(&'a str, &'a str)> {
        let (namespace, group) = if self.is_3 {
            ("namespaceId", "groupName")
        } else {
            ("tenant", "group")
        };
        vec![
            (namespace, &self.name),
            (group, "WEIR"),
            ("dataId", data_id),
        ]
    }

    /// Where documents are written, by the interface of the server's version.
    pub(crate) fn write_url(&self) -> String {
        let path = if self.is_3 {
            "v3/admin/cs/config"
        } else {
            "v1/cs/configs"
        };
        format!("{}/nacos/{path}", self.url)
    }

    /// Where clients read.
    pub(crate) fn read_url(&self) -> String {
        let path = if self.is_3 {
            "v3/client/cs/config"
        } else {
            "v1/cs/configs"
        };
        format!("{}/nacos/{path}", self.url)
    }
}

/// The answer to a write, which is made again where the embedded database fails because somebody
/// else writes at the same moment.
pub(crate) async fn written(request: impl Fn() -> reqwest::RequestBuilder) -> http::Reply {
    eventually(LONG, "Nacos takes a write", || async {
        let reply = http::send(request()).await;
        let is_locked = reply.text.contains("A lock could not be obtained");
        (!is_locked).then_some(reply)
    })
    .await
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Folders are named by the process that they belonged to.
fn remove_logs_of_ended_runs(root: &Path) {
    for entry in fs::read_dir(root).unwrap().filter_map(Result::ok) {
        let name = entry.file_name().into_string().unwrap_or_default();
        let process = name
            .strip_prefix("nacos-")
            .and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            // The run's own watch may be doing the same.
            let _removed = fs::remove_dir_all(entry.path());
        }
    }
}
