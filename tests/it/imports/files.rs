//! A small export of everything, in every format.

use serde_json::{Map, Value, json};

use crate::support::World;

pub(super) const ADA: &str = "10000000-0000-4000-8000-00000000000a";
pub(super) const BOB: &str = "10000000-0000-4000-8000-00000000000b";
pub(super) const MATCH: &str = "10000000-0000-4000-8000-000000000100";
pub(super) const OVER: &str = "10000000-0000-4000-8000-000000000101";

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Format {
    Csv,
    Json,
    Ndjson,
}

fn id(number: u32) -> String {
    format!("10000000-0000-4000-8000-{number:012}")
}

fn entities() -> [(&'static str, Vec<Value>); 6] {
    [
        (
            "users",
            vec![
                json!({"id": ADA, "email": " Ada@Example.ORG", "role": "beneficiary", "first_name": "Ada", "last_name": "O'Neil, \"A\"",
                   "created_at": "2025-11-01 08:00:00", "updated_at": "2025-11-02 08:00:00+00"}),
                json!({"id": BOB, "email": "bob@example.org", "role": "volunteer", "first_name": "Bob", "last_name": "Ørsted",
                   "created_at": "2025-11-01T08:00:00Z", "updated_at": ""}),
            ],
        ),
        (
            "matches",
            vec![
                json!({"id": MATCH, "participant_id": ADA, "buddy_id": BOB, "matched_at": "2025-11-03", "status": "active",
                   "ended_at": "", "end_reason": "", "interests": "chess|food"}),
                json!({"id": OVER.to_uppercase(), "participant_id": BOB, "buddy_id": ADA, "matched_at": "2025-11-03T10:00:00Z",
                   "status": "ended", "ended_at": "2025-11-05T11:00:00+01:00", "end_reason": "completed", "interests": ""}),
            ],
        ),
        (
            "checkins",
            vec![
                json!({"id": id(200), "match_id": MATCH, "checkin_date": "2025-11-10T10:00:00Z", "mood": "Great",
                   "notes": "first line\nsecond; with, all \"signs\"", "question_responses": "{\"q1\": \"yes\"}"}),
                json!({"id": id(201), "match_id": OVER, "checkin_date": "2025-11-10 12:00", "mood": "", "notes": "", "question_responses": ""}),
            ],
        ),
        (
            "feedback",
            vec![
                json!({"id": id(300), "match_id": MATCH, "from_role": "buddy", "rating": "4.5", "feedback_text": "good", "submitted_at": "2025-11-11"}),
                json!({"id": id(301), "match_id": MATCH, "from_role": "participant", "rating": "5", "feedback_text": "", "submitted_at": "2025-11-11"}),
            ],
        ),
        (
            "events",
            vec![
                json!({"id": id(400), "match_id": MATCH, "user_id": "", "event_type": "hangout", "event_date": "2025-11-12", "description": "tea",
                   "event_title": "", "event_format": "", "duration_minutes": "", "sdg_goals": ""}),
                json!({"id": id(401), "match_id": "", "user_id": ADA, "event_type": "cultural", "event_date": "2025-11-13", "description": "",
                   "event_title": "Museum", "event_format": "In-Person", "duration_minutes": "90", "sdg_goals": "4|8"}),
            ],
        ),
        (
            "milestones",
            vec![
                json!({"milestone_id": "7", "user_id": ADA, "milestone_title": "Ten hikes", "milestone_category": "community",
                   "reached_at": "2025-11-14", "points": "50", "is_first_time": "yes"}),
            ],
        ),
    ]
}

/// Writes a file per entity, users first; gives their paths.
pub(super) fn write_all(world: &World, format: Format) -> Vec<String> {
    let ending = match format {
        Format::Csv => "csv",
        Format::Json => "json",
        Format::Ndjson => "ndjson",
    };
    entities()
        .into_iter()
        .map(|(entity, rows)| write(world, &format!("{entity}.{ending}"), &text(entity, &rows, format)))
        .collect()
}

/// Writes a file; gives its path.
pub(super) fn write(world: &World, name: &str, text: &[u8]) -> String {
    let path = world.folder.path().join(name);
    std::fs::write(&path, text).expect("a file");
    path.to_str().expect("a path").to_owned()
}

fn text(entity: &str, rows: &[Value], format: Format) -> Vec<u8> {
    match format {
        Format::Csv => csv(rows, ","),
        Format::Json => json!({"exportedAt": "2026-01-01", entity: rows.iter().map(typed).collect::<Vec<_>>()})
            .to_string()
            .into_bytes(),
        Format::Ndjson => rows.iter().map(|row| typed(row).to_string() + "\n").collect::<String>().into_bytes(),
    }
}

/// As CSV with a byte order mark and a line that is blank, as programs for tables write it.
pub(super) fn csv(rows: &[Value], separator: &str) -> Vec<u8> {
    let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let objects: Vec<&Map<String, Value>> = rows.iter().map(|row| row.as_object().expect("an object")).collect();
    let headers: Vec<&str> = objects[0].keys().map(String::as_str).collect();
    let mut text = format!("\u{feff}{}\r\n\r\n", headers.join(separator));
    for row in objects {
        let cells: Vec<String> = row.values().map(|cell| quote(cell.as_str().expect("a text"))).collect();
        text += &(cells.join(separator) + "\r\n");
    }
    text.into_bytes()
}

/// As other programs write JSON: camelCase, numbers as numbers, lists as lists, null for what is not there.
fn typed(row: &Value) -> Value {
    let camel = |name: &str| {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.map(|word| word.split_at(1)).fold(first, |name, (first, rest)| name + &first.to_uppercase() + rest)
    };
    let value = |name: &str, text: &str| match (name, text) {
        (_, "") => Value::Null,
        ("rating" | "duration_minutes" | "points" | "milestone_id", number) => {
            serde_json::from_str(number).expect("a number")
        }
        ("question_responses", object) => serde_json::from_str(object).expect("an object"),
        ("interests", list) => json!(list.split('|').collect::<Vec<_>>()),
        ("sdg_goals", list) => {
            json!(list.split('|').map(|item| item.parse::<i64>().expect("a number")).collect::<Vec<_>>())
        }
        ("is_first_time", text) => json!(text == "yes"),
        (_, text) => json!(text),
    };
    let members = row.as_object().expect("an object").iter();
    Value::Object(members.map(|(name, cell)| (camel(name), value(name, cell.as_str().expect("a text")))).collect())
}

/// What the rows have become.
pub(super) async fn assert_landed(world: &World) {
    let users = "select id, email, role, role_imported, first_name, last_name, updated_at at time zone 'UTC' as at from users order by id";
    let user = |id, email, role, first, last, at| json!({"id": id, "email": email, "role": role, "role_imported": true, "first_name": first, "last_name": last, "at": at});
    assert_eq!(
        world.rows(users).await,
        [
            user(ADA, "ada@example.org", "participant", "Ada", "O'Neil, \"A\"", "2025-11-02T08:00:00"),
            user(BOB, "bob@example.org", "volunteer", "Bob", "Ørsted", "2025-11-01T08:00:00"),
        ]
    );
    let matches =
        "select id, status, ended_reason, matching_criteria->'interests' as interests from buddy_matches order by id";
    assert_eq!(
        world.rows(matches).await,
        [
            json!({"id": MATCH, "status": "active", "ended_reason": null, "interests": ["chess", "food"]}),
            json!({"id": OVER, "status": "ended", "ended_reason": "completed", "interests": null}),
        ]
    );
    assert_eq!(
        world
            .number("select (payload->'data'->>'duration')::int from event_log where event_type = 'buddy.match.ended'")
            .await,
        2
    );
    let checkins = "select id, match_id, mood, notes from buddy_checkins order by id";
    assert_eq!(
        world.rows(checkins).await,
        [
            json!({"id": id(200), "match_id": MATCH, "mood": "great", "notes": "first line\nsecond; with, all \"signs\""}),
            json!({"id": id(201), "match_id": OVER, "mood": null, "notes": null}),
        ]
    );
    let feedback = "select from_role, rating, feedback_text from buddy_feedback order by id";
    assert_eq!(
        world.rows(feedback).await,
        [
            json!({"from_role": "buddy", "rating": 0.90, "feedback_text": "good"}),
            json!({"from_role": "participant", "rating": 1.00, "feedback_text": null}),
        ]
    );
    let events = "select event_type, match_id, user_id, description, metadata->'sdg_goals' as goals from buddy_events order by event_date";
    assert_eq!(
        world.rows(events).await,
        [
            json!({"event_type": "hangout", "match_id": MATCH, "user_id": null, "description": "tea", "goals": null}),
            json!({"event_type": "cultural", "match_id": null, "user_id": ADA, "description": "Museum", "goals": [4, 8]}),
        ]
    );
    let milestones = "select user_id, metadata->>'title' as title from journey_milestones where milestone = 'buddy:7'";
    assert_eq!(world.rows(milestones).await, [json!({"user_id": ADA, "title": "Ten hikes"})]);
}
