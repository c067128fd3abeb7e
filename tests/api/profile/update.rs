use futures_util::future::join_all;
use poem::http::Method;
use serde_json::{Value, json};

use crate::support::people::Session;
use crate::support::{TestApp, person, seconds};

/// The account as it is kept, with all of its members.
async fn row(app: &TestApp, id: documines_auth::store::AccountId) -> String {
    let account = app.account(id).await;
    format!("{account:#?} {}", account.password_hash.as_phc())
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let changes = [
        ("organisation", "Nkosi Geological Surveys", json!("Botha Surveys")),
        ("contact_name", "Thandi Nkosi", json!("Thandi Botha")),
        ("contact_phone", "+27 21 555 0147", json!("+27 21 555 0199")),
        ("contact_email", "office@example.com", json!("botha@example.com")),
        ("address", "12 Protea Lane, Stellenbosch", json!("3 Vygie Street, Stellenbosch")),
        ("industry", "Geology", json!("Hydrology")),
        ("use_case", "Finding survey reports by what they say.", json!("Finding wells.")),
        ("notifications_enabled", "notifications_enabled: true", json!(false)),
    ];
    for (member, before, after) in changes {
        let old_row = row(&app, thandi.id).await;
        let answer = session.caller.update_profile(&json!({member: after})).await.expect(200);
        assert_eq!(answer, json!({"message": "Profile updated successfully"}));
        let written = match &after {
            Value::String(text) => text.clone(),
            other => format!("{member}: {other}"),
        };
        assert!(old_row.contains(before), "{old_row}");
        assert_eq!(row(&app, thandi.id).await, old_row.replacen(before, &written, 1), "{member}");
    }
    assert_eq!(app.events_of(thandi.id).await.iter().filter(|event| *event == "profile_updated").count(), 8);
}

#[tokio::test]
async fn nothing_changes_when_one_member_is_bad() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let before = row(&app, thandi.id).await;
    let bad = [
        ("contact_name", json!("  ")),
        ("contact_phone", json!("call me")),
        ("contact_email", json!("nobody")),
        ("organisation", json!("a\nb")),
        ("address", json!("x".repeat(2_001))),
        ("organisation", Value::Null),
        ("organisation", json!("")),
        ("username", json!("a b")),
        ("notifications_enabled", json!("yes")),
        ("notifications_enabled", Value::Null),
        ("user_preferences", json!([])),
        ("user_preferences", json!({"theme": {"dark": true}})),
        ("user_preferences", json!({"theme": null})),
        ("email", json!("other@example.com")),
        ("password", json!("copper-heron-82-drift")),
    ];
    for (member, value) in bad {
        let body = json!({"industry": "Hydrology", member: value});
        session.caller.update_profile(&body).await.names(&[&format!("/{member}")]);
        assert_eq!(row(&app, thandi.id).await, before, "{member}");
    }
    assert_eq!(app.events_of(thandi.id).await, ["signed_up", "logged_in"]);
}

#[tokio::test]
async fn null_or_an_empty_string_clears_what_is_optional() {
    let app = TestApp::start().await;
    for (number, none) in [Value::Null, json!(""), json!("   ")].into_iter().enumerate() {
        let thandi = app.sign_up(&format!("thandi{number}")).await;
        let session = thandi.log_in().await;
        let mut events = 2;
        for member in ["address", "industry", "use_case", "username", "contact_email"] {
            let body = json!({member: none});
            let update = || session.caller.call(Method::PUT, "/profile/update/").json(&body).beyond_the_schema().send();
            update().await.expect(200);
            update().await.expect(200);
            // Taken back once; the second time there is nothing to change.
            events += 1;
            assert_eq!(app.events_of(thandi.id).await.len(), events, "{member}");
        }
        let shown = session.caller.get_profile().await.expect(200);
        assert_eq!(
            (&shown["address"], &shown["industry"], &shown["use_case"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        let account = app.account(thandi.id).await;
        assert_eq!((account.username, account.profile.contact_email), (None, thandi.email.clone()));
        // A name that was given up is free, and what was cleared can be filled again.
        let again = json!({"username": format!("thandi{number}"), "address": "3 Vygie Street", "contact_email": "a@example.com"});
        session.caller.update_profile(&again).await.expect(200);
        let account = app.account(thandi.id).await;
        assert_eq!(account.username, Some(format!("thandi{number}")));
        assert_eq!(
            (account.profile.address.as_deref(), account.profile.contact_email.as_str()),
            (Some("3 Vygie Street"), "a@example.com")
        );
    }
}

#[tokio::test]
async fn a_username_can_be_changed_to_one_that_nobody_has() {
    let app = TestApp::start().await;
    let (thandi, sipho) = (app.sign_up("thandi").await, app.sign_up("sipho").await);
    sipho.log_in().await;
    let session = thandi.log_in().await;
    let before = row(&app, thandi.id).await;
    for taken in ["sipho", "SIPHO", "ｓipho"] {
        let body = json!({"industry": "Hydrology", "username": taken});
        session.caller.update_profile(&body).await.refused(409, "username_taken");
        assert_eq!(row(&app, thandi.id).await, before, "{taken}");
    }
    // One's own in another case is no other's.
    for free in ["Thandi", "thandi.n"] {
        session.caller.update_profile(&json!({"username": free})).await.expect(200);
        assert_eq!(app.account(thandi.id).await.username.as_deref(), Some(free));
    }
    let mut body = person("third");
    body["username"] = "THANDI".into();
    app.anon().signup(&body).await.expect(201);
}

#[tokio::test]
async fn a_refused_username_counts_for_it_tells_who_is_there() {
    let app = TestApp::start_with(&["--rate-limits=on"]).await;
    let (thandi, sipho) = (app.sign_up("thandi").await, app.sign_up("sipho").await);
    sipho.log_in().await;
    let session = thandi.log_in().await;
    for _ in 0..240 {
        session.caller.update_profile(&json!({"username": "sipho"})).await.refused(409, "username_taken");
    }
    session.caller.update_profile(&json!({"username": "sipho"})).await.refused(429, "rate_limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_who_want_one_username_at_once_one_gets_it() {
    let app = TestApp::start().await;
    let mut sessions = Vec::new();
    for number in 0..8 {
        sessions.push(app.sign_up(&format!("thandi{number}")).await.log_in().await);
    }
    let body = json!({"username": "Wanted"});
    let answers = join_all(sessions.iter().map(|session| session.caller.update_profile(&body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| [200, 409].contains(&answer.status.as_u16())));
    assert_eq!(app.number("SELECT count(*) AS number FROM accounts WHERE username = 'Wanted'").await, 1);
}

#[tokio::test]
async fn an_update_that_names_nothing_changes_nothing() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let before = row(&app, thandi.id).await;
    session.caller.update_profile(&json!({})).await.expect(200);
    assert_eq!(row(&app, thandi.id).await, before);
}

#[tokio::test]
async fn a_changed_string_is_trimmed() {
    let app = TestApp::start().await;
    let session = app.sign_up("thandi").await.log_in().await;
    session.caller.update_profile(&json!({"contact_name": "  Thandi Botha "})).await.expect(200);
    assert_eq!(session.caller.get_profile().await.json()["contact_name"], "Thandi Botha");
}

#[tokio::test]
async fn the_next_read_shows_the_update_in_every_session() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let (one, other) = (thandi.log_in().await, thandi.log_in().await);
    for number in 0..3 {
        let sees = async |session: &Session<'_>| session.caller.get_profile().await.json()["industry"].clone();
        let (before, after) = (sees(&other).await, json!(format!("Geology {number}")));
        assert_ne!(before, after);
        one.caller.update_profile(&json!({"industry": after})).await.expect(200);
        assert_eq!((sees(&one).await, sees(&other).await), (after.clone(), after));
    }
}

#[tokio::test]
async fn nobody_elses_profile_changes() {
    let app = TestApp::start().await;
    let sipho = app.sign_up("sipho").await;
    let before = row(&app, sipho.id).await;
    let thandi = app.sign_up("thandi").await.log_in().await;
    thandi.caller.update_profile(&json!({"industry": "Hydrology"})).await.expect(200);
    assert_eq!(row(&app, sipho.id).await, before);
}

#[tokio::test]
async fn user_preferences_are_replaced_as_a_whole() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    for preferences in [json!({"theme": "dark", "columns": 4, "sound": false, "zoom": 1.25}), json!({})] {
        session.caller.update_profile(&json!({"user_preferences": preferences})).await.expect(200);
        let kept = app.account(thandi.id).await.standing.preferences;
        assert_eq!(Value::Object(kept.members().clone()), preferences);
    }
}

#[tokio::test]
async fn user_preferences_have_at_most_50_short_members() {
    let app = TestApp::start().await;
    let session = app.sign_up("thandi").await.log_in().await;
    let members = |count: usize| (0..count).map(|number| (format!("p{number}"), number.into())).collect();
    let (fits, too_many) = (Value::Object(members(50)), Value::Object(members(51)));
    session.caller.update_profile(&json!({"user_preferences": fits})).await.expect(200);
    let bad = [
        too_many,
        json!({"a": "b\u{85}c"}),
        json!({"theme": "d".repeat(256)}),
        json!({"t".repeat(65): 1}),
        json!({"": 1}),
        json!({"a\nb": 1}),
    ];
    for bad in bad {
        session.caller.update_profile(&json!({"user_preferences": bad})).await.names(&["/user_preferences"]);
    }
}

#[tokio::test]
async fn a_new_contact_email_does_not_log_in() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    session.caller.update_profile(&json!({"contact_email": "other@example.com"})).await.expect(200);
    assert_eq!(session.caller.get_profile().await.json()["email"], "thandi@example.com");
    let login = thandi.client.login("other@example.com", crate::support::PASSWORD).await;
    login.refused(401, "invalid_credentials");
    app.advance(seconds(1));
    thandi.log_in().await;
}
