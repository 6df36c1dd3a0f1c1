//! Reading a request's body: received, unpacked and paid for, within limits.
//!
//! Every limit holds before memory is spent: the announced length is checked and charged to the
//! budget before the first byte is read, and an unpacker never gets more room than the limits
//! allow. What comes out is one buffer with spare room, for what the stages will add.

mod budget;
mod coding;
#[cfg(test)]
mod tests;
mod unpack;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;
use http_body::Body;

use crate::event::Pool;

pub use budget::{Budget, Full, Permit};
pub use coding::Coding;
pub use unpack::Unpackers;

/// What is still read of a body that nobody wants, so that the client gets to see the answer.
pub(super) const DISCARD_BYTES: usize = 256 * 1024;
/// For how long.
pub(super) const DISCARD_TIME: Duration = Duration::from_secs(1);
/// The least spare room behind a body.
const SPARE: usize = 4096;

/// An error of the transport, whatever its type.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a body may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes as sent.
    pub wire: usize,
    /// Bytes unpacked.
    pub decoded: usize,
    /// How many times its own size a body may unpack to.
    pub ratio: usize,
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 415
    #[error(
        "content-encoding `{0}` is not supported: send one of gzip, deflate, br, zstd, or identity"
    )]
    Coding(String),
    /// 413
    #[error("the body is larger than {limit} bytes as sent: send fewer events in one request")]
    Wire {
        /// The limit.
        limit: usize,
    },
    /// 413
    #[error("the body unpacks to more than {limit} bytes: send fewer events in one request")]
    Decoded {
        /// The limit.
        limit: usize,
    },
    /// 413
    #[error("the body unpacks to more than {limit} times its size: send it with less compression")]
    Ratio {
        /// The limit.
        limit: usize,
    },
    /// 400
    #[error("the body is not whole, sound {0}: check that it is packed once, and sent to its end")]
    Corrupt(Coding),
    /// 400
    #[error("the body breaks the rules of HTTP: check the chunks, or the proxy between")]
    Malformed(#[source] Cause),
    /// 408
    #[error("the body did not arrive within {} s: send it again", .0.as_secs_f32())]
    Slow(Duration),
    /// 503; nothing was taken.
    #[error("too many bytes in flight: send it again later")]
    Overloaded(#[from] Full),
    /// Nobody is left to be answered.
    #[error("the client went away before the end of its body")]
    Gone(#[source] Option<Cause>),
}

/// A body, read and unpacked.
#[derive(Debug)]
pub struct Received {
    /// The decoded bytes, with spare capacity behind them.
    pub bytes: Vec<u8>,
    /// The size as sent.
    pub wire: usize,
    /// What the body holds of the budget: kept for as long as the request has its buffers.
    pub permit: Permit,
}

/// Reads bodies. One for the process.
#[derive(Debug)]
pub struct Reader {
    budget: Budget,
    unpackers: Unpackers,
    deadline: Duration,
    pool: Pool,
}

impl Reader {
    /// With the budget for all bodies in flight, the time that one may take to arrive, and buffers.
    pub fn new(budget: Budget, deadline: Duration, pool: Pool) -> Self {
        Self {
            budget,
            unpackers: Unpackers::default(),
            deadline,
            pool,
        }
    }

    /// Reads and unpacks a body. It is polled only if its headers promise that it can be taken: a
    /// client that waits for `100 Continue` is told to go on by the first poll.
    pub async fn read<B>(
        &self,
        body: &mut B,
        headers: &HeaderMap,
        limits: Limits,
    ) -> Result<Received, Error>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Cause>,
    {
        let coding = Coding::of(headers)?;
        let announced = announced(body, coding, limits)?;
        let mut permit = self.budget.permit();
        permit.grow_to(announced)?;
        let gathering =
            Gathered::new(&self.pool).gather(body, coding, announced, limits, &mut permit);
        let gathered = tokio::time::timeout(self.deadline, gathering)
            .await
            .map_err(|_| Error::Slow(self.deadline))??;
        let wire = gathered.len();
        let bytes = match coding {
            None => gathered.into_vec(),
            Some(coding) => {
                self.unpackers
                    .unpack(coding, gathered.as_slice(), limits, &mut permit)?
            }
        };
        // A buffer that served a larger body before is larger than this one needs.
        let needed = 2 * (bytes.len() + spare(bytes.len()));
        permit.resize(bytes.capacity().min(needed));
        Ok(Received {
            bytes,
            wire,
            permit,
        })
    }
}

/// Reads on for a while, so that a client that is still sending sees its answer and not a reset.
/// A client that waits for `100 Continue` is not read from: its answer is its final status.
pub async fn discard<B>(body: &mut B, headers: &HeaderMap)
where
    B: Body<Data = Bytes> + Unpin,
{
    let waits = headers
        .get(axum::http::header::EXPECT)
        .is_some_and(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if waits {
        return;
    }
    let reading = async {
        let mut left = DISCARD_BYTES;
        while let Some(Ok(data)) = data(body).await {
            left = match left.checked_sub(data.len()) {
                None | Some(0) => break,
                Some(left) => left,
            };
        }
    };
    // Whether it ended or the second is over makes no difference.
    tokio::time::timeout(DISCARD_TIME, reading)
        .await
        .unwrap_or_default();
}

/// The size that the headers announce; 0 if they do not.
fn announced<B: Body>(body: &B, coding: Option<Coding>, limits: Limits) -> Result<usize, Error> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    check_wire(announced, coding, limits)?;
    Ok(announced)
}

fn check_wire(size: usize, coding: Option<Coding>, limits: Limits) -> Result<(), Error> {
    if size > limits.wire {
        return Err(Error::Wire { limit: limits.wire });
    }
    if coding.is_none() && size > limits.decoded {
        return Err(Error::Decoded {
            limit: limits.decoded,
        });
    }
    Ok(())
}

/// The next data; trailers are passed over.
async fn data<B>(body: &mut B) -> Option<Result<Bytes, B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await? {
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Some(Ok(data));
                }
            }
            Err(error) => return Some(Err(error)),
        }
    }
}

/// A body as received. One that came in one piece is not copied before it must be.
#[derive(Debug)]
struct Gathered<'p> {
    first: Bytes,
    all: Vec<u8>,
    pool: &'p Pool,
}

impl<'p> Gathered<'p> {
    fn new(pool: &'p Pool) -> Self {
        Self {
            first: Bytes::new(),
            all: Vec::new(),
            pool,
        }
    }

    async fn gather<B>(
        mut self,
        body: &mut B,
        coding: Option<Coding>,
        announced: usize,
        limits: Limits,
        permit: &mut Permit,
    ) -> Result<Self, Error>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Cause>,
    {
        while let Some(data) = data(body).await {
            let data = data.map_err(|error| broken(error.into()))?;
            let size = self.len() + data.len();
            check_wire(size, coding, limits)?;
            permit.grow_to(size)?;
            self.push(data, announced);
        }
        if self.len() < announced {
            return Err(Error::Gone(None));
        }
        Ok(self)
    }

    fn push(&mut self, data: Bytes, announced: usize) {
        if self.len() == 0 {
            self.first = data;
            return;
        }
        if self.all.is_empty() {
            let size = announced.max(self.first.len() + data.len());
            self.all = self.pool.text(size + spare(size));
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(&data);
    }

    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn as_slice(&self) -> &[u8] {
        if self.all.is_empty() {
            &self.first
        } else {
            &self.all
        }
    }

    fn into_vec(mut self) -> Vec<u8> {
        let size = self.len();
        if self.all.is_empty() {
            self.all = self.pool.text(size + spare(size));
            self.all.extend_from_slice(&self.first);
        } else if self.all.capacity() - size < spare(size) {
            self.all.reserve_exact(spare(size));
        }
        self.all
    }
}

/// Room for what the stages add: a quarter, but at least a page.
fn spare(size: usize) -> usize {
    (size / 4).max(SPARE)
}

/// Broken rules are the client's fault; everything else means that it is gone.
fn broken(cause: Cause) -> Error {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(cause.as_ref());
    while let Some(error) = next {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(
            kind,
            Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        ) {
            return Error::Malformed(cause);
        }
        next = error.source();
    }
    Error::Gone(Some(cause))
}
