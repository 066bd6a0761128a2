//! What counts as activity, and when somebody who is enrolled has been quiet for too long.

use super::*;

const NEEDED: &str = "followup_needed";

#[test]
fn a_follow_up_is_needed_from_14_quiet_days_on() {
    let mut story = Story::new();
    story.matched(M1, day(0)).ended(M1, day(60));
    assert_eq!(story.since(PAT, NEEDED, day(14) - TICK), None);
    assert_eq!(story.since(PAT, NEEDED, day(14)), Some(day(14)), "exactly 14 days");
    story.attended(PAT, day(20));
    assert_eq!(story.since(PAT, NEEDED, day(19)), Some(day(14)), "a future activity is not known yet");
    assert_eq!(story.since(PAT, NEEDED, day(20)), None);
    assert_eq!(story.since(PAT, NEEDED, day(50)), Some(day(34)));
    assert_eq!(story.since(BEA, NEEDED, day(50)), Some(day(14)));
    assert_eq!(story.since(BEA, NEEDED, day(60)), None, "no longer enrolled");
}

#[test]
fn nobody_who_is_not_enrolled_needs_a_follow_up() {
    let mut story = Story::new();
    story.attended(PAT, day(0)).skill_share(day(0)).credential(day(0)).volunteering("a", day(0));
    story.course_completed("c", day(0)).enrolment("x", "other", "enrolled", day(0)).progress("d", "dropped", day(0));
    story.completed("language", "A1", day(0));
    assert_eq!(story.since(BEA, NEEDED, day(50)), None, "nor does a volunteer");
    assert_eq!(story.since(PAT, NEEDED, day(50)), Some(day(14)), "the session alone enrols");
}

#[test]
fn an_enrolment_in_something_other_is_none() {
    let mut story = Story::new();
    story.enrolment("x", "other", "enrolled", day(0));
    assert_eq!(story.since(PAT, NEEDED, day(50)), None);
    story.enrolment("y", "buddy_program", "enrolled", day(0));
    assert_eq!(story.since(PAT, NEEDED, day(50)), Some(day(14)));
}

#[test]
fn everything_counts_as_activity() {
    type Tell = fn(&mut Story) -> &mut Story;
    let activities: [(&str, Tell); 13] = [
        ("logged", |story| story.logged(M1, day(10))),
        ("attended", |story| story.attended(PAT, day(10))),
        ("check-in", |story| story.checkin(M1, day(10))),
        ("feedback", |story| story.feedback(M1, "participant", day(10))),
        ("skill share", |story| story.skill_share(day(10))),
        ("match", |story| story.matched(M2, day(10))),
        ("session", |story| {
            story.completed("mentorship", "", day(10));
            story
        }),
        ("progress", |story| story.progress("c", "dropped", day(10))),
        ("course", |story| story.course_completed("c", day(10))),
        ("credential", |story| story.credential(day(10))),
        ("volunteering", |story| story.volunteering("a", day(10))),
        ("enrolment", |story| story.enrolment("x", "other", "withdrawn", day(10))),
        ("rating", |story| {
            let session = story.completed("language", "", day(0));
            story.rated(session, "participant", 1.0, day(10))
        }),
    ];
    for (name, tell) in activities {
        let mut story = Story::new();
        tell(story.matched(M1, day(0)));
        assert_eq!(story.since(PAT, NEEDED, day(24) - TICK), None, "{name}");
        assert_eq!(story.since(PAT, NEEDED, day(24)), Some(day(24)), "{name}");
    }
}

#[test]
fn what_others_do_is_no_activity() {
    let mut story = Story::new();
    story.matched(M1, day(0)).feedback(M1, "buddy", day(10)).attended(BEA, day(10)).milestone(1, day(10));
    let session = story.completed("language", "", day(0));
    story.rated(session, "volunteer", 1.0, day(11)).score("belonging", 0.1, day(10));
    let scheduled = story.fresh();
    story.scheduled(scheduled, "mentorship", day(10));
    assert_eq!(story.since(PAT, NEEDED, day(20)), Some(day(14)), "feedback, ratings, plans, milestones, scores");
    assert_eq!(story.since(BEA, NEEDED, day(25)), Some(day(25)), "who gave the rating");
}

#[test]
fn a_session_enrols_its_participant_from_its_schedule_on() {
    let mut story = Story::new();
    let session = story.fresh();
    story.scheduled(session, "mentorship", day(50)).scheduled(session, "mentorship", day(5));
    assert_eq!(story.since(PAT, NEEDED, day(19) - TICK), None);
    assert_eq!(story.since(PAT, NEEDED, day(19)), Some(day(19)), "rescheduled: the last one told");
    assert_eq!(story.since(BEA, NEEDED, day(19)), None, "a volunteer is not enrolled");
    let mut story = Story::new();
    story.scheduled(session, "language", day(30)).attended(PAT, day(1));
    assert_eq!(story.since(PAT, NEEDED, day(43)), None, "the enrolment is later than the last activity");
    assert_eq!(story.since(PAT, NEEDED, day(44)), Some(day(44)));
}

#[test]
fn a_completed_session_says_itself_when_it_was_scheduled() {
    let mut story = Story::new();
    let data = json!({"sessionId": M1, "sessionType": "language", "participantId": PAT, "volunteerId": BEA,
                      "scheduledAt": day(3), "completedAt": day(40), "durationMinutes": 30});
    story.tell("kintell.session.completed", data).scheduled(M1, "language", day(-9));
    assert_eq!(story.since(PAT, NEEDED, day(20)), Some(day(17)));
}

#[test]
fn a_course_enrols_while_the_latest_progress_says_so() {
    let mut story = Story::new();
    story.progress("c", "enrolled", day(0)).progress("c", "in_progress", day(2));
    assert_eq!(story.since(PAT, NEEDED, day(16)), Some(day(16)));
    story.progress("c", "dropped", day(20));
    assert_eq!(story.since(PAT, NEEDED, day(16)), Some(day(16)), "a future progress is not known yet");
    assert_eq!(story.since(PAT, NEEDED, day(40)), None);
    story.progress("c", "dropped", day(1));
    assert_eq!(story.since(PAT, NEEDED, day(16)), Some(day(16)), "updatedAt says which is the latest");
    story.progress("c", "dropped", day(2));
    assert_eq!(story.since(PAT, NEEDED, day(16)), None, "of two at the same time the later envelope");
    story.progress("d", "enrolled", day(2));
    assert_eq!(story.since(PAT, NEEDED, day(16)), Some(day(16)), "another course");
    story.course_completed("d", day(3));
    assert_eq!(story.since(PAT, NEEDED, day(17)), None, "completed");
    story.progress("d", "in_progress", day(4));
    assert_eq!(story.since(PAT, NEEDED, day(19)), None, "once completed, always completed");
}

#[test]
fn a_credential_completes_no_course_that_is_under_way() {
    let mut story = Story::new();
    story.progress("c", "in_progress", day(0)).credential(day(1));
    assert_eq!(story.since(PAT, NEEDED, day(15)), Some(day(15)));
}

#[test]
fn reports_are_replaced_by_later_ones() {
    let mut story = Story::new();
    story.enrolment("x", "language_course", "enrolled", day(0));
    assert_eq!(story.since(PAT, NEEDED, day(14)), Some(day(14)));
    story.enrolment("x", "language_course", "in_progress", day(9));
    assert_eq!(story.since(PAT, NEEDED, day(14)), None, "neither enrolment nor activity of day 0 are left");
    assert_eq!(story.since(PAT, NEEDED, day(23)), Some(day(23)));
    story.volunteering("a", day(20)).volunteering("a", day(12));
    assert_eq!(story.since(PAT, NEEDED, day(30)), Some(day(26)), "nor the volunteering of day 20");
    for status in ["completed", "withdrawn", "failed"] {
        story.enrolment("x", "language_course", status, day(9));
        assert_eq!(story.since(PAT, NEEDED, day(30)), None, "{status}");
    }
}

#[test]
fn an_older_form_of_volunteering_is_another_report() {
    let mut story = Story::new();
    story.matched(M1, day(0)).volunteering("a", day(5));
    let data = json!({"source": "manual", "externalId": "a", "userId": PAT, "activityDate": day(2)});
    story.tell("external.volunteer.logged", data);
    assert_eq!(story.since(PAT, NEEDED, day(19)), Some(day(19)));
}
