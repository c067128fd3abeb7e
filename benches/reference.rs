//! What the server is measured against, each with the same libraries and the same build profile as the server, and the
//! data that it is measured with. `benches/run` calls it:
//!
//!     reference static ADDRESS                serves a profile that never changes from a bare poem endpoint
//!     reference hashes SECONDS                hashes per second: Argon2id at the default cost, all cores, nothing else
//!     reference commits URL SECONDS           durable one-row commits per second, one after another
//!     reference fill URL ACCOUNTS SESSIONS    fills a migrated database; prints the credentials of the sessions

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]
#![allow(clippy::disallowed_methods, reason = "it has no App to commit through")]

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use documines_auth::kernel::clock::{Clock, Timestamp};
use documines_auth::kernel::random::Random;
use documines_auth::kernel::token::{ClientId, Token};
use documines_auth::password::hasher::blocks;
use documines_auth::store::writes::Writes;
use documines_auth::store::{AccountId, clients, sessions, tokens};
use poem::listener::TcpListener;
use poem::{Route, Server, get, handler, http::header::CONTENT_TYPE};
use sea_orm::sqlx::postgres::PgPoolOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, TransactionTrait};
use sea_orm::{SqlxPostgresConnector, SqlxSqliteConnector};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROFILE: &str = r#"{"email":"bench@example.com","organisation":"Bench","contact_name":"Ben Bench","contact_phone":"+27 21 555 0100","address":"1 Quay Street, Cape Town","industry":"Measuring","use_case":"Knowing what a request costs."}"#;

type Done = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["static", address] => serve(address).await,
        ["hashes", seconds] => hashes(Duration::from_secs(seconds.parse()?)),
        ["commits", url, seconds] => commits(url, Duration::from_secs(seconds.parse()?)).await,
        ["fill", url, accounts, sessions] => fill(url, accounts.parse()?, sessions.parse()?).await,
        _ => Err("see the first lines of benches/reference.rs".into()),
    }
}

#[handler]
fn profile() -> poem::Response {
    poem::Response::builder().header(CONTENT_TYPE, "application/json").body(PROFILE)
}

async fn serve(address: &str) -> Done {
    Ok(Server::new(TcpListener::bind(address.to_owned())).run(Route::new().at("/profile", get(profile))).await?)
}

fn hashes(time: Duration) -> Done {
    let params = Params::new(19_456, 2, 1, Some(32))?;
    let (count, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut memory = blocks(&params);
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
                while !is_over.load(Ordering::Relaxed) {
                    let hashed = argon2.hash_password_into_with_memory(
                        b"quay-lantern-58-moth",
                        b"sixteen bytes...",
                        &mut [0; 32],
                        memory.as_mut_slice(),
                    );
                    hashed.expect("the parameters are good");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(time);
        is_over.store(true, Ordering::Relaxed);
    });
    println!("{:.1}", count.into_inner() as f64 / started.elapsed().as_secs_f64());
    Ok(())
}

/// A connection with the settings that the server's writer has.
async fn connect(url: &str) -> Result<DatabaseConnection, Box<dyn std::error::Error>> {
    if url.starts_with("postgres") {
        let pool = PgPoolOptions::new().max_connections(1).test_before_acquire(false).connect(url).await?;
        return Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool));
    }
    let options = SqliteConnectOptions::from_str(url)?.journal_mode(SqliteJournalMode::Wal);
    let options = options.synchronous(SqliteSynchronous::Full).foreign_keys(true);
    let pool = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false).connect_with(options).await?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

async fn commits(url: &str, time: Duration) -> Done {
    let db = connect(url).await?;
    db.execute_unprepared("DROP TABLE IF EXISTS bench_commits").await?;
    db.execute_unprepared("CREATE TABLE bench_commits (at bigint NOT NULL)").await?;
    let insert = sea_orm::Statement::from_string(db.get_database_backend(), "INSERT INTO bench_commits VALUES (1)");
    let (started, mut count) = (Instant::now(), 0_u32);
    while started.elapsed() < time {
        db.execute_raw(insert.clone()).await?;
        count += 1;
    }
    println!("{:.1}", f64::from(count) / started.elapsed().as_secs_f64());
    db.execute_unprepared("DROP TABLE bench_commits").await?;
    Ok(())
}

/// Every account has a client, a session and a pair of tokens, as after sign-up and login. Those of the first `sessions`
/// are printed, a line each: client id, client secret, access token, refresh token.
async fn fill(url: &str, accounts: i64, sessions: i64) -> Done {
    let db = Database::connect(url).await?;
    let backend = db.get_database_backend();
    let (numbers, noise) = match backend {
        DbBackend::Sqlite => (
            format!("WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {accounts}) "),
            "randomblob(32)",
        ),
        _ => (
            format!("WITH s(n) AS (SELECT generate_series(1, {accounts})) "),
            "sha256((n::text || random()::text)::bytea)",
        ),
    };
    let client = match backend {
        DbBackend::Sqlite => "printf('%040d', n)",
        _ => "lpad(n::text, 40, '0')",
    };
    let (now, later) = {
        let now = Clock::system().now();
        (now.as_micros(), (now + Duration::from_secs(30 * 24 * 60 * 60)).as_micros())
    };
    let random = Random::from_system();
    let tx = db.begin().await?;
    for (into, columns, values) in [
        (
            "accounts",
            "id, email, password_hash, organisation, contact_name, contact_phone, contact_email, created_at, \
             subscription_plan, plan_expires_at, roles, preferences",
            format!(
                "n, 'account' || n || '@example.com', '$argon2id$', 'Bench', 'Ben Bench', '+27 21 555 0100', \
                 'account' || n || '@example.com', {now}, 'premium', {later}, '[]', '{{}}'"
            ),
        ),
        ("clients", "client_id, secret_digest, account_id, created_at", format!("{client}, {noise}, n, {now}")),
        (
            "sessions",
            "id, account_id, client_id, created_at, last_activity_at, expires_at",
            format!("n, n, {client}, {now}, {now}, {later}"),
        ),
        ("access_tokens", "digest, session_id, issued_at, expires_at", format!("{noise}, n, {now}, {later}")),
        ("refresh_tokens", "digest, session_id, issued_at, expires_at", format!("{noise}, n, {now}, {later}")),
    ] {
        let sql = match backend {
            DbBackend::Sqlite => format!("INSERT INTO {into} ({columns}) {numbers} SELECT {values} FROM s"),
            _ => format!("{numbers} INSERT INTO {into} ({columns}) SELECT {values} FROM s")
                .replace("'[]'", "'[]'::json")
                .replace("'{}'", "'{}'::json"),
        };
        tx.execute_unprepared(&sql).await?;
    }
    if backend == DbBackend::Postgres {
        for table in ["accounts", "sessions"] {
            let sql = format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}");
            tx.execute_unprepared(&sql).await?;
        }
    }
    let at = Timestamp::from_micros;
    for number in 0..sessions {
        // Spread over the accounts, so that what is read of one lies far from what is read of the next.
        let account = AccountId(number * (accounts / sessions).max(1) % accounts + 1);
        let (id, secret) = (ClientId::new(&random), Token::new_client_secret(&random));
        let (access, refresh) = (Token::new_bearer(&random), Token::new_bearer(&random));
        let mut writes = Writes::to(&tx);
        clients::insert(&mut writes, &id, &secret.digest(), Some(account), at(now));
        writes.run(&tx).await?;
        let session = sessions::open(&tx, account, &id, at(now), at(later)).await?;
        let mut writes = Writes::to(&tx);
        tokens::insert_access(&mut writes, &access.digest(), session.id, None, at(now), at(later));
        tokens::insert_refresh(&mut writes, &refresh.digest(), session.id, None, at(now), at(later));
        writes.run(&tx).await?;
        println!("{} {} {} {}", id.as_str(), secret.expose(), access.expose(), refresh.expose());
    }
    tx.commit().await?;
    db.execute_unprepared("ANALYZE").await?;
    Ok(())
}
