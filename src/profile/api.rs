//! Profiles on the wire.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use serde_json::{Value, json};

use super::get::get_profile;
use super::update::{ProfileChange, UpdateError, update_profile};
use crate::app::App;
use crate::body;
use crate::fault::Fault;
use crate::http::body::{Answer, Body, Documented};
use crate::http::caller::Caller;
use crate::http::problem::{Code, Problem, Refusal, Refused};
use crate::http::spec::Tag;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::optional::Optional;
use crate::kernel::origin::Origin;
use crate::kernel::phone_number::PhoneNumber;
use crate::kernel::preferences::Preferences;
use crate::kernel::text::{Name, Paragraph};
use crate::kernel::username::Username;

/// The operations on profiles.
#[derive(Clone, Copy, Debug)]
pub struct ProfileApi;

#[OpenApi]
impl ProfileApi {
    /// Fetch the profile
    ///
    /// What the caller told about themselves.
    #[oai(path = "/profile/", method = "get", operation_id = "getProfile", tag = "Tag::Profile")]
    async fn get_profile(&self, caller: Caller) -> Result<Answer<ProfileAnswer>, Refused<Fault>> {
        let profile = get_profile(&caller.0).clone();
        Ok(Answer(ProfileAnswer {
            email: profile.email,
            organisation: profile.organisation,
            contact_name: profile.contact_name,
            contact_phone: profile.contact_phone,
            address: profile.address,
            industry: profile.industry,
            use_case: profile.use_case,
        }))
    }

    /// Update the profile
    ///
    /// Changes the members that the body names and leaves the others as they are. Where one of them breaks a rule,
    /// nothing changes at all. `null` or an empty string clears what is optional: `username`, `address`, `industry` and
    /// `use_case`; `contact_email` becomes the account's `email` again. `user_preferences` is replaced as a whole. A profile changes 240 times an hour at most; an
    /// update that names what the profile has already changes nothing and does not count.
    #[oai(path = "/profile/update/", method = "put", operation_id = "updateProfile", tag = "Tag::Profile")]
    async fn update_profile(
        &self,
        app: Data<&Arc<App>>,
        origin: Origin,
        caller: Caller,
        body: Body<UpdateProfileBody>,
    ) -> Result<Answer<UpdateProfileAnswer>, Refused<UpdateError>> {
        update_profile(&app, &origin, &caller.0, body.0.into()).await?;
        Ok(Answer(UpdateProfileAnswer { message: "Profile updated successfully".to_owned() }))
    }
}

/// What the caller told about themselves.
#[derive(Serialize, Object)]
pub struct ProfileAnswer {
    /// What the account logs in with.
    #[oai(validator(max_length = 254))]
    email: String,
    /// Whom they work for.
    #[oai(validator(max_length = 255))]
    organisation: String,
    /// Whom to ask for.
    #[oai(validator(max_length = 255))]
    contact_name: String,
    /// Where to ring.
    #[oai(validator(max_length = 50))]
    contact_phone: String,
    /// Postal address.
    #[oai(nullable, validator(max_length = 2000))]
    address: Option<String>,
    /// What they do.
    #[oai(nullable, validator(max_length = 255))]
    industry: Option<String>,
    /// What they want with AI DocuMines.
    #[oai(nullable, validator(max_length = 2000))]
    use_case: Option<String>,
}

impl Documented for ProfileAnswer {
    const DESCRIPTION: &'static str = "The profile.";

    fn example() -> Value {
        json!({
            "email": "thandi.nkosi@example.com",
            "organisation": "Nkosi Geological Surveys",
            "contact_name": "Thandi Nkosi",
            "contact_phone": "+27 21 555 0147",
            "address": "12 Protea Lane, Stellenbosch",
            "industry": "Geology",
            "use_case": "Finding survey reports by what they say."
        })
    }
}

body! {
    /// What changes. Every member may be omitted.
    pub struct UpdateProfileBody {
        /// A second name; letters, digits and `@ . + - _`. Unique without regard to case. `null` clears it.
        username: Optional<Username>,
        /// Whom you work for.
        organisation: Option<Name>,
        /// Whom to ask for.
        contact_name: Option<Name>,
        /// Where to ring: digits, spaces and `+ - ( ) .`, with 7 to 15 digits.
        contact_phone: Option<PhoneNumber>,
        /// Where to write; `null` for the account's `email`, with which logging in goes on whatever stands here.
        contact_email: Optional<EmailAddress>,
        /// Postal address. `null` clears it.
        address: Optional<Paragraph>,
        /// What you do. `null` clears it.
        industry: Optional<Name>,
        /// What you want with AI DocuMines. `null` clears it.
        use_case: Optional<Paragraph>,
        /// What you like, as a whole: up to 50 members that are strings, numbers or booleans.
        user_preferences: Option<Preferences>,
        /// Whether you want to be told of news.
        notifications_enabled: Option<bool>,
    }
}

impl Documented for UpdateProfileBody {
    const DESCRIPTION: &'static str = "What changes.";

    fn example() -> Value {
        json!({
            "contact_name": "Thandi Nkosi-Botha",
            "contact_phone": "+27 21 555 0199",
            "address": "3 Vygie Street, Stellenbosch"
        })
    }
}

impl From<UpdateProfileBody> for ProfileChange {
    fn from(body: UpdateProfileBody) -> Self {
        Self {
            username: body.username,
            organisation: body.organisation,
            contact_name: body.contact_name,
            contact_phone: body.contact_phone,
            contact_email: body.contact_email,
            address: body.address,
            industry: body.industry,
            use_case: body.use_case,
            preferences: body.user_preferences,
            notifications_enabled: body.notifications_enabled,
        }
    }
}

/// The profile was changed.
#[derive(Serialize, Object)]
pub struct UpdateProfileAnswer {
    /// Always `Profile updated successfully`.
    #[oai(validator(max_length = 100))]
    message: String,
}

impl Documented for UpdateProfileAnswer {
    const DESCRIPTION: &'static str = "The profile was changed.";

    fn example() -> Value {
        json!({"message": "Profile updated successfully"})
    }
}

impl Refusal for UpdateError {
    const CODES: &'static [Code] = &[Code::UsernameTaken, Code::RateLimited];
}

impl From<UpdateError> for Problem {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::Throttled(throttled) => Self::rate_limited(throttled),
            UpdateError::UsernameTaken => Self::new(Code::UsernameTaken),
            UpdateError::Fault(fault) => fault.into(),
        }
    }
}
