//! The server: routes, listener, background work, and an orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use poem::{Endpoint, Response};
use sd_notify::NotifyState;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::account::api::AccountApi;
use crate::app::{App, lock, make_private_folder};
use crate::audit::api::AuditApi;
use crate::audit::refusals::{self, Which};
use crate::audit::seal;
use crate::background::name;
use crate::command_error::CommandError;
use crate::connections::{Bounds, Places};
use crate::database::Database;
use crate::email::api::EmailApi;
use crate::http::envelope::Envelope;
use crate::http::pages::pages;
use crate::http::routes::add_operations;
use crate::http::spec::BASE_PATH;
use crate::kernel::clock::Clock;
use crate::kernel::random::Random;
use crate::password::api::PasswordApi;
use crate::profile::api::ProfileApi;
use crate::session::api::SessionApi;
use crate::settings::{BadSetting, Settings, Switch};
use crate::{background, changes, connections, housekeeping, logging, mail, metrics, secret_key, signals, usage};

/// Connections that may wait to be accepted; past it a burst of callers waits for the system's next try.
const BACKLOG: u32 = 1_024;
/// What the system keeps of answers that it has not sent yet, in bytes of each connection; by itself it would let that
/// grow to megabytes. What it has sent and nobody has acknowledged is bounded by what the reader has room for, and not
/// here: a large file goes out as fast as it is read.
const UNSENT: u32 = 16 * 1024;
/// How long the system keeps what a peer does not acknowledge or makes no room for, in milliseconds; by itself it would try
/// for a quarter of an hour, also after the server has closed the connection.
const UNHEARD: u32 = 20_000;
/// How often what accounts did, and who was refused, is written down.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// How long mail that is on its way may still take when the server stops.
const LAST_MAIL: Duration = Duration::from_secs(5);
/// How long the last counts, refusals and seals may take then, and how long closing the database: where somebody holds a
/// row, writing waits for them without end, and what stops services kills the process after a while.
const LAST_FLUSH: Duration = Duration::from_secs(5);
/// How long the last counts of an account wait before they are tried again, where somebody holds its row.
const PAUSE_FOR_A_ROW: Duration = Duration::from_millis(100);

/// Every operation of the API.
pub type Operations = (AccountApi, SessionApi, ProfileApi, PasswordApi, EmailApi, AuditApi);

/// Every operation of the API: add a capability's here.
#[must_use]
pub fn operations() -> Operations {
    (AccountApi, SessionApi, ProfileApi, PasswordApi, EmailApi, AuditApi)
}

/// The whole server as one endpoint, without a network: what tests call.
pub fn endpoint(app: Arc<App>) -> impl Endpoint<Output = Response> {
    let pages = pages(&app.settings.public_url);
    Envelope::new(app, add_operations(pages, BASE_PATH, operations()))
}

/// Serves until a signal asks it to stop ([`signals`]), then finishes what is under way and writes down what was counted.
///
/// # Errors
/// Where it cannot start.
pub async fn serve(settings: Settings) -> Result<(), CommandError> {
    // Before anything else: whoever starts this may stop it at any moment.
    let stop = signals::stop()?;
    // Before the database opens its own.
    let files = connections::raise_limit();
    make_private_folder(&settings.data_dir)?;
    let _lock = lock(&settings.data_dir)?;
    Database::hold(&settings.database()?)?;
    let app = Arc::new(App::start(settings, Clock::system(), Random::from_system()).await?);
    let idle_timeout = app.settings.idle_timeout;
    let listener = listen("--listen", app.settings.listen)?;
    let metrics = match app.settings.metrics_listen {
        Some(address) => {
            let listener = listen("--metrics-listen", address)?;
            tracing::info!(address = %listener.local_addr()?, "serving metrics");
            let endpoint = metrics::endpoint(app.clone());
            let places = Places::new(Bounds::of_all_alone(connections::METRICS_CONNECTIONS), None);
            Some(tokio::spawn(connections::serve(listener, idle_timeout, endpoint, places, std::future::pending())))
        }
        None => None,
    };
    app.settings.log_reset_token_shown();
    if app.settings.rate_limits == Switch::Off {
        tracing::warn!(
            "--rate-limits off: passwords can be guessed as fast as they can be checked; for load tests alone"
        );
    }
    let places = places_for_callers(&app, files);
    let address = listener.local_addr()?;
    tracing::info!(%address, public_url = %app.settings.public_url, "listening; documentation at /docs/");
    tell_systemd();

    let (no_more_mail, is_enough_mail) = watch::channel(false);
    let mut mail = tokio::spawn({
        let app = app.clone();
        async move { mail::worker::run(&app, is_enough_mail).await }
    });
    let others = [
        supervise(&app, name::LOG, |_| logging::tell_of_dropped_lines()),
        supervise(&app, name::CHANGES, |app| async move { changes::run(&app).await }),
        supervise(&app, name::HOUSEKEEPING, |app| async move { housekeeping::run(&app).await }),
        supervise(&app, name::SEALS, |app| async move { seal::run(&app).await }),
    ];
    let (enough, is_enough) = watch::channel(false);
    // Each on its own: where the database lets the one wait, the other goes on.
    let mut counts = supervise(&app, name::COUNTS, {
        let is_enough = is_enough.clone();
        move |app| flush_counts_until(app, is_enough.clone())
    });
    let mut refusals = supervise(&app, name::REFUSALS, move |app| flush_refusals_until(app, is_enough.clone()));
    connections::serve(listener, idle_timeout, endpoint(app.clone()), places, stop).await;

    // A mail that is cut off on its way is sent twice.
    let _ = no_more_mail.send(true);
    if tokio::time::timeout(LAST_MAIL, &mut mail).await.is_err() {
        mail.abort();
    }
    others.iter().chain(&metrics).for_each(JoinHandle::abort);
    // Not cut off in the middle of a flush, which would lose what it took out, unless that takes too long.
    let _ = enough.send(true);
    let last = async {
        let _ = tokio::join!(&mut counts, &mut refusals);
        write_down_the_last(&app).await;
    };
    if tokio::time::timeout(LAST_FLUSH, last).await.is_err() {
        tracing::error!("the last counts, refusals and seals could not be written down in time");
        counts.abort();
        refusals.abort();
    }
    match tokio::time::timeout(LAST_FLUSH, app.database().clone().close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the database did not close cleanly"),
        Err(_) => tracing::warn!("the database did not close in time"),
    }
    tracing::info!("stopped");
    Ok(())
}

/// The places for callers' connections: so many that files are left for all else.
fn places_for_callers(app: &App, files: usize) -> Arc<Places> {
    let in_all = connections::left_for_callers(files, &app.settings, app.database().is_shared());
    let bounds = Bounds::new(in_all, app.settings.connections_per_source as usize, app.trusted_proxies.clone());
    let of_one_source = bounds.of_one_source();
    tracing::info!(in_all, of_one_source, files, "so many connections there may be at once");
    Places::new(bounds, app.metrics.clone())
}

/// Runs a background job on a task of its own.
fn supervise<F>(
    app: &Arc<App>,
    name: &'static str,
    job: impl Fn(Arc<App>) -> F + Send + Sync + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let app = app.clone();
    tokio::spawn(async move { app.jobs.supervise(name, background::PAUSE, || job(app.clone())).await })
}

/// Writes down all that there is to write before the end.
async fn write_down_the_last(app: &App) {
    if let Err(error) = refusals::write_down(app, Which::All).await {
        tracing::error!(%error, "the last refusals could not be written down");
    }
    if let Err(error) = seal::seal_all(app).await {
        tracing::warn!(%error, "the end of the record could not be sealed; the next start will do it");
    }
    // Last, for it may have to wait until a row is free.
    loop {
        if let Err(error) = usage::flush(app).await {
            tracing::error!(%error, "the last counts could not be written down");
        }
        if app.usage.is_empty() {
            return;
        }
        tokio::time::sleep(PAUSE_FOR_A_ROW).await;
    }
}

fn listen(flag: &'static str, address: SocketAddr) -> Result<TcpListener, BadSetting> {
    let refuse = |error| BadSetting::new(flag, format!("cannot listen on {address}: {error}"));
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(refuse)?;
    // So that a restarted server need not wait for the last one's connections to be forgotten.
    socket.set_reuseaddr(true).map_err(refuse)?;
    // Its connections have it from here.
    SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT).map_err(refuse)?;
    rustix::net::sockopt::set_tcp_user_timeout(&socket, UNHEARD).map_err(|error| refuse(error.into()))?;
    socket.bind(address).map_err(refuse)?;
    socket.listen(BACKLOG).map_err(refuse)
}

/// Brings the database's schema up to date, and holds its key against ours. Needs neither password threads nor a mail
/// server.
///
/// # Errors
/// Where it cannot.
pub async fn migrate(settings: Settings) -> Result<(), CommandError> {
    make_private_folder(&settings.data_dir)?;
    let _lock = lock(&settings.data_dir)?;
    Database::hold(&settings.database()?)?;
    let random = Random::from_system();
    let (sealer, key_flag) = secret_key::sealer(&settings, &random)?;
    let db = Database::open(&settings.database()?).await?;
    db.migrate().await?;
    secret_key::check(&db, &sealer, &random, key_flag).await?;
    db.close().await?;
    tracing::info!("the database is up to date");
    Ok(())
}

async fn flush_counts_until(app: Arc<App>, mut is_enough: watch::Receiver<bool>) {
    while tokio::time::timeout(FLUSH_INTERVAL, is_enough.wait_for(|enough| *enough)).await.is_err() {
        let outcome = usage::flush(&app).await;
        app.jobs.ended(name::COUNTS, &outcome, app.clock.now().as_micros());
        if let Err(error) = outcome {
            tracing::warn!(%error, "counts could not be written down; trying again");
        }
    }
}

async fn flush_refusals_until(app: Arc<App>, mut is_enough: watch::Receiver<bool>) {
    while tokio::time::timeout(FLUSH_INTERVAL, is_enough.wait_for(|enough| *enough)).await.is_err() {
        let outcome = refusals::write_down(&app, Which::Due).await;
        app.jobs.ended(name::REFUSALS, &outcome, app.clock.now().as_micros());
        if let Err(error) = outcome {
            tracing::warn!(%error, "refusals could not be written down; trying again");
        }
    }
}

/// Says that the server listens: systemd waits for it where its unit has `Type=notify`; elsewhere nobody is told.
fn tell_systemd() {
    let tell = || {
        if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
            tracing::warn!(%error, "systemd could not be told that the server listens");
        }
    };
    // On a thread that nobody waits for: whoever should read it may not.
    if let Err(error) = thread::Builder::new().name("notify".to_owned()).spawn(tell) {
        tracing::warn!(%error, "systemd could not be told that the server listens");
    }
}
