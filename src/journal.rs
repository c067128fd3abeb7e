//! Making commits on SQLite durable, many with one `fsync`.
//!
//! SQLite itself would write a commit to its write-ahead log and then wait for the disk, with the one writer held: a
//! second writer waits for the first one's disk, and then for its own. Here a commit is written, the writer goes to the
//! next caller, and whoever committed waits for a sync of the log that began after that. While the disk is busy with one
//! sync, all who commit meanwhile share the next. An answer still goes out only when what it acknowledges is on the disk.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// The write-ahead log of one database, and the thread that syncs it.
#[derive(Clone, Debug)]
pub(crate) struct Journal(Sender<Committed>);

/// Somebody who committed and waits.
type Committed = oneshot::Sender<()>;

/// The log could not be synced: what was committed since the last sync may or may not survive a power failure.
#[derive(Debug, thiserror::Error)]
#[error("the write-ahead log could not be synced; nothing is acknowledged any more until a restart")]
pub(crate) struct NotDurable;

impl Journal {
    /// For the database in `file`, which is open and stays so.
    ///
    /// # Errors
    /// Where its folder cannot be synced, or no thread be had.
    pub(crate) fn start(file: &Path) -> io::Result<Self> {
        // The log's name is as much on the disk as what stands in it.
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let (sender, committed) = mpsc::channel();
        thread::Builder::new().name("journal".to_owned()).spawn(move || run(log, &committed))?;
        Ok(Self(sender))
    }

    /// Returns when everything that was committed before the call is on the disk.
    ///
    /// # Errors
    /// Where it may not be.
    pub(crate) async fn sync(&self) -> Result<(), NotDurable> {
        let (committed, synced) = oneshot::channel();
        self.0.send(committed).map_err(|_| NotDurable)?;
        synced.await.map_err(|_| NotDurable)
    }
}

fn run(log: PathBuf, committed: &Receiver<Committed>) {
    let mut log = Log { path: log, open: None };
    while let Ok(first) = committed.recv() {
        let group: Vec<Committed> = std::iter::once(first).chain(committed.try_iter()).collect();
        // After a sync that failed the system may have forgotten what it could not write: another one that succeeds
        // would prove nothing. So there is none; a restart reads what the disk has.
        if let Err(error) = log.sync() {
            tracing::error!(%error, log = %log.path.display(), "{NotDurable}");
            return;
        }
        for caller in group {
            let _ = caller.send(());
        }
    }
}

/// The file, kept open: a sync must not fail because files ran out.
struct Log {
    path: PathBuf,
    open: Option<(File, FileId)>,
}

/// Device and inode.
type FileId = (u64, u64);

impl Log {
    fn sync(&mut self) -> io::Result<()> {
        match self.current() {
            Ok(log) => log.sync_data(),
            // Folded into the database, which SQLite syncs before it removes the log.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The file that has the name now: should SQLite have begun another log, it is that one.
    fn current(&mut self) -> io::Result<&File> {
        let found = fs::metadata(&self.path)?;
        let id = (found.dev(), found.ino());
        let is_open = self.open.as_ref().is_some_and(|(_, open)| *open == id);
        if !is_open {
            self.open = Some((self.reopen()?, id));
        }
        self.open.as_ref().map(|(log, _)| log).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn reopen(&self) -> io::Result<File> {
        let mut opened = File::open(&self.path);
        for _ in 0..ATTEMPTS {
            match &opened {
                Err(error) if error.kind() != io::ErrorKind::NotFound => thread::sleep(PAUSE),
                _ => break,
            }
            opened = File::open(&self.path);
        }
        opened
    }
}

/// How often, and after how long, opening the log is tried again: files that ran out come back.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_who_committed_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::start(&folder.path().join("auth.db")).unwrap();
        assert!(journal.sync().await.is_ok(), "there is no log yet");
        fs::write(folder.path().join("auth.db-wal"), b"frames").unwrap();
        let many = futures_util::future::join_all((0..100).map(|_| journal.sync())).await;
        assert!(many.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn after_a_sync_that_failed_nothing_is_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("auth.db-wal");
        let journal = Journal::start(&folder.path().join("auth.db")).unwrap();
        // It opens, and cannot be synced.
        std::os::unix::fs::symlink("/dev/null", &log).unwrap();
        assert!(journal.sync().await.is_err());
        fs::remove_file(&log).unwrap();
        fs::write(&log, b"frames").unwrap();
        assert!(journal.sync().await.is_err());
    }
}
