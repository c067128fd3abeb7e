//! The walk's calls, in the seed's order and with its data.

use serde_json::{Value, json};

use super::expect::{Expected, Is};
use super::{Call, WalkError, Walker};
use crate::kernel::email_address::EmailAddress;

const INSTANT: Is = Is::Form("0000-00-00T00:00:00.000000Z");
const MIDNIGHT: Is = Is::Form("0000-00-00T00:00:00Z");
const SECONDS: Is = Is::Form("0000-00-00 00:00:00");
const UUID: Is = Is::Form("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");

/// `mark` tells this walk's account from those of others.
pub(super) fn walk(mut walker: Walker<'_>, mailbox: &EmailAddress, mark: &str) -> Result<(), WalkError> {
    let email = mailbox.as_str().replacen('@', &format!("+{mark}@"), 1);
    let (password, new_password) = (format!("SecurePass#456-{mark}"), format!("NewSecurePass#789-{mark}"));

    let person = json!({
        "username": format!("john_doe_{mark}"),
        "email": email,
        "password": password,
        "organisation": "AI DocuMines User",
        "contact_name": "John Doe",
        "contact_phone": "+27 444 555 666",
        "contact_email": email,
        "address": "456 Doe Street, Cape Town",
        "industry": "AI Research",
        "use_case": "Testing user management and admin privileges.",
    });
    let signup = post("SIGNUP", "/signup/", &[], person.clone());
    let signed_up = walker.call(signup, &new_account(&person))?;
    let (id, secret) = (text(&signed_up, "client_id"), text(&signed_up, "client_secret"));
    let client = [("X-Client-ID", id.as_str()), ("X-Client-Secret", secret.as_str())];

    let login = |step, password: &str| post(step, "/login/", &client, json!({"email": email, "password": password}));
    let tokens = walker.call(login("LOGIN", &password), &token_pair())?;
    let bearer = format!("Bearer {}", text(&tokens, "access_token"));
    let caller = [("Authorization", bearer.as_str()), client[0], client[1]];

    let fetch = Call { step: "FETCH USER PROFILE", method: "GET", path: "/profile/", headers: &caller, body: None };
    walker.call(fetch, &profile(&person))?;

    let changes = json!({
        "contact_name": "John Updated",
        "contact_phone": "+27 444 555 777",
        "address": "789 Updated Street, Cape Town",
    });
    let update = Call { method: "PUT", ..post("UPDATE USER PROFILE", "/profile/update/", &caller, changes) };
    walker.call(update, &message("Profile updated successfully"))?;

    let request = post("PASSWORD RESET", "/password/reset/request/", &client[..1], json!({"email": email}));
    let mut expected = message("Password reset token sent to your email");
    expected.members.push(("reset_token", UUID));
    expected.last_is_optional = true;
    let requested = walker.call(request, &expected)?;

    const MATCH: &str = "MATCH USER TOKEN WITH SYSTEM TOKEN TO COMPLETE PASSWORD RESET";
    let current = match requested["reset_token"].as_str() {
        Some(token) => {
            let body = json!({"token": token, "new_password": new_password});
            walker.call(post(MATCH, "/password/reset/", &client[..1], body), &message("Password reset successful"))?;
            new_password
        }
        None => {
            writeln!(walker.out, "#### {MATCH}\n\nskipped: this server mails the token and answers it to nobody\n")?;
            password
        }
    };

    let step = "LOGGING IN WITH NEW PASSWORD GENERATES A NEW TOKEN";
    let tokens = walker.call(login(step, &current), &token_pair())?;
    let body = json!({"refresh_token": tokens["refresh_token"]});
    walker.call(post("TOKEN REFRESH", "/refresh-token/", &client, body), &token_pair())?;
    writeln!(walker.out, "Every answer is as documented. The walk's account stays there: {email}")?;
    Ok(())
}

fn post<'a>(step: &'static str, path: &'static str, headers: &'a [(&'static str, &'a str)], body: Value) -> Call<'a> {
    Call { step, method: "POST", path, headers, body: Some(body) }
}

/// A member that was seen to be text.
fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap_or_default().to_owned()
}

fn new_account(person: &Value) -> Expected {
    let as_given = |name: &'static str| (name, Is::Exactly(person[name].clone()));
    let mut members = vec![("message", Is::Exactly("User registered successfully".into())), ("user_id", Is::Count)];
    members.extend(["organisation", "contact_name", "contact_phone", "industry", "use_case"].map(as_given));
    members.extend([
        ("client_id", Is::Letters(40)),
        ("client_secret", Is::Letters(128)),
        ("profile_created_at", INSTANT),
        ("last_login", Is::Exactly(Value::Null)),
        ("last_activity", Is::Exactly(Value::Null)),
        ("total_time_logged_in", Is::Exactly("N/A".into())),
        ("total_api_calls_made", Is::Exactly(0.into())),
        ("account_status", Is::Exactly("active".into())),
        ("total_files_uploaded", Is::Exactly(0.into())),
        ("subscription_plan", Is::Exactly("premium".into())),
        ("plan_expiry_date", MIDNIGHT),
        ("2fa_enabled", Is::Exactly(false.into())),
        ("roles", Is::Exactly(json!([]))),
        // The seed's document was a placeholder: a new account has none.
        ("last_document_edited", Is::Exactly(Value::Null)),
        ("user_preferences", Is::Exactly(json!({"theme": "light", "language": "en"}))),
        ("notifications_enabled", Is::Exactly(true.into())),
    ]);
    Expected::new(201, members)
}

fn token_pair() -> Expected {
    let members = vec![
        ("access_token", Is::Letters(30)),
        ("expires", SECONDS),
        ("token_type", Is::Exactly("Bearer".into())),
        ("expires_in", Is::Count),
        ("refresh_token", Is::Letters(30)),
        ("refresh_expires", SECONDS),
    ];
    Expected::new(200, members)
}

fn profile(person: &Value) -> Expected {
    let names = ["email", "organisation", "contact_name", "contact_phone", "address", "industry", "use_case"];
    Expected::new(200, names.map(|name| (name, Is::Exactly(person[name].clone()))).into())
}

fn message(text: &str) -> Expected {
    Expected::new(200, vec![("message", Is::Exactly(text.into()))])
}
