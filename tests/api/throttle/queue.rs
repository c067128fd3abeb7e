//! The queue in front of the hasher, during a flood from many sources.

use documines_auth::password::hasher::Place;
use documines_auth::password::queue::Who;

use super::limited;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp};

/// Takes every place that strangers from many sources get.
fn flood(app: &TestApp) -> Vec<Place> {
    take_places(app, false)
}

fn take_places(app: &TestApp, is_known: bool) -> Vec<Place> {
    let callers = (0..=u8::MAX).map(move |number| Who {
        source: super::origin(&format!("203.0.113.{number}")).source,
        account: Some(format!("nobody{number}@example.com")),
        is_known,
    });
    callers.map_while(|who| app.app.hasher.ask(who).ok()).collect()
}

#[tokio::test]
async fn a_caller_without_a_place_leaves_no_row_and_a_known_source_has_one() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let (home, elsewhere) = (thandi.client.from("198.51.100.7"), thandi.client.from("192.0.2.1"));
    home.login(&thandi.email, PASSWORD).await.expect(200);
    let places = flood(&app);
    assert!(places.len() >= 32, "{}", places.len());
    let rows = app.number("SELECT count(*) AS number FROM throttles").await;
    for email in [thandi.email.as_str(), "nobody@example.com"] {
        elsewhere.login(email, PASSWORD).await.refused(503, "overloaded");
    }
    elsewhere.signup(&crate::support::person("sipho")).await.refused(503, "overloaded");
    assert_eq!(app.number("SELECT count(*) AS number FROM throttles").await, rows);
    home.login(&thandi.email, PASSWORD).await.expect(200);
    drop(places);
    elsewhere.login(&thandi.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_reset_without_a_place_spends_nothing_of_its_limit_and_leaves_the_token() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let token = thandi.request_reset().await;
    let caller = thandi.client.named_only().from("198.51.100.7");
    let places = (take_places(&app, false), take_places(&app, true));
    let rows = app.number("SELECT count(*) AS number FROM throttles").await;
    // More often than the limit allows.
    for _ in 0..40 {
        caller.reset_password(&token, NEW_PASSWORD).await.refused(503, "overloaded");
        session.caller.change_email("other@example.com", PASSWORD).await.refused(503, "overloaded");
    }
    assert_eq!(app.number("SELECT count(*) AS number FROM throttles").await, rows);
    drop(places);
    let answer = caller.reset_password(&token, NEW_PASSWORD).await;
    answer.expect(200);
    assert_eq!(answer.header("ratelimit"), Some("\"reset\";r=29"));
}
