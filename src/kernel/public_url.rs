//! Where people reach this server.

use std::fmt;
use std::str::FromStr;

use url::Url;

use super::Invalid;
use super::host::Host;

/// An `http` or `https` URL without query, fragment or credentials; written without a slash at its end, so that a path
/// can follow.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// The domain that mail comes from: the host's name; `localhost` where it has but an address.
    #[must_use]
    pub fn mail_domain(&self) -> &str {
        self.0.domain().unwrap_or("localhost")
    }

    /// The host; `None` where it is written in a way that no request can name.
    #[must_use]
    pub fn host(&self) -> Option<Host<'_>> {
        self.0.host_str().and_then(Host::parse)
    }

    /// Whether a path stands between this and ours, which a proxy in front takes off.
    #[must_use]
    pub fn has_path(&self) -> bool {
        !self.0.path().trim_end_matches('/').is_empty()
    }
}

impl FromStr for PublicUrl {
    type Err = Invalid;

    fn from_str(raw: &str) -> Result<Self, Invalid> {
        let url = Url::parse(raw).map_err(|_| Invalid::because("must be a URL such as https://auth.example.com"))?;
        let is_plain = url.query().is_none() && url.fragment().is_none();
        let is_plain = is_plain && url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
            return Err(Invalid::because("must be an http:// or https:// URL without credentials, query or fragment"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_comes_from_a_name() {
        for (raw, domain) in [("https://id.example.com/x", "id.example.com"), ("http://[::1]:8020", "localhost")] {
            assert_eq!(raw.parse::<PublicUrl>().expect(raw).mail_domain(), domain);
        }
    }

    #[test]
    fn its_host_is_a_name_or_an_address() {
        for (raw, host) in [
            ("https://ID.example.com:8443/x", "id.example.com"),
            ("http://127.0.0.1:8020", "127.0.0.1"),
            ("http://[::1]:8020", "[::1]"),
            ("https://bücher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(raw.parse::<PublicUrl>().expect(raw).host(), Host::parse(host));
        }
    }

    #[test]
    fn it_is_written_so_that_a_path_can_follow() {
        for (raw, written) in [
            ("http://localhost:8020", "http://localhost:8020"),
            ("https://id.example.com/", "https://id.example.com"),
            ("https://example.com/accounts/", "https://example.com/accounts"),
        ] {
            let url: PublicUrl = raw.parse().expect(raw);
            assert_eq!(url.to_string(), written);
        }
        for bad in [
            "localhost:8020",
            "ftp://example.com",
            "http://",
            "http://u:p@example.com",
            "http://:p@example.com",
            "http://e.com/?q",
            "x",
        ] {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad} was taken");
        }
    }
}
