//! Flags about matches, sessions and scores.

use super::*;

const ACTIVE: &str = "buddy_match_active";
const BUDDY_ACTIVE: &str = "buddy_active";
const DUE: &str = "buddy_checkin_due";
const PENDING: &str = "buddy_feedback_pending";
const READY: &str = "mentor_ready";
const SUPPORT: &str = "language_support_needed";

#[test]
fn a_match_is_active_from_its_begin_until_before_its_end() {
    let mut story = Story::new();
    story.matched(M1, day(0)).ended(M1, day(10));
    assert_eq!(story.since(PAT, ACTIVE, day(0) - TICK), None);
    assert_eq!(story.since(PAT, ACTIVE, day(0)), Some(day(0)));
    assert_eq!(story.since(BEA, ACTIVE, day(10) - TICK), Some(day(0)), "a future end is no end yet");
    assert_eq!(story.since(BEA, ACTIVE, day(10)), None);
    assert_eq!(story.since(VAL, ACTIVE, day(5)), None);
}

#[test]
fn matches_that_touch_leave_no_gap() {
    for (second, since) in [(day(9), day(0)), (day(10), day(0)), (day(10) + TICK, day(10) + TICK)] {
        let mut story = Story::new();
        story.matched(M1, day(0)).ended(M1, day(10)).matched(M2, second);
        assert_eq!(story.since(PAT, ACTIVE, day(20)), Some(since));
    }
}

#[test]
fn the_earliest_of_two_ends_by_envelope_counts() {
    let mut story = Story::new();
    story.matched(M1, day(0)).ended(M1, day(10)).ended(M1, day(5));
    assert_eq!(story.since(PAT, ACTIVE, day(9)), Some(day(0)));
}

#[test]
fn a_buddy_is_active_for_30_days_after_an_activity_within_a_match() {
    let mut story = Story::new();
    story.matched(M1, day(0));
    assert_eq!(story.since(PAT, BUDDY_ACTIVE, day(1)), None, "to be matched is no buddy activity");
    story.checkin(M1, day(5));
    assert_eq!(story.since(PAT, BUDDY_ACTIVE, day(5) - TICK), None);
    assert_eq!(story.since(PAT, BUDDY_ACTIVE, day(5)), Some(day(5)));
    assert_eq!(story.since(BEA, BUDDY_ACTIVE, day(35) - TICK), Some(day(5)));
    assert_eq!(story.since(BEA, BUDDY_ACTIVE, day(35)), None);
    story.attended(PAT, day(35));
    assert_eq!(story.since(PAT, BUDDY_ACTIVE, day(40)), Some(day(5)), "activities that touch leave no gap");
    assert_eq!(story.since(BEA, BUDDY_ACTIVE, day(40)), None, "who did not attend");
}

#[test]
fn a_buddy_is_active_since_both_became_true() {
    let mut story = Story::new();
    story.attended(PAT, day(0)).matched(M1, day(10)).ended(M1, day(15)).matched(M2, day(20));
    assert_eq!(story.since(PAT, BUDDY_ACTIVE, day(9)), None, "no match yet");
    assert_eq!(story.since(PAT, BUDDY_ACTIVE, day(14)), Some(day(10)));
    assert_eq!(story.since(PAT, BUDDY_ACTIVE, day(15)), None);
    assert_eq!(story.since(PAT, BUDDY_ACTIVE, day(25)), Some(day(20)));
    story.attended(PAT, day(31));
    assert_eq!(story.since(PAT, BUDDY_ACTIVE, day(30)), None, "[0, 30) is over");
    assert_eq!(story.since(PAT, BUDDY_ACTIVE, day(32)), Some(day(31)));
}

#[test]
fn a_check_in_is_due_after_more_than_7_days() {
    let mut story = Story::new();
    story.matched(M1, day(0)).ended(M1, day(20));
    assert_eq!(story.since(PAT, DUE, day(7)), None, "exactly 7 days are not more");
    assert_eq!(story.since(PAT, DUE, day(7) + TICK), Some(day(7)));
    assert_eq!(story.since(BEA, DUE, day(20) - TICK), Some(day(7)));
    assert_eq!(story.since(BEA, DUE, day(20)), None, "the match has ended");
    story.checkin(M1, day(9));
    assert_eq!(story.since(PAT, DUE, day(8)), Some(day(7)), "a future check-in is not known yet");
    assert_eq!(story.since(PAT, DUE, day(9)), None);
    assert_eq!(story.since(PAT, DUE, day(16)), None);
    assert_eq!(story.since(PAT, DUE, day(17)), Some(day(16)));
}

#[test]
fn check_ins_are_due_per_match_and_the_earliest_that_is_still_due_counts() {
    let mut story = Story::new();
    story.matched(M1, day(0)).matched(M2, day(4));
    assert_eq!(story.since(PAT, DUE, day(12)), Some(day(7)));
    story.checkin(M1, day(10));
    assert_eq!(story.since(PAT, DUE, day(12)), Some(day(11)), "the other match's");
    assert_eq!(story.since(PAT, DUE, day(18)), Some(day(11)));
}

#[test]
fn a_check_in_before_the_match_does_not_make_the_next_one_due_earlier() {
    let mut story = Story::new();
    story.matched(M1, day(0)).checkin(M1, day(-3));
    assert_eq!(story.since(PAT, DUE, day(7)), None);
}

#[test]
fn feedback_is_pending_for_60_days_from_the_end_or_the_30th_day() {
    let mut story = Story::new();
    story.matched(M1, day(0));
    assert_eq!(story.flag(PAT, PENDING, day(30) - TICK), None);
    assert_eq!(story.flag(PAT, PENDING, day(30)), Some((day(30), Some(day(90)))));
    assert_eq!(story.flag(BEA, PENDING, day(90) - TICK), Some((day(30), Some(day(90)))));
    assert_eq!(story.flag(BEA, PENDING, day(90)), None);
    story.ended(M1, day(10));
    assert_eq!(story.flag(PAT, PENDING, day(10) - TICK), None);
    assert_eq!(story.flag(PAT, PENDING, day(10)), Some((day(10), Some(day(70)))));
    assert_eq!(story.flag(PAT, PENDING, day(70)), None);
    let mut story = Story::new();
    story.matched(M1, day(0)).ended(M1, day(40));
    assert_eq!(story.flag(PAT, PENDING, day(45)), Some((day(30), Some(day(90)))), "whichever is earlier");
}

#[test]
fn feedback_of_a_role_ends_what_is_pending_for_that_role() {
    let mut story = Story::new();
    story.matched(M1, day(0)).ended(M1, day(10)).feedback(M1, "participant", day(12));
    assert_eq!(story.flag(PAT, PENDING, day(12) - TICK), Some((day(10), Some(day(70)))));
    assert_eq!(story.flag(PAT, PENDING, day(12)), None);
    assert_eq!(story.flag(BEA, PENDING, day(12)), Some((day(10), Some(day(70)))));
    story.feedback(M1, "buddy", day(1));
    assert_eq!(story.flag(BEA, PENDING, day(12)), None, "feedback before the end is feedback");
}

#[test]
fn several_pending_begin_with_the_first_and_expire_with_the_last() {
    let mut story = Story::new();
    story.matched(M1, day(0)).ended(M1, day(10)).matched(M2, day(5)).ended(M2, day(20));
    assert_eq!(story.flag(PAT, PENDING, day(15)), Some((day(10), Some(day(70)))));
    assert_eq!(story.flag(PAT, PENDING, day(20)), Some((day(10), Some(day(80)))));
    assert_eq!(story.flag(PAT, PENDING, day(70)), Some((day(20), Some(day(80)))));
}

#[test]
fn three_language_sessions_and_a_mean_of_exactly_080_make_a_mentor() {
    let mut story = Story::new();
    let sessions = [1, 2, 3].map(|at| story.completed("language", "A1", day(at)));
    assert_eq!(story.since(PAT, READY, day(9)), None, "no rating has no mean");
    story.rated(sessions[0], "participant", 0.7, day(1)).rated(sessions[1], "volunteer", 0.9, day(2));
    assert_eq!(story.since(PAT, READY, day(3) - TICK), None, "two sessions");
    assert_eq!(story.since(PAT, READY, day(3)), Some(day(3)), "0.7 and 0.9 are 1.6");
    assert_eq!(story.since(BEA, READY, day(3)), None, "as participant");
    story.rated(sessions[2], "volunteer", 0.79, day(4));
    assert_eq!(story.since(PAT, READY, day(4) - TICK), Some(day(3)));
    assert_eq!(story.since(PAT, READY, day(4)), None);
    story.rated(sessions[2], "participant", 0.81, day(5));
    assert_eq!(story.since(PAT, READY, day(9)), Some(day(5)), "the last moment at which it became true");
    assert_eq!(story.reached(PAT, READY), Some(day(3)), "the first one");
}

#[test]
fn a_rating_counts_once_its_session_is_completed() {
    let mut story = Story::new();
    let sessions = [1, 2, 3, 4].map(|at| story.completed("language", "A1", day(at)));
    story.rated(sessions[0], "participant", 0.8, day(1)).rated(sessions[3], "participant", 0.1, day(2));
    assert_eq!(story.since(PAT, READY, day(3)), Some(day(3)));
    assert_eq!(story.since(PAT, READY, day(4)), None, "now the bad one counts");
    assert_eq!(story.reached(PAT, READY), Some(day(3)));
    let scheduled = story.fresh();
    story.scheduled(scheduled, "language", day(1)).rated(scheduled, "volunteer", 1.0, day(2));
    assert_eq!(story.since(PAT, READY, day(9)), None, "never completed");
}

#[test]
fn other_sessions_make_no_mentor() {
    let mut story = Story::new();
    let sessions = [1, 2].map(|at| story.completed("language", "A1", day(at)));
    let mentorship = story.completed("mentorship", "A1", day(3));
    story.skill_share(day(3)).rated(sessions[0], "participant", 1.0, day(3)).rated(
        mentorship,
        "volunteer",
        0.0,
        day(3),
    );
    assert_eq!(story.since(PAT, READY, day(9)), None);
    story.completed("language", "A1", day(4));
    assert_eq!(story.since(PAT, READY, day(9)), Some(day(4)), "nor do their ratings hinder one");
}

#[test]
fn decimals_are_decimals() {
    for (ratings, is_ready) in [
        ([0.7, 0.8, 0.9], true), // 2.4000000000000004 or 2.3999999999999995 among doubles
        ([0.8, 0.8, 0.8], true),
        ([0.8, 0.8, 0.7999999], false),
        ([0.1, 1.0, 1.0], false),
        ([0.4, 1.0, 1.0], true),
        ([0.83, 0.86, 0.71], true),
        ([1e-9, 1.0, 1.0], false),
    ] {
        let mut story = Story::new();
        for (number, rating) in (1..).zip(ratings) {
            let session = story.completed("language", "A1", day(number));
            story.rated(session, "volunteer", rating, day(number));
        }
        assert_eq!(story.since(PAT, READY, day(9)).is_some(), is_ready, "{ratings:?}");
    }
}

#[test]
fn support_is_needed_while_the_latest_language_score_is_below_050() {
    let mut story = Story::new();
    story.score("lang_level_proxy", 0.49, day(1)).score("belonging", 0.9, day(2));
    assert_eq!(story.since(PAT, SUPPORT, day(1) - TICK), None);
    assert_eq!(story.since(PAT, SUPPORT, day(3)), Some(day(1)));
    story.score("lang_level_proxy", 0.3, day(4));
    assert_eq!(story.since(PAT, SUPPORT, day(3)), Some(day(1)), "a future score is not known yet");
    assert_eq!(story.since(PAT, SUPPORT, day(4)), Some(day(4)), "that score's time");
    story.score("lang_level_proxy", 0.5, day(5)).score("lang_level_proxy", 0.1, day(2));
    assert_eq!(story.since(PAT, SUPPORT, day(5)), None, "0.50 is not below, and scoredAt says which is the latest");
    story.score("lang_level_proxy", 0.2, day(5));
    assert_eq!(story.since(PAT, SUPPORT, day(5)), Some(day(5)), "the later envelope of two at the same time");
}
