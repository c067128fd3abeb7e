//! Schemas: what every one of them says, and what poem-openapi's derive leaves away.

use std::collections::HashMap;

use poem_openapi::registry::Registry;
use poem_openapi::types::Type;
use serde_json::{Map, Value};

use super::answers;
use crate::http::problem::{Code, ProblemDetails};
use crate::http::schema::CLEAN;

/// Formats that a derived member of type `String` cannot name, by the member's name.
const FORMATS: [(&str, &str); 2] = [("email", "email"), ("type", "uri")];

/// The error's schemas, which no operation names in its type.
pub(super) fn of_problems() -> Map<String, Value> {
    let mut registry = Registry::new();
    ProblemDetails::register(&mut registry);
    let schemas = registry.schemas.into_iter();
    let mut schemas: Map<String, Value> =
        schemas.map(|(name, schema)| (name, serde_json::to_value(schema).expect("a schema is JSON"))).collect();
    // Not an `enum`: a caller who knows them all today must not fail on one that comes tomorrow.
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let example = answers::example_of(Code::InvalidRequest, &["/email".to_owned()]);
    schemas["FieldError"]["example"] = example["errors"][0].clone();
    schemas["Problem"]["example"] = example;
    schemas["Problem"]["properties"]["code"]["x-extensible-enum"] = codes.into();
    schemas
}

/// Mends all of them.
pub(super) fn mend(schemas: &mut Map<String, Value>) {
    for schema in schemas.values_mut() {
        require_nullable(schema);
        name_formats(schema);
        close_text(schema);
        mend_bounds(schema);
    }
    give_examples(schemas);
}

/// Whatever may be null is written out as null, never omitted: it is required. The derive takes it for optional.
fn require_nullable(schema: &mut Value) {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let nullable =
        |(name, property): (&String, &Value)| (property["nullable"] == true).then(|| Value::from(name.as_str()));
    let nullable: Vec<Value> = properties.filter_map(nullable).collect();
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.extend(nullable);
    }
}

fn name_formats(schema: &mut Value) {
    for (member, format) in FORMATS {
        let property = schema.get_mut("properties").and_then(|properties| properties.get_mut(member));
        if let Some(property) = property.filter(|property| property.get("format").is_none()) {
            property["format"] = format.into();
        }
    }
}

/// No string holds control characters, however little else is known of it.
fn close_text(schema: &mut Value) {
    let Value::Object(members) = schema else {
        return schema.as_array_mut().into_iter().flatten().for_each(close_text);
    };
    let is_open = ["format", "pattern", "enum"].iter().all(|name| !members.contains_key(*name));
    if members.get("type").is_some_and(|kind| kind == "string") && is_open {
        members.insert("pattern".to_owned(), CLEAN.into());
    }
    // Not `example`, which is no schema.
    for name in ["anyOf", "items", "additionalProperties"] {
        members.get_mut(name).into_iter().for_each(close_text);
    }
    let properties = members.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flat_map(Map::values_mut).for_each(close_text);
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

/// Each member shows a value: of its own schema's example, or else of a member of the same name elsewhere.
fn give_examples(schemas: &mut Map<String, Value>) {
    let mut known: HashMap<String, Value> = HashMap::new();
    for schema in schemas.values() {
        learn(&mut known, &schema["example"]);
    }
    for schema in schemas.values_mut() {
        let own = schema.get("example").cloned().unwrap_or_default();
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        // A reference takes nothing beside it.
        for (name, property) in properties.into_iter().flatten().filter(|(_, property)| property.get("$ref").is_none())
        {
            let example = own.get(name).filter(|value| !value.is_null()).or_else(|| known.get(name));
            if let Some(example) = example {
                property["example"] = example.clone();
            }
        }
    }
}

/// Takes up the members of an example, however deep they stand.
fn learn(known: &mut HashMap<String, Value>, example: &Value) {
    example.as_array().into_iter().flatten().for_each(|item| learn(known, item));
    for (name, value) in example.as_object().into_iter().flatten() {
        if known.get(name).is_none_or(Value::is_null) {
            known.insert(name.clone(), value.clone());
        }
        learn(known, value);
    }
}
