//! Everything that a rule may need, put together once.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use tokio::sync::Notify;

use crate::audit::refusals::Refusals;
use crate::background::Jobs;
use crate::command_error::CommandError;
use crate::database::Database;
use crate::kernel::clock::Clock;
use crate::kernel::origin::TrustedProxies;
use crate::kernel::random::Random;
use crate::kernel::record_key::RecordKey;
use crate::kernel::seal::Sealer;
use crate::mail::transport::Transport;
use crate::mail::worker::Settled;
use crate::metrics::Metrics;
use crate::password::hasher::{Hasher, Sources};
use crate::secret_key;
use crate::session::identity::Identities;
use crate::settings::{BadSetting, Settings, Switch};
use crate::store::writes::Writes;
use crate::store::{LockedRow, StoreError, accounts};
use crate::throttle::Throttle;
use crate::transaction::{Direct, Transaction};
use crate::usage::Tally;

/// The server's parts. One per process; tests make one each.
#[derive(Debug)]
pub struct App {
    /// What the operator said.
    pub settings: Settings,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// What time it is.
    pub clock: Clock,
    /// Where tokens, salts and nonces come from.
    pub random: Random,
    /// Hashes and checks passwords.
    pub hasher: Hasher,
    /// Seals what must be read back.
    pub sealer: Sealer,
    /// Seals the record of what happened.
    pub record_key: RecordKey,
    /// Who was refused what since it was last written down.
    pub refusals: Refusals,
    /// Who is behind the tokens that were seen before.
    pub identities: Identities,
    /// What accounts did since it was last written down.
    pub usage: Tally,
    /// How often strangers may try.
    pub throttle: Throttle,
    /// What happens, counted; `None` where nobody asks.
    pub metrics: Option<Metrics>,
    /// How the background jobs fare.
    pub jobs: Jobs,
    /// Rung when mail was put into the outbox.
    pub mail_bell: Notify,
    /// What became of mails and is not written down yet.
    pub settled_mail: Settled,
    /// How mail leaves.
    pub mail_transport: Transport,
    db: Database,
}

impl App {
    /// Puts the parts together: the data folder, the key, the database (migrated), the password workers.
    ///
    /// # Errors
    /// The first setting that cannot be followed; where the database does not answer.
    pub async fn start(settings: Settings, clock: Clock, random: Random) -> Result<Self, CommandError> {
        make_private_folder(&settings.data_dir)?;
        let (sealer, key_flag) = secret_key::sealer(&settings, &random)?;
        let record_key = sealer.record_key().clone();
        let mail_transport = Transport::from_settings(&settings)?;
        let cost = (settings.argon2_memory_kib, settings.argon2_iterations, settings.argon2_parallelism);
        let sources = if settings.rate_limits == Switch::On { Sources::Bounded } else { Sources::Unbounded };
        let hasher = Hasher::start(cost, sources, random.clone())
            .map_err(|reason| BadSetting::new("--argon2-memory-kib", reason))?;
        let db = Database::open_to_serve(&settings.database()?, settings.postgres).await?;
        db.migrate().await?;
        secret_key::check(&db, &sealer, &random, key_flag).await?;
        let kept = accounts::hash_of_each_cost(db.reader()).await?;
        hasher.meet(&kept);
        let identities = Identities::new(db.is_shared());
        let metrics = settings.metrics_listen.map(|_| Metrics::default());
        let throttle = Throttle::new(settings.rate_limits == Switch::On, &sealer);
        Ok(Self {
            trusted_proxies: settings.trusted_proxies.iter().flatten().copied().collect(),
            settings,
            clock,
            random,
            hasher,
            sealer,
            record_key,
            refusals: Refusals::default(),
            identities,
            throttle,
            usage: Tally::default(),
            jobs: Jobs::default(),
            mail_bell: Notify::new(),
            settled_mail: Settled::default(),
            mail_transport,
            metrics,
            db,
        })
    }

    /// Begins a transaction that will write, and locks neither an account nor a counter.
    ///
    /// # Errors
    /// Where the database gives none in time.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        self.db.begin().await
    }

    /// Begins a transaction that will lock these rows: name all of them, for callers who want the same row wait for each
    /// other here and not on the database's connections. End it before you begin another.
    ///
    /// # Errors
    /// Where the database gives none in time, or too many callers want one of the rows.
    pub async fn begin_locking(&self, rows: impl IntoIterator<Item = LockedRow>) -> Result<Transaction, StoreError> {
        self.db.begin_locking(rows).await
    }

    /// Commits: when this returns, what was written is on the disk.
    ///
    /// # Errors
    /// Where it may not be.
    pub async fn commit(&self, tx: Transaction) -> Result<(), StoreError> {
        self.db.commit(tx).await
    }

    /// Runs the writes and commits.
    ///
    /// # Errors
    /// As [`Self::commit`], and the writes' own: then nothing of the transaction is kept.
    pub async fn commit_with(&self, tx: Transaction, writes: Writes) -> Result<(), StoreError> {
        self.db.commit_with(tx, writes).await
    }

    /// For single statements that read.
    #[must_use]
    pub fn reader(&self) -> &Direct {
        self.db.reader()
    }

    /// For a single statement that writes, is acknowledged to nobody, and does no harm where a power failure undoes it:
    /// nobody waits for the disk.
    #[must_use]
    pub fn writer(&self) -> &Direct {
        self.db.writer()
    }

    /// The database as a whole: to ask whether it is there, to close it.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.db
    }
}

/// Makes `folder` for the owner's eyes alone, where it is missing.
///
/// # Errors
/// Where it cannot be made.
pub fn make_private_folder(folder: &Path) -> Result<(), BadSetting> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
        let reason = what_is_in_the_way(folder).unwrap_or_else(|| error.to_string());
        BadSetting::new("--data-dir", format!("cannot make {}: {reason}", folder.display()))
    })
}

/// What stands where the folder or one above it should be; the system says of it but "File exists".
fn what_is_in_the_way(folder: &Path) -> Option<String> {
    let there = folder.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    match (there.metadata(), fs::read_link(there)) {
        (Err(_), Ok(target)) => Some(format!(
            "{} is a link to {}, which is not there; make that folder, or remove the link",
            there.display(),
            target.display()
        )),
        (Ok(found), _) if !found.is_dir() => Some(format!("{} is no folder", there.display())),
        _ => None,
    }
}

/// Writes a file whole or not at all, for the owner's eyes alone, and onto the disk.
///
/// # Errors
/// Where it cannot be written.
pub fn write_durably(file: &Path, content: &[u8]) -> std::io::Result<()> {
    write_then(file, content, File::sync_all)?;
    // The new name is on the disk when the folder is.
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// The same, without waiting for the disk: it outlives the process, and a power failure may undo it.
///
/// # Errors
/// Where it cannot be written.
pub fn write_whole(file: &Path, content: &[u8]) -> std::io::Result<()> {
    write_then(file, content, |_| Ok(()))
}

fn write_then(file: &Path, content: &[u8], finish: impl FnOnce(&File) -> std::io::Result<()>) -> std::io::Result<()> {
    let unfinished = file.with_added_extension("part");
    let write = || {
        let mut part = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        part.write_all(content)?;
        finish(&part)?;
        fs::rename(&unfinished, file)
    };
    // On a disk that is full, what is half written only takes room.
    write().inspect_err(|_| drop(fs::remove_file(&unfinished)))
}

/// Holds the data folder: one process at a time. The lock goes with the process, however that ends.
///
/// # Errors
/// Where another process holds it.
pub fn lock(folder: &Path) -> Result<File, BadSetting> {
    let file = folder.join("lock");
    let refuse = |why: String| BadSetting::new("--data-dir", why);
    let lock = File::create(&file).map_err(|error| refuse(format!("cannot make {}: {error}", file.display())))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(refuse(format!("{} is in use by another documines-auth process", folder.display())));
        }
        Err(TryLockError::Error(error)) => tracing::warn!(
            %error, file = %file.display(),
            "this file system cannot lock the data folder; see to it that no other server uses it"
        ),
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_file_that_cannot_be_written_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("mail.eml");
        fs::create_dir(&name).unwrap();
        write_whole(&name, b"Dear Thandi").unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
