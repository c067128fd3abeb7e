//! What a URL says of an SQLite file.

use std::str::FromStr;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;

/// The SQLite file that a URL names. A database in memory would be another one for each connection, and gone with it.
pub(super) fn sqlite_options(url: &str) -> Result<SqliteConnectOptions, String> {
    let options = SqliteConnectOptions::from_str(url).map_err(|error| error.to_string())?;
    let is_in_memory = url.contains(":memory:") || url.contains("mode=memory");
    if is_in_memory || options.get_filename().as_os_str().is_empty() {
        return Err("must name a file, such as sqlite://data/auth.db?mode=rwc".to_owned());
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_any_name() {
        let options = sqlite_options("sqlite://data/memory-lane.db?mode=rwc").unwrap();
        assert_eq!(options.get_filename(), std::path::Path::new("data/memory-lane.db"));
    }
}
