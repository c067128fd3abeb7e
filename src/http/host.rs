//! Which host a request is for, and whether the server answers under it.
//!
//! A page of any site can have its own name lead to a loopback address (DNS rebinding). For the visitor's browser such a
//! server is the page's own, so that neither CORS nor the address on the other end of the connection keeps the page out.
//! The name does: it stands in `Host`.

use std::net::SocketAddr;
use std::sync::Once;

use poem::Request;
use poem::http::header::{HOST, TRANSFER_ENCODING};
use poem::http::{HeaderMap, HeaderValue, Uri, Version};

use super::problem::{Code, Problem};
use crate::kernel::host::{AllowedHost, Host};
use crate::kernel::public_url::PublicUrl;
use crate::settings::Settings;

/// The hosts that a listener answers under.
#[derive(Debug)]
pub(crate) struct Hosts {
    public_url: PublicUrl,
    allowed: Vec<AllowedHost>,
    /// So that strangers cannot fill the log.
    warned: Once,
}

impl Hosts {
    /// The hosts of the listener at `address`. On a loopback address that is the machine's own and the public one; a
    /// listener that other machines reach has names that are not known here, so it answers under any unless told
    /// otherwise.
    pub(crate) fn of(settings: &Settings, address: SocketAddr) -> Self {
        let mut allowed: Vec<_> = settings.allowed_hosts.iter().flatten().cloned().collect();
        if allowed.is_empty() && !address.ip().to_canonical().is_loopback() {
            allowed.push(AllowedHost::Any);
        }
        Self { public_url: settings.public_url.clone(), allowed, warned: Once::new() }
    }

    /// Checks the host of a request, and that its head can be read in one way alone.
    ///
    /// # Errors
    /// `malformed_request` where the head breaks a rule of HTTP, `unknown_host` where the host is not answered.
    pub(crate) fn check(&self, request: &Request) -> Result<(), Problem> {
        let headers = request.headers();
        if headers.contains_key(TRANSFER_ENCODING) && !is_chunked_alone(headers) {
            return Err(Problem::malformed_request("The body has a Transfer-Encoding other than chunked."));
        }
        let named = named_host(request.version(), request.uri(), headers).map_err(Problem::malformed_request)?;
        match named {
            Some(host) if !self.answer(host) => {
                self.warned.call_once(|| {
                    tracing::warn!(
                        ?host,
                        "a request for another host than the server's was refused; if it is yours, name it in \
                         --public-url or --allowed-hosts. Further ones are not logged"
                    );
                });
                Err(Problem::new(Code::UnknownHost))
            }
            _ => Ok(()),
        }
    }

    /// No address is refused: who calls by address has asked no name server.
    fn answer(&self, host: Host<'_>) -> bool {
        matches!(host, Host::Address(_))
            || host.is_loopback()
            || self.public_url.host() == Some(host)
            || self.allowed.iter().any(|allowed| allowed.includes(host))
    }
}

/// hyper takes any list that ends in `chunked`, and takes off that alone: the rest would be read as it stands.
fn is_chunked_alone(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter().map(HeaderValue::as_bytes);
    lines.next().is_some_and(|line| line.eq_ignore_ascii_case(b"chunked")) && lines.next().is_none()
}

/// The host that a request names (RFC 9112, section 3.2); HTTP/1.0 may name none.
fn named_host<'a>(version: Version, target: &'a Uri, headers: &'a HeaderMap) -> Result<Option<Host<'a>>, &'static str> {
    let mut lines = headers.get_all(HOST).iter();
    let target = target.authority().map(|authority| authority.as_str());
    let named = match (lines.next(), lines.next()) {
        (Some(_), Some(_)) => return Err("The header Host stands there twice."),
        (Some(line), None) => {
            let line = line.to_str().map_err(|_| "The header Host is no host.")?;
            // Where they differ, another server may have looked at the other one.
            if target.is_some_and(|target| !target.eq_ignore_ascii_case(line)) {
                return Err("The header Host differs from the host of the request's target.");
            }
            Some(line)
        }
        (None, _) if version >= Version::HTTP_11 => return Err("The header Host is missing."),
        (None, _) => target,
    };
    named.map(|named| Host::parse(named).ok_or("The header Host is no host.")).transpose()
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderName;
    use proptest::prelude::*;

    use super::*;

    fn head(lines: &[(&str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&str, &str)| (HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in lines.iter().map(line) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn a_request_names_one_host() {
        let named = |version, target: &str, lines: &[(&str, &str)]| {
            let (target, headers) = (target.parse().unwrap(), head(lines));
            named_host(version, &target, &headers).map(|host| host == Host::parse("localhost")).map_err(|_| ())
        };
        let host = ("host", "localhost");
        assert_eq!(named(Version::HTTP_11, "/", &[host]), Ok(true));
        assert_eq!(named(Version::HTTP_11, "http://LOCALHOST/", &[host]), Ok(true));
        assert_eq!(named(Version::HTTP_10, "http://localhost/", &[]), Ok(true));
        assert_eq!(named(Version::HTTP_10, "/", &[]), Ok(false));
        for (target, lines) in [
            ("/", &[][..]),
            ("/", &[host, host]),
            ("/", &[("host", "")]),
            ("/", &[("host", "local host")]),
            ("/", &[("host", "localhost, localhost")]),
            ("http://localhost/", &[]),
            ("http://example.com/", &[host]),
            ("http://localhost:8020/", &[host]),
            ("http://user@localhost/", &[host]),
        ] {
            assert_eq!(named(Version::HTTP_11, target, lines), Err(()), "{target} {lines:?}");
        }
        assert_eq!(named(Version::HTTP_10, "/", &[host, host]), Err(()));
    }

    #[test]
    fn a_body_is_chunked_and_nothing_else() {
        let te = |value| ("transfer-encoding", value);
        assert!(is_chunked_alone(&head(&[te("Chunked")])));
        for other in ["identity, chunked", "gzip, chunked", "chunked, chunked", "chunked;x", "", "identity"] {
            assert!(!is_chunked_alone(&head(&[te(other)])), "{other}");
        }
        assert!(!is_chunked_alone(&head(&[te("chunked"), te("chunked")])));
        assert!(!is_chunked_alone(&head(&[te("identity"), te("chunked")])));
    }

    proptest! {
        #[test]
        fn no_head_gets_by_without_one_host(lines in proptest::collection::vec("\\PC{0,20}|localhost(:[0-9]{1,4})?", 0..3)) {
            let lines: Vec<HeaderValue> = lines.iter().filter_map(|line| line.parse().ok()).collect();
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append(HOST, line.clone());
            }
            let is_host = |line: &HeaderValue| line.to_str().is_ok_and(|line| Host::parse(line).is_some());
            let is_good = lines.len() == 1 && is_host(&lines[0]);
            prop_assert_eq!(named_host(Version::HTTP_11, &Uri::from_static("/"), &headers).is_ok(), is_good);
        }
    }
}
