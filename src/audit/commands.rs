//! `documines-auth audit …`: what an auditor asks of the record. They read alone, and work while the server runs.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::verify::{Mark, verify};
use crate::command_error::CommandError;
use crate::database::{Database, begin_to_read};
use crate::kernel::seal::Sealer;
use crate::output;
use crate::settings::{BadSetting, Settings, read_secret};
use crate::store::{StoreError, audit};

/// Events that are read at once.
const PAGE: u64 = 1_000;

/// What `audit verify` takes.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    #[command(flatten)]
    settings: Settings,

    /// A seal that was there earlier, as this command printed it: shows whether the end was cut off since
    #[arg(long, value_name = "SEAL")]
    expect: Option<Mark>,

    /// File that holds a secret key from before; for seals that were made with it. May be given several times
    #[arg(long, value_name = "FILE")]
    previous_secret_key_file: Vec<PathBuf>,
}

/// Compares the record with its seals: a line for each finding, and one that sums up. `false` where something was found.
///
/// # Errors
/// Where a setting cannot be followed, or the database does not answer.
pub async fn verify_record(arguments: VerifyArgs) -> Result<bool, CommandError> {
    let VerifyArgs { settings, expect, previous_secret_key_file } = arguments;
    let read =
        |flag, keys| Sealer::new(&keys).map_err(|reason| BadSetting::new(flag, format!("the secret key {reason}")));
    let mut keys: Vec<_> = read("--secret-key", settings.kept_secret_key()?)?.record_keys().collect();
    for file in previous_secret_key_file {
        let flag = "--previous-secret-key-file";
        keys.extend(read(flag, read_secret(flag, &file)?)?.record_keys());
    }
    let db = Database::connect_to_read(&settings.database()?).await?;
    let tx = begin_to_read(&db).await?;
    let report = verify(&tx, &keys, expect.as_ref()).await?;
    tx.rollback().await.map_err(StoreError::from)?;

    let mut text = String::new();
    for finding in &report.findings {
        let _ = writeln!(text, "{finding}");
    }
    let (seals, events, unsealed) = (report.seals, report.events, report.unsealed);
    let verdict = if report.findings.is_empty() { "the record is whole" } else { "the record is not as it was sealed" };
    let newest = report.newest.map_or_else(|| "none".to_owned(), |mark| mark.to_string());
    let counts = format!("{events} events under {seals} seals, {unsealed} not sealed yet; newest seal {newest}");
    let _ = writeln!(text, "{verdict}: {counts}");
    output::print(&text)?;
    Ok(report.findings.is_empty())
}

/// Prints every event, oldest first, as one JSON object a line.
///
/// # Errors
/// Where a setting cannot be followed, or the database does not answer.
pub async fn export_record(settings: Settings) -> Result<(), CommandError> {
    let db = Database::connect_to_read(&settings.database()?).await?;
    let tx = begin_to_read(&db).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut after = i64::MIN;
    loop {
        let events = audit::oldest(&tx, after, PAGE).await?;
        let Some(newest) = events.last() else { break };
        after = newest.id;
        for event in &events {
            let written = serde_json::to_writer(&mut out, event).map_err(io::Error::from);
            if !output::is_read_on(written.and_then(|()| out.write_all(b"\n")))? {
                return Ok(());
            }
        }
    }
    output::is_read_on(out.flush())?;
    Ok(())
}
