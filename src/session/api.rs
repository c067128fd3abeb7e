//! Sessions on the wire.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use serde_json::{Value, json};

use super::issue::TokenPair;
use super::login::{LoginError, login};
use super::refresh::{RefreshError, refresh_token};
use crate::app::App;
use crate::body;
use crate::http::body::{Answer, Body, Documented};
use crate::http::caller::Client;
use crate::http::problem::{Code, Problem, Refusal, Refused};
use crate::http::spec::Tag;
use crate::kernel::clock::Timestamp;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::origin::Origin;
use crate::kernel::password::Password;
use crate::kernel::token::Token;

/// The operations on sessions.
#[derive(Clone, Copy, Debug)]
pub struct SessionApi;

#[OpenApi]
impl SessionApi {
    /// Log in
    ///
    /// Opens a session and answers its first pair of tokens. The client that sign-up gave logs in its own account
    /// alone. An unknown e-mail address, a wrong password and a client of another account get the same answer, after
    /// the same time.
    ///
    /// Five failures cost nothing; each further one doubles a wait, from one second to a quarter of an hour, for this
    /// e-mail address from where you call. After 100 failures in a row only a password reset opens the login (403
    /// `password_reset_required`). E-mail addresses that nobody has are counted alike.
    ///
    /// An account is logged in to 300 times an hour at most, and has 200 sessions at most unless the operator says another
    /// number: past it the session that was unused for longest ends.
    ///
    /// Where the operator wants it, an address has to be verified before its account can log in (403
    /// `email_not_verified`).
    #[oai(path = "/login/", method = "post", operation_id = "login", tag = "Tag::Session")]
    async fn login(
        &self,
        app: Data<&Arc<App>>,
        origin: Origin,
        client: Client,
        body: Body<LoginBody>,
    ) -> Result<Answer<TokenAnswer>, Refused<LoginError>> {
        let LoginBody { email, password } = body.0;
        let pair = login(&app, &origin, &client.0, &email, password).await?;
        Ok(Answer(pair.into()))
    }

    /// Refresh the tokens
    ///
    /// Exchanges a refresh token for a fresh pair of the same session. Each is good for one exchange; so that browser
    /// tabs which refresh at the same moment log nobody out, it may come back within 10 seconds. It may also come back
    /// later as long as no token of the newer pair was used: the answer that carried them may have been lost. It gives
    /// five pairs at most. A token that comes back after 10 seconds although a newer pair was used counts as stolen, and
    /// the session ends; the session also ends where two pairs of one token are refreshed after the 10 seconds from
    /// different networks. The owner is told by mail, if the e-mail address is verified.
    ///
    /// A session is refreshed 120 times an hour at most, and all sessions of an account together 600 times.
    ///
    /// The session's end, `refresh_expires`, does not move.
    #[oai(path = "/refresh-token/", method = "post", operation_id = "refreshToken", tag = "Tag::Session")]
    async fn refresh_token(
        &self,
        app: Data<&Arc<App>>,
        origin: Origin,
        client: Client,
        body: Body<RefreshTokenBody>,
    ) -> Result<Answer<TokenAnswer>, Refused<RefreshError>> {
        let pair = refresh_token(&app, &origin, &client.0, &body.0.refresh_token).await?;
        Ok(Answer(pair.into()))
    }
}

body! {
    /// Who logs in.
    pub struct LoginBody {
        /// The account's e-mail address, in whatever case.
        email: EmailAddress,
        /// The account's password.
        password: Password,
    }
}

impl Documented for LoginBody {
    const DESCRIPTION: &'static str = "Who logs in.";

    fn example() -> Value {
        json!({"email": "thandi.nkosi@example.com", "password": "maize-lantern-47-tide"})
    }
}

body! {
    /// What is exchanged.
    pub struct RefreshTokenBody {
        /// `refresh_token` of the last answer to login or refresh.
        refresh_token: Token,
    }
}

impl Documented for RefreshTokenBody {
    const DESCRIPTION: &'static str = "What is exchanged.";

    fn example() -> Value {
        json!({"refresh_token": "h2Vq8sYt0LcXw5RzKe71NbAjUo3DfM"})
    }
}

/// A session's pair of tokens.
#[derive(Serialize, Object)]
pub struct TokenAnswer {
    /// For the header Authorization, after `Bearer `: 30 letters and digits.
    #[oai(validator(min_length = 30, max_length = 30, pattern = "^[A-Za-z0-9]+$"))]
    access_token: String,
    /// When the access token ends: `YYYY-MM-DD HH:MM:SS`, UTC.
    #[oai(validator(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$", max_length = 19))]
    expires: String,
    /// Always `Bearer`.
    #[oai(validator(pattern = "^Bearer$", max_length = 6))]
    token_type: String,
    /// Seconds until the access token ends.
    #[oai(validator(minimum(value = "0"), maximum(value = "315360000")))]
    expires_in: i64,
    /// For `refreshToken`: 30 letters and digits.
    #[oai(validator(min_length = 30, max_length = 30, pattern = "^[A-Za-z0-9]+$"))]
    refresh_token: String,
    /// When the session ends, however often it is refreshed: `YYYY-MM-DD HH:MM:SS`, UTC.
    #[oai(validator(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$", max_length = 19))]
    refresh_expires: String,
}

impl Documented for TokenAnswer {
    const DESCRIPTION: &'static str = "A fresh pair of tokens.";

    fn example() -> Value {
        json!({
            "access_token": "k7RmWq2XvB9tYc4LzJd0NfHs8PaG5e",
            "expires": "2026-03-03 08:16:02",
            "token_type": "Bearer",
            "expires_in": 86400,
            "refresh_token": "h2Vq8sYt0LcXw5RzKe71NbAjUo3DfM",
            "refresh_expires": "2026-04-01 08:16:02"
        })
    }
}

impl From<TokenPair> for TokenAnswer {
    fn from(pair: TokenPair) -> Self {
        let seconds_to = |end: Timestamp| end.micros_since(pair.issued_at) / 1_000_000;
        Self {
            access_token: pair.access_token.expose().to_owned(),
            expires: pair.access_expires_at.to_seconds_with_space(),
            token_type: "Bearer".to_owned(),
            expires_in: seconds_to(pair.access_expires_at),
            refresh_token: pair.refresh_token.expose().to_owned(),
            refresh_expires: pair.refresh_expires_at.to_seconds_with_space(),
        }
    }
}

impl Refusal for LoginError {
    const CODES: &'static [Code] = &[
        Code::InvalidCredentials,
        Code::AccountInactive,
        Code::EmailNotVerified,
        Code::PasswordResetRequired,
        Code::RateLimited,
        Code::Overloaded,
    ];
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Throttled(throttled) => Self::rate_limited(throttled),
            LoginError::Closed => Self::new(Code::PasswordResetRequired),
            LoginError::InvalidCredentials => Self::new(Code::InvalidCredentials),
            LoginError::AccountInactive => Self::new(Code::AccountInactive),
            LoginError::EmailNotVerified => Self::new(Code::EmailNotVerified),
            LoginError::Fault(fault) => fault.into(),
        }
    }
}

impl Refusal for RefreshError {
    const CODES: &'static [Code] = &[Code::InvalidRefreshToken, Code::RateLimited];
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Throttled(throttled) => Self::rate_limited(throttled),
            RefreshError::InvalidRefreshToken => Self::new(Code::InvalidRefreshToken),
            RefreshError::Fault(fault) => fault.into(),
        }
    }
}
