//! Cross-origin calls from the pages that the operator listed (the Fetch standard, section 3.2).
//!
//! poem's middleware refuses calls from origins that it does not know, even from a page of this very server, and makes
//! plain text of errors. A browser needs no more than the headers to be there or missing.

use poem::Response;
use poem::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::kernel::page_origin::PageOrigin;

/// What a page may read of an answer's head beyond what the Fetch standard lets it read of any: every header that the API
/// sends for its callers.
const EXPOSED: &str =
    "accept-encoding, allow, ratelimit, ratelimit-policy, retry-after, www-authenticate, x-request-id";

/// The origins that may call.
pub(super) struct Cors(Vec<HeaderValue>);

impl Cors {
    /// These and no others.
    pub(super) fn new<'a>(origins: impl IntoIterator<Item = &'a PageOrigin>) -> Self {
        Self(origins.into_iter().filter_map(|origin| HeaderValue::from_str(origin.as_str()).ok()).collect())
    }

    /// The origin of a call, where it is listed.
    pub(super) fn listed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.0.is_empty() {
            return None;
        }
        headers.get(ORIGIN).filter(|origin| self.0.contains(origin)).cloned()
    }

    /// Whether answers depend on the origin, so that caches must keep them apart.
    pub(super) fn is_on(&self) -> bool {
        !self.0.is_empty()
    }
}

/// Whether a browser asks whether it may call.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that: what may be sent, for an hour.
pub(super) fn preflight() -> Response {
    Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header(ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE")
        .header(ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, x-client-id, x-client-secret, x-request-id")
        .header(ACCESS_CONTROL_MAX_AGE, "3600")
        .finish()
}

/// Lets the page of a listed origin read the answer.
pub(super) fn allow(origin: Option<HeaderValue>, headers: &mut HeaderMap) {
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn only_an_origin_to_the_letter_is_listed(
            sent in "https://app\\.example\\.com[.:/ a-z0-9]{0,6}|[a-z:/.]{0,30}|null",
        ) {
            let listed = "https://app.example.com";
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, HeaderValue::from_str(&sent).expect("printable"));
            let found = Cors::new(&[listed.parse().expect("an origin")]).listed_origin(&headers);
            prop_assert_eq!(found.is_some(), sent == listed);
            prop_assert!(Cors::new(&[]).listed_origin(&headers).is_none());
        }
    }
}
