use poem::http::Method;

use crate::support::TestApp;
use crate::support::schema::operations;

#[tokio::test]
async fn every_operation_refuses_a_host_that_is_not_the_servers_before_it_does_anything() {
    let app = TestApp::start().await;
    let session = app.sign_up("thandi").await.log_in().await;
    for operation in operations() {
        let method: Method = operation.method.to_ascii_uppercase().parse().unwrap();
        let call = || session.caller.call(method.clone(), operation.path).json(&serde_json::json!({}));
        call().header("Host", "rebound.example").send().await.refused(421, "unknown_host");
        call().header("Host", "local host").send().await.refused(400, "malformed_request");
        call().header("Host", "localhost").header("Host", "localhost").send().await.refused(400, "malformed_request");
    }
}

#[tokio::test]
async fn a_proxy_that_hands_on_the_public_host_is_answered() {
    let app = TestApp::start_with(&["--public-url=https://auth.example.com"]).await;
    for host in ["auth.example.com", "AUTH.example.com:443", "127.0.0.1:8020"] {
        let answer = app.anon().page(Method::GET, "/readyz").header("Host", host).send().await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[tokio::test]
async fn a_page_of_a_rebound_name_may_not_even_ask_beforehand() {
    let app = TestApp::start_with(&["--cors-origins=https://app.example.com"]).await;
    let call = app.anon().call(Method::OPTIONS, "/login/").header("Host", "rebound.example");
    let call = call.header("Origin", "https://app.example.com").header("Access-Control-Request-Method", "POST");
    call.send().await.refused(421, "unknown_host");
}
