//! Settings: one struct that is the flags, the environment and `--help` at once. Nothing else reads the environment.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::Resettable;
use clap::{Arg, Args, ValueEnum};
use lettre::message::Mailbox;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::kernel::host::AllowedHost;
use crate::kernel::origin::TrustedNetwork;
use crate::kernel::page_origin::PageOrigin;
use crate::kernel::public_url::PublicUrl;

mod address;
mod list;
mod parse;
mod postgres;
mod reset_token;

pub use list::List;
pub use postgres::PostgresSettings;
pub use reset_token::ResetTokenShown;

/// What the server can be told. Every flag has a variable; a flag wins over its variable.
#[derive(Args, Clone, Debug)]
#[command(next_line_help = true)]
pub struct Settings {
    /// Address (or name) and port to listen on
    #[arg(long, env = "DOCUMINES_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8020",
          value_parser = address::address)]
    pub listen: SocketAddr,

    /// How many connections one source may have at once, at most half of all: an IPv4 address or an IPv6 /64, but for
    /// --trusted-proxies and, where none are listed, this machine
    #[arg(long, env = "DOCUMINES_CONNECTIONS_PER_SOURCE", value_name = "COUNT", default_value_t = 2_500,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections_per_source: u32,

    /// Folder for the database, the secret key and unsent mail; made (0700) if it is missing
    #[arg(long, env = "DOCUMINES_DATA_DIR", value_name = "FOLDER", default_value = "data")]
    pub data_dir: PathBuf,

    /// Database; by default the SQLite file auth.db in --data-dir, made if it is missing; postgres://… for several nodes
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true, value_parser = parse::secret)]
    pub database_url: Option<SecretString>,

    /// File that holds the database's URL, instead of --database-url
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE", conflicts_with = "database_url")]
    pub database_url_file: Option<PathBuf>,

    /// On PostgreSQL.
    #[command(flatten)]
    pub postgres: PostgresSettings,

    /// Where people reach this server: the start of every link in mail and of every problem's `type`. It may have a path,
    /// which a proxy in front takes off
    #[arg(long, env = "DOCUMINES_PUBLIC_URL", value_name = "URL", default_value = "http://localhost:8020")]
    pub public_url: PublicUrl,

    /// Further hosts that requests may name, separated by commas, beside localhost, IP addresses and the host of
    /// --public-url; * for any. By default none while --listen is a loopback address, else any
    #[arg(long, env = "DOCUMINES_ALLOWED_HOSTS", value_name = "HOSTS")]
    pub allowed_hosts: Vec<List<AllowedHost>>,

    /// Mail server: smtps://user:password@host (TLS), smtp://user:password@host (STARTTLS; on loopback where it is
    /// offered); by default mail is written to files in --data-dir
    #[arg(long, env = "DOCUMINES_SMTP_URL", value_name = "URL", hide_env_values = true, value_parser = parse::secret)]
    pub smtp_url: Option<SecretString>,

    /// File that holds the mail server's URL, instead of --smtp-url
    #[arg(long, env = "DOCUMINES_SMTP_URL_FILE", value_name = "FILE", conflicts_with = "smtp_url")]
    pub smtp_url_file: Option<PathBuf>,

    /// File of certificates (PEM) to trust beside the public ones, for a mail server with a certificate of its own
    #[arg(long, env = "DOCUMINES_SMTP_CA_FILE", value_name = "FILE")]
    pub smtp_ca_file: Option<PathBuf>,

    /// How long connecting to the mail server may take, and then handing it a mail; whether it took the mail it may say
    /// within ten minutes
    #[arg(long, env = "DOCUMINES_SMTP_TIMEOUT", value_name = "DURATION", default_value = "30s",
          value_parser = parse::smtp_timeout)]
    pub smtp_timeout: Duration,

    /// Whom mail comes from: an address, or a name and `<address>`; needed with --smtp-url, else no-reply at the domain
    /// of --public-url
    #[arg(long, env = "DOCUMINES_MAIL_FROM", value_name = "MAILBOX", value_parser = parse::mailbox)]
    pub mail_from: Option<Mailbox>,

    /// Key that seals what must be read back: 32 bytes in base64; by default made once into secret.key in
    /// --data-dir. Of several, with commas between, the first seals and all open
    #[arg(long, env = "DOCUMINES_SECRET_KEY", value_name = "KEY", hide_env_values = true, value_parser = parse::secret)]
    pub secret_key: Option<SecretString>,

    /// File that holds the secret key, instead of --secret-key
    #[arg(long, env = "DOCUMINES_SECRET_KEY_FILE", value_name = "FILE", conflicts_with = "secret_key")]
    pub secret_key_file: Option<PathBuf>,

    /// Whether the answer to a reset request carries the token; auto: only while mail goes to files, --listen and
    /// --public-url are loopback, and there are no --trusted-proxies; and then only to a caller on this machine without
    /// a proxy
    #[arg(long, env = "DOCUMINES_RESET_TOKEN_IN_RESPONSE", value_name = "WHEN", default_value = "auto")]
    pub reset_token_in_response: When,

    /// How long an access token is good for
    #[arg(long, env = "DOCUMINES_ACCESS_TOKEN_TTL", value_name = "DURATION", default_value = "24h",
          value_parser = parse::ttl)]
    pub access_token_ttl: Duration,

    /// How long a session is good for, however often its tokens are refreshed
    #[arg(long, env = "DOCUMINES_REFRESH_TOKEN_TTL", value_name = "DURATION", default_value = "30d",
          value_parser = parse::ttl)]
    pub refresh_token_ttl: Duration,

    /// How many sessions one account may have at once; another login ends the one that was unused for longest
    #[arg(long, env = "DOCUMINES_SESSIONS_PER_ACCOUNT", value_name = "COUNT", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub sessions_per_account: u32,

    /// How long a password reset token is good for
    #[arg(long, env = "DOCUMINES_RESET_TOKEN_TTL", value_name = "DURATION", default_value = "1h",
          value_parser = parse::ttl)]
    pub reset_token_ttl: Duration,

    /// How long a token that verifies an e-mail address is good for
    #[arg(long, env = "DOCUMINES_EMAIL_TOKEN_TTL", value_name = "DURATION", default_value = "24h",
          value_parser = parse::ttl)]
    pub email_token_ttl: Duration,

    /// Whether an account can log in only once its e-mail address was verified
    #[arg(long, env = "DOCUMINES_LOGIN_REQUIRES_VERIFIED_EMAIL", value_name = "SWITCH", default_value = "off")]
    pub login_requires_verified_email: Switch,

    /// Memory of one password hash, in KiB
    #[arg(long, env = "DOCUMINES_ARGON2_MEMORY_KIB", value_name = "KIB", default_value_t = 19_456,
          value_parser = clap::value_parser!(u32).range(8..=4_194_304))]
    pub argon2_memory_kib: u32,

    /// Passes over that memory
    #[arg(long, env = "DOCUMINES_ARGON2_ITERATIONS", value_name = "COUNT", default_value_t = 2,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub argon2_iterations: u32,

    /// Lanes of that memory
    #[arg(long, env = "DOCUMINES_ARGON2_PARALLELISM", value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=64))]
    pub argon2_parallelism: u32,

    /// Whether guessing is slowed down and sign-ups and mails have limits; off for load tests alone
    #[arg(long, env = "DOCUMINES_RATE_LIMITS", value_name = "SWITCH", default_value = "on")]
    pub rate_limits: Switch,

    /// Networks of the proxies in front, in CIDR notation, separated by commas: from these alone is X-Forwarded-For
    /// believed, and the rightmost hop that is not one of them is where a call comes from; none by default
    #[arg(long, env = "DOCUMINES_TRUSTED_PROXIES", value_name = "NETWORKS")]
    pub trusted_proxies: Vec<List<TrustedNetwork>>,

    /// How long what happened is kept on the record
    #[arg(long, env = "DOCUMINES_AUDIT_RETENTION", value_name = "DURATION", default_value = "400d",
          value_parser = parse::ttl)]
    pub audit_retention: Duration,

    /// Origins whose pages may call the API from a browser, separated by commas: each with its scheme (https, http,
    /// capacitor, tauri and the like) and host, without a wildcard; none by default
    #[arg(long, env = "DOCUMINES_CORS_ORIGINS", value_name = "ORIGINS")]
    pub cors_origins: Vec<List<PageOrigin>>,

    /// Second address, which serves /metrics for Prometheus; off by default
    #[arg(long, env = "DOCUMINES_METRICS_LISTEN", value_name = "ADDRESS", value_parser = address::address)]
    pub metrics_listen: Option<SocketAddr>,

    /// How long a connection may rest between two requests: longer than proxies in front keep theirs. The head of a
    /// request that has begun has ten seconds
    #[arg(long, env = "DOCUMINES_IDLE_TIMEOUT", value_name = "DURATION", default_value = "120s",
          value_parser = parse::idle_timeout)]
    pub idle_timeout: Duration,

    /// Form of the log lines; their level is set by RUST_LOG
    #[arg(long, env = "DOCUMINES_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// What is logged: a level, or levels by target; a line for each answered request is the target access at level
    /// info, off by default
    #[arg(
        long,
        env = "RUST_LOG",
        value_name = "FILTER",
        default_value = "info,access=off,poem=warn,sea_orm_migration=warn,sqlx=warn"
    )]
    pub log_filter: String,
}

/// Where a database is.
#[derive(Clone, Debug)]
pub enum Location {
    /// An SQLite file, made if it is missing.
    File(PathBuf),
    /// What a URL says; it may hold a password.
    Url(SecretString),
}

/// When something that has a price is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Where it does no harm.
    Auto,
    /// In every case.
    Always,
    /// In none.
    Never,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It is.
    #[value(aliases = ["true", "yes", "1"])]
    On,
    /// It is not.
    #[value(aliases = ["false", "no", "0"])]
    Off,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// A setting that cannot be: its flag, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{flag}: {reason}")]
pub struct BadSetting {
    flag: &'static str,
    reason: String,
}

impl BadSetting {
    /// `flag` can not be followed because of `reason`.
    pub fn new(flag: &'static str, reason: impl ToString) -> Self {
        Self { flag, reason: reason.to_string() }
    }
}

impl Settings {
    /// Where the database is.
    ///
    /// # Errors
    /// Where the file that should say so cannot be read.
    pub fn database(&self) -> Result<Location, BadSetting> {
        if let Some(file) = &self.database_url_file {
            return read_secret("--database-url-file", file).map(Location::Url);
        }
        let default = || Location::File(self.data_dir.join("auth.db"));
        Ok(self.database_url.clone().map_or_else(default, Location::Url))
    }

    /// The key that the operator gave, if they gave one.
    ///
    /// # Errors
    /// Where the file that should hold it cannot be read.
    pub fn given_secret_key(&self) -> Result<Option<SecretString>, BadSetting> {
        match &self.secret_key_file {
            Some(file) => read_secret("--secret-key-file", file).map(Some),
            None => Ok(self.secret_key.clone()),
        }
    }

    /// The mail server's URL, which may hold a password; `None` where mail becomes files.
    ///
    /// # Errors
    /// Where the file that should hold it cannot be read.
    pub fn smtp_url(&self) -> Result<Option<SecretString>, BadSetting> {
        match &self.smtp_url_file {
            Some(file) => read_secret("--smtp-url-file", file).map(Some),
            None => Ok(self.smtp_url.clone()),
        }
    }

    /// The key that there is: the given one, or the one that the first start made. Makes none.
    ///
    /// # Errors
    /// Where the file that should hold it cannot be read.
    pub fn kept_secret_key(&self) -> Result<SecretString, BadSetting> {
        let kept = || read_secret("--data-dir", &self.data_dir.join("secret.key"));
        self.given_secret_key()?.map_or_else(kept, Ok)
    }
}

/// An argument as people use it: words (`on`, `json`) in whatever case, and a variable that is set to nothing as if it
/// were not set, which files for `docker compose` and the like do to leave it unset.
#[must_use]
pub fn forgiving(argument: Arg) -> Arg {
    let is_empty = argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    // clap wants to hear it of nothing that has no value.
    let has_value = argument.get_action().takes_values();
    let argument = argument.ignore_case(has_value);
    if is_empty { argument.env(Resettable::Reset) } else { argument }
}

/// What some editors and shells put before a text to say that it is UTF-8 (Unicode, section 23.8).
pub(crate) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The content of a file that holds a secret, without the blanks around it.
pub(crate) fn read_secret(flag: &'static str, file: &Path) -> Result<SecretString, BadSetting> {
    let content = std::fs::read_to_string(file).map(Zeroizing::new).map_err(|error| {
        let reason = match error.kind() {
            ErrorKind::InvalidData => "it is no text in UTF-8".to_owned(),
            _ => error.to_string(),
        };
        BadSetting::new(flag, format!("cannot read {}: {reason}", file.display()))
    })?;
    let secret = SecretString::from(content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&content).trim());
    if secret.expose_secret().is_empty() {
        return Err(BadSetting::new(flag, format!("{} is empty", file.display())));
    }
    Ok(secret)
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        settings: Settings,
    }

    pub(crate) fn settings(flags: &[&str]) -> Settings {
        Cli::try_parse_from([&["documines-auth"], flags].concat()).unwrap().settings
    }

    #[test]
    fn secrets_do_not_show_in_debug_output_or_in_help() {
        let settings = settings(&[
            "--secret-key=hunter2hunter2",
            "--database-url=postgres://u:hunter3@h/d",
            "--smtp-url=smtp://u:hunter4@h",
        ]);
        let debug = format!("{settings:?}");
        assert!(debug.contains("smtp_timeout") && !debug.contains("hunter"), "{debug}");
    }

    #[test]
    fn a_secret_can_come_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "c2VjcmV0\n").unwrap();
        let settings = settings(&["--secret-key-file", file.to_str().unwrap()]);
        assert_eq!(settings.given_secret_key().unwrap().unwrap().expose_secret(), "c2VjcmV0");
    }

    #[test]
    fn bad_values_are_refused_by_name() {
        for (flag, value) in [
            ("--public-url", "localhost"),
            ("--public-url", "ftp://example.com"),
            ("--access-token-ttl", "0s"),
            ("--access-token-ttl", "soon"),
            ("--audit-retention", "for ever"),
            ("--cors-origins", "https://example.com/path"),
            ("--listen", "8020"),
            ("--allowed-hosts", "*.example.com"),
            ("--trusted-proxies", "10.0.0.0/33"),
            ("--rate-limits", "some"),
            ("--log-format", "xml"),
            ("--mail-from", "nobody"),
            ("--mail-from", "AI DocuMines\n<a@example.com>"),
            ("--smtp-timeout", "0s"),
        ] {
            let refusal = Cli::try_parse_from(["documines-auth", flag, value]).err().expect(value).to_string();
            assert!(refusal.contains(flag), "{refusal}");
        }
    }
}
