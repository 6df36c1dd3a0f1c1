//! Documents in Nacos, by plain HTTP: `/v3` of 3.x, `/v1` of 2.x.
//!
//! Reading as clients do comes from the node's cache and lags up to 0.1 s behind a write; reading
//! the latest does not, and is the base of a compare-and-swap, which is the *header* `casMd5`. The
//! listener of the Nacos library (`listener.rs`) only nudges.

mod ask;
mod error;
mod http;
mod listener;
mod login;
mod publish;
mod reply;
mod settings;

use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use jiff::Timestamp;
use reqwest::Method;

pub use crate::center::nacos::error::{Error, Kind};
pub use crate::center::nacos::listener::Listener;
pub use crate::center::nacos::publish::Base;
pub use crate::center::nacos::settings::{Password, Settings};

use crate::center::nacos::http::{Http, Request};
use crate::center::nacos::login::Login;
use crate::center::nacos::publish::again_if_failed;
use crate::center::nacos::settings::Credentials;
use crate::unit::Size;

/// The largest document.
pub const LARGEST: Size = Size::mib(2);
/// What may come for a document of that size: as JSON, with quotes and line feeds escaped.
const WIRE: usize = 2 * 2 * 1024 * 1024 + 64 * 1024;
/// Rows of the history that are asked for at once, the most that Nacos gives.
const PAGE: u32 = 500;

/// The documents of one namespace and group. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Nacos {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    namespace: String,
    group: String,
    http: Http,
    login: Login,
    /// A `Version`, or 0 while it is not known.
    version: AtomicU8,
}

/// Which interface a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V2,
    V3,
}

/// A document with the digest that a compare-and-swap takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its text.
    pub content: String,
    /// Of the content, in lower-case hex.
    pub md5: String,
}

/// One row of a document's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// To ask for its content.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// What was done. The row of an insert holds the new content, those of an update and of a
    /// deletion the content before.
    pub operation: Operation,
    /// Who was logged in.
    pub user: Option<String>,
    /// Where from.
    pub address: Option<String>,
}

/// What was done to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It was not there before.
    Insert,
    /// It got another content.
    Update,
    /// It was deleted.
    Delete,
}

impl Nacos {
    /// A client. Touches no network: Nacos may be away.
    pub fn connect(settings: &Settings) -> Result<Self, Error> {
        let wrong = |kind| Error {
            attempt: "read the settings".to_owned(),
            server: settings.url.clone().unwrap_or_default(),
            kind,
        };
        let namespace = settings.namespace.clone().unwrap_or_default();
        if namespace.is_empty() {
            let message =
                "there is no namespace; set WEIR_NAMESPACE to the one of this environment";
            return Err(wrong(Kind::Settings(message.to_owned())));
        }
        let credentials = Credentials::of(settings)
            .map_err(Kind::Settings)
            .map_err(wrong)?;
        Ok(Self {
            shared: Arc::new(Shared {
                namespace,
                group: settings.group.clone(),
                http: Http::new(settings).map_err(wrong)?,
                login: Login::new(credentials),
                version: AtomicU8::new(0),
            }),
        })
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.shared.namespace
    }

    /// The group.
    pub fn group(&self) -> &str {
        &self.shared.group
    }

    /// The server that is asked first.
    pub fn server(&self) -> String {
        let server = self.shared.http.server().as_str();
        server.trim_end_matches('/').to_owned()
    }

    /// A document as clients are given it, up to 0.1 s behind a write; nothing if it is missing.
    pub async fn read(&self, data_id: &str) -> Result<Option<String>, Error> {
        let attempt = || format!("read {data_id}");
        let asked = self.ask(attempt, |version| {
            let path = match version {
                Version::V3 => "v3/client/cs/config",
                Version::V2 => "v1/cs/configs",
            };
            self.get(version, path, data_id, &[]).cap(WIRE)
        });
        let (version, reply) = asked.await?;
        reply::content(version, reply).map_err(|kind| self.error(attempt, kind))
    }

    /// A document as it was last written; nothing if it is missing.
    pub async fn read_latest(&self, data_id: &str) -> Result<Option<Document>, Error> {
        let attempt = || format!("read the latest {data_id}");
        let asked = self.ask(attempt, |version| match version {
            Version::V3 => self
                .get(version, "v3/admin/cs/config", data_id, &[])
                .cap(WIRE),
            Version::V2 => {
                let all = [("show", "all".to_owned())];
                self.get(version, "v1/cs/configs", data_id, &all).cap(WIRE)
            }
        });
        let (version, reply) = asked.await?;
        reply::document(version, &reply).map_err(|kind| self.error(attempt, kind))
    }

    /// Deletes a document; done also if it was missing.
    pub async fn delete(&self, data_id: &str) -> Result<(), Error> {
        again_if_failed(|| self.try_to_delete(data_id)).await.0
    }

    async fn try_to_delete(&self, data_id: &str) -> Result<(), Error> {
        let attempt = || format!("delete {data_id}");
        let asked = self.ask(attempt, |version| {
            let parameters = self.place(version, data_id);
            Request::new(Method::DELETE, write_path(version), parameters)
        });
        let (version, reply) = asked.await?;
        reply::done(version, &reply).map_err(|kind| self.error(attempt, kind))
    }

    /// The history of a document, newest first.
    pub async fn history(&self, data_id: &str) -> Result<Vec<Row>, Error> {
        let attempt = || format!("list the history of {data_id}");
        let mut rows = Vec::new();
        for page in 1.. {
            let asked = self.ask(attempt, |version| {
                let mut more = vec![("pageNo", page.to_string()), ("pageSize", PAGE.to_string())];
                let path = match version {
                    Version::V3 => "v3/admin/cs/history/list",
                    Version::V2 => {
                        more.push(("search", "accurate".to_owned()));
                        "v1/cs/history"
                    }
                };
                self.get(version, path, data_id, &more)
            });
            let (version, reply) = asked.await?;
            let (found, pages) =
                reply::rows(version, &reply).map_err(|kind| self.error(attempt, kind))?;
            rows.extend(found);
            if page >= pages {
                break;
            }
        }
        Ok(rows)
    }

    /// The content that a row of the history holds; nothing if there is no such row.
    pub async fn history_content(&self, data_id: &str, id: &str) -> Result<Option<String>, Error> {
        let attempt = || format!("read row {id} of the history of {data_id}");
        let asked = self.ask(attempt, |version| {
            let path = match version {
                Version::V3 => "v3/admin/cs/history",
                Version::V2 => "v1/cs/history",
            };
            let row = [("nid", id.to_owned())];
            self.get(version, path, data_id, &row).cap(WIRE)
        });
        let (version, reply) = asked.await?;
        reply::row_content(version, &reply).map_err(|kind| self.error(attempt, kind))
    }

    /// Whether the namespace exists. Documents can be published without it, but the console does not
    /// show them.
    pub async fn has_namespace(&self) -> Result<bool, Error> {
        let attempt = || format!("look for namespace {}", self.namespace());
        let namespace = self.namespace().to_owned();
        let asked = self.ask(attempt, |version| {
            let (path, parameters) = match version {
                Version::V3 => (
                    "v3/admin/core/namespace/check",
                    vec![("namespaceId", namespace.clone())],
                ),
                Version::V2 => (
                    "v1/console/namespaces",
                    vec![
                        ("checkNamespaceIdExist", "true".to_owned()),
                        ("customNamespaceId", namespace.clone()),
                    ],
                ),
            };
            Request::new(Method::GET, path, parameters)
        });
        let (version, reply) = asked.await?;
        reply::is_there(version, &reply).map_err(|kind| self.error(attempt, kind))
    }

    /// Creates the namespace. True if it was not there.
    pub async fn create_namespace(&self) -> Result<bool, Error> {
        again_if_failed(|| self.try_to_create_namespace()).await.0
    }

    async fn try_to_create_namespace(&self) -> Result<bool, Error> {
        if self.has_namespace().await? {
            return Ok(false);
        }
        let attempt = || format!("create namespace {}", self.namespace());
        let asked = self.ask(attempt, |version| {
            let (path, id) = match version {
                Version::V3 => ("v3/admin/core/namespace", "namespaceId"),
                Version::V2 => ("v1/console/namespaces", "customNamespaceId"),
            };
            let form = vec![
                (id, self.namespace().to_owned()),
                ("namespaceName", self.namespace().to_owned()),
                ("namespaceDesc", "documents of Weir".to_owned()),
            ];
            Request::new(Method::POST, path, form)
        });
        let (version, reply) = asked.await?;
        match reply::done(version, &reply) {
            Ok(()) => Ok(true),
            // Somebody else may have made it in between.
            Err(_) if self.has_namespace().await? => Ok(false),
            Err(kind) => Err(self.error(attempt, kind)),
        }
    }

    fn get(
        &self,
        version: Version,
        path: &'static str,
        data_id: &str,
        more: &[(&'static str, String)],
    ) -> Request {
        let mut parameters = self.place(version, data_id);
        parameters.extend_from_slice(more);
        Request::new(Method::GET, path, parameters)
    }

    /// The names of one document.
    fn place(&self, version: Version, data_id: &str) -> Vec<(&'static str, String)> {
        let (namespace, group) = match version {
            Version::V3 => ("namespaceId", "groupName"),
            Version::V2 => ("tenant", "group"),
        };
        vec![
            (namespace, self.shared.namespace.clone()),
            (group, self.shared.group.clone()),
            ("dataId", data_id.to_owned()),
        ]
    }
}

const fn write_path(version: Version) -> &'static str {
    match version {
        Version::V3 => "v3/admin/cs/config",
        Version::V2 => "v1/cs/configs",
    }
}
