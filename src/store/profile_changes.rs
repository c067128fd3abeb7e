//! Changes of what people told about themselves.

use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, SqlErr};
use serde_json::Value;

use super::accounts::{Account, Profile};
use super::entity::account::{ActiveModel, Column, Entity};
use super::writes::Writes;
use super::{AccountId, StoreError};
use crate::kernel::email_address::EmailAddress;
use crate::kernel::optional::Optional;
use crate::kernel::phone_number::PhoneNumber;
use crate::kernel::preferences::Preferences;
use crate::kernel::text::{Name, Paragraph, Text};
use crate::kernel::username::Username;

/// The members that an update names; the others stay.
#[derive(Debug, Default)]
pub struct ProfileChange {
    /// A second name.
    pub username: Optional<Username>,
    /// Whom they work for.
    pub organisation: Option<Name>,
    /// Whom to ask for.
    pub contact_name: Option<Name>,
    /// Where to ring.
    pub contact_phone: Option<PhoneNumber>,
    /// Where to write; the account's address where it is cleared.
    pub contact_email: Optional<EmailAddress>,
    /// Where they are.
    pub address: Optional<Paragraph>,
    /// What they do.
    pub industry: Optional<Name>,
    /// What they want with us.
    pub use_case: Optional<Paragraph>,
    /// What they like; replaces the whole object.
    pub preferences: Option<Preferences>,
    /// Whether they want to be told of news.
    pub notifications_enabled: Option<bool>,
}

/// A text of a profile: its column, what is kept there, and what shall be.
struct TextChange<'a> {
    column: Column,
    kept: Option<&'a str>,
    wanted: Option<&'a str>,
}

impl ProfileChange {
    /// Whether anything that it names is another than the account has.
    #[must_use]
    pub fn changes(&self, account: &Account) -> bool {
        let standing = &account.standing;
        // Their order is kept, so another order is a change.
        let are_others = |wanted: &Preferences| !wanted.members().iter().eq(standing.preferences.members());
        self.texts(&account.profile).any(|text| text.wanted != text.kept)
            || self.changes_username(account)
            || self.preferences.as_ref().is_some_and(are_others)
            || self.notifications_enabled.is_some_and(|wanted| wanted != standing.notifications_enabled)
    }

    /// Whether the account gets another username, or loses the one that it has.
    #[must_use]
    pub fn changes_username(&self, account: &Account) -> bool {
        let wanted = self.username.change();
        wanted.is_some_and(|wanted| wanted.map(Username::as_str) != account.username.as_deref())
    }

    /// The texts that it names.
    fn texts<'a>(&'a self, profile: &'a Profile) -> impl Iterator<Item = TextChange<'a>> {
        let required = [
            (Column::Organisation, self.organisation.as_ref().map(Text::as_str), &profile.organisation),
            (Column::ContactName, self.contact_name.as_ref().map(Text::as_str), &profile.contact_name),
            (Column::ContactPhone, self.contact_phone.as_ref().map(PhoneNumber::as_str), &profile.contact_phone),
            (
                Column::ContactEmail,
                self.contact_email.change().map(|wanted| wanted.map_or(profile.email.as_str(), EmailAddress::as_str)),
                &profile.contact_email,
            ),
        ];
        let required = required.into_iter().filter_map(|(column, wanted, kept)| {
            wanted.map(|wanted| TextChange { column, kept: Some(kept), wanted: Some(wanted) })
        });
        let optional = [
            (Column::Address, self.address.change().map(|text| text.map(Text::as_str)), &profile.address),
            (Column::Industry, self.industry.change().map(|text| text.map(Text::as_str)), &profile.industry),
            (Column::UseCase, self.use_case.change().map(|text| text.map(Text::as_str)), &profile.use_case),
        ];
        let optional = optional.into_iter().filter_map(|(column, wanted, kept)| {
            wanted.map(|wanted| TextChange { column, kept: kept.as_deref(), wanted })
        });
        required.chain(optional)
    }
}

/// Changes what `change` names and nothing else, but for the username: see [`set_username`].
pub fn change_profile(writes: &mut Writes, account: &Account, change: &ProfileChange) {
    let mut row = <ActiveModel as Default>::default();
    for text in change.texts(&account.profile) {
        row.set(text.column, text.wanted.map(str::to_owned).into());
    }
    if let Some(preferences) = &change.preferences {
        row.preferences = Set(Value::Object(preferences.members().clone()));
    }
    if let Some(enabled) = change.notifications_enabled {
        row.notifications_enabled = Set(enabled);
    }
    if row.is_changed() {
        writes.add(Entity::update_many().set(row).filter(Column::Id.eq(account.id.0)));
    }
}

/// Gives the account another username, or none. `false` where somebody else has it: of two at once, one wins.
pub async fn set_username(
    db: &impl ConnectionTrait,
    id: AccountId,
    username: Option<&Username>,
) -> Result<bool, StoreError> {
    let row = ActiveModel {
        username: Set(username.map(|username| username.as_str().to_owned())),
        username_key: Set(username.map(Username::key)),
        ..Default::default()
    };
    match Entity::update_many().set(row).filter(Column::Id.eq(id.0)).exec(db).await {
        Ok(_) => Ok(true),
        Err(error) => match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Ok(false),
            _ => Err(error.into()),
        },
    }
}
