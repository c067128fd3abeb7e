use serde_json::{Value, json};

use crate::support::{TestApp, person};

const LIMIT: usize = 64 * 1024;

/// A good sign-up, padded with blanks to this length.
fn padded_to(length: usize) -> String {
    let body = person("thandi").to_string();
    format!("{body}{}", " ".repeat(length - body.len()))
}

#[tokio::test]
async fn a_body_of_64_kib_is_taken_and_one_byte_more_refused() {
    let app = TestApp::start().await;
    let send = |body: String| app.anon().post("/signup/").header("Content-Type", "application/json").body(body).send();
    send(padded_to(LIMIT + 1)).await.refused(413, "payload_too_large");
    send(padded_to(10 * LIMIT)).await.refused(413, "payload_too_large");
    assert_eq!(app.count_accounts().await, 0);
    send(padded_to(LIMIT)).await.expect(201);
}

#[tokio::test]
async fn another_media_type_than_json_is_refused() {
    let app = TestApp::start().await;
    let body = person("thandi").to_string();
    let bad = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "application/json; charset=latin1",
        "",
    ];
    for media_type in bad {
        let call = app.anon().post("/signup/").header("Content-Type", media_type).body(body.clone());
        call.send().await.refused(415, "unsupported_media_type");
    }
    app.anon().post("/signup/").body(body).send().await.refused(415, "unsupported_media_type");
    assert_eq!(app.count_accounts().await, 0);
}

#[tokio::test]
async fn json_may_name_its_charset() {
    let app = TestApp::start().await;
    for (name, media_type) in [
        ("thandi", "application/json; charset=utf-8"),
        ("sipho", "Application/JSON;charset=\"UTF-8\""),
        ("zola", "application/json; charset=utf8"),
    ] {
        let call = app.anon().post("/signup/").header("Content-Type", media_type);
        call.body(person(name).to_string()).send().await.expect(201);
    }
}

#[tokio::test]
async fn a_compressed_body_is_refused_by_name() {
    let app = TestApp::start().await;
    let body = person("thandi").to_string();
    let send = |encoding: &str| {
        let call = app.anon().post("/signup/").header("Content-Type", "application/json");
        call.header("Content-Encoding", encoding).body(body.clone()).send()
    };
    for encoding in ["gzip", "br", "x-gzip", "identity, gzip", "nonsense"] {
        let answer = send(encoding).await;
        answer.refused(415, "unsupported_content_encoding");
        assert_eq!(answer.header("accept-encoding"), Some("identity"), "{encoding}");
    }
    assert_eq!(app.count_accounts().await, 0);
    send("Identity").await.expect(201);
}

#[tokio::test]
async fn a_byte_order_mark_before_the_body_is_passed_over() {
    let app = TestApp::start().await;
    let body = [b"\xef\xbb\xbf", person("thandi").to_string().as_bytes()].concat();
    let call = app.anon().post("/signup/").header("Content-Type", "application/json").body(body);
    call.beyond_the_schema().send().await.expect(201);
}

#[tokio::test]
async fn what_is_no_json_object_is_refused_as_a_whole() {
    let app = TestApp::start().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let broken: [&[u8]; 12] = [
        b"",
        b"{",
        b"{\"email\": secret}",
        b"{'email': 'a@example.com'}",
        b"{\"email\": \"a@example.com\",}",
        b"[]",
        b"null",
        b"\"secret\"",
        b"7",
        b"{} {}",
        b"{\"email\": \"\xff\xfe\"}",
        deep.as_bytes(),
    ];
    for body in broken {
        let call = app.anon().post("/signup/").header("Content-Type", "application/json").body(body);
        let answer = call.send().await;
        let errors = answer.invalid();
        let [(field, message)] = errors.as_slice() else { panic!("{errors:?}") };
        assert_eq!(field, "");
        assert!(!message.contains("secret"), "{message}");
    }
}

#[tokio::test]
async fn a_member_named_twice_is_refused() {
    let app = TestApp::start().await;
    let body = person("thandi").to_string().replacen('{', "{\"email\":\"other@example.com\",", 1);
    let answer = app.anon().post("/signup/").header("Content-Type", "application/json").body(body).send().await;
    let errors = answer.invalid();
    assert!(errors[0].0.is_empty() && errors[0].1.starts_with("names a member twice"), "{errors:?}");
    assert_eq!(app.count_accounts().await, 0);
}

#[tokio::test]
async fn a_member_named_twice_is_refused_at_every_depth() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    for preferences in [
        r#"{"theme": "dark", "theme": "light"}"#,
        r#"{"theme": "dark", "th\u0065me": "dark"}"#,
        r#"{"theme": {"a": 1, "a": 2}}"#,
        r#"{"theme": [{"a": 1, "a": 2}]}"#,
    ] {
        let body = format!("{{\"user_preferences\": {preferences}}}");
        let call = session.caller.call(poem::http::Method::PUT, "/profile/update/");
        let errors = call.header("Content-Type", "application/json").body(body).send().await.invalid();
        assert!(errors[0].0.is_empty() && errors[0].1.starts_with("names a member twice"), "{errors:?}");
    }
    assert_eq!(app.events_of(thandi.id).await, ["signed_up", "logged_in"]);
}

#[tokio::test]
async fn every_operation_with_a_body_refuses_unknown_members_by_name() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    for operation in crate::support::schema::operations() {
        let Some(content) = operation.request_content() else { continue };
        let mut body = content["example"].clone();
        body["is_admin"] = true.into();
        let method = operation.method.to_ascii_uppercase().parse().unwrap();
        let answer = session.caller.call(method, operation.path).json(&body).send().await;
        let errors = answer.invalid();
        assert_eq!(errors, [("/is_admin".to_owned(), "is not a member of this body".to_owned())], "{}", operation.id());
    }
}

#[tokio::test]
async fn every_operation_with_a_body_names_each_missing_member() {
    let app = TestApp::start().await;
    let session = app.sign_up("thandi").await.log_in().await;
    for operation in crate::support::schema::operations() {
        let Some(content) = operation.request_content() else { continue };
        let schema = crate::support::schema::resolved(&content["schema"]);
        let Some(required) = schema["required"].as_array() else { continue };
        let method = operation.method.to_ascii_uppercase().parse().unwrap();
        let answer = session.caller.call(method, operation.path).json(&json!({})).send().await;
        let mut named: Vec<String> = answer.invalid().into_iter().map(|(field, _)| field).collect();
        let mut expected: Vec<String> =
            required.iter().map(|name: &Value| format!("/{}", name.as_str().unwrap())).collect();
        named.sort();
        expected.sort();
        assert_eq!(named, expected, "{}", operation.id());
    }
}

#[tokio::test]
async fn a_refusal_of_very_many_members_keeps_the_shape_of_the_spec() {
    let app = TestApp::start().await;
    let members = (0..2_000).map(|number| (format!("unknown_{number}"), Value::Null)).collect();
    let answer = app.anon().signup(&Value::Object(members)).await;
    assert!(answer.invalid().len() > 1);
}

#[tokio::test]
async fn a_refusal_of_a_very_long_member_name_keeps_the_shape_of_the_spec() {
    let app = TestApp::start().await;
    let mut body = person("thandi");
    body["x".repeat(60_000)] = Value::Null;
    let answer = app.anon().signup(&body).await;
    assert_eq!(answer.invalid().len(), 1);
}
