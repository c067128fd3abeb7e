//! How the kernel's types look in the spec, and how they are read from a body. One place, so that a rule and its
//! documentation stand side by side.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use secrecy::zeroize::Zeroizing;
use serde_json::Value;

use super::body::Member;
use crate::kernel::Invalid;
use crate::kernel::clock::Timestamp;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::optional::Optional;
use crate::kernel::page::{Cursor, PageLimit};
use crate::kernel::password::{NewPassword, Password};
use crate::kernel::phone_number::PhoneNumber;
use crate::kernel::preferences::Preferences;
use crate::kernel::text::Text;
use crate::kernel::token::Token;
use crate::kernel::username::Username;

/// What the derive of `Object` asks of a member's type, for a type that reads itself by [`Member`].
macro_rules! member_type {
    ([$($generics:tt)*] $type:ty, $name:literal, |$value:ident| $json:expr, $schema:expr) => {
        impl<$($generics)*> Type for $type {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                $name.into()
            }

            fn schema_ref() -> MetaSchemaRef {
                MetaSchemaRef::Inline(Box::new($schema))
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(std::iter::once(self))
            }
        }

        impl<$($generics)*> ParseFromJSON for $type {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                Self::read(value.unwrap_or_default()).map_err(ParseError::custom)
            }
        }

        impl<$($generics)*> ToJSON for $type {
            fn to_json(&self) -> Option<Value> {
                let $value = self;
                $json
            }
        }
    };
    ($type:ty, $($rest:tt)*) => {
        member_type!([] $type, $($rest)*);
    };
}

/// A member's text, wiped when it was parsed: it may be a password.
fn string(value: Value) -> Result<Zeroizing<String>, Invalid> {
    match value {
        Value::String(text) => Ok(Zeroizing::new(text)),
        _ => Err(Invalid::because("must be a string")),
    }
}

/// A member that is a string which the type parses.
macro_rules! parsed_member {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> Member for $type {
            fn read(value: Value) -> Result<Self, Invalid> {
                string(value)?.parse()
            }

            fn is_none(value: &Value) -> bool {
                let is_blank = |text: &str| text.trim().is_empty() && !text.chars().any(char::is_control);
                value.is_null() || value.as_str().is_some_and(is_blank)
            }
        }
    };
    ($type:ty) => {
        parsed_member!([] $type);
    };
}

impl<T: Member> Member for Optional<T> {
    fn absent() -> Option<Self> {
        Some(Self::Omitted)
    }

    fn read(value: Value) -> Result<Self, Invalid> {
        if T::is_none(&value) { Ok(Self::Cleared) } else { T::read(value).map(Self::Given) }
    }
}

/// The schema of a value that may be `null` too.
impl<T: Member + Type> Type for Optional<T> {
    const IS_REQUIRED: bool = false;
    type RawValueType = T::RawValueType;
    type RawElementValueType = T::RawElementValueType;

    fn name() -> Cow<'static, str> {
        format!("optional_{}", T::name()).into()
    }

    fn schema_ref() -> MetaSchemaRef {
        match T::schema_ref() {
            MetaSchemaRef::Inline(schema) => MetaSchemaRef::Inline(Box::new(MetaSchema { nullable: true, ..*schema })),
            reference @ MetaSchemaRef::Reference(_) => reference,
        }
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        self.change().flatten().and_then(T::as_raw_value)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        match self {
            Self::Given(value) => value.raw_element_iter(),
            Self::Omitted | Self::Cleared => Box::new(std::iter::empty()),
        }
    }
}

impl<T: Member + Type> ParseFromJSON for Optional<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        value.map_or(Ok(Self::Omitted), |value| Self::read(value).map_err(ParseError::custom))
    }
}

impl<T: ToJSON> ToJSON for Optional<T>
where
    Self: Type,
{
    fn to_json(&self) -> Option<Value> {
        self.change().map(|value| value.and_then(T::to_json).unwrap_or_default())
    }
}

fn text(min: usize, max: usize) -> MetaSchema {
    // A bound that nothing can break is none, and code made from it does not compile cleanly everywhere.
    let min_length = (min > 0).then_some(min);
    MetaSchema { min_length, max_length: Some(max), ..MetaSchema::new("string") }
}

/// Patterns are written so that every dialect of regular expressions reads them alike, with or without a Unicode mode:
/// no `\s`, `\w` or `\p`.
fn matching(pattern: &str, schema: MetaSchema) -> MetaSchema {
    MetaSchema { pattern: Some(pattern.to_owned()), ..schema }
}

/// No control characters.
pub(super) const CLEAN: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// A line with something in it beside blanks, and no control characters.
const LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*$";
/// A line of letters, digits and `@ . + - _`; which signs beyond ASCII are letters, `format` must tell.
const USERNAME: &str = r"^ *[^\x00-*,/:-?\[-^`{-\xa0]+ *$";
/// 7 to 15 digits, with signs before, between and after them.
const PHONE: &str = r"^[ +().-]*([0-9][ +().-]*){7,15}$";

parsed_member!(EmailAddress);
member_type!(EmailAddress, "email", |address| Some(address.as_str().into()), {
    MetaSchema { format: Some("email"), ..text(5, Self::MAX_LENGTH) }
});

parsed_member!(Username);
member_type!(Username, "username", |username| Some(username.as_str().into()), {
    MetaSchema { format: Some("username"), ..matching(USERNAME, text(1, Self::MAX_LENGTH)) }
});

parsed_member!(PhoneNumber);
member_type!(PhoneNumber, "phone", |number| Some(number.as_str().into()), {
    matching(PHONE, text(7, Self::MAX_LENGTH))
});

parsed_member!([const MAX: usize] Text<MAX>);
member_type!([const MAX: usize] Text<MAX>, "text", |text| Some(text.as_str().into()), {
    matching(LINE, text(1, MAX))
});

parsed_member!(NewPassword);
member_type!(NewPassword, "new_password", |_password| None, {
    let schema = matching(CLEAN, text(Password::MIN_LENGTH, Password::MAX_LENGTH));
    MetaSchema { format: Some("password"), write_only: true, ..schema }
});

/// The longest password that is compared with a hash: enough for [`Password::MAX_LENGTH`] code points before they
/// were normalised.
const MAX_RECEIVED_PASSWORD: usize = 1_024;

impl Member for Password {
    fn read(value: Value) -> Result<Self, Invalid> {
        let raw = string(value)?;
        if raw.is_empty() || raw.chars().count() > MAX_RECEIVED_PASSWORD {
            return Err(Invalid::because(format!("must be 1 to {MAX_RECEIVED_PASSWORD} characters long")));
        }
        Ok(Self::received(&raw))
    }
}
member_type!(Password, "password", |_password| None, {
    MetaSchema { format: Some("password"), write_only: true, ..text(1, MAX_RECEIVED_PASSWORD) }
});

/// The longest token that is looked up.
const MAX_RECEIVED_TOKEN: usize = 256;

impl Member for Token {
    fn read(value: Value) -> Result<Self, Invalid> {
        let raw = string(value)?;
        let raw = raw.trim();
        if raw.is_empty() || raw.chars().count() > MAX_RECEIVED_TOKEN || raw.chars().any(char::is_control) {
            return Err(Invalid::because(format!(
                "must be 1 to {MAX_RECEIVED_TOKEN} characters long, without control characters"
            )));
        }
        Ok(Self::received(raw))
    }
}
member_type!(Token, "token", |_token| None, {
    MetaSchema { write_only: true, ..matching(LINE, text(1, MAX_RECEIVED_TOKEN)) }
});

parsed_member!(PageLimit);
member_type!(PageLimit, "limit", |limit| Some(limit.get().into()), {
    let bound = |limit: u8| Some(f64::from(limit));
    MetaSchema {
        minimum: bound(1),
        maximum: bound(Self::MOST),
        default: Some(Self::DEFAULT.into()),
        ..MetaSchema::new_with_format("integer", "int32")
    }
});

parsed_member!(Cursor);
member_type!(Cursor, "cursor", |cursor| Some(cursor.to_string().into()), {
    MetaSchema { pattern: Some("^[A-Za-z0-9_-]{21}[AQgw]$".to_owned()), ..text(Self::LENGTH, Self::LENGTH) }
});

impl Member for Preferences {
    fn read(value: Value) -> Result<Self, Invalid> {
        match value {
            Value::Object(members) => Self::try_from(members),
            _ => Err(Invalid::because("must be an object")),
        }
    }
}
member_type!(Preferences, "preferences", |preferences| Some(Value::Object(preferences.members().clone())), {
    let bound = Self::MAX_NUMBER;
    let number =
        MetaSchema { minimum: Some(-bound), maximum: Some(bound), ..MetaSchema::new_with_format("number", "double") };
    let kinds = [text(0, Self::MAX_VALUE), number, MetaSchema::new("boolean")];
    let kinds = kinds.into_iter().map(|kind| MetaSchemaRef::Inline(Box::new(kind))).collect();
    let values = MetaSchema { any_of: kinds, ..MetaSchema::ANY };
    MetaSchema {
        additional_properties: Some(Box::new(MetaSchemaRef::Inline(Box::new(values)))),
        max_properties: Some(Self::MAX_MEMBERS),
        ..MetaSchema::new("object")
    }
});

impl Member for Timestamp {
    fn read(_: Value) -> Result<Self, Invalid> {
        Err(Invalid::because("is written by the server alone"))
    }
}
member_type!(Timestamp, "date-time", |at| Some(at.to_string().into()), {
    MetaSchema { format: Some("date-time"), ..text(27, 27) }
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::kernel::text::{Name, Paragraph};

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "\\PC{0,1100}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                inner.prop_map(|value| json!({"member": value})),
            ]
        })
    }

    /// What a refusal says of `value`, which nobody may read in it.
    fn refusal<T: Member>(value: &Value) -> Option<String> {
        T::read(value.clone()).err().map(|reason| reason.to_string())
    }

    proptest! {
        #[test]
        fn no_json_breaks_a_member_or_is_quoted_by_its_refusal(value in any_json()) {
            let refusals = [
                refusal::<EmailAddress>(&value),
                refusal::<Username>(&value),
                refusal::<PhoneNumber>(&value),
                refusal::<Name>(&value),
                refusal::<Paragraph>(&value),
                refusal::<NewPassword>(&value),
                refusal::<Password>(&value),
                refusal::<Token>(&value),
                refusal::<Preferences>(&value),
                refusal::<bool>(&value),
                refusal::<Option<Name>>(&value),
                refusal::<Optional<Name>>(&value),
            ];
            prop_assert!(refusal::<Timestamp>(&value).is_some());
            // Long enough to stand in no sentence of ours.
            let secret = value.as_str().filter(|text| text.len() > 30);
            for refusal in refusals.into_iter().flatten() {
                prop_assert!(refusal.len() < 200, "{}", refusal);
                prop_assert!(!secret.is_some_and(|secret| refusal.contains(secret)), "{}", refusal);
            }
        }
    }
}
