//! PROXY protocol v2: a balancer of TCP writes who it speaks for, before anything else.
//!
//! 12 bytes of signature, version and command, family, length of the rest, addresses, extras. Just
//! these bytes are taken from the connection; what follows is HTTP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ppp::v2::{Addresses, Command, Header, PROTOCOL_PREFIX};
use tokio::net::TcpStream;

use crate::ingest::address::Trusted;

/// Signature, version and command, family, length.
const FIXED: usize = 16;
/// Addresses and extras that any balancer writes are far below.
const MOST: usize = 4096;

/// Why a connection does not begin as it must: it is closed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something else came first.
    #[error(
        "the connection does not begin with a PROXY protocol v2 header: \
         let the balancer send one, or turn `proxy_protocol` off"
    )]
    Missing,
    /// It is not sound.
    #[error("the PROXY protocol header is not sound: {0}")]
    Malformed(String),
    /// It did not arrive in time.
    #[error("the PROXY protocol header did not arrive within {} s", .0.as_secs_f32())]
    Slow(Duration),
    /// The connection broke.
    #[error("read the PROXY protocol header")]
    Io(#[from] io::Error),
}

/// Who a new connection speaks for. A peer that is not trusted speaks for itself, and is not asked;
/// so does a balancer that checks our health (`LOCAL`) or does not say an IP address.
pub async fn source(
    stream: &TcpStream,
    peer: SocketAddr,
    trusted: &Trusted,
    deadline: Duration,
) -> Result<SocketAddr, Error> {
    if !trusted.contains(peer.ip()) {
        return Ok(peer);
    }
    let header = tokio::time::timeout(deadline, read(stream)).await;
    let header = header.map_err(|_| Error::Slow(deadline))??;
    let header = Header::try_from(&*header).map_err(|error| Error::Malformed(error.to_string()))?;
    Ok(match (header.command, header.addresses) {
        (Command::Proxy, Addresses::IPv4(v4)) => (v4.source_address, v4.source_port).into(),
        (Command::Proxy, Addresses::IPv6(v6)) => (v6.source_address, v6.source_port).into(),
        (Command::Proxy, Addresses::Unspecified | Addresses::Unix(_)) | (Command::Local, _) => peer,
    })
}

async fn read(stream: &TcpStream) -> Result<Vec<u8>, Error> {
    let mut header = vec![0; FIXED];
    // What is no header shall not be waited for to its end.
    let signature = PROTOCOL_PREFIX.len();
    read_exact(stream, &mut header[..signature]).await?;
    if &header[..signature] != PROTOCOL_PREFIX {
        return Err(Error::Missing);
    }
    read_exact(stream, &mut header[signature..]).await?;
    let length = usize::from(u16::from_be_bytes([header[FIXED - 2], header[FIXED - 1]]));
    if length > MOST {
        return Err(Error::Malformed(format!(
            "{length} bytes, more than {MOST}"
        )));
    }
    header.resize(FIXED + length, 0);
    read_exact(stream, &mut header[FIXED..]).await?;
    Ok(header)
}

async fn read_exact(stream: &TcpStream, mut wanted: &mut [u8]) -> io::Result<()> {
    while !wanted.is_empty() {
        stream.readable().await?;
        match stream.try_read(wanted) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => wanted = &mut wanted[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::IpAddr;

    use tokio::net::TcpListener;

    use super::*;

    const DEADLINE: Duration = Duration::from_millis(50);

    /// A connection over which that much has been sent, and what is made of it.
    async fn given(
        sent: &[u8],
        close: bool,
        trusted: &str,
    ) -> (Result<SocketAddr, Error>, TcpStream, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut sender = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        sender.write_all(sent).unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let kept = (!close).then_some(sender);
        let trusted = Trusted::new(&[trusted.parse().unwrap()]);
        let result = source(&stream, peer, &trusted, DEADLINE).await;
        drop(kept);
        (result, stream, peer)
    }

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [PROTOCOL_PREFIX, &[0x20 | command, family], &length, rest].concat()
    }

    fn v4() -> Vec<u8> {
        [
            &[203, 0, 113, 9, 10, 0, 0, 1, 0x12, 0x34, 0, 80][..],
            &[4, 0, 3, 1, 2, 3],
        ]
        .concat()
    }

    #[tokio::test]
    async fn the_source_is_taken_and_nothing_behind_the_header() {
        let sent = [header(1, 0x11, &v4()), b"GET".to_vec()].concat();
        let (result, stream, _) = given(&sent, false, "127.0.0.0/8").await;
        assert_eq!(result.unwrap(), "203.0.113.9:4660".parse().unwrap());
        let mut rest = [0; 3];
        read_exact(&stream, &mut rest).await.unwrap();
        assert_eq!(&rest, b"GET");

        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        let IpAddr::V6(source) = v6 else {
            unreachable!()
        };
        let rest = [&source.octets()[..], &[0; 16], &[1, 0, 0, 80]].concat();
        let (result, ..) = given(&header(1, 0x21, &rest), false, "127.0.0.0/8").await;
        assert_eq!(result.unwrap(), SocketAddr::new(v6, 256));
    }

    #[tokio::test]
    async fn a_peer_that_is_not_trusted_is_not_asked() {
        let (result, stream, peer) = given(&header(1, 0x11, &v4()), false, "10.0.0.0/8").await;
        assert_eq!(result.unwrap(), peer);
        let mut first = [0; 2];
        read_exact(&stream, &mut first).await.unwrap();
        assert_eq!(&first, b"\r\n");
    }

    #[tokio::test]
    async fn local_and_addressless_headers_keep_the_peer() {
        for sent in [
            header(0, 0x00, &[]),
            header(0, 0x11, &v4()),
            header(1, 0x00, &[]),
            header(1, 0x31, &[0; 216]),
        ] {
            let (result, _, peer) = given(&sent, false, "127.0.0.0/8").await;
            assert_eq!(result.unwrap(), peer);
        }
    }

    #[tokio::test]
    async fn anything_else_closes_the_connection() {
        type Case = (Vec<u8>, bool, fn(&Error) -> bool);
        let cases: [Case; 8] = [
            (b"POST /log/repo/x HTTP/1.1\r\n".to_vec(), false, |error| {
                matches!(error, Error::Missing)
            }),
            (
                b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(),
                false,
                |error| matches!(error, Error::Missing),
            ),
            (header(1, 0x11, &v4())[..20].to_vec(), false, |error| {
                matches!(error, Error::Slow(_))
            }),
            (Vec::new(), false, |error| matches!(error, Error::Slow(_))),
            (header(1, 0x11, &v4())[..20].to_vec(), true, |error| {
                matches!(error, Error::Io(_))
            }),
            (header(1, 0x11, &[1, 2, 3]), false, |error| {
                matches!(error, Error::Malformed(_))
            }),
            (header(7, 0x11, &v4()), false, |error| {
                matches!(error, Error::Malformed(_))
            }),
            (header(1, 0x11, &[0; 5000]), false, |error| {
                matches!(error, Error::Malformed(_))
            }),
        ];
        for (sent, close, expected) in cases {
            let (result, ..) = given(&sent, close, "127.0.0.0/8").await;
            let error = result.unwrap_err();
            assert!(expected(&error), "{error}");
        }
    }
}
