//! One server at a time on an SQLite file, however each of them reaches it: what a server remembers (whose token is good)
//! another one that writes would not tell it.
//!
//! What is locked is therefore the file itself: a lock beside it would be another one beside each of its names. It is one
//! byte that holds no data, in the page that SQLite keeps free for its own locks, and behind those. So neither SQLite nor
//! programs that read the file beside the server (backups, `audit verify`) meet it. `flock`, which holds a whole file,
//! would meet SQLite's locks on file systems in a network, where both are of one kind.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::ManuallyDrop;
use std::path::Path;

use secrecy::ExposeSecret;

use super::Database;
use super::url::sqlite_options;
use crate::settings::{BadSetting, Location};

/// The last byte of the page whose first 512 bytes SQLite locks (<https://sqlite.org/fileformat.html#the_lock_byte_page>).
#[cfg(target_os = "linux")]
const BYTE: i64 = 0x4000_0fff;

impl Database {
    /// Keeps other servers from an SQLite file until this process ends; PostgreSQL takes any number of them.
    ///
    /// # Errors
    /// Where another one has it.
    pub fn hold(location: &Location) -> Result<(), BadSetting> {
        match location {
            Location::File(file) => hold(file, true),
            Location::Url(url) => {
                // One that is none is refused when it is opened.
                let url = url.expose_secret();
                let options = if url.starts_with("sqlite:") { sqlite_options(url).ok() } else { None };
                options.map_or(Ok(()), |options| hold(options.get_filename(), url.contains("mode=rwc")))
            }
        }
    }
}

/// Keeps other servers from the file until this process ends, however it ends. Where SQLite shall make the file, it is
/// made here, empty.
///
/// # Errors
/// Where another process has it.
fn hold(file: &Path, is_made: bool) -> Result<(), BadSetting> {
    let opened = OpenOptions::new().read(true).write(true).create(is_made).truncate(false).open(file);
    // Where it cannot be opened, SQLite cannot either, and says why.
    let Ok(opened) = opened else { return Ok(()) };
    // Never closed: that would take from this process every lock that SQLite has on the file.
    let opened = ManuallyDrop::new(opened);
    match lock(&opened) {
        Ok(true) => Ok(()),
        Ok(false) => Err(BadSetting::new(
            "--database-url",
            format!(
                "{} is in use by another documines-auth process; SQLite serves one at a time, several nodes need \
                 PostgreSQL",
                file.display()
            ),
        )),
        Err(error) => {
            tracing::warn!(
                %error, database = %file.display(),
                "this file system cannot lock the database; see to it that no other server uses it"
            );
            Ok(())
        }
    }
}

/// Locks the byte until the file is closed; `false` where another process has it.
#[cfg(target_os = "linux")]
fn lock(file: &File) -> io::Result<bool> {
    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;

    let byte =
        libc::flock { l_type: libc::F_WRLCK as _, l_whence: libc::SEEK_SET as _, l_start: BYTE, l_len: 1, l_pid: 0 };
    // Of the open file, not of the process: SQLite closes the file too, which would end the latter.
    match fcntl(file, FcntlArg::F_OFD_SETLK(&byte)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Elsewhere there is no such lock: the data folder's is the only one.
#[cfg(not(target_os = "linux"))]
fn lock(_: &File) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_file_is_neither_its_name_nor_who_opens_it() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, hard] = ["auth.db", "link", "hard"].map(|name| folder.path().join(name));
        hold(&file, true).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        std::fs::hard_link(&file, &hard).unwrap();
        for name in [&file, &link, &hard] {
            // What this process opens and closes beside it does not end it, either.
            drop(File::open(name).unwrap());
            let refusal = hold(name, true).unwrap_err().to_string();
            assert!(refusal.contains("is in use by another") && refusal.contains(name.to_str().unwrap()), "{refusal}");
        }
        hold(&folder.path().join("other.db"), true).unwrap();
    }

    #[test]
    fn what_is_not_there_and_not_to_be_made_is_left_to_sqlite() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.db");
        hold(&file, false).unwrap();
        hold(folder.path(), true).unwrap();
        assert!(!file.exists());
    }
}
