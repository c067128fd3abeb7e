//! Who is calling: the three credentials of the seed, as extractors that also say so in the spec.

use std::sync::Arc;

use poem::http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::body::single;
use super::origin::{origin_of, source_of};
use super::problem::{Code, Problem};
use crate::app::App;
use crate::fault::Fault;
use crate::kernel::origin::Origin;
use crate::kernel::token::{ClientId, Token};
use crate::session::identity::{self, ClientCredentials, Identity, IdentityError};
use crate::store::audit::{Event, Reason, Subject};
use crate::store::{AccountId, clients};

/// An account that calls through its client: bearer, client id and client secret.
#[derive(Debug)]
pub struct Caller(pub Arc<Identity>);

/// A client that calls for nobody yet: client id and client secret.
#[derive(Debug)]
pub struct Client(pub clients::Client);

/// A client that merely names itself, by its client id, where the caller has one at all. Credentials of an account are no
/// condition for getting them back; an id that is sent has to be right.
#[derive(Debug)]
pub struct NamedClient(pub Option<clients::Client>);

const X_CLIENT_ID: HeaderName = HeaderName::from_static("x-client-id");
const X_CLIENT_SECRET: HeaderName = HeaderName::from_static("x-client-secret");

/// The schemes' names in the spec.
const CLIENT_ID: &str = "clientId";
const CLIENT_SECRET: &str = "clientSecret";
const BEARER: &str = "bearer";

/// An extractor of credentials: the schemes that the spec names, all of them wanted unless they are `optional`, and how
/// they are checked.
macro_rules! credentials {
    ($type:ident, optional [$($scheme:expr),*], |$app:ident, $request:ident| $check:expr) => {
        credentials!($type, [$($scheme),*], true, |$app, $request| $check);
    };
    ($type:ident, [$($scheme:expr),*], |$app:ident, $request:ident| $check:expr) => {
        credentials!($type, [$($scheme),*], false, |$app, $request| $check);
    };
    ($type:ident, [$($scheme:expr),*], $are_optional:literal, |$app:ident, $request:ident| $check:expr) => {
        impl<'a> ApiExtractor<'a> for $type {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                for scheme in Self::security_schemes() {
                    registry.security_schemes.insert(scheme, describe(scheme));
                }
            }

            fn security_schemes() -> Vec<&'static str> {
                vec![$($scheme),*]
            }

            fn has_security_fallback() -> bool {
                $are_optional
            }

            async fn from_request(
                $request: &'a Request,
                _: &mut RequestBody,
                _: ExtractParamOptions<()>,
            ) -> poem::Result<Self> {
                let $app: &Arc<App> = $request.data().ok_or_else(|| Problem::internal("the request carries no App"))?;
                Ok(Self($check))
            }
        }
    };
}

credentials!(Caller, [CLIENT_ID, CLIENT_SECRET, BEARER], |app, request| {
    let bearer = single(request.headers(), &AUTHORIZATION).and_then(bearer_token);
    let bearer = bearer.map(Token::received);
    let sent = client_credentials(request.headers())?;
    let caller = identity::authenticate(app, &sent, bearer.as_ref(), || source_of(request, app)).await;
    caller.map_err(|error| refuse(error, app, request, sent.id, bearer.is_some()))?
});

credentials!(Client, [CLIENT_ID, CLIENT_SECRET], |app, request| {
    let sent = client_credentials(request.headers())?;
    let client = identity::authenticate_client(app, &sent, source_of(request, app)).await;
    client.map_err(|error| refuse(error, app, request, sent.id, false))?
});

credentials!(NamedClient, optional[CLIENT_ID], |app, request| {
    if request.headers().contains_key(X_CLIENT_ID) {
        let sent = client_id(request.headers())?;
        let client = identity::find_client(app, &sent).await;
        Some(client.map_err(|error| refuse(error, app, request, sent, false))?)
    } else {
        None
    }
});

/// Credentials that were refused, on their way to the record. They travel with the error: the request's id is known
/// further out alone.
#[derive(Clone, Debug)]
pub(super) struct RefusedCaller {
    event: Event,
    reason: Reason,
    client: ClientId,
    origin: Origin,
}

impl RefusedCaller {
    /// Puts it on the record.
    pub(super) fn note(self, app: &App, request_id: String) {
        let origin = Origin { request_id, ..self.origin };
        let subject =
            Subject { account: AccountId::NOBODY, session: None, client: Some(&self.client), origin: &origin };
        app.refusals.note(self.event, self.reason, subject, app.clock.now());
    }
}

/// What is answered; credentials that could have been right are put on the record. Missing or garbled ones are no try.
fn refuse(error: IdentityError, app: &App, request: &Request, client: ClientId, bearer_was_sent: bool) -> poem::Error {
    let (problem, refused) = match error {
        IdentityError::InvalidClient => {
            (Problem::new(Code::InvalidClient), Some((Event::ClientRefused, Reason::InvalidClient)))
        }
        IdentityError::InvalidToken => {
            let refused = bearer_was_sent.then_some((Event::TokenRefused, Reason::InvalidToken));
            (Problem::invalid_token(bearer_was_sent), refused)
        }
        IdentityError::Throttled(throttled) => {
            (Problem::rate_limited(throttled), Some((Event::Throttled, Reason::RateLimited)))
        }
        IdentityError::Store(error) => (Fault::Store(error).into(), None),
    };
    let mut error: poem::Error = problem.into();
    if let Some((event, reason)) = refused {
        error.set_data(RefusedCaller { event, reason, client, origin: origin_of(request, app) });
    }
    error
}

fn client_id(headers: &HeaderMap) -> Result<ClientId, Problem> {
    let sent = single(headers, &X_CLIENT_ID);
    sent.and_then(ClientId::parse).ok_or_else(|| Problem::new(Code::InvalidClient))
}

fn client_credentials(headers: &HeaderMap) -> Result<ClientCredentials, Problem> {
    let id = client_id(headers)?;
    let secret = single(headers, &X_CLIENT_SECRET).filter(|secret| secret.len() == Token::CLIENT_SECRET_LENGTH);
    let secret = secret.ok_or_else(|| Problem::new(Code::InvalidClient))?;
    Ok(ClientCredentials { id, secret: Token::received(secret) })
}

/// The token of an `Authorization` header (RFC 6750, section 2.1); another scheme is as if nothing was sent.
fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn describe(scheme: &'static str) -> MetaSecurityScheme {
    let api_key = |name, description| MetaSecurityScheme {
        ty: "apiKey",
        description: Some(description),
        name: Some(name),
        key_in: Some("header"),
        scheme: None,
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    };
    match scheme {
        CLIENT_ID => api_key("X-Client-ID", "`client_id` of the answer to sign-up: 40 letters and digits."),
        CLIENT_SECRET => {
            api_key("X-Client-Secret", "`client_secret` of the answer to sign-up: 128 letters and digits.")
        }
        _ => MetaSecurityScheme {
            ty: "http",
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("30 letters and digits"),
            ..api_key("", "`access_token` of the answer to login or refresh: 30 letters and digits.")
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_scheme_is_bearer_in_whatever_case() {
        assert_eq!(bearer_token("Bearer abc"), Some("abc"));
        assert_eq!(bearer_token("bearer  abc "), Some("abc"));
        for none in ["", "Bearer", "Bearer ", "Basic abc", "Bearerabc", "abc"] {
            assert_eq!(bearer_token(none), None, "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn a_token_is_what_stands_behind_the_scheme(header in "\\PC{0,60}") {
            if let Some(token) = bearer_token(&header) {
                prop_assert!(header.contains(token) && !token.is_empty() && header.len() > token.len() + 6);
            }
        }

        #[test]
        fn no_header_makes_the_client_parser_panic(id in "\\PC{0,60}", secret in "\\PC{0,140}") {
            let mut headers = HeaderMap::new();
            if let (Ok(id), Ok(secret)) = (id.parse(), secret.parse()) {
                headers.insert("x-client-id", id);
                headers.insert("x-client-secret", secret);
            }
            let _ = client_credentials(&headers);
        }
    }
}
