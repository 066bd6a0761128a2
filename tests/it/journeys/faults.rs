//! A journey.toml with faults: all are reported, with their lines, and nothing goes on.

use super::candidate::{folder, said, with};
use crate::support::World;

/// The line of journey.toml on which a text begins.
fn line(text: &str, what: &str) -> usize {
    1 + text.split(what).next().expect("a text").matches('\n').count()
}

fn faulty(world: &World, edits: &[(&str, &str)], expected: &[(&str, &str)]) {
    let folder = folder(world.folder.path(), edits);
    let text = std::fs::read_to_string(folder.join("journey.toml")).expect("journey.toml");
    for verb in [&["streams", "check"][..], &["run", "--until-idle"], &["rules", "plan"], &["rules", "apply"]] {
        let (code, stderr) = said(&with(world, &folder, verb).output().expect("it runs"));
        assert_eq!(code, Some(2), "{verb:?}: {stderr}");
        for (place, fault) in expected {
            let told = format!("error: journey.toml:{}: {fault}", line(&text, place));
            assert!(stderr.contains(&told), "{verb:?} does not say {told:?}:\n{stderr}");
        }
        let faults = stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(faults, expected.len(), "{verb:?}: one line for each fault:\n{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_are_reported_with_their_lines() {
    let world = World::new().await;
    faulty(
        &world,
        &[
            ("holds = { open = \"match\" }", "holds = { open = \"mach\" }"),
            ("end = \"match_ended\"", "end = \"mach_ended\""),
            ("expires_after = \"60d\"", "expires_after = \"soon\""),
            ("person = \"person\"", "person = \"parson\""),
            ("latest = \"language_score\", below = 0.50", "latest = \"language_score\", below = 1.50"),
            ("count = \"buddy_event\", at_least = 10", "count = \"buddy_event\", at_least = 0"),
        ],
        &[
            ("{ open = \"mach\" }\n\n", "there is no fact \"mach\""),
            ("\"mach_ended\"", "there is no signal \"mach_ended\""),
            ("\"soon\"", "\"soon\": "),
            ("\"parson\"", "person: no entity \"parson\""),
            ("{ latest = \"language_score\"", "flag \"language_support_needed\": with values of language_score"),
            ("{ count = \"buddy_event\", at_least = 0 }", "milestone \"buddy_10_events\": "),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_given_twice_is_reported() {
    let world = World::new().await;
    let twice = "[flags.buddy_active]\nversion = 2\nholds = { open = \"match\" }\n\n[flags.mentor_ready]";
    faulty(&world, &[("[flags.mentor_ready]", twice)], &[("[flags.buddy_active]\nversion = 2", "")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_that_the_database_refuses_is_reported() {
    let world = World::new().await;
    let edits = [
        ("select entry.user_id as person, b.attended_at as at", "select entry.user_id as person, b.attended_on as at"),
        ("join buddy_checkins as entry", "join buddy_chickens as entry"),
        ("select report.user_id as person, b.issued_at as at,", "select report.user_id as human, b.issued_at as at,"),
    ];
    let folder = folder(world.folder.path(), &edits);
    for verb in [["streams", "check"], ["rules", "apply"]] {
        let (code, stderr) = said(&with(&world, &folder, &verb).output().expect("it runs"));
        assert_eq!(code, Some(2), "{verb:?}: {stderr}");
        eprintln!("{stderr}");
        for (signal, fault) in [
            ("attended", "column b.attended_on does not exist"),
            ("checkin", "relation \"buddy_chickens\" does not exist"),
            ("credential", "person"),
        ] {
            let told = stderr.lines().any(|line| {
                line.starts_with("error: journey.toml")
                    && line.contains(&format!("signal {signal:?}"))
                    && line.contains(fault)
            });
            assert!(told, "{verb:?} does not say {fault:?} of {signal:?}:\n{stderr}");
        }
    }
    assert_eq!(world.number("select count(*) from journey_rules").await, 0, "nothing of it is in force");
}
