//! What an answer has to be.

use serde_json::Value;

/// What a member has to be.
pub(super) enum Is {
    /// This value.
    Exactly(Value),
    /// So many ASCII letters and digits.
    Letters(usize),
    /// Text of this form: `0` stands for a digit, `x` for a hex digit, anything else for itself.
    Form(&'static str),
    /// A whole number that is not negative.
    Count,
}

impl Is {
    fn fits(&self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Self::Exactly(expected) => value == expected,
            Self::Letters(length) => {
                text.is_some_and(|text| text.len() == *length && text.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            }
            Self::Form(form) => text.is_some_and(|text| has_form(text, form)),
            Self::Count => value.is_u64(),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Exactly(value) => value.to_string(),
            Self::Letters(length) => format!("{length} letters and digits"),
            Self::Form(form) => format!("text of the form {form}"),
            Self::Count => "a whole number".to_owned(),
        }
    }
}

fn has_form(text: &str, form: &str) -> bool {
    let fits = |(byte, form): (u8, u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'x' => byte.is_ascii_hexdigit(),
        _ => byte == form,
    };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

/// A status, and the members that the answer begins with, in this order. More may follow.
pub(super) struct Expected {
    pub(super) status: u16,
    pub(super) members: Vec<(&'static str, Is)>,
    /// Whether the last member may be omitted.
    pub(super) last_is_optional: bool,
}

impl Expected {
    /// All members are wanted.
    pub(super) fn new(status: u16, members: Vec<(&'static str, Is)>) -> Self {
        Self { status, members, last_is_optional: false }
    }

    /// What is different, without the values that came: they may be secret.
    pub(super) fn differences(&self, status: u16, answer: Option<&Value>) -> Vec<String> {
        if status != self.status {
            return vec![format!("the status is {status}, not {}", self.status)];
        }
        let Some(answer) = answer.and_then(Value::as_object) else {
            return vec!["the body is not a JSON object".to_owned()];
        };
        let mut expected = self.members.as_slice();
        if let [rest @ .., (last, _)] = expected
            && self.last_is_optional
            && !answer.contains_key(*last)
        {
            expected = rest;
        }
        let sent: Vec<&str> = answer.keys().map(String::as_str).collect();
        let wanted: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        if !sent.starts_with(&wanted) {
            return vec![format!("the members are {}, not {}", sent.join(", "), wanted.join(", "))];
        }
        let differs = expected.iter().filter(|(name, is)| !is.fits(&answer[*name]));
        differs.map(|(name, is)| format!("{name} is not {}", is.describe())).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expected() -> Expected {
        let members = vec![("message", Is::Exactly("Done".into())), ("at", Is::Form("0000-00 x")), ("id", Is::Count)];
        Expected::new(200, members)
    }

    #[test]
    fn what_fits_may_have_more_at_its_end() {
        let good = json!({"message": "Done", "at": "2026-11 f", "id": 7, "more": true});
        assert_eq!(expected().differences(200, Some(&good)), Vec::<String>::new());
    }

    #[test]
    fn every_difference_is_named() {
        let good = json!({"message": "Done", "at": "2026-11 f", "id": 7});
        assert!(expected().differences(201, Some(&good))[0].contains("201, not 200"));
        assert!(expected().differences(200, None)[0].contains("not a JSON object"));
        let swapped = json!({"at": "2026-11 f", "message": "Done", "id": 7});
        assert!(expected().differences(200, Some(&swapped))[0].contains("at, message, id, not message, at, id"));
        assert!(expected().differences(200, Some(&json!({"message": "Done"})))[0].contains("the members are"));
        let wrong = json!({"message": "done", "at": "2026-11 g", "id": -7});
        assert_eq!(expected().differences(200, Some(&wrong)).len(), 3);
    }

    #[test]
    fn the_last_member_may_be_left_away_where_that_is_said() {
        let short = json!({"message": "Done", "at": "2026-11 f"});
        let expected = Expected { last_is_optional: true, ..expected() };
        assert_eq!(expected.differences(200, Some(&short)), Vec::<String>::new());
        assert_eq!(expected.differences(200, Some(&json!({"message": "Done"}))).len(), 1);
    }

    #[test]
    fn letters_are_counted_and_no_others_are_taken() {
        assert!(Is::Letters(3).fits(&"aB3".into()));
        assert!(!Is::Letters(3).fits(&"aB-".into()) && !Is::Letters(3).fits(&"aB".into()));
    }
}
