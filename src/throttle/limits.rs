//! Every limit, with its reason.
//!
//! A source is an address, and behind one address there may be an office, a school, a mobile network: limits by source
//! are wide, and where a source is known to an account its failures are none of its neighbours' business.

use std::time::Duration;

use super::guess::Guessing;
use crate::kernel::rate_limit::{Ladder, Policy};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Sign-ups by source, taken or not. A workshop of twenty may start together; each also tells whether an e-mail address
/// is taken, which is why refused ones count.
pub static SIGNUP: Policy = Policy { name: "signup", quota: 20, window: HOUR };

/// Passwords. What it says stands with [`Guessing`]; the numbers have these reasons:
///
/// - five failures cost nothing: people have that many passwords;
/// - strangers together have ten: the owner on a journey, and no more than a handful of sources of an attack;
/// - a quarter of an hour at most: 96 guesses a day at worst, and a wait that people sit out;
/// - 100 failures in a row: NIST SP 800-63B-4, section 3.2.2. Strangers cannot use up the last ten, so that they close
///   the account to each other and never to a source that its owner has logged in from.
pub static LOGIN: Guessing = Guessing {
    told: Policy { name: "login", quota: 5, window: DAY },
    pair: Ladder { free: 5, first: SECOND, longest: Duration::from_secs(15 * 60), memory: DAY },
    strangers: Ladder { free: 10, first: SECOND, longest: Duration::from_secs(15 * 60), memory: DAY },
    source: Policy { name: "login-source", quota: 100, window: HOUR },
    most_in_a_row: 100,
    kept_for_the_known: 10,
    memory: Duration::from_secs(90 * 24 * 60 * 60),
};

/// Refresh tokens that open nothing, by source. There is nothing to guess in 178 random bits; this ends the noise. An
/// application that kept many old tokens has as many failures.
pub static REFRESH_FAILURES: Policy = Policy { name: "refresh-failures", quota: 100, window: HOUR };

/// Client secrets that are wrong, by client and source, so that one broken script stops no other client.
pub static CLIENT_FAILURES: Policy = Policy { name: "client-failures", quota: 20, window: HOUR };

/// Requests for a reset by source: an office where everybody came back from holiday.
pub static RESET_REQUEST: Policy = Policy { name: "reset-request", quota: 20, window: HOUR };

/// Requests for a reset by e-mail address, so that nobody's mailbox is flooded. Past it the answer is the same and no
/// mail goes out; the last one that did stays good.
pub static RESET_MAIL: Policy = Policy { name: "reset-mail", quota: 3, window: HOUR };

/// Resets by source, whether or not they succeed: each costs a hash, and a token has 122 random bits.
pub static RESET: Policy = Policy { name: "reset", quota: 30, window: HOUR };

/// Requests for a verification or a change of an e-mail address, by source: as many as for a reset.
pub static EMAIL_REQUEST: Policy = Policy { name: "email-request", quota: 20, window: HOUR };

/// Requests for a verification by e-mail address. Past it the answer is the same and no mail goes out; the last one that
/// did stays good.
pub static EMAIL_MAIL: Policy = Policy { name: "email-mail", quota: 3, window: HOUR };

/// Changes of the address, by the one that an account has. Those that ask are known, and told.
pub static EMAIL_CHANGE: Policy = Policy { name: "email-change", quota: 3, window: HOUR };

/// Verification mails for a change, by the address that an account wants, so that no mailbox is flooded with however many
/// accounts. Counted apart from the addresses that accounts have: a stranger who wants another's address does not use up
/// what its owner may ask for. Past it the answer is the same and no mail goes there, for it would tell that others
/// wanted the address.
pub static EMAIL_WANTED: Policy = Policy { name: "email-wanted", quota: 3, window: HOUR };

/// Notices of all kinds, by the address that they go to: more than an owner causes on a day with three new devices.
/// Mail with a token has the limits above, by address too.
pub static NOTICE: Policy = Policy { name: "notice", quota: 10, window: HOUR };

/// Mails that tell of notices that were not sent, by address.
pub static NOTICE_SUMMARY: Policy = Policy { name: "notice-summary", quota: 1, window: HOUR };

/// Verification tokens that prove nothing, by source. There is nothing to guess in 122 random bits; this ends the noise.
pub static VERIFY_FAILURES: Policy = Policy { name: "verify-failures", quota: 30, window: HOUR };

/// Logins that succeed, by account: an automatic client that logs in for each of its calls is told to keep its tokens.
/// These and the following bound what one account can make the database grow by.
pub static LOGINS: Policy = Policy { name: "logins", quota: 300, window: HOUR };

/// Refreshes that succeed, by session: twice a minute, where a token is good for hours.
pub static REFRESHES: Policy = Policy { name: "refreshes", quota: 120, window: HOUR };

/// Refreshes that succeed, by account, over all of its sessions.
pub static ACCOUNT_REFRESHES: Policy = Policy { name: "account-refreshes", quota: 600, window: HOUR };

/// Updates that change a profile, by account: a page that saves with each pause in typing.
pub static PROFILE_UPDATES: Policy = Policy { name: "profile-updates", quota: 240, window: HOUR };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_a_name_of_its_own_that_fits_into_a_header() {
        let policies = [
            &SIGNUP,
            &LOGIN.source,
            &REFRESH_FAILURES,
            &CLIENT_FAILURES,
            &RESET_REQUEST,
            &RESET_MAIL,
            &RESET,
            &EMAIL_REQUEST,
            &EMAIL_MAIL,
            &EMAIL_CHANGE,
            &EMAIL_WANTED,
            &NOTICE,
            &NOTICE_SUMMARY,
            &LOGINS,
            &REFRESHES,
            &ACCOUNT_REFRESHES,
            &PROFILE_UPDATES,
            &VERIFY_FAILURES,
        ];
        let names = policies.iter().map(|policy| policy.name).chain([LOGIN.told.name]);
        assert_eq!(names.collect::<std::collections::BTreeSet<&str>>().len(), policies.len() + 1);
        for policy in policies {
            assert!(policy.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", policy.name);
            // Retry-After is documented to be an hour at most.
            assert!(policy.quota > 0 && policy.window / policy.quota <= HOUR, "{}", policy.name);
        }
    }

    #[test]
    fn strangers_take_most_of_a_day_to_close_an_account_to_each_other() {
        let failures = 0..LOGIN.most_in_a_row - LOGIN.kept_for_the_known;
        let closing: Duration = failures.map(|failures| LOGIN.strangers.wait_after(failures)).sum();
        assert!(closing > 17 * HOUR, "{closing:?}");
        assert!(LOGIN.pair.longest < LOGIN.pair.memory && LOGIN.strangers.longest < LOGIN.strangers.memory);
    }
}
