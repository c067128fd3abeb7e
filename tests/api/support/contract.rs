//! The contract that every answer keeps, whatever a test asks of it besides.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::Answer;
use super::caller::{BASE, Call};
use super::schema::{self, Operation};

/// Holds a call and its answer against the spec.
pub(crate) fn hold(call: &Call<'_>, answer: &Answer) {
    let what = format!("{} {} -> {} {}", call.method, call.path, answer.status, String::from_utf8_lossy(&answer.body));
    hold_headers(answer, &what);
    let path = call.path.split('?').next().unwrap_or_default();
    let Some(path) = path.strip_prefix(BASE) else { return hold_page(answer, &what) };
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    match find(&call.method, path) {
        Some(operation) => hold_operation(operation, call, answer, &what),
        None => hold_no_operation(call, answer, &what),
    }
}

fn hold_headers(answer: &Answer, what: &str) {
    assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()), "no X-Request-ID: {what}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    assert!(answer.header("cache-control").is_some(), "no Cache-Control: {what}");
    let has = |name| answer.header(name).is_some();
    assert_eq!(has("www-authenticate"), answer.status == StatusCode::UNAUTHORIZED, "WWW-Authenticate: {what}");
    let is_for_later = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&answer.status);
    assert_eq!(has("retry-after"), is_for_later, "Retry-After: {what}");
    let is_limited = answer.status == StatusCode::TOO_MANY_REQUESTS;
    assert!(!is_limited || has("ratelimit") && has("ratelimit-policy"), "RateLimit: {what}");
    assert_eq!(has("allow"), answer.status == StatusCode::METHOD_NOT_ALLOWED, "Allow: {what}");
}

/// With or without the slash at its end; HEAD is GET without the body.
fn find(method: &Method, path: &str) -> Option<Operation> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let path = path.trim_end_matches('/');
    let is_it = |operation: &Operation| {
        operation.path.trim_end_matches('/') == path && operation.method.eq_ignore_ascii_case(method.as_str())
    };
    schema::operations().find(is_it)
}

fn hold_page(answer: &Answer, what: &str) {
    if answer.status.is_client_error() || answer.status.is_server_error() {
        hold_problem(answer, what);
    }
}

/// Nothing but a 404, a 405, a 421 or what a browser asks beforehand may answer where the spec has no operation.
fn hold_no_operation(call: &Call<'_>, answer: &Answer, what: &str) {
    match answer.status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::MISDIRECTED_REQUEST => {
            hold_problem(answer, what)
        }
        status => {
            assert!(call.method == Method::OPTIONS && status == StatusCode::NO_CONTENT, "not in the spec: {what}")
        }
    }
}

fn hold_operation(operation: Operation, call: &Call<'_>, answer: &Answer, what: &str) {
    let status = answer.status.as_str();
    let Some((_, response)) = operation.responses().find(|(documented, _)| *documented == status) else {
        panic!("this status is not documented: {what}");
    };
    for name in ["RateLimit", "RateLimit-Policy"] {
        let is_documented = response["headers"][name].is_object();
        assert!(is_documented || answer.header(name).is_none(), "{name} is not documented: {what}");
    }
    let content_type = answer.header("content-type").unwrap_or_else(|| panic!("no Content-Type: {what}"));
    let content = &response["content"][content_type];
    assert!(content.is_object(), "{content_type} is not documented: {what}");
    for (name, header) in response["headers"].as_object().unwrap() {
        let header = schema::resolved(header);
        let Some(value) = answer.header(name) else {
            // A refusal may come before a limit is asked, and tests of other matters have none.
            let is_of_a_limit = name.starts_with("RateLimit") && call.meets_limits();
            let must_be_there = header["required"] == true || is_of_a_limit && !answer.status.is_client_error();
            assert!(!must_be_there, "no {name}: {what}");
            continue;
        };
        let is_number = header["schema"]["type"] == "integer";
        let value = if is_number { value.parse::<u64>().unwrap().into() } else { Value::from(value) };
        let faults = schema::faults(&header["schema"], &value);
        assert!(faults.is_empty(), "{name} {faults:?}: {what}");
    }
    let body = answer.json();
    let faults = schema::faults(&content["schema"], &body);
    assert!(faults.is_empty(), "{faults:?}: {what}");
    if answer.status.is_success() {
        hold_members(schema::resolved(&content["schema"]), &body, what);
        hold_request(operation, call, what);
    } else {
        hold_problem(answer, what);
        let code = body["code"].as_str().unwrap();
        let codes = response["x-problem-codes"].as_array().unwrap();
        assert!(codes.iter().any(|known| known == code), "{code} is not documented: {what}");
    }
}

/// The members that the schema has, in its order, and no others.
fn hold_members(schema: &Value, body: &Value, what: &str) {
    let sent: Vec<&String> = body.as_object().unwrap().keys().collect();
    let documented = schema["properties"].as_object().unwrap().keys();
    let expected: Vec<&String> = documented.filter(|name| body.get(name.as_str()).is_some()).collect();
    assert_eq!(sent, expected, "{what}");
}

/// What the server takes, its schema takes.
fn hold_request(operation: Operation, call: &Call<'_>, what: &str) {
    let Some(content) = operation.request_content() else { return };
    if call.is_beyond_the_schema {
        return;
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    let faults = schema::faults(&content["schema"], &body);
    assert!(faults.is_empty(), "the server took what its schema refuses, {faults:?}: {what}");
}

fn hold_problem(answer: &Answer, what: &str) {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
    let problem = answer.json();
    let faults = schema::faults(&json!({"$ref": "#/components/schemas/Problem"}), &problem);
    assert!(faults.is_empty(), "{faults:?}: {what}");
    hold_members(schema::resolved(&PROBLEM), &problem, what);
    assert_eq!(problem["status"], answer.status.as_u16(), "{what}");
    assert_eq!(problem["request_id"].as_str(), answer.header("x-request-id"), "{what}");
    let code = problem["code"].as_str().unwrap();
    assert_eq!(problem["type"], format!("http://localhost:8020/problems/{code}"), "{what}");
}

static PROBLEM: std::sync::LazyLock<Value> =
    std::sync::LazyLock::new(|| json!({"$ref": "#/components/schemas/Problem"}));
