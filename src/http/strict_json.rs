//! JSON values inside of a body, read as strictly as the body itself.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::json_object::TWICE;

/// A JSON value with no member twice in any of its objects: which of two would count is where parsers differ (RFC 8259,
/// section 4).
pub(super) struct Strict(pub(super) Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Strict(value))) = access.next_entry()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_member_twice_is_refused_at_every_depth() {
        for twice in [
            r#"{"a": 1, "a": 2}"#,
            r#"{"a": {"b": 1, "b": 1}}"#,
            r#"{"a": [0, {"b": {"c": 1, "d": 2, "c": 3}}]}"#,
            r#"{"a": 1, "\u0061": 2}"#,
        ] {
            let refusal = serde_json::from_str::<Strict>(twice).map(drop).unwrap_err().to_string();
            assert!(refusal.starts_with(TWICE), "{twice}: {refusal}");
        }
        assert!(serde_json::from_str::<Strict>(r#"{"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]}"#).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_serde_json_reads(text in "[\\[\\]{}\",:0-9a-c.eE \\-]{0,40}|\\PC{0,40}") {
            let text = format!("{{\"member\": {text}}}");
            if let Ok(Strict(value)) = serde_json::from_str(&text) {
                let known: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(value, known);
            }
        }
    }
}
