//! Taking a request: the checks in the order of their cost, then the body, then the gateway.
//!
//! The revision is chosen once, when the head has been read. A request that is refused before its
//! body was read is read on for a while, so that the client sees the answer and not a reset.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use jiff::Timestamp;

use crate::event::ClientIp;
use crate::gateway;
use crate::ingest::body::{self, Limits, Received, discard};
use crate::ingest::cors::Grant;
use crate::ingest::credential::{self, Denied};
use crate::ingest::error::{Error, HEAD_MOST};
use crate::ingest::port::{Peer, Port};
use crate::ingest::rate::Sender;
use crate::ingest::reply::{self, Reply};
use crate::ingest::request_id::RequestId;
use crate::ingest::{address, dry_run, routes};
use crate::pipeline::access::Access;
use crate::rollout::live::{Found, Key, Repo, Revision};
use crate::telemetry::clock;

/// What only events may be sent with.
const POST: &str = "POST, OPTIONS";

/// A request, when its head has been read.
#[derive(Debug)]
pub(super) struct Taken<'t> {
    pub(super) port: &'t Port,
    pub(super) head: &'t Parts,
    pub(super) revision: &'t Revision,
    pub(super) received: Timestamp,
    pub(super) begun: Instant,
    pub(super) id: RequestId,
    pub(super) client: ClientIp,
}

/// `POST /log/repo/{repo}`, and paths that the index maps.
pub(super) async fn take(port: &Port, peer: Peer, request: Request<Incoming>) -> Reply {
    let (begun, received) = (Instant::now(), clock::timestamp());
    let in_flight = port.begin();
    let (head, mut body) = request.into_parts();
    let revision = port.gateway.current();
    let taken = Taken {
        port,
        head: &head,
        revision: &revision,
        received,
        begun,
        id: RequestId::new(received),
        client: address::client(peer.address, &head.headers, &port.trusted),
    };
    let mut grant = Grant::default();
    let answer = if peer.crowded {
        Err(Error::Crowded)
    } else {
        taken.answer(&mut body, &mut grant).await
    };
    let code = answer.as_ref().err().map(Error::code);
    let mut reply = match answer {
        Ok(reply) => reply,
        Err(error) => taken.refuse(&error, &mut body).await,
    };
    grant.write(reply.headers_mut());
    tracing::debug!(
        request_id = %taken.id,
        path = head.uri.path(),
        status = reply.status().as_u16(),
        code,
        "request answered"
    );
    port.count(&reply, code, begun);
    drop(in_flight);
    reply
}

/// The parser's own limit is for a whole head, and not exact.
fn check_head(head: &Parts) -> Result<(), Error> {
    let path = head.uri.path_and_query();
    if path.is_some_and(|path| path.as_str().len() > HEAD_MOST) {
        return Err(Error::LongPath);
    }
    let field = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    if head.headers.iter().map(field).sum::<usize>() > HEAD_MOST {
        return Err(Error::LargeFields);
    }
    Ok(())
}

impl Taken<'_> {
    async fn answer(&self, body: &mut Incoming, grant: &mut Grant) -> Result<Reply, Error> {
        check_head(self.head)?;
        let repo = self.repo()?;
        let access = &repo.pipeline.plan.access;
        *grant = Grant::of(access, &self.head.headers);
        match self.head.method {
            Method::POST => {}
            Method::OPTIONS => return Ok(self.preflight(grant)),
            _ => return Err(Error::Method(POST)),
        }
        if dry_run::wanted(self.head) {
            dry_run::allow(self.port, self.head)?;
            let received = self.read(body, access).await?;
            return dry_run::run(self, repo, received.bytes).await;
        }
        let sender = self.sender(repo)?;
        if let Some(rate) = &access.rate {
            let admitted = self.port.rates.admit(rate, sender, self.begun);
            admitted.map_err(Error::Rate)?;
        }
        if !repo.destinations.open() {
            return Err(Error::Closed);
        }
        let received = self.read(body, access).await?;
        self.accept(repo, sender, received).await
    }

    /// What a browser asks before it sends.
    fn preflight(&self, grant: &mut Grant) -> Reply {
        let mut reply = reply::json(StatusCode::OK, Bytes::from_static(b"{}"));
        let grant = std::mem::take(grant);
        grant.write_preflight(&self.head.headers, reply.headers_mut());
        reply
    }

    /// The repo of the path.
    fn repo(&self) -> Result<&Arc<Repo>, Error> {
        let path = self.head.uri.path();
        let (found, missing) = match path.strip_prefix(routes::REPOS) {
            Some(name) => {
                let name = name.strip_suffix('/').unwrap_or(name);
                (self.revision.repo(name), Error::Repo)
            }
            None => (self.revision.mapped(path), Error::Path),
        };
        match found {
            Found::Repo(repo) => Ok(repo),
            Found::NoDocument => Err(Error::NoDocument),
            Found::Nothing => Err(missing),
        }
    }

    /// Who sends, and whether it may.
    fn sender<'r>(&self, repo: &'r Repo) -> Result<Sender<'r>, Error> {
        let sender = |key| Sender {
            repo: &repo.pipeline.plan.repo,
            key,
            address: Some(self.client),
        };
        if repo.pipeline.plan.access.keys.is_empty() {
            return Ok(sender(None));
        }
        match credential::check(&repo.keys, &self.head.headers) {
            Ok(key) => Ok(sender(Some(&key.id))),
            // Nothing could be compared with, and that is not the client's fault.
            Err(_) if repo.keys.is_empty() => Err(Error::Credential(Denied::Unknowable)),
            Err(denied) => Err(Error::Credential(denied)),
        }
    }

    async fn read(&self, body: &mut Incoming, access: &Access) -> Result<Received, body::Error> {
        let limits = Limits {
            wire: access.limits.wire as usize,
            decoded: access.limits.body as usize,
            ratio: access.limits.ratio as usize,
        };
        self.port
            .reader
            .read(body, &self.head.headers, limits)
            .await
    }

    async fn accept(
        &self,
        repo: &Arc<Repo>,
        sender: Sender<'_>,
        received: Received,
    ) -> Result<Reply, Error> {
        let meter = &repo.meter;
        meter.wire_bytes.inc_by(received.wire as u64);
        meter.body_bytes.inc_by(received.bytes.len() as u64);
        let charge = |events: usize| {
            if let Some(rate) = &repo.pipeline.plan.access.rate {
                let events = u32::try_from(events).unwrap_or(u32::MAX);
                self.port.rates.charge(rate, sender, events, self.begun);
            }
        };
        let request = self.request(repo, sender.key.map(|key| &**key), received.bytes);
        let accepted = self.port.gateway.accept(request, charge, received.permit);
        let receipt = accepted.await?;
        let digest = self.revision.digest.as_str();
        Ok(reply::receipt(&receipt, digest, &self.id))
    }

    pub(super) fn request<'r>(
        &'r self,
        repo: &'r Arc<Repo>,
        key: Option<&'r str>,
        body: Vec<u8>,
    ) -> gateway::Request<'r> {
        gateway::Request {
            revision: self.revision,
            repo,
            body,
            received: self.received,
            client: Some(self.client),
            key,
            id: self.id.as_str(),
        }
    }

    /// The key that it came with, if it came with one.
    pub(super) fn key<'r>(&self, repo: &'r Repo) -> Option<&'r Key> {
        credential::check(&repo.keys, &self.head.headers).ok()
    }

    async fn refuse(&self, error: &Error, body: &mut Incoming) -> Reply {
        let waited = matches!(
            error,
            Error::Body(body::Error::Slow(_) | body::Error::Gone(_))
        );
        if !waited {
            discard(body, &self.head.headers).await;
        }
        reply::refusal(error, &self.id)
    }
}
