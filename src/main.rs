//! The command line: `serve` (the default), `migrate`, `openapi`.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory, Parser, Subcommand, ValueEnum};
use documines_auth::http::spec;
use documines_auth::logging;
use documines_auth::server::{self, ServeError};
use documines_auth::settings::{self, Settings};

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
    /// Migrate the database, then serve until SIGTERM or SIGINT (the default)
    Serve(Settings),
    /// Migrate the database and exit
    Migrate(Settings),
    /// Print the OpenAPI document; needs neither a database nor settings
    Openapi(OpenapiArgs),
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
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line that names what is wrong; the log may not be there yet.
            let line = error.to_string().replace('\n', " ");
            let _ = writeln!(std::io::stderr(), "documines-auth: {line}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), ServeError> {
    match parse_arguments() {
        Task::Serve(settings) => {
            logging::start(&settings)?;
            block_on(server::serve(settings))
        }
        Task::Migrate(settings) => {
            logging::start(&settings)?;
            block_on(server::migrate(settings))
        }
        Task::Openapi(OpenapiArgs { format }) => {
            let document = spec::document();
            let text = match format {
                Format::Json => spec::to_json(&document),
                Format::Yaml => spec::to_yaml(&document),
            };
            match std::io::stdout().write_all(text.as_bytes()) {
                // Whoever read it has read enough (`… | head`).
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                written => Ok(written?),
            }
        }
    }
}

fn block_on(task: impl Future<Output = Result<(), ServeError>>) -> Result<(), ServeError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(task)
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
        .mut_subcommands(|command| command.mut_args(settings::ignore_empty_variable));
    let parsed = command.try_get_matches_from(arguments);
    let task = parsed.and_then(|matches| <Cli as clap::FromArgMatches>::from_arg_matches(&matches));
    task.map_or_else(|error| refuse(&error), |cli| cli.command)
}

fn settings_help() -> String {
    let settings = Settings::augment_args(Command::new("serve").disable_help_flag(true));
    let help = settings.help_template("Settings of serve and migrate:\n{options}").render_help();
    help.to_string()
}

/// Help goes out whole; a bad setting as one line that names it.
fn refuse(error: &clap::Error) -> ! {
    if !error.use_stderr() {
        error.exit();
    }
    let text = error.to_string();
    let line = text.split("\n\n").next().unwrap_or_default().replace("\n", " ");
    let line = line.trim_start_matches("error: ");
    let _ = writeln!(std::io::stderr(), "documines-auth: {line}");
    std::process::exit(2)
}
