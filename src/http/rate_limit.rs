//! What answers tell of limits: the fields of the IETF draft draft-ietf-httpapi-ratelimit-headers-10.

use poem::http::{HeaderName, HeaderValue};

use crate::kernel::rate_limit::Standing;

/// Every policy that the call met: its name, its quota `q`, and its window `w` in seconds.
pub(super) const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of each: `r`, and where nothing is, the seconds `t` until another try makes sense.
pub(super) const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The two fields; lists of items with parameters (RFC 9651).
pub(super) fn fields(standings: &[Standing]) -> [(HeaderName, HeaderValue); 2] {
    let list = |item: fn(&Standing) -> String| {
        let items: Vec<String> = standings.iter().map(item).collect();
        HeaderValue::try_from(items.join(", ")).expect("names and numbers are a header value")
    };
    let policy = |standing: &Standing| {
        let policy = standing.policy;
        format!("\"{}\";q={};w={}", policy.name, policy.quota, policy.window.as_secs())
    };
    let left = |standing: &Standing| match standing.wait_seconds() {
        0 => format!("\"{}\";r={}", standing.policy.name, standing.remaining),
        wait => format!("\"{}\";r={};t={wait}", standing.policy.name, standing.remaining),
    };
    [(RATELIMIT_POLICY, list(policy)), (RATELIMIT, list(left))]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::throttle::limits::{LOGIN, SIGNUP};

    #[test]
    fn the_fields_have_the_drafts_form() {
        let standings = [
            Standing { policy: &SIGNUP, remaining: 7, wait: Duration::ZERO },
            Standing::exhausted(&LOGIN.told, Duration::from_millis(1_001)),
        ];
        let [(_, policy), (_, left)] = fields(&standings);
        assert_eq!(policy, r#""signup";q=20;w=3600, "login";q=5;w=86400"#);
        assert_eq!(left, r#""signup";r=7, "login";r=0;t=2"#);
    }
}
