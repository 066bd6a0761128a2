use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{Args, run};

mod learning;
mod retold;
mod shape;

fn args(events: u32) -> Args {
    Args { events, seed: 7, people: None, duplicates: 0.0, shuffle: 0.0, poison: 0.0, retellings: 0.004 }
}

fn text(args: &Args) -> String {
    let mut out = Vec::new();
    run(args, &mut out).expect("memory takes any log");
    String::from_utf8(out).expect("the log is text")
}

fn documents(args: &Args) -> Vec<Value> {
    let text = text(args);
    text.lines().map(|line| serde_json::from_str(line).expect("a good line is JSON")).collect()
}

/// Id in lower case and instant, wherever the envelope has them.
fn id_and_time(document: &Value) -> (String, i64) {
    let header = if document["id"].is_string() { document } else { &document["metadata"] };
    let id = header["id"].as_str().expect("every envelope has an id");
    let time = header["timestamp"].as_str().or_else(|| header["time"].as_str());
    (id.to_lowercase(), micros(time.expect("every envelope has a time")))
}

fn micros(time: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time).expect("a time is RFC 3339").timestamp_micros()
}

fn kind(document: &Value) -> &str {
    document["type"].as_str().expect("every event has a type")
}

/// A text of the event's data as lower case, such as an id.
fn text_of(document: &Value, key: &str) -> Option<String> {
    document["data"][key].as_str().map(str::to_lowercase)
}

fn without_nulls(data: &Value) -> HashMap<String, String> {
    let fields = data.as_object().expect("data is an object");
    fields.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), by_value(value))).collect()
}

fn by_value(value: &Value) -> String {
    match value {
        Value::String(text) => match chrono::DateTime::parse_from_rfc3339(text) {
            Ok(time) => time.timestamp_micros().to_string(),
            Err(_) => uuid::Uuid::try_parse(text).map_or_else(|_| text.clone(), |id| id.to_string()),
        },
        Value::Array(items) => items.iter().map(by_value).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| key.clone() + &by_value(value)).collect(),
        other => other.to_string(),
    }
}

#[test]
fn equal_arguments_give_equal_bytes() {
    let mut mixed = args(3_000);
    (mixed.duplicates, mixed.shuffle, mixed.poison) = (0.2, 0.1, 0.05);
    assert_eq!(text(&mixed), text(&mixed));
    let first = text(&mixed);
    mixed.seed = 8;
    assert_ne!(first, text(&mixed));
}

#[test]
fn counts_are_exact_and_ids_unique() {
    for events in [1, 2, 3, 5, 9, 10, 14, 40, 100, 999, 4_000] {
        let documents = documents(&args(events));
        let ids: HashSet<_> = documents.iter().map(|document| id_and_time(document).0).collect();
        assert_eq!((documents.len(), ids.len()), (events as usize, events as usize));
    }
    let mut crowded = args(50);
    crowded.people = Some(5_000);
    assert_eq!(documents(&crowded).len(), 50);
    let mut mixed = args(1_001);
    (mixed.duplicates, mixed.shuffle, mixed.poison) = (0.5, 1.0, 0.1);
    assert_eq!(text(&mixed).lines().count(), 1_001 + 501 + 100);
}

#[test]
fn the_log_is_in_order_and_within_its_year() {
    let times: Vec<_> = documents(&args(5_000)).iter().map(|document| id_and_time(document).1).collect();
    assert!(times.is_sorted());
    assert!(times[0] >= micros("2025-07-01T00:00:00Z"));
    assert!(times[4_999] < micros("2026-07-01T00:00:00Z"));
}

/// What an event brings into being, and what it takes for granted.
fn made_and_used(document: &Value) -> (Option<String>, Vec<String>) {
    let id = |key: &str| text_of(document, key);
    match kind(document) {
        "company.synced" => (id("companyId"), vec![]),
        "ingest.directory.synced" => (id("userId"), id("companyId").into_iter().collect()),
        "external.user.synced" => (None, id("companyId").into_iter().collect()),
        "buddy.match.created" => (id("matchId"), ["participantId", "buddyId"].into_iter().filter_map(id).collect()),
        "kintell.session.scheduled" | "kintell.session.completed" => {
            (id("sessionId"), ["participantId", "volunteerId"].into_iter().filter_map(id).collect())
        }
        "buddy.skill_share.completed" => {
            (None, ["matchId", "teacherId", "learnerId"].into_iter().filter_map(id).collect())
        }
        "safety.flag.raised" => (id("flagId"), vec![]),
        _ => {
            let keys = ["flagId", "matchId", "userId", "participantId", "buddyId", "sessionId", "companyId"];
            (None, keys.into_iter().filter_map(id).collect())
        }
    }
}

#[test]
fn causes_precede_effects() {
    let mut made = HashSet::new();
    for document in documents(&args(20_000)) {
        let (makes, uses) = made_and_used(&document);
        for id in uses {
            assert!(made.contains(&id), "{document} comes before {id}");
        }
        made.extend(makes);
    }
}

#[test]
fn a_match_lives_between_its_ends() {
    let mut lives: HashMap<String, (i64, i64)> = HashMap::new();
    for document in documents(&args(20_000)) {
        let time = |key: &str| document["data"][key].as_str().map(micros);
        let Some(matched) = text_of(&document, "matchId") else {
            continue;
        };
        match kind(&document) {
            // Told again after the end, it is no new life.
            "buddy.match.created" => {
                lives.entry(matched).or_insert_with(|| (time("matchedAt").expect("required"), i64::MAX));
            }
            "buddy.match.ended" => {
                let ended_at = time("endedAt").expect("required");
                lives.entry(matched).and_modify(|life| life.1 = ended_at);
            }
            kind => {
                let keys = ["eventDate", "attendedAt", "completedAt", "checkinDate", "submittedAt"];
                let at = keys.into_iter().find_map(time).expect("every act has a time");
                let (from, until) = lives[&matched];
                assert!(at > from, "{document} before the match");
                assert!(at < until || kind == "buddy.feedback.submitted", "{document} after the match");
            }
        }
    }
}

#[test]
fn a_repeat_says_the_same() {
    let mut repeated = args(4_000);
    repeated.duplicates = 1.0;
    let text = text(&repeated);
    let mut first: HashMap<String, (&str, Value)> = HashMap::new();
    let (mut identical, mut respelled) = (0, 0);
    for line in text.lines() {
        let document: Value = serde_json::from_str(line).expect("a repeat is JSON");
        let (id, time) = id_and_time(&document);
        let Some((known_line, known)) = first.get(&id) else {
            first.insert(id, (line, document));
            continue;
        };
        assert_eq!(time, id_and_time(known).1);
        assert_eq!(document["type"], known["type"]);
        assert_eq!(without_nulls(&document["data"]), without_nulls(&known["data"]));
        if line == *known_line {
            identical += 1;
        } else {
            respelled += 1;
        }
    }
    assert_eq!((identical, respelled), (2_000, 2_000));
}

#[test]
fn shuffling_changes_the_order_only() {
    let sorted = |text: String| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let calm = args(2_000);
    let mut shuffled = calm.clone();
    shuffled.shuffle = 0.3;
    assert_ne!(text(&calm), text(&shuffled));
    assert_eq!(sorted(text(&calm)), sorted(text(&shuffled)));
}

#[test]
fn people_keep_their_own_addresses() {
    let mut owners: HashMap<String, String> = HashMap::new();
    let mut nameless = HashSet::new();
    for document in documents(&args(20_000)) {
        let data = &document["data"];
        if let (Some(email), Some(user)) = (data["email"].as_str(), data["userId"].as_str()) {
            let owner = owners.entry(email.to_lowercase()).or_insert_with(|| user.to_lowercase());
            assert_eq!(*owner, user.to_lowercase());
        }
        if let Some(email) = data["user"]["email"].as_str() {
            nameless.insert(email.to_lowercase());
        }
    }
    assert!(nameless.iter().all(|email| owners.contains_key(email)));
}

#[test]
fn a_share_out_of_range_is_refused_with_a_hint() {
    let mut wrong = args(10);
    wrong.poison = 1.5;
    let error = run(&wrong, &mut Vec::new()).expect_err("1.5 is no share");
    assert!(error.to_string().contains("--poison 1.5"), "{error}");
    assert!(error.to_string().contains("hint:"), "{error}");
    wrong.poison = f64::NAN;
    run(&wrong, &mut Vec::new()).expect_err("NaN is no share");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    run(&args(1_000), &mut Closed).expect("head is a good reader");
}
