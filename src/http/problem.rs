//! Errors on the wire: problem details (RFC 9457).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use poem::http::header::{ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use poem::http::{HeaderValue, StatusCode};
use poem::{IntoResponse, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;

mod code;

pub use code::Code;

use super::rate_limit;
use super::request_id::RequestId;
use crate::fault::Fault;
use crate::kernel::Invalid;
use crate::kernel::public_url::PublicUrl;
use crate::kernel::rate_limit::Throttled;
use crate::store::StoreError;

/// The media type of every error.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// How many broken rules are told at once, and how many code points of a member's name.
const MOST_ERRORS: usize = 100;
const LONGEST_NAME: usize = 64;

/// One member or parameter that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Object)]
pub struct FieldError {
    /// Which member of the body: a JSON Pointer (RFC 6901); empty for the body as a whole. A parameter of the query is
    /// named as it is, without a slash before it.
    #[oai(validator(max_length = 200))]
    pub field: String,
    /// The rule that it breaks.
    #[oai(validator(max_length = 500))]
    pub message: String,
}

impl FieldError {
    /// The member `name` of the body breaks a rule.
    pub fn of_member(name: &str, message: impl ToString) -> Self {
        let name = presentable(name).replace('~', "~0").replace('/', "~1");
        Self { field: format!("/{name}"), message: message.to_string() }
    }

    /// The parameter `name` of the query breaks a rule.
    pub fn of_parameter(name: &str, message: impl ToString) -> Self {
        Self { field: presentable(name), message: message.to_string() }
    }

    /// The body as a whole breaks a rule.
    pub fn of_body(message: impl ToString) -> Self {
        Self { field: String::new(), message: message.to_string() }
    }
}

/// A stranger chose the name of a member that is not ours; it is not ours to carry on at any length or on several lines.
fn presentable(name: &str) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let rest = name.chars().nth(LONGEST_NAME).map(|_| '…');
    name.chars().take(LONGEST_NAME).map(shown).chain(rest).collect()
}

/// What went wrong, in the form of RFC 9457.
#[derive(Serialize, Object)]
#[oai(rename = "Problem")]
pub struct ProblemDetails {
    /// A page of this server that explains the code.
    #[serde(rename = "type")]
    #[oai(rename = "type", validator(max_length = 500))]
    pub type_url: String,
    /// What the code is called: the same for each occurrence.
    #[oai(validator(max_length = 200))]
    pub title: String,
    /// The HTTP status.
    #[oai(validator(minimum(value = "400"), maximum(value = "599")))]
    pub status: u16,
    /// What it was this time.
    #[oai(validator(max_length = 1000))]
    pub detail: String,
    /// What programs tell errors apart by; stable.
    #[oai(validator(max_length = 64, pattern = "^[a-z_]+$"))]
    pub code: String,
    /// The request's id, as in the header X-Request-ID; quote it when you report a problem.
    #[oai(validator(max_length = 64))]
    pub request_id: String,
    /// For a body or query that is not valid: each member or parameter and the rule that it breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(validator(max_items = 100))]
    pub errors: Option<Vec<FieldError>>,
}

/// An error on its way to the wire.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    errors: Option<Vec<FieldError>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Box<str>>,
}

impl Problem {
    /// A problem that its code says all about.
    #[must_use]
    pub fn new(code: Code) -> Self {
        let headers = match code {
            // Where the head is in doubt, so is the place at which the next request begins.
            Code::MalformedRequest => header(CONNECTION, "close"),
            Code::Overloaded => header(RETRY_AFTER, "1"),
            // RFC 9110, section 12.5.3: what would have been taken.
            Code::UnsupportedContentEncoding => header(ACCEPT_ENCODING, "identity"),
            Code::Unavailable => header(RETRY_AFTER, "2"),
            // RFC 9110 wants a challenge with every 401. This scheme is ours: the two headers.
            _ if code.status() == StatusCode::UNAUTHORIZED => {
                header(WWW_AUTHENTICATE, "ClientCredentials realm=\"AI DocuMines\"")
            }
            _ => Vec::new(),
        };
        Self { code, detail: Cow::Borrowed(code.explanation()), errors: None, headers, cause: None }
    }

    /// A request whose head breaks a rule of HTTP; `detail` says which.
    #[must_use]
    pub(super) fn malformed_request(detail: &'static str) -> Self {
        Self { detail: detail.into(), ..Self::new(Code::MalformedRequest) }
    }

    /// A mistake of ours; `cause` is for the log alone.
    #[must_use]
    pub fn internal(cause: impl ToString) -> Self {
        Self::new(Code::Internal).because(cause)
    }

    /// Not for the moment; `cause` is for the log alone.
    #[must_use]
    pub fn unavailable(cause: impl ToString) -> Self {
        Self::new(Code::Unavailable).because(cause)
    }

    fn because(self, cause: impl ToString) -> Self {
        Self { cause: Some(cause.to_string().into()), ..self }
    }

    /// A body that breaks rules; the first hundred of them are told.
    #[must_use]
    pub fn invalid(mut errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] if only.field.is_empty() => format!("The body {}.", only.message),
            [only] => format!("{} {}.", only.field.strip_prefix('/').unwrap_or(&only.field), only.message),
            several => format!("{} members are not valid; errors names them.", several.len()),
        };
        errors.truncate(MOST_ERRORS);
        Self { detail: detail.into(), errors: Some(errors), ..Self::new(Code::InvalidRequest) }
    }

    /// A password that is too weak, in the member `name`.
    #[must_use]
    pub fn weak_password(name: &str, reason: &Invalid) -> Self {
        let errors = Some(vec![FieldError::of_member(name, reason)]);
        Self { detail: format!("{name} {reason}.").into(), errors, ..Self::new(Code::WeakPassword) }
    }

    /// A token that opens nothing (RFC 6750, section 3): the challenge names an error only where a token was sent.
    #[must_use]
    pub fn invalid_token(was_sent: bool) -> Self {
        let challenge = if was_sent {
            "Bearer realm=\"AI DocuMines\", error=\"invalid_token\", error_description=\"The access token is not valid\""
        } else {
            "Bearer realm=\"AI DocuMines\""
        };
        let headers = header(WWW_AUTHENTICATE, challenge);
        Self { headers, ..Self::new(Code::InvalidToken) }
    }

    /// A method that the path does not take.
    #[must_use]
    pub fn method_not_allowed(allowed: HeaderValue) -> Self {
        Self { headers: vec![(ALLOW, allowed)], ..Self::new(Code::MethodNotAllowed) }
    }

    /// A limit that was met, with when to try again.
    #[must_use]
    pub fn rate_limited(Throttled(standing): Throttled) -> Self {
        let mut headers = vec![(RETRY_AFTER, HeaderValue::from(standing.wait_seconds()))];
        headers.extend(rate_limit::fields(&[standing]));
        Self { headers, ..Self::new(Code::RateLimited) }
    }

    /// The problem's code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// What the log is to say of it.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The members, as they are written.
    #[must_use]
    pub fn details(&self, request_id: &RequestId, public_url: &PublicUrl) -> ProblemDetails {
        ProblemDetails {
            type_url: format!("{public_url}/problems/{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16(),
            detail: self.detail.to_string(),
            code: self.code.as_str().to_owned(),
            request_id: request_id.to_string(),
            errors: self.errors.clone(),
        }
    }

    /// The answer.
    #[must_use]
    pub fn to_response(&self, request_id: &RequestId, public_url: &PublicUrl) -> Response {
        let body = serde_json::to_vec(&self.details(request_id, public_url)).unwrap_or_default();
        let mut response = body.with_status(self.code.status()).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }
}

fn header(name: HeaderName, value: &'static str) -> Vec<(HeaderName, HeaderValue)> {
    vec![(name, HeaderValue::from_static(value))]
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl std::error::Error for Problem {}

impl poem::error::ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.code.status()
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Overloaded => Self::new(Code::Overloaded),
            Fault::Store(StoreError::Unavailable(_)) => Self::new(Code::Unavailable).because(fault),
            Fault::Store(StoreError::Broken(_)) | Fault::Internal(..) => Self::internal(fault),
        }
    }
}

/// The error of a rule, seen from the wire: an exhaustive match from its variants to codes.
pub trait Refusal: Into<Problem> {
    /// Every code that the match gives, beyond those that any operation can answer with.
    const CODES: &'static [Code];
}

/// Operations that nothing of their own can go wrong with.
impl Refusal for Fault {
    const CODES: &'static [Code] = &[];
}

/// What a handler answers instead of success; documents the codes of `E`.
pub struct Refused<E>(Problem, PhantomData<fn() -> E>);

impl<E: Refusal> From<E> for Refused<E> {
    fn from(error: E) -> Self {
        Self(error.into(), PhantomData)
    }
}

impl<E> From<Refused<E>> for poem::Error {
    fn from(refused: Refused<E>) -> Self {
        refused.0.into()
    }
}

impl<E: Refusal> ApiResponse for Refused<E> {
    /// One response a status. The macro leaves no room for several codes, so their names travel as the values of an
    /// enum; [`super::spec`] makes the description and the examples of them.
    fn meta() -> MetaResponses {
        let mut responses: Vec<MetaResponse> = Vec::new();
        for code in E::CODES {
            let status = code.status().as_u16();
            let name = serde_json::Value::from(code.as_str());
            if let Some(response) = responses.iter_mut().find(|response| response.status == Some(status)) {
                if let MetaSchemaRef::Inline(names) = &mut response.content[0].schema {
                    names.enum_items.push(name);
                }
                continue;
            }
            let names = MetaSchema { enum_items: vec![name], ..MetaSchema::new("string") };
            responses.push(MetaResponse {
                description: "",
                status: Some(status),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: PROBLEM_JSON,
                    schema: MetaSchemaRef::Inline(Box::new(names)),
                }],
                headers: Vec::new(),
            });
        }
        MetaResponses { responses }
    }

    fn register(_: &mut Registry) {}
}
