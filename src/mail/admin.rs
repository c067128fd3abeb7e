//! What an operator does with the outbox, while servers run or not: look at it, and have mail tried again.

use std::fmt::Write;

use crate::command_error::CommandError;
use crate::database::Database;
use crate::kernel::clock::{Clock, Timestamp};
use crate::settings::Settings;
use crate::store::outbox::{self, Entry};

/// A table of all that is in the outbox, oldest first, a line a mail; whom it is for and what it says stay sealed.
///
/// # Errors
/// Where the database cannot be read.
pub async fn list(settings: &Settings) -> Result<String, CommandError> {
    let db = Database::open_existing(&settings.database()?).await?;
    let entries = outbox::list(db.reader()).await?;
    db.close().await?;
    Ok(table(&entries, Clock::system().now()))
}

/// Has mails tried again at once: those of these numbers, or all that was given up. Says how many those are.
///
/// # Errors
/// Where the database cannot be written, or there is no such mail; then none is tried.
pub async fn retry(settings: &Settings, ids: &[i64]) -> Result<String, CommandError> {
    let db = Database::open_existing(&settings.database()?).await?;
    let now = Clock::system().now();
    let tx = db.begin().await?;
    let mut count = 0;
    if ids.is_empty() {
        count = outbox::retry_given_up(&tx, now).await?;
    }
    for id in ids {
        if !outbox::retry(&tx, *id, now).await? {
            return Err(CommandError::NotFound(format!("no mail {id} has failed")));
        }
        count += 1;
    }
    db.commit(tx).await?;
    db.close().await?;
    let mails = if count == 1 { "mail" } else { "mails" };
    Ok(format!("{count} {mails} to be tried again\n"))
}

fn table(entries: &[Entry], now: Timestamp) -> String {
    let mut rows = vec![["ID", "KIND", "AGE", "TRIES", "NEXT TRY", "LAST ERROR"].map(str::to_owned)];
    rows.extend(entries.iter().map(|entry| {
        let kind = if entry.kind.is_empty() { "-" } else { &entry.kind };
        let next = match entry.due_at {
            None => "given up".to_owned(),
            Some(due_at) if due_at <= now => "now".to_owned(),
            Some(due_at) => format!("in {}", roughly(due_at.micros_since(now))),
        };
        let error = entry.last_error.as_deref().unwrap_or("-");
        [
            entry.id.to_string(),
            kind.to_owned(),
            roughly(now.micros_since(entry.created_at)),
            entry.attempts.to_string(),
            next,
            // The database may hold what an older server wrote; a terminal obeys control characters.
            error.replace(char::is_control, " "),
        ]
    }));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `3d`, `5h`, `12m`, `40s`: whole units, the largest that fits.
fn roughly(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_became_of_a_mail() {
        let now = Timestamp::from_micros(1_000_000_000_000);
        let ago = |seconds: u64| now - std::time::Duration::from_secs(seconds);
        let entry = |id, kind: &str, created_at, attempts, due_at, error: Option<&str>| Entry {
            id,
            kind: kind.to_owned(),
            created_at,
            attempts,
            due_at,
            last_error: error.map(str::to_owned),
        };
        let entries = [
            entry(7, "password_reset", ago(90_000), 12, None, Some("mail.example.com:587: 550 no\u{1b}[2J")),
            entry(12, "welcome", ago(300), 2, Some(now + std::time::Duration::from_secs(125)), Some("451 later")),
            entry(13, "", ago(3), 0, Some(ago(3)), None),
        ];
        assert_eq!(
            table(&entries, now),
            "ID  KIND            AGE  TRIES  NEXT TRY  LAST ERROR\n\
             7   password_reset  1d   12     given up  mail.example.com:587: 550 no [2J\n\
             12  welcome         5m   2      in 2m     451 later\n\
             13  -               3s   0      now       -\n"
        );
    }
}
