//! Whether a call comes from this machine directly.
//!
//! A loopback address on the other end of the connection does not show that: a reverse proxy on this machine connects
//! from there with strangers' calls, and so does a browser on it, with calls of any page whose name leads here.

use std::net::IpAddr;

use poem::http::header::{FORWARDED, HOST, HeaderName, VIA};
use poem::http::{HeaderMap, Uri, Version};
use poem::{Addr, FromRequest, Request, RequestBody};

use super::body::single;
use crate::kernel::host::Host;

pub(super) const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// `X-Forwarded-For`, `-Host`, `-Proto` and whatever else proxies add.
const X_FORWARDED: &str = "x-forwarded";

/// Whether a call comes from this machine, is made to it by a loopback host, and has no sign of a proxy.
#[derive(Clone, Copy, Debug)]
pub struct IsLocal(pub bool);

impl<'a> FromRequest<'a> for IsLocal {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let peer = match &request.remote_addr().0 {
            Addr::SocketAddr(address) => Some(address.ip()),
            _ => None,
        };
        // nginx speaks HTTP/1.0 to the server where it was told nothing else, and then adds no header of a proxy's.
        let is_of_today = request.version() > Version::HTTP_10;
        Ok(Self(is_of_today && is_local(peer, request.uri(), request.headers())))
    }
}

/// `peer` is `None` where there is no connection: then the call is made in this process, as tests do.
fn is_local(peer: Option<IpAddr>, target: &Uri, headers: &HeaderMap) -> bool {
    let is_loopback = |host: &str| Host::parse(host).is_some_and(Host::is_loopback);
    peer.is_none_or(|address| address.to_canonical().is_loopback())
        && single(headers, &HOST).is_some_and(is_loopback)
        && target.authority().is_none_or(|authority| is_loopback(authority.as_str()))
        && !headers.keys().any(is_of_a_proxy)
}

fn is_of_a_proxy(name: &HeaderName) -> bool {
    [FORWARDED, VIA, X_REAL_IP].contains(name) || name.as_str().starts_with(X_FORWARDED)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_local_with(peer: &str, target: &str, headers: &[(&str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        is_local(Some(peer.parse().unwrap()), &target.parse().unwrap(), &map)
    }

    #[test]
    fn a_call_is_local_without_a_proxy_between_two_ends_on_this_machine() {
        for peer in ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"] {
            for host in ["localhost", "localhost:8020", "127.0.0.1:8020", "[::1]:8020"] {
                assert!(is_local_with(peer, "/x", &[("Host", host), ("Accept", "*/*")]), "{peer} {host}");
            }
        }
        assert!(is_local_with("127.0.0.1", "http://localhost:8020/x", &[("Host", "localhost:8020")]));
    }

    #[test]
    fn each_sign_of_another_machine_counts() {
        let host = ("Host", "localhost");
        assert!(!is_local_with("192.0.2.7", "/x", &[host]));
        assert!(!is_local_with("127.0.0.1", "http://auth.example.com/x", &[host]));
        assert!(!is_local_with("127.0.0.1", "/x", &[]));
        assert!(!is_local_with("127.0.0.1", "/x", &[host, host]));
        for other in ["auth.example.com", "127.0.0.1.example.com", "192.0.2.7", "localhost, localhost", ""] {
            assert!(!is_local_with("127.0.0.1", "/x", &[("Host", other)]), "{other}");
        }
        for of_a_proxy in [
            "Forwarded",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "X-Forwarded-Anything",
            "X-Real-IP",
            "Via",
        ] {
            for value in ["", "127.0.0.1"] {
                assert!(!is_local_with("127.0.0.1", "/x", &[host, (of_a_proxy, value)]), "{of_a_proxy}: {value}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_a_local_call_of_a_strangers(name in "[a-z-]{1,20}|host", value in "\\PC{0,30}|localhost") {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "localhost".parse().unwrap());
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value.parse()) {
                headers.insert(name, value);
            }
            prop_assert!(!is_local(Some("198.51.100.7".parse().unwrap()), &Uri::from_static("/x"), &headers));
        }
    }
}
