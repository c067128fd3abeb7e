//! The OpenAPI document as something to hold JSON against.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, OnceLock};

use documines_auth::http::spec;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// The document as the server makes it.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(spec::document)
}

/// One operation of the document.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) value: &'static Value,
}

impl Operation {
    pub(crate) fn id(&self) -> &'static str {
        self.value["operationId"].as_str().unwrap()
    }

    /// Its answers, by status.
    pub(crate) fn responses(&self) -> impl Iterator<Item = (&'static str, &'static Value)> + use<> {
        self.value["responses"].as_object().unwrap().iter().map(|(status, response)| (status.as_str(), response))
    }

    /// The media type object of its request body, where it has one.
    pub(crate) fn request_content(&self) -> Option<&'static Value> {
        self.value.pointer("/requestBody/content/application~1json")
    }
}

/// Every operation of the document.
pub(crate) fn operations() -> impl Iterator<Item = Operation> {
    let paths = document()["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, value)| Operation { method, path, value })
    })
}

/// The operation of that id.
pub(crate) fn operation(id: &str) -> Operation {
    operations().find(|operation| operation.id() == id).unwrap_or_else(|| panic!("no operation {id}"))
}

/// What is wrong with `instance`, held against `schema`; empty where nothing is.
pub(crate) fn faults(schema: &Value, instance: &Value) -> Vec<String> {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);
    let validator = *VALIDATORS.lock().unwrap().entry(schema.to_string()).or_insert_with(|| {
        let mut whole = json_schema(schema);
        whole["$defs"] = json_schema(&document()["components"]["schemas"]);
        let options = jsonschema::options().should_validate_formats(true);
        Box::leak(Box::new(options.build(&whole).unwrap()))
    });
    let faults = validator.iter_errors(instance);
    faults.map(|fault| format!("{} at {}", fault.masked(), fault.instance_path())).collect()
}

/// The schema of the components that `schema` refers to, or itself.
pub(crate) fn resolved(schema: &'static Value) -> &'static Value {
    match schema["$ref"].as_str() {
        Some(reference) => document().pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// OpenAPI 3.0's schema as JSON Schema: `nullable` becomes a choice, references lead to `$defs`, and examples, which
/// are no schemas, go.
fn json_schema(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let converted = members.iter().filter(|(name, value)| match name.as_str() {
                "nullable" => !value.is_boolean(),
                // A member may have that name, too.
                "example" => value.get("type").is_some(),
                _ => true,
            });
            let converted = converted.map(|(name, value)| match value {
                Value::String(reference) if name == "$ref" => {
                    (name.clone(), reference.replace("#/components/schemas/", "#/$defs/").into())
                }
                value => (name.clone(), json_schema(value)),
            });
            let converted = Value::Object(converted.collect::<Map<_, _>>());
            if schema["nullable"] == true { json!({"anyOf": [converted, {"type": "null"}]}) } else { converted }
        }
        Value::Array(items) => items.iter().map(json_schema).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_member_that_breaks_its_schema_is_found() {
    let schema = json!({"$ref": "#/components/schemas/ProfileAnswer"});
    let good = document().pointer("/components/schemas/ProfileAnswer/example").unwrap();
    assert_eq!(faults(&schema, good), Vec::<String>::new());
    for (member, bad) in [("address", json!(7)), ("email", Value::Null), ("contact_phone", json!("1".repeat(51)))] {
        let mut instance = good.clone();
        instance[member] = bad;
        assert_eq!(faults(&schema, &instance).len(), 1, "{member}");
    }
}
