use std::collections::HashSet;

use documines_auth::housekeeping;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::answer::member_names;
use crate::support::{TestApp, days, hours, seconds};

#[tokio::test]
async fn a_refresh_answers_a_fresh_pair_of_the_same_session() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    app.advance(hours(23));
    let answer = thandi.client.refresh(&session.refresh_token).await;
    let pair = answer.expect(200);
    assert_eq!(
        member_names(&pair),
        ["access_token", "expires", "token_type", "expires_in", "refresh_token", "refresh_expires"]
    );
    assert_eq!((&pair["expires"], &pair["expires_in"]), (&json!("2025-03-09 02:34:18"), &json!(86_400)));
    assert_eq!(pair["refresh_expires"], "2025-04-06 03:34:18");
    let renewed = thandi.client.session(&answer);
    assert_ne!(renewed.access_token, session.access_token);
    assert_ne!(renewed.refresh_token, session.refresh_token);
    renewed.caller.get_profile().await.expect(200);
    assert_eq!(app.number("SELECT count(*) AS number FROM sessions").await, 1);
}

#[tokio::test]
async fn the_access_token_before_a_refresh_stays_good_until_it_ends() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    thandi.client.refresh(&session.refresh_token).await.expect(200);
    session.caller.get_profile().await.expect(200);
}

#[tokio::test]
async fn a_session_ends_after_30_days_however_often_it_is_refreshed() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let mut session = thandi.log_in().await;
    for _ in 0..29 {
        app.advance(days(1));
        session = thandi.client.session(&thandi.client.refresh(&session.refresh_token).await);
    }
    app.advance(days(1) - seconds(1));
    let answer = thandi.client.refresh(&session.refresh_token).await;
    assert_eq!(answer.expect(200)["expires_in"], 1);
    let last = thandi.client.session(&answer);
    last.caller.get_profile().await.expect(200);
    app.advance(seconds(1));
    last.caller.get_profile().await.refused(401, "invalid_token");
    thandi.client.refresh(&last.refresh_token).await.refused(401, "invalid_refresh_token");
}

#[tokio::test]
async fn a_spent_refresh_token_gets_a_fresh_pair_for_10_seconds() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let first = thandi.client.session(&thandi.client.refresh(&session.refresh_token).await);
    app.advance(seconds(10));
    let second = thandi.client.session(&thandi.client.refresh(&session.refresh_token).await);
    assert_ne!(first.refresh_token, second.refresh_token);
    for renewed in [first, second] {
        renewed.caller.get_profile().await.expect(200);
        thandi.client.refresh(&renewed.refresh_token).await.expect(200);
    }
    assert_eq!(app.number("SELECT count(*) AS number FROM sessions").await, 1);
}

#[tokio::test]
async fn the_grace_counts_from_the_first_exchange() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    for _ in 0..2 {
        let pair = thandi.client.session(&thandi.client.refresh(&session.refresh_token).await);
        pair.caller.get_profile().await.expect(200);
        app.advance(seconds(6));
    }
    thandi.client.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
}

#[tokio::test]
async fn a_spent_refresh_token_ends_the_session_after_its_grace() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let other_session = thandi.log_in().await;
    let renewed = thandi.client.session(&thandi.client.refresh(&session.refresh_token).await);
    renewed.caller.get_profile().await.expect(200);
    app.advance(seconds(11));
    thandi.client.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");

    for caller in [&session.caller, &renewed.caller] {
        caller.get_profile().await.refused(401, "invalid_token");
    }
    thandi.client.refresh(&renewed.refresh_token).await.refused(401, "invalid_refresh_token");
    assert_eq!(
        app.events_of(thandi.id).await,
        ["signed_up", "logged_in", "logged_in", "token_refreshed", "refresh_token_reused"]
    );
    other_session.caller.get_profile().await.expect(200);
}

#[tokio::test]
async fn an_unknown_refresh_token_is_refused() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    for unknown in ["S4bXPJpLHtZDkFfTBmCFpgDaMEkDVX", "x", &"x".repeat(256)] {
        thandi.client.refresh(unknown).await.refused(401, "invalid_refresh_token");
    }
    for bad in ["", "  ", &"x".repeat(257), "a\u{0}b"] {
        thandi.client.refresh(bad).await.names(&["/refresh_token"]);
    }
}

#[tokio::test]
async fn an_access_token_is_no_refresh_token_and_a_refresh_token_no_access_token() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    thandi.client.refresh(&session.access_token).await.refused(401, "invalid_refresh_token");
    thandi.client.with_bearer(&session.refresh_token).get_profile().await.refused(401, "invalid_token");
}

#[tokio::test]
async fn a_refresh_token_of_another_client_is_refused_and_not_spent() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await;
    let platform = app.platform_client().await;
    let session = thandi.log_in().await;
    for other in [&sipho.client, &platform] {
        other.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
    }
    app.advance(seconds(60));
    thandi.client.refresh(&session.refresh_token).await.expect(200);
}

#[tokio::test]
async fn another_client_cannot_end_a_session_with_a_spent_token() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await;
    let session = thandi.log_in().await;
    let renewed = thandi.client.session(&thandi.client.refresh(&session.refresh_token).await);
    app.advance(seconds(60));
    sipho.client.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
    renewed.caller.get_profile().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_thirty_two_refreshes_of_one_token_at_once_five_get_a_pair_and_the_session_goes_on() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let answers = join_all((0..32).map(|_| thandi.client.refresh(&session.refresh_token))).await;
    let (given, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    for answer in refused {
        answer.refused(401, "invalid_refresh_token");
    }
    let renewed: Vec<_> = given.iter().map(|answer| thandi.client.session(answer)).collect();
    let tokens: HashSet<&str> = renewed.iter().map(|session| session.access_token.as_str()).collect();
    assert_eq!(tokens.len(), 5);
    for session in &renewed {
        session.caller.get_profile().await.expect(200);
        thandi.client.refresh(&session.refresh_token).await.expect(200);
    }
    assert_eq!(app.number("SELECT count(*) AS number FROM sessions WHERE ended_at IS NULL").await, 1);
}

/// A server behind a proxy that says where calls come from.
async fn behind_a_proxy() -> TestApp {
    TestApp::start_with(&["--trusted-proxies=0.0.0.0/32"]).await
}

const AT_HOME: &str = "203.0.113.7";
const ELSEWHERE: &str = "198.51.100.7";

#[tokio::test]
async fn two_branches_that_are_refreshed_after_the_grace_from_two_networks_end_the_session() {
    // However often the second one is refreshed within the grace.
    for quick in 0..3 {
        let app = behind_a_proxy().await;
        let thandi = app.sign_up("thandi").await;
        app.execute("UPDATE accounts SET email_verified_at = 1").await;
        let session = thandi.log_in().await;
        let [owner, thief] = [AT_HOME, ELSEWHERE].map(|source| thandi.client.from(source));
        let first = thandi.client.session(&owner.refresh(&session.refresh_token).await);
        let mut second = thandi.client.session(&thief.refresh(&session.refresh_token).await);
        for _ in 0..quick {
            second = thandi.client.session(&thief.refresh(&second.refresh_token).await);
        }
        app.advance(hours(1));
        let first = thandi.client.session(&owner.refresh(&first.refresh_token).await);
        app.advance(hours(1));
        let first = thandi.client.session(&owner.refresh(&first.refresh_token).await);
        thief.refresh(&second.refresh_token).await.refused(401, "invalid_refresh_token");

        for caller in [&first.caller, &second.caller] {
            caller.get_profile().await.refused(401, "invalid_token");
        }
        owner.refresh(&first.refresh_token).await.refused(401, "invalid_refresh_token");
        assert_eq!(app.events_of(thandi.id).await.last().unwrap(), "refresh_token_reused");
        let mails = app.deliver_mail().await;
        assert!(mails.len() == 1 && mails[0].contains("used from two places"), "{mails:?}");
    }
}

#[tokio::test]
async fn tabs_of_one_network_and_a_device_that_moves_keep_their_session() {
    let app = behind_a_proxy().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let [home, office] = [AT_HOME, ELSEWHERE].map(|source| thandi.client.from(source));
    let mut tabs = Vec::new();
    for _ in 0..2 {
        tabs.push(thandi.client.session(&home.refresh(&session.refresh_token).await));
    }
    for place in [&home, &home, &office, &home] {
        app.advance(hours(1));
        for tab in &mut tabs {
            *tab = thandi.client.session(&place.refresh(&tab.refresh_token).await);
        }
    }
    for tab in tabs {
        tab.caller.get_profile().await.expect(200);
    }
}

#[tokio::test]
async fn a_theft_is_told_by_mail_to_a_verified_address_alone() {
    for (is_verified, mails) in [(true, 1), (false, 0)] {
        let app = TestApp::start().await;
        let thandi = app.sign_up("thandi").await;
        if is_verified {
            app.execute("UPDATE accounts SET email_verified_at = 1").await;
        }
        let session = thandi.log_in().await;
        let pair = thandi.client.session(&thandi.client.refresh(&session.refresh_token).await);
        pair.caller.get_profile().await.expect(200);
        app.advance(seconds(11));
        thandi.client.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
        assert_eq!(app.waiting_mail().await.len(), mails);
    }
}

#[tokio::test]
async fn a_refresh_token_whose_pair_was_never_used_is_exchanged_again_however_late() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    // The answers to these were lost.
    for lost in 1..5 {
        thandi.client.refresh(&session.refresh_token).await.expect(200);
        app.flush_usage().await;
        app.advance(hours(lost));
    }
    let renewed = thandi.client.session(&thandi.client.refresh(&session.refresh_token).await);
    renewed.caller.get_profile().await.expect(200);
    // Five pairs are all that one token gives; who asks for more ends nothing.
    thandi.client.refresh(&renewed.refresh_token).await.expect(200);
    assert_eq!(app.number("SELECT count(*) AS number FROM sessions WHERE ended_at IS NULL").await, 1);
    assert_eq!(app.waiting_mail().await.len(), 0);
}

#[tokio::test]
async fn past_five_pairs_that_nobody_used_a_refresh_token_is_refused_and_the_session_goes_on() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    for _ in 0..5 {
        thandi.client.refresh(&session.refresh_token).await.expect(200);
        app.advance(hours(1));
    }
    thandi.client.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
    session.caller.get_profile().await.expect(200);
}

#[tokio::test]
async fn whichever_token_of_whichever_pair_was_used_first_ends_the_late_exchanges() {
    for uses_access_token in [true, false] {
        for is_written_down in [true, false] {
            for used in 0..2 {
                let app = TestApp::start().await;
                let thandi = app.sign_up("thandi").await;
                let session = thandi.log_in().await;
                let mut pairs = Vec::new();
                for _ in 0..2 {
                    pairs.push(thandi.client.session(&thandi.client.refresh(&session.refresh_token).await));
                    app.advance(hours(1));
                }
                if uses_access_token {
                    pairs[used].caller.get_profile().await.expect(200);
                } else {
                    thandi.client.refresh(&pairs[used].refresh_token).await.expect(200);
                }
                if is_written_down {
                    app.flush_usage().await;
                }
                // What was used counts also once its access token is gone.
                app.advance(days(2));
                housekeeping::sweep(&app.app).await.unwrap();
                thandi.client.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
                thandi.client.refresh(&pairs[1 - used].refresh_token).await.refused(401, "invalid_refresh_token");
                assert_eq!(app.events_of(thandi.id).await.last().unwrap(), "refresh_token_reused");
            }
        }
    }
}

#[tokio::test]
async fn a_call_with_another_clients_credentials_uses_no_pair() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await;
    let session = thandi.log_in().await;
    let pair = thandi.client.session(&thandi.client.refresh(&session.refresh_token).await);
    sipho.client.with_bearer(&pair.access_token).get_profile().await.refused(401, "invalid_token");
    app.advance(hours(1));
    thandi.client.refresh(&session.refresh_token).await.expect(200);
    // And the first right call with it is noticed nevertheless.
    pair.caller.get_profile().await.expect(200);
    thandi.client.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
    pair.caller.get_profile().await.refused(401, "invalid_token");
}

#[tokio::test]
async fn a_late_exchange_from_elsewhere_is_a_branch_that_is_noticed_when_both_are_refreshed() {
    // However quickly the token was exchanged before.
    for quick in 0..3 {
        let app = behind_a_proxy().await;
        let thandi = app.sign_up("thandi").await;
        let [owner, thief] = [AT_HOME, ELSEWHERE].map(|source| thandi.client.from(source));
        let mut session = thandi.log_in().await;
        for _ in 0..quick {
            session = thandi.client.session(&owner.refresh(&session.refresh_token).await);
        }
        let first = thandi.client.session(&owner.refresh(&session.refresh_token).await);
        app.advance(hours(1));
        let second = thandi.client.session(&thief.refresh(&session.refresh_token).await);
        app.advance(hours(1));
        let first = thandi.client.session(&owner.refresh(&first.refresh_token).await);
        thief.refresh(&second.refresh_token).await.refused(401, "invalid_refresh_token");
        first.caller.get_profile().await.refused(401, "invalid_token");
        assert_eq!(app.events_of(thandi.id).await.last().unwrap(), "refresh_token_reused");
    }
}
