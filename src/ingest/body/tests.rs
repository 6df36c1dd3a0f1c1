//! Bodies that come in pieces, late, never, or too large; what they hold of the budget.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_ENCODING, EXPECT};
use http_body::{Frame, SizeHint};

use prometheus_client::metrics::gauge::Gauge;

use super::*;

/// A body that gives its pieces, then ends, fails, or stays silent for ever.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    end: End,
    announced: Option<u64>,
    polled: usize,
}

enum End {
    Sound,
    Silence,
    Failure(io::ErrorKind),
}

fn pieces(pieces: &[&[u8]], end: End) -> Pieces {
    Pieces {
        pieces: pieces.iter().map(|piece| piece.to_vec()).collect(),
        end,
        announced: None,
        polled: 0,
    }
}

impl Pieces {
    fn announcing(mut self, size: u64) -> Self {
        self.announced = Some(size);
        self
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        this.polled += 1;
        if let Some(piece) = this.pieces.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
        }
        match this.end {
            End::Sound => Poll::Ready(None),
            End::Silence => Poll::Pending,
            End::Failure(kind) => Poll::Ready(Some(Err(kind.into()))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.announced
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

const LIMITS: Limits = Limits {
    wire: 1000,
    decoded: 5000,
    ratio: 100,
};

fn reader() -> Reader {
    Reader::new(
        Budget::new(1 << 20, Gauge::default()),
        Duration::from_millis(20),
        Pool::default(),
    )
}

fn coded(coding: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))])
}

async fn read(mut body: Pieces) -> Result<Received, Error> {
    reader().read(&mut body, &HeaderMap::new(), LIMITS).await
}

#[tokio::test]
async fn bodies_in_any_pieces_come_out_as_one_with_spare_room() {
    for cut in [
        &[&b"{\"a\":1}\n"[..]][..],
        &[b"{\"a\"", b":1}\n"],
        &[b"", b"{", b"", b"\"a\":1}\n", b""],
    ] {
        for announced in [None, Some(8)] {
            let mut body = pieces(cut, End::Sound);
            body.announced = announced;
            let received = read(body).await.unwrap();
            assert_eq!(received.bytes, b"{\"a\":1}\n");
            assert_eq!(received.wire, 8);
            assert!(received.bytes.capacity() >= 8 + SPARE);
            assert_eq!(received.permit.held(), received.bytes.capacity());
        }
    }
    assert_eq!(read(pieces(&[], End::Sound)).await.unwrap().bytes, b"");
}

#[tokio::test]
async fn packed_bodies_are_unpacked_and_paid_for_until_the_permit_goes() {
    let content = b"{\"event\":\"page_view\"}\n".repeat(100);
    let wire = zstd::bulk::compress(&content, 3).unwrap();
    let reader = reader();
    let (head, tail) = wire.split_at(wire.len() / 2);
    for cut in [&[&wire[..]][..], &[head, tail]] {
        let mut body = pieces(cut, End::Sound);
        let received = reader
            .read(&mut body, &coded("zstd"), LIMITS)
            .await
            .unwrap();
        assert_eq!(received.bytes, content);
        assert_eq!(received.wire, wire.len());
        assert_eq!(reader.budget.used(), received.bytes.capacity());
        drop(received);
        assert_eq!(reader.budget.used(), 0);
    }
}

#[tokio::test]
async fn too_much_is_refused_before_or_while_it_is_read() {
    let refused = read(pieces(&[&[b' '; 10]], End::Sound).announcing(1001)).await;
    assert!(
        matches!(refused, Err(Error::Wire { limit: 1000 })),
        "{refused:?}"
    );
    let refused = read(pieces(&[&[b' '; 600], &[b' '; 600]], End::Silence)).await;
    assert!(
        matches!(refused, Err(Error::Wire { limit: 1000 })),
        "{refused:?}"
    );
    let limits = Limits {
        decoded: 9,
        ..LIMITS
    };
    let refused = reader()
        .read(
            &mut pieces(&[&[b' '; 10]], End::Sound),
            &HeaderMap::new(),
            limits,
        )
        .await;
    assert!(
        matches!(refused, Err(Error::Decoded { limit: 9 })),
        "{refused:?}"
    );
    assert_eq!(
        read(pieces(&[&[b' '; 1000]], End::Sound).announcing(1000))
            .await
            .unwrap()
            .wire,
        1000
    );
}

#[tokio::test]
async fn a_body_that_cannot_be_taken_is_not_polled() {
    let reader = Reader::new(
        Budget::new(500, Gauge::default()),
        Duration::from_millis(20),
        Pool::default(),
    );
    let cases = [
        (HeaderMap::new(), Some(1001)),
        (HeaderMap::new(), Some(501)),
        (coded("compress"), None),
        (coded("gzip, br"), None),
    ];
    for (headers, announced) in cases {
        let mut body = pieces(&[b"x"], End::Sound);
        body.announced = announced;
        let refused = reader.read(&mut body, &headers, LIMITS).await;
        assert!(refused.is_err());
        assert_eq!(body.polled, 0, "{refused:?}");
    }
}

#[tokio::test]
async fn a_full_budget_refuses_and_loses_nothing() {
    let reader = Reader::new(
        Budget::new(500, Gauge::default()),
        Duration::from_millis(20),
        Pool::default(),
    );
    for body in [
        pieces(&[&[b' '; 400], &[b' '; 200]], End::Sound),
        pieces(&[], End::Sound).announcing(501),
    ] {
        let mut body = body;
        let refused = reader.read(&mut body, &HeaderMap::new(), LIMITS).await;
        assert!(
            matches!(refused, Err(Error::Overloaded(Full { limit: 500, .. }))),
            "{refused:?}"
        );
        assert_eq!(reader.budget.used(), 0);
    }
}

#[tokio::test]
async fn slow_broken_and_vanished_bodies_are_told_apart() {
    let slow = read(pieces(&[b"{}"], End::Silence)).await;
    assert!(matches!(slow, Err(Error::Slow(_))), "{slow:?}");
    let malformed = read(pieces(&[b"{}"], End::Failure(io::ErrorKind::InvalidInput))).await;
    assert!(
        matches!(malformed, Err(Error::Malformed(_))),
        "{malformed:?}"
    );
    let gone = read(pieces(&[b"{}"], End::Failure(io::ErrorKind::UnexpectedEof))).await;
    assert!(matches!(gone, Err(Error::Gone(Some(_)))), "{gone:?}");
    let short = read(pieces(&[b"{}"], End::Sound).announcing(3)).await;
    assert!(matches!(short, Err(Error::Gone(None))), "{short:?}");
}

#[tokio::test]
async fn an_unwanted_body_is_read_up_to_a_bound_unless_the_client_waits_to_be_told() {
    let many = vec![&[b' '; 65536][..]; 100];
    let mut body = pieces(&many, End::Sound);
    discard(&mut body, &HeaderMap::new()).await;
    assert_eq!(body.polled, 4);
    let mut short = pieces(&[b"x"], End::Failure(io::ErrorKind::UnexpectedEof));
    discard(&mut short, &HeaderMap::new()).await;
    let expects = HeaderMap::from_iter([(EXPECT, HeaderValue::from_static("100-Continue"))]);
    let mut waiting = pieces(&many, End::Sound);
    discard(&mut waiting, &expects).await;
    assert_eq!(waiting.polled, 0);
}
