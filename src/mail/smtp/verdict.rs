//! Whose fault a refusal is. The class of a code says how long it lasts, but not whom it is about: a provider says 5xx
//! where a day's quota is used up or the sender is wrong, and a mail that is given up for that is lost once it is mended.

use super::reply::Reply;

/// What was being said when the answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Whom the mail comes from.
    Sender,
    /// Whom it is for.
    Recipient,
    /// What it says: from the wish to say it to the answer to its final dot.
    Content,
}

/// What follows from a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server takes no mail of ours just now.
    TakesNone,
    /// It does not take this one now, and may later.
    Later,
    /// It never takes this one: its recipient is not there.
    Never,
}

/// Judges a refusal. In doubt a mail is tried again: that costs a day of tries, and giving it up costs the mail.
pub(super) fn judge(stage: Stage, reply: &Reply) -> Verdict {
    // 421: the server closes. The sender is the same in each mail of ours.
    if stage == Stage::Sender || reply.code == 421 {
        return Verdict::TakesNone;
    }
    let is_final = (500..600).contains(&reply.code) && is_about_the_recipient(stage, reply);
    if is_final { Verdict::Never } else { Verdict::Later }
}

/// By the enhanced code (RFC 3463) where it tells, else by code and stage.
fn is_about_the_recipient(stage: Stage, reply: &Reply) -> bool {
    match reply.enhanced() {
        // "Later", whatever class the code has.
        Some((4, ..)) => false,
        // The sender's address is malformed, or its domain is not there.
        Some((5, 1, 7 | 8)) => false,
        Some((5, 1, _)) => true,
        // A mailbox that is full is not so for good.
        Some((5, 2, 2)) => false,
        // A mailbox that is closed, a mail that is too large for it or for the server, a form that it does not take.
        Some((5, 2, _) | (5, 3, 4) | (5, 6, _)) => true,
        // A limit of ours; the state of the server; policy: quota, login, who may send as whom and through whom.
        Some((5, 4, 5) | (5, 3 | 7, _)) => false,
        // Servers say much by the others (5.0.0, 5.4.1, 5.5.0), as by none.
        _ => stage == Stage::Recipient && matches!(reply.code, 550 | 551) && !names_us(&reply.text()),
    }
}

/// Whether a text without a code that tells speaks of who sends, as that of Exim and qmail does.
fn names_us(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["relay", "sender", "authentic"].iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_us_is_tried_again_and_what_is_about_the_recipient_is_not() {
        use Stage::{Content, Recipient, Sender};
        use Verdict::{Later, Never, TakesNone};
        for (stage, answer, expected) in [
            (Sender, "550 5.7.60 Client does not have permissions to send as this sender", TakesNone),
            (Sender, "501 5.1.7 Bad sender address syntax", TakesNone),
            (Sender, "530 5.7.0 Must issue a STARTTLS command first", TakesNone),
            (Sender, "550 5.4.5 Daily user sending limit exceeded", TakesNone),
            (Sender, "552 5.2.2 quota", TakesNone),
            (Sender, "451 4.3.0 later", TakesNone),
            (Recipient, "421 4.3.2 shutting down", TakesNone),
            (Recipient, "550 5.1.1 no such user", Never),
            (Recipient, "550 5.1.10 null MX", Never),
            (Recipient, "554 5.1.2 bad destination system", Never),
            (Recipient, "550 no such user", Never),
            (Recipient, "551 user not local", Never),
            (Recipient, "550 5.4.1 Recipient address rejected: Access denied", Never),
            (Recipient, "550 5.5.0 mailbox unavailable", Never),
            (Recipient, "550 5.2.1 mailbox disabled", Never),
            (Recipient, "550 5.1.8 Sender address rejected: Domain not found", Later),
            (Recipient, "554 5.7.1 Relay access denied", Later),
            (Recipient, "553 5.7.1 Sender address rejected: not owned by user", Later),
            (Recipient, "550 5.7.1 Relaying denied", Later),
            (Recipient, "530 5.7.1 Authentication required", Later),
            (Recipient, "550 relay not permitted", Later),
            (Recipient, "553 sorry, that domain isn't in my list of allowed rcpthosts", Later),
            (Recipient, "554 policy", Later),
            (Recipient, "503 need MAIL before RCPT", Later),
            (Recipient, "552 5.2.2 mailbox full", Later),
            (Recipient, "552 mailbox full", Later),
            (Recipient, "552 4.2.2 over quota", Later),
            (Recipient, "451 4.7.1 greylisted", Later),
            (Recipient, "450 5.1.1 strange", Later),
            (Content, "550 5.4.5 Daily user sending limit exceeded", Later),
            (Content, "550 daily limit", Later),
            (Content, "554 5.7.1 rejected as spam", Later),
            (Content, "535 5.7.8 credentials expired", Later),
            (Content, "552 5.3.1 system full", Later),
            (Content, "552 5.3.4 too large", Never),
            (Content, "554 5.6.0 malformed", Never),
            (Content, "550 5.1.1 no such user", Never),
        ] {
            let (code, text) = answer.split_once(' ').unwrap();
            let reply = Reply { code: code.parse().unwrap(), lines: vec![text.to_owned()] };
            assert_eq!(judge(stage, &reply), expected, "{stage:?}: {answer}");
        }
    }
}
