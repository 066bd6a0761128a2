//! What is missing stops everything, unless the rest was asked for.

use serde_json::json;

use super::files::{ADA, BOB, Format, MATCH, OVER, write, write_all};
use super::{import, messages};
use crate::support::World;

const GONE: &str = "10000000-0000-4000-8000-0000000000ff";

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_is_missing_is_named_and_nothing_is_published() {
    let world = World::new().await;
    let files = write_all(&world, Format::Csv);
    for dry in [&[][..], &["--dry-run"]] {
        let (code, summary, said) = import(&world, &[&[files[1].as_str(), &files[2], &files[5]], dry].concat());
        assert_eq!(
            (code, &summary["published"], &summary["imported"]),
            (Some(1), &json!(0), &json!(false)),
            "{summary}"
        );
        // The matches are refused for want of their people, and the check-ins for want of the matches.
        for missing in [ADA, BOB, MATCH, OVER] {
            let times = said.lines().filter(|line| line.starts_with("error: ") && line.contains(missing)).count();
            assert_eq!(times, 1, "{missing}: {said}");
        }
        assert_eq!(summary["missing"].as_array().map(Vec::len), Some(4), "{summary}");
        assert_eq!(said.lines().filter(|line| line.starts_with("error: ")).count(), 4, "{said}");
        assert_eq!(summary["refused"], 5);
    }
    assert_eq!(messages(&world).await, 0);
    assert_eq!(world.number("select count(*) from audit_logs where action = 'import'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_publishes_nothing() {
    let world = World::new().await;
    let files = write_all(&world, Format::Json);
    let arguments: Vec<&str> = files.iter().map(String::as_str).chain(["--dry-run"]).collect();
    let (code, summary, said) = import(&world, &arguments);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((&summary["events"], &summary["published"], &summary["dry_run"]), (&json!(12), &json!(0), &json!(true)));
    assert_eq!(messages(&world).await, 0);
    assert_eq!(world.number("select count(*) from audit_logs where action = 'import'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_part_the_others_are_imported_and_what_is_not_is_said() {
    let world = World::new().await;
    let files = write_all(&world, Format::Csv);
    assert_eq!(import(&world, &[&files[0]]).0, Some(0));
    world.drain(&[]); // from now on they are in the database
    let matches = format!(
        "id,participant_id,buddy_id,matched_at\n{MATCH},{ADA},{BOB},2025-11-03\n{OVER},{ADA},{GONE},2025-11-03\n"
    );
    let matches = write(&world, "some.csv", matches.as_bytes());
    let (code, summary, said) = import(&world, &[&matches, &files[2], "--partial"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((&summary["published"], &summary["refused"]), (&json!(2), &json!(2)), "{summary}");
    assert!(said.contains(&format!("some.csv:3: there is no person {GONE}")), "{said}");
    assert!(said.contains(&format!("there is no match {OVER}")), "{said}");
    assert_eq!(world.drain(&[])["applied"], 4, "a match, a check-in, two files");
    assert_eq!(world.number("select count(*) from buddy_checkins").await, 1);
    assert_eq!(world.number("select count(*) from waiting_events").await, 0);

    // Later the rest can be imported: the same file, and what was imported is known.
    let gone = format!("id,email,updated_at\n{GONE},gone@example.org,2025-11-01\n");
    let gone = write(&world, "gone.csv", gone.as_bytes());
    let (code, summary, said) = import(&world, &[&gone, &matches, &files[2]]);
    assert_eq!((code, &summary["published"], &summary["known"]), (Some(0), &json!(3), &json!(2)), "{said}{summary}");
    world.drain(&[]);
    assert_eq!(world.number("select count(*) from buddy_checkins").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_says_something_else_than_before_is_refused() {
    let world = World::new().await;
    let files = write_all(&world, Format::Csv);
    let all: Vec<&str> = files.iter().map(String::as_str).collect();
    assert_eq!(import(&world, &all).0, Some(0));
    world.drain(&[]);
    let text = std::fs::read_to_string(&files[2]).expect("check-ins").replace("Great", "good");
    let changed = write(&world, "changed.csv", text.as_bytes());
    let (code, summary, said) = import(&world, &[&changed]);
    assert_eq!((code, &summary["published"]), (Some(1), &json!(0)), "{summary}");
    assert!(said.contains("changed.csv:3: was imported before, and said something else"), "{said}");
    let (code, _, said) = import(&world, &[&changed, &files[2], "--dry-run"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("says something else than"), "{said}");
}
