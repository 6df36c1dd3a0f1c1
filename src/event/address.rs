//! The client's address, and how it is masked.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who sent the request; an IPv4-mapped IPv6 address is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientIp(IpAddr);

impl ClientIp {
    /// In its canonical form.
    pub fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// The address.
    pub fn get(self) -> IpAddr {
        self.0
    }

    /// Without the part that names a subscriber: IPv4 keeps 24 bits, IPv6 keeps 48.
    pub fn masked(self) -> Self {
        match self.0 {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self(IpAddr::V4(Ipv4Addr::new(a, b, c, 0)))
            }
            IpAddr::V6(v6) => {
                let [a, b, c, ..] = v6.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)))
            }
        }
    }

    /// What one subscriber has: an IPv4 address, or the /64 of an IPv6 address.
    pub fn subscriber(self) -> Self {
        match self.0 {
            IpAddr::V4(_) => self,
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
        }
    }
}

impl fmt::Display for ClientIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masking_keeps_the_network() {
        let ip = |text: &str| ClientIp::new(text.parse().unwrap());
        assert_eq!(ip("203.0.113.77").masked(), ip("203.0.113.0"));
        assert_eq!(ip("::ffff:203.0.113.77"), ip("203.0.113.77"));
        assert_eq!(ip("2001:db8:1:2:3:4:5:6").masked(), ip("2001:db8:1::"));
    }
}
