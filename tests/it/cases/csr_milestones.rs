//! The milestones and the summary of the built-in folder.

use super::given::{csr, given, moment};
use milepost::journey::verdict::Shown;

/// Words of one kind at these days, each about an entity of its own.
fn each(word: &str, days: impl IntoIterator<Item = usize>) -> String {
    let (name, rest) = word.split_once('=').map_or((word, String::new()), |(name, value)| (name, format!("={value}")));
    let words = days.into_iter().enumerate().map(|(index, day)| format!("{name}/{index}{rest}@{day}d"));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_first_of_each_kind() {
    for (milestone, word) in [
        ("first_buddy_match", "matched:participant"),
        ("first_buddy_match", "matched:buddy"),
        ("buddy_skill_share_completed", "skill_share"),
        ("first_language_session", "session:language_participant"),
        ("first_mentorship_session", "session:mentorship_participant"),
        ("course_enrolled", "progress:enrolled=1"),
        ("course_enrolled", "progress:failed=0"),
        ("course_enrolled", "course_completed"),
        ("course_completed", "course_completed"),
        ("course_completed", "progress:completed=0"),
        ("credential_earned", "credential"),
    ] {
        given("").milestone(milestone).not_reached();
        given(&each(word, [9, 4, 6])).milestone(milestone).at("4d");
    }
}

#[test]
fn only_as_participant_and_of_its_kind() {
    given("session:language_volunteer@1d").milestone("first_language_session").not_reached();
    given("session:mentorship_participant@1d").milestone("first_language_session").not_reached();
    given("session:mentorship_volunteer@1d").milestone("first_mentorship_session").not_reached();
    given("planned@1d").milestone("first_language_session").not_reached();
    given("progress:in_progress=1@1d").milestone("course_completed").not_reached();
    given("credential@1d").milestone("course_enrolled").not_reached();
    given("match_ended@1d").milestone("first_buddy_match").not_reached();
}

#[test]
fn ten_events_at_the_tenth_smallest_time() {
    let ten = "buddy_10_events";
    given(&each("logged", 1..=9)).milestone(ten).not_reached();
    given(&each("logged", 1..=10)).milestone(ten).at("10d");
    given(&each("logged", (1..=12).rev())).milestone(ten).at("10d");
    given(&format!("{} {}", each("logged", 1..=5), each("attended", 1..=5))).milestone(ten).at("5d"); // each entry
    given(&each("logged", [7; 10])).milestone(ten).at("7d"); // equal times
    given(&each("logged", 90_000..=90_009)).milestone(ten).at("90009d"); // the future counts at once
}

#[test]
fn a_level_is_above_the_highest_of_strictly_earlier_ones() {
    let up = "language_level_up";
    given("language_level=1@1d").milestone(up).not_reached(); // there is no earlier one
    given("language_level=1@1d language_level=2@2d").milestone(up).at("2d");
    given("language_level=2@1d language_level=2@2d").milestone(up).not_reached();
    given("language_level=1@1d language_level=2@1d").milestone(up).not_reached(); // at the same time
    given("language_level=2@1d language_level=1@1d language_level=2@2d").milestone(up).not_reached();
    given("language_level=2@1d language_level=1@1d language_level=3@2d").milestone(up).at("2d");
    given("language_level=3@1d language_level=1@2d language_level=2@3d").milestone(up).not_reached(); // not above 3
    given("language_level=3@1d language_level=1@2d language_level=4@3d").milestone(up).at("3d");
    given("language_level=2@2d language_level=1@1d language_level=6@3d").milestone(up).at("2d"); // told out of order
    given("language_level=1@1d language_level=2@1d+1us").milestone(up).at("1d+1us");
}

#[test]
fn mentor_ready_at_the_first_instant_in_history() {
    let (ready, three) = ("mentor_ready", each("session:language_participant", [1, 2, 3]));
    let with = |ratings: &str| given(&format!("{three} {ratings}")).milestone(ready);
    with("").not_reached();
    with("rating/0=0.8@4d").at("4d");
    with("rating/0=0.9@4d rating/1=0.1@5d").at("4d"); // it did hold, once
    with("rating/0=0.1@4d rating/1=0.9@4d rating/2=1@5d").not_reached(); // 0.666…
    with("rating/0=0.6@4d rating/1=1@4d").at("4d"); // 0.80 at that instant, never 0.60
    with("rating/0=0.6@4d rating/1=1@5d").at("5d");
    with("rating/0=1@0d").at("3d");
    with("rating/2=0.8@1d").at("3d"); // given before its session: counts from then
    with("rating/0=0.2@1d rating/2=1@2d").not_reached();
}

#[test]
fn milestones_are_published_under_names_that_are_known() {
    let known = "buddy_matched first_language_session language_level_up first_mentorship_session course_enrolled \
                 course_completed credential_earned job_ready";
    let known: Vec<&str> = known.split_whitespace().collect();
    for milestone in &csr().milestones {
        match milestone.published_as.as_deref() {
            Some(name) => assert!(known.contains(&name), "{name}"),
            None => assert!(!known.contains(&milestone.name.as_str()), "{}", milestone.name),
        }
    }
}

#[test]
fn the_summary_shows_what_is_not_zero() {
    for key in ["is_buddy_participant", "is_buddy_volunteer", "buddy_match_count", "buddy_events_attended"] {
        assert_eq!(given("").shows(key), None);
    }
    assert_eq!(given("matched:participant@1d").shows("is_buddy_participant"), Some(Shown::Ever));
    assert_eq!(given("matched:participant@1d").shows("is_buddy_volunteer"), None);
    assert_eq!(given("matched:buddy@1d match_ended@2d").shows("is_buddy_volunteer"), Some(Shown::Ever));
    assert_eq!(given("match_ended@2d").shows("buddy_match_count"), None);
    assert_eq!(given("matched/a@1d matched/b@1d match_ended/a@2d").shows("buddy_match_count"), Some(Shown::Count(2)));
    let entries = given("logged@1d logged@1d attended@9999d");
    assert_eq!(entries.shows("buddy_events_attended"), Some(Shown::Count(3))); // each entry, also a future one
    let distinct = given("buddy_milestone/a@1d buddy_milestone/a@2d buddy_milestone/b@1d");
    assert_eq!(distinct.shows("buddy_milestones_count"), Some(Shown::Count(2)));
    assert_eq!(given("skill_share@1d skill_share@1d").shows("skill_shares_completed"), Some(Shown::Count(2)));
    let last = given("checkin@7d logged@3d matched@9d session@10d");
    assert_eq!(last.shows("last_buddy_activity"), Some(Shown::Last(moment("7d"))));
}
