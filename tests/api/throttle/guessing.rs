//! One source that guesses at one account.

use documines_auth::store::writes::Writes;
use documines_auth::throttle::guess::{Guess, guess};
use documines_auth::throttle::limits::LOGIN;
use futures_util::future::join_all;

use super::{WRONG, limited, origin, wait_for};
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, days, hours, seconds};

const QUARTER: std::time::Duration = seconds(15 * 60);

#[tokio::test]
async fn five_failures_cost_nothing_and_each_further_one_doubles_a_wait_to_a_quarter_of_an_hour() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    for left in [4, 3, 2, 1, 0] {
        let answer = thandi.client.login(&thandi.email, WRONG).await;
        answer.refused(401, "invalid_credentials");
        assert_eq!(answer.header("ratelimit"), Some(format!("\"login\";r={left}").as_str()));
        assert_eq!(answer.header("ratelimit-policy"), Some("\"login\";q=5;w=86400"));
    }
    for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        let answer = thandi.client.login(&thandi.email, WRONG).await;
        answer.refused(401, "invalid_credentials");
        assert_eq!(answer.header("ratelimit"), Some(format!("\"login\";r=0;t={wait}").as_str()));
        // The right password is no way around it, and a try that is refused costs nothing.
        for password in [PASSWORD, WRONG] {
            assert_eq!(wait_for(&thandi.client.login(&thandi.email, password).await, "login"), wait);
        }
        app.advance(seconds(wait) - seconds(1));
        assert_eq!(wait_for(&thandi.client.login(&thandi.email, PASSWORD).await, "login"), 1);
        app.advance(seconds(1));
    }
    thandi.log_in().await;
}

#[tokio::test]
async fn a_success_forgets_the_failures_of_its_source() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    for number in 0..3 {
        for _ in 0..5 {
            thandi.client.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
        }
        let answer = thandi.client.login(&thandi.email, PASSWORD).await;
        answer.expect(200);
        assert_eq!(answer.header("ratelimit"), Some(format!("\"login\";r=5, \"logins\";r={}", 299 - number).as_str()));
    }
}

#[tokio::test]
async fn a_day_without_a_failure_forgets_them() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    for _ in 0..6 {
        thandi.client.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
    }
    app.advance(days(1));
    let answer = thandi.client.login(&thandi.email, WRONG).await;
    assert_eq!(answer.header("ratelimit"), Some("\"login\";r=4"));
}

#[tokio::test]
async fn an_unknown_email_is_counted_as_a_known_one_is() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let guesser = app.sign_up("sipho").await.client.from("203.0.113.9");
    for step in 0..200 {
        let known = guesser.login(&thandi.email, WRONG).await;
        let unknown = guesser.login("nobody@example.com", WRONG).await;
        assert_eq!(known.without_request_id(), unknown.without_request_id(), "try {step}");
        if step % 2 == 1 {
            app.advance(QUARTER);
        }
    }
    guesser.login("nobody@example.com", WRONG).await.refused(403, "password_reset_required");
}

#[tokio::test]
async fn of_32_guesses_at_once_no_more_get_through_than_one_after_the_other() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let answers = join_all((0..32).map(|_| thandi.client.login(&thandi.email, WRONG))).await;
    let tried = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!((tried, answers.len() - tried), (6, 26));
    for answer in answers.iter().filter(|answer| answer.status != 401) {
        // One account has fewer places in front of the hasher than there are guesses; who gets none is not counted.
        if answer.status == 503 {
            answer.refused(503, "overloaded");
        } else {
            assert_eq!(wait_for(answer, "login"), 1);
        }
    }
}

#[tokio::test]
async fn of_many_right_passwords_at_once_each_lets_in_no_more_than_one() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let origin = origin("192.0.2.1");
    thandi.client.from("192.0.2.1").login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
    let mut under_way: Vec<Guess> = Vec::new();
    let mut let_in = Vec::new();
    // An automatic client that knows the password, with more connections than there are places.
    for _ in 0..32 {
        let mut number = 0;
        while let Ok(guess) = guess(&app.app, &origin, &LOGIN, &thandi.email).await.unwrap() {
            under_way.push(guess);
            number += 1;
        }
        let_in.push(number);
        was_right(&app, &under_way.pop().unwrap()).await;
    }
    assert_eq!(let_in[0], 5);
    assert!(let_in[1..].iter().all(|number| *number <= 1), "{let_in:?}");
    for guess in &under_way {
        was_right(&app, guess).await;
    }
    // The last one forgets what failed before.
    let answer = thandi.client.from("192.0.2.1").login(&thandi.email, WRONG).await;
    assert_eq!(answer.header("ratelimit"), Some("\"login\";r=4"));
}

/// Settles a guess as the operation does that the secret opens.
async fn was_right(app: &TestApp, guess: &Guess) {
    let tx = app.app.begin_locking(guess.rows()).await.unwrap();
    let mut writes = Writes::to(&tx);
    guess.was_right(&tx, &mut writes, &origin("192.0.2.1"), app.app.clock.now()).await.unwrap();
    app.app.commit_with(tx, writes).await.unwrap();
}

#[tokio::test]
async fn counters_outlive_the_process() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    for _ in 0..6 {
        thandi.client.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
    }
    let (email, client) = (thandi.email.clone(), thandi.client);
    let (id, secret) = (client.client_id.unwrap(), client.client_secret.unwrap());
    let app = app.restart_with(&["--rate-limits=on"]).await;
    let client = app.anon().with_client(&id, &secret);
    assert_eq!(wait_for(&client.login(&email, PASSWORD).await, "login"), 1);
    app.advance(seconds(1));
    client.login(&email, WRONG).await.refused(401, "invalid_credentials");
    assert_eq!(wait_for(&client.login(&email, PASSWORD).await, "login"), 2);
}

#[tokio::test]
async fn after_100_failures_in_a_row_only_a_reset_opens_the_account() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    // An account that nobody uses and whose address nobody proved would be removed.
    app.verify(&thandi).await;
    for _ in 0..100 {
        thandi.client.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
        app.advance(QUARTER);
    }
    for _ in 0..3 {
        thandi.client.login(&thandi.email, PASSWORD).await.refused(403, "password_reset_required");
        // Neither time nor housekeeping opens it.
        app.advance(days(400));
        documines_auth::housekeeping::sweep(&app.app).await.unwrap();
    }
    thandi.reset_password().await;
    thandi.client.login(&thandi.email, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_success_ends_the_row() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    for _ in 0..2 {
        for _ in 0..99 {
            thandi.client.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
            app.advance(QUARTER);
        }
        thandi.log_in().await;
    }
}

#[tokio::test]
async fn the_right_password_of_an_inactive_account_is_no_failure() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    app.set_status(thandi.id, "suspended").await;
    for _ in 0..12 {
        let answer = thandi.client.login(&thandi.email, PASSWORD).await;
        answer.refused(403, "account_inactive");
        assert_eq!(answer.header("ratelimit"), Some("\"login\";r=5"));
    }
}

#[tokio::test]
async fn a_reset_forgets_failures() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    for _ in 0..6 {
        thandi.client.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
    }
    thandi.reset_password().await;
    thandi.client.login(&thandi.email, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn without_limits_nothing_is_counted_or_told() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    for _ in 0..30 {
        let answer = thandi.client.login(&thandi.email, WRONG).await;
        answer.refused(401, "invalid_credentials");
        assert_eq!((answer.header("ratelimit"), answer.header("ratelimit-policy")), (None, None));
    }
    thandi.log_in().await;
    assert_eq!(app.number("SELECT count(*) AS number FROM throttles").await, 0);
}

#[tokio::test]
async fn housekeeping_removes_counters_that_have_gone_quiet() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    for email in [&thandi.email, "nobody@example.com"] {
        thandi.client.from("203.0.113.9").login(email, WRONG).await.refused(401, "invalid_credentials");
    }
    thandi.log_in().await;
    let rows = async || app.number("SELECT count(*) AS number FROM throttles").await;
    assert!(rows().await > 6);
    app.advance(hours(25));
    documines_auth::housekeeping::sweep(&app.app).await.unwrap();
    // The rows of failures, the source that is known to the account, and since when that is.
    assert_eq!(rows().await, 3);
    app.advance(days(90));
    documines_auth::housekeeping::sweep(&app.app).await.unwrap();
    assert_eq!(rows().await, 0);
}
