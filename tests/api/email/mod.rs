//! E-mail addresses: that they are proved, how they change, and what strangers learn of it (nothing).

mod change;
mod limits;
mod request_verification;
mod verify;

use crate::mail::{header, token_in};
use crate::support::people::User;
use crate::support::{PASSWORD, TestApp};

/// A token that nobody was given.
const UNKNOWN: &str = "5d0f6c1e-8a3b-4c57-9f21-6e7b0d94a1c8";

/// The address that people change to.
pub(crate) const NEW_EMAIL: &str = "thandi.botha@example.org";

/// What went out to that address so far, oldest first.
async fn mails_to(app: &TestApp, address: &str) -> Vec<String> {
    app.deliver_mail().await.into_iter().filter(|mail| header(mail, "To") == address).collect()
}

/// The token of the last mail to that address.
async fn token_to(app: &TestApp, address: &str) -> String {
    token_in(mails_to(app, address).await.last().expect("a mail went out"))
}

async fn is_verified(app: &TestApp, user: &User<'_>) -> bool {
    app.account(user.id).await.email_verified_at.is_some()
}

/// Asks for another address, and gives the token that went there.
pub(crate) async fn ask_for(app: &TestApp, user: &User<'_>, email: &str) -> String {
    user.log_in().await.caller.change_email(email, PASSWORD).await.expect(200);
    token_to(app, email).await
}
