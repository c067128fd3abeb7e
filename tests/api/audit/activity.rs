use documines_auth::audit::refusals::{self, Which};
use serde_json::{Value, json};

use crate::support::answer::member_names;
use crate::support::app::START;
use crate::support::caller::Caller;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, seconds};

async fn activity(caller: &Caller<'_>, query: &str) -> Value {
    caller.get(&format!("/account/activity/{query}")).send().await.expect(200)
}

fn names(page: &Value) -> Vec<&str> {
    page["events"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_account_sees_what_happened_to_it_newest_first() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let first = thandi.log_in().await;
    app.advance(seconds(1));
    let second = thandi.log_in().await;
    second.caller.update_profile(&json!({"address": "3 Vygie Street"})).await.expect(200);

    let page = activity(&second.caller, "").await;
    assert_eq!(names(&page), ["profile_updated", "logged_in", "logged_in", "signed_up"]);
    assert_eq!(page["next_cursor"], Value::Null);
    let own = |page: &Value| -> Vec<bool> {
        page["events"].as_array().unwrap().iter().map(|event| event["this_session"].as_bool().unwrap()).collect()
    };
    assert_eq!(own(&page), [true, true, false, false]);
    assert_eq!(own(&activity(&first.caller, "").await), [false, false, true, false]);
    let joined = &page["events"][3];
    let members = ["at", "event", "outcome", "times", "source", "user_agent", "client_id", "this_session"];
    assert_eq!(member_names(joined), members);
    assert_eq!((&joined["at"], &joined["outcome"]), (&json!(START), &json!("success")));
    assert_eq!(joined["client_id"].as_str(), thandi.client.client_id.as_deref());
}

#[tokio::test]
async fn an_account_sees_nothing_of_another() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await;
    let session = sipho.log_in().await;
    thandi.log_in().await;
    // Neither what happened to nobody, nor which client of a stranger's it was that tried.
    sipho.client.login("nobody@example.com", PASSWORD).await.refused(401, "invalid_credentials");
    thandi.client.login(&sipho.email, PASSWORD).await.refused(401, "invalid_credentials");
    refusals::write_down(&app.app, Which::All).await.unwrap();
    let page = activity(&session.caller, "").await;
    assert_eq!(names(&page), ["login_refused", "logged_in", "signed_up"]);
    assert!(!page.to_string().contains(thandi.client.client_id.as_deref().unwrap()), "{page}");
    assert_eq!(page["events"][0]["outcome"], "invalid_credentials");
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_overlap() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    // Several at one instant: their numbers decide.
    for number in 0..9 {
        session.caller.update_profile(&json!({"address": format!("{number} Vygie Street")})).await.expect(200);
    }
    let whole = activity(&session.caller, "?limit=100").await;
    let (mut seen, mut query) = (Vec::new(), "?limit=4".to_owned());
    let mut sizes = Vec::new();
    loop {
        let page = activity(&session.caller, &query).await;
        seen.extend(page["events"].as_array().unwrap().clone());
        sizes.push(page["events"].as_array().unwrap().len());
        // What happens meanwhile moves nothing.
        let address = format!("{} Protea Lane", sizes.len());
        session.caller.update_profile(&json!({"address": address})).await.expect(200);
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=4&cursor={cursor}");
    }
    assert_eq!(sizes, [4, 4, 3]);
    assert_eq!(Value::Array(seen), whole["events"]);
}

#[tokio::test]
async fn a_page_holds_fifty_where_nothing_is_said() {
    let app = TestApp::start().await;
    let session = app.sign_up("thandi").await.log_in().await;
    for number in 0..50 {
        session.caller.update_profile(&json!({"address": format!("{number} Vygie Street")})).await.expect(200);
    }
    let page = activity(&session.caller, "").await;
    assert_eq!(names(&page).len(), 50);
    assert_eq!(names(&activity(&session.caller, "?limit=100").await).len(), 52);
}

#[tokio::test]
async fn a_cursor_of_anothers_page_opens_nothing_of_theirs() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await.log_in().await;
    let sipho = app.sign_up("sipho").await.log_in().await;
    let page = activity(&sipho.caller, "?limit=1").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let client = thandi.caller.client_id.clone().unwrap();
    for event in activity(&thandi.caller, &format!("?cursor={cursor}")).await["events"].as_array().unwrap() {
        assert_eq!(event["client_id"].as_str(), Some(client.as_str()));
    }
}

#[tokio::test]
async fn a_bad_parameter_is_named() {
    let app = TestApp::start().await;
    let session = app.sign_up("thandi").await.log_in().await;
    let cases = [
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?limit=", "limit"),
        ("?limit=ten", "limit"),
        ("?limit=1&limit=2", "limit"),
        ("?cursor=x", "cursor"),
        ("?cursor=AAAAAAAAAAAAAAAAAAAAAAA", "cursor"),
        ("?page=2", "page"),
        ("?a/b=2", "a/b"),
        ("?limit", "limit"),
    ];
    for (query, name) in cases {
        let answer = session.caller.get(&format!("/account/activity/{query}")).send().await;
        answer.names(&[name]);
    }
    let answer = session.caller.get("/account/activity/?limit=0&cursor=%00&x=%ff").send().await;
    answer.names(&["limit", "cursor", "x"]);
    let detail = session.caller.get("/account/activity/?limit=0").send().await.json()["detail"].clone();
    assert_eq!(detail, "limit must be a whole number from 1 to 100.");
}

#[tokio::test]
async fn after_a_reset_the_account_sees_what_led_to_it() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.reset_password().await;
    let session = thandi.client.session(&thandi.client.login(&thandi.email, NEW_PASSWORD).await);
    let page = activity(&session.caller, "").await;
    assert_eq!(names(&page), ["logged_in", "password_reset", "password_reset_requested", "signed_up"]);
}
