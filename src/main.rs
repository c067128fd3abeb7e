//! The command line: `serve` (the default), `migrate`, `mail`, `key`, `audit`, `openapi`, `walk`.

use std::error::Error;
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory, Parser, Subcommand, ValueEnum};
use documines_auth::audit::commands::{VerifyArgs, export_record, verify_record};
use documines_auth::command_error::CommandError;
use documines_auth::http::spec;
use documines_auth::kernel::random::Random;
use documines_auth::logging;
use documines_auth::mail::admin as mail;
use documines_auth::output;
use documines_auth::secret_key;
use documines_auth::server;
use documines_auth::settings::{self, Settings};
use documines_auth::signals;
use documines_auth::walk::{WalkArgs, WalkError, walk};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The AI DocuMines accounts server: sign-up, login, profiles, credentials, tokens
#[derive(Parser)]
#[command(name = "documines-auth", version, subcommand_required = true)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Migrate the database, then serve until SIGTERM, SIGINT, SIGQUIT or SIGHUP (the default)
    Serve(Settings),
    /// Migrate the database and exit
    Migrate(Settings),
    /// Look after mail that does not go out; the server may run meanwhile
    #[command(subcommand)]
    Mail(MailTask),
    /// Look after the secret key
    #[command(subcommand)]
    Key(KeyTask),
    /// Print the OpenAPI document; needs neither a database nor settings
    Openapi(OpenapiArgs),
    /// Check or print the record of what happened; beside a running server
    #[command(subcommand)]
    Audit(AuditTask),
    /// Sign up, log in, reset the password, refresh: try out a running server, print each call and answer, and end with
    /// 1 where one differs from what is documented; leaves an account behind
    Walk(WalkArgs),
}

#[derive(Subcommand)]
enum AuditTask {
    /// Compare the record with its seals: prints a line for each finding, and ends with 1 where there is one
    Verify(VerifyArgs),
    /// Print every event as one JSON object a line, oldest first
    Export(Settings),
}

#[derive(Subcommand)]
enum MailTask {
    /// List the mail that waits or was given up, with its number, kind, age, tries, next try and last error
    List(Settings),
    /// Have mail that failed tried again at once, and for another day
    Retry(RetryArgs),
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["ids", "all"]))]
struct RetryArgs {
    /// Numbers of mails, as `mail list` shows them
    #[arg(value_name = "ID")]
    ids: Vec<i64>,

    /// All that was given up
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    settings: Settings,
}

#[derive(Subcommand)]
enum KeyTask {
    /// Seal everything anew with the first of the secret keys. A server that made its key itself is given a new one, and
    /// must not run meanwhile
    Rotate(Settings),
}

#[derive(Args)]
struct OpenapiArgs {
    /// The form to print it in
    #[arg(long, default_value = "json")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Yaml,
}

fn main() -> ExitCode {
    // Whatever is written from here on (database, key, mail) is for the owner's eyes alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    match run() {
        Ok(code) => code,
        Err(error) => {
            // One line that names what is wrong; the log may not be there yet.
            let line = error.to_string().replace('\n', " ");
            logging::say(&format!("documines-auth: {line}"));
            let differs = matches!(error.downcast_ref(), Some(WalkError::Differs { .. }));
            let code = error.downcast_ref().map(CommandError::exit_code);
            ExitCode::from(code.unwrap_or(if differs { 1 } else { 2 }))
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    match parse_arguments() {
        Task::Serve(settings) => {
            logging::start(&settings)?;
            block_on(server::serve(settings))?;
        }
        Task::Migrate(settings) => {
            logging::start(&settings)?;
            command(server::migrate(settings))?;
        }
        Task::Mail(MailTask::List(settings)) => print(&command(mail::list(&settings))?)?,
        Task::Mail(MailTask::Retry(RetryArgs { ids, settings, .. })) => print(&command(mail::retry(&settings, &ids))?)?,
        Task::Key(KeyTask::Rotate(settings)) => {
            print(&command(secret_key::rotate(&settings, &Random::from_system()))?)?;
        }
        Task::Audit(AuditTask::Verify(arguments)) => {
            let is_whole = command(verify_record(arguments))?;
            return Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Task::Audit(AuditTask::Export(settings)) => command(export_record(settings))?,
        Task::Walk(arguments) => match walk(&arguments, &Random::from_system(), &mut std::io::stdout()) {
            Err(WalkError::Io(error)) => drop(output::is_read_on(Err(error)).map_err(CommandError::Io)?),
            walked => walked?,
        },
        Task::Openapi(OpenapiArgs { format }) => {
            let document = spec::document();
            let text = match format {
                Format::Json => spec::to_json(&document),
                Format::Yaml => spec::to_yaml(&document),
            };
            print(&text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(text: &str) -> Result<(), CommandError> {
    Ok(output::print(text)?)
}

/// Runs a command.
fn command<T, E>(task: impl Future<Output = Result<T, E>>) -> Result<T, CommandError>
where
    CommandError: From<E>,
{
    block_on(async {
        signals::end_at_once_as_process_1()?;
        Ok(task.await?)
    })
}

fn block_on<T>(task: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(task);
    // Without waiting for what cannot be cut off: a name that is asked of a server that does not answer.
    runtime.shutdown_background();
    outcome
}

/// Reads the command line. Without a command it is `serve`; `--help` alone shows the settings of `serve` too.
fn parse_arguments() -> Task {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    let about_itself = ["-h", "--help", "-V", "--version"];
    let is_setting = |argument: &std::ffi::OsString| {
        argument.to_str().is_some_and(|text| text.starts_with('-') && !about_itself.contains(&text))
    };
    if arguments.get(1).is_none_or(is_setting) {
        arguments.insert(1, "serve".into());
    }
    let command = Cli::command()
        .override_usage("documines-auth [COMMAND] [SETTINGS]")
        .after_help(settings_help())
        .mut_subcommands(forgiving);
    let parsed = command.try_get_matches_from(arguments);
    let task = parsed.and_then(|matches| <Cli as clap::FromArgMatches>::from_arg_matches(&matches));
    task.map_or_else(|error| refuse(&error), |cli| cli.command)
}

fn forgiving(command: Command) -> Command {
    command.mut_args(settings::forgiving).mut_subcommands(forgiving)
}

fn settings_help() -> String {
    let settings = Settings::augment_args(Command::new("serve").disable_help_flag(true));
    let help = settings.help_template("Settings of every command but openapi and walk:\n{options}").render_help();
    help.to_string()
}

/// Help goes out whole; a bad setting as one line that names it.
fn refuse(error: &clap::Error) -> ! {
    if !error.use_stderr() {
        let printed = output::is_read_on(error.print());
        if let Err(error) = &printed {
            logging::say(&format!("documines-auth: {error}"));
        }
        std::process::exit(if printed.is_ok() { 0 } else { 3 });
    }
    let text = error.to_string();
    let line = text.split("\n\n").next().unwrap_or_default().replace("\n", " ");
    let line = line.trim_start_matches("error: ");
    logging::say(&format!("documines-auth: {line}"));
    std::process::exit(2)
}
