//! A stream folder with faults: all of them are reported at once, each with its place, and nothing is started.

use std::path::{Path, PathBuf};

use crate::support::{World, milepost};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// A copy of the domain's folder in which texts were replaced: `(file, from, to)`; a whole new file where `from` is empty.
pub(crate) fn edited(parent: &Path, edits: &[(&str, &str, &str)]) -> PathBuf {
    let folder = parent.join("streams");
    copy(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/streams/csr")), &folder);
    for (file, from, to) in edits {
        let path = folder.join(file);
        let text = match from.is_empty() {
            true => (*to).to_owned(),
            false => {
                let text = std::fs::read_to_string(&path).expect(file);
                assert!(text.contains(from), "{file} has {from}");
                text.replacen(from, to, 1)
            }
        };
        std::fs::write(path, text).expect(file);
    }
    folder
}

/// With these edits, every verb that needs the folder ends with 2 and says all of this.
fn faulty(edits: &[(&str, &str, &str)], expected: &[&str]) {
    let parent = tempfile::tempdir().expect("a temporary directory");
    let folder = edited(parent.path(), edits);
    for verb in [["streams", "check"], ["streams", "apply"], ["run", "--until-idle"], ["prove", "--json"]] {
        let mut command = milepost();
        command.args(verb).env("MILEPOST_STREAMS", &folder).env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
        let output = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{verb:?}: {said}");
        assert!(output.stdout.is_empty(), "data only on stdout");
        for text in expected {
            assert!(said.contains(text), "{verb:?} does not say {text:?}:\n{said}");
        }
        let faults = said.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(faults, expected.len(), "{verb:?}: one line for each fault:\n{said}");
    }
}

#[test]
fn all_faults_are_reported_at_once_with_their_place() {
    let checkin = "events/buddy.checkin.completed.schema.json";
    faulty(
        &[
            ("stream.toml", "\"60s\"", "\"60 parsecs\""),
            ("stream.toml", "event_bytes_max = \"256KiB\"", "event_bytes_max = \"256 horses\""),
            ("events/buddy.hug.given.sql", "", "select 1;"),
            ("events/buddy.event.logged.schema.json", "\"maxLength\": 255", "\"const\": \"x\""),
            (checkin, "\"entity\": \"match\"", "\"entity\": \"mach\""),
            (checkin, "\"x-time\": \"checkinDate\"", "\"x-time\": \"checkinDay\""),
            ("events/company.synced.sql", "", "-- nothing\n"),
        ],
        &[
            "stream.toml: consumer.ack_wait: ",
            "stream.toml: limits.event_bytes_max: \"256 horses\" is no size",
            "events/buddy.hug.given.sql: there is no contract of that name",
            "events/buddy.event.logged.schema.json/properties/location/const: this keyword is not supported here",
            "events/company.synced.sql: there is no statement in the file",
            "events/buddy.checkin.completed.schema.json/x-time: there is no property \"checkinDay\"",
        ],
    );
}

#[test]
fn names_and_circles_are_looked_at_in_spite_of_other_faults() {
    faulty(
        &[
            ("stream.toml", "duplicate_window = \"2m\"", "duplicate_window = \"soon\""),
            ("stream.toml", "lock = \"person\"", "lock = \"parson\""),
            ("stream.toml", "name = \"enrollments\"", "name = \"enrolments\""),
            ("stream.toml", "notes = \"company_days\"", "notes = \"people\""),
            ("stream.toml", "campaigns of companies\nlater = true", "campaigns of companies\nlater = false"),
            ("events/buddy.checkin.completed.schema.json", "\"entity\": \"match\"", "\"entity\": \"mach\""),
            (
                "events/ingest.directory.synced.schema.json",
                "\"x-requires\": []",
                "\"x-requires\": [{\"entity\": \"match\", \"field\": \"userId\"}]",
            ),
        ],
        &[
            "stream.toml: stream.duplicate_window: ",
            "these contracts require each other in a circle: ",
            "events/buddy.checkin.completed: no entity \"mach\"; stream.toml has session, person, match",
            "stream.toml: derived \"people\": no entity \"parson\"",
            "stream.toml: derived \"enrolments\": there is no derived/enrolments.sql",
            "stream.toml: derived \"company_people\": it cannot be derived from the notes of \"people\"",
            "stream.toml: derived \"metrics_company_period\": it is either locked or derived later",
        ],
    );
}

#[test]
fn a_file_that_cannot_be_read_is_reported_with_the_line() {
    faulty(&[("stream.toml", "replicas = 1", "replikas = 1")], &["unknown field `replikas`"]);
    faulty(&[("stream.toml", "retention = \"limits\"", "retention = \"forever\"")], &["unknown variant `forever`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_prepares_the_sql_and_changes_nothing() {
    let mut world = World::new().await;
    assert!(world.succeed(&["streams", "check"]).contains("are valid; JetStream is as stream.toml says"));
    let edits = [
        ("events/buddy.checkin.completed.sql", "checkin_date", "checkin_day"),
        ("derived/people.sql", "update users", "update people"),
        ("stream.toml", "table = \"buddy_matches\"", "table = \"buddy_marriages\""),
        ("stream.toml", "event_log = \"event_log\"", "event_log = \"event_book\""),
    ];
    world.streams = Some(edited(world.folder.path(), &edits));
    let output = world.output(&["streams", "check"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for text in [
        "error: events/buddy.checkin.completed.sql: column \"checkin_day\" of relation \"buddy_checkins\" does not exist",
        "error: derived/people.sql: relation \"people\" does not exist",
        "error: stream.toml: entity \"match\": relation \"buddy_marriages\" does not exist",
        "error: stream.toml: store.event_log: relation \"event_book\" does not exist",
    ] {
        assert!(said.contains(text), "check does not say {text:?}:\n{said}");
    }
}
