//! `signup`: somebody joins, and gets the client that logs them in.

use crate::app::App;
use crate::email::proof::Proof;
use crate::fault::Fault;
use crate::kernel::Invalid;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::origin::Origin;
use crate::kernel::password::{NewPassword, PersonalWords};
use crate::kernel::phone_number::PhoneNumber;
use crate::kernel::preferences::Preferences;
use crate::kernel::rate_limit::Throttled;
use crate::kernel::text::{Name, Paragraph};
use crate::kernel::token::{ClientId, Token};
use crate::kernel::username::Username;
use crate::mail::{Mail, outbox};
use crate::password::queue::Who;
use crate::store::accounts::{self, Account, Insertion, NewAccount, Profile};
use crate::store::audit::{self, Event, Reason, Subject};
use crate::store::email_verifications::Purpose;
use crate::store::writes::Writes;
use crate::store::{AccountId, LockedRow, StoreError, claims, clients};
use crate::throttle::{self, Whose, guess, limits};

/// The plan that everybody starts on, and for how many days, counted to the next midnight UTC.
const TRIAL_PLAN: &str = "premium";
const TRIAL_DAYS: u64 = 91;

/// What somebody says who joins.
#[derive(Debug)]
pub struct Signup {
    /// A second name, if they want one.
    pub username: Option<Username>,
    /// Where their mail goes and what they log in with.
    pub email: EmailAddress,
    /// The password that they want.
    pub password: NewPassword,
    /// Whom they work for.
    pub organisation: Name,
    /// Whom to ask for.
    pub contact_name: Name,
    /// Where to ring.
    pub contact_phone: PhoneNumber,
    /// Where to write, if elsewhere than `email`.
    pub contact_email: Option<EmailAddress>,
    /// Where they are.
    pub address: Option<Paragraph>,
    /// What they do.
    pub industry: Option<Name>,
    /// What they want with us.
    pub use_case: Option<Paragraph>,
}

/// A new account with its client. The secret is in the clear here and nowhere else.
#[derive(Debug)]
pub struct SignedUp {
    /// The account.
    pub account: Account,
    /// Its client's public half.
    pub client_id: ClientId,
    /// Its client's secret half.
    pub client_secret: Token,
}

/// Why nobody joined.
#[derive(Debug, thiserror::Error)]
pub enum SignupError {
    /// Too many signed up from there.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Somebody has that e-mail address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Somebody has that username.
    #[error("the username is taken")]
    UsernameTaken,
    /// The password is too easy to guess.
    #[error("the password {0}")]
    WeakPassword(Invalid),
    /// No doing of the caller's.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for SignupError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// Makes an account and its client; the welcome carries the token that verifies its address. A claim to that address or
/// username that stands no longer makes way.
pub async fn signup(app: &App, origin: &Origin, signup: Signup) -> Result<SignedUp, SignupError> {
    let refuse = |account: AccountId, reason: Reason| {
        let subject = Subject { account, session: None, client: None, origin };
        app.refusals.note(Event::SignupRefused, reason, subject, app.clock.now());
    };
    let place = app.hasher.ask(Who { source: origin.source.network(), account: None, is_known: false })?;
    let from_there = Whose::Source(origin.source);
    throttle::told(app, origin, throttle::spend(app, &limits::SIGNUP, from_there).await?)?;
    // Asked first to spare the hash; what decides is the unique index, in the transaction.
    let mut in_the_way = Vec::new();
    if let Some(holder) = accounts::find_by_email(app.reader(), &signup.email).await? {
        if !claims::has_expired(&holder, app.clock.now()) {
            refuse(holder.id, Reason::EmailTaken);
            return Err(SignupError::EmailTaken);
        }
        in_the_way.push(holder.id);
    }
    if let Some(username) = &signup.username
        && let Some(holder) = accounts::find_by_username(app.reader(), username).await?
    {
        if !claims::has_expired(&holder, app.clock.now()) {
            refuse(AccountId::NOBODY, Reason::UsernameTaken);
            return Err(SignupError::UsernameTaken);
        }
        in_the_way.push(holder.id);
    }
    let username = signup.username.as_ref().map(Username::as_str);
    let (name, organisation) = (signup.contact_name.as_str(), signup.organisation.as_str());
    let personal = PersonalWords::about(signup.email.as_str(), username, name, organisation);
    let password_hash = app.hasher.hash_new(&place, signup.password, personal).await?.map_err(|reason| {
        refuse(AccountId::NOBODY, Reason::WeakPassword);
        SignupError::WeakPassword(reason)
    })?;

    let now = app.clock.now();
    let email = signup.email.clone();
    let new = NewAccount {
        profile: Profile {
            email: signup.email.to_string(),
            organisation: signup.organisation.to_string(),
            contact_name: signup.contact_name.to_string(),
            contact_phone: signup.contact_phone.to_string(),
            contact_email: signup.contact_email.as_ref().unwrap_or(&signup.email).to_string(),
            address: signup.address.map(|address| address.to_string()),
            industry: signup.industry.map(|industry| industry.to_string()),
            use_case: signup.use_case.map(|use_case| use_case.to_string()),
        },
        email: signup.email,
        username: signup.username,
        password_hash,
        created_at: now,
        subscription_plan: TRIAL_PLAN,
        plan_expires_at: now.midnight_after(TRIAL_DAYS),
        preferences: Preferences::default(),
    };
    let (client_id, client_secret) = (ClientId::new(&app.random), Token::new_client_secret(&app.random));

    // Written before anybody has to wait for us: the mail takes longer than all the statements.
    let mut writes = Writes::to(app.reader());
    let proof = Proof::new(app, now);
    let welcome = Mail::Welcome { token: &proof.token, expires_at: proof.expires_at };
    outbox::enqueue(app, &mut writes, Some(email.as_str()), &welcome, now)?;

    let opened = guess::rows_to_open(app, origin, &limits::LOGIN, email.as_str());
    let claimed = in_the_way.iter().map(|claim| LockedRow::Account(*claim));
    let tx = app.begin_locking(opened.chain(claimed)).await?;
    for claim in in_the_way {
        if claims::remove(&tx, claim, now).await? {
            let subject = Subject { account: claim, session: None, client: None, origin };
            audit::record(&mut writes, Event::ClaimExpired, subject, now);
        }
    }
    let account = match accounts::insert(&tx, new).await? {
        Insertion::Inserted(account) => *account,
        Insertion::EmailTaken => {
            refuse(AccountId::NOBODY, Reason::EmailTaken);
            return Err(SignupError::EmailTaken);
        }
        Insertion::UsernameTaken => {
            refuse(AccountId::NOBODY, Reason::UsernameTaken);
            return Err(SignupError::UsernameTaken);
        }
    };
    // What failed while nobody had the address is no concern of whoever has it now.
    guess::open(app, &mut writes, origin, &limits::LOGIN, email.as_str(), now);
    clients::insert(&mut writes, &client_id, &client_secret.digest(), Some(account.id), now);
    let subject = Subject { account: account.id, session: None, client: Some(&client_id), origin };
    audit::record(&mut writes, Event::SignedUp, subject, now);
    proof.keep(&mut writes, Some(account.id), &email, Purpose::Verify, now);
    app.commit_with(tx, writes).await?;
    app.mail_bell.notify_one();

    Ok(SignedUp { account, client_id, client_secret })
}
