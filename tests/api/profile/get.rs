use serde_json::{Value, json};

use crate::support::answer::member_names;
use crate::support::{TestApp, person};

#[tokio::test]
async fn a_profile_has_the_seeds_seven_members_in_its_order() {
    let app = TestApp::start().await;
    let profile = app.sign_up("thandi").await.log_in().await.caller.get_profile().await.expect(200);
    let seven = ["email", "organisation", "contact_name", "contact_phone", "address", "industry", "use_case"];
    assert_eq!(member_names(&profile), seven);
    let told = person("thandi");
    seven.iter().for_each(|member| assert_eq!(profile[member], told[member], "{member}"));
}

#[tokio::test]
async fn what_was_never_told_is_null() {
    let app = TestApp::start().await;
    let mut body = person("thandi");
    for member in ["address", "industry", "use_case"] {
        body.as_object_mut().unwrap().shift_remove(member);
    }
    let answer = app.anon().signup(&body).await.expect(201);
    let client =
        app.anon().with_client(answer["client_id"].as_str().unwrap(), answer["client_secret"].as_str().unwrap());
    let session = client.session(&client.login("thandi@example.com", crate::support::PASSWORD).await);
    let profile = session.caller.get_profile().await.expect(200);
    for member in ["address", "industry", "use_case"] {
        assert_eq!(profile[member], Value::Null, "{member}");
    }
}

#[tokio::test]
async fn everybody_sees_their_own_profile() {
    let app = TestApp::start().await;
    for name in ["thandi", "sipho"] {
        let session = app.sign_up(name).await.log_in().await;
        for _ in 0..2 {
            let profile = session.caller.get_profile().await.expect(200);
            assert_eq!(profile["email"], json!(format!("{name}@example.com")));
        }
    }
}
