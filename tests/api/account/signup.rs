use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp, hours, person};

/// A sign-up of `person("thandi")` with one member set to `value`.
fn with(member: &str, value: impl Into<Value>) -> Value {
    let mut body = person("thandi");
    body[member] = value.into();
    body
}

fn without(members: &[&str]) -> Value {
    let mut body = person("thandi");
    for member in members {
        body.as_object_mut().unwrap().shift_remove(*member);
    }
    body
}

#[tokio::test]
async fn a_sign_up_makes_an_account_that_can_log_in() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.log_in().await.caller.get_profile().await.expect(200);
    assert_eq!(app.events_of(thandi.id).await, ["signed_up", "logged_in"]);
}

#[tokio::test]
async fn what_may_be_left_away_is_null_and_contact_email_becomes_the_email() {
    let app = TestApp::start().await;
    let body = without(&["username", "contact_email", "address", "industry", "use_case"]);
    let answer = app.anon().signup(&body).await.expect(201);
    assert_eq!((&answer["industry"], &answer["use_case"]), (&Value::Null, &Value::Null));
    let id = documines_auth::store::AccountId(answer["user_id"].as_i64().unwrap());
    let account = app.account(id).await;
    assert_eq!((account.username, account.profile.address), (None, None));
    assert_eq!(account.profile.contact_email, "thandi@example.com");
}

#[tokio::test]
async fn contact_email_is_kept_where_it_is_given() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    assert_eq!(app.account(thandi.id).await.profile.contact_email, "office@example.com");
}

#[tokio::test]
async fn several_accounts_need_no_username() {
    let app = TestApp::start().await;
    for email in ["one@example.com", "two@example.com"] {
        let mut body = without(&["username"]);
        body["email"] = email.into();
        app.anon().signup(&body).await.expect(201);
    }
}

#[tokio::test]
async fn strings_are_trimmed() {
    let app = TestApp::start().await;
    let mut body = person("thandi");
    for member in body.as_object_mut().unwrap().iter_mut().filter(|(name, _)| *name != "password") {
        *member.1 = format!("  {} ", member.1.as_str().unwrap()).into();
    }
    let answer = app.anon().post("/signup/").json(&body).beyond_the_schema().send().await.expect(201);
    let account = app.account(documines_auth::store::AccountId(answer["user_id"].as_i64().unwrap())).await;
    let profile = account.profile;
    assert_eq!(answer["organisation"], "Nkosi Geological Surveys");
    assert_eq!(account.username.as_deref(), Some("thandi"));
    assert_eq!((profile.email.as_str(), profile.contact_email.as_str()), ("thandi@example.com", "office@example.com"));
    assert_eq!((profile.contact_name.as_str(), profile.contact_phone.as_str()), ("Thandi Nkosi", "+27 21 555 0147"));
    assert_eq!(profile.address.as_deref(), Some("12 Protea Lane, Stellenbosch"));
    assert_eq!(profile.industry.as_deref(), Some("Geology"));
    assert_eq!(profile.use_case.as_deref(), Some("Finding survey reports by what they say."));
}

#[tokio::test]
async fn a_password_is_not_trimmed() {
    let app = TestApp::start().await;
    let password = "  maize lantern tide ";
    let answer = app.anon().signup(&with("password", password)).await.expect(201);
    let client =
        app.anon().with_client(answer["client_id"].as_str().unwrap(), answer["client_secret"].as_str().unwrap());
    client.login("thandi@example.com", password.trim()).await.refused(401, "invalid_credentials");
    client.login("thandi@example.com", password).await.expect(200);
}

#[tokio::test]
async fn what_is_required_and_empty_after_trimming_is_refused() {
    let app = TestApp::start().await;
    for member in ["email", "organisation", "contact_name", "contact_phone"] {
        for empty in ["", "   "] {
            app.anon().signup(&with(member, empty)).await.names(&[&format!("/{member}")]);
        }
    }
    assert_eq!(app.count_accounts().await, 0);
}

#[tokio::test]
async fn what_may_be_omitted_may_be_null_or_empty_as_well() {
    let app = TestApp::start().await;
    for (number, none) in [Value::Null, json!(""), json!("  ")].into_iter().enumerate() {
        let mut body = person(&format!("thandi{number}"));
        for member in ["username", "contact_email", "address", "industry", "use_case"] {
            body[member] = none.clone();
        }
        let answer = app.anon().post("/signup/").json(&body).beyond_the_schema().send().await.expect(201);
        let account = app.account(documines_auth::store::AccountId(answer["user_id"].as_i64().unwrap())).await;
        let profile = account.profile;
        assert_eq!((account.username, profile.address, profile.industry, profile.use_case), (None, None, None, None));
        assert_eq!(profile.contact_email, profile.email);
    }
    // As far as null goes, the schema says so.
    app.anon().signup(&with("address", Value::Null)).await.expect(201);
}

#[tokio::test]
async fn control_characters_are_refused() {
    let app = TestApp::start().await;
    let members = person("thandi");
    for (member, good) in members.as_object().unwrap() {
        for control in ['\0', '\n', '\r', '\u{7f}', '\u{85}'] {
            let bad = format!("{}{control}", good.as_str().unwrap());
            app.anon().signup(&with(member, bad)).await.names(&[&format!("/{member}")]);
        }
    }
}

#[tokio::test]
async fn a_number_for_a_string_is_refused() {
    let app = TestApp::start().await;
    for member in person("thandi").as_object().unwrap().keys() {
        app.anon().signup(&with(member, 12_345_678)).await.names(&[&format!("/{member}")]);
    }
}

#[tokio::test]
async fn null_for_what_is_required_is_refused() {
    let app = TestApp::start().await;
    for member in ["email", "password", "organisation", "contact_name", "contact_phone"] {
        app.anon().signup(&with(member, Value::Null)).await.names(&[&format!("/{member}")]);
    }
}

#[tokio::test]
async fn a_missing_member_is_named() {
    let app = TestApp::start().await;
    for member in ["email", "password", "organisation", "contact_name", "contact_phone"] {
        let errors = app.anon().signup(&without(&[member])).await.invalid();
        assert_eq!(errors, [(format!("/{member}"), "is required".to_owned())]);
    }
}

#[tokio::test]
async fn an_unknown_member_is_named() {
    let app = TestApp::start().await;
    app.anon().signup(&with("roles", json!(["admin"]))).await.names(&["/roles"]);
    app.anon().signup(&with("a/b~c", "x")).await.names(&["/a~1b~0c"]);
    assert_eq!(app.count_accounts().await, 0);
}

#[tokio::test]
async fn every_bad_member_is_named_at_once() {
    let app = TestApp::start().await;
    let mut body = with("email", "nobody");
    body["contact_phone"] = "call me".into();
    body["plan"] = "premium".into();
    body.as_object_mut().unwrap().shift_remove("organisation");
    app.anon().signup(&body).await.names(&["/email", "/organisation", "/contact_phone", "/plan"]);
}

#[tokio::test]
async fn texts_are_taken_up_to_their_length_and_refused_beyond() {
    let app = TestApp::start().await;
    let limits =
        [("organisation", 255), ("contact_name", 255), ("industry", 255), ("address", 2_000), ("use_case", 2_000)];
    for (number, (member, limit)) in limits.into_iter().enumerate() {
        // Counted in code points: each of these is three bytes long.
        app.anon().signup(&with(member, "ẃ".repeat(limit + 1))).await.names(&[&format!("/{member}")]);
        let mut body = person(&format!("thandi{number}"));
        body[member] = "ẃ".repeat(limit).into();
        app.anon().signup(&body).await.expect(201);
    }
}

#[tokio::test]
async fn a_username_has_letters_digits_and_five_signs_up_to_150() {
    let app = TestApp::start().await;
    for bad in ["thandi nkosi", "thandi!", "thandi/1", "<thandi>", &"t".repeat(151)] {
        app.anon().signup(&with("username", bad)).await.names(&["/username"]);
    }
    app.anon().signup(&with("username", "Thandi@.+-_7")).await.expect(201);
    let mut longest = person("sipho");
    longest["username"] = "s".repeat(150).into();
    app.anon().signup(&longest).await.expect(201);
}

#[tokio::test]
async fn a_phone_number_has_7_to_15_digits_and_few_other_signs() {
    let app = TestApp::start().await;
    let long = format!("+27 21 555 0147{}", " ".repeat(36)) + "1";
    for bad in ["123456", "1234567890123456", "+27 21 555 O147", "+27/215550147", "call me now", &long] {
        app.anon().signup(&with("contact_phone", bad)).await.names(&["/contact_phone"]);
    }
    for (number, good) in ["1234567", "123456789012345", "+27 (0)21-555.01 47"].into_iter().enumerate() {
        let mut body = person(&format!("thandi{number}"));
        body["contact_phone"] = good.into();
        assert_eq!(app.anon().signup(&body).await.expect(201)["contact_phone"], good);
    }
}

#[tokio::test]
async fn what_is_no_email_address_is_refused() {
    let app = TestApp::start().await;
    let long = format!("{}@{}.com", "a".repeat(64), "b".repeat(190));
    for bad in ["thandi", "thandi@", "@example.com", "a b@example.com", "Thandi <t@example.com>", "t@localhost", &long]
    {
        app.anon().signup(&with("email", bad)).await.names(&["/email"]);
        app.anon().signup(&with("contact_email", bad)).await.names(&["/contact_email"]);
    }
}

#[tokio::test]
async fn an_email_address_is_kept_in_lower_case() {
    let app = TestApp::start().await;
    let answer = app.anon().signup(&with("email", "Thandi.Nkosi@Example.COM")).await.expect(201);
    let id = documines_auth::store::AccountId(answer["user_id"].as_i64().unwrap());
    assert_eq!(app.account(id).await.profile.email, "thandi.nkosi@example.com");
}

#[tokio::test]
async fn an_email_address_is_taken_in_whatever_case() {
    let app = TestApp::start().await;
    app.sign_up("thandi").await;
    for email in ["thandi@example.com", "THANDI@example.com", "Thandi@Example.Com"] {
        let mut body = person("other");
        body["email"] = email.into();
        app.anon().signup(&body).await.refused(409, "email_taken");
    }
    assert_eq!(app.count_accounts().await, 1);
}

#[tokio::test]
async fn a_username_is_taken_in_whatever_case() {
    let app = TestApp::start().await;
    let mut first = person("thandi");
    first["username"] = "Émile".into();
    app.anon().signup(&first).await.expect(201);
    for username in ["Émile", "émile", "ÉMILE"] {
        let mut body = person("other");
        body["username"] = username.into();
        app.anon().signup(&body).await.refused(409, "username_taken");
    }
}

#[tokio::test]
async fn a_username_is_taken_in_every_form_that_folds_to_the_same() {
    let app = TestApp::start().await;
    let same = [
        ("ΟΔΟΣ", "οδοσ"),
        ("οδος1", "ΟΔΟΣ1"),
        ("STRAẞE", "straße"),
        ("MASSE", "maße"),
        ("ﬁona", "FIONA"),
        ("ᏣᎳᎩ", "ꮳꮃꭹ"),
    ];
    let other = [("IŞIK", "ışık"), ("İPEK", "ipek"), ("paypal", "раyраl")];
    for (number, (one, two)) in same.into_iter().chain(other).enumerate() {
        let mut bodies = [person(&format!("one{number}")), person(&format!("two{number}"))];
        bodies[0]["username"] = one.into();
        bodies[1]["username"] = two.into();
        app.anon().signup(&bodies[0]).await.expect(201);
        let second = app.anon().signup(&bodies[1]).await;
        if number < same.len() {
            second.refused(409, "username_taken");
        } else {
            second.expect(201);
        }
    }
}

#[tokio::test]
async fn an_international_domain_is_one_whichever_form_was_sent() {
    let app = TestApp::start().await;
    // `format: email` knows the ASCII form alone.
    let signup = |body: Value| app.anon().post("/signup/").json(&body).beyond_the_schema().send();
    let answer = signup(with("email", "thandi@bücher.example")).await.expect(201);
    let id = documines_auth::store::AccountId(answer["user_id"].as_i64().unwrap());
    assert_eq!(app.account(id).await.profile.email, "thandi@xn--bcher-kva.example");
    let mail = app.deliver_mail().await.pop().unwrap();
    assert_eq!(crate::mail::header(&mail, "To"), "thandi@xn--bcher-kva.example");
    let client = app.anon().with_client_of(&answer);
    for form in ["thandi@bücher.example", "thandi@xn--bcher-kva.example", "Thandi@BÜCHER.example"] {
        let body = json!({"email": form, "password": PASSWORD});
        let session = client.session(&client.post("/login/").json(&body).beyond_the_schema().send().await);
        assert_eq!(session.caller.get_profile().await.expect(200)["email"], "thandi@xn--bcher-kva.example");
        let mut body = person("other");
        body["email"] = form.into();
        signup(body).await.refused(409, "email_taken");
    }
}

#[tokio::test]
async fn a_weak_password_is_refused_with_the_reason() {
    let app = TestApp::start().await;
    for weak in ["password123", "aaaaaaaaaaaa", "qwertyuiop", "thandi@example.com", "ThandiNkosi1", "NkosiGeological"] {
        let problem = app.anon().signup(&with("password", weak)).await.refused(400, "weak_password");
        assert_eq!(problem["errors"][0]["field"], "/password");
        assert!(problem["errors"][0]["message"].as_str().unwrap().starts_with("is too weak: "), "{problem}");
        assert!(!problem.to_string().contains(weak), "{problem}");
    }
    assert_eq!(app.count_accounts().await, 0);
}

#[tokio::test]
async fn a_password_with_a_name_of_its_owner_is_refused_however_long_it_is() {
    let app = TestApp::start().await;
    for name in ["THANDI@example.com", "tHaNdI", "thandi nkosi"] {
        let weak = format!("umbrella quartz 71 copper heron 82 {name} drift");
        let problem = app.anon().signup(&with("password", weak.as_str())).await.refused(400, "weak_password");
        assert_eq!(problem["errors"][0]["field"], "/password");
        assert!(problem["errors"][0]["message"].as_str().unwrap().contains("it contains "), "{problem}");
    }
    let mut body = with("password", "umbrella quartz 71 geodetic_T drift");
    body["username"] = "Geodetic_t".into();
    app.anon().signup(&body).await.refused(400, "weak_password");
    assert_eq!(app.count_accounts().await, 0);
}

#[tokio::test]
async fn a_password_has_8_to_128_code_points() {
    let app = TestApp::start().await;
    let sentence = "Thirty-one herons waded past the copper mine; ".repeat(3);
    let (longest, too_long) = (&sentence[..128], &sentence[..129]);
    for bad in ["kT7#mq2", too_long] {
        app.anon().signup(&with("password", bad)).await.names(&["/password"]);
    }
    // Long enough, but zxcvbn gives no eight characters the three points that are wanted.
    app.anon().signup(&with("password", "kT7#mq2Z")).await.refused(400, "weak_password");
    let mut shortest = person("sipho");
    shortest["password"] = "kT7#mq2Zw".into();
    app.anon().signup(&shortest).await.expect(201);
    app.anon().signup(&with("password", longest)).await.expect(201);
}

#[tokio::test]
async fn a_password_needs_no_digit_no_sign_and_no_capital() {
    let app = TestApp::start().await;
    app.anon().signup(&with("password", "herons wade past copper mines")).await.expect(201);
}

#[tokio::test]
async fn the_trial_ends_91_days_on_at_midnight_utc() {
    let app = TestApp::start().await;
    app.advance(hours(20) + crate::support::seconds(25 * 60 + 41));
    let last_moment = app.anon().signup(&person("thandi")).await.expect(201);
    assert_eq!(last_moment["plan_expiry_date"], "2025-06-06T00:00:00Z");
    app.advance(crate::support::seconds(1));
    let next_day = app.anon().signup(&person("sipho")).await.expect(201);
    assert_eq!(next_day["plan_expiry_date"], "2025-06-07T00:00:00Z");
}

#[tokio::test]
async fn each_account_gets_credentials_of_its_own() {
    let app = TestApp::start().await;
    let one = app.sign_up("thandi").await;
    let other = app.sign_up("sipho").await;
    assert_ne!(one.id, other.id);
    assert_ne!(one.client.client_id, other.client.client_id);
    assert_ne!(one.client.client_secret, other.client.client_secret);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_32_sign_ups_with_one_email_at_once_one_wins() {
    let app = TestApp::start().await;
    let anon = app.anon();
    let bodies: Vec<Value> = (0..32).map(|number| with("username", format!("thandi{number}"))).collect();
    let answers = join_all(bodies.iter().map(|body| anon.signup(body))).await;
    let (winners, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!(winners.len(), 1);
    others.iter().for_each(|answer| drop(answer.refused(409, "email_taken")));
    assert_eq!(app.count_accounts().await, 1);
    let winner = winners[0].json();
    let client = anon.with_client(winner["client_id"].as_str().unwrap(), winner["client_secret"].as_str().unwrap());
    client.login("thandi@example.com", PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_32_sign_ups_with_one_username_at_once_one_wins() {
    let app = TestApp::start().await;
    let anon = app.anon();
    let bodies: Vec<Value> = (0..32).map(|number| with("email", format!("thandi{number}@example.com"))).collect();
    let answers = join_all(bodies.iter().map(|body| anon.signup(body))).await;
    let (winners, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!(winners.len(), 1);
    others.iter().for_each(|answer| drop(answer.refused(409, "username_taken")));
    assert_eq!(app.count_accounts().await, 1);
}
