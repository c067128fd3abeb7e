//! Bodies: JSON in, strictly; JSON out, in the order in which the members are declared.

use std::time::Duration;

use poem::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName};
use poem::http::{HeaderValue, StatusCode};
use poem::{Body as PoemBody, IntoResponse, Request, RequestBody, Response};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaResponse, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions};
use secrecy::zeroize::Zeroizing;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::io::AsyncReadExt;

use super::json_object::{JsonObject, TWICE};
use super::problem::{Code, FieldError, Problem};
use crate::kernel::Invalid;

/// The longest body that is read, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);
/// A mark at the start of a text that some programs write, and that says nothing in UTF-8 (RFC 8259, section 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The media type of bodies, both ways.
pub const JSON: &str = "application/json";

/// A body as the spec shows it: a schema, a sentence, and an example that the server takes or gives as it stands.
pub trait Documented: Type {
    /// What it is: the description of the request body or of the answer.
    const DESCRIPTION: &'static str;

    /// People of our own.
    fn example() -> Value;
}

/// The type of one member: how it is read from JSON.
pub trait Member: Sized {
    /// What a member gives that is not there; `None` where it has to be.
    fn absent() -> Option<Self> {
        None
    }

    /// What a member gives that is there.
    ///
    /// # Errors
    /// The rule that it breaks, as the end of a sentence that begins with its name.
    fn read(value: Value) -> Result<Self, Invalid>;

    /// Whether a member that is there says that there is none, where it is [`Optional`](crate::kernel::optional::Optional).
    fn is_none(value: &Value) -> bool {
        value.is_null()
    }
}

impl<T: Member> Member for Option<T> {
    fn absent() -> Option<Self> {
        Some(None)
    }

    fn read(value: Value) -> Result<Self, Invalid> {
        T::read(value).map(Some)
    }
}

impl Member for bool {
    fn read(value: Value) -> Result<Self, Invalid> {
        value.as_bool().ok_or(Invalid::because("must be true or false"))
    }
}

/// The members of a body or the parameters of a query, taken one by one; every rule that is broken is collected on the
/// way.
#[derive(Debug)]
pub struct Members {
    rest: JsonObject,
    errors: Vec<FieldError>,
    is_query: bool,
}

impl Members {
    /// The parameters of a query.
    pub(super) fn of_query(parameters: Map<String, Value>) -> Self {
        Self { rest: JsonObject::new(parameters), errors: Vec::new(), is_query: true }
    }

    fn error(&self, name: &str, message: impl ToString) -> FieldError {
        if self.is_query { FieldError::of_parameter(name, message) } else { FieldError::of_member(name, message) }
    }

    /// The member `name`; `None` where it breaks a rule.
    pub fn take<T: Member>(&mut self, name: &str) -> Option<T> {
        let read = match self.rest.take(name) {
            Some(value) => T::read(value),
            None => T::absent().ok_or(Invalid::because("is required")),
        };
        read.map_err(|reason| self.errors.push(self.error(name, reason))).ok()
    }

    /// What was read, unless a rule was broken or a member is left that nobody took.
    pub(super) fn finish<T>(mut self, read: Option<T>) -> Result<T, Problem> {
        let stranger =
            if self.is_query { "is not a parameter of this operation" } else { "is not a member of this body" };
        let strangers: Vec<_> = self.rest.names().map(|name| self.error(name, stranger)).collect();
        self.errors.extend(strangers);
        match read {
            Some(read) if self.errors.is_empty() => Ok(read),
            _ => Err(Problem::invalid(self.errors)),
        }
    }
}

/// A body that is made of members. [`body!`](crate::body) writes it.
pub trait FromMembers: Sized {
    /// Takes every member, even after one broke a rule, so that a caller hears of all of them at once.
    fn from_members(members: &mut Members) -> Option<Self>;
}

/// Declares the body of a request: a struct whose members each parse themselves, and its schema.
#[macro_export]
macro_rules! body {
    ($(#[$about:meta])* pub struct $name:ident { $($(#[$doc:meta])* $member:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, poem_openapi::Object)]
        pub struct $name { $($(#[$doc])* pub $member: $type,)* }

        impl $crate::http::body::FromMembers for $name {
            fn from_members(members: &mut $crate::http::body::Members) -> Option<Self> {
                $(let $member = members.take(stringify!($member));)*
                Some(Self { $($member: $member?,)* })
            }
        }
    };
}

/// The body of a request.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<'a, T: FromMembers + Documented> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_with_example::<T>(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest { description: Some(T::DESCRIPTION), content: vec![media_type::<T>()], required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        if !single(request.headers(), &CONTENT_TYPE).is_some_and(is_json) {
            return Err(Problem::new(Code::UnsupportedMediaType).into());
        }
        if !is_plain(request.headers()) {
            return Err(Problem::new(Code::UnsupportedContentEncoding).into());
        }
        // Said beforehand: then nobody need send it.
        let announced = single(request.headers(), &CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
        if announced.is_some_and(|length| length > MAX_BODY) {
            return Err(Problem::new(Code::PayloadTooLarge).into());
        }
        let bytes = tokio::time::timeout(PATIENCE, read(body.take()?, announced)).await;
        let bytes = bytes.map_err(|_| Problem::new(Code::RequestTimeout))??;
        Ok(Self(parse(&bytes)?))
    }
}

/// Reads a body. There may be a password in it: so it has its room from the start, for what grows leaves copies behind, and
/// is wiped when it was parsed.
async fn read(body: PoemBody, announced: Option<usize>) -> Result<Zeroizing<Vec<u8>>, Problem> {
    // One byte more, to see the end, or that it is too long.
    let mut bytes = Zeroizing::new(vec![0; announced.unwrap_or(MAX_BODY) + 1]);
    let (mut reader, mut length) = (body.into_async_read(), 0);
    loop {
        match reader.read(&mut bytes[length..]).await {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(_) => return Err(Problem::invalid(vec![FieldError::of_body("did not arrive whole")])),
        }
        if length == bytes.len() {
            return Err(Problem::new(Code::PayloadTooLarge));
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// The value of a header that stands there once: which of two would count is where servers differ.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

fn parse<T: FromMembers>(bytes: &[u8]) -> Result<T, Problem> {
    let malformed = |message: String| Problem::invalid(vec![FieldError::of_body(message)]);
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if std::str::from_utf8(bytes).is_err() {
        return Err(malformed("is not UTF-8".to_owned()));
    }
    let rest = serde_json::from_slice(bytes).map_err(|error| malformed(explain(&error)))?;
    let mut members = Members { rest, errors: Vec::new(), is_query: false };
    let read = T::from_members(&mut members);
    members.finish(read)
}

/// What is wrong with the JSON, without quoting it: what stands in it may be secret.
fn explain(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let place = format!("at line {}, column {}", error.line(), error.column());
    match error.classify() {
        Category::Data if error.to_string().starts_with(TWICE) => format!("names a member twice {place}"),
        Category::Data => "is not a JSON object".to_owned(),
        Category::Eof => "is not JSON: it ends too early".to_owned(),
        Category::Syntax | Category::Io => format!("is not JSON {place}"),
    }
}

/// Whether the body is sent as it is: nothing is unpacked here, for a small packed body can be a large one.
fn is_plain(headers: &HeaderMap) -> bool {
    let all = headers.get_all(CONTENT_ENCODING).iter();
    let mut names = all.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    names.all(|name| name.is_empty() || name.eq_ignore_ascii_case(b"identity"))
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case(JSON))
        && parts.all(|parameter| {
            let charset = parameter.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("charset"));
            charset.is_none_or(|(_, value)| {
                // The second is no registered name, and sent by many.
                ["utf-8", "utf8"].iter().any(|name| value.trim_matches('"').eq_ignore_ascii_case(name))
            })
        })
}

/// A successful answer: `T` as JSON, with this status.
#[derive(Debug)]
pub struct Answer<T, const STATUS: u16 = 200>(pub T);

impl<T: Serialize + Send, const STATUS: u16> IntoResponse for Answer<T, STATUS> {
    fn into_response(self) -> Response {
        // Room for most answers, so that writing one does not grow it again and again.
        let mut body = Vec::with_capacity(1024);
        match serde_json::to_writer(&mut body, &self.0) {
            Ok(()) => Response::builder()
                .status(StatusCode::from_u16(STATUS).unwrap_or_default())
                .header(CONTENT_TYPE, HeaderValue::from_static(JSON))
                .body(body),
            Err(error) => {
                // Every answer is made of strings, numbers and booleans.
                unreachable!("an answer cannot be written as JSON: {error}")
            }
        }
    }
}

impl<T: Documented, const STATUS: u16> ApiResponse for Answer<T, STATUS> {
    fn meta() -> MetaResponses {
        let response = MetaResponse {
            description: T::DESCRIPTION,
            status: Some(STATUS),
            status_range: None,
            content: vec![media_type::<T>()],
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        register_with_example::<T>(registry);
    }
}

fn media_type<T: Type>() -> MetaMediaType {
    MetaMediaType { content_type: JSON, schema: T::schema_ref() }
}

pub(super) fn register_with_example<T: Documented>(registry: &mut Registry) {
    T::register(registry);
    if let MetaSchemaRef::Reference(name) = T::schema_ref()
        && let Some(schema) = registry.schemas.get_mut(&name)
    {
        schema.example = Some(T::example());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::email_address::EmailAddress;
    use crate::kernel::text::Name;

    #[derive(Debug)]
    struct Card {
        email: EmailAddress,
        name: Option<Name>,
        loud: Option<bool>,
    }

    impl FromMembers for Card {
        fn from_members(members: &mut Members) -> Option<Self> {
            let email = members.take("email");
            let name = members.take("name");
            let loud = members.take("loud");
            Some(Self { email: email?, name: name?, loud: loud? })
        }
    }

    fn errors_of(body: &str) -> Vec<(String, String)> {
        let problem = parse::<Card>(body.as_bytes()).expect_err(body);
        assert_eq!(problem.code(), Code::InvalidRequest);
        let url = "http://localhost:8020".parse().unwrap();
        let id = super::super::request_id::RequestId::choose(None, &crate::kernel::random::Random::seeded(1));
        let details = problem.details(&id, &url);
        details.errors.unwrap().into_iter().map(|error| (error.field, error.message)).collect()
    }

    #[test]
    fn a_good_body_is_read() {
        let card: Card = parse(br#" {"loud": true, "email": " A@Example.com "} "#).unwrap();
        assert_eq!((card.email.as_str(), card.name, card.loud), ("a@example.com", None, Some(true)));
    }

    #[test]
    fn every_broken_rule_is_named_at_once() {
        let errors = errors_of(r#"{"name": 7, "loud": "yes", "nmae/~": "x"}"#);
        let fields: Vec<&str> = errors.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["/email", "/name", "/loud", "/nmae~1~0"]);
        assert_eq!(errors[0].1, "is required");
        assert_eq!(errors[1].1, "must be a string");
    }

    #[test]
    fn null_is_no_value() {
        assert_eq!(errors_of(r#"{"email": null}"#), [("/email".to_owned(), "must be a string".to_owned())]);
    }

    #[test]
    fn what_is_no_object_is_refused_without_being_quoted() {
        for bad in ["", "secret", "[]", "\"secret\"", "{\"email\": secret}", "{\"email\":\"a\",\"email\":\"b\"}", "{}x"]
        {
            let errors = errors_of(bad);
            assert_eq!(errors.len(), 1, "{bad}: {errors:?}");
            assert!(!errors[0].1.contains("secret"), "{errors:?}");
        }
    }

    #[test]
    fn json_is_json_in_utf_8() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/json; charset=UTF8",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in [
            "",
            "text/json",
            "application/jsonx",
            "application/json; charset=latin1",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in any::<Vec<u8>>()) {
            let _ = parse::<Card>(&bytes);
        }

        #[test]
        fn only_json_is_json(content_type in "(application/json)?[; ]{0,2}(charset=)?\\PC{0,20}") {
            if is_json(&content_type) {
                let media_type = content_type.split(';').next().unwrap_or_default().trim();
                prop_assert!(media_type.eq_ignore_ascii_case(JSON));
            }
        }
    }
}
