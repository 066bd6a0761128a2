//! `followup_needed`: enrolled, and 14 days without any activity.

use super::given::given;

const FLAG: &str = "followup_needed";

#[test]
fn fourteen_days_after_the_enrolment() {
    given("").flag(FLAG).never();
    given("matched@0d").flag(FLAG).begins("14d");
    given("matched@0d").flag(FLAG).at("0d").is_not().next("14d");
    given("matched@0d").flag(FLAG).at("14d").is().stays();
    given("planned@0d").flag(FLAG).begins("14d");
    given("progress:enrolled=1@0d").flag(FLAG).begins("14d");
    given("enrollment@0d").flag(FLAG).begins("14d");
}

#[test]
fn fourteen_days_after_the_last_activity() {
    given("planned@0d logged@5d").flag(FLAG).begins("19d");
    given("planned@0d logged@14d").flag(FLAG).at("14d").is_not(); // exactly 14 days: it was never quiet
    given("planned@0d logged@14d").flag(FLAG).begins("28d");
    given("planned@0d logged@14d+1us").flag(FLAG).at("14d").is().since("14d").until("14d+1us");
    given("planned@0d logged@20d").flag(FLAG).ends("20d");
    given("planned@0d logged@20d").flag(FLAG).begins("34d");
    given("logged@0d planned@10d").flag(FLAG).begins("24d"); // the enrolment is later
    given("logged@10d planned@10d").flag(FLAG).begins("24d");
    given("logged@12d planned@10d").flag(FLAG).begins("26d");
    given("planned@0d logged@100d").flag(FLAG).at("50d").is().since("14d").until("100d"); // dated in the future
}

#[test]
fn every_kind_of_activity_counts() {
    let buddies = ["logged", "attended", "checkin", "feedback", "skill_share"];
    let others = ["session", "rating_given", "progress:completed=0", "course_completed", "credential", "volunteering"];
    for word in buddies.iter().chain(&others) {
        given(&format!("planned@0d {word}@9d")).flag(FLAG).begins("23d");
    }
    given("planned@0d matched/m@9d match_ended/m@10d").flag(FLAG).begins("23d"); // the match, not its end
    given("planned@0d enrollment/e@9d..9d").flag(FLAG).begins("23d"); // also of an enrolment that is over
    for word in ["match_ended", "score:lang_level_proxy=1", "buddy_milestone", "rating=1"] {
        given(&format!("planned@0d {word}@9d")).flag(FLAG).begins("14d");
    }
}

#[test]
fn only_while_something_is_going_on() {
    given("logged@0d").flag(FLAG).never();
    given("matched@0d match_ended@14d").flag(FLAG).never();
    given("matched@0d match_ended@14d+1us").flag(FLAG).at("14d").is().until("14d+1us");
    given("matched@0d match_ended@30d").flag(FLAG).ends("30d");
    given("enrollment@0d..0d").flag(FLAG).never(); // withdrawn
    given("progress:dropped=0@0d").flag(FLAG).never();
    given("progress:enrolled=1@0d progress:dropped=0@16d").flag(FLAG).ends("16d");
    given("progress:enrolled=1@0d course_completed@16d").flag(FLAG).ends("16d");
    given("progress:enrolled=1@0d progress:in_progress=1@10d").flag(FLAG).begins("24d");
    given("progress:enrolled=1@0d progress:in_progress=1@20d").flag(FLAG).ends("20d");
    given("course_completed@5d progress:enrolled=1@6d").flag(FLAG).never(); // completed stays completed
}

#[test]
fn the_earliest_enrolment_that_is_still_going_on_counts() {
    // Both without any activity: scheduling is none.
    let two = || given("planned/a@0d planned/b@3d").flag(FLAG);
    two().begins("14d");
    two().at("30d").is().since("14d");
    two().at("14d").next("17d");
    given("enrollment/e@0d planned/b@3d").flag(FLAG).begins("14d");
    // The match is over on day 20; the session's enrolment has been quiet since day 19.
    given("matched@0d match_ended@20d planned@5d").flag(FLAG).at("19d").is().since("14d");
    given("matched@0d match_ended@20d planned@5d").flag(FLAG).at("20d").is().since("19d");
}

#[test]
fn rescheduling_and_snapshots_replace_what_was_said_before() {
    given("planned@0d~1d planned@5d~2d").flag(FLAG).begins("19d");
    given("planned@5d~1d planned@0d~2d").flag(FLAG).begins("14d");
    given("planned@5d~1d planned@0d~1d").flag(FLAG).begins("14d"); // told at once: the greater event id
    // What the completed session says of its plan stands, whatever is told of scheduling later.
    given("planned#1@3d~1d planned@9d~5d").flag(FLAG).begins("17d");
    given("planned@9d~5d planned#1@3d~1d").flag(FLAG).begins("17d");
    given("enrollment@0d~1d enrollment@2d..2d~2d").flag(FLAG).never();
    given("enrollment@2d..2d~1d enrollment@0d~2d").flag(FLAG).begins("14d");
    // The date of volunteering was corrected: only the latest snapshot is an activity.
    given("planned@0d volunteering@9d~9d volunteering@4d~10d").flag(FLAG).begins("18d");
}
