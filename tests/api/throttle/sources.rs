//! Whom a limit counts against.

use super::{WRONG, limited, wait_for};
use crate::support::{PASSWORD, TestApp, person};

#[tokio::test]
async fn a_wait_is_for_one_source_at_one_account() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await;
    let guesser = thandi.client.from("203.0.113.9");
    for _ in 0..6 {
        guesser.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
    }
    wait_for(&guesser.login(&thandi.email, PASSWORD).await, "login");
    thandi.client.from("203.0.113.10").login(&thandi.email, PASSWORD).await.expect(200);
    sipho.client.from("203.0.113.9").login(&sipho.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn naming_other_addresses_gains_a_stranger_nothing() {
    let app = TestApp::start_with(&["--rate-limits=on"]).await;
    let thandi = app.sign_up("thandi").await;
    for number in 0..6 {
        let claimed = thandi.client.from(&format!("203.0.113.{number}"));
        claimed.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
    }
    let claimed = thandi.client.from("203.0.113.99, 198.51.100.7");
    wait_for(&claimed.login(&thandi.email, PASSWORD).await, "login");
    for number in 1..20 {
        let claimed = app.anon().from(&format!("203.0.113.{number}"));
        claimed.signup(&person(&format!("person{number}"))).await.expect(201);
    }
    wait_for(&app.anon().from("203.0.113.99").signup(&person("sipho")).await, "signup");
}

#[tokio::test]
async fn what_stands_left_of_the_hop_that_our_proxy_saw_gains_nothing() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    for number in 0..6 {
        let claimed = thandi.client.from(&format!("192.0.2.{number}, 203.0.113.9"));
        claimed.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
    }
    wait_for(&thandi.client.from("203.0.113.9").login(&thandi.email, PASSWORD).await, "login");
}

#[tokio::test]
async fn an_ipv6_network_of_64_bits_is_one_source() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    for number in 0..6 {
        let neighbour = thandi.client.from(&format!("2001:db8:1:2::{number}"));
        neighbour.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
    }
    wait_for(&thandi.client.from("2001:db8:1:2:ffff::1").login(&thandi.email, PASSWORD).await, "login");
    thandi.client.from("2001:db8:1:3::1").login(&thandi.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn neither_addresses_nor_sources_can_be_read_in_what_is_kept() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let guesser = thandi.client.from("203.0.113.9");
    guesser.login("nobody.readable@example.com", WRONG).await.refused(401, "invalid_credentials");
    guesser.request_reset("nobody.readable@example.com").await.expect(200);
    let text = match &app.database {
        Some(database) => crate::support::postgres::dump(&database.url()).await,
        None => {
            let files = std::fs::read_dir(app.data_dir()).unwrap();
            let read =
                |file: std::io::Result<std::fs::DirEntry>| std::fs::read(file.unwrap().path()).unwrap_or_default();
            String::from_utf8_lossy(&files.flat_map(read).collect::<Vec<u8>>()).into_owned()
        }
    };
    assert!(text.contains("thandi@example.com"), "the files were seen");
    assert!(!text.contains("nobody.readable"));
}
