//! An answer, and what tests ask of it.

use documines_auth::kernel::clock::Timestamp;
use poem::http::{HeaderMap, StatusCode};
use serde_json::Value;

/// What the server answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A header, where there is one.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self.json()
    }

    /// The problem of a refusal with this status and code.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(problem["code"], code, "{problem}");
        problem
    }

    /// The members that a 400 names, each with its message.
    #[track_caller]
    pub(crate) fn invalid(&self) -> Vec<(String, String)> {
        let problem = self.refused(400, "invalid_request");
        let errors = problem["errors"].as_array().expect("a 400 names the members").clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        errors.iter().map(|error| (text(&error["field"]), text(&error["message"]))).collect()
    }

    /// Asserts that a 400 names these members, in this order.
    #[track_caller]
    pub(crate) fn names(&self, fields: &[&str]) {
        let errors = self.invalid();
        let named: Vec<&str> = errors.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(named, fields, "{errors:?}");
    }

    /// The problem without what differs from request to request: what two refusals can be compared by.
    pub(crate) fn without_request_id(&self) -> (StatusCode, Vec<(String, String)>, Value) {
        let mut problem = self.json();
        problem.as_object_mut().unwrap().shift_remove("request_id");
        let header = |(name, value): (&poem::http::HeaderName, &poem::http::HeaderValue)| {
            let value = if name == "x-request-id" { "" } else { value.to_str().unwrap() };
            (name.to_string(), value.to_owned())
        };
        let mut headers: Vec<_> = self.headers.iter().map(header).collect();
        headers.sort();
        (self.status, headers, problem)
    }
}

/// The names of a JSON object's members, in order.
pub(crate) fn member_names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// An instant as the seed writes `expires`.
pub(crate) fn seed_time(at: Timestamp) -> String {
    at.to_seconds_with_space()
}
