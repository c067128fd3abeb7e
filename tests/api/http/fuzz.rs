//! Whatever is sent, the answer keeps the contract; the client of these tests holds it against the spec.

use poem::http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::support::TestApp;
use crate::support::schema::{Operation, operations};

/// The example of a request with some members replaced by, or joined by, anything that JSON can say.
fn spoilt(operation: Operation) -> BoxedStrategy<Value> {
    let example = operation.request_content().unwrap()["example"].clone();
    let names: Vec<String> = example.as_object().unwrap().keys().cloned().collect();
    let name = prop_oneof![4 => proptest::sample::select(names), 1 => "\\PC{0,12}"];
    let spoil = proptest::collection::vec((name, any_json()), 1..4);
    spoil
        .prop_map(move |members| {
            let mut body = example.clone();
            members.into_iter().for_each(|(name, value)| body[name] = value);
            body
        })
        .boxed()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "\\PC{0,300}".prop_map(Value::from),
        "[a-z]{1,8}@[a-z]{1,8}\\.(com|org)".prop_map(Value::from),
        "[0-9 +().-]{5,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map("\\PC{0,8}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Calls with one spoilt body after another, all of them by somebody who is logged in.
fn call_with_spoilt_bodies(operation_id: &str) {
    let operation = operations().find(|operation| operation.id() == operation_id).unwrap();
    let method: Method = operation.method.to_ascii_uppercase().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let app = runtime.block_on(TestApp::start());
    let session = runtime.block_on(async { app.sign_up("thandi").await.log_in().await });
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&spoilt(operation), |body| {
        let call = session.caller.call(method.clone(), operation.path).json(&body).beyond_the_schema();
        let answer = runtime.block_on(call.send());
        prop_assert!(!answer.status.is_server_error(), "{}", answer.text());
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn no_sign_up_breaks_the_server() {
    call_with_spoilt_bodies("signup");
}

#[test]
fn no_login_breaks_the_server() {
    call_with_spoilt_bodies("login");
}

#[test]
fn no_refresh_breaks_the_server() {
    call_with_spoilt_bodies("refreshToken");
}

#[test]
fn no_update_breaks_the_server() {
    call_with_spoilt_bodies("updateProfile");
}

#[test]
fn no_reset_request_breaks_the_server() {
    call_with_spoilt_bodies("requestPasswordReset");
}

#[test]
fn no_reset_breaks_the_server() {
    call_with_spoilt_bodies("resetPassword");
}

#[test]
fn no_verification_request_breaks_the_server() {
    call_with_spoilt_bodies("requestEmailVerification");
}

#[test]
fn no_verification_breaks_the_server() {
    call_with_spoilt_bodies("verifyEmail");
}

#[test]
fn no_change_of_address_breaks_the_server() {
    call_with_spoilt_bodies("changeEmail");
}
