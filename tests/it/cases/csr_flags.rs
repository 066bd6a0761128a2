//! The flags of the built-in folder, boundary by boundary. (`followup_needed` is in a file of its own.)

use super::given::given;

#[test]
fn match_active_while_there_is_an_active_match() {
    let flag = "buddy_match_active";
    given("").flag(flag).never();
    given("matched@0d").flag(flag).begins("0d");
    given("matched@0d").flag(flag).at("9999d").is().stays();
    given("matched@0d match_ended@10d").flag(flag).ends("10d");
    given("matched@0d match_ended@10d").flag(flag).at("3d").next("10d");
    given("matched@5d match_ended@5d").flag(flag).never(); // over when it began
    given("matched@5d match_ended@4d").flag(flag).never(); // and before
    given("matched@5d").flag(flag).at("0d").is_not().next("5d"); // dated in the future
}

#[test]
fn matches_that_touch_leave_no_gap() {
    let flag = "buddy_match_active";
    let touching = || given("matched/a@0d match_ended/a@10d matched/b@10d match_ended/b@20d");
    touching().flag(flag).at("10d").is().since("0d");
    touching().flag(flag).ends("20d");
    given("matched/a@0d match_ended/a@10d matched/b@10d+1us").flag(flag).at("10d").is_not();
    given("matched/a@0d match_ended/a@10d matched/b@10d+1us").flag(flag).begins("10d+1us");
    given("matched/a@0d match_ended/a@10d matched/b@10d-1us").flag(flag).at("11d").is().since("0d");
    given("matched/a@0d matched/b@1d match_ended/b@2d").flag(flag).at("3d").is().since("0d");
    given("matched/a@0d matched/b@1d match_ended/a@2d").flag(flag).at("3d").is().since("0d");
}

#[test]
fn the_first_telling_of_a_match_and_of_its_end_counts() {
    let flag = "buddy_match_active";
    given("matched@5d~1d matched@0d~2d").flag(flag).begins("5d");
    given("matched@0d match_ended@9d~9d match_ended@3d~10d").flag(flag).ends("9d");
    // Told at the same time: the event with the smaller id.
    given("matched@5d~1d matched@0d~1d").flag(flag).begins("5d");
}

#[test]
fn active_for_30_days_after_what_was_done_in_a_match() {
    let flag = "buddy_active";
    given("matched@0d").flag(flag).never();
    given("logged@1d").flag(flag).never();
    given("matched@0d logged@1d").flag(flag).begins("1d");
    given("matched@0d logged@1d").flag(flag).ends("31d");
    given("logged@1d matched@5d").flag(flag).begins("5d"); // both became true
    given("logged@1d matched@5d").flag(flag).ends("31d");
    given("matched@0d logged@1d match_ended@8d").flag(flag).ends("8d");
    given("matched@31d logged@1d").flag(flag).never();
    given("matched@31d-1us logged@1d").flag(flag).begins("31d-1us");
    // Again exactly 30 days later: no gap. A microsecond later: one of a microsecond.
    given("matched@0d logged@1d logged@31d").flag(flag).at("31d").is().since("1d").until("61d");
    given("matched@0d logged@1d logged@31d+1us").flag(flag).at("31d").is_not().next("31d+1us");
    given("matched@0d logged@1d logged@31d+1us").flag(flag).begins("31d+1us");
}

#[test]
fn every_kind_of_buddy_activity_makes_active() {
    for word in ["logged", "attended", "checkin", "feedback", "skill_share"] {
        given(&format!("matched@0d {word}@1d")).flag("buddy_active").begins("1d");
    }
    for word in ["session", "rating_given", "progress", "course_completed", "credential", "volunteering", "enrollment"]
    {
        given(&format!("matched@0d {word}@1d")).flag("buddy_active").never();
    }
}

#[test]
fn checkin_is_due_after_more_than_7_days() {
    let flag = "buddy_checkin_due";
    given("matched@0d").flag(flag).begins_after("7d");
    given("matched@0d").flag(flag).at("0d").is_not().next("7d+1us");
    given("matched@0d").flag(flag).at("7d+1us").is().stays();
    given("matched@0d checkin@7d").flag(flag).at("7d").is_not(); // exactly 7 days
    given("matched@0d checkin@7d").flag(flag).begins_after("14d");
    given("matched@0d checkin@7d+1us").flag(flag).at("7d+1us").is_not(); // it was never due at any moment
    given("matched@0d checkin@7d+1us").flag(flag).begins_after("14d+1us");
    given("matched@0d checkin@7d+2us").flag(flag).at("7d+1us").is().since("7d").until("7d+2us");
    given("matched@0d checkin@0d").flag(flag).begins_after("7d");
    given("checkin@3d matched@5d").flag(flag).begins_after("12d"); // dated before the match
    given("matched@0d match_ended@7d").flag(flag).never();
    given("matched@0d match_ended@7d+1us").flag(flag).never();
    given("matched@0d match_ended@9d").flag(flag).ends("9d");
    given("matched@0d checkin@30d").flag(flag).at("8d").is().until("30d"); // a check-in in the future
}

#[test]
fn checkin_is_due_per_match() {
    let flag = "buddy_checkin_due";
    given("matched/a@0d matched/b@0d checkin/a@6d").flag(flag).begins_after("7d");
    given("matched/a@0d matched/b@3d").flag(flag).at("20d").is().since("7d"); // the earliest among matches still due
    given("matched/a@0d matched/b@3d checkin/a@9d").flag(flag).at("9d").is_not();
    given("matched/a@0d matched/b@3d checkin/a@11d").flag(flag).at("11d").is().since("10d");
    given("matched/a@0d matched/b@3d match_ended/a@11d").flag(flag).at("12d").is().since("10d");
    given("matched/a@0d matched/b@3d match_ended/a@11d").flag(flag).at("8d").next("10d+1us");
}

#[test]
fn feedback_is_pending_from_the_end_or_day_30_for_60_days() {
    let flag = "buddy_feedback_pending";
    given("matched@0d").flag(flag).begins("30d");
    given("matched@0d").flag(flag).ends("90d");
    given("matched@0d").flag(flag).at("45d").is().since("30d").until("90d").next("90d");
    given("matched@0d match_ended@10d").flag(flag).begins("10d");
    given("matched@0d match_ended@10d").flag(flag).ends("70d");
    given("matched@0d match_ended@40d").flag(flag).begins("30d"); // whichever is earlier
    given("matched@0d match_ended@30d").flag(flag).begins("30d");
    given("matched@0d match_ended@30d").flag(flag).ends("90d");
}

#[test]
fn feedback_ends_it_and_given_before_leaves_nothing_pending() {
    let flag = "buddy_feedback_pending";
    given("matched@0d feedback@40d").flag(flag).ends("40d");
    given("matched@0d feedback@40d").flag(flag).at("35d").until("40d"); // known before: it is dated in the future
    given("matched@0d feedback@30d").flag(flag).never();
    given("matched@0d feedback@30d+1us").flag(flag).at("30d").is().until("30d+1us");
    given("matched@0d feedback@5d").flag(flag).never();
    given("feedback@1d matched@2d").flag(flag).never(); // dated before the match
    given("matched@0d feedback@95d feedback@40d").flag(flag).ends("40d"); // the first counts
    given("matched@0d feedback@95d").flag(flag).ends("90d");
    given("matched@0d feedback/other@5d").flag(flag).begins("30d");
}

#[test]
fn the_last_of_the_pending_expires_last() {
    let flag = "buddy_feedback_pending";
    let two = || given("matched/a@0d matched/b@20d").flag(flag);
    two().at("30d").is().since("30d").until("90d").next("50d");
    two().at("50d").is().since("30d").until("110d").next("90d");
    two().at("90d").is().since("50d").until("110d").next("110d");
    two().ends("110d");
    given("matched/a@0d matched/b@20d feedback/a@60d").flag(flag).at("60d").is().since("50d").until("110d");
    given("matched/a@0d matched/b@60d").flag(flag).at("90d").is().since("90d").until("150d"); // they touch
    given("matched/a@0d matched/b@60d+1us").flag(flag).at("90d").is_not().next("90d+1us");
}

#[test]
fn mentors_have_three_language_sessions_and_good_ratings() {
    let flag = "mentor_ready";
    let three = "session:language_participant/a@1d session:language_participant/b@2d session:language_participant/c@3d";
    let with = |ratings: &str| given(&format!("{three} {ratings}"));
    with("").flag(flag).never();
    with("rating/a=0.8@4d").flag(flag).begins("4d");
    with("rating/a=0.8@2d").flag(flag).begins("3d"); // the third session
    with("rating/a=0.79@4d").flag(flag).never();
    with("rating/a=0.7@4d rating/b=0.8@5d rating/c=0.9@6d").flag(flag).begins("6d"); // 0.80
    with("rating/a=0.7@4d rating/b=0.8@5d rating/c=0.8999@6d").flag(flag).never();
    with("rating/other=1@4d").flag(flag).never(); // of a session that they did not take part in
    given("session:language_participant/a@1d session:language_participant/b@2d rating/a=1@2d").flag(flag).never();
    given("session:language_participant/a@1d session:language_participant/a@2d session:language_participant/b@3d rating/a=1@3d")
        .flag(flag)
        .never(); // two sessions, one of them told twice
    given("session:language_participant/a@1d session:language_participant/b@2d session:language_volunteer/c@3d rating/a=1@3d")
        .flag(flag)
        .never(); // as participant only
}

#[test]
fn mentor_ready_since_the_last_moment_at_which_it_became_true() {
    let flag = "mentor_ready";
    let three = "session:language_participant/a@1d session:language_participant/b@2d session:language_participant/c@3d";
    let with = |ratings: &str| given(&format!("{three} {ratings}")).flag(flag);
    let fell = "rating/a=0.9@4d rating/b=0.6@5d rating/c=1@6d";
    with(fell).ends("5d");
    with(fell).begins("6d");
    with(fell).at("4d").since("4d").until("5d").next("5d");
    // All ratings of one moment count at once: it does not fall in between.
    with("rating/a=0.9@4d rating/b=0.6@5d rating/c=1@5d").at("5d").is().since("4d");
    // A rating counts from its time or its session's, whichever is later.
    let early = "session:language_participant/d@9d rating/a=0.9@4d rating/d=0@5d";
    with(early).at("8d").is().since("4d").until("9d");
}

#[test]
fn language_support_follows_the_latest_score() {
    let flag = "language_support_needed";
    given("score:lang_level_proxy=0.49@1d").flag(flag).begins("1d");
    given("score:lang_level_proxy=0.5@1d").flag(flag).never();
    given("score:lang_level_proxy=0.4999@1d").flag(flag).at("99d").is().since("1d").stays();
    given("score:confidence=0.1@1d").flag(flag).never();
    given("score:lang_level_proxy=0.4@1d score:lang_level_proxy=0.6@2d").flag(flag).ends("2d");
    given("score:lang_level_proxy=0.4@1d score:lang_level_proxy=0.3@2d").flag(flag).at("2d").is().since("2d");
    given("score:lang_level_proxy=0.6@2d score:lang_level_proxy=0.3@1d").flag(flag).at("3d").is_not();
    // Of equal times the one that was told later, then the greater event id.
    given("score:lang_level_proxy=0.4@1d~1d score:lang_level_proxy=0.6@1d~2d").flag(flag).never();
    given("score:lang_level_proxy=0.4@1d~2d score:lang_level_proxy=0.6@1d~1d").flag(flag).begins("1d");
    given("score:lang_level_proxy=0.4@1d score:lang_level_proxy=0.6@1d").flag(flag).never();
    given("score:lang_level_proxy=0.6@1d score:lang_level_proxy=0.4@1d").flag(flag).begins("1d");
    given("score:lang_level_proxy=0.4@5d").flag(flag).at("0d").is_not().next("5d"); // dated in the future
}

#[test]
fn a_day_is_24_hours_wherever_and_whenever() {
    let flag = "buddy_checkin_due";
    // February has 29 days.
    given("matched@2024-02-28T12:00:00Z").flag(flag).begins_after("2024-03-06T12:00:00Z");
    given("matched@2023-02-28T12:00:00Z").flag(flag).begins_after("2023-03-07T12:00:00Z");
    given("matched@2024-02-29T00:00:00Z").flag(flag).begins_after("2024-03-07T00:00:00Z");
    given("matched@2024-02-22T00:00:00Z").flag(flag).begins_after("2024-02-29T00:00:00Z");
    // Where it is already the 29th.
    given("matched@2024-02-29T00:30:00+14:00").flag(flag).begins_after("2024-03-06T10:30:00Z");
    given("matched@2024-02-28T12:00:00Z checkin@2024-03-06T20:00:00+08:00")
        .flag(flag)
        .at("2024-03-06T12:00:00Z")
        .is_not();
    given("matched@2024-02-28T12:00:00Z checkin@2024-03-06T20:00:00+08:00")
        .flag(flag)
        .begins_after("2024-03-13T12:00:00Z");
    // Clocks are put forward on 29 March 2026: an hour later on the clock is 24 hours.
    given("matched@2026-03-25T12:00:00+01:00").flag(flag).begins_after("2026-04-01T13:00:00+02:00");
    // The same instant in two zones is one moment: these matches touch.
    given("matched/a@2024-02-01T00:00:00Z match_ended/a@2024-02-29T23:59:59.999999Z matched/b@2024-03-01T08:59:59.999999+09:00")
        .flag("buddy_match_active")
        .at("2024-03-02T00:00:00Z")
        .since("2024-02-01T00:00:00Z");
    given("matched@2024-01-30T00:00:00Z").flag("buddy_feedback_pending").begins("2024-02-29T00:00:00Z");
    given("matched@2024-01-30T00:00:00Z").flag("buddy_feedback_pending").ends("2024-04-29T00:00:00Z");
}
