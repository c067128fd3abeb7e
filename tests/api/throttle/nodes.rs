//! Guessing on two nodes at once.

use futures_util::future::join_all;

use super::WRONG;
use crate::nodes::two_nodes_with;
use crate::support::{PASSWORD, person};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn of_32_guesses_over_two_nodes_no_more_get_through_than_on_one() {
    let (a, b) = two_nodes_with(&["--rate-limits=on"]).await;
    let thandi = a.sign_up("thandi").await;
    for email in [thandi.email.as_str(), "nobody@example.com"] {
        let clients = [thandi.client.clone(), thandi.client.at(&b)];
        let answers = join_all((0..32).map(|number| clients[number % 2].login(email, WRONG))).await;
        let of = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        // A second may pass meanwhile, and let one more in.
        let refused = of(429) + of(503);
        assert!((6..=8).contains(&of(401)) && of(401) + refused == 32, "{} {refused}", of(401));
    }
    for node in [&a, &b] {
        let answer = thandi.client.at(node).login(&thandi.email, PASSWORD).await;
        assert!([200, 429].contains(&answer.status.as_u16()), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn of_32_sign_ups_over_two_nodes_no_more_get_through_than_on_one() {
    let (a, b) = two_nodes_with(&["--rate-limits=on"]).await;
    let people: Vec<_> = (0..32).map(|number| person(&format!("person{number}"))).collect();
    let answers = join_all((0..32).map(|number| {
        let node = [&a, &b][number % 2];
        let somebody = &people[number];
        async move { node.anon().signup(somebody).await }
    }));
    let answers = answers.await;
    let of = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    // On a machine that has much else to do, somebody may wait too long for a connection.
    assert!(of(201) <= 20 && of(429) > 0 && of(201) + of(429) + of(503) == 32, "{} {}", of(201), of(429));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn logins_resets_and_guesses_at_once_end_in_no_deadlock() {
    let (a, b) = two_nodes_with(&["--rate-limits=on"]).await;
    let thandi = a.sign_up("thandi").await;
    let clients = [thandi.client.clone(), thandi.client.at(&b)];
    for round in 0..6 {
        let answers = join_all((0..24).map(|number| {
            let client = &clients[number % 2];
            let email = thandi.email.as_str();
            async move {
                match number % 4 {
                    0 => client.login(email, PASSWORD).await,
                    1 => client.login(email, WRONG).await,
                    2 => client.login("nobody@example.com", WRONG).await,
                    _ => client.named_only().request_reset(email).await,
                }
            }
        }));
        let sweeps = join_all([&a, &b].map(|node| documines_auth::housekeeping::sweep(&node.app)));
        let (answers, sweeps) = futures_util::future::join(answers, sweeps).await;
        sweeps.into_iter().for_each(Result::unwrap);
        for answer in answers {
            assert!(!answer.status.is_server_error(), "round {round}: {}", answer.text());
        }
    }
}
