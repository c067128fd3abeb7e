//! The seed's walk against a running server: a smoke test for operators.
//!
//! Sign-up, login, profile, update, password reset, login, refresh: each call is printed with its answer, and the answer
//! is held to what is documented: status, members and their order, values or their form.

mod expect;
mod steps;

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Map, Value};
use ureq::Agent;
use ureq::http::Request;

use crate::http::spec::BASE_PATH;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::public_url::PublicUrl;
use expect::Expected;

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// What stands for a secret on the screen.
const MASK: &str = "…";
/// How much of an answer is shown that is no JSON.
const LONGEST_ANSWER: usize = 2_000;

/// What the walk can be told.
#[derive(clap::Args, Clone, Debug)]
pub struct WalkArgs {
    /// Where the server is
    #[arg(long, value_name = "URL", default_value = "http://localhost:8020")]
    pub url: PublicUrl,

    /// Mailbox for what the server mails; each walk signs up a new account, at `name+random@…`
    #[arg(long, value_name = "ADDRESS", default_value = "john_doe@aidocumines.com")]
    pub email: EmailAddress,

    /// Show passwords, client secrets and tokens too, instead of `…`
    #[arg(long)]
    pub show_secrets: bool,
}

/// Why a walk did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// An answer is another than the documented one.
    #[error("{step}: {differences}")]
    Differs {
        /// The step, as its heading says.
        step: &'static str,
        /// What differs, member by member.
        differences: String,
    },
    /// The server could not be reached, or did not answer in HTTP.
    #[error("{step}: no answer: {reason}")]
    NoAnswer {
        /// The step, as its heading says.
        step: &'static str,
        /// What the network says.
        reason: String,
    },
    /// What is found cannot be printed.
    #[error("cannot print: {0}")]
    Io(#[from] io::Error),
}

/// Walks through the server at `--url`, and prints each call and answer to `out`.
///
/// # Errors
/// At the first call that gets no answer, or another than the documented one.
pub fn walk(
    arguments: &WalkArgs,
    random: &crate::kernel::random::Random,
    out: &mut dyn Write,
) -> Result<(), WalkError> {
    let config = Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).max_redirects(0);
    let walker = Walker {
        agent: config.build().into(),
        base: format!("{}{BASE_PATH}", arguments.url),
        shows_secrets: arguments.show_secrets,
        out,
    };
    steps::walk(walker, &arguments.email, &random.letters_and_digits(8).to_lowercase())
}

/// One call of the walk.
struct Call<'a> {
    step: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'a [(&'static str, &'a str)],
    body: Option<Value>,
}

struct Walker<'a> {
    agent: Agent,
    base: String,
    shows_secrets: bool,
    out: &'a mut dyn Write,
}

impl Walker<'_> {
    /// Calls, prints call and answer, and gives the answer where it is as expected.
    fn call(&mut self, call: Call<'_>, expected: &Expected) -> Result<Value, WalkError> {
        self.print_call(&call)?;
        let step = call.step;
        let (status, text) =
            self.send(&call).map_err(|error| WalkError::NoAnswer { step, reason: error.to_string() })?;
        let answer: Result<Value, _> = serde_json::from_str(&text);
        let shown = match &answer {
            Ok(answer) => self.masked(answer).to_string(),
            Err(_) => text.chars().take(LONGEST_ANSWER).collect(),
        };
        writeln!(self.out, "\n{status}\n{shown}\n")?;
        let differences = expected.differences(status, answer.as_ref().ok());
        if differences.is_empty() {
            return Ok(answer.unwrap_or_default());
        }
        Err(WalkError::Differs { step, differences: differences.join("; ") })
    }

    fn send(&self, call: &Call<'_>) -> Result<(u16, String), ureq::Error> {
        let mut request = Request::builder().method(call.method).uri(format!("{}{}", self.base, call.path));
        for (name, value) in headers(call) {
            request = request.header(name, value);
        }
        let mut response = match &call.body {
            Some(body) => self.agent.run(request.body(body.to_string())?)?,
            None => self.agent.run(request.body(())?)?,
        };
        Ok((response.status().as_u16(), response.body_mut().read_to_string()?))
    }

    fn print_call(&mut self, call: &Call<'_>) -> io::Result<()> {
        writeln!(self.out, "#### {}\n", call.step)?;
        write!(self.out, "curl -X '{}' \\\n  '{}{}'", call.method, self.base, call.path)?;
        for (name, value) in headers(call) {
            let value = match (self.shows_secrets, name) {
                (false, "X-Client-Secret") => MASK.to_owned(),
                (false, "Authorization") => format!("Bearer {MASK}"),
                _ => value.to_owned(),
            };
            write!(self.out, " \\\n  -H '{name}: {value}'")?;
        }
        if let Some(body) = &call.body {
            write!(self.out, " \\\n  -d '{:#}'", self.masked(body))?;
        }
        writeln!(self.out)
    }

    /// The same with its secrets hidden, unless they shall be shown.
    fn masked(&self, value: &Value) -> Value {
        let Some(members) = value.as_object().filter(|_| !self.shows_secrets) else { return value.clone() };
        let mask = |(name, value): (&String, &Value)| {
            let value = if is_secret(name) && value.is_string() { MASK.into() } else { value.clone() };
            (name.clone(), value)
        };
        Value::Object(members.iter().map(mask).collect::<Map<_, _>>())
    }
}

fn is_secret(member: &str) -> bool {
    member != "token_type" && ["password", "secret", "token"].iter().any(|word| member.contains(word))
}

fn headers<'a>(call: &'a Call<'a>) -> impl Iterator<Item = (&'static str, &'a str)> {
    let json = call.body.as_ref().map(|_| ("Content-Type", "application/json"));
    [("accept", "application/json")].into_iter().chain(json).chain(call.headers.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_lets_somebody_in_is_a_secret() {
        for secret in ["password", "new_password", "client_secret", "access_token", "reset_token", "token"] {
            assert!(is_secret(secret), "{secret}");
        }
        assert!(!is_secret("client_id") && !is_secret("token_type"));
    }
}
