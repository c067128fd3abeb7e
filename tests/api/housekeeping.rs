use std::time::Duration;

use documines_auth::housekeeping;

use crate::support::TestApp;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const TABLES: [&str; 5] = ["access_tokens", "refresh_tokens", "sessions", "password_resets", "email_verifications"];

async fn rows(app: &TestApp) -> [i64; 5] {
    let mut counts = [0; 5];
    for (count, table) in counts.iter_mut().zip(TABLES) {
        *count = app.number(&format!("SELECT count(*) AS number FROM {table}")).await;
    }
    counts
}

#[tokio::test]
async fn the_tables_are_empty_at_the_start() {
    let app = TestApp::start().await;
    assert_eq!(rows(&app).await, [0; 5]);
    for table in ["accounts", "clients"] {
        assert_eq!(app.number(&format!("SELECT count(*) AS number FROM {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn what_is_alive_stays() {
    let app = TestApp::start().await;
    let session = app.sign_up("thandi").await.log_in().await;
    session.caller.refresh(&session.refresh_token).await.expect(200);
    app.advance(DAY / 2);
    housekeeping::sweep(&app.app).await.unwrap();
    assert_eq!(rows(&app).await, [2, 2, 1, 0, 1]);
    session.caller.get("/profile/").send().await.expect(200);
}

#[tokio::test]
async fn what_has_expired_goes() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    session.caller.refresh(&session.refresh_token).await.expect(200);
    thandi.request_reset().await;
    app.advance(DAY + Duration::from_secs(1));
    housekeeping::sweep(&app.app).await.unwrap();
    // The session and the tokens that a theft is noticed by live on.
    assert_eq!(rows(&app).await, [0, 2, 1, 0, 0]);
    app.advance(DAY * 30);
    housekeeping::sweep(&app.app).await.unwrap();
    assert_eq!(rows(&app).await, [0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn the_tables_stay_flat_over_many_sessions() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let mut sizes = Vec::new();
    for _ in 0..3 {
        for _ in 0..20 {
            let session = thandi.log_in().await;
            session.caller.refresh(&session.refresh_token).await.expect(200);
        }
        sizes.push(rows(&app).await);
        app.advance(DAY * 31);
        housekeeping::sweep(&app.app).await.unwrap();
    }
    assert_eq!(sizes[0][..4], [40, 40, 20, 0]);
    assert!(sizes.iter().all(|size| size[..4] == sizes[0][..4]), "{sizes:?}");
}

#[tokio::test]
async fn a_session_goes_even_where_its_tokens_are_more_than_one_batch() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let mut refresh_token = thandi.log_in().await.refresh_token;
    for _ in 0..510 {
        let pair = thandi.client.refresh(&refresh_token).await.expect(200);
        refresh_token = pair["refresh_token"].as_str().unwrap().to_owned();
    }
    app.advance(DAY * 30 - Duration::from_secs(1));
    housekeeping::sweep(&app.app).await.unwrap();
    assert_eq!(rows(&app).await, [0, 511, 1, 0, 0]);
    app.advance(Duration::from_secs(2));
    housekeeping::sweep(&app.app).await.unwrap();
    assert_eq!(rows(&app).await, [0, 0, 0, 0, 0]);
}
