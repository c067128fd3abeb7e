//! Each operation's call in curl, made of the document itself.

use serde_json::{Map, Value, json};

use super::BASE_PATH;
use super::answers::public_url;
use crate::http::body::JSON;

/// Adds the call to the operation's description, and as the code sample that Redocly and others show beside it.
///
/// Credentials, and tokens that an earlier answer or a mail gave, stand in it as shell variables: named as the member
/// that gave them, in capitals.
pub(super) fn add(method: &str, path: &str, operation: &mut Value, schemas: &Map<String, Value>) {
    let call = call(method, path, operation, schemas);
    let description = operation["description"].as_str().unwrap_or_default();
    operation["description"] = format!("{description}\n\n```sh\n{call}\n```").into();
    operation["x-codeSamples"] = json!([{"lang": "Shell", "label": "curl", "source": call}]);
}

fn call(method: &str, path: &str, operation: &Value, schemas: &Map<String, Value>) -> String {
    let method = if method == "get" { String::new() } else { format!("-X {} ", method.to_ascii_uppercase()) };
    let mut lines = vec![format!("curl {method}{}{BASE_PATH}{path}", public_url())];
    let schemes = operation["security"][0].as_object().into_iter().flat_map(Map::keys);
    lines.extend(schemes.map(|scheme| match scheme.as_str() {
        "bearer" => "-H \"Authorization: Bearer $ACCESS_TOKEN\"".to_owned(),
        "clientId" => "-H \"X-Client-ID: $CLIENT_ID\"".to_owned(),
        "clientSecret" => "-H \"X-Client-Secret: $CLIENT_SECRET\"".to_owned(),
        other => unreachable!("the scheme {other} has no header here"),
    }));
    let content = &operation["requestBody"]["content"][JSON];
    if let Some(example) = content["example"].as_object() {
        let name = content["schema"]["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
        let properties = name.and_then(|name| schemas.get(name)).map(|schema| &schema["properties"]);
        let member = |(name, value): (&String, &Value)| {
            let is_token = properties.is_some_and(|properties| is_token(&properties[name]));
            let value = if is_token { format!("\"'${}'\"", name.to_uppercase()) } else { quoted(value) };
            format!("{}: {value}", Value::from(name.as_str()))
        };
        let members: Vec<String> = example.iter().map(member).collect();
        lines.push(format!("-H 'Content-Type: {JSON}'"));
        lines.push(match members.as_slice() {
            [] | [_] | [_, _] => format!("-d '{{{}}}'", members.join(", ")),
            many => format!("-d '{{\n    {}\n  }}'", many.join(",\n    ")),
        });
    }
    lines.join(" \\\n  ")
}

/// A secret that is no password: the server gave it, and no example of it can be good for anybody.
fn is_token(property: &Value) -> bool {
    property["writeOnly"] == true && property["format"] != "password"
}

/// JSON as it stands between the apostrophes of a shell.
fn quoted(value: &Value) -> String {
    value.to_string().replace('\'', r"'\''")
}
