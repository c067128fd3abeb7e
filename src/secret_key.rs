//! The secret key: where it comes from, whether it is the database's, and how another takes its place.
//!
//! There may be several keys at once, with commas or white space between: the first seals, all of them open. So a key is
//! changed without a moment at which anything cannot be read; `docs/operations.md` has the steps.

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::app::{lock, write_durably};
use crate::command_error::CommandError;
use crate::database::Database;
use crate::kernel::random::Random;
use crate::kernel::seal::{KeyId, Sealer};
use crate::settings::{BadSetting, Settings, read_secret};
use crate::store::sealed::{self, CHECK, SealedColumn};
use crate::store::{StoreError, secret_key};

/// Rows that are sealed anew in one transaction.
const BATCH: u64 = 200;

/// The keys that the operator gave, or those of `secret.key` in the data folder, made where it is missing; and the flag
/// to name where they cannot be used.
///
/// # Errors
/// Where they cannot be read, made, or are no keys.
pub fn sealer(settings: &Settings, random: &Random) -> Result<(Sealer, &'static str), BadSetting> {
    let (flag, keys) = match settings.given_secret_key()? {
        Some(keys) if settings.secret_key_file.is_some() => ("--secret-key-file", keys),
        Some(keys) => ("--secret-key", keys),
        None => ("--data-dir", read_or_make(&file(settings), random)?),
    };
    Ok((parse(flag, &keys)?, flag))
}

/// Holds the database's key against ours; that of the first server becomes the database's.
///
/// # Errors
/// Where it is none of ours.
pub async fn check(db: &Database, sealer: &Sealer, random: &Random, flag: &'static str) -> Result<(), CommandError> {
    let ours = async || {
        let tx = db.begin().await?;
        let first = secret_key::first_sealed(&tx, sealer.seal(random, CHECK.purpose, b"")).await?;
        db.commit(tx).await?;
        Ok::<_, StoreError>(first)
    };
    let first = ours().await?;
    if sealer.open(CHECK.purpose, &first).is_some() {
        return Ok(());
    }
    let its = KeyId::carried_by(&first).map_or_else(String::new, |id| format!(" ({id})"));
    let ids: Vec<_> = sealer.key_ids().iter().map(ToString::to_string).collect();
    let reason = format!(
        "the database was sealed with another secret key{its} than this one ({}); every node needs that one",
        ids.join(", ")
    );
    Err(BadSetting::new(flag, reason).into())
}

/// Seals everything anew with the first key, and says what it did.
///
/// Keys that the operator keeps, or that several nodes share, are theirs to change: they name the new one before the old
/// one. The file that a single server made for itself is given a new key here, while that server is stopped. Whenever it
/// is interrupted, all remains readable, and to run it again finishes it.
///
/// # Errors
/// Where there is no second key, one of the settings cannot be followed, or the database does not take it.
pub async fn rotate(settings: &Settings, random: &Random) -> Result<String, CommandError> {
    let db = Database::open_existing(&settings.database()?).await?;
    let is_given = settings.given_secret_key()?.is_some();
    let (sealer, resealed) = if is_given || db.is_shared() {
        let (sealer, flag) = sealer(settings, random)?;
        if sealer.key_ids().len() < 2 {
            return Err(BadSetting::new(
                flag,
                "holds one secret key; put the new one before it, with a comma between, on every node first",
            )
            .into());
        }
        check(&db, &sealer, random, flag).await?;
        let resealed = reseal(&db, &sealer, random).await?;
        (sealer, resealed)
    } else {
        let _lock = lock(&settings.data_dir)?;
        Database::hold(&settings.database()?)?;
        let file = file(settings);
        let mut keys = read(&file)?;
        // A second one is left from a rotation that was interrupted.
        if parse("--data-dir", &keys)?.key_ids().len() < 2 {
            let new = Sealer::new_key(random);
            let old = keys.expose_secret().trim();
            let both = Zeroizing::new(format!("{}\n{old}\n", new.expose_secret()));
            let both = SecretString::from(both.as_str());
            check(&db, &parse("--data-dir", &keys)?, random, "--data-dir").await?;
            write(&file, &both)?;
            keys = both;
        }
        let sealer = parse("--data-dir", &keys)?;
        check(&db, &sealer, random, "--data-dir").await?;
        let resealed = reseal(&db, &sealer, random).await?;
        let new = keys.expose_secret().split_whitespace().next().unwrap_or_default();
        write(&file, &new.into())?;
        (sealer, resealed)
    };
    db.close().await?;
    Ok(resealed.report(sealer.key_ids()[0]))
}

/// What a rotation met.
#[derive(Debug, Default)]
struct Resealed {
    resealed: usize,
    unreadable: usize,
}

impl Resealed {
    fn report(&self, id: KeyId) -> String {
        let unreadable = match self.unreadable {
            0 => String::new(),
            count => format!("; {count} can be opened by none of the keys, and were left as they are"),
        };
        format!("{} sealed anew with the key {id}{unreadable}\n", self.resealed)
    }
}

async fn reseal(db: &Database, sealer: &Sealer, random: &Random) -> Result<Resealed, StoreError> {
    let mut met = Resealed::default();
    for column in sealed::ALL {
        reseal_column(db, sealer, random, column, &mut met).await?;
    }
    Ok(met)
}

async fn reseal_column(
    db: &Database,
    sealer: &Sealer,
    random: &Random,
    column: &SealedColumn,
    met: &mut Resealed,
) -> Result<(), StoreError> {
    let mut last = i64::MIN;
    loop {
        let rows = column.after(db.reader(), last, BATCH).await?;
        let Some((newest, _)) = rows.last() else { return Ok(()) };
        last = *newest;
        let tx = db.begin().await?;
        for (id, old) in rows.into_iter().filter(|(_, old)| !sealer.is_current(old)) {
            match sealer.open(column.purpose, &old) {
                // A mail that went out meanwhile is not there to be replaced.
                Some(plain) => {
                    let new = sealer.seal(random, column.purpose, &plain);
                    met.resealed += usize::from(column.replace(&tx, id, old, new).await?);
                }
                None => met.unreadable += 1,
            }
        }
        db.commit(tx).await?;
    }
}

fn file(settings: &Settings) -> PathBuf {
    settings.data_dir.join("secret.key")
}

fn parse(flag: &'static str, keys: &SecretString) -> Result<Sealer, BadSetting> {
    Sealer::new(keys).map_err(|reason| BadSetting::new(flag, format!("the secret key {reason}")))
}

fn read(file: &Path) -> Result<SecretString, BadSetting> {
    read_secret("--data-dir", file)
}

fn write(file: &Path, keys: &SecretString) -> Result<(), BadSetting> {
    write_durably(file, keys.expose_secret().as_bytes()).map_err(|error| refuse_file(file, &error))
}

fn read_or_make(file: &Path, random: &Random) -> Result<SecretString, BadSetting> {
    match fs::exists(file) {
        Ok(false) => {
            let key = Sealer::new_key(random);
            write(file, &key)?;
            Ok(key)
        }
        _ => read(file),
    }
}

fn refuse_file(file: &Path, error: &std::io::Error) -> BadSetting {
    BadSetting::new("--data-dir", format!("cannot keep {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait, DbBackend, Statement};

    use super::*;
    use crate::settings::Location;

    #[tokio::test]
    async fn every_column_of_sealed_values_is_sealed_anew() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&Location::File(folder.path().join("auth.db"))).await.unwrap();
        database.migrate().await.unwrap();
        let sql = "SELECT t.name AS t, c.name AS c FROM sqlite_master t, pragma_table_info(t.name) c \
                   WHERE t.type = 'table' AND c.name LIKE 'sealed%' ORDER BY 1, 2";
        let rows = database.reader().query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.unwrap();
        let found: Vec<(String, String)> =
            rows.iter().map(|row| (row.try_get("", "t").unwrap(), row.try_get("", "c").unwrap())).collect();
        let mut known = sealed::ALL.map(|column| (column.table.to_owned(), column.column.to_owned()));
        known.sort();
        assert_eq!(found, known);
    }
}
