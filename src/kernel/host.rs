//! The host that a URL or a request names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::Invalid;

/// A host without its port: a name, or an IP address.
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    /// A name; its letters in whatever case, without a dot at its end.
    Name(&'a str),
    /// An address; an IPv4 address that was written as an IPv6 one (RFC 4291, section 2.5.5.2) is an IPv4 address.
    Address(IpAddr),
}

impl<'a> Host<'a> {
    /// The longest that is read, in bytes: a name has 253 at most (RFC 1035).
    const MAX_LENGTH: usize = 255;

    /// Reads the value of a `Host` header (RFC 9110, section 7.2), with or without a port. `None` where it is none.
    ///
    /// Only the usual form of an IPv4 address is an address here: a browser writes it so whatever was typed.
    #[must_use]
    pub fn parse(header: &'a str) -> Option<Self> {
        let (host, port) = match header.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                (Self::Address(address.parse::<Ipv6Addr>().ok()?.to_canonical()), port)
            }
            None => {
                let (host, port) = header.split_at(header.find(':').unwrap_or(header.len()));
                (Self::name_or_address(host)?, port)
            }
        };
        is_port(port).then_some(host)
    }

    fn name_or_address(host: &'a str) -> Option<Self> {
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let is_name = (1..=Self::MAX_LENGTH).contains(&name.len()) && name.bytes().all(is_good);
        is_name.then_some(Self::Name(name))
    }

    /// Whether it is this machine under a name or address that no other machine can have: `localhost`, `127.0.0.0/8`,
    /// `[::1]`.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        match self {
            Self::Name(name) => name.eq_ignore_ascii_case("localhost"),
            Self::Address(address) => address.is_loopback(),
        }
    }
}

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => one.eq_ignore_ascii_case(other),
            (Self::Address(one), Self::Address(other)) => one == other,
            _ => false,
        }
    }
}

/// A host that the operator lists, or any host at all (`*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHost {
    /// Every host.
    Any,
    /// This one, under each of its ports.
    This(String),
}

impl AllowedHost {
    /// Whether `host` is meant.
    #[must_use]
    pub fn includes(&self, host: Host<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::This(listed) => Host::parse(listed) == Some(host),
        }
    }
}

impl FromStr for AllowedHost {
    type Err = Invalid;

    fn from_str(raw: &str) -> Result<Self, Invalid> {
        let host = raw.trim();
        let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
        match host {
            "*" => Ok(Self::Any),
            _ if !has_port && Host::parse(host).is_some() => Ok(Self::This(host.to_owned())),
            _ => Err(Invalid::because("must be a host such as auth.example.com without a port, or * for any")),
        }
    }
}

/// Whether this is nothing, or a colon and a port; the port may be empty (RFC 3986, section 3.2.3).
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else { return text.is_empty() };
    port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        for (header, host) in [
            ("auth.example.com", Host::Name("auth.example.com")),
            ("AUTH.example.COM:443", Host::Name("auth.example.com")),
            ("auth.example.com.:8020", Host::Name("auth.example.com")),
            ("accounts_1:", Host::Name("accounts_1")),
            ("192.0.2.7:8020", Host::Address([192, 0, 2, 7].into())),
            ("[2001:db8::7]", Host::Address("2001:db8::7".parse().unwrap())),
            ("[::ffff:127.0.0.1]:8020", Host::Address([127, 0, 0, 1].into())),
        ] {
            assert_eq!(Host::parse(header), Some(host), "{header}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let too_long = "a".repeat(256);
        for bad in [
            "",
            ".",
            ":8020",
            "a b",
            "a/b",
            "user@localhost",
            "localhost:http",
            "localhost:+80",
            "localhost:65536",
            "localhost:1:2",
            "::1",
            "[::1",
            "[::1]x",
            "[localhost]",
            "[fe80::1%25eth0]",
            "a,b",
            "bücher.example",
            &too_long,
        ] {
            assert_eq!(Host::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_operator_lists_hosts_without_ports_or_all_of_them() {
        let listed: AllowedHost = " Auth.example.com".parse().unwrap();
        assert!(listed.includes(Host::parse("auth.example.com:8020").unwrap()));
        assert!(!listed.includes(Host::parse("example.com").unwrap()));
        assert_eq!("*".parse(), Ok(AllowedHost::Any));
        for bad in ["", "auth.example.com:443", "*.example.com", "https://auth.example.com", "[::1]:1", "a b"] {
            assert!(bad.parse::<AllowedHost>().is_err(), "{bad}");
        }
    }

    #[test]
    fn loopback_is_what_no_other_machine_can_be() {
        for loopback in ["localhost", "LocalHost:8020", "localhost.", "127.0.0.1", "127.8.9.10:1", "[::1]:8020"] {
            assert!(Host::parse(loopback).unwrap().is_loopback(), "{loopback}");
        }
        for other in [
            "localhost.example.com",
            "example.localhost",
            "127.0.0.1.example.com",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0.0.0.0",
            "[::]",
            "128.0.0.1",
            "10.0.0.1",
            "[::2]",
            "local",
        ] {
            assert!(!Host::parse(other).unwrap().is_loopback(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_for_a_host_is_written_in_the_characters_of_one(
            header in "\\PC{0,40}|[a-z0-9.:\\[\\]_-]{0,30}|(localhost|127\\.0\\.0\\.1|\\[::1\\])[:.a-z0-9@/]{0,8}",
        ) {
            if let Some(host) = Host::parse(&header) {
                prop_assert!(header.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte)));
                let upper = header.to_ascii_uppercase();
                prop_assert_eq!(Host::parse(&upper), Some(host));
            }
        }
    }
}
