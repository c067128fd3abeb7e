//! Where a call comes from: its source, what it was made with, and the id that it has in the log.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

use super::Invalid;
use super::rate_limit::Standings;

/// Where a call comes from, as the record keeps it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The address that called.
    pub source: Source,
    /// What the caller says it is, where it says so.
    pub user_agent: Option<UserAgent>,
    /// The call's id in answer and log: 1 to 64 letters, digits, `.`, `_` and `-`.
    pub request_id: String,
    /// What the answer is to tell of the limits that the call met.
    pub standings: Standings,
}

/// An address that calls come from. An IPv4 address that came in IPv6's clothes (RFC 4291, section 2.5.5.2) is taken out
/// of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// Calls from `address`.
    #[must_use]
    pub const fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// Whether it is this machine.
    #[must_use]
    pub const fn is_loopback(self) -> bool {
        self.0.is_loopback()
    }

    /// Whether it is this machine or in a network that is not the internet's (RFC 1918, 3927, 4193, 4291, 6598): where
    /// proxies call from.
    #[must_use]
    pub fn is_private(self) -> bool {
        match self.0 {
            IpAddr::V4(address) => {
                let is_shared = address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64;
                address.is_loopback() || address.is_private() || address.is_link_local() || is_shared
            }
            IpAddr::V6(address) => {
                address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
            }
        }
    }

    /// Whom to count calls against: an IPv4 address, or the /64 of an IPv6 address, which is what one subscriber has.
    #[must_use]
    pub fn network(self) -> Self {
        match self.0 {
            IpAddr::V4(_) => self,
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a caller says it is: the `User-Agent` header (RFC 9110, section 10.1.5), on one line and at most 255 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAgent(String);

impl UserAgent {
    /// The longest that is kept, in characters.
    pub const MAX_LENGTH: usize = 255;

    /// What `header` says; whatever is no text becomes `U+FFFD`, and what is too long is cut.
    #[must_use]
    pub fn from_header(header: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(header);
        let on_one_line = text.trim().chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
        let kept: String = on_one_line.take(Self::MAX_LENGTH).collect();
        (!kept.is_empty()).then_some(Self(kept))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Networks whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Where a call comes from that `peer` hands on: the rightmost hop that is not one of ours. Whoever is not trusted
    /// may say what it likes; so may whoever stands to the left of that hop.
    #[must_use]
    pub fn source<'a>(&self, peer: IpAddr, forwarded_for: impl DoubleEndedIterator<Item = &'a str>) -> Source {
        let mut source = Source::new(peer);
        let hops = forwarded_for.rev().flat_map(|line| line.rsplit(','));
        for hop in hops {
            if !self.include(source) {
                break;
            }
            // A proxy of ours that writes nonsense is as far as we can see.
            let Some(hop) = address(hop) else { break };
            source = Source::new(hop);
        }
        source
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether that is one of them.
    #[must_use]
    pub fn include(&self, source: Source) -> bool {
        self.0.iter().any(|network| network.contains(&source.0))
    }
}

impl FromIterator<TrustedNetwork> for TrustedProxies {
    fn from_iter<T: IntoIterator<Item = TrustedNetwork>>(networks: T) -> Self {
        Self(networks.into_iter().map(|network| network.0).collect())
    }
}

/// A network in CIDR notation, such as `10.0.0.0/8` or `fd00::/8`; an address alone is a network of one.
#[derive(Clone, Copy, Debug)]
pub struct TrustedNetwork(IpNet);

impl FromStr for TrustedNetwork {
    type Err = Invalid;

    fn from_str(raw: &str) -> Result<Self, Invalid> {
        let network = raw.parse::<IpNet>().or_else(|_| raw.parse::<IpAddr>().map(IpNet::from));
        network.map(Self).map_err(|_| Invalid::because("must be a network such as 10.0.0.0/8 or fd00::/8"))
    }
}

/// The address of a hop, which may carry a port.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = || hop.trim_start_matches('[').trim_end_matches(']').parse().ok();
    hop.parse::<SocketAddr>().map(|address| address.ip()).ok().or_else(bare)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(trusted: &[&str], peer: &str, forwarded_for: &[&str]) -> String {
        let trusted: TrustedProxies = trusted.iter().map(|network| network.parse().unwrap()).collect();
        trusted.source(peer.parse().unwrap(), forwarded_for.iter().copied()).to_string()
    }

    #[test]
    fn only_a_trusted_peer_is_believed() {
        assert_eq!(source(&[], "198.51.100.7", &["203.0.113.9"]), "198.51.100.7");
        assert_eq!(source(&["10.0.0.0/8"], "198.51.100.7", &["203.0.113.9"]), "198.51.100.7");
        assert_eq!(source(&["10.0.0.0/8"], "10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(source(&["10.0.0.0/8"], "10.1.2.3", &[]), "10.1.2.3");
    }

    #[test]
    fn the_rightmost_hop_that_is_not_ours_counts() {
        let ours = ["10.0.0.0/8", "fd00::/8"];
        assert_eq!(source(&ours, "10.0.0.1", &["6.6.6.6, 203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(source(&ours, "10.0.0.1", &["6.6.6.6", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(source(&ours, "10.0.0.1", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(source(&ours, "fd00::1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(source(&ours, "10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(source(&ours, "::ffff:10.0.0.1", &["10.0.0.3"]), "10.0.0.3");
    }

    #[test]
    fn a_subscriber_is_an_ipv4_address_or_an_ipv6_network() {
        let network = |address: &str| Source::new(address.parse().unwrap()).network().to_string();
        assert_eq!(network("203.0.113.9"), "203.0.113.9");
        assert_eq!(network("::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }

    #[test]
    fn proxies_call_from_networks_that_are_not_the_internets() {
        let is_private = |address: &&str| Source::new(address.parse().unwrap()).is_private();
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
        ];
        assert!(private.iter().all(is_private));
        let public = ["198.51.100.7", "172.32.0.1", "100.128.0.1", "2001:db8::1", "::"];
        assert!(!public.iter().any(is_private));
    }

    #[test]
    fn networks_are_networks() {
        for good in ["10.0.0.0/8", "192.0.2.1", "fd00::/8", "::1"] {
            assert!(good.parse::<TrustedNetwork>().is_ok(), "{good}");
        }
        for bad in ["", "10.0.0.0/33", "localhost", "10.0.0"] {
            assert!(bad.parse::<TrustedNetwork>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_a_source_of_a_stranger(lines in proptest::collection::vec("\\PC{0,60}", 0..4)) {
            let trusted = TrustedProxies::default();
            let peer: IpAddr = "198.51.100.7".parse().unwrap();
            prop_assert_eq!(trusted.source(peer, lines.iter().map(String::as_str)), Source::new(peer));
        }

        #[test]
        fn nothing_that_a_caller_writes_hides_what_our_proxy_adds(
            lines in proptest::collection::vec("\\PC{0,60}|([0-9]{1,3}[.,:/ ]){1,12}", 0..4),
        ) {
            let trusted: TrustedProxies = std::iter::once("10.0.0.0/8".parse().unwrap()).collect();
            let added = lines.iter().map(String::as_str).chain(["203.0.113.9"]);
            let source = trusted.source("10.0.0.1".parse().unwrap(), added.collect::<Vec<_>>().into_iter());
            prop_assert_eq!(source.to_string(), "203.0.113.9");
        }

        #[test]
        fn a_user_agent_is_one_line_of_bounded_length(header in any::<Vec<u8>>()) {
            if let Some(agent) = UserAgent::from_header(&header) {
                prop_assert!(!agent.as_str().chars().any(char::is_control));
                prop_assert!((1..=UserAgent::MAX_LENGTH).contains(&agent.as_str().chars().count()));
            }
        }
    }
}
