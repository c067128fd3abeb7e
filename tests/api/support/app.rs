//! A server of a test's own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use documines_auth::app::App;
use documines_auth::kernel::clock::{Clock, Timestamp};
use documines_auth::kernel::random::Random;
use documines_auth::kernel::token::{ClientId, Token};
use documines_auth::mail::worker;
use documines_auth::server;
use documines_auth::settings::Settings;
use documines_auth::store::accounts::{self, Account};
use documines_auth::store::outbox::{self, Waiting};
use documines_auth::store::{AccountId, audit, clients};
use documines_auth::usage;
use poem::endpoint::BoxEndpoint;
use poem::{Endpoint, EndpointExt};
use tempfile::TempDir;

use super::caller::Caller;

/// 2025-03-07T03:34:18.305185Z: when the seed's account signed up.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_741_318_458_305_185);

/// The server, called in process, on a data folder that goes with it.
pub(crate) struct TestApp {
    pub(crate) app: Arc<App>,
    endpoint: BoxEndpoint<'static>,
    folder: Arc<TempDir>,
    clock: Clock,
}

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    settings: Settings,
}

impl TestApp {
    /// The server as it is by default, but for a password hash that costs next to nothing.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The server with these flags.
    pub(crate) async fn start_with(flags: &[&str]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::open(folder, Clock::manual(START), flags).await
    }

    /// The server started anew on the same data folder, with these flags.
    pub(crate) async fn restart_with(self, flags: &[&str]) -> Self {
        self.app.database().clone().close().await.unwrap();
        Self::open(self.folder.clone(), self.clock.clone(), flags).await
    }

    async fn open(folder: Arc<TempDir>, clock: Clock, flags: &[&str]) -> Self {
        let data_dir = folder.path().join("data");
        let mut line = vec!["documines-auth", "--data-dir", data_dir.to_str().unwrap()];
        let cheap = ["--argon2-memory-kib=64", "--argon2-iterations=1", "--argon2-parallelism=1"];
        let is_given = |flag: &str| flags.iter().any(|given| given.split('=').next() == flag.split('=').next());
        line.extend(cheap.into_iter().filter(|flag| !is_given(flag)));
        line.extend(flags);
        let settings = CommandLine::try_parse_from(line).unwrap().settings;
        let app = App::start(settings, clock.clone(), Random::from_system()).await.unwrap();
        let app = Arc::new(app);
        let endpoint = server::endpoint(app.clone()).boxed();
        Self { app, endpoint, folder, clock }
    }

    /// Somebody without credentials.
    pub(crate) fn anon(&self) -> Caller<'_> {
        Caller::anon(self)
    }

    /// A client that serves every account.
    pub(crate) async fn platform_client(&self) -> Caller<'_> {
        let (id, secret) = (ClientId::new(&self.app.random), Token::new_client_secret(&self.app.random));
        let tx = self.app.begin().await.unwrap();
        clients::insert(&tx, &id, &secret.digest(), None, self.app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        self.anon().with_client(id.as_str(), secret.expose())
    }

    /// Takes an account's client out of use, as an administrator would.
    pub(crate) async fn revoke(&self, client_id: &str) {
        let id = ClientId::parse(client_id).unwrap();
        let owner = clients::find(self.app.reader(), &id).await.unwrap().unwrap().owner;
        let tx = self.app.begin().await.unwrap();
        clients::revoke(&tx, &id, self.app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        self.app.identities.forget(owner.unwrap());
    }

    /// Gives an account another status, as an administrator would.
    pub(crate) async fn set_status(&self, id: AccountId, status: &str) {
        let tx = self.app.begin().await.unwrap();
        accounts::set_status(&tx, id, status).await.unwrap();
        tx.commit().await.unwrap();
        self.app.identities.forget(id);
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The account as it is kept.
    pub(crate) async fn account(&self, id: AccountId) -> Account {
        accounts::find(self.app.reader(), id).await.unwrap().unwrap()
    }

    /// How many accounts there are.
    pub(crate) async fn count_accounts(&self) -> i64 {
        self.number("SELECT count(*) AS number FROM accounts").await
    }

    /// The one number that a query gives under the name `number`.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        use sea_orm::{ConnectionTrait, DbBackend, Statement};
        let statement = Statement::from_string(DbBackend::Sqlite, sql);
        let row = self.app.reader().query_one_raw(statement).await.unwrap().unwrap();
        row.try_get("", "number").unwrap()
    }

    /// The names of what happened to an account, oldest first.
    pub(crate) async fn events_of(&self, id: AccountId) -> Vec<String> {
        audit::events_of(self.app.reader(), id).await.unwrap()
    }

    /// Mail that waits to go out, sealed.
    pub(crate) async fn waiting_mail(&self) -> Vec<Waiting> {
        outbox::oldest(self.app.reader(), 0, 1_000).await.unwrap()
    }

    /// Lets the mail worker empty the outbox, and reads what it wrote, oldest first, with its soft line breaks undone.
    pub(crate) async fn deliver_mail(&self) -> Vec<String> {
        worker::deliver_waiting(&self.app).await.unwrap();
        let Ok(folder) = std::fs::read_dir(self.data_dir().join("mail")) else { return Vec::new() };
        let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| std::fs::read_to_string(file).unwrap().replace("=\r\n", "")).collect()
    }

    /// Lets what accounts did be written down.
    pub(crate) async fn flush_usage(&self) {
        usage::flush(&self.app).await.unwrap();
    }

    /// The folder that the server keeps everything in.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.app.settings.data_dir
    }

    /// Calls the server.
    pub(crate) async fn call(&self, request: poem::Request) -> poem::Response {
        self.endpoint.get_response(request).await
    }
}
