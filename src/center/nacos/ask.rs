//! One question to Nacos, with what it takes: which version answers, a token, a second try with a
//! new one, and an error that says what was attempted, and where.

use std::sync::atomic::Ordering;

use reqwest::{Method, StatusCode, Url};

use crate::center::nacos::error::{Error, Kind};
use crate::center::nacos::http::{Reply, Request};
use crate::center::nacos::reply;
use crate::center::nacos::{Nacos, Version};
use crate::secret::Secret;

/// Says that a server of 3.x is ready; a path that 2.x does not have.
const READY_3: &str = "v3/admin/core/state/readiness";
/// The same of 2.x; a path that 3.x has taken away.
const READY_2: &str = "v1/console/health/readiness";

impl Nacos {
    /// Sends the request of the version that the server has.
    pub(super) async fn ask(
        &self,
        attempt: impl Fn() -> String,
        request: impl Fn(Version) -> Request,
    ) -> Result<(Version, Reply), Error> {
        let asked = async {
            let version = self.version().await?;
            let reply = self.send(version, &request(version)).await?;
            Ok((version, reply))
        };
        asked.await.map_err(|kind| {
            if matches!(kind, Kind::Unreachable(_) | Kind::Silent(_)) {
                // It may come back as another.
                self.shared.version.store(0, Ordering::Relaxed);
            }
            self.error(attempt, kind)
        })
    }

    /// Whether Nacos answers. Logs in if there is a login.
    pub(super) async fn ping(&self) -> Result<(), Error> {
        let attempt = || "look for an answer".to_owned();
        let asked = self.ask(attempt, |version| {
            let path = match version {
                Version::V3 => READY_3,
                Version::V2 => READY_2,
            };
            Request::new(Method::GET, path, Vec::new())
        });
        let (_, reply) = asked.await?;
        match reply.status {
            StatusCode::OK => Ok(()),
            _ => Err(self.error(attempt, reply::refused(&reply))),
        }
    }

    /// The token as it is, for those who cannot wait.
    pub(super) fn token(&self) -> Option<Secret> {
        self.shared.login.current()
    }

    pub(super) fn servers(&self) -> &[Url] {
        self.shared.http.servers()
    }

    pub(super) fn error(&self, attempt: impl Fn() -> String, kind: Kind) -> Error {
        let servers = self.servers().iter();
        let servers: Vec<_> = servers
            .map(|url| url.as_str().trim_end_matches('/'))
            .collect();
        Error {
            attempt: attempt(),
            server: servers.join(", "),
            kind,
        }
    }

    /// With a token if there is one, and once more with a new one if it is refused.
    async fn send(&self, version: Version, request: &Request) -> Result<Reply, Kind> {
        let shared = &self.shared;
        let mut token = shared.login.token(&shared.http, version, None).await;
        let mut reply = shared.http.send(request, token.as_ref()).await?;
        if is_denied(reply.status) && token.is_some() {
            token = shared
                .login
                .token(&shared.http, version, token.as_ref())
                .await;
            reply = shared.http.send(request, token.as_ref()).await?;
        }
        if is_denied(reply.status) {
            let message = reply::message(&String::from_utf8_lossy(&reply.body));
            return Err(shared.login.refusal(token.is_some(), message).await);
        }
        if reply::is_other_version(&reply) {
            shared.version.store(0, Ordering::Relaxed);
        }
        Ok(reply)
    }

    /// Which interface the server has, found out once and after every outage.
    async fn version(&self) -> Result<Version, Kind> {
        match self.shared.version.load(Ordering::Relaxed) {
            2 => return Ok(Version::V2),
            3 => return Ok(Version::V3),
            _ => {}
        }
        let version = self.detect().await?;
        let number = match version {
            Version::V2 => 2,
            Version::V3 => 3,
        };
        self.shared.version.store(number, Ordering::Relaxed);
        Ok(version)
    }

    async fn detect(&self) -> Result<Version, Kind> {
        let http = &self.shared.http;
        let ready = |path| Request::new(Method::GET, path, Vec::new());
        let reply = http.send(&ready(READY_3), None).await?;
        match reply.status {
            StatusCode::OK if reply::has_code(&reply) => return Ok(Version::V3),
            StatusCode::OK => {
                let message = "no JSON with a code where 3.x says that it is ready";
                return Err(Kind::Unintelligible(message.to_owned()));
            }
            StatusCode::NOT_FOUND => {}
            _ => return Err(reply::refused(&reply)),
        }
        let reply = http.send(&ready(READY_2), None).await?;
        match reply.status {
            StatusCode::OK => Ok(Version::V2),
            StatusCode::NOT_FOUND => Err(Kind::Unintelligible(
                "neither the paths of 3.x nor those of 2.x are there".to_owned(),
            )),
            _ => Err(reply::refused(&reply)),
        }
    }
}

const fn is_denied(status: StatusCode) -> bool {
    matches!(status, StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED)
}
