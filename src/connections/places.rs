//! How many connections there may be at a time, in all and from one source.
//!
//! Shortly before a bound, each new connection ends the one that was opened first among those without a request under
//! way: so a source that holds idle connections shuts out neither its neighbours behind the same address nor others. At
//! the bound itself, where all are at work, the new connection is closed.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::kernel::origin::{Source, TrustedProxies};
use crate::metrics::Metrics;

/// How many connections are looked at, at most, for one without a request under way: where all are at work, a flood of new
/// ones costs no more than that.
const LOOKS: usize = 16;
/// How often the log says that connections are closed.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The places for connections to one address.
#[derive(Debug)]
pub(crate) struct Places {
    bounds: Bounds,
    metrics: Option<Metrics>,
    state: Mutex<State>,
}

/// How many there may be.
#[derive(Debug)]
pub(crate) struct Bounds {
    in_all: usize,
    of_one_source: usize,
    /// Proxies, through which many callers come: no bound of one source holds for them.
    proxies: TrustedProxies,
    /// Whether a proxy may be among the programs of this machine.
    is_loopback_exempt: bool,
}

impl Bounds {
    /// So many in all and of one source, which never has more than half of all.
    ///
    /// Where the operator lists no proxy, one on this machine may be in front all the same, and all callers come from a
    /// loopback address then.
    pub(crate) fn new(in_all: usize, of_one_source: usize, proxies: TrustedProxies) -> Self {
        let of_one_source = of_one_source.min(in_all / 2).max(1);
        Self { in_all, of_one_source, is_loopback_exempt: proxies.is_empty(), proxies }
    }

    /// So many in all, however many of one source.
    pub(crate) fn of_all_alone(in_all: usize) -> Self {
        Self { in_all, of_one_source: in_all, proxies: TrustedProxies::default(), is_loopback_exempt: true }
    }

    pub(crate) fn of_one_source(&self) -> usize {
        self.of_one_source
    }

    fn is_exempt(&self, peer: Source) -> bool {
        self.proxies.include(peer) || self.is_loopback_exempt && peer.is_loopback()
    }
}

#[derive(Debug, Default)]
struct State {
    /// The connections that a bound of one source holds for, and the others.
    counted: Ring,
    exempt: Ring,
    sources: HashMap<Source, Ring>,
    logged_at: Option<Instant>,
    /// How many were closed since the log said so.
    closed: u64,
}

/// Connections in the order in which they are asked to make room.
#[derive(Debug, Default)]
struct Ring {
    open: usize,
    /// Those that have ended are taken out when there are many of them.
    order: VecDeque<Weak<Connection>>,
}

/// What is known of one connection.
#[derive(Debug)]
pub(crate) struct Connection {
    is_waiting: AtomicBool,
    is_asked_to_end: AtomicBool,
    to_end: Notify,
}

impl Connection {
    /// A request begins.
    pub(crate) fn works(&self) {
        self.is_waiting.store(false, Ordering::Relaxed);
    }

    /// Its answer is made.
    pub(crate) fn waits(&self) {
        self.is_waiting.store(true, Ordering::Relaxed);
    }

    /// Returns once it is to make room for another.
    pub(crate) async fn asked_to_end(&self) {
        self.to_end.notified().await;
    }

    pub(crate) fn is_asked_to_end(&self) -> bool {
        self.is_asked_to_end.load(Ordering::Relaxed)
    }

    /// Asks it to end, unless a request is under way.
    fn ask_to_end(&self) -> bool {
        let asks = self.is_waiting.load(Ordering::Relaxed) && !self.is_asked_to_end.swap(true, Ordering::Relaxed);
        if asks {
            self.to_end.notify_one();
        }
        asks
    }
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) connection: Arc<Connection>,
    places: Arc<Places>,
    /// `None` for one that no bound of one source holds for.
    source: Option<Source>,
}

impl Places {
    pub(crate) fn new(bounds: Bounds, metrics: Option<Metrics>) -> Arc<Self> {
        Arc::new(Self { bounds, metrics, state: Mutex::default() })
    }

    /// A place for a connection from that address, where there is one.
    pub(crate) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let peer = Source::new(peer);
        let source = (!self.bounds.is_exempt(peer)).then(|| peer.network());
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        let full = self.bound_that_is_met(state, source);
        if let Some(bound) = full {
            self.refuse(state, bound, peer);
            return None;
        }
        let connection = Arc::new(Connection {
            is_waiting: AtomicBool::new(true),
            is_asked_to_end: AtomicBool::new(false),
            to_end: Notify::new(),
        });
        match source {
            Some(source) => {
                state.counted.add(&connection);
                state.sources.entry(source).or_default().add(&connection);
            }
            None => state.exempt.add(&connection),
        }
        if let Some(metrics) = &self.metrics {
            metrics.connection_opened();
        }
        Some(Place { connection, places: self.clone(), source })
    }

    /// Makes room where it is short, and says where there is none.
    fn bound_that_is_met(&self, state: &mut State, source: Option<Source>) -> Option<&'static str> {
        if let Some(ring) = source.and_then(|source| state.sources.get_mut(&source)) {
            if is_short(ring.open, self.bounds.of_one_source) && ring.make_room() {
                self.count_ended("source");
            }
            if ring.open >= self.bounds.of_one_source {
                return Some("source");
            }
        }
        let open = state.counted.open + state.exempt.open;
        // A proxy's connections, which carry many callers, last.
        if is_short(open, self.bounds.in_all) && (state.counted.make_room() || state.exempt.make_room()) {
            self.count_ended("all");
        }
        (open >= self.bounds.in_all).then_some("all")
    }

    fn refuse(&self, state: &mut State, bound: &'static str, peer: Source) {
        if let Some(metrics) = &self.metrics {
            metrics.connection_refused(bound);
        }
        state.closed += 1;
        if state.logged_at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            let connections = std::mem::take(&mut state.closed);
            tracing::warn!(connections, bound, %peer, "closed at once: as many connections as there may be are at work");
            state.logged_at = Some(Instant::now());
        }
    }

    fn count_ended(&self, bound: &'static str) {
        if let Some(metrics) = &self.metrics {
            metrics.connection_ended(bound);
        }
    }

    fn give_back(&self, source: Option<Source>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match source {
            Some(source) => {
                state.counted.open -= 1;
                if let Some(ring) = state.sources.get_mut(&source) {
                    ring.open -= 1;
                    if ring.open == 0 {
                        state.sources.remove(&source);
                    }
                }
            }
            None => state.exempt.open -= 1,
        }
        drop(state);
        if let Some(metrics) = &self.metrics {
            metrics.connection_closed();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.give_back(self.source);
    }
}

impl Ring {
    fn add(&mut self, connection: &Arc<Connection>) {
        if self.order.len() > 2 * self.open + LOOKS {
            self.order.retain(|connection| connection.strong_count() > 0);
        }
        self.order.push_back(Arc::downgrade(connection));
        self.open += 1;
    }

    /// Asks the first of the next few without a request under way to end; who is at work comes last again.
    fn make_room(&mut self) -> bool {
        for _ in 0..LOOKS.min(self.order.len()) {
            let Some(next) = self.order.pop_front() else { break };
            let Some(connection) = next.upgrade() else { continue };
            if connection.ask_to_end() {
                return true;
            }
            if !connection.is_asked_to_end() {
                self.order.push_back(next);
            }
        }
        false
    }
}

/// Whether but a sixteenth of the places is left; of few places a quarter, for several callers may come at once.
fn is_short(open: usize, bound: usize) -> bool {
    let kept = (bound / 16).max(8.min(bound / 4)).max(1);
    open + kept >= bound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(in_all: usize, of_one_source: usize, proxies: &[&str]) -> Arc<Places> {
        let proxies = proxies.iter().map(|network| network.parse().unwrap()).collect();
        Places::new(Bounds::new(in_all, of_one_source, proxies), None)
    }

    /// So many tries; the places that were had.
    fn take(places: &Arc<Places>, peer: &str, count: usize) -> Vec<Place> {
        (0..count)
            .filter_map(|_| places.take(peer.parse().unwrap()))
            .inspect(|place| place.connection.works())
            .collect()
    }

    #[test]
    fn a_source_has_as_many_places_as_it_may_and_they_come_back() {
        let places = places(1_000, 20, &[]);
        for _ in 0..3 {
            assert_eq!(take(&places, "203.0.113.9", 30).len(), 20);
        }
        let kept = [take(&places, "2001:db8::1", 15), take(&places, "2001:db8::2", 15)];
        assert_eq!(kept.map(|kept| kept.len()), [15, 5]);
        for _ in 0..10_000 {
            drop(places.take("203.0.113.9".parse().unwrap()).unwrap());
        }
        let state = places.state.lock().unwrap();
        assert_eq!((state.sources.len(), state.counted.open), (0, 0));
        assert!(state.counted.order.len() <= 2 * 20 + LOOKS + 1, "{}", state.counted.order.len());
    }

    #[test]
    fn half_of_the_places_is_the_most_of_one_source() {
        let places = places(100, 2_500, &[]);
        let kept = ["203.0.113.8", "203.0.113.9", "203.0.113.10"].map(|source| take(&places, source, 60));
        assert_eq!(kept.each_ref().map(Vec::len), [50, 50, 0]);
    }

    #[test]
    fn a_proxy_is_no_source_and_neither_is_this_machine_where_none_is_listed() {
        assert_eq!(take(&places(100, 10, &[]), "127.0.0.1", 100).len(), 100);
        assert_eq!(take(&places(100, 10, &[]), "::1", 100).len(), 100);
        assert_eq!(take(&places(100, 10, &[]), "::ffff:127.0.0.1", 100).len(), 100);
        let places = places(100, 10, &["10.0.0.0/8"]);
        assert_eq!(take(&places, "127.0.0.1", 100).len(), 10);
        assert_eq!(take(&places, "10.1.2.3", 101).len(), 100);
    }

    #[test]
    fn one_that_waits_makes_room_a_strangers_before_a_proxys() {
        let places = places(16, 8, &["10.0.0.0/8"]);
        let (proxys, strangers) = (take(&places, "10.0.0.1", 8), take(&places, "203.0.113.9", 7));
        for waiting in [&proxys[0], &strangers[3]] {
            waiting.connection.waits();
        }
        let _newest = take(&places, "203.0.113.10", 1);
        assert!(strangers[3].connection.is_asked_to_end() && !proxys[0].connection.is_asked_to_end());
        assert!(take(&places, "203.0.113.10", 1).is_empty());
        assert!(proxys[0].connection.is_asked_to_end());
        let asked = proxys.iter().chain(&strangers).filter(|place| place.connection.is_asked_to_end()).count();
        assert_eq!(asked, 2);
    }
}
