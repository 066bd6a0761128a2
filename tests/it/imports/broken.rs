//! Broken files: each fault is named with file, line, column and a hint, all at once, and nothing that is personal is repeated.

use serde_json::json;

use super::files::{ADA, BOB, MATCH, write};
use super::import;
use crate::support::World;

/// Must not be repeated, wherever it stands.
const SECRET: &str = "grace@example.org";

struct Case {
    name: &'static str,
    text: Vec<u8>,
    arguments: &'static [&'static str],
    /// One for each fault, after the file's name.
    faults: Vec<String>,
}

fn case(name: &'static str, text: impl Into<Vec<u8>>, faults: &[&str]) -> Case {
    let faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
    Case { name, text: text.into(), arguments: &[], faults }
}

fn id(number: u32) -> String {
    format!("30000000-0000-4000-8000-{number:012}")
}

const CHECKINS: &str = "id,match_id,checkin_date,mood,notes\n";
const USERS: &str = "id,email,first_name,updated_at\n";

fn files_as_such() -> Vec<Case> {
    let good = format!("{},{MATCH},2025-11-01,good,", id(1));
    vec![
        case("empty.csv", "", &[": is empty"]),
        case("blank.csv", " \r\n\n", &[": is empty"]),
        case("headers.csv", CHECKINS, &[": has no rows"]),
        case("none.json", "[]", &[": has no rows"]),
        case("utf16.csv", b"\xff\xfei\0d\0".as_slice(), &[": is UTF-16"]),
        case("latin1.csv", [CHECKINS.as_bytes(), good.as_bytes(), b"caf\xe9\n"].concat(), &[":2: is not UTF-8"]),
        case("nul.csv", format!("{CHECKINS}{good}a\0b\n"), &[":2: has a NUL"]),
        case(
            "ragged.csv",
            format!("{CHECKINS}{good},\n{good}\n{},{MATCH}\n", id(2)),
            &[":2: has 6 cells, there are 5 columns", ":4: has 2 cells, there are 5 columns"],
        ),
        case("comma.csv", format!("{CHECKINS}{good}we met, and {SECRET} came\n"), &[":2: has 6 cells"]),
        case(
            "open.csv",
            format!("{CHECKINS}{good}\n{},{MATCH},2025-11-01,good,\"we met\n{good}\n", id(2)),
            &[":3: a quotation mark is opened and never closed"],
        ),
        case("twice.csv", "id,id,email\n1,2,3\n", &[":1: id: stands there twice"]),
        case("nameless.csv", "id,,email\n1,2,3\n", &[":1: the column 2 has no name"]),
        case("broken.json", "[{\"id\": 1},\n{\"id\": }]", &[":2: is not JSON from column"]),
        case(
            "rows.json",
            format!("[{{\"id\": \"{ADA}\", \"email\": \"a@b\", \"updated_at\": \"2025-11-01\"}},\n 7]"),
            &[":2: is not an object"],
        ),
        case("several.json", "{\"a\": [{\"id\": 1}], \"b\": [{\"id\": 1}]}", &[": is an object with several arrays"]),
        case(
            "lines.ndjson",
            "{\"id\": 1}\n{\"id\": 1, \"id\": 2}\nnothing\n",
            &[": has not all columns of any of checkins, events, feedback, matches, milestones, users"],
        ),
        case("deep.ndjson", "[".repeat(100_000), &[":1: is nested deeper than 64"]),
        case("anything.csv", "a,b\n1,2\n", &[": has not all columns of any of"]),
        case(
            "ambiguous.csv",
            format!(
                "id,match_id,checkin_date,mood,event_type,event_date\n{},{MATCH},2025-11-01,good,call,2025-11-01\n",
                id(1)
            ),
            &[": may be any of checkins, events"],
        ),
    ]
}

fn rows() -> Vec<Case> {
    let unknown = format!("{},{BOB},bob@example.org,2025-11-01", id(9));
    vec![
        case(
            "unknown.csv",
            format!("shoe size,id,email,updated_at,Phone\n{SECRET},{unknown}\n"),
            &[": shoe size: users have no such column", ": Phone: users have no such column"],
        ),
        case(
            "same.csv",
            format!("id,userId,email,updatedAt\n{unknown}\n").replace(BOB, &id(9)),
            &[": userId: means a column that is there already"],
        ),
        Case {
            arguments: &["--entity", "matches"],
            ..case(
                "wrong.csv",
                format!("{USERS}{ADA},ada@example.org,Ada,2025-11-01\n"),
                &[
                    ": buddy_id: matches must have this column",
                    ": matched_at: matches must have",
                    ": participant_id: matches must have",
                    ": email: matches have no such column",
                    ": first_name: matches have no such column",
                ],
            )
        },
        case(
            "types.csv",
            format!(
                "{CHECKINS}1,{MATCH},2025-11-01,good,\n{},{MATCH},01.11.2025,good,\n{},{MATCH},2025-02-30,grate,\n{},{MATCH},2025-11-01,grate,{SECRET}\n{},{SECRET},2025-11-01,good,\n",
                id(1),
                id(2),
                id(3),
                id(4)
            ),
            &[
                ":2: id: must be a UUID, not \"1\"",
                ":3: checkin_date: must be a time, not \"01.11.2025\"",
                ":4: checkin_date: must be a time",
                ":5: mood: must be one of great, good, okay, struggling, difficult (enum), not \"grate\"",
                ":6: match_id: must be a UUID",
            ],
        ),
    ]
}

fn cells() -> Vec<Case> {
    vec![
        case(
            "ids.csv",
            format!(
                "{CHECKINS}{0},{MATCH},2025-11-01,good,\n{1},{MATCH},2025-11-01,good,\n{0},{MATCH},2025-11-01,good,\n",
                id(1),
                id(2)
            ),
            &[":4: has the id of line 2"],
        ),
        case(
            "users.csv",
            format!(
                "{USERS}{ADA},grace.example.org,Ada,2025-11-01\n{BOB},{SECRET},{},2025-11-01\n{},{SECRET},,\n",
                "x".repeat(101),
                id(5)
            ),
            &[
                ":2: email: must be an e-mail address",
                ":3: first_name: must have at most 100 characters, has 101",
                ":4: updated_at: is required",
            ],
        ),
        case(
            "ratings.csv",
            format!(
                "id;match_id;from_role;rating;submitted_at\n{};{MATCH};buddy;4,5;2025-11-01\n{};{MATCH};nobody;5;2025-11-01\n{};{MATCH};buddy;6;2025-11-01\n{};{MATCH};buddy;;2025-11-01\n",
                id(1),
                id(2),
                id(3),
                id(4)
            ),
            &[
                ":2: rating: must be a number with a decimal point, not \"4,5\"",
                ":3: from_role: must be one of",
                ":4: rating: must be between 0 and 5, not \"6\"",
                ":5: rating: is required",
            ],
        ),
        case(
            "over.ndjson",
            format!(
                "{{\"id\": \"{}\", \"participantId\": \"{ADA}\", \"buddyId\": \"{BOB}\", \"matchedAt\": \"2025-11-01\", \"status\": \"Ended\"}}\n\n{{\"id\": {{\"a\": 1}}}}\n",
                id(1)
            ),
            &[": id.a: matches have no such column"],
        ),
        case(
            "ended.ndjson",
            format!(
                "{{\"id\": \"{}\", \"participantId\": \"{ADA}\", \"buddyId\": \"{BOB}\", \"matchedAt\": \"2025-11-01\", \"status\": \"Ended\"}}\n\n{{\"id\": [1]}}\n",
                id(1)
            ),
            &[":1: ended_at: is required", ":3: id: must be a single value"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_named_with_its_place_and_a_hint() {
    let world = World::without_stream().await;
    let people = format!("insert into users (id, email) values ('{ADA}', 'a@example.org'), ('{BOB}', 'b@example.org')");
    let matched = format!(
        "insert into buddy_matches (id, participant_id, buddy_id, matched_at, created_event, created_event_at)
        values ('{MATCH}', '{ADA}', '{BOB}', now(), '{MATCH}', now())"
    );
    world.execute(&format!("{people}; {matched}")).await;
    let cases: Vec<Case> = [files_as_such(), rows(), cells()].into_iter().flatten().collect();
    let mut all = Vec::new();
    for case in &cases {
        let path = write(&world, case.name, &case.text);
        let (code, summary, said) = import(&world, &[&[path.as_str()], case.arguments].concat());
        assert_eq!((code, &summary["imported"]), (Some(1), &json!(false)), "{}: {said}", case.name);
        let faults: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(faults.len(), case.faults.len(), "{}: {said}", case.name);
        for expected in &case.faults {
            let expected = format!("error: {path}{expected}");
            assert!(faults.iter().any(|fault| fault.starts_with(&expected)), "{expected}\n{said}");
        }
        assert!(said.contains("\n  hint: "), "{said}");
        assert!(!said.contains("grace"), "{}: something personal is repeated: {said}", case.name);
        if case.arguments.is_empty() {
            all.push((path, case.faults.len()));
        }
    }

    // All at once, beside a file that is good.
    let good = write(&world, "good.csv", format!("{USERS}{ADA},ada@example.org,Ada,2025-11-01\n").as_bytes());
    let paths: Vec<&str> = all.iter().map(|(path, _)| path.as_str()).chain([good.as_str()]).collect();
    let (code, _, said) = import(&world, &paths);
    assert_eq!(code, Some(1));
    for (path, faults) in &all {
        let named = said.lines().filter(|line| line.starts_with(&format!("error: {path}:"))).count();
        // Some ids are in several of these files: that is a fault more.
        assert!(named >= *faults, "{path}: {said}");
    }
    assert_eq!(world.number("select count(*) from audit_logs").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_are_left_out_are_no_fault_and_wrong_usage_is_another_exit_code() {
    let world = World::without_stream().await;
    let file = write(
        &world,
        "u.csv",
        format!("id;E-Mail;Updated At;Shoe Size\n{ADA};Ada@Example.org;2025-11-01;38\n")
            .replace("E-Mail", "Email")
            .as_bytes(),
    );
    assert_eq!(import(&world, &[&file, "--dry-run"]).0, Some(1));
    let (code, summary, said) = import(&world, &[&file, "--dry-run", "--without", "Shoe Size"]);
    assert_eq!((code, &summary["events"]), (Some(0), &json!(1)), "{said}");
    // A column that is known is left out too: without its e-mail a row is no user.
    assert_eq!(import(&world, &[&file, "--dry-run", "--without", "shoe size,email", "--entity", "users"]).0, Some(1));
    let (code, _, said) = import(&world, &[&file, "--entity", "shoes"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("hint: one of checkins, events, feedback, matches, milestones, users"), "{said}");
    assert_eq!(import(&world, &[]).0, Some(2));
    let (code, _, said) = import(&world, &["/nowhere.csv"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("cannot read /nowhere.csv"), "{said}");
}
