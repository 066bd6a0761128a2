//! Sessions, courses, scores, and what speaks for all that, at the end of the year.

use super::tables::Tables;

pub(super) async fn sessions(tables: &mut Tables<'_>) {
    // Lesson 1: (0.9 + 0.7) / 2, and the participant is heard first. Knitting: (0.8 + 1) / 2.
    tables
        .show(
            "kintell_sessions",
            "id | session_type | participant_id | volunteer_id | scheduled_at | session_date | completed_at is not null \
             | duration_minutes | rating | feedback_text | language_level",
            &[
                "lesson 1 | language | Ada | Dan | 02-20 09:00 | 02-20 | true | 60 | 0.80 | Lovely | A2",
                "lesson 2 | language | Ada | Dan | 05-12 09:00 | 05-12 | true | 45 | 1.00 | - | B1",
                "lesson 3 | language | Ada | Dan | 09-02 09:00 | 09-02 | true | 60 | 0.80 | Good pace | B1",
                "Cleo's lesson | language | Cleo | Dan | 11-05 09:00 | 11-05 | true | 30 | 0.50 | - | A1",
                "lesson that never was | language | Cleo | Dan | 12-20 | 12-20 | false | - | - | - | -",
                "talk on work | mentorship | Ada | Bo | 03-24 09:00 | 03-24 | true | 90 | - | - | -",
                "knitting | skill_share | Ada | Bo | - | 03-05 | true | 45 | 0.90 | Nice wool | -",
            ],
        )
        .await;
    tables
        .show(
            "kintell_ratings",
            "id | session_id | from_role | rating | created_at",
            &[
                "rating 1 | lesson 1 | participant | 0.9 | 02-20 12:00",
                "rating 2 | lesson 1 | volunteer | 0.7 | 02-21",
                "rating 3 | lesson 2 | participant | 1 | 05-12 12:00",
                "rating 4 | lesson 3 | volunteer | 0.8 | 09-03",
                "rating 5 | Cleo's lesson | participant | 0.5 | 11-05 12:00",
            ],
        )
        .await;
    // Fay's badge is newer than the reference that her completion gave.
    tables
        .show(
            "learning_progress",
            "user_id | provider | course_id | course_name | status | progress_percent | started_at | completed_at | \
             credential_ref",
            &[
                "Fay | ecornell | c-1 | Leading | completed | 100 | 03-30 | 05-05 | Fay's badge",
                "Cleo | ecornell | c-2 | Writing | dropped | 20 | 12-01 | - | -",
            ],
        )
        .await;
}

pub(super) async fn scores(tables: &mut Tables<'_>) {
    tables
        .show(
            "outcome_scores",
            "id | user_id | text_id | text_type | dimension | score | confidence | method | provider_used | language | \
             created_at",
            &[
                "score 1 | Ada | talk in February | checkin_note | belonging | 0.600 | 0.900 | ai_classifier | - | en | \
                 03-15",
                "score 2 | Ada | rating 1 | kintell_feedback | lang_level_proxy | 0.450 | 0.700 | ai_classifier | claude \
                 | en | 03-16",
                "score 3 | Ada | Ada's thanks | buddy_feedback | belonging | 0.800 | 0.950 | ai_classifier | - | en | \
                 06-15",
                "score 4 | Ada | Ada's thanks | buddy_feedback | lang_level_proxy | 0.550 | - | ai_classifier | - | en | \
                 06-16",
                "score 5 | Ada | Ada's thanks | buddy_feedback | job_readiness | 0.750 | - | ai_classifier | - | en | \
                 06-17",
                "score 6 | Ada | rating 4 | kintell_feedback | lang_level_proxy | 0.650 | - | ai_classifier | - | en | \
                 09-10",
                "score 7 | Cleo | rating 5 | kintell_feedback | lang_level_proxy | 0.400 | 0.900 | ai_classifier | - | en \
                 | 11-06",
                "score 8 | - | coffee | checkin_note | well_being | 0.900 | - | rule_based | - | unknown | 11-07",
            ],
        )
        .await;
    // Confidence in March: (0.9 + 0.7) / 2.
    let columns = "user_id | quarter | integration_score | language_score | job_readiness_score | confidence | \
                   jsonb_array_length(evidence_lineage)";
    tables
        .show(
            "outcome_scores_quarterly",
            columns,
            &[
                "Ada | Q1 | 0.600 | 0.450 | - | 0.800 | 2",
                "Ada | Q2 | 0.800 | 0.550 | 0.750 | 0.950 | 3",
                "Ada | Q3 | - | 0.650 | - | - | 1",
                "Cleo | Q4 | - | 0.400 | - | 0.900 | 1",
            ],
        )
        .await;
    // The words about snow were found in March first.
    tables
        .show(
            "evidence_snippets",
            "outcome_score_id | snippet_text | left(snippet_hash, 4) | created_at",
            &["score 1 | likes the snow | a1a1 | 03-15", "score 7 | too fast | b2b2 | 11-06"],
        )
        .await;
}

/// Of each session its participant, of feedback and ratings who gave them. The company is that of the person then: Dan
/// rated both times as one of Fjord's.
pub(super) async fn evidence(tables: &mut Tables<'_>) {
    let measures = "evidence_data -> 'rating' | evidence_data -> 'points'";
    tables
        .show(
            "evidence_ledger",
            &format!("evidence_type | source_system | source_id | user_id | company_id | campaign_id | {measures}"),
            &[
                "session | kintell | lesson 1 | Ada | Fjord | - | 0.80 | -",
                "session | kintell | lesson 2 | Ada | Fjord | - | 1.00 | -",
                "session | kintell | lesson 3 | Ada | Fjord | - | 0.80 | -",
                "session | kintell | talk on work | Ada | Fjord | - | - | -",
                "session | kintell | Cleo's lesson | Cleo | Fjord | - | 0.50 | -",
                "session | buddy | knitting | Ada | Fjord | - | 0.90 | -",
                "feedback | kintell | rating 1 | Ada | Fjord | - | 0.9 | -",
                "feedback | kintell | rating 2 | Dan | Fjord | - | 0.7 | -",
                "feedback | kintell | rating 3 | Ada | Fjord | - | 1 | -",
                "feedback | kintell | rating 4 | Dan | Fjord | - | 0.8 | -",
                "feedback | kintell | rating 5 | Cleo | Fjord | - | 0.5 | -",
                "feedback | buddy | Ada's thanks | Ada | Fjord | Welcome | 0.80 | -",
                "feedback | buddy | Bo's thanks | Bo | Fjord | Welcome | 0.60 | -",
                "milestone | buddy | 1 | Ada | Fjord | - | - | 50",
                "milestone | buddy | 2 | Bo | Fjord | - | - | 75",
                "milestone | upskilling | Fay's course | Fay | Fjord | - | - | -",
            ],
        )
        .await;
    // Measures only: nothing that somebody wrote.
    let written = "evidence_ledger where evidence_data::text ~* 'lovely|shy|wool|pace|listens|snow|first month'";
    tables.show(written, "source_id", &[]).await;
}
