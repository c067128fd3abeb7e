//! What an operation can answer beyond success, and the headers of every answer.

use serde_json::{Map, Value, json};

use crate::http::problem::{Code, FieldError, PROBLEM_JSON, Problem};
use crate::http::request_id::RequestId;
use crate::kernel::Invalid;
use crate::kernel::public_url::PublicUrl;

/// The answer that carries one of `codes`, which share a status; `fields` are what a caller can get wrong, as `errors` names it.
pub(super) fn refusal(codes: &[Code], fields: &[String]) -> Value {
    let explain = |code: &Code| format!("`{}`: {}", code.as_str(), code.explanation());
    let description: Vec<String> = codes.iter().map(explain).collect();
    let example = |code: &Code| {
        let value = example_of(*code, fields);
        (code.as_str().to_owned(), json!({"summary": code.title(), "value": value}))
    };
    let examples: Map<String, Value> = codes.iter().map(example).collect();
    let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    json!({
        "description": description.join("\n\n"),
        "content": {
            PROBLEM_JSON: { "schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples },
        },
        "x-problem-codes": names,
    })
}

/// The default public URL.
pub(super) fn public_url() -> PublicUrl {
    "http://localhost:8020".parse().expect("the default public URL")
}

/// An occurrence of the code.
pub(super) fn example_of(code: Code, fields: &[String]) -> Value {
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
    serde_json::to_value(problem.details(&RequestId::example(), &public_url())).expect("a problem is JSON")
}

/// A header of answers: whether it is always there where it is documented, what it says, and its schema.
struct Header {
    name: &'static str,
    is_required: bool,
    description: &'static str,
    schema: Value,
}

fn all_headers() -> Vec<Header> {
    let seconds = json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 3600});
    let text = |pattern: &str, min: usize, max: usize| json!({"type": "string", "pattern": pattern, "minLength": min, "maxLength": max});
    let with_example = |mut schema: Value, example: Value| {
        schema["example"] = example;
        schema
    };
    vec![
        Header {
            name: "X-Request-ID",
            is_required: true,
            description: "The caller's, if it sent a sane one, else a new one.",
            schema: with_example(
                text("^[A-Za-z0-9._-]+$", 1, RequestId::MAX_LENGTH),
                RequestId::example().to_string().into(),
            ),
        },
        Header {
            name: "Access-Control-Allow-Origin",
            is_required: false,
            description: "The origin of the page that calls, where the operator lists it (Fetch standard). Absent for others.",
            schema: with_example(
                json!({"type": "string", "format": "uri", "maxLength": 300}),
                "https://app.example.com".into(),
            ),
        },
        Header {
            name: "WWW-Authenticate",
            is_required: true,
            description: "Which credentials are wanted (RFC 9110, RFC 6750).",
            schema: with_example(
                text("^(Bearer|ClientCredentials) realm=\"", 1, 200),
                "Bearer realm=\"AI DocuMines\"".into(),
            ),
        },
        Header {
            name: "Accept-Encoding",
            is_required: false,
            description: "Where the body's encoding was refused, the one that is taken (RFC 9110).",
            schema: with_example(text("^identity$", 8, 8), "identity".into()),
        },
        Header {
            name: "Retry-After",
            is_required: true,
            description: "Seconds until another try makes sense.",
            schema: with_example(seconds, 1.into()),
        },
        Header {
            name: "RateLimit-Policy",
            is_required: false,
            description: "The limits that the call met, where it met any: name, quota `q`, window `w` in seconds (IETF draft, \
                          RateLimit header fields for HTTP).",
            schema: with_example(text("^\"", 1, 300), "\"login\";q=5;w=86400".into()),
        },
        Header {
            name: "RateLimit",
            is_required: false,
            description: "What is left of them: `r`, and where nothing is, the seconds `t` until another try makes sense (IETF \
                          draft, RateLimit header fields for HTTP).",
            schema: with_example(text("^\"", 1, 300), "\"login\";r=4".into()),
        },
    ]
}

/// The headers of the answer with this status, as references into the components.
pub(super) fn headers(status: &str, operation_is_limited: bool) -> Value {
    let mut names = vec!["X-Request-ID", "Access-Control-Allow-Origin"];
    match status {
        "401" => names.push("WWW-Authenticate"),
        "415" => names.push("Accept-Encoding"),
        "429" | "503" => names.push("Retry-After"),
        _ => {}
    }
    if status == "429" || operation_is_limited && !status.starts_with('5') {
        names.extend(["RateLimit-Policy", "RateLimit"]);
    }
    let reference = |name: &str| (name.to_owned(), json!({"$ref": format!("{COMPONENTS}{name}")}));
    Value::Object(names.into_iter().map(reference).collect())
}

const COMPONENTS: &str = "#/components/headers/";

/// The components that those references lead to.
pub(super) fn headers_used_in(paths: &Value) -> Value {
    let text = paths.to_string();
    let is_used = |header: &Header| text.contains(&format!("\"{COMPONENTS}{}\"", header.name));
    let component = |header: Header| {
        let Header { name, is_required, description, schema } = header;
        (name.to_owned(), json!({"description": description, "required": is_required, "schema": schema}))
    };
    Value::Object(all_headers().into_iter().filter(is_used).map(component).collect())
}
