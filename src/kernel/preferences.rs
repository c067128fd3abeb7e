//! What an account likes: a small, flat JSON object that the platform's pages read and write.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Invalid;

/// Up to 50 members; names of 1 to 64 characters, values strings of at most 255 characters, booleans, or numbers that
/// every reader of JSON takes for the same (RFC 8259, section 6).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preferences(Map<String, Value>);

impl Preferences {
    /// The most members it holds.
    pub const MAX_MEMBERS: usize = 50;
    /// The longest name of a member, in code points.
    pub const MAX_NAME: usize = 64;
    /// The longest string among its values, in code points.
    pub const MAX_VALUE: usize = 255;
    /// The largest number among its values, and below zero the smallest: 2^53 - 1.
    pub const MAX_NUMBER: f64 = 9_007_199_254_740_991.0;

    /// The members, in the order in which they were written.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl Default for Preferences {
    /// What the seed shows of a new account.
    fn default() -> Self {
        let members = [("theme", "light"), ("language", "en")];
        Self(members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }
}

impl TryFrom<Map<String, Value>> for Preferences {
    type Error = Invalid;

    fn try_from(members: Map<String, Value>) -> Result<Self, Invalid> {
        if members.len() > Self::MAX_MEMBERS {
            return Err(Invalid::because(format!("must have at most {} members", Self::MAX_MEMBERS)));
        }
        for (name, value) in &members {
            if name.is_empty() || name.chars().count() > Self::MAX_NAME || name.chars().any(char::is_control) {
                return Err(Invalid::because(format!(
                    "must have member names of 1 to {} characters, without control characters",
                    Self::MAX_NAME
                )));
            }
            let fits = match value {
                Value::Bool(_) => true,
                Value::Number(number) => number.as_f64().is_some_and(|number| number.abs() <= Self::MAX_NUMBER),
                Value::String(text) => text.chars().count() <= Self::MAX_VALUE && !text.chars().any(char::is_control),
                Value::Null | Value::Array(_) | Value::Object(_) => false,
            };
            if !fits {
                return Err(Invalid::because(format!(
                    "must have values that are booleans, numbers of at most {} either way, or strings of at most {} \
                     characters without control characters",
                    Self::MAX_NUMBER,
                    Self::MAX_VALUE
                )));
            }
        }
        Ok(Self(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Preferences, Invalid> {
        let Value::Object(members) = value else { panic!("the test gives an object") };
        Preferences::try_from(members)
    }

    #[test]
    fn flat_members_are_taken_and_nested_ones_refused() {
        assert!(read(json!({"theme": "dark", "font_size": 14, "beta": true})).is_ok());
        for bad in [
            json!({"a": null}),
            json!({"a": []}),
            json!({"a": {}}),
            json!({"": 1}),
            json!({"a": "\u{0}"}),
            json!({"a": 1e16}),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad} was taken");
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,300}|[\\x00-\\x1f]{1,3}".prop_map(Value::from),
            Just(json!([])),
            Just(json!({"a": 1})),
        ]
    }

    proptest! {
        #[test]
        fn what_is_taken_is_small_flat_and_clean(
            members in proptest::collection::vec(("\\PC{0,70}|[\\x00-\\x1f]{1,3}", any_value()), 0..60),
        ) {
            let members: Map<String, Value> = members.into_iter().collect();
            if let Ok(preferences) = Preferences::try_from(members.clone()) {
                prop_assert_eq!(preferences.members(), &members);
                prop_assert!(members.len() <= Preferences::MAX_MEMBERS);
                for (name, value) in members {
                    let text = value.as_str().unwrap_or_default();
                    prop_assert!((1..=Preferences::MAX_NAME).contains(&name.chars().count()));
                    prop_assert!(text.chars().count() <= Preferences::MAX_VALUE);
                    prop_assert!(!name.chars().chain(text.chars()).any(char::is_control));
                    prop_assert!(!value.is_null() && !value.is_array() && !value.is_object());
                }
            }
        }
    }
}
