//! The OpenAPI document: what poem-openapi derives from the operations, and what it cannot say, added here.

use poem_openapi::registry::Registry;
use poem_openapi::types::Type;
use poem_openapi::{ContactObject, LicenseObject, OpenApi, OpenApiService, Tags};
use serde_json::{Map, Value, json};

use super::body::JSON;
use super::problem::{Code, FieldError, PROBLEM_JSON, Problem, ProblemDetails};
use super::query::FORM;
use super::request_id::RequestId;
use crate::kernel::Invalid;
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
}

const DESCRIPTION: &str = "\
Signs people up to AI DocuMines, logs them in, keeps their profile and credentials.

`signup` gives a client, `login` with that client gives an access token; the other operations want both. Send the
client as `X-Client-ID` and `X-Client-Secret`, the token as `Authorization: Bearer`. The client's secret is shown once.

Errors are problem details (RFC 9457): programs tell them apart by `code`, and `type` leads to an explanation. Every
answer carries the header `X-Request-ID`; quote it when you report a problem. A path answers with and without its
trailing slash.";

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

    let paths = std::mem::take(members(&mut document["paths"]));
    let paths = paths.into_iter().map(|(path, item)| (with_slash(&path), item));
    document["paths"] = Value::Object(paths.collect());
    order_tags(&mut document);

    let mut schemas = std::mem::take(members(&mut document["components"]["schemas"]));
    schemas.extend(problem_schemas());
    schemas.values_mut().for_each(require_nullable);
    schemas.values_mut().for_each(mend_bounds);
    for item in members(&mut document["paths"]).values_mut() {
        for operation in members(item).values_mut() {
            finish_operation(operation, &mut schemas);
        }
    }
    schemas.sort_keys();
    document["components"]["schemas"] = Value::Object(schemas);
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

/// The error's schemas, which no operation names in its type.
fn problem_schemas() -> Map<String, Value> {
    let mut registry = Registry::new();
    ProblemDetails::register(&mut registry);
    let schemas = registry.schemas.into_iter();
    schemas.map(|(name, schema)| (name, serde_json::to_value(schema).expect("a schema is JSON"))).collect()
}

/// Whatever may be null is written out as null, never left away: it is required. The derive takes it for optional.
fn require_nullable(schema: &mut Value) {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let nullable =
        |(name, property): (&String, &Value)| (property["nullable"] == true).then(|| Value::from(name.as_str()));
    let nullable: Vec<Value> = properties.filter_map(nullable).collect();
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.extend(nullable);
    }
}

/// Bounds of whole numbers come as `1.0`, which some generators copy into code that wants an integer.
fn mend_bounds(schema: &mut Value) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for property in properties.values_mut().filter(|property| property["type"] == "integer") {
        for bound in ["minimum", "maximum"] {
            if let Some(number) = property[bound].as_f64() {
                property[bound] = (number as i64).into();
            }
        }
    }
}

fn finish_operation(operation: &mut Value, schemas: &mut Map<String, Value>) {
    // Alternatives become one requirement: all of them. Without any, the spec says so rather than nothing.
    let schemes = operation["security"].as_array().into_iter().flatten();
    let mut all: Map<String, Value> = schemes.filter_map(|scheme| scheme.as_object().cloned()).flatten().collect();
    all.sort_keys();
    let (has_security, wants_bearer) = (!all.is_empty(), all.contains_key("bearer"));
    operation["security"] = if has_security { json!([all]) } else { json!([]) };

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
        response["headers"] = headers(None);
        responses.push((status, response));
    }
    // What any operation of this kind can answer.
    let common = [
        (has_body || has_query, Code::InvalidRequest),
        (has_body, Code::RequestTimeout),
        (has_body, Code::PayloadTooLarge),
        (has_body, Code::UnsupportedMediaType),
        (has_security, Code::InvalidClient),
        (wants_bearer, Code::InvalidToken),
        (true, Code::Internal),
        (true, Code::Unavailable),
    ];
    codes.extend(common.into_iter().filter_map(|(applies, code)| applies.then_some(code)));
    codes.sort_by_key(|code| (code.status(), *code as usize));
    for of_status in codes.chunk_by(|one, other| one.status() == other.status()) {
        responses.push((of_status[0].status().as_str().to_owned(), problem_response(of_status, &fields)));
    }
    operation["responses"] = Value::Object(responses.into_iter().collect());
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

fn problem_response(codes: &[Code], fields: &[String]) -> Value {
    let explain = |code: &Code| format!("`{}`: {}", code.as_str(), code.explanation());
    let description: Vec<String> = codes.iter().map(explain).collect();
    let example = |code: &Code| {
        let value = example_of(*code, fields);
        (code.as_str().to_owned(), json!({"summary": code.title(), "value": value}))
    };
    let examples: Map<String, Value> = codes.iter().map(example).collect();
    json!({
        "description": description.join("\n\n"),
        "content": {
            PROBLEM_JSON: { "schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples },
        },
        "headers": headers(codes.first().copied()),
    })
}

fn example_of(code: Code, fields: &[String]) -> Value {
    let problem = match code {
        Code::InvalidRequest => {
            let field = fields.first().cloned().unwrap_or_default();
            let message =
                if field.starts_with('/') { "must be a string" } else { "must be a whole number from 1 to 100" };
            Problem::invalid(vec![FieldError { field, message: message.to_owned() }])
        }
        Code::WeakPassword => {
            let member =
                fields.iter().find_map(|field| field.strip_prefix('/').filter(|name| name.ends_with("password")));
            let weak = "is too weak: This is a very common password. Use a longer one, such as a few uncommon words";
            Problem::weak_password(member.unwrap_or_default(), &Invalid::because(weak))
        }
        other => Problem::new(other),
    };
    let public_url: PublicUrl = "http://localhost:8020".parse().expect("the default public URL");
    let request_id = RequestId::example();
    serde_json::to_value(problem.details(&request_id, &public_url)).expect("a problem is JSON")
}

fn headers(code: Option<Code>) -> Value {
    let header = |description: &str, schema: Value| json!({"description": description, "schema": schema});
    let text = |max: usize, example: &str| json!({"type": "string", "maxLength": max, "example": example});
    let mut headers = Map::new();
    let id = text(RequestId::MAX_LENGTH, &RequestId::example().to_string());
    headers.insert("X-Request-ID".to_owned(), header("The caller's, if it sent a sane one, else a new one.", id));
    match code.map(|code| code.status().as_u16()) {
        Some(401) => {
            let scheme = if code == Some(Code::InvalidToken) { "Bearer" } else { "ClientCredentials" };
            let challenge = text(200, &format!("{scheme} realm=\"AI DocuMines\""));
            let about = "Which credentials are wanted (RFC 9110, RFC 6750).";
            headers.insert("WWW-Authenticate".to_owned(), header(about, challenge));
        }
        Some(503) => {
            let seconds = json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 3600, "example": 1});
            headers.insert("Retry-After".to_owned(), header("Seconds until another try makes sense.", seconds));
        }
        _ => {}
    }
    Value::Object(headers)
}

/// The ids of the operations: for tests that go through all of them.
#[must_use]
pub fn operation_ids() -> Vec<&'static str> {
    let operations = Operations::meta().into_iter().flat_map(|api| api.paths).flat_map(|path| path.operations);
    operations.filter_map(|operation| operation.operation_id).collect()
}
