//! Milestones and counters.

use super::*;

#[test]
fn the_first_match_counts_on_either_side() {
    let mut story = Story::new();
    story.matched(M1, day(9)).matched(M2, day(3));
    assert_eq!(story.reached(PAT, "first_buddy_match"), Some(day(3)), "future dates count at once");
    assert_eq!(story.reached(BEA, "first_buddy_match"), Some(day(3)));
    assert_eq!(story.reached(VAL, "first_buddy_match"), None);
}

#[test]
fn ten_events_are_reached_at_the_tenth_smallest_time() {
    let mut story = Story::new();
    story.matched(M1, day(0));
    for at in (2..=6).rev() {
        story.logged(M1, day(at)).attended(PAT, day(at));
    }
    assert_eq!(story.reached(PAT, "buddy_10_events"), Some(day(6)));
    assert_eq!(story.reached(BEA, "buddy_10_events"), None, "five logged");
    story.attended(PAT, day(1));
    assert_eq!(story.reached(PAT, "buddy_10_events"), Some(day(6)), "the tenth of eleven");
    story.attended(PAT, day(1));
    assert_eq!(story.reached(PAT, "buddy_10_events"), Some(day(5)));
}

#[test]
fn skill_shares_count_on_either_side_and_are_no_language_session() {
    let mut story = Story::new();
    story.skill_share(day(4)).skill_share(day(2));
    for person in [PAT, BEA] {
        assert_eq!(story.reached(person, "buddy_skill_share_completed"), Some(day(2)));
        assert_eq!(story.reached(person, "first_language_session"), None);
        assert_eq!(story.counters(person)["skill_shares_completed"], 2);
    }
}

#[test]
fn first_sessions_are_completed_as_participant() {
    let mut story = Story::new();
    let session = story.fresh();
    story.scheduled(session, "language", day(0));
    assert_eq!(story.reached(PAT, "first_language_session"), None);
    story.completed("language", "", day(5));
    story.completed("language", "", day(4));
    story.completed("mentorship", "", day(3));
    assert_eq!(story.reached(PAT, "first_language_session"), Some(day(4)));
    assert_eq!(story.reached(PAT, "first_mentorship_session"), Some(day(3)));
    assert_eq!(story.reached(BEA, "first_language_session"), None);
}

#[test]
fn a_level_up_is_above_the_highest_of_strictly_earlier_sessions() {
    for (levels, reached_at) in [
        (&[(1, "A2"), (2, "A1"), (3, "A2"), (4, "b1")][..], Some(4)),
        (&[(1, "C2")], None),
        (&[(1, "A1"), (1, "C2")], None), // at the same time: none is earlier
        (&[(1, "A1"), (1, "C2"), (2, "B1"), (3, "C1")], None),
        (&[(5, "A1"), (2, "A2"), (3, "C1")], Some(3)),
        (&[(1, "fluent"), (2, "A1"), (3, "native")], None),
        (&[(1, "fluent"), (2, "A1"), (3, "A2")], Some(3)),
    ] {
        let mut story = Story::new();
        for (at, level) in levels {
            story.completed("mentorship", level, day(*at));
        }
        assert_eq!(story.reached(PAT, "language_level_up"), reached_at.map(day), "{levels:?}");
        assert_eq!(story.reached(BEA, "language_level_up"), None);
    }
}

#[test]
fn courses_are_enrolled_completed_and_certified() {
    let mut story = Story::new();
    story.credential(day(1));
    assert_eq!(story.reached(PAT, "credential_earned"), Some(day(1)));
    assert_eq!(story.reached(PAT, "course_enrolled"), None, "a credential is neither progress nor completion");
    assert_eq!(story.reached(PAT, "course_completed"), None);
    story.progress("c", "dropped", day(6));
    assert_eq!(story.reached(PAT, "course_enrolled"), Some(day(6)));
    story.progress("c", "completed", day(8)).course_completed("d", day(9));
    assert_eq!(story.reached(PAT, "course_completed"), Some(day(8)));
    story.course_completed("d", day(5));
    assert_eq!(story.reached(PAT, "course_completed"), Some(day(5)));
    assert_eq!(story.reached(PAT, "course_enrolled"), Some(day(5)));
}

#[test]
fn buddy_milestones_are_reached_with_the_first_event_of_an_id() {
    let mut story = Story::new();
    story.milestone(7, day(5)).milestone(7, day(1)).milestone(8, day(2));
    assert_eq!(story.reached(PAT, "buddy:7"), Some(day(5)), "the earliest envelope");
    assert_eq!(story.reached(PAT, "buddy:8"), Some(day(2)));
    assert_eq!(story.counters(PAT), json!({"buddy_milestones_count": 2}));
}

#[test]
fn a_mentor_is_ready_at_the_first_instant_whatever_came_after() {
    let mut story = Story::new();
    let sessions = [1, 2, 3].map(|at| story.completed("language", "A1", day(at)));
    story.rated(sessions[0], "participant", 0.1, day(8)).rated(sessions[0], "participant", 0.8, day(5));
    assert_eq!(story.reached(PAT, "mentor_ready"), Some(day(5)), "between two ratings");
}

#[test]
fn counters_are_there_when_not_zero() {
    let mut story = Story::new();
    assert_eq!(story.counters(PAT), Value::Null);
    story.matched(M1, day(0)).ended(M1, day(1)).matched(M2, day(2));
    assert_eq!(story.counters(PAT), json!({"is_buddy_participant": true, "buddy_match_count": 2}));
    assert_eq!(story.counters(BEA), json!({"is_buddy_volunteer": true, "buddy_match_count": 2}));
    story.logged(M1, day(3)).attended(BEA, day(4)).feedback(M2, "participant", day(5) + TICK).milestone(1, day(9));
    let of_pat = json!({"is_buddy_participant": true, "buddy_match_count": 2, "buddy_events_attended": 1,
                        "buddy_milestones_count": 1, "last_buddy_activity": "2026-01-06T00:00:00.000001Z"});
    assert_eq!(story.counters(PAT), of_pat);
    let of_bea = json!({"is_buddy_volunteer": true, "buddy_match_count": 2, "buddy_events_attended": 2,
                        "last_buddy_activity": "2026-01-05T00:00:00Z"});
    assert_eq!(story.counters(BEA), of_bea);
}

#[test]
fn a_video_call_is_no_event_that_somebody_attended() {
    let mut story = Story::new();
    let data = json!({"sessionId": VAL, "teacherId": BEA, "learnerId": PAT, "matchId": M1, "format": "online",
                      "completedAt": day(2)});
    story.matched(M1, day(0)).tell("buddy.skill_share.completed", data);
    assert_eq!(story.counters(BEA)["buddy_events_attended"], Value::Null);
    assert_eq!(story.counters(BEA)["last_buddy_activity"], "2026-01-03T00:00:00Z");
}
