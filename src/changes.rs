//! Hearing what others changed, so that what this process remembers stays true: other nodes on PostgreSQL, other processes
//! on SQLite (an administrator's command, a script).
//!
//! On SQLite the connection that writes is asked several times a second whether anybody else committed anything; it does
//! not count its own commits, and no other connection of ours writes. If so, all is forgotten. What is remembered counts
//! until `LEASE` after the last such question that was answered.
//!
//! On PostgreSQL nodes tell each other.
//! Whoever changes an account says so with PostgreSQL's NOTIFY in the transaction that changes it. PostgreSQL delivers
//! in the order of commits. A node hears its own heartbeat over the same connection: when one arrives, every change
//! committed before it was sent has arrived too. So what is remembered counts until `TRUST` after the sending of the
//! last heartbeat that was heard. A connection that broke, hangs, or lags behind brings no heartbeat in time, and the
//! node asks the database for everything until it hears again.

use std::time::{Duration, Instant};

use crate::app::App;
use crate::background::name;
use crate::store::{AccountId, StoreError};

/// How often the SQLite file is looked at.
const LOOK: Duration = Duration::from_millis(400);
/// How long after a look others' commits may go unseen: the most that they are late.
const LEASE: Duration = Duration::from_millis(950);

/// How long after a heartbeat was sent other nodes' changes may go unheard: the most that they lag behind.
const TRUST: Duration = Duration::from_millis(750);
/// How often a node sends one.
const HEARTBEAT: Duration = Duration::from_millis(200);
/// How long a connection may bring nothing before it is given up.
const SILENCE: Duration = Duration::from_secs(3);
/// How long it waits before it listens again.
const PAUSE: Duration = Duration::from_millis(250);
/// How long at most, after connections that hung one after the other: neither end of such a one knows that it is over.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

const UNHEARD: &str = "not hearing the other nodes; asking the database for everything meanwhile";

/// Listens, or looks, for ever.
pub async fn run(app: &App) {
    if !app.database().is_shared() {
        return look_for_ever(app).await;
    }
    let node = Node { name: app.random.letters_and_digits(16), started: Instant::now() };
    tokio::join!(beat(app, &node), hear_for_ever(app, &node));
}

async fn look_for_ever(app: &App) {
    let mut before = None;
    loop {
        let began = Instant::now();
        // Where another process writes for long, the answer waits for it; the lease runs out meanwhile.
        let outcome = app.database().others_commits().await;
        app.jobs.ended(name::CHANGES, &outcome, app.clock.now().as_micros());
        if let Ok(seen) = outcome {
            if seen != before {
                app.identities.forget_all();
                before = seen;
            }
            app.identities.trust_until(began + LEASE);
        }
        tokio::time::sleep(LOOK.saturating_sub(began.elapsed())).await;
    }
}

/// What a node knows its own heartbeats by.
struct Node {
    name: String,
    started: Instant,
}

impl Node {
    fn heartbeat(&self) -> String {
        format!("{} {}", self.name, self.started.elapsed().as_micros())
    }

    /// When it sent this heartbeat; `None` where it is another node's, or none.
    fn sent_at(&self, payload: &str) -> Option<Instant> {
        let micros = payload.strip_prefix(&self.name)?.strip_prefix(' ')?.parse().ok()?;
        self.started.checked_add(Duration::from_micros(micros))
    }
}

async fn beat(app: &App, node: &Node) {
    loop {
        // One that fails needs no word: the trust that it would have brought runs out.
        let _ = app.database().tell(&node.heartbeat()).await;
        tokio::time::sleep(HEARTBEAT).await;
    }
}

async fn hear_for_ever(app: &App, node: &Node) {
    let mut pause = PAUSE;
    loop {
        let began = Instant::now();
        let ended = hear(app, node).await;
        // Trust ends with the connection, not when it would have run out.
        app.identities.trust_until(Instant::now());
        let heard = if let Ok(Ended::Closed) = ended { Ok(()) } else { Err(()) };
        app.jobs.ended(name::CHANGES, &heard, app.clock.now().as_micros());
        let hung = matches!(ended, Ok(Ended::Hung)) && began.elapsed() < LONGEST_PAUSE;
        pause = if hung { (pause * 2).min(LONGEST_PAUSE) } else { PAUSE };
        match ended {
            Ok(Ended::Closed) => {}
            Ok(Ended::Hung) => tracing::warn!(error = "the connection hangs", "{UNHEARD}"),
            Err(error) => tracing::warn!(%error, "{UNHEARD}"),
        }
        tokio::time::sleep(pause).await;
    }
}

/// How hearing ended.
enum Ended {
    Closed,
    /// Nothing came any more.
    Hung,
}

/// Hears until the connection is gone.
async fn hear(app: &App, node: &Node) -> Result<Ended, StoreError> {
    // A connection that hangs before it listens is given up as well.
    let Ok(listener) = tokio::time::timeout(SILENCE, app.database().listen()).await else {
        return Ok(Ended::Hung);
    };
    let Some(mut listener) = listener? else { return Ok(Ended::Closed) };
    // Whatever changed while nobody listened went unheard.
    app.identities.forget_all();
    // Heartbeats come all the time. A connection without any hangs, and a new one may not.
    while let Ok(heard) = tokio::time::timeout(SILENCE, listener.try_recv()).await {
        let Some(notification) = heard? else { return Ok(Ended::Closed) };
        let payload = notification.payload();
        if let Ok(account) = payload.parse() {
            app.identities.forget(AccountId(account));
        } else if let Some(sent_at) = node.sent_at(payload) {
            app.identities.trust_until(sent_at + TRUST);
            app.jobs.ended(name::CHANGES, &Ok::<_, StoreError>(()), app.clock.now().as_micros());
        }
    }
    Ok(Ended::Hung)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_knows_its_own_heartbeats() {
        let started = Instant::now();
        let (one, other) = (Node { name: "one".into(), started }, Node { name: "other".into(), started });
        assert!(one.sent_at(&one.heartbeat()).is_some_and(|at| at >= started && at <= Instant::now()));
        for not_ours in [other.heartbeat(), "one".to_owned(), "one x".to_owned(), "7".to_owned(), String::new()] {
            assert_eq!(one.sent_at(&not_ours), None, "{not_ours}");
        }
    }
}
