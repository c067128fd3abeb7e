//! An account that many sources guess at, and its owner.

use documines_auth::throttle::guess::guess;
use documines_auth::throttle::limits::LOGIN;

use super::{WRONG, limited, origin, wait_for};
use crate::support::caller::Caller;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, days, person, seconds};

const QUARTER: std::time::Duration = seconds(15 * 60);
const HOME: &str = "198.51.100.7";

/// Sources of an attack, each as often as it takes.
fn attackers<'a>(client: &Caller<'a>) -> impl Iterator<Item = Caller<'a>> {
    (0..50).cycle().map(|number| client.from(&format!("203.0.113.{number}")))
}

/// Lets strangers fail so often that they wait for a quarter of an hour.
async fn attack(app: &TestApp, client: &Caller<'_>, email: &str) {
    let mut attackers = attackers(client);
    for wait in (0..10).map(|_| 0).chain([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900]) {
        attackers.next().unwrap().login(email, WRONG).await.refused(401, "invalid_credentials");
        if wait > 0 {
            assert_eq!(wait_for(&attackers.next().unwrap().login(email, WRONG).await, "login"), wait);
            app.advance(seconds(wait));
        }
    }
    attackers.next().unwrap().login(email, WRONG).await.refused(401, "invalid_credentials");
}

#[tokio::test]
async fn a_known_source_keeps_its_way_in_while_50_others_guess() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let home = thandi.client.from(HOME);
    home.login(&thandi.email, PASSWORD).await.expect(200);
    attack(&app, &thandi.client, &thandi.email).await;
    assert_eq!(wait_for(&thandi.client.from("192.0.2.1").login(&thandi.email, PASSWORD).await, "login"), 900);
    for _ in 0..20 {
        home.login(&thandi.email, PASSWORD).await.expect(200);
    }
    home.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
    // Their successes do not let strangers in.
    assert_eq!(wait_for(&thandi.client.from("192.0.2.1").login(&thandi.email, PASSWORD).await, "login"), 900);
    app.advance(QUARTER);
    thandi.client.from("192.0.2.1").login(&thandi.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn strangers_close_the_account_to_each_other_alone() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let home = thandi.client.from(HOME);
    home.login(&thandi.email, PASSWORD).await.expect(200);
    for attacker in attackers(&thandi.client).take(90) {
        attacker.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
        app.advance(QUARTER);
    }
    let stranger = thandi.client.from("192.0.2.1");
    stranger.login(&thandi.email, PASSWORD).await.refused(403, "password_reset_required");
    for _ in 0..9 {
        home.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
        app.advance(QUARTER);
    }
    home.login(&thandi.email, PASSWORD).await.expect(200);
    // In a row means: until somebody got it right.
    stranger.login(&thandi.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_reset_opens_the_account_to_strangers_too() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    for attacker in attackers(&thandi.client).take(90) {
        attacker.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
        app.advance(QUARTER);
    }
    let stranger = thandi.client.from("192.0.2.1");
    stranger.login(&thandi.email, PASSWORD).await.refused(403, "password_reset_required");
    thandi.reset_password().await;
    stranger.login(&thandi.email, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_source_is_known_for_90_days_after_its_last_login() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let home = thandi.client.from(HOME);
    home.login(&thandi.email, PASSWORD).await.expect(200);
    app.advance(days(90) - seconds(3600));
    attack(&app, &thandi.client, &thandi.email).await;
    home.login(&thandi.email, PASSWORD).await.expect(200);
    app.advance(days(90));
    attack(&app, &thandi.client, &thandi.email).await;
    wait_for(&home.login(&thandi.email, PASSWORD).await, "login");
}

#[tokio::test]
async fn a_source_that_tries_one_password_on_everybody_is_stopped_but_not_those_who_are_known_there() {
    let app = limited().await;
    let office = "198.51.100.7";
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await;
    thandi.client.from(office).login(&thandi.email, PASSWORD).await.expect(200);
    let sprayer = sipho.client.from(office);
    for number in 0..100 {
        let email = format!("person{number}@example.com");
        sprayer.login(&email, WRONG).await.refused(401, "invalid_credentials");
    }
    assert_eq!(wait_for(&sprayer.login(&sipho.email, PASSWORD).await, "login-source"), 36);
    thandi.client.from(office).login(&thandi.email, PASSWORD).await.expect(200);
    sipho.client.from("192.0.2.1").login(&sipho.email, PASSWORD).await.expect(200);
    app.advance(seconds(36));
    sprayer.login(&sipho.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn good_logins_cost_a_source_nothing() {
    let app = limited().await;
    let people = [app.sign_up("thandi").await, app.sign_up("sipho").await];
    for number in 0..120 {
        let user = &people[number % 2];
        user.client.from("198.51.100.7").login(&user.email, PASSWORD).await.expect(200);
    }
    for number in 0..30 {
        let user = &people[number % 2];
        user.client.from(&format!("203.0.113.{number}")).login(&user.email, PASSWORD).await.expect(200);
    }
}

#[tokio::test]
async fn whoever_signs_up_with_an_address_does_not_inherit_the_failures_of_before() {
    let app = limited().await;
    let sipho = app.sign_up("sipho").await;
    for attacker in attackers(&sipho.client).take(90) {
        attacker.login("thandi@example.com", WRONG).await.refused(401, "invalid_credentials");
        app.advance(QUARTER);
    }
    let answer = app.anon().from(HOME).signup(&person("thandi")).await.expect(201);
    let (id, secret) = (answer["client_id"].as_str().unwrap(), answer["client_secret"].as_str().unwrap());
    app.anon().with_client(id, secret).from("192.0.2.1").login("thandi@example.com", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_guess_that_nobody_checked_does_not_count() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    // As when the hasher is full: by a stranger, and from where the account was made.
    for source in ["192.0.2.1", "0.0.0.0"] {
        let rows = app.number("SELECT count(*) AS number FROM throttles").await;
        for _ in 0..120 {
            let guess = guess(&app.app, &origin(source), &LOGIN, &thandi.email).await.unwrap().unwrap();
            guess.was_none(&app.app).await.unwrap();
        }
        let left = app.number("SELECT count(*) AS number FROM throttles").await;
        assert!(left <= rows, "{source}: {left} rows, of {rows}");
        for left in [4, 3, 2, 1, 0] {
            let answer = thandi.client.from(source).login(&thandi.email, WRONG).await;
            assert_eq!(answer.header("ratelimit"), Some(format!("\"login\";r={left}").as_str()), "{source}");
        }
    }
}
