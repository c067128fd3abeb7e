//! Log lines, to standard error. One that cannot be written is dropped and counted: nothing waits or fails for the log.

use std::panic::PanicHookInfo;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use self::lines::{Counts, write_line};
use crate::settings::{BadSetting, LogFormat, Settings};

mod lines;

/// How often the log is told of lines that were dropped.
const TELLING: Duration = Duration::from_secs(1);

/// What became of the lines of this process.
static COUNTS: Counts = Counts::new();

/// Starts logging as the settings say. A panic is one line of the log, too.
///
/// # Errors
/// Where the filter is not one.
pub fn start(settings: &Settings) -> Result<(), BadSetting> {
    let filter = EnvFilter::try_new(&settings.log_filter).map_err(|error| BadSetting::new("--log-filter", error))?;
    // What the subscriber says of its own errors it says by `eprintln!`, which panics where standard error is what fails.
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Lines).log_internal_errors(false);
    match settings.log_format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).finish().init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().init(),
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    tracing::error!("{}", panic.to_string().replace(['\r', '\n'], " "));
}

/// Writes a line to standard error as the log does: for what is said while there is no log.
pub fn say(line: &str) {
    write_line(&mut std::io::stderr().lock(), format!("{line}\n").as_bytes(), &COUNTS);
}

/// Lines that could not be written, since the start.
#[must_use]
pub fn dropped_lines() -> u64 {
    COUNTS.dropped()
}

/// Says in the log how many lines were dropped, as soon as lines can be written again.
pub async fn tell_of_dropped_lines() {
    let mut told = 0;
    loop {
        tokio::time::sleep(TELLING).await;
        let dropped = COUNTS.dropped();
        if dropped > told && !COUNTS.is_failing() {
            tracing::warn!(lines = dropped - told, "standard error did not take log lines; they were dropped");
            told = dropped;
        }
    }
}

/// Where the subscriber writes: each call is one line.
struct Lines;

impl std::io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        write_line(&mut std::io::stderr().lock(), line, &COUNTS);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::{Command, Stdio};

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn a_panic_that_cannot_be_logged_ends_its_thread_alone() {
        let (reader, unread) = std::io::pipe().unwrap();
        drop(reader);
        let full = File::options().write(true).open("/dev/full").unwrap();
        for sink in [Stdio::from(full), Stdio::from(unread)] {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "--ignored", "--nocapture", "logging::tests::panic_and_go_on"]);
            let output = child.stderr(sink).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{}: {said}", output.status);
        }
    }

    #[test]
    #[ignore = "the test above runs it in a process of its own"]
    fn panic_and_go_on() {
        start(&Cli::try_parse_from(["documines-auth", "--log-filter", "trace"]).unwrap().settings).unwrap();
        for dropped in [1, 2] {
            std::thread::spawn(|| panic!("of no consequence")).join().unwrap_err();
            assert_eq!(dropped_lines(), dropped);
        }
    }
}
