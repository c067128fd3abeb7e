//! The seed's walk: the seven operations in its order, with its own data.

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::answer::member_names;

#[tokio::test]
async fn the_seeds_walk_works_as_it_is_written() {
    let app = TestApp::start_with(&["--rate-limits=on"]).await;

    let answer = app.anon().signup(&john()).await.expect(201);
    let (id, secret) = (answer["client_id"].as_str().unwrap(), answer["client_secret"].as_str().unwrap());
    let john = app.anon().with_client(id, secret);
    let email = "john_doe@aidocumines.com";

    let session = john.session(&john.login(email, "SecurePass#456").await);

    let profile = session.caller.get_profile().await;
    assert_eq!(
        profile.expect(200),
        json!({
            "email": "john_doe@aidocumines.com",
            "organisation": "AI DocuMines User",
            "contact_name": "John Doe",
            "contact_phone": "+27 444 555 666",
            "address": "456 Doe Street, Cape Town",
            "industry": "AI Research",
            "use_case": "Testing user management and admin privileges."
        })
    );

    let changes = json!({
        "contact_name": "John Updated",
        "contact_phone": "+27 444 555 777",
        "address": "789 Updated Street, Cape Town"
    });
    let updated = session.caller.update_profile(&changes).await;
    assert_eq!(updated.text(), r#"{"message":"Profile updated successfully"}"#);
    assert_eq!(session.caller.get_profile().await.json()["contact_name"], "John Updated");

    // The seed's reset comes from a client with another id than John's.
    let platform = app.platform_client().await.named_only();
    let requested = platform.request_reset(email).await.expect(200);
    assert_eq!(member_names(&requested), ["message", "reset_token"]);
    assert_eq!(requested["message"], "Password reset token sent to your email");
    let reset = platform.reset_password(requested["reset_token"].as_str().unwrap(), "NewSecurePass#789").await;
    assert_eq!(reset.text(), r#"{"message":"Password reset successful"}"#);

    session.caller.get_profile().await.refused(401, "invalid_token");
    john.login(email, "SecurePass#456").await.refused(401, "invalid_credentials");
    let session = john.session(&john.login(email, "NewSecurePass#789").await);
    session.caller.get_profile().await.expect(200);

    let renewed = john.session(&john.refresh(&session.refresh_token).await);
    renewed.caller.get_profile().await.expect(200);
}

#[tokio::test]
async fn sign_up_answers_the_seeds_members_in_its_order_with_its_values() {
    let app = TestApp::start().await;
    let answer = app.anon().signup(&john()).await;

    let mut seed: Value = serde_json::from_str(SEED_ANSWER).unwrap();
    let answer = answer.expect(201);
    assert_eq!(member_names(&answer), member_names(&seed));
    assert_eq!(member_names(&answer).len(), 23);
    // What is drawn or counted for each account, and the seed's placeholder for a document.
    for member in ["user_id", "client_id", "client_secret", "last_document_edited"] {
        seed[member] = answer[member].clone();
    }
    assert_eq!(answer, seed);
    assert_eq!(answer["last_document_edited"], Value::Null);
}

fn john() -> Value {
    json!({
        "username": "john_doe",
        "email": "john_doe@aidocumines.com",
        "password": "SecurePass#456",
        "organisation": "AI DocuMines User",
        "contact_name": "John Doe",
        "contact_phone": "+27 444 555 666",
        "contact_email": "john_doe@aidocumines.com",
        "address": "456 Doe Street, Cape Town",
        "industry": "AI Research",
        "use_case": "Testing user management and admin privileges."
    })
}

const SEED_ANSWER: &str = r#"{"message":"User registered successfully","user_id":2,"organisation":"AI DocuMines User","contact_name":"John Doe","contact_phone":"+27 444 555 666","industry":"AI Research","use_case":"Testing user management and admin privileges.","client_id":"0sTxkNaAwCRiG4kl1QrhGTuYL9PspG7ziGy5vzBo","client_secret":"…","profile_created_at":"2025-03-07T03:34:18.305185Z","last_login":null,"last_activity":null,"total_time_logged_in":"N/A","total_api_calls_made":0,"account_status":"active","total_files_uploaded":0,"subscription_plan":"premium","plan_expiry_date":"2025-06-06T00:00:00Z","2fa_enabled":false,"roles":[],"last_document_edited":"document_12345.pdf","user_preferences":{"theme":"light","language":"en"},"notifications_enabled":true}"#;
