//! People of our own.

use documines_auth::store::AccountId;
use serde_json::{Value, json};

use super::answer::Answer;
use super::app::TestApp;
use super::caller::Caller;

/// The password that everybody signs up with.
pub(crate) const PASSWORD: &str = "maize-lantern-47-tide";
/// The password that everybody changes to.
pub(crate) const NEW_PASSWORD: &str = "copper-heron-82-drift";

/// What somebody of that name says who joins.
pub(crate) fn person(name: &str) -> Value {
    json!({
        "username": name,
        "email": format!("{name}@example.com"),
        "password": PASSWORD,
        "organisation": "Nkosi Geological Surveys",
        "contact_name": "Thandi Nkosi",
        "contact_phone": "+27 21 555 0147",
        "contact_email": "office@example.com",
        "address": "12 Protea Lane, Stellenbosch",
        "industry": "Geology",
        "use_case": "Finding survey reports by what they say."
    })
}

/// Somebody who signed up.
pub(crate) struct User<'a> {
    pub(crate) id: AccountId,
    pub(crate) email: String,
    /// The client that sign-up gave.
    pub(crate) client: Caller<'a>,
}

/// Somebody who is logged in.
pub(crate) struct Session<'a> {
    /// Calls with all three credentials.
    pub(crate) caller: Caller<'a>,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

impl TestApp {
    /// Signs somebody up, who has read their welcome since: no test has to reckon with that mail.
    pub(crate) async fn sign_up(&self, name: &str) -> User<'_> {
        let user = self.join(name).await;
        self.execute("DELETE FROM outbox WHERE kind = 'welcome'").await;
        user
    }

    /// Lets somebody have proved their address, without a mail.
    pub(crate) async fn verify(&self, user: &User<'_>) {
        let (at, id) = (self.app.clock.now().as_micros(), user.id.0);
        self.execute(&format!("UPDATE accounts SET email_verified_at = {at} WHERE id = {id}")).await;
    }

    /// Signs somebody up, whose welcome waits to go out.
    pub(crate) async fn join(&self, name: &str) -> User<'_> {
        let answer = self.anon().signup(&person(name)).await.expect(201);
        let text = |member: &str| answer[member].as_str().unwrap();
        User {
            id: AccountId(answer["user_id"].as_i64().unwrap()),
            email: format!("{name}@example.com"),
            client: self.anon().with_client(text("client_id"), text("client_secret")),
        }
    }
}

impl<'a> User<'a> {
    /// Logs in with the password of the sign-up.
    pub(crate) async fn log_in(&self) -> Session<'a> {
        self.client.session(&self.client.login(&self.email, PASSWORD).await)
    }

    /// Asks for a reset token, which the answer shows.
    pub(crate) async fn request_reset(&self) -> String {
        let answer = self.client.named_only().request_reset(&self.email).await.expect(200);
        answer["reset_token"].as_str().unwrap().to_owned()
    }

    /// Sets [`NEW_PASSWORD`] by way of a reset.
    pub(crate) async fn reset_password(&self) {
        let token = self.request_reset().await;
        self.client.named_only().reset_password(&token, NEW_PASSWORD).await.expect(200);
    }
}

impl<'a> Caller<'a> {
    /// The caller with the client that an answer to sign-up or reset gave.
    #[track_caller]
    pub(crate) fn with_client_of(&self, answer: &serde_json::Value) -> Self {
        let text = |member: &str| answer[member].as_str().unwrap();
        self.with_client(text("client_id"), text("client_secret"))
    }

    /// The session that an answer to login or refresh opened.
    #[track_caller]
    pub(crate) fn session(&self, answer: &Answer) -> Session<'a> {
        let pair = answer.expect(200);
        let text = |member: &str| pair[member].as_str().unwrap().to_owned();
        let (access_token, refresh_token) = (text("access_token"), text("refresh_token"));
        Session { caller: self.with_bearer(&access_token), access_token, refresh_token }
    }
}
