//! Why a command, the server included, did not do what it was asked.

use sea_orm::SqlxError;
use sea_orm::sqlx::sqlite::SqliteError;

use crate::settings::BadSetting;
use crate::store::StoreError;

/// Why it did not. Each is one line, and says what it is: an outage is no wrong setting.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A setting that cannot be followed.
    #[error(transparent)]
    Setting(#[from] BadSetting),
    /// What the arguments name is not there.
    #[error("{0}")]
    NotFound(String),
    /// The database that the settings name does not answer.
    #[error("cannot open the database that --database-url names: {0}")]
    Unopened(#[source] StoreError),
    /// The database does not answer any more, or not as it should.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network, the disk, or a signal handler failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl CommandError {
    /// A database that does not answer is an outage. A file that cannot be opened is one that the setting should not name, and
    /// so is what refuses us for good.
    pub(crate) fn of_opening(error: SqlxError) -> Self {
        const CANTOPEN: i32 = 14;
        let sqlite = error.as_database_error().filter(|error| error.try_downcast_ref::<SqliteError>().is_some());
        let code = sqlite.and_then(|error| error.code()?.parse::<i32>().ok());
        let reason = format!("cannot open the database: {error}");
        match StoreError::from(error) {
            outage @ StoreError::Unavailable(_) if code.is_none_or(|code| code & 0xff != CANTOPEN) => {
                CommandError::Unopened(outage)
            }
            _ => BadSetting::new("--database-url", reason).into(),
        }
    }

    /// What the process ends with; README.md has the list.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound(_) => 1,
            Self::Setting(_) => 2,
            Self::Unopened(_) | Self::Store(_) | Self::Io(_) => 3,
        }
    }
}
