//! A server of a test's own.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Parser;
use documines_auth::app::App;
use documines_auth::audit::seal;
use documines_auth::changes;
use documines_auth::kernel::clock::{Clock, Timestamp};
use documines_auth::kernel::random::Random;
use documines_auth::kernel::token::{ClientId, Token};
use documines_auth::mail::worker;
use documines_auth::server;
use documines_auth::settings::Settings;
use documines_auth::store::accounts::{self, Account};
use documines_auth::store::writes::Writes;
use documines_auth::store::{AccountId, audit, clients, outbox};
use documines_auth::usage;
use poem::endpoint::BoxEndpoint;
use poem::{Endpoint, EndpointExt};
use sea_orm::{ConnectionTrait, Statement};
use tempfile::TempDir;
use tokio::task::AbortHandle;

use super::caller::Caller;
use super::days;
use super::postgres::TestDatabase;

/// 2025-03-07T03:34:18.305185Z: when the seed's account signed up.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_741_318_458_305_185);

/// The server, called in process, on a data folder that goes with it.
pub(crate) struct TestApp {
    pub(crate) app: Arc<App>,
    endpoint: BoxEndpoint<'static>,
    folder: Arc<TempDir>,
    /// Its database where that is not a file in the folder.
    pub(crate) database: Option<Arc<TestDatabase>>,
    clock: Clock,
    hearing: Mutex<Option<AbortHandle>>,
}

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    settings: Settings,
}

/// The settings that these flags make, over data in `folder` and a password hash that costs next to nothing.
pub(crate) fn settings_in(folder: &Path, database_url: Option<&str>, flags: &[&str]) -> Settings {
    let data_dir = folder.join("data");
    let mut line = vec!["documines-auth", "--data-dir", data_dir.to_str().unwrap()];
    let is_given = |flag: &str| flags.iter().any(|given| given.split('=').next() == flag.split('=').next());
    if let Some(url) = database_url.filter(|_| !is_given("--database-url")) {
        line.extend(["--database-url", url]);
    }
    let cheap = ["--argon2-memory-kib=64", "--argon2-iterations=1", "--argon2-parallelism=1"];
    // Most tests are about something else, and all of them come from one source.
    let defaults = [&cheap[..], &["--rate-limits=off"]].concat();
    line.extend(defaults.into_iter().filter(|flag| !is_given(flag)));
    line.extend(flags);
    CommandLine::try_parse_from(line).unwrap().settings
}

impl TestApp {
    /// The server as it is by default, but for a password hash that costs next to nothing.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The server with these flags.
    pub(crate) async fn start_with(flags: &[&str]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::open(folder, TestDatabase::migrated().await, Clock::manual(START), flags).await.alone()
    }

    /// A node on a database that it shares, with a data folder of its own. Its clock is the system's, as those of its
    /// fellows are.
    pub(crate) async fn start_node(database: &Arc<TestDatabase>, flags: &[&str]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::open(folder, Some(database.clone()), Clock::system(), flags).await
    }

    /// The server started anew on the same data folder, with these flags.
    pub(crate) async fn restart_with(self, flags: &[&str]) -> Self {
        self.app.database().clone().close().await.unwrap();
        Self::open(self.folder.clone(), self.database.clone(), self.clock.clone(), flags).await.alone()
    }

    /// Nobody else changes this database, wherever it is: what is remembered counts from the start.
    fn alone(self) -> Self {
        self.app.identities.trust_until(Instant::now() + days(1));
        self
    }

    async fn open(folder: Arc<TempDir>, database: Option<Arc<TestDatabase>>, clock: Clock, flags: &[&str]) -> Self {
        let url = database.as_ref().map(|database| database.url());
        let settings = settings_in(folder.path(), url.as_deref(), flags);
        let app = App::start(settings, clock.clone(), Random::from_system()).await.unwrap();
        let app = Arc::new(app);
        let endpoint = server::endpoint(app.clone()).boxed();
        Self { app, endpoint, folder, database, clock, hearing: Mutex::default() }
    }

    /// Listens to what other nodes change, from now on.
    pub(crate) fn hear_the_others(&self) {
        let app = self.app.clone();
        let hearing = tokio::spawn(async move { changes::run(&app).await });
        *self.hearing.lock().unwrap() = Some(hearing.abort_handle());
    }

    /// Listens no more.
    pub(crate) fn be_deaf(&self) {
        self.hearing.lock().unwrap().take().unwrap().abort();
    }

    /// Somebody without credentials.
    pub(crate) fn anon(&self) -> Caller<'_> {
        Caller::anon(self)
    }

    /// A client that serves every account.
    pub(crate) async fn platform_client(&self) -> Caller<'_> {
        let (id, secret) = (ClientId::new(&self.app.random), Token::new_client_secret(&self.app.random));
        let tx = self.app.begin().await.unwrap();
        let mut writes = Writes::to(&tx);
        clients::insert(&mut writes, &id, &secret.digest(), None, self.app.clock.now());
        self.app.commit_with(tx, writes).await.unwrap();
        self.anon().with_client(id.as_str(), secret.expose())
    }

    /// Takes an account's client out of use, as an administrator would.
    pub(crate) async fn revoke(&self, client_id: &str) {
        let id = ClientId::parse(client_id).unwrap();
        let owner = clients::find(self.app.reader(), &id).await.unwrap().unwrap().owner;
        let tx = self.app.begin().await.unwrap();
        clients::revoke(&tx, &id, self.app.clock.now()).await.unwrap();
        self.app.commit(tx).await.unwrap();
        self.app.identities.forget(owner.unwrap());
    }

    /// Gives an account another status, as an administrator would.
    pub(crate) async fn set_status(&self, id: AccountId, status: &str) {
        let tx = self.app.begin().await.unwrap();
        let mut writes = Writes::to(&tx);
        accounts::set_status(&mut writes, id, status);
        self.app.commit_with(tx, writes).await.unwrap();
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
        let statement = Statement::from_string(self.app.reader().get_database_backend(), sql);
        let row = self.app.reader().query_one_raw(statement).await.unwrap().unwrap();
        row.try_get("", "number").unwrap()
    }

    /// Changes the database behind the server's back.
    pub(crate) async fn execute(&self, sql: &str) {
        let tx = self.app.begin().await.unwrap();
        tx.execute_unprepared(sql).await.unwrap();
        self.app.commit(tx).await.unwrap();
    }

    /// The names of what happened to an account, oldest first.
    pub(crate) async fn events_of(&self, id: AccountId) -> Vec<String> {
        audit::events_of(self.app.reader(), id).await.unwrap()
    }

    /// Lets what is new on the record be sealed.
    pub(crate) async fn seal(&self) {
        seal::seal_all(&self.app).await.unwrap();
    }

    /// Mail that waits to go out, sealed.
    pub(crate) async fn waiting_mail(&self) -> Vec<Vec<u8>> {
        outbox::sealed_mails(self.app.reader()).await.unwrap()
    }

    /// Lets the mail worker empty the outbox, and reads what it wrote, oldest first, with its soft line breaks undone.
    pub(crate) async fn deliver_mail(&self) -> Vec<String> {
        worker::deliver_waiting(&self.app).await.unwrap();
        let Ok(folder) = std::fs::read_dir(self.data_dir().join("mail")) else { return Vec::new() };
        let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
        files.sort_by_key(|file| order(file));
        files.iter().map(|file| std::fs::read_to_string(file).unwrap().replace("=\r\n", "")).collect()
    }

    /// Lets what accounts did be written down.
    pub(crate) async fn flush_usage(&self) {
        // On PostgreSQL a row is passed over that a transaction holds still, such as one that is being rolled back.
        for _ in 0..1_000 {
            usage::flush(&self.app).await.unwrap();
            if self.app.usage.is_empty() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        panic!("counts are left that cannot be written down");
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

/// Mail is named for when it was written and for its number, which has no fixed width.
fn order(file: &Path) -> (String, u64) {
    let name = file.file_stem().unwrap().to_str().unwrap();
    let (written_at, number) = name.split_once('-').unwrap();
    (written_at.to_owned(), number.parse().unwrap())
}
