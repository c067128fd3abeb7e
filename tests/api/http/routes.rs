use poem::http::Method;

use crate::support::answer::Answer;
use crate::support::caller::Caller;
use crate::support::schema::{Operation, operations};
use crate::support::{PASSWORD, TestApp, person};

async fn call(caller: &Caller<'_>, operation: Operation, path: &str) -> Answer {
    let method: Method = operation.method.to_ascii_uppercase().parse().unwrap();
    let call = caller.call(method, path);
    match operation.request_content() {
        Some(content) => call.json(&content["example"]).send().await,
        None => call.send().await,
    }
}

#[tokio::test]
async fn every_operation_answers_without_its_last_slash_as_with_it() {
    let app = TestApp::start().await;
    for operation in operations() {
        let with = call(&app.anon(), operation, operation.path).await;
        let without = call(&app.anon(), operation, operation.path.trim_end_matches('/')).await;
        let expected = match operation.id() {
            // The example is taken by the first call.
            "signup" => [201, 409],
            // These want no credentials, and nobody was given the tokens of the examples.
            "requestPasswordReset" | "requestEmailVerification" => [200, 200],
            "resetPassword" | "verifyEmail" => [400, 400],
            _ => [401, 401],
        };
        assert_eq!([with.status.as_u16(), without.status.as_u16()], expected, "{}", operation.id());
    }
}

#[tokio::test]
async fn the_walk_works_without_last_slashes() {
    let app = TestApp::start().await;
    let answer = app.anon().post("/signup").json(&person("thandi")).send().await.expect(201);
    let (id, secret) = (answer["client_id"].as_str().unwrap(), answer["client_secret"].as_str().unwrap());
    let client = app.anon().with_client(id, secret);
    let login = serde_json::json!({"email": "thandi@example.com", "password": PASSWORD});
    let session = client.session(&client.post("/login").json(&login).send().await);
    session.caller.get("/profile").send().await.expect(200);
    let update = session.caller.call(Method::PUT, "/profile/update").json(&serde_json::json!({})).send().await;
    update.expect(200);
}

#[tokio::test]
async fn the_spec_lists_every_path_with_its_last_slash() {
    assert!(operations().all(|operation| operation.path.ends_with('/')));
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_refused_with_allow() {
    let app = TestApp::start().await;
    for operation in operations() {
        let allowed =
            if operation.method == "get" { "GET, HEAD".to_owned() } else { operation.method.to_ascii_uppercase() };
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            if allowed.contains(method) {
                continue;
            }
            for path in [operation.path, operation.path.trim_end_matches('/')] {
                let answer = app.anon().call(method.parse().unwrap(), path).send().await;
                answer.refused(405, "method_not_allowed");
                assert_eq!(answer.header("allow"), Some(allowed.as_str()), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let app = TestApp::start().await;
    for path in ["", "/", "/nowhere/", "/signup/x", "/signup//", "//signup/", "/Signup/", "/profile/update/x/", "/%00"]
    {
        app.anon().get(path).send().await.refused(404, "not_found");
    }
    for path in ["/nowhere", "/api", "/api/v1/", "/docs/nowhere", "/../etc/passwd", "/docs/..%2f..%2fetc/passwd"] {
        app.anon().page(Method::GET, path).send().await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn head_answers_as_get_does() {
    let app = TestApp::start().await;
    let session = app.sign_up("thandi").await.log_in().await;
    assert_eq!(session.caller.call(Method::HEAD, "/profile/").send().await.status, 200);
    app.anon().call(Method::HEAD, "/profile/").send().await.refused(401, "invalid_client");
}

#[tokio::test]
async fn a_query_changes_nothing() {
    let app = TestApp::start().await;
    let session = app.sign_up("thandi").await.log_in().await;
    session.caller.get("/profile/?x=1&x=%ff&=").send().await.expect(200);
}
