//! What every request and every answer goes through, in one layer: request id, headers, errors in one shape, panics.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use poem::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use poem::http::{HeaderValue, Method, StatusCode};
use poem::{Endpoint, IntoResponse, Request, Response};
use poem_openapi::OperationId;

use super::access::Asked;
use super::caller::RefusedCaller;
use super::cors::{self, Cors};
use super::error_log::ErrorLog;
use super::forwarded::Unbelieved;
use super::host::Hosts;
use super::pace::Pace;
use super::problem::{Code, Problem};
use super::rate_limit;
use super::request_id::{RequestId, X_REQUEST_ID};
use crate::app::App;
use crate::kernel::rate_limit::Standings;

/// The outermost endpoint. It never fails: whatever happened inside becomes an answer.
pub struct Envelope<E> {
    app: Arc<App>,
    cors: Cors,
    hosts: Hosts,
    unbelieved: Unbelieved,
    pace: Pace,
    errors: ErrorLog,
    inner: Arc<E>,
}

impl<E: Endpoint + 'static> Envelope<E> {
    /// Puts `inner` into the envelope; its handlers find `app` in the request.
    pub fn new(app: Arc<App>, inner: E) -> Self {
        let cors = Cors::new(app.settings.cors_origins.iter().flatten());
        let hosts = Hosts::of(&app.settings, app.settings.listen);
        Self {
            cors,
            hosts,
            unbelieved: Unbelieved::new(),
            pace: Pace::new(),
            errors: ErrorLog::new(),
            app,
            inner: Arc::new(inner),
        }
    }

    async fn answer(&self, request: Request) -> Outcome {
        if is_read(&request) {
            return run(self.inner.clone(), request).await;
        }
        // On a task of its own, so that a caller who hangs up does not stop a rule between its commit and what
        // follows it.
        let outcome = tokio::spawn(run(self.inner.clone(), request)).await;
        outcome.unwrap_or_else(|error| Outcome::of(Err(Problem::internal(&error))))
    }
}

/// Whether a request changes nothing, and so leaves nothing on the record unless it is refused.
fn is_read(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// What an endpoint gave, and which operation of the API it was.
struct Outcome {
    operation: Option<&'static str>,
    answer: Result<Response, Problem>,
    refused: Option<RefusedCaller>,
}

impl Outcome {
    fn of(answer: Result<Response, Problem>) -> Self {
        Self { operation: None, answer, refused: None }
    }
}

async fn run<E: Endpoint>(inner: Arc<E>, request: Request) -> Outcome {
    match AssertUnwindSafe(inner.call(request)).catch_unwind().await {
        Ok(Ok(output)) => {
            let response = output.into_response();
            let operation = response.data::<OperationId>().map(|id| id.0);
            Outcome { operation, answer: Ok(response), refused: None }
        }
        Ok(Err(error)) => Outcome {
            operation: error.data::<OperationId>().map(|id| id.0),
            refused: error.data::<RefusedCaller>().cloned(),
            answer: Err(problem_of(&error)),
        },
        Err(panic) => Outcome::of(Err(Problem::internal(format!("panicked: {}", message_of(panic.as_ref()))))),
    }
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Our own errors as they are; poem's by their status.
fn problem_of(error: &poem::Error) -> Problem {
    if let Some(problem) = error.downcast_ref::<Problem>() {
        return problem.clone();
    }
    match error.status() {
        StatusCode::NOT_FOUND => Problem::new(Code::NotFound),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::PayloadTooLarge),
        // poem refuses a path that is not UTF-8 so; no operation has a path like that.
        status if status.is_client_error() => Problem::new(Code::NotFound),
        _ => Problem::internal(error),
    }
}

impl<E: Endpoint + 'static> Endpoint for Envelope<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let request_id = RequestId::choose(request.headers().get(X_REQUEST_ID), &self.app.random);
        let origin = self.cors.listed_origin(request.headers());
        self.unbelieved.notice(&request, &self.app.trusted_proxies);
        let asked = Asked::of(&request, &self.app);
        let metrics = self.app.metrics.as_ref();
        // Nobody looks at the clock for nothing.
        let started = (asked.is_some() || metrics.is_some()).then(Instant::now);
        let standings = (!is_read(&request)).then(Standings::default);
        let outcome = if let Err(problem) = self.hosts.check(&request) {
            Outcome::of(Err(problem))
        } else if origin.is_some() && cors::is_preflight(request.method(), request.headers()) {
            Outcome::of(Ok(cors::preflight()))
        } else {
            request.set_data(self.app.clone());
            if let Some(standings) = &standings {
                request.set_data(request_id.clone());
                request.set_data(standings.clone());
            }
            self.answer(request).await
        };
        if let Some(refused) = outcome.refused {
            refused.note(&self.app, request_id.to_string());
        }
        let refused_with = outcome.answer.as_ref().err().map(Problem::code);
        let mut response = outcome.answer.unwrap_or_else(|problem| {
            self.errors.note(&request_id, &problem);
            problem.to_response(&request_id, &self.app.settings.public_url)
        });

        if let Some(took) = started.map(|started| started.elapsed()) {
            if let Some(metrics) = metrics {
                metrics.answered(outcome.operation, response.status().as_u16(), took);
            }
            if let Some(asked) = asked {
                asked.answered(&request_id, outcome.operation, response.status(), took);
            }
        }
        // What we could not do cost nothing of any limit, and says nothing of one.
        let standings = standings.filter(|_| !response.status().is_server_error());
        let headers = response.headers_mut();
        let standings = standings.map(|standings| standings.all()).unwrap_or_default();
        if !standings.is_empty() {
            for (name, value) in rate_limit::fields(&standings) {
                headers.insert(name, value);
            }
        }
        headers.insert(X_REQUEST_ID, request_id.header_value());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if self.cors.is_on() {
            cors::allow(origin, headers);
        }
        if let Some(code) = refused_with {
            self.pace.keep(code).await;
        }
        Ok(response)
    }
}
