//! Entities that are made twice, by two events that say the same.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{args, documents, id_and_time, kind, text_of, without_nulls};

/// What an event makes, where only one event should.
fn entity(document: &Value) -> Option<String> {
    let id = |key: &str| text_of(document, key);
    let kind = kind(document);
    let entity = match kind {
        "buddy.event.attended" => id("eventId").zip(id("userId")).map(|(event, user)| event + &user),
        "buddy.milestone.reached" => id("userId").map(|user| format!("{user}{}", document["data"]["milestoneId"])),
        "buddy.match.created" | "buddy.match.ended" => id("matchId"),
        "buddy.event.logged" => id("eventId"),
        "buddy.skill_share.completed" | "kintell.session.completed" => id("sessionId"),
        "buddy.checkin.completed" => id("checkinId"),
        "buddy.feedback.submitted" => id("feedbackId"),
        "buddy.import.batch" => id("batchId"),
        "kintell.rating.created" => id("ratingId"),
        "upskilling.course.completed" => id("progressId"),
        "upskilling.credential.issued" => id("credentialId"),
        "q2q.outcome.scored" => id("scoreId"),
        "safety.flag.raised" => id("flagId"),
        "safety.review.completed" => id("reviewId"),
        "privacy.request.opened" | "privacy.request.completed" => id("requestId"),
        _ => None,
    };
    entity.map(|entity| format!("{kind} {entity}"))
}

#[test]
fn an_entity_is_made_once_and_at_times_told_again_a_little_later_in_the_same_words() {
    let mut firsts: HashMap<String, Value> = HashMap::new();
    let mut retold: HashMap<String, usize> = HashMap::new();
    for document in documents(&args(20_000)) {
        let Some(entity) = entity(&document) else {
            continue;
        };
        let Some(first) = firsts.get(&entity) else {
            firsts.insert(entity, document);
            continue;
        };
        let ((id, time), (first_id, first_time)) = (id_and_time(&document), id_and_time(first));
        assert_ne!(id, first_id);
        assert!((1..=3_600_000_000).contains(&(time - first_time)), "{document} is later by {}", time - first_time);
        assert_eq!(without_nulls(&document["data"]), without_nulls(&first["data"]));
        *retold.entry(kind(&document).to_owned()).or_default() += 1;
    }
    let count: usize = retold.values().sum();
    assert!((50..100).contains(&count), "{count} of 20,000 is no small share: {retold:?}");
    assert!(retold.len() >= 8, "of all kinds: {retold:?}");
    assert!(!retold.contains_key("upskilling.course.completed") && !retold.contains_key("buddy.import.batch"));
}

/// Kind, key and what the latest of them says.
fn snapshot(document: &Value) -> Option<(&str, String, String)> {
    let (system, number, says) = match kind(document) {
        "ingest.enrollment.created" => ("sourceSystem", "sourceId", "status"),
        "ingest.volunteer.logged" => ("sourceSystem", "sourceId", "hoursLogged"),
        "external.volunteer.logged" => ("source", "externalId", "hours"),
        "kintell.session.scheduled" => ("sessionType", "sessionId", "scheduledAt"),
        _ => return None,
    };
    let key = text_of(document, system)? + &text_of(document, number)?;
    Some((kind(document), key, document["data"][says].to_string()))
}

#[test]
fn what_the_latest_wins_is_told_again_with_another_content() {
    let mut tellings: HashMap<(String, String), Vec<Value>> = HashMap::new();
    for document in documents(&args(20_000)) {
        if let Some((kind, key, _)) = snapshot(&document) {
            tellings.entry((kind.to_owned(), key)).or_default().push(document);
        }
    }
    let mut corrected: HashMap<String, usize> = HashMap::new();
    for ((kind, key), tellings) in &tellings {
        let said: HashSet<_> = tellings.iter().filter_map(snapshot).map(|(_, _, says)| says).collect();
        assert_eq!(said.len(), tellings.len(), "{kind} {key} says the same twice");
        let people: HashSet<_> = tellings.iter().map(|telling| text_of(telling, "userId")).collect();
        assert_eq!(people.len(), 1);
        *corrected.entry(kind.clone()).or_default() += usize::from(said.len() > 1);
    }
    assert_eq!(corrected.len(), 4);
    assert!(corrected.values().all(|count| *count >= 10), "{corrected:?}");
}
