use crate::seed_walk::walk;
use crate::server::{Server, until};

#[tokio::test]
async fn the_seeds_walk_works_over_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--rate-limits", "on"], &[]);
    walk(&server).await;
    let mail = folder.path().join("data/mail");
    // The welcome, one that carries the token, one that tells of the change.
    until(|| {
        (std::fs::read_dir(&mail).ok()?.filter(|file| is_mail(file.as_ref().unwrap())).count() == 3).then_some(())
    });
}

fn is_mail(file: &std::fs::DirEntry) -> bool {
    file.path().extension().is_some_and(|extension| extension == "eml")
}

#[tokio::test]
async fn no_secret_is_logged_even_at_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(folder.path(), &[], &[("RUST_LOG", "trace")]);
    let secrets = walk(&server).await;
    server.terminate();
    assert!(server.wait().success());
    let log = server.log();
    assert!(log.contains("DEBUG") && log.contains("sqlx::query") && log.contains("answered"), "the log was seen");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}
