//! What merging people may touch: tables of people of Milepost's own, and nothing of others is lost by it.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _};
use uuid::Uuid;

use super::external;
use super::merging::derived;
use crate::support::{Csr, World};

/// Two rows, and the event by which it becomes known that they are one person.
async fn about_to_be_one(world: &World) -> Value {
    let mut csr = Csr::new();
    let known = [
        external(&mut csr, "okta", "o-1", "ada@example.org", "created"),
        external(&mut csr, "azure_ad", "z-1", "countess@example.org", "created"),
    ];
    world.publish_events(&known).await;
    world.drain(&[]);
    external(&mut csr, "azure_ad", "z-1", "ada@example.org", "updated")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_tables_of_people_that_the_functions_owner_made_are_merged() {
    let world = World::new().await;
    let other = format!("other_{}", Uuid::new_v4().simple());
    for sql in [
        "create schema elsewhere".to_owned(),
        "create table elsewhere.users (like users including all)".to_owned(),
        "create schema milepost_next".to_owned(),
        "create view milepost_next.users as select * from public.users".to_owned(),
        // The owner of the function has this role's rights, too.
        format!("create role {other}"),
        "create schema milepost_previous".to_owned(),
        "create table milepost_previous.users (like users including all)".to_owned(),
        format!("alter table milepost_previous.users owner to {other}"),
    ] {
        world.execute(&sql).await;
    }
    let mut postgres = world.postgres().await;
    for table in ["elsewhere.users", "milepost_next.users", "milepost_previous.users", "companies"] {
        let sql = format!("select merge_people('{table}', gen_random_uuid(), gen_random_uuid())");
        let error = sqlx::query(AssertSqlSafe(sql)).execute(&mut postgres).await.expect_err(table);
        assert!(error.to_string().contains("is no table of people"), "{table}: {error}");
    }
    world.execute("select merge_people('users', gen_random_uuid(), gen_random_uuid())").await;
    postgres.close().await.expect("closed");
    world.execute(&format!("drop owned by {other}; drop role {other}")).await;
}

/// Other services keep tables in the same database. Where theirs has room for one row of a person, the row of the one who
/// goes is in the way: it is taken out of it, and kept.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_others_that_are_in_the_way_of_a_merge_are_kept_aside() {
    let world = World::new().await;
    let known = about_to_be_one(&world).await;
    let [ada, countess] = ["ada", "countess"].map(derived);
    for sql in [
        "create table user_preferences (user_id uuid primary key references users on update cascade, theme text)",
        // Named like one of Milepost's own.
        "create schema elsewhere",
        "create table elsewhere.company_users (user_id uuid references users (id) unique, of integer)",
        "create table bookings (room text primary key, user_id uuid not null references users (id))",
    ] {
        world.execute(sql).await;
    }
    for (person, word) in [(ada, "light"), (countess, "dark")] {
        world.execute(&format!("insert into user_preferences values ('{person}', '{word}')")).await;
        world.execute(&format!("insert into elsewhere.company_users values ('{person}', {})", word.len())).await;
        world.execute(&format!("insert into bookings values ('{word}', '{person}')")).await;
    }
    world.publish_events(&[known]).await;
    assert_eq!(world.drain(&[])["applied"], 1);

    assert_eq!(world.number("select count(*) from users").await, 1);
    let kept = world.rows("select user_id, theme from user_preferences").await;
    assert_eq!(kept, [json!({"user_id": ada, "theme": "light"})]);
    assert_eq!(world.number(&format!("select count(*) from bookings where user_id = '{ada}'")).await, 2);
    let aside = world.rows("select gone, stays, relation, content from identity_merge_losses order by relation").await;
    let lost = |relation: &str, content: Value| json!({"gone": countess, "stays": ada, "relation": relation, "content": content});
    let expected = [
        lost("elsewhere.company_users", json!({"user_id": countess, "of": 4})),
        lost("public.user_preferences", json!({"user_id": countess, "theme": "dark"})),
    ];
    assert_eq!(aside, expected, "and nothing of Milepost's own, which follows from the events");
    world.prove();
}

/// A table that a later migration makes is taken for somebody else's until the function knows it. Two are filled by others.
#[tokio::test(flavor = "multi_thread")]
async fn the_function_knows_each_table_of_ours_that_refers_to_people() {
    let world = World::without_stream().await;
    let unknown = "select conrelid::regclass::text as name from pg_constraint, pg_proc
                   where contype = 'f' and confrelid = 'users'::regclass and proname = 'merge_people'
                     and conrelid::regclass::text not in ('api_request_deduplication', 'audit_logs')
                     and prosrc !~ ('\\m' || conrelid::regclass::text || '\\M') group by 1";
    assert_eq!(world.rows(unknown).await, Vec::<Value>::new());
}
