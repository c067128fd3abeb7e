use std::collections::HashSet;

use poem::http::Method;

use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn a_sane_request_id_comes_back() {
    let app = TestApp::start().await;
    for id in ["7", "trace-1.2_3", &"a".repeat(64)] {
        for path in ["/profile/", "/nowhere/"] {
            let answer = app.anon().get(path).header("X-Request-ID", id).send().await;
            assert_eq!(answer.header("x-request-id"), Some(id));
            assert_eq!(answer.json()["request_id"], id);
        }
    }
}

#[tokio::test]
async fn an_insane_request_id_is_replaced() {
    let app = TestApp::start().await;
    for id in ["", " ", "a b", "a\"b", "<script>", "é", &"a".repeat(65), "a;b", "a/b"] {
        let answer = app.anon().get("/profile/").header("X-Request-ID", id).send().await;
        let chosen = answer.header("x-request-id").unwrap();
        assert_ne!(chosen, id);
        assert_eq!(chosen.len(), 36, "{chosen}");
    }
}

#[tokio::test]
async fn each_request_without_an_id_gets_one_of_its_own() {
    let app = TestApp::start().await;
    let mut ids = HashSet::new();
    for _ in 0..5 {
        ids.insert(app.anon().get_profile().await.header("x-request-id").unwrap().to_owned());
    }
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn successful_answers_carry_the_request_id_too() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let body = serde_json::json!({"email": thandi.email, "password": PASSWORD});
    let answer = thandi.client.post("/login/").header("X-Request-ID", "login-1").json(&body).send().await;
    answer.expect(200);
    assert_eq!(answer.header("x-request-id"), Some("login-1"));
}

#[tokio::test]
async fn answers_of_the_api_are_not_kept_by_caches() {
    let app = TestApp::start().await;
    let session = app.sign_up("thandi").await.log_in().await;
    for answer in [session.caller.get_profile().await, app.anon().get_profile().await] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let nowhere = app.anon().page(Method::GET, "/nowhere").send().await;
    assert_eq!(nowhere.header("cache-control"), Some("no-store"));
}
