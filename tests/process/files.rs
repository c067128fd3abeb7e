use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::server::Server;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_data_folder_and_its_files_are_for_the_owners_eyes_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.sign_up("thandi").await;
    let data = folder.path().join("data");
    assert_eq!(mode(&data), 0o700);
    for name in ["auth.db", "auth.db-wal", "secret.key"] {
        assert!(data.join(name).is_file(), "{name}");
    }
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        // The welcome is on its way, or has become a file.
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
}

#[tokio::test]
async fn the_secret_key_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data/secret.key");
    let server = Server::start(folder.path());
    let first = std::fs::read(&file).unwrap();
    server.kill();
    let _server = Server::start(folder.path());
    assert_eq!(std::fs::read(&file).unwrap(), first);
}
