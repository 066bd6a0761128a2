//! Other rules: copies of the stream folder in which journey.toml reads otherwise.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use milepost::journey::fact::Facts;
use milepost::journey::fold::from_bytes;
use serde_json::Value;

use crate::support::World;

/// A changed threshold below the old one, and one above it, for which more must be kept than is.
pub(super) const THRESHOLDS: [(&str, &str); 2] = [
    (
        "{ count = \"language_session\", at_least = 3 }, { mean",
        "{ count = \"language_session\", at_least = 2 }, { mean",
    ),
    ("reached = { count = \"buddy_event\", at_least = 10 }", "reached = { count = \"buddy_event\", at_least = 12 }"),
];

/// A flag on facts that are kept anyway, and one on the same facts in a shorter time than is asked now.
pub(super) const KEPT: [(&str, &str); 2] = [
    (
        "[flags.buddy_match_active]",
        "[flags.has_two]\nversion = 1\nholds = { count = \"match\", at_least = 2 }\n\n[flags.buddy_match_active]",
    ),
    ("for = \"14d\"", "for = \"10d\""),
];

/// A flag and a milestone on facts that nobody keeps yet; one of them is made of a signal that nobody takes yet.
pub(super) const NOT_KEPT: [(&str, &str); 3] = [
    (
        "[facts.match]",
        "[facts.taught]\noccurrences = [\"session:language_volunteer\", \"session:mentorship_volunteer\"]\n\n\
         [facts.struggled]\noccurrences = [\"mood:struggling\"]\n\n[facts.match]",
    ),
    (
        "[[signals]]\nname = \"feedback\"",
        "[[signals]]\nname = \"mood\"\nevent = \"buddy.checkin.completed\"\nlabels = [\"great\", \"good\", \"okay\", \
         \"struggling\", \"difficult\"]\nsql = \"\"\"\nselect matches.participant_id as person, \
         b.checkin_date as at, b.mood as label, b.envelope_id as event from batch as b \
         join buddy_matches as matches on matches.id = b.match_id\n\"\"\"\n\n[[signals]]\nname = \"feedback\"",
    ),
    (
        "[flags.buddy_match_active]",
        "[flags.teaches]\nversion = 1\nholds = { count = \"taught\", at_least = 2 }\n\n[milestones.struggled]\n\
         version = 1\nreached = { ever = \"struggled\" }\n\n[flags.buddy_match_active]",
    ),
];

/// A flag that is gone.
pub(super) const REMOVED: [(&str, &str); 1] = [(
    "[flags.buddy_checkin_due]\ndescription = \"a match has had no check-in for more than 7 days\"\nversion = 1\n\
     holds = { quiet = \"match.checkin\", for_more_than = \"7d\", during = \"match\" }\n",
    "",
)];

/// A copy of the stream folder, below a folder, with these edits of journey.toml.
pub(super) fn folder(parent: &Path, edits: &[(&str, &str)]) -> PathBuf {
    let folder = parent.join(uuid::Uuid::new_v4().to_string());
    let copied =
        Command::new("cp").args(["-R", concat!(env!("CARGO_MANIFEST_DIR"), "/streams/csr")]).arg(&folder).status();
    assert!(copied.expect("cp runs").success(), "the stream folder was copied");
    let file = folder.join("journey.toml");
    let mut text = std::fs::read_to_string(&file).expect("journey.toml");
    for (was, is) in edits {
        assert!(text.contains(was), "journey.toml says {was}");
        text = text.replace(was, is);
    }
    std::fs::write(&file, text).expect("journey.toml");
    folder
}

/// A verb with another stream folder.
pub(super) fn with(world: &World, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = world.milepost(arguments);
    command.env("MILEPOST_STREAMS", folder);
    command
}

/// Runs a verb with another stream folder, which must end well; gives its stdout.
#[track_caller]
pub(super) fn succeed(world: &World, folder: &Path, arguments: &[&str]) -> String {
    let output = with(world, folder, arguments).output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a text")
}

/// Exit code and what was said on stderr.
pub(super) fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What rules make of people: flags, milestones, summaries, timers and what is kept. Not the number of the rule set.
pub(super) async fn journeys(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut dump = world.dump().await;
    dump.retain(|table, _| ["users", "journey_flags", "journey_milestones"].contains(&table.as_str()));
    for (name, sql) in [
        ("journey_timers", "select user_id, due_at from journey_timers order by 1"),
        ("journey_facts_staged", "select user_id from journey_facts_staged"),
        ("pending", "select user_id from journey_facts where pending is not null"),
    ] {
        dump.insert(name.into(), world.rows(sql).await.iter().map(Value::to_string).collect());
    }
    let mut facts = Vec::new();
    let sql = "select user_id, encode(facts, 'hex') as facts from journey_facts order by 1";
    for row in world.rows(sql).await {
        for (name, fact) in read(row["facts"].as_str().expect("a text")) {
            facts.push(format!("{} {name} {fact:?}", row["user_id"]));
        }
    }
    dump.insert("journey_facts".into(), facts);
    dump
}

/// Facts, from the hexadecimal digits of their bytes.
fn read(hex: &str) -> Facts {
    let digit = |place: usize| u8::from_str_radix(hex.get(place..place + 2).expect("two digits"), 16).expect("a byte");
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(digit).collect();
    from_bytes(&bytes).expect("facts")
}
