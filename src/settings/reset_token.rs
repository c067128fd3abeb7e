//! Who finds the reset token in the answer to a reset request. The seed shows it there, and on an open network that would
//! give every account away: whoever knows an e-mail address could ask for its token.

use super::{Settings, When};

/// Who finds the token in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetTokenShown {
    /// Every caller.
    ToEveryone,
    /// Callers on this machine whose request came here without a proxy.
    ToThisMachine,
    /// No caller, for this reason.
    ToNobody(&'static str),
}

impl ResetTokenShown {
    /// Whether a call is answered with the token; `is_local` where it comes from this machine without a proxy.
    #[must_use]
    pub fn is_shown(self, is_local: bool) -> bool {
        match self {
            Self::ToEveryone => true,
            Self::ToThisMachine => is_local,
            Self::ToNobody(_) => false,
        }
    }
}

impl Settings {
    /// Who finds the reset token in the answer to a reset request.
    ///
    /// That the server listens on a loopback address proves nothing by itself: a reverse proxy connects from there too.
    #[must_use]
    pub fn reset_token_shown(&self) -> ResetTokenShown {
        let obstacles = [
            (self.smtp_url.is_some() || self.smtp_url_file.is_some(), "mail goes out by --smtp-url"),
            (!self.listens_on_loopback(), "--listen is not a loopback address"),
            (!self.public_url.host().is_some_and(|host| host.is_loopback()), "--public-url is not a loopback host"),
            (self.trusted_proxies.iter().flatten().next().is_some(), "--trusted-proxies names a proxy"),
        ];
        match self.reset_token_in_response {
            When::Always => ResetTokenShown::ToEveryone,
            When::Never => ResetTokenShown::ToNobody("the setting says so"),
            When::Auto => {
                let obstacle = obstacles.into_iter().find_map(|(is_there, reason)| is_there.then_some(reason));
                obstacle.map_or(ResetTokenShown::ToThisMachine, ResetTokenShown::ToNobody)
            }
        }
    }

    /// Whether only programs on this machine can connect.
    #[must_use]
    pub fn listens_on_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }

    /// Says in the log who finds the token in the answer, and why.
    pub fn log_reset_token_shown(&self) {
        match self.reset_token_shown() {
            ResetTokenShown::ToEveryone => tracing::warn!(
                "--reset-token-in-response always: whoever knows an e-mail address can take over its account; \
                 never use this on an open network"
            ),
            ResetTokenShown::ToThisMachine => tracing::info!(
                "--reset-token-in-response auto: the answer to a reset request shows the token to callers on this \
                 machine that call without a proxy"
            ),
            ResetTokenShown::ToNobody(reason) => {
                tracing::info!(reason, "no answer shows a reset token: it goes out by mail alone");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::ResetTokenShown::{ToEveryone, ToNobody, ToThisMachine};

    #[test]
    fn the_reset_token_is_shown_on_this_machine_alone_unless_told_otherwise() {
        let local: [&[&str]; 6] = [
            &[],
            &["--listen=127.0.0.1:1"],
            &["--listen=127.9.9.9:1"],
            &["--listen=[::1]:1"],
            &["--public-url=http://127.0.0.1:9000"],
            &["--public-url=https://[::1]/accounts"],
        ];
        for flags in local {
            assert_eq!(settings(flags).reset_token_shown(), ToThisMachine, "{flags:?}");
        }
    }

    #[test]
    fn one_sign_of_other_machines_keeps_the_token_out_of_every_answer_unless_told_otherwise() {
        for flag in [
            "--listen=0.0.0.0:1",
            "--listen=192.0.2.7:1",
            "--listen=[::]:1",
            "--public-url=https://auth.example.com",
            "--public-url=http://localhost.example.com",
            "--public-url=http://192.0.2.7",
            "--trusted-proxies=127.0.0.1",
            "--smtp-url=smtp://localhost",
            "--smtp-url-file=/run/secrets/smtp",
        ] {
            assert!(matches!(settings(&[flag]).reset_token_shown(), ToNobody(_)), "{flag}");
            assert!(matches!(settings(&[flag, "--reset-token-in-response=auto"]).reset_token_shown(), ToNobody(_)));
            assert_eq!(settings(&[flag, "--reset-token-in-response=always"]).reset_token_shown(), ToEveryone);
        }
        assert!(matches!(settings(&["--reset-token-in-response=never"]).reset_token_shown(), ToNobody(_)));
    }
}
