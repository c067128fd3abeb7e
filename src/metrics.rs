//! What Prometheus asks for, on an address of its own (`--metrics-listen`): nothing here is for strangers.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use poem::http::header::CONTENT_TYPE;
use poem::web::Data;
use poem::{Endpoint, EndpointExt, Response, Route, get, handler};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::app::App;
use crate::http::host::Hosts;
use crate::http::problem::Problem;
use crate::logging;
use crate::store::{StoreError, audit, outbox};

/// Upper bounds of the latency histogram, in seconds: from a remembered profile read to a login in a long queue.
const LATENCIES: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0];

/// What is counted as it happens.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    latency: Family<OperationLabels, Histogram, fn() -> Histogram>,
    identities: Family<IdentityLabels, Counter>,
    mails: Family<MailLabels, Counter>,
    throttled: Family<LimitLabels, Counter>,
    connections: Gauge,
    connections_refused: Family<BoundLabels, Counter>,
    connections_ended: Family<BoundLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IdentityLabels {
    source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MailLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    job: &'static str,
}

/// An instant, in seconds since 1970.
type Seconds = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BoundLabels {
    bound: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            latency: Family::new_with_constructor(|| Histogram::new(LATENCIES)),
            requests: Family::default(),
            identities: Family::default(),
            mails: Family::default(),
            throttled: Family::default(),
            connections: Gauge::default(),
            connections_refused: Family::default(),
            connections_ended: Family::default(),
        }
    }
}

impl Metrics {
    /// Counts an answer; `operation` is its operationId, `None` for whatever is no operation of the API.
    pub fn answered(&self, operation: Option<&'static str>, status: u16, took: Duration) {
        let operation = operation.unwrap_or("none");
        self.requests.get_or_create(&RequestLabels { operation, status }).inc();
        self.latency.get_or_create(&OperationLabels { operation }).observe(took.as_secs_f64());
    }

    /// Counts an identity that was looked for behind a token.
    pub fn identified(&self, was_remembered: bool) {
        let source = if was_remembered { "memory" } else { "database" };
        self.identities.get_or_create(&IdentityLabels { source }).inc();
    }

    /// Counts a try to send a mail: `sent`, `postponed`, `given_up`.
    pub fn mailed(&self, outcome: &'static str) {
        self.mails.get_or_create(&MailLabels { outcome }).inc();
    }

    /// Counts a call that met a limit, by the limit's name.
    pub fn throttled(&self, limit: &'static str) {
        self.throttled.get_or_create(&LimitLabels { limit }).inc();
    }

    /// Counts a connection in.
    pub fn connection_opened(&self) {
        self.connections.inc();
    }

    /// Counts it out.
    pub fn connection_closed(&self) {
        self.connections.dec();
    }

    /// Counts a connection that was closed at once, by the bound that it met: `source`, `all`.
    pub fn connection_refused(&self, bound: &'static str) {
        self.connections_refused.get_or_create(&BoundLabels { bound }).inc();
    }

    /// Counts a connection without a request under way that had to make room for another.
    pub fn connection_ended(&self, bound: &'static str) {
        self.connections_ended.get_or_create(&BoundLabels { bound }).inc();
    }
}

/// Everything, as Prometheus reads it (the OpenMetrics text format). What the database does not tell is omitted: the rest
/// is asked for most while the database is away.
pub async fn render(app: &App, metrics: &Metrics) -> String {
    let mut registry = Registry::with_prefix("documines_auth");
    registry.register("requests", "Answers, by operation and status", metrics.requests.clone());
    registry.register("request_duration_seconds", "Time from request to answer", metrics.latency.clone());
    registry.register("identities", "Callers, by where they were found", metrics.identities.clone());
    registry.register("mails", "Tries to send a mail, by outcome", metrics.mails.clone());
    registry.register("throttled", "Calls that met a limit, by limit", metrics.throttled.clone());
    registry.register("connections_open", "Connections of callers", metrics.connections.clone());
    let help = "Connections that were closed at once, by the bound that they met";
    registry.register("connections_refused", help, metrics.connections_refused.clone());
    let help = "Connections without a request under way that made room for others, by bound";
    registry.register("connections_ended", help, metrics.connections_ended.clone());
    let mut gauge = |name: &str, help: &str, value: usize| {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    gauge("hash_queue", "Passwords that wait to be hashed", app.hasher.waiting());
    match kept(app).await {
        Ok((mails, unsealed)) => {
            gauge("outbox", "Mails that wait to go out", usize::try_from(mails.waiting).unwrap_or(usize::MAX));
            gauge("outbox_given_up", "Mails that were given up", usize::try_from(mails.given_up).unwrap_or(usize::MAX));
            let unsealed = usize::try_from(unsealed).unwrap_or(usize::MAX);
            gauge("audit_unsealed", "Events on the record that are not sealed yet", unsealed);
        }
        Err(error) => tracing::warn!(%error, "metrics go without what the database would tell"),
    }
    let (open, idle) = app.database().connections();
    gauge("database_connections_open", "Connections to the database", open);
    gauge("database_connections_idle", "Connections to the database that nobody uses", idle);
    let panics = Family::<JobLabels, Counter>::default();
    for (job, count) in app.jobs.panics() {
        panics.get_or_create(&JobLabels { job }).inc_by(count);
    }
    registry.register("job_panics", "Panics of background jobs, by job; each was started again", panics);
    let (failures, successes) = (Family::<JobLabels, Counter>::default(), Family::<JobLabels, Seconds>::default());
    for (job, failed, succeeded_at) in app.jobs.rounds() {
        failures.get_or_create(&JobLabels { job }).inc_by(failed);
        if let Some(at) = succeeded_at {
            successes.get_or_create(&JobLabels { job }).set(at as f64 / 1e6);
        }
    }
    registry.register("job_failures", "Rounds of background jobs that ended with an error, by job", failures);
    let help = "When a round of a background job last succeeded, by job, in seconds since 1970";
    registry.register("job_last_success_timestamp_seconds", help, successes);
    let lumped = Counter::<u64>::default();
    lumped.inc_by(app.refusals.lumped());
    let help = "Refusals of a flood: on the record as a number, without the network";
    registry.register("audit_refusals_lumped", help, lumped);
    let dropped = Counter::<u64>::default();
    dropped.inc_by(logging::dropped_lines());
    registry.register("log_lines_dropped", "Log lines that standard error did not take", dropped);
    let mut text = String::new();
    encode(&mut text, &registry).expect("a String takes whatever is written to it");
    text
}

/// What the database tells: the mails that it keeps, and the events that are not sealed.
async fn kept(app: &App) -> Result<(outbox::Count, u64), StoreError> {
    Ok((outbox::count(app.reader()).await?, audit::count_unsealed(app.reader()).await?))
}

/// The endpoint of the second address.
pub fn endpoint(app: Arc<App>) -> impl Endpoint<Output = Response> {
    let hosts = app.settings.metrics_listen.map(|address| Arc::new(Hosts::of(&app.settings, address)));
    let route = Route::new().at("/metrics", get(scrape)).data(app);
    let checked = route.around(move |route, request| {
        let hosts = hosts.clone();
        async move {
            hosts.as_ref().map_or(Ok(()), |hosts| hosts.check(&request))?;
            route.call(request).await
        }
    });
    checked.map_to_response()
}

#[handler]
async fn scrape(app: Data<&Arc<App>>) -> poem::Result<Response> {
    let Some(metrics) = &app.metrics else { return Err(Problem::internal("metrics are off").into()) };
    let text = render(&app, metrics).await;
    Ok(Response::builder()
        .header(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text))
}
