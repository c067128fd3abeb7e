//! Where to listen.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};

/// An address and a port, or a name and a port; of a name's addresses the first of IPv4, else the first.
///
/// # Errors
/// What is missing or wrong, and what to write.
pub(super) fn address(raw: &str) -> Result<SocketAddr, String> {
    let raw = raw.trim();
    if let Ok(address) = raw.parse() {
        return Ok(address);
    }
    let no_address = |port: u16| {
        format!("an address is missing: write 127.0.0.1:{port} for this machine alone, 0.0.0.0:{port} for all networks")
    };
    if raw.contains('/') {
        return Err("must be an address and a port such as 127.0.0.1:8020, and no URL".to_owned());
    }
    if let Ok(port) = raw.parse() {
        return Err(no_address(port));
    }
    let in_brackets = raw.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if in_brackets.unwrap_or(raw).parse::<Ipv6Addr>().is_ok() {
        return Err("an IPv6 address stands in brackets, with a port behind it: such as [::1]:8020".to_owned());
    }
    let Some((host, port)) = raw.rsplit_once(':') else {
        return Err(format!("a port is missing: write {raw}:8020"));
    };
    let Ok(port) = port.parse() else {
        return Err(format!("{port:?} is no port: it must be a number up to 65535, as in {host}:8020"));
    };
    if host.is_empty() {
        return Err(no_address(port));
    }
    // No name ends in a number: this is an address, and a wrong one.
    let is_number = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    if host.contains([':', '[']) || host.rsplit('.').next().is_some_and(is_number) {
        return Err(format!("{host} is no address"));
    }
    let found = (host, port).to_socket_addrs().map_err(|error| format!("cannot resolve {host}: {error}"))?;
    let found: Vec<SocketAddr> = found.collect();
    let first = found.iter().find(|address| matches!(address.ip(), IpAddr::V4(_))).or(found.first());
    first.copied().ok_or_else(|| format!("{host} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_resolved_to_ipv4_where_they_have_it() {
        for (raw, expected) in [
            ("127.0.0.1:8020", "127.0.0.1:8020"),
            (" [::1]:8020\n", "[::1]:8020"),
            ("localhost:8020", "127.0.0.1:8020"),
            ("LOCALHOST:0", "127.0.0.1:0"),
        ] {
            assert_eq!(address(raw), Ok(expected.parse().unwrap()), "{raw:?}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        for (bad, words) in [
            ("127.0.0.1", "write 127.0.0.1:8020"),
            ("localhost", "write localhost:8020"),
            ("8020", "write 127.0.0.1:8020"),
            (":8020", "0.0.0.0:8020 for all networks"),
            ("::1", "[::1]:8020"),
            ("[::1]", "[::1]:8020"),
            ("::1:8020", "[::1]:8020"),
            ("127.0.0.1:", "is no port"),
            ("127.0.0.1:99999", "is no port"),
            ("127.0.0.1:http", "is no port"),
            ("256.0.0.1:8020", "is no address"),
            ("http://127.0.0.1:8020", "no URL"),
            ("nowhere.invalid:8020", "cannot resolve nowhere.invalid"),
            ("", "a port is missing"),
        ] {
            let refusal = address(bad).expect_err(bad);
            assert!(refusal.contains(words), "{bad}: {refusal}");
        }
    }
}
