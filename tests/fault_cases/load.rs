//! Callers who do not let up.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::server::{PASSWORD, PATIENCE, Server, person};

/// The API as callers reach it, over connections that they keep.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    base: String,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: bool,
    pub(crate) body: Value,
}

/// Somebody with an account and a session.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) bearer: String,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        matches!(self.status, 200 | 201)
    }

    /// A refusal that asks to try again later.
    pub(crate) fn is_for_later(&self) -> bool {
        self.status == 503 && self.retry_after
    }
}

impl Api {
    pub(crate) fn of(server: &Server) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Self { http, base: server.url("") }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        let retry_after = answer.headers().contains_key("retry-after");
        Answer { status: answer.status().as_u16(), retry_after, body: Value::Null }
    }

    /// Calls an operation; an error where the connection breaks.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        caller: Option<&Person>,
        body: Option<&Value>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method, format!("{}/api/v1/auth{path}", self.base));
        if let Some(caller) = caller {
            request = request.header("X-Client-ID", &caller.client_id).header("Authorization", &caller.bearer);
            request = request.header("X-Client-Secret", &caller.client_secret);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, retry_after) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
        Ok(Answer { status, retry_after, body: answer.json().await? })
    }

    /// Signs somebody up; they have no session yet.
    pub(crate) async fn try_sign_up(&self, name: &str) -> reqwest::Result<(Answer, Person)> {
        let answer = self.call(Method::POST, "/signup/", None, Some(&person(name))).await?;
        let text = |member: &str| answer.body[member].as_str().unwrap_or_default().to_owned();
        let (client_id, client_secret) = (text("client_id"), text("client_secret"));
        let email = format!("{name}@example.com");
        Ok((answer, Person { email, client_id, client_secret, bearer: String::new() }))
    }

    pub(crate) async fn log_in(&self, somebody: &Person, password: &str) -> reqwest::Result<Answer> {
        let body = json!({"email": somebody.email, "password": password});
        self.call(Method::POST, "/login/", Some(somebody), Some(&body)).await
    }

    /// Signs somebody up and logs them in.
    pub(crate) async fn join(&self, name: &str) -> Person {
        let (answer, mut somebody) = self.try_sign_up(name).await.unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        let answer = self.log_in(&somebody, PASSWORD).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        somebody.bearer = format!("Bearer {}", answer.body["access_token"].as_str().unwrap());
        somebody
    }

    pub(crate) async fn get_profile(&self, somebody: &Person) -> reqwest::Result<Answer> {
        self.call(Method::GET, "/profile/", Some(somebody), None).await
    }

    pub(crate) async fn move_to(&self, somebody: &Person, address: &str) -> reqwest::Result<Answer> {
        self.call(Method::PUT, "/profile/update/", Some(somebody), Some(&json!({"address": address}))).await
    }
}

/// One call of the load, and what became of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) started: Instant,
    pub(crate) took: Duration,
    pub(crate) answer: Answer,
}

/// Callers of four operations, four each, who go on until they are stopped.
pub(crate) struct Load {
    is_enough: Arc<AtomicBool>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    callers: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) async fn start(api: &Api) -> Self {
        let mut load = Self { is_enough: Arc::default(), outcomes: Arc::default(), callers: Vec::new() };
        for number in 0..16 {
            let (api, is_enough, outcomes) = (api.clone(), load.is_enough.clone(), load.outcomes.clone());
            let somebody = api.join(&format!("caller{}", next())).await;
            load.callers.push(tokio::spawn(async move {
                while !is_enough.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    let answer = match number % 4 {
                        0 => api.get_profile(&somebody).await,
                        1 => api.move_to(&somebody, "3 Fynbos Road, Hermanus").await,
                        2 => api.log_in(&somebody, PASSWORD).await,
                        _ => api.try_sign_up(&format!("somebody{}", next())).await.map(|(answer, _)| answer),
                    };
                    let outcome = Outcome { started, took: started.elapsed(), answer: answer.unwrap() };
                    outcomes.lock().unwrap().push(outcome);
                }
            }));
        }
        load
    }

    /// Goes on until it holds of the calls that were begun since; they are forgotten then.
    pub(crate) async fn until(
        &self,
        patience: Duration,
        what: &str,
        since: Instant,
        holds: impl Fn(&[&Outcome]) -> bool,
    ) {
        let start = Instant::now();
        loop {
            {
                let outcomes = self.outcomes.lock().unwrap();
                let seen: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.started >= since).collect();
                if holds(&seen) {
                    return;
                }
                let last = seen.last();
                assert!(start.elapsed() < patience, "{what} within {patience:?}; {} calls, {last:?}", seen.len());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The last calls of some number that were begun since then all succeeded.
    pub(crate) async fn until_well(&self, patience: Duration) {
        let well =
            |seen: &[&Outcome]| seen.len() > 100 && seen[seen.len() - 100..].iter().all(|o| o.answer.is_success());
        self.until(patience, "it is well", Instant::now(), well).await;
    }

    /// Ends it, and gives everything that came of it.
    pub(crate) async fn stop(self) -> Vec<Outcome> {
        self.is_enough.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.await.unwrap();
        }
        std::mem::take(&mut *self.outcomes.lock().unwrap())
    }
}

/// A number that nobody had.
pub(crate) fn next() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}
