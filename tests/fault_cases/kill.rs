//! SIGKILL under load: what was acknowledged is there afterwards.

use std::path::Path;
use std::sync::{Arc, Mutex};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::load::{Api, Person, next};
use crate::postgres_server::Postgres;
use crate::server::{PASSWORD, PATIENCE, Server, until};
use crate::skip;

/// What a caller was told, in order; the last that they asked for may be done or not.
#[derive(Default)]
struct Told {
    acknowledged: Option<String>,
    asked: Option<String>,
    count: usize,
}

type Record = Arc<Mutex<Told>>;

impl Told {
    /// Whether the server may hold this now.
    fn allows(&self, found: Option<&str>) -> bool {
        found == self.acknowledged.as_deref() || found == self.asked.as_deref()
    }
}

/// Lets a caller ask for one value after the other until the connection breaks.
fn ask<Asking: Future<Output = reqwest::Result<bool>> + Send>(
    record: &Record,
    ask_for: impl Fn(String) -> Asking + Send + 'static,
) -> JoinHandle<()> {
    let record = record.clone();
    tokio::spawn(async move {
        loop {
            let value = format!("wandering-heron-{}-drift", next());
            record.lock().unwrap().asked = Some(value.clone());
            match ask_for(value.clone()).await {
                Ok(is_done) => assert!(is_done),
                Err(_) => return,
            }
            let mut told = record.lock().unwrap();
            told.acknowledged = Some(value);
            told.count += 1;
        }
    })
}

async fn reset(api: &Api, somebody: &Person, password: &str) -> reqwest::Result<bool> {
    let body = json!({"email": somebody.email});
    let requested = api.call(Method::POST, "/password/reset/request/", Some(somebody), Some(&body)).await?;
    let body = json!({"token": requested.body["reset_token"], "new_password": password});
    Ok(api.call(Method::POST, "/password/reset/", Some(somebody), Some(&body)).await?.status == 200)
}

async fn sign_up(api: &Api, joined: &Mutex<Vec<Person>>) -> reqwest::Result<bool> {
    let (answer, somebody) = api.try_sign_up(&format!("joiner{}", next())).await?;
    joined.lock().unwrap().push(somebody);
    Ok(answer.status == 201)
}

async fn kill_under_load(folder: &Path, environment: &[(&str, &str)]) {
    let mut server = Server::start_with(folder, &[], environment);
    for _ in 0..3 {
        let api = Api::of(&server);
        let joined: Arc<Mutex<Vec<Person>>> = Arc::default();
        let (mut movers, mut resetters, mut callers, mut records) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..4 {
            let record = Record::default();
            let somebody = api.join(&format!("mover{}", next())).await;
            movers.push((somebody.clone(), record.clone()));
            let caller = api.clone();
            callers.push(ask(&record, move |address| {
                let (api, somebody) = (caller.clone(), somebody.clone());
                async move { Ok(api.move_to(&somebody, &address).await?.status == 200) }
            }));
            records.push(record);

            let record = Record::default();
            let somebody = api.join(&format!("resetter{}", next())).await;
            resetters.push((somebody.clone(), record.clone()));
            let caller = api.clone();
            callers.push(ask(&record, move |password| {
                let (api, somebody) = (caller.clone(), somebody.clone());
                async move { reset(&api, &somebody, &password).await }
            }));
            records.push(record);

            let record = Record::default();
            let (caller, joined) = (api.clone(), joined.clone());
            callers.push(ask(&record, move |_| {
                let (api, joined) = (caller.clone(), joined.clone());
                async move { sign_up(&api, &joined).await }
            }));
            records.push(record);
        }
        tokio::task::block_in_place(|| {
            until(|| records.iter().all(|record| record.lock().unwrap().count >= 5).then_some(()));
        });
        server.kill();
        for caller in callers {
            tokio::time::timeout(PATIENCE, caller).await.unwrap().unwrap();
        }
        server = Server::start_with(folder, &[], environment);
        let api = Api::of(&server);
        hold(&api, &movers, &resetters, &joined).await;
    }
}

/// Holds the server to what it acknowledged.
async fn hold(api: &Api, movers: &[(Person, Record)], resetters: &[(Person, Record)], joined: &Mutex<Vec<Person>>) {
    for (somebody, record) in movers {
        let profile = api.get_profile(somebody).await.unwrap().body;
        assert!(record.lock().unwrap().allows(profile["address"].as_str()), "{profile}");
    }
    for (somebody, record) in resetters {
        let (acknowledged, asked) = {
            let told = record.lock().unwrap();
            (told.acknowledged.clone().unwrap(), told.asked.clone().unwrap())
        };
        let one = api.log_in(somebody, &acknowledged).await.unwrap().status;
        let other = api.log_in(somebody, &asked).await.unwrap().status;
        assert!(one == 200 || other == 200, "{one}, {other}");
        assert_eq!(api.log_in(somebody, PASSWORD).await.unwrap().status, 401);
    }
    let joined = std::mem::take(&mut *joined.lock().unwrap());
    for somebody in joined {
        let answer = api.log_in(&somebody, PASSWORD).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    kill_under_load(folder.path(), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_on_postgres() {
    let Some(postgres) = Postgres::start() else {
        return skip("what_was_acknowledged_survives_a_kill_on_postgres", "no PostgreSQL");
    };
    let folder = tempfile::tempdir().unwrap();
    kill_under_load(folder.path(), &[("DATABASE_URL", &postgres.url("postgres"))]).await;
}
