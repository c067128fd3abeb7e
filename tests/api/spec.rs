use std::collections::BTreeSet;
use std::path::Path;

use documines_auth::http::problem::Code;
use documines_auth::http::spec::{document as make, to_json, to_yaml};
use serde_json::Value;

use crate::support::TestApp;
use crate::support::schema::{document, faults, operation, operations, resolved};

#[test]
fn the_committed_document_is_what_the_code_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/openapi.json");
    let committed = std::fs::read_to_string(file).unwrap();
    assert!(
        committed == to_json(document()),
        "openapi/openapi.json is out of date: run `cargo run -- openapi > openapi/openapi.json` and review the change"
    );
}

#[test]
fn the_document_is_the_same_each_time_it_is_made() {
    for _ in 0..5 {
        assert_eq!(to_json(&make()), to_json(document()));
        assert_eq!(to_yaml(&make()), to_yaml(document()));
    }
}

#[test]
fn the_yaml_is_the_same_document() {
    let parsed: Value = serde_yaml::from_str(&to_yaml(document())).unwrap();
    assert_eq!(to_json(&parsed), to_json(document()));
}

#[test]
fn every_operation_says_what_it_is_for() {
    let tags: BTreeSet<&str> =
        document()["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    for operation in operations() {
        let id = operation.id();
        for text in ["summary", "description"] {
            assert!(operation.value[text].as_str().is_some_and(|text| !text.trim().is_empty()), "{id}: {text}");
        }
        let [tag] = operation.value["tags"].as_array().unwrap().as_slice() else { panic!("{id} has one tag") };
        assert!(tags.contains(tag.as_str().unwrap()), "{id}: {tag} is not described");
        assert!(id.starts_with(|c: char| c.is_ascii_lowercase()) && id.chars().all(char::is_alphanumeric), "{id}");
        assert!(ids.insert(id), "{id} is there twice");
    }
}

#[test]
fn every_operation_has_an_example_for_its_request_and_each_answer() {
    for operation in operations() {
        let id = operation.id();
        if let Some(content) = operation.request_content() {
            assert_eq!(faults(&content["schema"], &content["example"]), Vec::<String>::new(), "{id}");
        }
        for (status, response) in operation.responses() {
            let content = response["content"].as_object().unwrap();
            assert_eq!(content.len(), 1, "{id} {status}");
            for content in content.values() {
                let several = content["examples"].as_object().into_iter().flatten().map(|(_, one)| &one["value"]);
                let examples: Vec<&Value> = content.get("example").into_iter().chain(several).collect();
                assert!(!examples.is_empty(), "{id} {status}");
                for example in examples {
                    assert_eq!(faults(&content["schema"], example), Vec::<String>::new(), "{id} {status}");
                    assert_eq!(example["status"].as_u64().map_or(status.to_owned(), |code| code.to_string()), status);
                }
            }
        }
    }
}

#[test]
fn the_example_of_an_answer_has_its_members_in_order() {
    for operation in operations() {
        for (status, response) in operation.responses().filter(|(status, _)| status.starts_with('2')) {
            let content = &response["content"]["application/json"];
            let documented: Vec<&String> =
                resolved(&content["schema"])["properties"].as_object().unwrap().keys().collect();
            let example: Vec<&String> = content["example"].as_object().unwrap().keys().collect();
            assert_eq!(example, documented, "{} {status}", operation.id());
        }
    }
}

#[test]
fn every_answer_and_every_header_is_described() {
    for operation in operations() {
        for (status, response) in operation.responses() {
            assert!(is_text(&response["description"]), "{} {status}", operation.id());
            for (name, header) in response["headers"].as_object().unwrap() {
                let header = resolved(header);
                assert!(is_text(&header["description"]), "{name}");
                let mut faults = Vec::new();
                find_gaps(name, &header["schema"], &mut faults);
                assert!(faults.is_empty() && header["schema"].get("example").is_some(), "{name}: {faults:?}");
            }
        }
        if operation.request_content().is_some() {
            assert!(is_text(&operation.value["requestBody"]["description"]), "{}", operation.id());
        }
        for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
            assert!(is_text(&parameter["description"]), "{parameter}");
            let mut gaps = faults(&parameter["schema"], &parameter["example"]);
            find_gaps(operation.id(), &parameter["schema"], &mut gaps);
            assert!(gaps.is_empty(), "{parameter}: {gaps:?}");
        }
    }
}

#[test]
fn every_schema_says_what_it_is_and_every_member_shows_a_value_that_it_takes() {
    let mut gaps = Vec::new();
    for (name, schema) in document()["components"]["schemas"].as_object().unwrap() {
        if !is_text(&schema["description"]) {
            gaps.push(format!("{name}: no description"));
        }
        find_gaps(name, schema, &mut gaps);
        for (property, schema) in schema["properties"].as_object().unwrap() {
            let name = format!("{name}.{property}");
            if !is_text(&schema["description"]) {
                gaps.push(format!("{name}: no description"));
            }
            match schema.get("example") {
                Some(example) => gaps.extend(faults(schema, example)),
                None if schema.get("items").is_some_and(|items| items.get("$ref").is_some()) => {}
                None => gaps.push(format!("{name}: no example")),
            }
        }
    }
    assert_eq!(gaps, Vec::<String>::new());
}

/// What a schema leaves open: the form and length of a string, the bounds of a number, the size of a list or a map.
fn find_gaps(name: &str, schema: &Value, gaps: &mut Vec<String>) {
    let has = |member: &str| schema.get(member).is_some();
    let mut want = |is_there: bool, what: &str| {
        if !is_there {
            gaps.push(format!("{name}: no {what}"));
        }
    };
    match schema["type"].as_str() {
        Some("string") => {
            want(["format", "pattern", "enum"].into_iter().any(has), "format, pattern or enum");
            want(has("maxLength") || has("enum"), "maxLength");
        }
        Some("integer" | "number") => {
            ["minimum", "maximum", "format"].into_iter().for_each(|member| want(has(member), member))
        }
        Some("array") => ["items", "maxItems"].into_iter().for_each(|member| want(has(member), member)),
        Some("object") => want(has("properties") || has("maxProperties"), "properties or maxProperties"),
        Some("boolean") => {}
        kind => want(has("$ref") || has("anyOf"), &format!("type but {kind:?}")),
    }
    for part in ["items", "additionalProperties"].into_iter().filter_map(|part| schema.get(part)) {
        if part.is_object() {
            find_gaps(name, part, gaps);
        }
    }
    schema["anyOf"].as_array().into_iter().flatten().for_each(|part| find_gaps(name, part, gaps));
    for (member, part) in schema["properties"].as_object().into_iter().flatten() {
        find_gaps(&format!("{name}.{member}"), part, gaps);
    }
}

#[test]
fn the_document_says_who_answers_for_it() {
    let document = document();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    for place in
        ["/info/contact/name", "/info/contact/url", "/info/license/name", "/info/license/url", "/externalDocs/url"]
    {
        assert!(document.pointer(place).is_some_and(is_text), "{place}");
    }
    for scheme in document["components"]["securitySchemes"].as_object().unwrap().values() {
        assert!(is_text(&scheme["description"]), "{scheme}");
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

#[test]
fn requests_take_no_member_that_is_not_documented() {
    for operation in operations() {
        let Some(content) = operation.request_content() else { continue };
        assert_eq!(resolved(&content["schema"])["additionalProperties"], false, "{}", operation.id());
        assert_eq!(operation.value["requestBody"]["required"], true, "{}", operation.id());
    }
}

#[test]
fn what_a_successful_answer_may_omit_is_the_reset_token_and_the_new_client_alone() {
    for (operation, content) in successful_answers() {
        let schema = resolved(&content["schema"]);
        let required = schema["required"].as_array().unwrap();
        let optional = schema["properties"].as_object().unwrap().keys();
        let optional: Vec<&String> = optional.filter(|name| !required.contains(&Value::from(name.as_str()))).collect();
        let expected: &[&str] = match operation {
            "requestPasswordReset" => &["reset_token"],
            "resetPassword" => &["client_id", "client_secret"],
            _ => &[],
        };
        assert_eq!(optional, expected, "{operation}");
    }
}

fn successful_answers() -> impl Iterator<Item = (&'static str, &'static Value)> {
    operations().flat_map(|operation| {
        let good = operation.responses().filter(|(status, _)| status.starts_with('2'));
        good.map(move |(_, response)| (operation.id(), &response["content"]["application/json"]))
    })
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(document(), &mut found);
    assert!(!found.is_empty());
    for reference in found {
        assert!(document().pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[test]
fn every_code_is_documented_at_the_operations_that_answer_it() {
    let documented: BTreeSet<&str> = operations()
        .flat_map(|operation| operation.responses())
        .filter_map(|(_, response)| response["x-problem-codes"].as_array())
        .flat_map(|codes| codes.iter().filter_map(Value::as_str))
        .collect();
    // A path or a method that no operation has.
    let nowhere = [Code::NotFound, Code::MethodNotAllowed].map(Code::as_str);
    let all: BTreeSet<&str> =
        Code::ALL.iter().map(|code| code.as_str()).filter(|code| !nowhere.contains(code)).collect();
    assert_eq!(documented, all);
}

/// The example of a successful answer.
fn operation_answer(id: &str) -> Value {
    successful_answers().find(|(operation, _)| *operation == id).unwrap().1["example"].clone()
}

#[tokio::test]
async fn the_requests_of_the_examples_walk_through_the_server() {
    let app = TestApp::start().await;
    let example = |id: &str| operation(id).request_content().unwrap()["example"].clone();

    let signed_up = app.anon().signup(&example("signup")).await.expect(201);
    let (id, secret) = (signed_up["client_id"].as_str().unwrap(), signed_up["client_secret"].as_str().unwrap());
    let client = app.anon().with_client(id, secret);
    let session = client.session(&client.post("/login/").json(&example("login")).send().await);
    session.caller.update_profile(&example("updateProfile")).await.expect(200);

    client.post("/email/verify/request/").json(&example("requestEmailVerification")).send().await.expect(200);
    session.caller.post("/email/change/").json(&example("changeEmail")).send().await.expect(200);
    let mails = app.deliver_mail().await;
    let mut verify = example("verifyEmail");
    verify["token"] = crate::mail::token_in(&mails[1]).into();
    assert_eq!(client.post("/email/verify/").json(&verify).send().await.expect(200), operation_answer("verifyEmail"));

    let mut refresh = example("refreshToken");
    refresh["refresh_token"] = session.refresh_token.clone().into();
    client.post("/refresh-token/").json(&refresh).send().await.expect(200);

    let requested = client.post("/password/reset/request/").json(&example("requestPasswordReset")).send().await;
    let mut reset = example("resetPassword");
    reset["token"] = requested.expect(200)["reset_token"].clone();
    client.post("/password/reset/").json(&reset).send().await.expect(200);
}
