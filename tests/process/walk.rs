use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Server, until};

/// The seed's walk over the network, with its own data; gives every secret that was in play.
async fn walk(server: &Server) -> Vec<String> {
    let post = Method::POST;
    let email = "john_doe@aidocumines.com";
    let text = |answer: &Value, member: &str| answer[member].as_str().unwrap().to_owned();
    let signup = json!({
        "username": "john_doe",
        "email": email,
        "password": "SecurePass#456",
        "organisation": "AI DocuMines User",
        "contact_name": "John Doe",
        "contact_phone": "+27 444 555 666",
        "contact_email": email,
        "address": "456 Doe Street, Cape Town",
        "industry": "AI Research",
        "use_case": "Testing user management and admin privileges."
    });
    let (status, signed_up) = server.call(post.clone(), "/signup/", &[], Some(&signup)).await;
    assert_eq!(status, 201, "{signed_up}");
    let (id, secret) = (text(&signed_up, "client_id"), text(&signed_up, "client_secret"));
    let client = [("X-Client-ID", id.as_str()), ("X-Client-Secret", secret.as_str())];
    let named = [client[0]];

    let login = json!({"email": email, "password": "SecurePass#456"});
    let (status, first) = server.call(post.clone(), "/login/", &client, Some(&login)).await;
    assert_eq!(status, 200, "{first}");
    let bearer = format!("Bearer {}", text(&first, "access_token"));
    let caller = [client[0], client[1], ("Authorization", bearer.as_str())];
    let (status, profile) = server.call(Method::GET, "/profile/", &caller, None).await;
    assert_eq!((status, &profile["address"]), (200, &signup["address"]));

    let update = json!({"contact_name": "John Updated", "address": "789 Updated Street, Cape Town"});
    let (status, updated) = server.call(Method::PUT, "/profile/update/", &caller, Some(&update)).await;
    assert_eq!((status, updated), (200, json!({"message": "Profile updated successfully"})));
    let (_, profile) = server.call(Method::GET, "/profile", &caller, None).await;
    assert_eq!(profile["contact_name"], "John Updated");

    let (status, requested) =
        server.call(post.clone(), "/password/reset/request/", &named, Some(&json!({"email": email}))).await;
    assert_eq!((status, &requested["message"]), (200, &json!("Password reset token sent to your email")));
    let reset = json!({"token": requested["reset_token"], "new_password": "NewSecurePass#789"});
    let (status, done) = server.call(post.clone(), "/password/reset/", &named, Some(&reset)).await;
    assert_eq!((status, done), (200, json!({"message": "Password reset successful"})));

    let (status, problem) = server.call(Method::GET, "/profile/", &caller, None).await;
    assert_eq!((status, &problem["code"]), (401, &json!("invalid_token")));
    let login = json!({"email": email, "password": "NewSecurePass#789"});
    let (status, second) = server.call(post.clone(), "/login/", &client, Some(&login)).await;
    assert_eq!(status, 200, "{second}");
    let refresh = json!({"refresh_token": second["refresh_token"]});
    let (status, third) = server.call(post, "/refresh-token/", &client, Some(&refresh)).await;
    assert_eq!(status, 200, "{third}");

    let mut secrets = vec!["SecurePass#456".to_owned(), "NewSecurePass#789".to_owned(), secret];
    secrets.push(text(&requested, "reset_token"));
    for pair in [first, second, third] {
        secrets.extend([text(&pair, "access_token"), text(&pair, "refresh_token")]);
    }
    secrets
}

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
