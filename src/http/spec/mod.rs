//! The OpenAPI document: what poem-openapi derives from the operations, and what it cannot say, added here.

mod answers;
mod curl;
mod schemas;

use poem_openapi::{ContactObject, LicenseObject, OpenApi, OpenApiService, Tags};
use serde_json::{Map, Value, json};

use super::body::JSON;
use super::problem::{Code, PROBLEM_JSON};
use super::query::FORM;
use crate::kernel::public_url::PublicUrl;
use crate::server::{Operations, operations};

/// Where the operations are.
pub const BASE_PATH: &str = "/api/v1/auth";

/// What the operations are grouped by.
#[derive(Tags)]
pub enum Tag {
    /// Signing up.
    Account,
    /// Logging in, and renewing what login gave.
    Session,
    /// What people tell about themselves.
    Profile,
    /// Setting a new password when the old one is lost.
    Password,
    /// What happened to the account.
    Activity,
    /// Proving that an e-mail address is one's own, and changing it.
    Email,
}

const DESCRIPTION: &str = "\
Signs people up to AI DocuMines, logs them in, keeps their profile and credentials.

`signup` gives a client, `login` with that client gives an access token; the other operations want both. Send the
client as `X-Client-ID` and `X-Client-Secret`, the token as `Authorization: Bearer`. The client's secret is shown once.

Errors are problem details (RFC 9457): programs tell them apart by `code`, and `type` leads to an explanation. Every
answer carries the header `X-Request-ID`; quote it when you report a problem. A path answers with and without its
trailing slash.";

/// The document as a server at `public_url` hands it out: its calls and examples name that. Where a proxy takes a path off
/// the front, the operations are found relative to the document.
#[must_use]
pub fn served_at(public_url: &PublicUrl) -> Value {
    let by_default = answers::public_url().to_string();
    let text = document().to_string().replace(&by_default, &public_url.to_string());
    let mut document: Value = serde_json::from_str(&text).expect("a URL has nothing that JSON would escape");
    if public_url.has_path() {
        document["servers"][0]["url"] = format!(".{BASE_PATH}").into();
        document["externalDocs"]["url"] = format!("{public_url}/docs/").into();
    }
    document
}

/// The document.
///
/// poem-openapi knows security as alternatives only, drops the slash at a path's end, takes what may be null for what
/// may be absent, and has no place for the examples of an answer. That is mended here, on the JSON, so that the file,
/// the served document and Swagger UI are the same.
#[must_use]
pub fn document() -> Value {
    let contact = ContactObject::new().name("AI DocuMines").url("https://aidocumines.com");
    let service = OpenApiService::new(operations(), "AI DocuMines accounts", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .contact(contact)
        .license(LicenseObject::new("Apache-2.0").url("https://www.apache.org/licenses/LICENSE-2.0"))
        .server(BASE_PATH);
    let mut document: Value = serde_json::from_str(&service.spec()).expect("poem-openapi writes JSON");
    document["openapi"] = "3.0.3".into();
    document["servers"][0]["description"] = "Production: the server that this document came from.".into();
    document["servers"][0]["x-internal"] = false.into();
    document["externalDocs"] = json!({"description": "Every operation, to try in the browser.", "url": "/docs/"});

    let paths = std::mem::take(members(&mut document["paths"]));
    let paths = paths.into_iter().map(|(path, item)| (with_slash(&path), item));
    document["paths"] = Value::Object(paths.collect());
    order_tags(&mut document);

    let mut schemas = std::mem::take(members(&mut document["components"]["schemas"]));
    schemas.extend(schemas::of_problems());
    schemas::mend(&mut schemas);
    for (path, item) in members(&mut document["paths"]) {
        for (method, operation) in members(item) {
            finish_operation(operation, &mut schemas);
            curl::add(method, path, operation, &schemas);
        }
    }
    schemas.sort_keys();
    document["components"]["schemas"] = Value::Object(schemas);
    document["components"]["headers"] = answers::headers_used_in(&document["paths"]);
    document
}

/// The document as it is committed, printed and served: indented, with a line break at the end.
#[must_use]
pub fn to_json(document: &Value) -> String {
    format!("{document:#}\n")
}

/// The document in YAML.
#[must_use]
pub fn to_yaml(document: &Value) -> String {
    let yaml = serde_yaml::to_string(document).expect("JSON can be written as YAML");
    // YAML 1.1 takes a bare `2026-03-03 08:16:02` for a date; the examples mean strings.
    let quote = |line: &str| match line.split_once(": ") {
        Some((name, value)) if is_date(value) => format!("{name}: '{value}'\n"),
        _ => format!("{line}\n"),
    };
    yaml.lines().map(quote).collect()
}

fn is_date(value: &str) -> bool {
    let shape = |(at, byte): (usize, u8)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    value.len() >= 10 && value.bytes().take(10).enumerate().all(shape)
}

fn members(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().expect("OpenAPI has an object here")
}

fn with_slash(path: &str) -> String {
    format!("{}/", path.trim_end_matches('/'))
}

/// Tags in the order of the operations that carry them: the order in which a newcomer wants to read.
fn order_tags(document: &mut Value) {
    let operations = document["paths"].as_object().into_iter().flat_map(Map::values);
    let operations = operations.filter_map(Value::as_object).flat_map(Map::values);
    let order: Vec<Value> = operations.map(|operation| operation["tags"][0].clone()).collect();
    if let Some(tags) = document["tags"].as_array_mut() {
        tags.sort_by_key(|tag| order.iter().position(|name| *name == tag["name"]));
    }
}

fn finish_operation(operation: &mut Value, schemas: &mut Map<String, Value>) {
    // Alternatives become one requirement: all of them, or none where an empty one says that they may be omitted. Without
    // any, the spec says so rather than nothing.
    let schemes = operation["security"].as_array().into_iter().flatten().filter_map(Value::as_object);
    let may_be_omitted = schemes.clone().any(Map::is_empty);
    let mut all: Map<String, Value> = schemes.flat_map(Map::clone).collect();
    all.sort_keys();
    let (has_security, wants_bearer) = (!all.is_empty(), all.contains_key("bearer"));
    let wants_secret = all.contains_key("clientSecret");
    operation["security"] = match (has_security, may_be_omitted) {
        (true, true) => json!([all, {}]),
        (true, false) => json!([all]),
        (false, _) => json!([]),
    };

    // What a caller can get wrong, as `errors` would name it.
    let mut fields: Vec<String> = Vec::new();
    if let Some(query) = operation.pointer("/requestBody/content").and_then(|content| content.get(FORM)) {
        let name = query["schema"]["$ref"].as_str().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
        let schema = schemas.shift_remove(name).expect("the form's schema was registered");
        operation["parameters"] = parameters(&schema);
        fields = schema["properties"].as_object().into_iter().flat_map(Map::keys).cloned().collect();
        members(operation).shift_remove("requestBody");
    }
    let has_query = !fields.is_empty();
    if operation.get("requestBody").is_some() {
        let content = &mut operation["requestBody"]["content"][JSON];
        if let Some(schema) = referenced(content, schemas) {
            schema["additionalProperties"] = false.into();
            allow_omitting_null(schema);
            fields = members(&mut schema["properties"]).keys().map(|name| format!("/{name}")).collect();
        }
        hoist_example(content, schemas);
    }
    let has_body = operation.get("requestBody").is_some();

    let mut codes: Vec<Code> = Vec::new();
    let mut responses = Vec::new();
    for (status, mut response) in std::mem::take(members(&mut operation["responses"])) {
        if let Some(names) = response["content"][PROBLEM_JSON]["schema"]["enum"].as_array() {
            let named = |code: &&Code| names.iter().any(|name| name == code.as_str());
            codes.extend(Code::ALL.iter().filter(named));
            continue;
        }
        hoist_example(&mut response["content"][JSON], schemas);
        responses.push((status, response));
    }
    // An operation that refuses for a limit of its own tells of it in its other answers too.
    let is_limited = codes.contains(&Code::RateLimited);
    // What any operation of this kind can answer.
    let common = [
        (has_body || has_query, Code::InvalidRequest),
        (true, Code::MalformedRequest),
        (true, Code::UnknownHost),
        (has_body, Code::RequestTimeout),
        (has_body, Code::PayloadTooLarge),
        (has_body, Code::UnsupportedMediaType),
        (has_body, Code::UnsupportedContentEncoding),
        (has_security, Code::InvalidClient),
        (wants_bearer, Code::InvalidToken),
        (wants_secret, Code::RateLimited),
        (true, Code::Internal),
        (true, Code::Unavailable),
    ];
    codes.extend(common.into_iter().filter_map(|(applies, code)| applies.then_some(code)));
    codes.sort_by_key(|code| (code.status(), *code as usize));
    codes.dedup();
    for of_status in codes.chunk_by(|one, other| one.status() == other.status()) {
        responses.push((of_status[0].status().as_str().to_owned(), answers::refusal(of_status, &fields)));
    }
    for (status, response) in &mut responses {
        response["headers"] = answers::headers(status, is_limited);
    }
    operation["responses"] = Value::Object(responses.into_iter().collect());
}

/// What a request may send as `null` it may omit too; an answer never does.
fn allow_omitting_null(schema: &mut Value) {
    let properties = schema["properties"].clone();
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name.as_str().is_none_or(|name| properties[name]["nullable"] != true));
    }
}

/// The members of a form as the parameters of a query.
fn parameters(form: &Value) -> Value {
    let is_required = |name: &str| form["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let parameter = |(name, property): (&String, &Value)| {
        let mut schema = property.clone();
        let description = members(&mut schema).shift_remove("description");
        json!({
            "name": name,
            "in": "query",
            "description": description,
            "required": is_required(name),
            "schema": schema,
            "example": form["example"][name],
        })
    };
    form["properties"].as_object().into_iter().flatten().map(parameter).collect()
}

/// The schema in `components` that a media type refers to.
fn referenced<'a>(content: &Value, schemas: &'a mut Map<String, Value>) -> Option<&'a mut Value> {
    let name = content["schema"]["$ref"].as_str()?.rsplit('/').next()?;
    schemas.get_mut(name)
}

/// Shows the schema's example as the media type's, where tools look for it first.
fn hoist_example(content: &mut Value, schemas: &mut Map<String, Value>) {
    if let Some(example) = referenced(content, schemas).and_then(|schema| schema.get("example")).cloned() {
        content["example"] = example;
    }
}

/// The ids of the operations: for tests that go through all of them.
#[must_use]
pub fn operation_ids() -> Vec<&'static str> {
    let operations = Operations::meta().into_iter().flat_map(|api| api.paths).flat_map(|path| path.operations);
    operations.filter_map(|operation| operation.operation_id).collect()
}
