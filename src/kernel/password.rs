//! Passwords: what may be one (NIST SP 800-63B-4, OWASP ASVS 5.0 chapter 6), and what is kept of it.

use std::fmt;
use std::str::FromStr;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use super::Invalid;
use super::text::folded;

/// A password as somebody typed it, NFKC-normalised so that every keyboard gives the same bytes.
///
/// Never trimmed, never cut short. Wiped when dropped, `…` in `Debug`.
#[derive(Clone)]
pub struct Password(SecretString);

impl Password {
    /// The fewest code points.
    pub const MIN_LENGTH: usize = 8;
    /// The most code points.
    pub const MAX_LENGTH: usize = 128;

    /// A password that is to be compared with a hash. Nothing is asked of it: a bad one simply does not fit.
    #[must_use]
    pub fn received(raw: &str) -> Self {
        Self(normalised(raw).into())
    }

    /// The bytes that are hashed.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Refuses what an attacker tries first: what contains a name of its owner, the commonest passwords, and what zxcvbn
    /// scores under 3 of 4.
    ///
    /// Costs milliseconds, and tens of them for what was made to cost much; call it where a hash would be computed,
    /// not on an async thread.
    ///
    /// # Errors
    /// The reason, for the person who chose it.
    pub fn check_strength(&self, personal: &PersonalWords) -> Result<(), Invalid> {
        // zxcvbn sees the start alone, and lets a name count for something where enough stands around it.
        if let Some(what) = personal.name_within(self) {
            return Err(Invalid::because(format!(
                "is too weak: it contains {what}, in whatever case. Use one without it"
            )));
        }
        // The cost grows with the square of the length, and what is strong so far is strong.
        let mut start = Zeroizing::new(String::with_capacity(SCORED_LENGTH * char::MAX_LEN_UTF8));
        start.extend(self.expose().chars().take(SCORED_LENGTH));
        let words: Vec<&str> = personal.words.iter().map(String::as_str).collect();
        // zxcvbn multiplies without looking where patterns repeat often; what it cannot count is no password.
        let estimate = std::panic::catch_unwind(|| zxcvbn::zxcvbn(&start, &words)).ok();
        if estimate.as_ref().is_some_and(|estimate| estimate.score() >= zxcvbn::Score::Three) {
            return Ok(());
        }
        let feedback = estimate.as_ref().and_then(zxcvbn::Entropy::feedback);
        let reason = feedback
            .and_then(zxcvbn::feedback::Feedback::warning)
            .map_or_else(|| "it is too easy to guess".to_owned(), |warning| warning.to_string());
        Err(Invalid::because(format!(
            "is too weak: {}. Use a longer one, such as a few uncommon words",
            reason.trim_end_matches('.')
        )))
    }
}

/// In the room that it takes, and no more: what grows, or is cut to fit, leaves copies behind.
fn normalised(raw: &str) -> String {
    let mut password = String::with_capacity(raw.nfkc().map(char::len_utf8).sum());
    raw.nfkc().for_each(|c| password.push(c));
    password
}

/// How many code points of a password are scored.
const SCORED_LENGTH: usize = 32;

/// What the service is called (ASVS 5.0, 6.1.2).
const SERVICE: [&str; 4] = ["aidocumines", "documines", "ai documines", "documines-auth"];

/// The shortest name, in code points, that no password of its owner may contain.
const SHORTEST_NAME: usize = 4;

/// What is known about somebody, and about the service, as somebody who guesses would use it: whole, word by word, and
/// run together. It makes no password strong. What somebody is known by must not be in their password at all.
#[derive(Clone, Debug, Default)]
pub struct PersonalWords {
    words: Vec<String>,
    /// The owner's names, folded, and what each of them is.
    names: Vec<(&'static str, String)>,
}

impl PersonalWords {
    /// The words about somebody with this e-mail address, username, name and organisation.
    #[must_use]
    pub fn about(email: &str, username: Option<&str>, contact_name: &str, organisation: &str) -> Self {
        let local_part = email.split('@').next();
        let texts = [Some(email), local_part, username, Some(contact_name), Some(organisation)];
        let mut words: Vec<String> = SERVICE.iter().map(|&word| word.to_owned()).collect();
        for text in texts.into_iter().flatten() {
            let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 2);
            words.extend(parts.map(str::to_owned));
            words.push(text.chars().filter(|c| c.is_alphanumeric()).collect());
            words.push(text.to_owned());
        }
        let names = [
            ("your e-mail address", Some(email)),
            ("what stands before the @ of your e-mail address", local_part),
            ("your username", username),
            ("your name", Some(contact_name)),
        ];
        let names = names.into_iter().filter_map(|(what, name)| Some((what, folded(name?))));
        let names = names.filter(|(_, name)| name.chars().count() >= SHORTEST_NAME).collect();
        Self { words, names }
    }

    /// Which of the owner's names is in the password, in whatever case.
    fn name_within(&self, password: &Password) -> Option<&'static str> {
        let password = Zeroizing::new(folded(password.expose()));
        self.names.iter().find(|(_, name)| password.contains(name.as_str())).map(|(what, _)| *what)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A password that somebody wants from now on: 8 to 128 code points, any of them, no composition rules.
///
/// Whether it is strong enough depends on whose it is: [`Password::check_strength`].
#[derive(Clone, Debug)]
pub struct NewPassword(Password);

impl NewPassword {
    /// The password, as it will be hashed.
    #[must_use]
    pub fn as_password(&self) -> &Password {
        &self.0
    }
}

impl FromStr for NewPassword {
    type Err = Invalid;

    fn from_str(raw: &str) -> Result<Self, Invalid> {
        if raw.chars().any(char::is_control) {
            return Err(Invalid::because("must not contain control characters"));
        }
        let password = Password::received(raw);
        let length = password.expose().chars().count();
        if !(Password::MIN_LENGTH..=Password::MAX_LENGTH).contains(&length) {
            return Err(Invalid::because(format!(
                "must be {} to {} characters long",
                Password::MIN_LENGTH,
                Password::MAX_LENGTH
            )));
        }
        Ok(Self(password))
    }
}

/// A password hash as a PHC string (`$argon2id$v=19$m=19456,t=2,p=1$…$…`): all that is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A PHC string that the hasher made or the database kept.
    #[must_use]
    pub fn from_phc(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string.
    #[must_use]
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn john() -> PersonalWords {
        PersonalWords::about("john_doe@aidocumines.com", Some("john_doe"), "John Doe", "AI DocuMines User")
    }

    #[test]
    fn the_seeds_own_passwords_are_taken() {
        for seed in ["SecurePass#456", "NewSecurePass#789"] {
            let password: NewPassword = seed.parse().expect("8 to 128 characters");
            assert_eq!(password.as_password().check_strength(&john()), Ok(()), "{seed}");
        }
    }

    #[test]
    fn common_and_personal_passwords_are_refused_with_a_reason() {
        for weak in ["iloveyou", "12345678", "qwertyuiop", "Passw0rd!", "john_doe@aidocumines.com", "aidocumines2025"] {
            let refusal = Password::received(weak).check_strength(&john()).expect_err(weak).to_string();
            assert!(refusal.starts_with("is too weak: "), "{refusal}");
            assert!(!refusal.contains(weak), "{refusal}");
        }
    }

    #[test]
    fn a_password_contains_no_name_of_its_owner_however_long_it_is_and_in_whatever_case() {
        let padding = "umbrella quartz lantern 71 copper heron drift 82 ";
        let names = ["John_Doe@AIdocumines.com", "JOHNNY", "j.doe", "Ὀδυσσεύς"];
        let odysseus = PersonalWords::about("johnny@aidocumines.com", Some("J.Doe"), "Ὀδυσσεύς", "Ithaca");
        for (name, personal) in names.into_iter().zip([&john(), &odysseus, &odysseus, &odysseus]) {
            for name in [name.to_owned(), name.to_uppercase(), name.to_lowercase()] {
                for password in
                    [format!("{name}{padding}"), format!("{padding}{name}"), format!("{padding}{name}!{padding}")]
                {
                    let refusal = Password::received(&password).check_strength(personal).expect_err(&password);
                    assert!(refusal.to_string().starts_with("is too weak: it contains "), "{refusal}");
                    assert!(!refusal.to_string().contains(&name), "{refusal}");
                }
            }
        }
        // Three letters are in many words, and an organisation's name is no name of a person.
        let ann = PersonalWords::about("ann@example.com", Some("ann"), "Ann", "Copper");
        assert_eq!(Password::received(&format!("{padding}annals")).check_strength(&ann), Ok(()));
    }

    #[test]
    fn the_services_own_name_makes_no_password_strong() {
        let somebody = PersonalWords::about("thandi@example.com", None, "Thandi Nkosi", "Nkosi Surveys");
        for weak in ["aidocumines", "AIDocuMines1", "documines2026", "D0cumines!", "ai documines"] {
            assert!(Password::received(weak).check_strength(&somebody).is_err(), "{weak}");
        }
    }

    #[test]
    fn a_password_takes_no_more_room_than_it_has() {
        for raw in ["umbrella-quartz-71", "\u{fb01}\u{fdfa}\u{1f600}", "e\u{301}".repeat(64).as_str(), ""] {
            let password = normalised(raw);
            assert_eq!(password, raw.nfkc().collect::<String>());
            assert_eq!(password.capacity(), password.len());
        }
    }

    proptest! {
        #[test]
        fn no_pattern_breaks_the_estimate(password in "[12qwe]{8,128}|(12){4,64}|(4@8\\(\\{\\[){2,20}") {
            let _ = Password::received(&password).check_strength(&john());
        }

        #[test]
        fn what_is_taken_is_neither_short_nor_long_and_the_same_when_typed_again(
            raw in "\\PC{0,140}|[\\x00-\\x1fa-z]{8,12}",
        ) {
            if let Ok(taken) = raw.parse::<NewPassword>() {
                let kept = taken.as_password().expose().to_owned();
                prop_assert!((Password::MIN_LENGTH..=Password::MAX_LENGTH).contains(&kept.chars().count()));
                for typed in [&raw, &kept] {
                    let again = Password::received(typed);
                    prop_assert_eq!(again.expose(), &kept);
                }
                prop_assert!(!raw.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn length_is_counted_in_code_points_after_normalisation() {
        assert!("ö".repeat(8).parse::<NewPassword>().is_ok());
        assert!("ö".repeat(128).parse::<NewPassword>().is_ok());
        assert!("ö".repeat(129).parse::<NewPassword>().is_err());
        assert!("1234567".parse::<NewPassword>().is_err());
        // o + combining diaeresis is one code point after NFKC, so seven of them are too short.
        assert!("o\u{308}".repeat(7).parse::<NewPassword>().is_err());
    }

    #[test]
    fn spaces_are_kept_and_forms_agree() {
        assert_eq!(Password::received("  two  words ").expose(), "  two  words ");
        assert_eq!(Password::received("o\u{308}").expose(), Password::received("ö").expose());
    }

    #[test]
    fn debug_output_shows_nothing() {
        let password: NewPassword = "correct horse battery".parse().expect("long enough");
        assert_eq!(format!("{password:?}"), "NewPassword(Password(…))");
    }
}
