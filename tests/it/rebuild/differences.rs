//! What differs is named: exactly that, and by whatever it was changed.

use serde_json::json;

use super::{LOG, judged, tables};
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_row_altered_a_flag_deleted_and_a_row_made_up_are_named() {
    let world = World::with_log(&LOG).await;
    world.is_as_rebuilt();
    world
        .execute(
            "update buddy_checkins set mood = 'difficult', notes = 'a secret'
                 where id = (select id from buddy_checkins where mood = 'good' order by id limit 1);
             delete from journey_flags where (user_id, flag) = (select user_id, flag from journey_flags order by 1, 2 limit 1);
             insert into user_emails (email, user_id) select 'made.up@example.org', id from users order by id limit 1",
        )
        .await;
    let altered = world.rows("select id, created_event from buddy_checkins where notes = 'a secret'").await;
    let (code, built) = world.rebuild(&["--all", "--diff"]);
    let expected = [("buddy_checkins", [0, 0, 1]), ("journey_flags", [0, 1, 0]), ("user_emails", [1, 0, 0])]
        .map(|(table, counts)| (table.to_owned(), counts));
    assert_eq!((code, tables(&built)), (Some(1), expected.to_vec()), "{built:#}");
    let row = &built["differences"][0]["rows"][0];
    assert_eq!((&row["key"], &row["columns"]), (&json!({"id": altered[0]["id"]}), &json!(["mood", "notes"])));
    assert_eq!(row["events"], json!([altered[0]["created_event"]]), "{row}");
    assert!(!built["differences"][1]["rows"][0]["events"].as_array().expect("a list").is_empty(), "{built:#}");
    // What is personal is shown to those who ask for it.
    let personal = ["a secret", "made.up@example.org"];
    assert!(personal.iter().all(|text| !built.to_string().contains(text)), "{built:#}");
    let (_, built) = world.rebuild(&["--all", "--diff", "--values"]);
    assert!(personal.iter().all(|text| built.to_string().contains(text)), "{built:#}");

    // Only what is asked for is compared; nothing was changed, and nothing is left behind.
    let (code, built) = world.rebuild(&["--diff", "users", "buddy_checkins"]);
    assert_eq!((code, tables(&built)), (Some(1), expected[..1].to_vec()), "{built:#}");
    assert_eq!(world.number("select count(*) from pg_namespace where nspname like 'milepost%'").await, 0);
    assert_eq!(world.number("select count(*) from buddy_checkins where notes = 'a secret'").await, 1);
    let told = world.output(&["rebuild", "--all", "--diff"]);
    let text = String::from_utf8_lossy(&told.stdout);
    assert!(text.contains("buddy_checkins: 0 rows only there, 0 only in the new one, 1 different"), "{text}");
    assert!(text.contains("45 tables compared: 3 differ") && text.contains("not swapped"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_that_was_changed_is_found_and_swapping_brings_it_to_the_past() {
    let world = World::with_log(&LOG).await;
    let folder = world.folder_with(
        "events/buddy.feedback.submitted.sql",
        "_id, match_id, from_role, rating",
        "_id, match_id, from_role, rating / 2",
    );
    let rebuild = |arguments: &[&str]| {
        let mut command = world.milepost(&[&["rebuild", "--json"], arguments].concat());
        judged(&command.env("MILEPOST_STREAMS", &folder).output().expect("it runs"))
    };
    let (code, built) = rebuild(&["--all", "--diff"]);
    let names: Vec<String> = tables(&built).into_iter().map(|(table, _)| table).collect();
    assert_eq!(
        (code, names),
        (
            Some(1),
            ["buddy_feedback", "company_day_parts", "company_days", "evidence_ledger", "metrics_company_period"]
                .map(str::to_owned)
                .to_vec()
        )
    );
    let halved = "select count(*) from buddy_feedback where rating > 0.5";
    assert!(world.number(halved).await > 0);
    world.is_as_rebuilt();
    let told = world.number("select count(*) from outbox").await;
    let (code, built) = rebuild(&["--all"]);
    assert_eq!((code, &built["is_swapped"]), (Some(0), &true.into()), "{built:#}");
    assert_eq!(world.number(halved).await, 0);
    assert_eq!(rebuild(&["--all", "--diff"]).0, Some(0));
    assert_eq!(world.rebuild(&["--all", "--diff"]).0, Some(1));
    // Nobody's journey depends on it.
    assert_eq!(world.number("select count(*) from outbox").await, told, "nobody is told anything");
    assert_eq!(world.number("select count(*) from pg_class where relname = 'buddy_feedback'").await, 2);
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_not_declared_are_not_written() {
    let world = World::with_log(&LOG).await;
    let folder = world.folder_with("stream.toml", "buddy_feedback = { apart = [\"created_event\"] }\n", "");
    let before = world.dump().await;
    let mut command = world.milepost(&["rebuild", "--all"]);
    let output = command.env("MILEPOST_STREAMS", &folder).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("tables that are not rebuilt: buddy_feedback") && said.contains("[tables]"), "{said}");
    crate::support::assert_same(&before, &world.dump().await);
    let refused = |arguments: &[&str], code: i32, told: &str| {
        let output = world.output(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && said.contains(told), "{arguments:?}: {said}");
    };
    refused(
        &["rebuild", "company_days"],
        1,
        "company_days cannot be swapped without company_campaigns, company_day_parts, company_people",
    );
    refused(&["rebuild", "company_days", "company_day_parts"], 1, "journey_milestones");
    refused(&["rebuild", "event_log"], 2, "no table that follows from the events");
    refused(&["rebuild"], 2, "required");
    refused(&["rebuild", "--rollback"], 1, "no generation before");
    refused(&["rebuild", "--all", "--since", "2026-01-01T00:00:00Z"], 2, "for analytics");
}

/// What would be lost with the old tables, or would be of them still.
#[tokio::test(flavor = "multi_thread")]
async fn tables_with_what_cannot_be_carried_over_are_refused() {
    let world = World::with_log(&LOG).await;
    let before = world.dump().await;
    for (make, undo, told) in [
        (
            "alter table users enable row level security",
            "alter table users disable row level security",
            "users has row security",
        ),
        (
            "create rule r as on delete to buddy_feedback do also nothing",
            "drop rule r on buddy_feedback",
            "buddy_feedback has rules",
        ),
        (
            "create materialized view m as select id from users",
            "drop materialized view m",
            "users: the materialized view m reads it",
        ),
        (
            "create function f() returns bigint begin atomic select count(*) from users; end",
            "drop function f",
            "users: the function f() is bound to it",
        ),
        (
            "create function g(users) returns text language plpgsql as $$ begin return 'x'; end $$",
            "drop function g",
            "users: function g(users) is bound to its row type",
        ),
        ("create table k (u users[])", "drop table k", "users: column u of table k is bound to its row type"),
        (
            "create table c () inherits (buddy_feedback)",
            "drop table c",
            "buddy_feedback inherits, or is inherited from",
        ),
    ] {
        world.execute(make).await;
        for arguments in [&["rebuild", "--all"][..], &["rebuild", "--all", "--diff"]] {
            let output = world.output(arguments);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{make}: {said}");
            assert!(said.contains("cannot be rebuilt") && said.contains(told), "{make}: {said}");
        }
        let generations = "select count(*) from pg_namespace where nspname like 'milepost%'";
        assert_eq!(world.number(generations).await, 0, "nothing was begun");
        crate::support::assert_same(&before, &world.dump().await);
        world.execute(undo).await;
    }
    world.is_as_rebuilt();
}
