//! The buddy programme, and who takes part in which programme, at the end of the year.

use super::tables::Tables;

pub(super) async fn buddies(tables: &mut Tables<'_>) {
    tables
        .show(
            "buddy_matches",
            "id | participant_id | buddy_id | matched_at | status | ended_at",
            &[
                "Ada+Bo | Ada | Bo | 02-03 | ended | 06-30",
                "Cleo+Bo | Cleo | Bo | 02-12 | ended | 08-20",
                "Fay+Bo | Fay | Bo | 10-08 | active | -",
            ],
        )
        .await;
    // Whoever attends has a row of their own, and the online skill share is a call of the pair too.
    tables
        .show(
            "buddy_events",
            "id | match_id | user_id | event_type | event_date | description | location | \
             metadata ->> 'event_format' | metadata ->> 'duration_minutes'",
            &[
                "coffee | Ada+Bo | - | hangout | 02-10 | Coffee | Oslo | - | -",
                "Ada at the museum | Ada+Bo | Ada | cultural | 04-10 | Museum | Trondheim | in-person | 90",
                "Cleo at the museum | Cleo+Bo | Cleo | cultural | 04-10 | Museum | Trondheim | in-person | 90",
                "Fay at the fair | Fay+Bo | Fay | professional | 11-20 | Job fair | - | hybrid | -",
                "call about knitting | Ada+Bo | - | video_call | 03-05 | - | - | online | 45",
            ],
        )
        .await;
    // June's talk had a mood that there is not.
    tables
        .show(
            "buddy_checkins",
            "id | match_id | checkin_date | mood | notes",
            &[
                "talk in February | Ada+Bo | 02-05 | good | Ada likes the snow",
                "talk in April | Cleo+Bo | 04-25 | struggling | -",
                "talk in October | Fay+Bo | 10-09 | great | -",
            ],
        )
        .await;
    tables
        .show(
            "buddy_feedback",
            "id | match_id | from_role | rating | feedback_text | submitted_at",
            &[
                "Ada's thanks | Ada+Bo | participant | 0.80 | Bo listens | 04-15",
                "Bo's thanks | Ada+Bo | buddy | 0.60 | - | 06-30",
            ],
        )
        .await;
}

/// The buddy part of the event store. Whom an event is about is known only where it says so itself.
pub(super) async fn stored(tables: &mut Tables<'_>) {
    tables
        .show(
            "buddy_system_events where processed_at is not null group by event_type, user_id",
            "event_type | user_id | count(*)",
            &[
                "buddy.match.created | Ada | 1",
                "buddy.match.created | Cleo | 1",
                "buddy.match.created | Fay | 1",
                "buddy.match.ended | Ada | 1",
                "buddy.match.ended | Cleo | 1",
                "buddy.event.logged | - | 1",
                "buddy.event.attended | Ada | 1",
                "buddy.event.attended | Cleo | 1",
                "buddy.event.attended | Fay | 1",
                "buddy.skill_share.completed | Ada | 1",
                "buddy.checkin.completed | - | 3",
                "buddy.feedback.submitted | - | 2",
                "buddy.milestone.reached | Ada | 1",
                "buddy.milestone.reached | Bo | 1",
                "buddy.import.batch | - | 1",
            ],
        )
        .await;
}

/// The first nine follow from what people did, the others are as another system reports them. Eve's choir is of no kind
/// that there is.
pub(super) async fn enrollments(tables: &mut Tables<'_>) {
    tables
        .show(
            "program_enrollments",
            "user_id | program_type | source_id | status | enrolled_at | completed_at | program_id | campaign_id",
            &[
                "Ada | buddy | - | completed | 02-03 | 06-30 | Buddies | Welcome",
                "Bo | buddy | - | active | 02-03 | - | Buddies | Welcome",
                "Cleo | buddy | - | dropped | 02-12 | - | Buddies | -",
                "Fay | buddy | - | active | 10-08 | - | - | Winter",
                "Ada | language | - | active | 02-20 09:00 | - | Norsk | -",
                "Cleo | language | - | active | 11-05 09:00 | - | - | -",
                "Ada | mentorship | - | active | 03-24 09:00 | - | - | -",
                "Fay | upskilling | - | completed | 03-30 | 05-05 | Leaders | -",
                "Cleo | upskilling | - | dropped | 12-01 | - | - | -",
                "Cleo | language | e-1 | completed | 04-20 | 11-30 | - | -",
                "Fay | upskilling | e-2 | dropped | 05-15 | - | - | -",
            ],
        )
        .await;
}
