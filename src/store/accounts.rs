//! Accounts.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryResult,
    QuerySelect, SqlErr, Statement,
};
use serde_json::Value;

use super::entity::account::{ActiveModel, Column, Entity, Model};
use super::writes::Writes;
use super::{AccountId, Locking, StoreError, corrupt};
use crate::kernel::clock::Timestamp;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::password::PasswordHash;
use crate::kernel::preferences::Preferences;
use crate::kernel::username::Username;

/// What a sign-up writes.
#[derive(Debug)]
pub struct NewAccount {
    /// Where the account's mail goes and what it logs in with.
    pub email: EmailAddress,
    /// An optional second name, unique without regard to case.
    pub username: Option<Username>,
    /// The hash of the password.
    pub password_hash: PasswordHash,
    /// What the person told us.
    pub profile: Profile,
    /// When they did.
    pub created_at: Timestamp,
    /// The name of the plan they start on.
    pub subscription_plan: &'static str,
    /// When that plan ends.
    pub plan_expires_at: Timestamp,
    /// What they like.
    pub preferences: Preferences,
}

/// What a person tells about themselves, as `getProfile` shows it and `updateProfile` changes it.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The address that the account logs in with.
    pub email: String,
    /// Whom they work for.
    pub organisation: String,
    /// Whom to ask for.
    pub contact_name: String,
    /// Where to ring.
    pub contact_phone: String,
    /// Where to write.
    pub contact_email: String,
    /// Where they are.
    pub address: Option<String>,
    /// What they do.
    pub industry: Option<String>,
    /// What they want with us.
    pub use_case: Option<String>,
}

/// What the server says and counts of an account, as sign-up shows it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// When it signed up.
    pub created_at: Timestamp,
    /// When it last logged in.
    pub last_login_at: Option<Timestamp>,
    /// When it last called an operation.
    pub last_activity_at: Option<Timestamp>,
    /// The time between login and last call, summed over its sessions, in microseconds.
    pub logged_in_micros: i64,
    /// Calls it made as itself.
    pub api_calls: i64,
    /// `active`, or why not.
    pub status: String,
    /// Files it holds.
    pub files_uploaded: i64,
    /// The name of its plan.
    pub subscription_plan: String,
    /// When that ends.
    pub plan_expires_at: Timestamp,
    /// Whether a login asks for more than the password.
    pub second_factor_enabled: bool,
    /// What it may do beyond the ordinary.
    pub roles: Vec<String>,
    /// The document it worked on last.
    pub last_document_edited: Option<String>,
    /// What it likes.
    pub preferences: Preferences,
    /// Whether it wants to be told of news.
    pub notifications_enabled: bool,
}

/// A whole account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its other name.
    pub username: Option<String>,
    /// The hash of its password.
    pub password_hash: PasswordHash,
    /// What the person told us.
    pub profile: Profile,
    /// What we say of it.
    pub standing: Standing,
    /// Since when its address is known to be its owner's.
    pub email_verified_at: Option<Timestamp>,
}

impl Account {
    /// Whether it may log in.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.standing.status == ACTIVE
    }
}

/// The status of an account that may log in.
pub const ACTIVE: &str = "active";

/// What became of an insert.
#[derive(Debug)]
pub enum Insertion {
    /// The account is there now.
    Inserted(Box<Account>),
    /// Somebody has that e-mail address.
    EmailTaken,
    /// Somebody has that username.
    UsernameTaken,
}

/// Writes a new account; of two with one e-mail or username, one wins.
pub async fn insert(db: &impl ConnectionTrait, new: NewAccount) -> Result<Insertion, StoreError> {
    let row = ActiveModel {
        id: NotSet,
        email: Set(new.email.as_str().to_owned()),
        username_key: Set(new.username.as_ref().map(Username::key)),
        username: Set(new.username.map(|username| username.as_str().to_owned())),
        password_hash: Set(new.password_hash.as_phc().to_owned()),
        organisation: Set(new.profile.organisation),
        contact_name: Set(new.profile.contact_name),
        contact_phone: Set(new.profile.contact_phone),
        contact_email: Set(new.profile.contact_email),
        address: Set(new.profile.address),
        industry: Set(new.profile.industry),
        use_case: Set(new.profile.use_case),
        created_at: Set(new.created_at.as_micros()),
        subscription_plan: Set(new.subscription_plan.to_owned()),
        plan_expires_at: Set(new.plan_expires_at.as_micros()),
        roles: Set(Value::Array(Vec::new())),
        preferences: Set(Value::Object(new.preferences.members().clone())),
        // The rest has its defaults in the schema.
        ..Default::default()
    };
    match row.insert(db).await {
        Ok(model) => Ok(Insertion::Inserted(Box::new(read(model)?))),
        Err(error) => match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(which)) if which.contains("username") => {
                Ok(Insertion::UsernameTaken)
            }
            Some(SqlErr::UniqueConstraintViolation(_)) => Ok(Insertion::EmailTaken),
            _ => Err(error.into()),
        },
    }
}

/// The account that logs in with `email`.
pub async fn find_by_email(db: &impl ConnectionTrait, email: &EmailAddress) -> Result<Option<Account>, StoreError> {
    Entity::find().filter(Column::Email.eq(email.as_str())).one(db).await?.map(read).transpose()
}

/// The account with that number.
pub async fn find(db: &impl ConnectionTrait, id: AccountId) -> Result<Option<Account>, StoreError> {
    Entity::find_by_id(id.0).one(db).await?.map(read).transpose()
}

/// The account with that number, locked until the transaction ends: whoever changes what belongs to it waits. (SQLite
/// has one writer, which is lock enough.)
pub async fn find_locked(tx: &impl Locking, id: AccountId) -> Result<Option<Account>, StoreError> {
    debug_assert!(tx.may_lock_account(id), "the transaction did not name the account");
    Entity::find_by_id(id.0).lock_exclusive().one(tx).await?.map(read).transpose()
}

/// One password hash of each cost that is in use. It reads every account once: for the start.
pub async fn hash_of_each_cost(db: &impl ConnectionTrait) -> Result<Vec<PasswordHash>, StoreError> {
    // The parameters stand between the third `$` and the fourth.
    let parameters = match db.get_database_backend() {
        DbBackend::Postgres => "split_part(password_hash, '$', 4)",
        _ => "substr(password_hash, 16, instr(substr(password_hash, 16), '$'))",
    };
    let sql = format!("SELECT min(password_hash) AS password_hash FROM accounts GROUP BY {parameters}");
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let read = |row: &QueryResult| row.try_get("", "password_hash").map(PasswordHash::from_phc);
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// The account that has that username, in whatever case.
pub async fn find_by_username(db: &impl ConnectionTrait, username: &Username) -> Result<Option<Account>, StoreError> {
    Entity::find().filter(Column::UsernameKey.eq(username.key())).one(db).await?.map(read).transpose()
}

/// Replaces the hash of the password.
pub fn set_password(writes: &mut Writes, id: AccountId, hash: &PasswordHash) {
    let row = ActiveModel { password_hash: Set(hash.as_phc().to_owned()), ..Default::default() };
    update(writes, id, row);
}

/// Notes that the account's address is its owner's, where that was not known.
pub fn note_email_verified(writes: &mut Writes, id: AccountId, at: Timestamp) {
    let row = ActiveModel { email_verified_at: Set(Some(at.as_micros())), ..Default::default() };
    let unverified = Condition::all().add(Column::Id.eq(id.0)).add(Column::EmailVerifiedAt.is_null());
    writes.add(Entity::update_many().set(row).filter(unverified));
}

/// Gives the account another address, which is verified; its contact address goes along where it was the same. `false`
/// where somebody else has it: of two at once, one wins.
pub async fn set_email(
    db: &impl ConnectionTrait,
    account: &Account,
    email: &EmailAddress,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let mut row = ActiveModel {
        email: Set(email.as_str().to_owned()),
        email_verified_at: Set(Some(at.as_micros())),
        ..Default::default()
    };
    if account.profile.contact_email == account.profile.email {
        row.contact_email = Set(email.as_str().to_owned());
    }
    match Entity::update_many().set(row).filter(Column::Id.eq(account.id.0)).exec(db).await {
        Ok(_) => Ok(true),
        Err(error) => match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Ok(false),
            _ => Err(error.into()),
        },
    }
}

/// Notes when the account last logged in.
pub fn note_login(writes: &mut Writes, id: AccountId, at: Timestamp) {
    let row = ActiveModel { last_login_at: Set(Some(at.as_micros())), ..Default::default() };
    update(writes, id, row);
}

/// Sets the status; anything but [`ACTIVE`] may not log in.
pub fn set_status(writes: &mut Writes, id: AccountId, status: &str) {
    let row = ActiveModel { status: Set(status.to_owned()), ..Default::default() };
    update(writes, id, row);
}

fn update(writes: &mut Writes, id: AccountId, row: ActiveModel) {
    writes.add(Entity::update_many().set(row).filter(Column::Id.eq(id.0)));
}

fn read(row: Model) -> Result<Account, StoreError> {
    let roles = serde_json::from_value(row.roles).map_err(|_| corrupt("list of roles"))?;
    let Value::Object(preferences) = row.preferences else { return Err(corrupt("set of preferences")) };
    Ok(Account {
        id: AccountId(row.id),
        username: row.username,
        password_hash: PasswordHash::from_phc(row.password_hash),
        profile: Profile {
            email: row.email,
            organisation: row.organisation,
            contact_name: row.contact_name,
            contact_phone: row.contact_phone,
            contact_email: row.contact_email,
            address: row.address,
            industry: row.industry,
            use_case: row.use_case,
        },
        standing: Standing {
            created_at: Timestamp::from_micros(row.created_at),
            last_login_at: row.last_login_at.map(Timestamp::from_micros),
            last_activity_at: row.last_activity_at.map(Timestamp::from_micros),
            logged_in_micros: row.logged_in_micros,
            api_calls: row.api_calls,
            status: row.status,
            files_uploaded: row.files_uploaded,
            subscription_plan: row.subscription_plan,
            plan_expires_at: Timestamp::from_micros(row.plan_expires_at),
            second_factor_enabled: row.second_factor_enabled,
            roles,
            last_document_edited: row.last_document_edited,
            preferences: Preferences::try_from(preferences).map_err(|_| corrupt("set of preferences"))?,
            notifications_enabled: row.notifications_enabled,
        },
        email_verified_at: row.email_verified_at.map(Timestamp::from_micros),
    })
}
