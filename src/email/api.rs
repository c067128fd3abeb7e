//! E-mail addresses on the wire.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use serde_json::{Value, json};

use super::change::{ChangeError, change_email};
use super::request_verification::{RequestVerificationError, request_email_verification};
use super::verify::{VerifyError, verify_email};
use crate::app::App;
use crate::body;
use crate::http::body::{Answer, Body, Documented};
use crate::http::caller::{Caller, NamedClient};
use crate::http::problem::{Code, FieldError, Problem, Refusal, Refused};
use crate::http::spec::Tag;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::origin::Origin;
use crate::kernel::password::Password;
use crate::kernel::token::Token;

/// The operations on e-mail addresses.
#[derive(Clone, Copy, Debug)]
pub struct EmailApi;

#[OpenApi]
impl EmailApi {
    /// Request an e-mail verification
    ///
    /// Mails a token to an account's e-mail address that was not verified yet, good for a day. A newer one takes the force
    /// of an older one; the first came with the welcome.
    ///
    /// It wants no bearer, so that who may not log in before the verification can ask too; the client id may be omitted, and
    /// is checked when it is sent. An address that
    /// nobody has, or that was verified, gets the same answer, after the same time, and no mail. No answer ever carries the
    /// token.
    #[oai(
        path = "/email/verify/request/",
        method = "post",
        operation_id = "requestEmailVerification",
        tag = "Tag::Email"
    )]
    async fn request_email_verification(
        &self,
        app: Data<&Arc<App>>,
        origin: Origin,
        client: NamedClient,
        body: Body<RequestEmailVerificationBody>,
    ) -> Result<Answer<RequestEmailVerificationAnswer>, Refused<RequestVerificationError>> {
        request_email_verification(&app, &origin, client.0.as_ref(), &body.0.email).await?;
        Ok(Answer(RequestEmailVerificationAnswer { message: "Verification token sent to your email".to_owned() }))
    }

    /// Verify an e-mail address
    ///
    /// Takes the token of a mail, once, as a proof that you read what is sent to that address. A page that a mail links to
    /// calls it when its reader presses a button, and needs nothing else: the client id may be omitted, and is checked when it
    /// is sent.
    ///
    /// Where the token belongs to `changeEmail`, the address becomes the account's from now on: what it logs in with, and
    /// its `contact_email` where that was the old one. The new address and, where it was verified, the old one are told by
    /// mail, reset and verification tokens that were mailed before are void, and sessions go on. Where somebody else has
    /// signed up with it meanwhile, nothing changes (409 `email_taken`).
    #[oai(path = "/email/verify/", method = "post", operation_id = "verifyEmail", tag = "Tag::Email")]
    async fn verify_email(
        &self,
        app: Data<&Arc<App>>,
        origin: Origin,
        client: NamedClient,
        body: Body<VerifyEmailBody>,
    ) -> Result<Answer<VerifyEmailAnswer>, Refused<VerifyError>> {
        let email = verify_email(&app, &origin, client.0.as_ref(), &body.0.token).await?;
        Ok(Answer(VerifyEmailAnswer { message: "Email verified successfully".to_owned(), email }))
    }

    /// Change the e-mail address
    ///
    /// Mails a token to the new address and, where it was verified, a notice to the old one. Nothing changes before
    /// `verifyEmail` takes that token, within a day. A newer request takes the force of an older one, and so does a
    /// password reset. Whether somebody has the new address already is not said: then no token goes out, as after
    /// three mails to the new address within the hour.
    ///
    /// It wants the password once more; wrong ones count as failed logins do.
    #[oai(path = "/email/change/", method = "post", operation_id = "changeEmail", tag = "Tag::Email")]
    async fn change_email(
        &self,
        app: Data<&Arc<App>>,
        origin: Origin,
        caller: Caller,
        body: Body<ChangeEmailBody>,
    ) -> Result<Answer<ChangeEmailAnswer>, Refused<ChangeError>> {
        let ChangeEmailBody { email, password } = body.0;
        change_email(&app, &origin, &caller.0, &email, password).await?;
        Ok(Answer(ChangeEmailAnswer { message: "Verification token sent to your new email".to_owned() }))
    }
}

body! {
    /// Which address waits to be verified.
    pub struct RequestEmailVerificationBody {
        /// The account's e-mail address, in whatever case.
        email: EmailAddress,
    }
}

impl Documented for RequestEmailVerificationBody {
    const DESCRIPTION: &'static str = "Which address waits to be verified.";

    fn example() -> Value {
        json!({"email": "thandi.nkosi@example.com"})
    }
}

/// A token is on its way, if there is such an account whose address waits to be verified.
#[derive(Serialize, Object)]
pub struct RequestEmailVerificationAnswer {
    /// Always `Verification token sent to your email`.
    #[oai(validator(max_length = 100))]
    message: String,
}

impl Documented for RequestEmailVerificationAnswer {
    const DESCRIPTION: &'static str =
        "A token is on its way, if there is such an account whose address waits to be verified.";

    fn example() -> Value {
        json!({"message": "Verification token sent to your email"})
    }
}

body! {
    /// The proof.
    pub struct VerifyEmailBody {
        /// The token of the mail.
        token: Token,
    }
}

impl Documented for VerifyEmailBody {
    const DESCRIPTION: &'static str = "The proof that you read the mail of an address.";

    fn example() -> Value {
        json!({"token": "5d0f6c1e-8a3b-4c57-9f21-6e7b0d94a1c8"})
    }
}

/// The address is verified.
#[derive(Serialize, Object)]
pub struct VerifyEmailAnswer {
    /// Always `Email verified successfully`.
    #[oai(validator(max_length = 100))]
    message: String,
    /// The address, which is the account's from now on where it was not before.
    email: EmailAddress,
}

impl Documented for VerifyEmailAnswer {
    const DESCRIPTION: &'static str = "The address is verified, and the account's.";

    fn example() -> Value {
        json!({"message": "Email verified successfully", "email": "thandi.nkosi@example.com"})
    }
}

body! {
    /// What the account's address shall be.
    pub struct ChangeEmailBody {
        /// The new e-mail address; kept in lower case.
        email: EmailAddress,
        /// The account's password.
        password: Password,
    }
}

impl Documented for ChangeEmailBody {
    const DESCRIPTION: &'static str = "What the account's address shall be.";

    fn example() -> Value {
        json!({"email": "thandi.botha@example.com", "password": "maize-lantern-47-tide"})
    }
}

/// A token is on its way to the new address.
#[derive(Serialize, Object)]
pub struct ChangeEmailAnswer {
    /// Always `Verification token sent to your new email`.
    #[oai(validator(max_length = 100))]
    message: String,
}

impl Documented for ChangeEmailAnswer {
    const DESCRIPTION: &'static str =
        "A token is on its way to the new address, if nobody has it. Nothing changed yet.";

    fn example() -> Value {
        json!({"message": "Verification token sent to your new email"})
    }
}

impl Refusal for RequestVerificationError {
    const CODES: &'static [Code] = &[Code::RateLimited];
}

impl From<RequestVerificationError> for Problem {
    fn from(error: RequestVerificationError) -> Self {
        match error {
            RequestVerificationError::Throttled(throttled) => Self::rate_limited(throttled),
            RequestVerificationError::Fault(fault) => fault.into(),
        }
    }
}

impl Refusal for VerifyError {
    const CODES: &'static [Code] = &[Code::InvalidVerificationToken, Code::EmailTaken, Code::RateLimited];
}

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Throttled(throttled) => Self::rate_limited(throttled),
            VerifyError::InvalidVerificationToken => Self::new(Code::InvalidVerificationToken),
            VerifyError::EmailTaken => Self::new(Code::EmailTaken),
            VerifyError::Fault(fault) => fault.into(),
        }
    }
}

impl Refusal for ChangeError {
    const CODES: &'static [Code] =
        &[Code::WrongPassword, Code::PasswordResetRequired, Code::RateLimited, Code::Overloaded];
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Throttled(throttled) => Self::rate_limited(throttled),
            ChangeError::Closed => Self::new(Code::PasswordResetRequired),
            ChangeError::WrongPassword => Self::new(Code::WrongPassword),
            ChangeError::SameEmail => {
                Self::invalid(vec![FieldError::of_member("email", "is the address of this account already")])
            }
            ChangeError::Fault(fault) => fault.into(),
        }
    }
}
