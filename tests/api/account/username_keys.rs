//! Usernames from before their form was folded: the migration.

use documines_auth::store::AccountId;
use migration::{Migrator, MigratorTrait};
use sea_orm::Database;

use crate::support::people::User;
use crate::support::{TestApp, person};

/// The form in which the release before kept a name.
async fn keep_in_lower_case(app: &TestApp, user: &User<'_>, username: &str) {
    let (key, id) = (username.to_lowercase(), user.id.0);
    app.execute(&format!("UPDATE accounts SET username = '{username}', username_key = '{key}' WHERE id = {id}")).await;
}

async fn migrate_again(app: &TestApp) {
    app.execute("DELETE FROM seaql_migrations WHERE version LIKE '%username_keys'").await;
    let url = match &app.database {
        Some(database) => database.url(),
        None => format!("sqlite://{}", app.data_dir().join("auth.db").display()),
    };
    let connection = Database::connect(url).await.unwrap();
    Migrator::up(&connection, None).await.unwrap();
    connection.close().await.unwrap();
}

async fn username(app: &TestApp, id: AccountId) -> Option<String> {
    app.account(id).await.username
}

#[tokio::test]
async fn the_older_of_two_accounts_keeps_a_username_and_both_log_in() {
    let app = TestApp::start().await;
    let mut users = Vec::new();
    for number in 0..7 {
        users.push(app.sign_up(&format!("thandi{number}")).await);
    }
    // With a final sigma as lower case has it, without, and once more; in pairs, each way round; and one that is alone.
    for (user, name) in users.iter().zip(["ΟΔΟΣ", "οδοσ", "ᏣᎳᎩ", "οδοΣ2", "straße", "STRASSE", "Émile"])
    {
        keep_in_lower_case(&app, user, name).await;
    }
    migrate_again(&app).await;
    let mut names = Vec::new();
    for user in &users {
        names.push(username(&app, user.id).await);
        user.log_in().await;
    }
    let kept = [Some("ΟΔΟΣ"), None, Some("ᏣᎳᎩ"), Some("οδοΣ2"), Some("straße"), None, Some("Émile")];
    assert_eq!(names.iter().map(Option::as_deref).collect::<Vec<_>>(), kept);
    // All of them are taken now in every form.
    for taken in ["οδος", "ꮳꮃꭹ", "ΟΔΟΣ2", "STRASSE", "ÉMILE"] {
        let mut body = person("other");
        body["username"] = taken.into();
        app.anon().signup(&body).await.refused(409, "username_taken");
    }
    // Once more changes nothing.
    migrate_again(&app).await;
    assert_eq!(username(&app, users[0].id).await.as_deref(), Some("ΟΔΟΣ"));
}
