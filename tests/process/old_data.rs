//! A data folder that a server made before 0.2.0 (`data/before_0_2.sql`): somebody signed up, failed to log in and logged
//! in; a mail waits. That server sealed with the secret key itself.

use std::path::Path;

use documines_auth::database::Database;
use documines_auth::settings::Location;
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::server::{Server, run, until};

const SQL: &str = include_str!("data/before_0_2.sql");
const KEY: &str = "YD0y1FLXeldqIr0X9DDuT8HMiWiM4YcI0onMEQ5QOLk=";
const CLIENT: [(&str, &str); 2] = [
    ("X-Client-ID", "wzAzfhF3Qif4nqCKRHPI4hInFEk2XfIb0d1i27YJ"),
    (
        "X-Client-Secret",
        "Y85hllVEFn6PmdZI3U6Y6xLCtI9yjIx241zVPC0FpCmJAy2aT1yph2Sw91Qr2zHpHzuERcwkyDjiQ6HjrwpPrLCsmmMDlGK7sCZRLu4zdRYBK1NNwetjoCCqP4Ph5hz7",
    ),
];

/// Its mail is due at once, however long ago it was made.
async fn old_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("secret.key"), KEY).unwrap();
    let db = Database::open(&Location::File(data.join("auth.db"))).await.unwrap();
    db.writer().execute_unprepared(SQL).await.unwrap();
    let due = "UPDATE outbox SET leased_until = 0, give_up_at = 9000000000000000";
    db.writer().execute_unprepared(due).await.unwrap();
    db.close().await.unwrap();
    folder
}

#[track_caller]
fn is_whole(folder: &Path, seals: &str) {
    let output = run(folder, &["audit", "verify"], &[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.starts_with("the record is whole") && said.contains(seals), "{said}");
}

fn mail_arrives(folder: &Path) {
    let file = until(|| {
        let mut files = std::fs::read_dir(folder.join("data/mail")).ok()?.flatten().map(|file| file.path());
        files.find(|file| file.extension().is_some_and(|extension| extension == "eml"))
    });
    assert!(std::fs::read_to_string(file).unwrap().contains("thandi@example.com"));
}

#[tokio::test]
async fn what_a_server_before_0_2_sealed_is_read_and_its_record_goes_on() {
    let folder = old_folder().await;
    is_whole(folder.path(), "3 events under 1 seals");
    let mut server = Server::start(folder.path());
    mail_arrives(folder.path());
    let body = json!({"email": "thandi@example.com", "password": "Correct-Horse-7-Battery"});
    let (status, answer) = server.call(Method::POST, "/login/", &CLIENT, Some(&body)).await;
    assert_eq!(status, 200, "{answer}");
    server.terminate();
    assert!(server.wait().success());
    is_whole(folder.path(), "4 events under 2 seals");
}

#[tokio::test]
async fn what_a_server_before_0_2_sealed_is_sealed_anew_by_a_change_of_key() {
    let folder = old_folder().await;
    assert!(run(folder.path(), &["migrate"], &[]).status.success());
    let output = run(folder.path(), &["key", "rotate"], &[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.starts_with("2 sealed anew") && !said.contains("opened by none"), "{said}");
    let _server = Server::start(folder.path());
    mail_arrives(folder.path());
}
