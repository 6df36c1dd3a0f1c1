//! The token of a login. It is renewed before it ends, and after Nacos has refused it.
//!
//! A login that fails stops nothing: with authentication off Nacos 3.1 answers it with 403. The call
//! goes on without a token, and only if that is refused as well is the login's failure the reason.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::center::nacos::Version;
use crate::center::nacos::error::Kind;
use crate::center::nacos::http::{Http, Reply, Request};
use crate::center::nacos::settings::Credentials;
use crate::secret::Secret;

/// How long a failed login is not tried again.
const PAUSE: Duration = Duration::from_secs(2);
/// A token that Nacos hands out again may have less than a second left.
const SHORTEST: Duration = Duration::from_secs(1);
/// 2.x answers with a time stamp where a length of time should be when authentication is off.
const LONGEST: Duration = Duration::from_hours(24);

/// Who we are to Nacos.
#[derive(Debug)]
pub(super) struct Login {
    credentials: Option<Credentials>,
    token: ArcSwapOption<Token>,
    /// One login at a time; those who wait for it use its token.
    failed: Mutex<Option<Failed>>,
}

#[derive(Debug)]
struct Token {
    value: Secret,
    renew: Instant,
    end: Instant,
}

#[derive(Debug)]
struct Failed {
    at: Instant,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Granted {
    access_token: String,
    token_ttl: u64,
}

impl Login {
    pub(super) fn new(credentials: Option<Credentials>) -> Self {
        Self {
            credentials,
            token: ArcSwapOption::empty(),
            failed: Mutex::default(),
        }
    }

    /// A token that is good for a while; nothing if there is no login or it failed. `refused` is one
    /// that Nacos did not take.
    pub(super) async fn token(
        &self,
        http: &Http,
        version: Version,
        refused: Option<&Secret>,
    ) -> Option<Secret> {
        let credentials = self.credentials.as_ref()?;
        if let Some(token) = self.fresh(refused) {
            return Some(token);
        }
        let mut failed = self.failed.lock().await;
        if let Some(token) = self.fresh(refused) {
            return Some(token);
        }
        if failed
            .as_ref()
            .is_none_or(|failed| failed.at.elapsed() >= PAUSE)
        {
            let now = Instant::now();
            match log_in(credentials, http, version).await {
                Ok(granted) => {
                    self.token.store(Some(Arc::new(Token::of(&granted, now))));
                    *failed = None;
                }
                Err(reason) => *failed = Some(Failed { at: now, reason }),
            }
        }
        self.current().filter(|token| Some(token) != refused)
    }

    /// The token as it is, for those who cannot wait for another.
    pub(super) fn current(&self) -> Option<Secret> {
        let token = self.token.load();
        let token = token.as_ref().filter(|token| Instant::now() < token.end)?;
        Some(token.value.clone())
    }

    /// Why a call was refused.
    pub(super) async fn refusal(&self, had_token: bool, message: String) -> Kind {
        if self.credentials.is_none() {
            return Kind::LoginMissing;
        }
        match &*self.failed.lock().await {
            Some(failed) if !had_token => Kind::Login(failed.reason.clone()),
            _ => Kind::Denied(message),
        }
    }

    fn fresh(&self, refused: Option<&Secret>) -> Option<Secret> {
        let token = self.token.load();
        let token = token
            .as_ref()
            .filter(|token| Instant::now() < token.renew)?;
        (Some(&token.value) != refused).then(|| token.value.clone())
    }
}

impl Token {
    fn of(granted: &Granted, now: Instant) -> Self {
        let lasts = Duration::from_secs(granted.token_ttl).clamp(SHORTEST, LONGEST);
        Self {
            value: Secret::new(&granted.access_token),
            renew: now + lasts.mul_f64(0.7),
            end: now + lasts,
        }
    }
}

async fn log_in(
    credentials: &Credentials,
    http: &Http,
    version: Version,
) -> Result<Granted, String> {
    let (username, password) = credentials.resolve()?;
    let attempt = async |path| {
        let form = vec![
            ("username", username.clone()),
            ("password", password.expose().to_owned()),
        ];
        let request = Request::new(Method::POST, path, form);
        http.send(&request, None)
            .await
            .map_err(|kind| kind.to_string())
    };
    let mut reply = match version {
        Version::V3 => attempt("v3/auth/user/login").await?,
        Version::V2 => attempt("v1/auth/login").await?,
    };
    let is_unknown = matches!(reply.status, StatusCode::NOT_FOUND | StatusCode::GONE);
    if version == Version::V3 && is_unknown {
        reply = attempt("v1/auth/login").await?;
    }
    granted(&reply)
}

/// The body of a refusal says nothing but the status: 403 for an unknown user, 500 for a wrong
/// password. It is not repeated, because nothing is known about what it may hold.
fn granted(reply: &Reply) -> Result<Granted, String> {
    match reply.status.as_u16() {
        200 => serde_json::from_slice(&reply.body)
            .map_err(|_| "the reply to it holds no token".to_owned()),
        401 | 403 => Err("unknown user, or wrong password".to_owned()),
        500 => Err("wrong password, or Nacos failed: it answers both with status 500".to_owned()),
        status => Err(format!("status {status}")),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_wrong_password_is_told_from_a_granted_login() {
        let body = r#"{"accessToken":"abc","tokenTtl":8,"globalAdmin":true,"username":"nacos"}"#;
        assert_eq!(granted(&reply(200, body)).unwrap().token_ttl, 8);
        let reason = |status, body| granted(&reply(status, body)).err().unwrap();
        assert!(reason(500, "{}").starts_with("wrong password"));
        assert!(reason(403, "user not found!").starts_with("unknown user"));
        assert_eq!(reason(502, ""), "status 502");
        assert!(reason(200, "<html>").contains("no token"));
    }
}
