//! One call by HTTP: under a deadline, with a cap on the reply, at the servers in turn.
//!
//! A read goes on to the next server when one is silent or away. A write only does when there was
//! no connection: one that may have arrived must not be sent twice, or a compare-and-swap would lose
//! against itself.

use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};

use crate::center::nacos::LARGEST;
use crate::center::nacos::error::Kind;
use crate::center::nacos::settings::Settings;
use crate::secret::Secret;
use crate::unit::{Size, TimeSpan};

/// What Nacos takes as a form, percent signs and all.
const FORM: Size = Size::mib(2);
const FORM_TYPE: &str = "application/x-www-form-urlencoded; charset=UTF-8";

/// The servers of one cluster.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    servers: Vec<Url>,
    /// The one that is asked next.
    current: AtomicUsize,
    deadline: TimeSpan,
}

/// A call, whichever server it goes to.
#[derive(Debug)]
pub(super) struct Request {
    method: Method,
    path: &'static str,
    parameters: Vec<(&'static str, String)>,
    header: Option<(&'static str, String)>,
    /// The most that is read of the reply.
    cap: usize,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Parameters go into the query, but those of a `POST` into its form.
    pub(super) const fn new(
        method: Method,
        path: &'static str,
        parameters: Vec<(&'static str, String)>,
    ) -> Self {
        Self {
            method,
            path,
            parameters,
            header: None,
            cap: 1024 * 1024,
        }
    }

    pub(super) fn header(mut self, header: Option<(&'static str, String)>) -> Self {
        self.header = header;
        self
    }

    pub(super) const fn cap(mut self, cap: usize) -> Self {
        self.cap = cap;
        self
    }

    fn is_read(&self) -> bool {
        self.method == Method::GET
    }
}

impl Http {
    /// Touches no network.
    pub(super) fn new(settings: &Settings) -> Result<Self, Kind> {
        let deadline = settings.deadline.duration();
        let client = Client::builder()
            .connect_timeout(deadline)
            .timeout(deadline)
            .redirect(Policy::none()) // a token must not follow one
            .no_proxy()
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Kind::Settings(format!("TLS cannot be set up: {error}")))?;
        Ok(Self {
            client,
            servers: servers(settings.url.as_deref().unwrap_or_default())?,
            current: AtomicUsize::new(0),
            deadline: settings.deadline,
        })
    }

    /// The server that is asked next, as people write it.
    pub(super) fn server(&self) -> &Url {
        &self.servers[self.current.load(Ordering::Relaxed)]
    }

    pub(super) fn servers(&self) -> &[Url] {
        &self.servers
    }

    /// Sends to the current server, and to the others when it is away.
    pub(super) async fn send(
        &self,
        request: &Request,
        token: Option<&Secret>,
    ) -> Result<Reply, Kind> {
        let count = self.servers.len();
        let mut at = self.current.load(Ordering::Relaxed);
        let mut left = count;
        loop {
            let failure = match self.send_to(&self.servers[at], request, token).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            if !failure.is_away {
                return Err(failure.kind);
            }
            at = (at + 1) % count;
            self.current.store(at, Ordering::Relaxed);
            left -= 1;
            if left == 0 || !(failure.is_unsent || request.is_read()) {
                return Err(failure.kind);
            }
        }
    }

    async fn send_to(
        &self,
        server: &Url,
        request: &Request,
        token: Option<&Secret>,
    ) -> Result<Reply, Failure> {
        let call = self.prepare(server, request, token)?;
        let failed = |error| self.failure(&error);
        let mut response = call.send().await.map_err(failed)?;
        let mut reply = Reply {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: Vec::new(),
        };
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if reply.body.len() + chunk.len() > request.cap {
                return Err(Kind::TooLarge(LARGEST).into());
            }
            reply.body.extend_from_slice(&chunk);
        }
        Ok(reply)
    }

    fn prepare(
        &self,
        server: &Url,
        request: &Request,
        token: Option<&Secret>,
    ) -> Result<RequestBuilder, Kind> {
        let url = format!("{server}{}", request.path);
        let mut call = self.client.request(request.method.clone(), url);
        if request.method == Method::POST {
            let form = form(&request.parameters);
            let bytes = form.len() as u64;
            if bytes > FORM.get() {
                return Err(Kind::FormTooLarge { bytes, limit: FORM });
            }
            call = call.header(CONTENT_TYPE, FORM_TYPE).body(form);
        } else {
            call = call.query(&request.parameters);
        }
        if let Some((name, value)) = &request.header {
            call = call.header(*name, value);
        }
        if let Some(token) = token {
            call = call.bearer_auth(token.expose());
        }
        Ok(call)
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        let kind = if error.is_timeout() {
            Kind::Silent(self.deadline)
        } else {
            Kind::Unreachable(innermost(error))
        };
        Failure {
            kind,
            is_away: true,
            is_unsent: error.is_connect(),
        }
    }
}

/// A call without a reply.
#[derive(Debug)]
struct Failure {
    kind: Kind,
    /// The server is, not the call.
    is_away: bool,
    /// The call never left.
    is_unsent: bool,
}

impl From<Kind> for Failure {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            is_away: false,
            is_unsent: false,
        }
    }
}

/// The innermost error says what happened; those around it only that it did.
fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// `http://a:8848,b:8848/nacos` as addresses that a path can be put behind.
fn servers(text: &str) -> Result<Vec<Url>, Kind> {
    let wrong = |one: &str| {
        Kind::Settings(format!(
            "`{one}` is no address; write `http://HOST:PORT`, several separated by commas"
        ))
    };
    let mut servers = Vec::new();
    for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        let scheme = if one.contains("://") { "" } else { "http://" };
        let mut url = Url::parse(&format!("{scheme}{one}")).map_err(|_| wrong(one))?;
        if !url.username().is_empty() || url.password().is_some() {
            // Not repeated: there may be a password in it.
            let message = "an address of Nacos has no user; set WEIR_NACOS_USERNAME instead";
            return Err(Kind::Settings(message.to_owned()));
        }
        let is_plain = url.has_host() && url.query().is_none();
        if !is_plain || !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(one));
        }
        if url.path() == "/" {
            url.set_path("/nacos/");
        } else if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        servers.push(url);
    }
    if servers.is_empty() {
        return Err(wrong(text));
    }
    Ok(servers)
}

/// A form with no more escapes than it needs: Nacos limits its encoded size, and text of other
/// scripts than Latin would take three times its bytes.
fn form(parameters: &[(&str, String)]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, value) in parameters {
        if !form.is_empty() {
            form.push(b'&');
        }
        form.extend_from_slice(name.as_bytes());
        form.push(b'=');
        for byte in value.bytes() {
            match byte {
                b'%' | b'&' | b'+' | b'=' | 0..=8 | 11..=31 | 127 => {
                    const HEX: &[u8; 16] = b"0123456789ABCDEF";
                    form.extend_from_slice(&[
                        b'%',
                        HEX[usize::from(byte >> 4)],
                        HEX[usize::from(byte & 15)],
                    ]);
                }
                b' ' => form.push(b'+'),
                _ => form.push(byte),
            }
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let of = |text| {
            let servers = servers(text).unwrap();
            servers.iter().map(Url::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of("http://a:8848"), ["http://a:8848/nacos/"]);
        assert_eq!(
            of("a:8848, https://b/config"),
            ["http://a:8848/nacos/", "https://b/config/"]
        );
        for wrong in ["", " , ", "ftp://a", "http://user:secret@a", "http://"] {
            assert!(matches!(servers(wrong), Err(Kind::Settings(_))), "{wrong}");
        }
    }

    #[test]
    fn a_form_escapes_only_what_it_must() {
        let form = form(&[("a", "x&y=1%2+ \r\n".to_owned()), ("b", "事件".to_owned())]);
        assert_eq!(
            String::from_utf8(form).unwrap(),
            "a=x%26y%3D1%252%2B+%0D\n&b=事件"
        );
    }
}
