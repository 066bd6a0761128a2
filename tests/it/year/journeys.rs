//! What the year means for people, and what the outside was told of it.

use super::story::readable;
use super::tables::Tables;
use crate::journeys::told::{MILESTONE, all_told_once};

/// Whatever passes is long over: these hold until something happens.
///
/// - Ada: three lessons, (0.9 + 0.7 + 1) / 3 at the third; enrolled in lessons, and quiet since that one.
/// - Bo: his matches of spring left a gap before Fay's. The last talk was on 9 October; his own last deed was on the beach.
/// - Cleo: the latest score of her Norwegian is low. She left her course on 10 December; a placement is no deed.
/// - Fay: was at the fair on 20 November.
pub(super) async fn flags(tables: &mut Tables<'_>) {
    tables
        .show(
            "journey_flags",
            "user_id | flag | value | set_by_rule | set_at | expires_at",
            &[
                "Ada | mentor_ready | true | mentor_ready@1 | 09-02 | -",
                "Ada | followup_needed | true | followup_needed@1 | 09-16 | -",
                "Bo | buddy_match_active | true | buddy_match_active@1 | 10-08 | -",
                "Bo | buddy_checkin_due | true | buddy_checkin_due@1 | 10-16 | -",
                "Bo | followup_needed | true | followup_needed@1 | 2026-01-15 00:30 | -",
                "Cleo | language_support_needed | true | language_support_needed@1 | 11-06 | -",
                "Cleo | followup_needed | true | followup_needed@1 | 12-24 | -",
                "Fay | buddy_match_active | true | buddy_match_active@1 | 10-08 | -",
                "Fay | buddy_checkin_due | true | buddy_checkin_due@1 | 10-16 | -",
                "Fay | followup_needed | true | followup_needed@1 | 12-04 | -",
            ],
        )
        .await;
}

pub(super) async fn milestones(tables: &mut Tables<'_>) {
    tables
        .show(
            "journey_milestones",
            "user_id | milestone | reached_at | triggered_by_rule | metadata -> 'points'",
            &[
                "Ada | first_buddy_match | 02-03 | first_buddy_match@1 | -",
                "Ada | first_language_session | 02-20 | first_language_session@1 | -",
                "Ada | buddy_skill_share_completed | 03-05 | buddy_skill_share_completed@1 | -",
                "Ada | buddy:1 | 03-08 | buddy.milestone.reached | 50",
                "Ada | first_mentorship_session | 03-24 | first_mentorship_session@1 | -",
                "Ada | language_level_up | 05-12 | language_level_up@1 | -",
                "Ada | mentor_ready | 09-02 | mentor_ready@1 | -",
                "Bo | first_buddy_match | 02-03 | first_buddy_match@1 | -",
                "Bo | buddy_skill_share_completed | 03-05 | buddy_skill_share_completed@1 | -",
                "Bo | buddy:2 | 12-12 | buddy.milestone.reached | 75",
                "Cleo | first_buddy_match | 02-12 | first_buddy_match@1 | -",
                "Cleo | first_language_session | 11-05 | first_language_session@1 | -",
                "Cleo | course_enrolled | 12-01 | course_enrolled@1 | -",
                "Fay | course_enrolled | 03-30 | course_enrolled@1 | -",
                "Fay | course_completed | 05-05 | course_completed@1 | -",
                "Fay | credential_earned | 05-06 | credential_earned@1 | -",
                "Fay | first_buddy_match | 10-08 | first_buddy_match@1 | -",
            ],
        )
        .await;
}

/// Each row of the outbox is one message, and whoever has listened knows what the tables say. Fay's course had begun earlier
/// than was told at first: that is told again.
pub(super) async fn outbox(tables: &mut Tables<'_>) {
    let told = all_told_once(tables.world).await;
    let line = |data: &serde_json::Value, metadata: &serde_json::Value| {
        let text = |field: &str| data[field].as_str().expect("a text").to_owned();
        let is = |field: &str| if metadata.get(field).is_some() { field } else { "-" }.to_owned();
        let row = [text("userId"), text("milestone"), text("reachedAt"), is("extended"), is("corrects")];
        readable(&row.join(" | "))
    };
    let reached = told.iter().filter(|one| one.subject == MILESTONE);
    let mut reached: Vec<String> = reached.map(|one| line(&one.document["data"], &one.document["metadata"])).collect();
    reached.sort_unstable();
    assert_eq!(
        reached,
        [
            "Ada | buddy_matched | 02-03 | - | -",
            "Ada | buddy_skill_share_completed | 03-05 | extended | -",
            "Ada | first_language_session | 02-20 | - | -",
            "Ada | first_mentorship_session | 03-24 | - | -",
            "Ada | language_level_up | 05-12 | - | -",
            "Ada | mentor_ready | 09-02 | extended | -",
            "Bo | buddy_matched | 02-03 | - | -",
            "Bo | buddy_skill_share_completed | 03-05 | extended | -",
            "Cleo | buddy_matched | 02-12 | - | -",
            "Cleo | course_enrolled | 12-01 | - | -",
            "Cleo | first_language_session | 11-05 | - | -",
            "Fay | buddy_matched | 10-08 | - | -",
            "Fay | course_completed | 05-05 | - | -",
            "Fay | course_enrolled | 03-30 | - | corrects",
            "Fay | course_enrolled | 04-03 | - | -",
            "Fay | credential_earned | 05-06 | - | -",
        ]
    );
}
