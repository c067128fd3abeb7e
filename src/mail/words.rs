//! What the mails say, in one place. Each is written once, for text and HTML alike; links lead to `--public-url` alone.

use super::{Mail, SecondFactorChange};
use crate::kernel::clock::Timestamp;
use crate::kernel::email_address::EmailAddress;
use crate::store::claims;

/// What a reader without a client does at a reset: the end of a sentence.
const NEW_CLIENT: &str = "send \"new_client\": true along with the token and the new password. The answer then has a client id \
                          and a client secret of your own, which log you in.";

/// A mail, part by part, from top to bottom.
pub(super) struct Words {
    pub(super) subject: &'static str,
    pub(super) paragraphs: Vec<String>,
    /// To be copied.
    pub(super) token: Option<String>,
    /// Names and values.
    pub(super) facts: Vec<(&'static str, String)>,
    /// What to do if it is not what the reader wanted.
    pub(super) closing: String,
}

impl Words {
    pub(super) fn of(mail: &Mail<'_>) -> Self {
        match mail {
            Mail::Welcome { token, expires_at } => Self {
                subject: "Welcome to AI DocuMines",
                paragraphs: vec![
                    "Your AI DocuMines account is ready. This e-mail address is what you log in with.".into(),
                    "Confirm with this token that the address is yours:".into(),
                ],
                token: Some(token.expose().to_owned()),
                facts: Vec::new(),
                closing: format!(
                    "It works once, until {}. If you did not sign up, somebody else used your address. You can ignore this \
                     message: where nobody confirms the address or logs in, the account is removed after {} days. Or take \
                     the account over by resetting its password: ask for a reset of this address, for which you need \
                     nothing but this mailbox, and {NEW_CLIENT}",
                    instant(*expires_at),
                    claims::LASTS.as_secs() / (24 * 60 * 60)
                ),
            },
            Mail::VerifyEmail { token, expires_at } => Self {
                subject: "Confirm your e-mail address",
                paragraphs: vec![
                    "Somebody gave this as the e-mail address of an AI DocuMines account. If it was you, confirm it with \
                     this token:"
                        .into(),
                ],
                token: Some(token.expose().to_owned()),
                facts: Vec::new(),
                closing: format!(
                    "It works once, until {}. If it was not you, ignore this message: nothing is confirmed.",
                    instant(*expires_at)
                ),
            },
            Mail::PasswordReset { token, expires_at } => Self {
                subject: "Reset your AI DocuMines password",
                paragraphs: vec![
                    "Somebody asked to set a new password for your AI DocuMines account. If it was you, use this token:"
                        .into(),
                ],
                token: Some(token.expose().to_owned()),
                facts: Vec::new(),
                closing: format!(
                    "It works once, until {}. If you have no client id and client secret of this account, {NEW_CLIENT} If \
                     it was not you, ignore this message: your password stays as it is.",
                    instant(*expires_at)
                ),
            },
            Mail::PasswordChanged { at, has_new_client } => Self {
                subject: "Your AI DocuMines password was changed",
                paragraphs: vec![format!(
                    "The password of your AI DocuMines account was changed on {}, and every device was logged out.{}",
                    instant(*at),
                    if *has_new_client { " A new client (client id and client secret) was issued with it." } else { "" }
                )],
                token: None,
                facts: Vec::new(),
                closing: "If it was not you, reset your password now, and change that of your mailbox: somebody may be \
                          reading your mail."
                    .into(),
            },
            Mail::NewDevice { at, source, device } => Self {
                subject: "New login to your AI DocuMines account",
                paragraphs: vec![
                    "Somebody logged in to your AI DocuMines account from where nobody had logged in of late.".into(),
                ],
                token: None,
                facts: vec![
                    ("Time", instant(*at)),
                    ("Address", (*source).to_owned()),
                    ("Device", device.to_string()),
                ],
                closing: "If it was you, there is nothing to do. If it was not, reset your password now: that logs every \
                          device out."
                    .into(),
            },
            Mail::MoreHappened { at } => Self {
                subject: "More happened to your AI DocuMines account",
                paragraphs: vec![format!(
                    "More happened to your AI DocuMines account within an hour than we send a message each for. Since {} \
                     some messages about it have not been sent. The list of your account's activity has everything.",
                    instant(*at)
                )],
                token: None,
                facts: Vec::new(),
                closing: "If it was not you, reset your password now: that logs every device out.".into(),
            },
            Mail::SessionEnded { at } => Self {
                subject: "A device was logged out of your AI DocuMines account",
                paragraphs: vec![format!(
                    "On {} a device was logged out of your AI DocuMines account, because the token that keeps it logged in \
                     was used from two places. Somebody may have copied it.",
                    instant(*at)
                )],
                token: None,
                facts: Vec::new(),
                closing: "If you can think of no reason for that, reset your password now: that logs every device out."
                    .into(),
            },
            Mail::SecondFactorChanged { at, change } => Self {
                subject: "Your AI DocuMines two-step login was changed",
                paragraphs: vec![format!(
                    "{} This was done on {}.",
                    match change {
                        SecondFactorChange::Added =>
                            "Your AI DocuMines account asks for a second factor at login from now on.",
                        SecondFactorChange::Removed =>
                            "Your AI DocuMines account does not ask for a second factor at login any more.",
                        SecondFactorChange::RecoveryCodesRenewed =>
                            "Your AI DocuMines account has new recovery codes; the old ones do not work any more.",
                    },
                    instant(*at)
                )],
                token: None,
                facts: Vec::new(),
                closing: "If it was not you, reset your password now: that logs every device out.".into(),
            },
            Mail::EmailChangeRequested { at, to } => Self {
                subject: "Your AI DocuMines e-mail address is to change",
                paragraphs: vec![format!(
                    "On {} somebody who knows your password asked to change the e-mail address of your AI DocuMines \
                     account to {}. It changes as soon as the new address is confirmed.",
                    instant(*at),
                    hint(to)
                )],
                token: None,
                facts: Vec::new(),
                closing: "If it was not you, reset your password now: that stops the change and logs every device out."
                    .into(),
            },
            Mail::EmailChanged { at, to } => Self {
                subject: "Your AI DocuMines e-mail address was changed",
                paragraphs: vec![format!(
                    "The e-mail address of your AI DocuMines account was changed to {} on {}. It is what you log in with \
                     now, and where our mail goes.",
                    hint(to),
                    instant(*at)
                )],
                token: None,
                facts: Vec::new(),
                closing: "If it was not you, tell whoever runs this service at once: a password reset goes to the new \
                          address."
                    .into(),
            },
        }
    }
}

fn instant(at: Timestamp) -> String {
    format!("{} UTC", at.to_seconds_with_space())
}

/// Enough of an address for its owner to know it by: `t…@example.com`.
fn hint(address: &EmailAddress) -> String {
    let (local, domain) = address.as_str().split_once('@').unwrap_or_default();
    format!("{}…@{domain}", local.chars().next().unwrap_or_default())
}
