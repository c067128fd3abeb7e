//! The origin of a page that may call from a browser.

use std::str::FromStr;

use super::Invalid;
use super::public_url::PublicUrl;

/// An origin (RFC 6454, section 7) as browsers write it: in lower case, without a slash at its end and without the port
/// that its scheme has anyway. Apps that are pages (Capacitor, Tauri, browser extensions) have schemes of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOrigin(String);

impl PageOrigin {
    /// As it stands in the header `Origin`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PageOrigin {
    type Err = Invalid;

    fn from_str(raw: &str) -> Result<Self, Invalid> {
        let no_origin = || Invalid::because("must be an origin such as https://app.example.com, without a path");
        if raw.contains('*') {
            return Err(Invalid::because(
                "a wildcard matches no origin: list each one, as in https://app.example.com,https://admin.example.com",
            ));
        }
        if raw == "null" {
            return Err(Invalid::because(
                "null is what every file and sandboxed page calls itself: list the origin of a page that is served",
            ));
        }
        let (scheme, host) = raw.split_once("://").ok_or_else(no_origin)?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => {
                let url: PublicUrl = raw.parse().map_err(|_| no_origin())?;
                if url.has_path() { Err(no_origin()) } else { Ok(Self(url.to_string())) }
            }
            "file" => Err(Invalid::because("a page from a file has no origin: serve it, and list where from")),
            "ws" | "wss" | "ftp" => Err(Invalid::because("no page comes by this scheme: write http:// or https://")),
            scheme => {
                let host = host.strip_suffix('/').unwrap_or(host).to_ascii_lowercase();
                if is_scheme(scheme) && is_host(&host) {
                    Ok(Self(format!("{scheme}://{host}")))
                } else {
                    Err(no_origin())
                }
            }
        }
    }
}

/// RFC 3986, section 3.1.
fn is_scheme(scheme: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(is_good)
}

fn is_host(host: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    !host.is_empty() && host.bytes().all(is_good)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_origin_is_kept_as_browsers_send_it() {
        for (raw, sent) in [
            ("https://app.example.com", "https://app.example.com"),
            ("https://App.Example.com:443/", "https://app.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("ionic://localhost/", "ionic://localhost"),
            ("Tauri://Localhost", "tauri://localhost"),
            ("app://-", "app://-"),
            ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
            (
                "moz-extension://4f1a2b3c-0000-4000-8000-000000000000",
                "moz-extension://4f1a2b3c-0000-4000-8000-000000000000",
            ),
        ] {
            assert_eq!(raw.parse::<PageOrigin>().expect(raw).as_str(), sent);
        }
    }

    #[test]
    fn what_no_browser_sends_is_refused_with_what_to_write() {
        for (bad, words) in [
            ("*", "list each one"),
            ("https://*.example.com", "list each one"),
            ("null", "list the origin"),
            ("file://", "serve it"),
            ("wss://app.example.com", "https://"),
            ("app.example.com", "such as"),
            ("localhost:3000", "such as"),
            ("https://app.example.com/path", "such as"),
            ("https://u:p@app.example.com", "such as"),
            ("capacitor://localhost/path", "such as"),
            ("capacitor://", "such as"),
            ("1x://localhost", "such as"),
            ("", "such as"),
        ] {
            let refusal = bad.parse::<PageOrigin>().expect_err(bad).to_string();
            assert!(refusal.contains(words), "{bad}: {refusal}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_an_origin_in_one_form(raw in "[a-zA-Z+.-]{1,9}://[a-zA-Z0-9.:/_-]{0,20}|\\PC{0,30}") {
            if let Ok(origin) = raw.parse::<PageOrigin>() {
                prop_assert!(origin.as_str().is_ascii() && !origin.as_str().contains(char::is_whitespace));
                prop_assert_eq!(origin.as_str().matches('/').count(), 2);
                prop_assert_eq!(origin.as_str().parse::<PageOrigin>(), Ok(origin.clone()));
            }
        }
    }
}
