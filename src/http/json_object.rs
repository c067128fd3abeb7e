//! A JSON object as a caller sent it.

use std::fmt;

use secrecy::zeroize::Zeroize;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::strict_json::Strict;

/// What the error says that a member named twice makes.
pub(super) const TWICE: &str = "a member is named twice";

/// The members of an object, none of them twice, at whatever depth: which of two would count is where parsers differ (RFC 8259, section 4).
/// Texts are wiped when it is dropped, for they may be passwords; what else a member holds is no secret of anybody's.
#[derive(Default)]
pub(super) struct JsonObject(Map<String, Value>);

impl JsonObject {
    /// These members.
    pub(super) fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// Takes a member out, for somebody else to wipe.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name)
    }

    /// The names of the members that are left.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Drop for JsonObject {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

fn wipe(value: &mut Value) {
    if let Value::String(text) = value {
        text.zeroize();
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = JsonObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<JsonObject, A::Error> {
                let mut members = JsonObject::default();
                while let Some((name, Strict(value))) = access.next_entry()? {
                    if let Some(mut first) = members.0.insert(name, value) {
                        wipe(&mut first);
                        return Err(A::Error::custom(TWICE));
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_wiped_and_debug_output_shows_names_alone() {
        let mut object: JsonObject = serde_json::from_str(r#"{"password": "umbrella-quartz-71", "n": 7}"#).unwrap();
        assert_eq!(format!("{object:?}"), r#"{"password", "n"}"#);
        object.0.values_mut().for_each(wipe);
        assert_eq!(serde_json::to_string(&object.0).unwrap(), r#"{"password":"","n":7}"#);
    }
}
