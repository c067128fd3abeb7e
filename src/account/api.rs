//! Accounts on the wire.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use serde_json::{Value, json};

use super::signup::{SignedUp, Signup, SignupError, signup};
use crate::app::App;
use crate::body;
use crate::http::body::{Answer, Body, Documented};
use crate::http::problem::{Code, Problem, Refusal, Refused};
use crate::http::spec::Tag;
use crate::kernel::clock::{Timestamp, TotalTime};
use crate::kernel::email_address::EmailAddress;
use crate::kernel::optional::Optional;
use crate::kernel::origin::Origin;
use crate::kernel::password::NewPassword;
use crate::kernel::phone_number::PhoneNumber;
use crate::kernel::preferences::Preferences;
use crate::kernel::text::{Name, Paragraph};
use crate::kernel::username::Username;

/// The operations on accounts.
#[derive(Clone, Copy, Debug)]
pub struct AccountApi;

#[OpenApi]
impl AccountApi {
    /// Sign up
    ///
    /// Makes an account and the client that logs it in. Keep `client_secret`: it is shown this once, and only its
    /// digest is kept. A new account is on the `premium` plan, on trial until `plan_expiry_date`.
    ///
    /// Where the answer was lost, or the e-mail address is taken though it is yours (409 `email_taken`), reset the password
    /// with `new_client`: that opens the account with a new client, and wants none. An account that was never logged in to
    /// and whose address was never verified gives its address and username free after 7 days.
    ///
    /// Strings are trimmed; the password is taken as it comes. What may be omitted may be `null` or empty as well.
    #[oai(path = "/signup/", method = "post", operation_id = "signup", tag = "Tag::Account")]
    async fn signup(
        &self,
        app: Data<&Arc<App>>,
        origin: Origin,
        body: Body<SignupBody>,
    ) -> Result<Answer<SignupAnswer, 201>, Refused<SignupError>> {
        let signed_up = signup(&app, &origin, body.0.into()).await?;
        Ok(Answer(signed_up.into()))
    }
}

body! {
    /// What somebody says who joins.
    pub struct SignupBody {
        /// A second name; letters, digits and `@ . + - _`. Unique without regard to case. May be omitted.
        username: Optional<Username>,
        /// Where mail goes and what the account logs in with. Unique without regard to case; kept in lower case, and an
        /// international domain in its ASCII form.
        email: EmailAddress,
        /// 8 to 128 characters, any of them. Refused when it is among the commonest, easy to guess from the other members,
        /// or contains the e-mail address, what stands before its `@`, the username or the contact's name (of four
        /// characters and more), in whatever case.
        password: NewPassword,
        /// Whom you work for.
        organisation: Name,
        /// Whom to ask for.
        contact_name: Name,
        /// Where to ring: digits, spaces and `+ - ( ) .`, with 7 to 15 digits.
        contact_phone: PhoneNumber,
        /// Where to write, if elsewhere than `email`.
        contact_email: Optional<EmailAddress>,
        /// Postal address. May be omitted.
        address: Optional<Paragraph>,
        /// What you do. May be omitted.
        industry: Optional<Name>,
        /// What you want with AI DocuMines. May be omitted.
        use_case: Optional<Paragraph>,
    }
}

impl Documented for SignupBody {
    const DESCRIPTION: &'static str = "Who joins.";

    fn example() -> Value {
        json!({
            "username": "thandi.nkosi",
            "email": "thandi.nkosi@example.com",
            "password": "maize-lantern-47-tide",
            "organisation": "Nkosi Geological Surveys",
            "contact_name": "Thandi Nkosi",
            "contact_phone": "+27 21 555 0147",
            "contact_email": "office@example.com",
            "address": "12 Protea Lane, Stellenbosch",
            "industry": "Geology",
            "use_case": "Finding survey reports by what they say."
        })
    }
}

impl From<SignupBody> for Signup {
    fn from(body: SignupBody) -> Self {
        Self {
            username: body.username.given(),
            email: body.email,
            password: body.password,
            organisation: body.organisation,
            contact_name: body.contact_name,
            contact_phone: body.contact_phone,
            contact_email: body.contact_email.given(),
            address: body.address.given(),
            industry: body.industry.given(),
            use_case: body.use_case.given(),
        }
    }
}

/// The new account, and the client that logs it in.
#[derive(Serialize, Object)]
pub struct SignupAnswer {
    /// Always `User registered successfully`.
    #[oai(validator(max_length = 100))]
    message: String,
    /// The account's number.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740991")))]
    user_id: i64,
    /// As given.
    #[oai(validator(max_length = 255))]
    organisation: String,
    /// As given.
    #[oai(validator(max_length = 255))]
    contact_name: String,
    /// As given.
    #[oai(validator(max_length = 50))]
    contact_phone: String,
    /// As given.
    #[oai(nullable, validator(max_length = 255))]
    industry: Option<String>,
    /// As given.
    #[oai(nullable, validator(max_length = 2000))]
    use_case: Option<String>,
    /// For the header X-Client-ID: 40 letters and digits.
    #[oai(validator(min_length = 40, max_length = 40, pattern = "^[A-Za-z0-9]+$"))]
    client_id: String,
    /// For the header X-Client-Secret: 128 letters and digits, shown this once.
    #[oai(validator(min_length = 128, max_length = 128, pattern = "^[A-Za-z0-9]+$"))]
    client_secret: String,
    /// When the account was made.
    profile_created_at: Timestamp,
    /// When it last logged in.
    #[oai(nullable)]
    last_login: Option<Timestamp>,
    /// When it last called an operation as itself.
    #[oai(nullable)]
    last_activity: Option<Timestamp>,
    /// The time between login and last call, summed over its sessions: an ISO 8601 duration, and `N/A` before the
    /// first login.
    #[oai(validator(pattern = "^(N/A|PT([0-9]+H)?([0-9]+M)?([0-9]+S)?)$", max_length = 50))]
    total_time_logged_in: String,
    /// Calls that it made as itself.
    #[oai(validator(minimum(value = "0"), maximum(value = "9007199254740991")))]
    total_api_calls_made: i64,
    /// `active` where it may log in.
    #[oai(validator(pattern = "^[a-z_]+$", max_length = 50))]
    account_status: String,
    /// Files that it holds, as the document service reports them.
    #[oai(validator(minimum(value = "0"), maximum(value = "9007199254740991")))]
    total_files_uploaded: i64,
    /// The plan that it is on.
    #[oai(validator(pattern = "^[a-z_]+$", max_length = 50))]
    subscription_plan: String,
    /// When that plan ends: RFC 3339, to the second, UTC.
    #[oai(validator(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", max_length = 20))]
    plan_expiry_date: String,
    /// Whether a login asks for more than the password.
    #[serde(rename = "2fa_enabled")]
    #[oai(rename = "2fa_enabled")]
    second_factor_enabled: bool,
    /// What it may do beyond the ordinary.
    #[oai(validator(max_items = 100, max_length = 150))]
    roles: Vec<String>,
    /// The document that it worked on last, as the document service reports it.
    #[oai(nullable, validator(max_length = 255))]
    last_document_edited: Option<String>,
    /// What it likes: `theme`, `language` and whatever the platform's pages keep there.
    user_preferences: Preferences,
    /// Whether it wants to be told of news.
    notifications_enabled: bool,
}

impl Documented for SignupAnswer {
    const DESCRIPTION: &'static str = "The account is there. Keep `client_id` and `client_secret`.";

    fn example() -> Value {
        json!({
            "message": "User registered successfully",
            "user_id": 7,
            "organisation": "Nkosi Geological Surveys",
            "contact_name": "Thandi Nkosi",
            "contact_phone": "+27 21 555 0147",
            "industry": "Geology",
            "use_case": "Finding survey reports by what they say.",
            "client_id": "Wq3ZtX0nB8vKc51sLyRj7HdUeo2MfGpA9iT4CbNx",
            "client_secret": "pX7c".repeat(32),
            "profile_created_at": "2026-03-02T08:15:30.481516Z",
            "last_login": null,
            "last_activity": null,
            "total_time_logged_in": "N/A",
            "total_api_calls_made": 0,
            "account_status": "active",
            "total_files_uploaded": 0,
            "subscription_plan": "premium",
            "plan_expiry_date": "2026-06-01T00:00:00Z",
            "2fa_enabled": false,
            "roles": [],
            "last_document_edited": null,
            "user_preferences": {"theme": "light", "language": "en"},
            "notifications_enabled": true
        })
    }
}

impl From<SignedUp> for SignupAnswer {
    fn from(signed_up: SignedUp) -> Self {
        let SignedUp { account, client_id, client_secret } = signed_up;
        let standing = account.standing;
        let has_logged_in = standing.last_login_at.is_some();
        Self {
            message: "User registered successfully".to_owned(),
            user_id: account.id.0,
            organisation: account.profile.organisation,
            contact_name: account.profile.contact_name,
            contact_phone: account.profile.contact_phone,
            industry: account.profile.industry,
            use_case: account.profile.use_case,
            client_id: client_id.as_str().to_owned(),
            client_secret: client_secret.expose().to_owned(),
            profile_created_at: standing.created_at,
            last_login: standing.last_login_at,
            last_activity: standing.last_activity_at,
            total_time_logged_in: if has_logged_in {
                TotalTime(standing.logged_in_micros).to_string()
            } else {
                "N/A".to_owned()
            },
            total_api_calls_made: standing.api_calls,
            account_status: standing.status,
            total_files_uploaded: standing.files_uploaded,
            subscription_plan: standing.subscription_plan,
            plan_expiry_date: standing.plan_expires_at.to_rfc3339_seconds(),
            second_factor_enabled: standing.second_factor_enabled,
            roles: standing.roles,
            last_document_edited: standing.last_document_edited,
            user_preferences: standing.preferences,
            notifications_enabled: standing.notifications_enabled,
        }
    }
}

impl Refusal for SignupError {
    const CODES: &'static [Code] =
        &[Code::WeakPassword, Code::EmailTaken, Code::UsernameTaken, Code::RateLimited, Code::Overloaded];
}

impl From<SignupError> for Problem {
    fn from(error: SignupError) -> Self {
        match error {
            SignupError::Throttled(throttled) => Self::rate_limited(throttled),
            SignupError::EmailTaken => Self::new(Code::EmailTaken),
            SignupError::UsernameTaken => Self::new(Code::UsernameTaken),
            SignupError::WeakPassword(reason) => Self::weak_password("password", &reason),
            SignupError::Fault(fault) => fault.into(),
        }
    }
}
