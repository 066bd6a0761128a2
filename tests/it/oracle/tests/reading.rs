//! Envelopes, repetitions, events about nobody, and how differences are told.

use super::*;
use crate::oracle::tables::differences;

/// The story of a match, its match event written by the given function.
fn told(write: impl Fn(Value) -> String) -> Expected {
    let mut story = Story::new();
    story.matched(M1, day(0));
    let lines: Vec<String> = story.events.iter().cloned().map(write).collect();
    Oracle::read(lines).expected(day(1))
}

#[test]
fn an_event_reads_the_same_in_every_envelope() {
    let usual = told(|event| event.to_string());
    assert_eq!((usual.flags.len(), usual.milestones.len()), (2, 2));
    let flat = |event: Value| {
        let meta = &event["metadata"];
        json!({"id": meta["id"], "timestamp": meta["timestamp"], "version": null, "metadata": {"id": "x"},
               "type": event["type"], "data": event["data"]})
        .to_string()
    };
    assert_eq!(told(flat), usual);
    let cloud_event = |event: Value| {
        let meta = &event["metadata"];
        json!({"specversion": "1.0", "id": meta["id"], "source": "x", "time": meta["timestamp"], "type": event["type"],
               "data": event["data"]})
        .to_string()
    };
    assert_eq!(told(cloud_event), usual);
    assert_eq!(told(|event| event.to_string().replace("00000b\"", "00000B\"")), usual);
    assert_eq!(
        told(|event| event.to_string().replace("2026-01-01T00:00:00Z", "2026-01-01T02:00:00.0000009+02:00")),
        usual
    );
}

#[test]
fn what_is_broken_counts_nothing() {
    for (was, is) in [
        ("\"v1\"", "\"v2\""),
        ("matchedAt", "at"),
        ("2026-01-01", "2026-02-30"),
        ("\"participantId\":\"", "\"participantId\":\"0"),
        ("buddy.match.created", "buddy.match.made"),
        ("\"data\"", "\"date\""),
        ("}", ""),
    ] {
        let broken = told(|event| {
            let is_match = event["type"] == "buddy.match.created";
            if is_match { event.to_string().replacen(was, is, 1) } else { event.to_string() }
        });
        assert_eq!(broken, Expected::default(), "{is:?} for {was:?}");
    }
}

#[test]
fn an_event_counts_once_and_an_entity_has_one_event_that_creates_it() {
    let mut story = Story::new();
    story.matched(M1, day(0)).logged(M1, day(1));
    let once = story.expected(day(2));
    let (mut repeated, logged) = (story.events.clone(), story.events.last().expect("an event").clone());
    repeated.push(logged.clone());
    assert_eq!(Oracle::of(repeated).expected(day(2)), once, "the same event again");
    story.tell("buddy.event.logged", logged["data"].clone());
    assert_eq!(story.expected(day(2)), once, "another event about the same entity");
    story.logged(M1, day(1));
    assert_ne!(story.expected(day(2)), once, "another entity");
}

#[test]
fn the_order_of_lines_says_nothing() {
    let mut story = Story::new();
    story.matched(M1, day(0)).checkin(M1, day(1)).ended(M1, day(3)).feedback(M1, "buddy", day(4)).milestone(1, day(5));
    let expected = story.expected(day(9));
    story.events.reverse();
    assert_eq!(story.expected(day(9)), expected);
}

#[test]
fn the_timestamp_says_which_event_is_the_first_and_then_the_id() {
    let mut story = Story::new();
    story.milestone(1, day(0)).milestone(1, day(1));
    let [late, early] = [1, 2].map(|back| story.events.len() - back); // the later envelope gets the smaller id
    let ids = [early, late].map(|event| story.events[event]["metadata"]["id"].clone());
    story.events[early]["metadata"]["id"] = ids[1].clone();
    story.events[late]["metadata"]["id"] = ids[0].clone();
    assert_eq!(story.reached(PAT, "buddy:1"), Some(day(0)));
    story.events[late]["metadata"]["timestamp"] = story.events[early]["metadata"]["timestamp"].clone();
    assert_eq!(story.reached(PAT, "buddy:1"), Some(day(1)), "the smaller id");
}

#[test]
fn what_refers_to_nobody_does_nothing() {
    let nobody = Uuid::from_u128(99);
    let mut story = Story::new();
    story.attended(nobody, day(0)).logged(M1, day(0)).checkin(M1, day(0)).ended(M1, day(0));
    story.rated(nobody, "participant", 1.0, day(0));
    story.tell(
        "buddy.match.created",
        json!({"matchId": M1, "participantId": PAT, "buddyId": nobody, "matchedAt": day(0)}),
    );
    let within = json!({"eventId": nobody, "userId": PAT, "matchId": M1, "attendedAt": day(0)});
    story.tell("buddy.event.attended", within);
    assert_eq!(story.expected(day(1)), Expected::default(), "a match that waits for its buddy is not there either");
    for (format, is_told) in [("online", false), ("in-person", true)] {
        let mut story = Story::new();
        let data = json!({"sessionId": VAL, "teacherId": BEA, "learnerId": PAT, "matchId": M1, "format": format,
                          "completedAt": day(0)});
        story.tell("buddy.skill_share.completed", data);
        assert_eq!(story.reached(PAT, "buddy_skill_share_completed").is_some(), is_told, "{format}");
    }
}

#[test]
fn differences_name_person_name_and_both_values() {
    let mut story = Story::new();
    story.matched(M1, day(0));
    let expected = story.expected(day(31));
    let mut found = expected.flag_entries();
    assert!(differences("flags", &expected.flag_entries(), &found).is_empty());
    found.remove(&(PAT, "followup_needed".to_owned()));
    found.insert((VAL, "mentor_ready".to_owned()), "x".to_owned());
    found.insert((BEA, "buddy_feedback_pending".to_owned()), "2026-01-31T00:00:00Z".to_owned());
    let differing = [
        format!("flags {PAT} followup_needed: expected 2026-01-15T00:00:00Z, found nothing"),
        format!(
            "flags {BEA} buddy_feedback_pending: expected 2026-01-31T00:00:00Z until 2026-04-01T00:00:00Z, \
             found 2026-01-31T00:00:00Z"
        ),
        format!("flags {VAL} mentor_ready: expected nothing, found x"),
    ];
    assert_eq!(differences("flags", &expected.flag_entries(), &found), differing);
    assert_eq!(expected.milestone_entries().len() + expected.counter_entries().len(), 6);
}
