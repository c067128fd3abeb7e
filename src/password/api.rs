//! Password resets on the wire.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use serde_json::{Value, json};

use super::request_reset::{RequestResetError, request_password_reset};
use super::reset::{ResetError, reset_password};
use crate::app::App;
use crate::body;
use crate::http::body::{Answer, Body, Documented};
use crate::http::caller::NamedClient;
use crate::http::local::IsLocal;
use crate::http::problem::{Code, Problem, Refusal, Refused};
use crate::http::spec::Tag;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::optional::Optional;
use crate::kernel::origin::Origin;
use crate::kernel::password::NewPassword;
use crate::kernel::token::Token;

/// The operations on passwords.
#[derive(Clone, Copy, Debug)]
pub struct PasswordApi;

#[OpenApi]
impl PasswordApi {
    /// Request a password reset
    ///
    /// Mails a token that opens one change of password, within the hour. A newer request takes the force of an older
    /// one. An e-mail address that nobody has gets the same answer, after the same time; so does one that three mails
    /// went to within the hour, and the last of them stays good.
    ///
    /// The client id may be omitted, and is checked when it is sent: it is public and proves nothing, and a caller who lost
    /// it needs this call most. `resetPassword` can give a new client.
    ///
    /// `reset_token` is in the answer only where the operator allows it: by default while the server is for its own
    /// machine alone (no mail server, no proxy, a loopback address and public URL), and then only where the call comes
    /// from that machine directly. On the open internet the mail alone carries it.
    #[oai(
        path = "/password/reset/request/",
        method = "post",
        operation_id = "requestPasswordReset",
        tag = "Tag::Password"
    )]
    async fn request_password_reset(
        &self,
        app: Data<&Arc<App>>,
        origin: Origin,
        is_local: IsLocal,
        client: NamedClient,
        body: Body<RequestPasswordResetBody>,
    ) -> Result<Answer<RequestPasswordResetAnswer>, Refused<RequestResetError>> {
        let token = request_password_reset(&app, &origin, client.0.as_ref(), &body.0.email).await?;
        let is_shown = app.settings.reset_token_shown().is_shown(is_local.0);
        let reset_token = is_shown.then(|| token.expose().to_owned());
        Ok(Answer(RequestPasswordResetAnswer {
            message: "Password reset token sent to your email".to_owned(),
            reset_token,
        }))
    }

    /// Reset the password
    ///
    /// Sets a new password. Every session of the account ends, its login opens where too many failures had closed it,
    /// and its owner is told by mail. A password that is too weak leaves the token usable.
    ///
    /// With `"new_client": true` the answer has `client_id` and `client_secret` of a new client of the account, shown this
    /// once: for an owner whose client is lost (the answer to sign-up among them), and for an owner whose e-mail address
    /// somebody else signed up with. The older clients stay. An account has 20 at most; where it has those, the client that
    /// was unused for longest is revoked.
    ///
    /// The client id may be omitted, and is checked when it is sent.
    #[oai(path = "/password/reset/", method = "post", operation_id = "resetPassword", tag = "Tag::Password")]
    async fn reset_password(
        &self,
        app: Data<&Arc<App>>,
        origin: Origin,
        client: NamedClient,
        body: Body<ResetPasswordBody>,
    ) -> Result<Answer<ResetPasswordAnswer>, Refused<ResetError>> {
        let ResetPasswordBody { token, new_password, new_client } = body.0;
        let wants_client = new_client.given().unwrap_or_default();
        let issued = reset_password(&app, &origin, client.0.as_ref(), &token, new_password, wants_client).await?;
        let (client_id, client_secret) = issued.map(|client| (client.id, client.secret)).unzip();
        Ok(Answer(ResetPasswordAnswer {
            message: "Password reset successful".to_owned(),
            client_id: client_id.map(|id| id.as_str().to_owned()),
            client_secret: client_secret.map(|secret| secret.expose().to_owned()),
        }))
    }
}

body! {
    /// Whose password is lost.
    pub struct RequestPasswordResetBody {
        /// The account's e-mail address, in whatever case.
        email: EmailAddress,
    }
}

impl Documented for RequestPasswordResetBody {
    const DESCRIPTION: &'static str = "Whose password is lost.";

    fn example() -> Value {
        json!({"email": "thandi.nkosi@example.com"})
    }
}

/// A token is on its way, if there is such an account.
#[derive(Serialize, Object)]
pub struct RequestPasswordResetAnswer {
    /// Always `Password reset token sent to your email`.
    #[oai(validator(max_length = 100))]
    message: String,
    /// The token, where the operator allows it in the answer; else the member is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(validator(min_length = 36, max_length = 36, pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"))]
    reset_token: Option<String>,
}

impl Documented for RequestPasswordResetAnswer {
    const DESCRIPTION: &'static str = "A token is on its way, if there is such an account.";

    fn example() -> Value {
        json!({
            "message": "Password reset token sent to your email",
            "reset_token": "c1b6a7de-31f0-4d0c-9a55-7f2f4f1be09c"
        })
    }
}

body! {
    /// The token and what the password shall be.
    pub struct ResetPasswordBody {
        /// The token of the mail.
        token: Token,
        /// 8 to 128 characters, any of them. Refused when it is easy to guess, or contains the e-mail address, what stands
        /// before its `@`, the username or the contact's name (of four characters and more), in whatever case.
        new_password: NewPassword,
        /// Whether the answer shall have a new client of the account, for an owner who has none: `false` unless given.
        new_client: Optional<bool>,
    }
}

impl Documented for ResetPasswordBody {
    const DESCRIPTION: &'static str = "The token and what the password shall be.";

    fn example() -> Value {
        json!({
            "token": "c1b6a7de-31f0-4d0c-9a55-7f2f4f1be09c",
            "new_password": "copper-heron-82-drift",
            "new_client": false
        })
    }
}

/// The password is the new one.
#[derive(Serialize, Object)]
pub struct ResetPasswordAnswer {
    /// Always `Password reset successful`.
    #[oai(validator(max_length = 100))]
    message: String,
    /// The new client's id, where the body asked for one; else the member is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(validator(min_length = 40, max_length = 40, pattern = "^[A-Za-z0-9]+$"))]
    client_id: Option<String>,
    /// The new client's secret, shown this once, where the body asked for one; else the member is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(validator(min_length = 128, max_length = 128, pattern = "^[A-Za-z0-9]+$"))]
    client_secret: Option<String>,
}

impl Documented for ResetPasswordAnswer {
    const DESCRIPTION: &'static str = "The password is the new one, and every session has ended.";

    fn example() -> Value {
        json!({
            "message": "Password reset successful",
            "client_id": "Wq3ZtX0nB8vKc51sLyRj7HdUeo2MfGpA9iT4CbNx",
            "client_secret": "pX7c".repeat(32)
        })
    }
}

impl Refusal for RequestResetError {
    const CODES: &'static [Code] = &[Code::RateLimited];
}

impl From<RequestResetError> for Problem {
    fn from(error: RequestResetError) -> Self {
        match error {
            RequestResetError::Throttled(throttled) => Self::rate_limited(throttled),
            RequestResetError::Fault(fault) => fault.into(),
        }
    }
}

impl Refusal for ResetError {
    const CODES: &'static [Code] = &[Code::InvalidResetToken, Code::WeakPassword, Code::RateLimited, Code::Overloaded];
}

impl From<ResetError> for Problem {
    fn from(error: ResetError) -> Self {
        match error {
            ResetError::Throttled(throttled) => Self::rate_limited(throttled),
            ResetError::InvalidResetToken => Self::new(Code::InvalidResetToken),
            ResetError::WeakPassword(reason) => Self::weak_password("new_password", &reason),
            ResetError::Fault(fault) => fault.into(),
        }
    }
}
