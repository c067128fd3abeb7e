//! Who holds a token: everything that tells, in one query, for a query is a round trip.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, QueryResult, Statement};

use super::accounts::{ACTIVE, Profile};
use super::sessions::Session;
use super::{AccountId, Locking, SessionId, StoreError, corrupt};
use crate::kernel::clock::Timestamp;
use crate::kernel::token::{ClientId, Digest};

/// What stands behind an access token.
#[derive(Debug)]
pub struct AccessHolder {
    /// When the token is over.
    pub expires_at: Timestamp,
    /// The session that it belongs to.
    pub session: Session,
    /// Whether the account may log in.
    pub is_active: bool,
    /// What the account told about itself.
    pub profile: Profile,
    /// What is kept of the secret of the session's client.
    pub client_secret: Digest,
    /// Whether that client was taken out of use.
    pub client_is_revoked: bool,
    /// The refresh token that its pair was given for, where it is the first of that token's pairs to be used.
    pub used_first: Option<Digest>,
}

/// What stands behind a refresh token.
#[derive(Debug)]
pub struct RefreshHolder {
    /// When the token is over.
    pub expires_at: Timestamp,
    /// When it was first exchanged for a new pair.
    pub spent_at: Option<Timestamp>,
    /// How many pairs it was exchanged for.
    pub pairs: i64,
    /// Whether none of these was used, as far as the database knows.
    pub awaits_use: bool,
    /// The refresh token that its own pair was given for, where it is the first of that token's pairs to be used.
    pub used_first: Option<Digest>,
    /// The token at which its branch of the session may have begun.
    pub fork: Option<Fork>,
    /// The session that it belongs to.
    pub session: Session,
    /// Whether the account may log in.
    pub is_active: bool,
    /// The account's e-mail address.
    pub email: String,
    /// Whether that was verified.
    pub email_is_verified: bool,
}

/// A spent refresh token, seen from those that came of it.
#[derive(Debug)]
pub struct Fork {
    /// What is kept of it.
    pub digest: Digest,
    /// When it was first exchanged.
    pub spent_at: Timestamp,
    /// How many branches began at it beside the first.
    pub branches: i64,
    /// The network that the first of them was refreshed from after the grace.
    pub late_from: Option<String>,
}

const OF_ACCESS_TOKEN: &str = "\
    SELECT token.expires_at AS token_expires_at, \
        session.id, session.account_id, session.client_id, session.expires_at, session.ended_at, account.status, \
        account.email, account.organisation, account.contact_name, account.contact_phone, account.contact_email, \
        account.address, account.industry, account.use_case, client.secret_digest, client.revoked_at, \
        exchanged.digest AS used_first \
    FROM access_tokens AS token \
    JOIN sessions AS session ON session.id = token.session_id \
    JOIN accounts AS account ON account.id = session.account_id \
    JOIN clients AS client ON client.client_id = session.client_id \
    LEFT JOIN refresh_tokens AS exchanged ON exchanged.digest = token.exchanged AND exchanged.awaits_use \
    WHERE token.digest = $1";

/// The account stands first, for whoever changes what belongs to it locks in this order.
const OF_REFRESH_TOKEN: &str = "\
    SELECT token.expires_at AS token_expires_at, token.spent_at, token.pairs, token.awaits_use, \
        exchanged.digest AS used_first, \
        fork.digest AS fork, fork.spent_at AS forked_at, fork.branches, fork.late_from, \
        account.email, account.email_verified_at, \
        session.id, session.account_id, session.client_id, session.expires_at, session.ended_at, account.status \
    FROM accounts AS account \
    JOIN sessions AS session ON session.account_id = account.id \
    JOIN refresh_tokens AS token ON token.session_id = session.id \
    LEFT JOIN refresh_tokens AS fork ON fork.digest = token.fork \
    LEFT JOIN refresh_tokens AS exchanged ON exchanged.digest = token.exchanged AND exchanged.awaits_use \
    WHERE token.digest = $1";

const ACCOUNT_OF_REFRESH_TOKEN: &str = "\
    SELECT session.account_id FROM refresh_tokens AS token \
    JOIN sessions AS session ON session.id = token.session_id \
    WHERE token.digest = $1";

#[derive(FromQueryResult)]
struct SessionRow {
    token_expires_at: i64,
    id: i64,
    account_id: i64,
    client_id: String,
    expires_at: i64,
    ended_at: Option<i64>,
    status: String,
}

impl SessionRow {
    fn session(&self) -> Result<Session, StoreError> {
        Ok(Session {
            id: SessionId(self.id),
            account: AccountId(self.account_id),
            client: ClientId::parse(&self.client_id).ok_or_else(|| corrupt("client id"))?,
            expires_at: Timestamp::from_micros(self.expires_at),
            has_ended: self.ended_at.is_some(),
        })
    }
}

#[derive(FromQueryResult)]
struct ProfileRow {
    email: String,
    organisation: String,
    contact_name: String,
    contact_phone: String,
    contact_email: String,
    address: Option<String>,
    industry: Option<String>,
    use_case: Option<String>,
}

/// What stands behind the access token with that digest, whether or not any of it still counts.
pub async fn of_access_token(db: &impl ConnectionTrait, digest: &Digest) -> Result<Option<AccessHolder>, StoreError> {
    let query = query(db.get_database_backend(), OF_ACCESS_TOKEN.to_owned(), digest);
    let Some(row) = db.query_one_raw(query).await? else { return Ok(None) };
    let held = SessionRow::from_query_result(&row, "")?;
    let profile = ProfileRow::from_query_result(&row, "")?;
    let secret: Vec<u8> = row.try_get("", "secret_digest")?;
    let revoked_at: Option<i64> = row.try_get("", "revoked_at")?;
    Ok(Some(AccessHolder {
        expires_at: Timestamp::from_micros(held.token_expires_at),
        session: held.session()?,
        is_active: held.status == ACTIVE,
        profile: Profile {
            email: profile.email,
            organisation: profile.organisation,
            contact_name: profile.contact_name,
            contact_phone: profile.contact_phone,
            contact_email: profile.contact_email,
            address: profile.address,
            industry: profile.industry,
            use_case: profile.use_case,
        },
        client_secret: Digest::from_bytes(&secret).ok_or_else(|| corrupt("client secret digest"))?,
        client_is_revoked: revoked_at.is_some(),
        used_first: used_first(&row)?,
    }))
}

/// The account of the refresh token with that digest. It is the token's for good.
pub async fn account_of_refresh_token(
    db: &impl ConnectionTrait,
    digest: &Digest,
) -> Result<Option<AccountId>, StoreError> {
    let row = db.query_one_raw(query(db.get_database_backend(), ACCOUNT_OF_REFRESH_TOKEN.to_owned(), digest)).await?;
    Ok(row.map(|row| row.try_get("", "account_id").map(AccountId)).transpose()?)
}

/// What stands behind the refresh token with that digest, as it is once nobody else is changing it: account, session and
/// token are locked until the transaction ends. (SQLite has one writer, which is lock enough.)
pub async fn of_refresh_token_locked(tx: &impl Locking, digest: &Digest) -> Result<Option<RefreshHolder>, StoreError> {
    let backend = tx.get_database_backend();
    let lock = if backend == DbBackend::Postgres { " FOR UPDATE OF account, session, token" } else { "" };
    let Some(row) = tx.query_one_raw(query(backend, format!("{OF_REFRESH_TOKEN}{lock}"), digest)).await? else {
        return Ok(None);
    };
    let held = SessionRow::from_query_result(&row, "")?;
    debug_assert!(tx.may_lock_account(AccountId(held.account_id)), "the transaction did not name the account");
    let spent_at: Option<i64> = row.try_get("", "spent_at")?;
    let verified_at: Option<i64> = row.try_get("", "email_verified_at")?;
    let fork: Option<Vec<u8>> = row.try_get("", "fork")?;
    let forked_at: Option<i64> = row.try_get("", "forked_at")?;
    let fork = match fork.zip(forked_at) {
        Some((digest, forked_at)) => Some(Fork {
            digest: Digest::from_bytes(&digest).ok_or_else(|| corrupt("refresh token digest"))?,
            spent_at: Timestamp::from_micros(forked_at),
            branches: row.try_get("", "branches")?,
            late_from: row.try_get("", "late_from")?,
        }),
        None => None,
    };
    Ok(Some(RefreshHolder {
        expires_at: Timestamp::from_micros(held.token_expires_at),
        spent_at: spent_at.map(Timestamp::from_micros),
        pairs: row.try_get("", "pairs")?,
        awaits_use: row.try_get("", "awaits_use")?,
        used_first: used_first(&row)?,
        fork,
        email: row.try_get("", "email")?,
        email_is_verified: verified_at.is_some(),
        session: held.session()?,
        is_active: held.status == ACTIVE,
    }))
}

fn used_first(row: &QueryResult) -> Result<Option<Digest>, StoreError> {
    let digest: Option<Vec<u8>> = row.try_get("", "used_first")?;
    digest.map(|digest| Digest::from_bytes(&digest).ok_or_else(|| corrupt("refresh token digest"))).transpose()
}

fn query(backend: DbBackend, sql: String, digest: &Digest) -> Statement {
    Statement::from_sql_and_values(backend, sql, [digest.as_bytes().to_vec().into()])
}
