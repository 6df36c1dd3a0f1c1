//! The client's address: the connection's, or what trusted proxies say about it.
//!
//! Each proxy adds the address that it saw to the right, so the list is read from the right: the
//! first address that is not a trusted proxy's is the client's, and whatever stands left of it is
//! only a claim. An entry that cannot be read ends the walk, and the nearest hop that is known
//! counts. `X-Forwarded-For` and `Forwarded` must agree where both stand: a proxy that writes only
//! one of them lets through what a client wrote into the other.

mod forwarded;
mod proxy;

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::{IpNet, Ipv4Net};

use crate::event::ClientIp;

pub use proxy::{Error, source};

/// The networks of the proxies whose word is taken.
#[derive(Clone, Debug, Default)]
pub struct Trusted(Vec<IpNet>);

impl Trusted {
    /// Of the settings' networks; those that are IPv4 in IPv6 are taken as IPv4.
    pub fn new(networks: &[IpNet]) -> Self {
        Self(networks.iter().map(canonical).collect())
    }

    /// Whether the address is a trusted proxy's.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The address of the client behind `peer`, which is the connection's other end or what a PROXY
/// header said ([`source`]).
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &Trusted) -> ClientIp {
    let peer = peer.to_canonical();
    if !trusted.contains(peer) {
        return ClientIp::new(peer);
    }
    let walk = |hops: &mut dyn Iterator<Item = Option<IpAddr>>| walk(peer, hops, trusted);
    let by_list = forwarded::has_list(headers).then(|| walk(&mut forwarded::list(headers)));
    let by_standard =
        forwarded::has_standard(headers).then(|| walk(&mut forwarded::standard(headers)));
    ClientIp::new(match (by_list, by_standard) {
        (Some(one), Some(other)) if one != other => peer,
        (Some(found), _) | (None, Some(found)) => found,
        (None, None) => peer,
    })
}

/// Follows hops, nearest first, while they are trusted. `None` is a hop that cannot be read.
fn walk(peer: IpAddr, hops: &mut dyn Iterator<Item = Option<IpAddr>>, trusted: &Trusted) -> IpAddr {
    let mut known = peer;
    for hop in hops {
        let Some(hop) = hop else { break };
        known = hop;
        if !trusted.contains(hop) {
            break;
        }
    }
    known
}

fn canonical(network: &IpNet) -> IpNet {
    if let IpNet::V6(v6) = network
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Some(prefix) = v6.prefix_len().checked_sub(96)
        && let Ok(v4) = Ipv4Net::new(v4, prefix)
    {
        return v4.into();
    }
    *network
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    /// The client behind 10.0.0.1 as headers tell it; `10/8` and `fd00::/8` are trusted.
    fn behind(peer: &str, headers: &[(&str, &str)]) -> String {
        let networks: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8", "::ffff:192.168.0.0/112"]
            .map(|network| network.parse().unwrap())
            .to_vec();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(
                name,
                axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        client(peer.parse().unwrap(), &map, &Trusted::new(&networks)).to_string()
    }

    #[test]
    fn only_trusted_peers_are_believed() {
        let claim = [
            ("x-forwarded-for", "203.0.113.9"),
            ("forwarded", "for=203.0.113.9"),
        ];
        for header in claim {
            assert_eq!(behind("198.51.100.7", &[header]), "198.51.100.7");
            assert_eq!(behind("10.0.0.1", &[header]), "203.0.113.9");
            assert_eq!(behind("::ffff:10.0.0.1", &[header]), "203.0.113.9");
            assert_eq!(behind("192.168.3.4", &[header]), "203.0.113.9");
            assert_eq!(behind("192.169.3.4", &[header]), "192.169.3.4");
            assert_eq!(behind("fd00::1", &[header]), "203.0.113.9");
        }
        assert_eq!(behind("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(behind("::ffff:198.51.100.7", &[]), "198.51.100.7");
    }

    #[test]
    fn the_walk_goes_from_the_right_over_all_lines() {
        for (lines, expected) in [
            (&["1.1.1.1, 2.2.2.2"][..], "2.2.2.2"),
            (&["1.1.1.1, 2.2.2.2, 10.1.1.1"], "2.2.2.2"),
            (&["1.1.1.1, 2.2.2.2", "10.1.1.1,10.2.2.2"], "2.2.2.2"),
            (&["1.1.1.1", "2.2.2.2"], "2.2.2.2"),
            (&["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
            (&["2.2.2.2,, ", ""], "2.2.2.2"),
            (&[""], "10.0.0.1"),
        ] {
            let headers: Vec<_> = lines
                .iter()
                .map(|line| ("x-forwarded-for", *line))
                .collect();
            assert_eq!(behind("10.0.0.1", &headers), expected, "{lines:?}");
        }
    }

    #[test]
    fn addresses_are_read_in_every_form_and_with_ports() {
        for (entry, expected) in [
            ("203.0.113.9:4711", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
            ("\t203.0.113.9 ", "203.0.113.9"),
        ] {
            assert_eq!(
                behind("10.0.0.1", &[("x-forwarded-for", entry)]),
                expected,
                "{entry}"
            );
            let element = format!("By=10.0.0.2;FOR=\"{}\" ;proto=https", entry.trim());
            assert_eq!(
                behind("10.0.0.1", &[("forwarded", &element)]),
                expected,
                "{element}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_ends_the_walk_at_the_nearest_known_hop() {
        for entry in [
            "unknown",
            "_hidden",
            "-",
            "203.0.113",
            "203.0.113.9:port",
            "203.0.113.9:70000",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]x",
            "fe80::1%eth0",
            "01.2.3.4",
            "1.2.3.4/8",
            "\"1.2.3.4",
            "localhost",
            "é",
        ] {
            let list = format!("1.1.1.1, {entry}, 10.1.1.1");
            assert_eq!(
                behind("10.0.0.1", &[("x-forwarded-for", &list)]),
                expected_near(entry),
                "{list}"
            );
            let elements = format!(
                "for=1.1.1.1, for=\"{}\", for=10.1.1.1",
                entry.replace('"', "\\\"")
            );
            assert_eq!(
                behind("10.0.0.1", &[("forwarded", &elements)]),
                expected_near(entry),
                "{elements}"
            );
        }
        for (elements, expected) in [
            ("for=1.1.1.1, proto=http, for=10.1.1.1", "10.1.1.1"),
            ("for=1.1.1.1;for=2.2.2.2", "10.0.0.1"),
            ("for=1.1.1.1, for=\"2.2.2.2", "10.0.0.1"),
            ("for", "10.0.0.1"),
            ("for=_hidden, for=10.1.1.1", "10.1.1.1"),
            ("for=1.1.1.1, for=unknown", "10.0.0.1"),
            ("secret=\"a, for=6.6.6.6\", for=2.2.2.2", "2.2.2.2"),
            ("for=2.2.2.2;secret=\"\\\", for=6.6.6.6\"", "2.2.2.2"),
        ] {
            assert_eq!(
                behind("10.0.0.1", &[("forwarded", elements)]),
                expected,
                "{elements}"
            );
        }
    }

    /// A line that is not ASCII cannot be read at all.
    fn expected_near(entry: &str) -> &'static str {
        if entry.is_ascii() {
            "10.1.1.1"
        } else {
            "10.0.0.1"
        }
    }

    #[test]
    fn a_header_that_the_proxy_did_not_write_cannot_choose_the_address() {
        let list = ("x-forwarded-for", "203.0.113.9");
        assert_eq!(
            behind("10.0.0.1", &[list, ("forwarded", "for=203.0.113.9")]),
            "203.0.113.9"
        );
        assert_eq!(
            behind("10.0.0.1", &[list, ("forwarded", "for=6.6.6.6")]),
            "10.0.0.1"
        );
    }
}
