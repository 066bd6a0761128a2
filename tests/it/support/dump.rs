//! Everything in the domain's tables, to compare.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::World;

/// Tables whose ids mean nothing.
const SURROGATE: [&str; 11] = [
    "company_users",
    "user_external_ids",
    "external_id_mappings",
    "program_enrollments",
    "journey_milestones",
    "journey_flags",
    "learning_progress",
    "evidence_ledger",
    "evidence_snippets",
    "metrics_company_period",
    "outcome_scores_quarterly",
];

/// Tables whose `created_at` is told by an event.
const CREATED_AS_TOLD: [&str; 4] = ["dsar_requests", "evidence_snippets", "kintell_ratings", "outcome_scores"];

/// What is compared.
const TABLES: [&str; 47] = [
    "users",
    "companies",
    "company_campaigns",
    "company_days",
    "company_day_parts",
    "company_people",
    "company_users",
    "user_external_ids",
    "external_id_mappings",
    "user_emails",
    "company_memberships",
    "identity_conflicts",
    "programs",
    "program_campaigns",
    "program_templates",
    "beneficiary_groups",
    "program_enrollments",
    "buddy_matches",
    "buddy_events",
    "buddy_checkins",
    "buddy_feedback",
    "kintell_sessions",
    "kintell_session_people",
    "kintell_ratings",
    "learning_reports",
    "learning_progress",
    "outcome_scores",
    "outcome_scores_quarterly",
    "evidence_ledger",
    "evidence_snippets",
    "metrics_company_period",
    "placements",
    "enrollment_reports",
    "enrollment_report_people",
    "volunteering",
    "volunteering_people",
    "placement_people",
    "safety_flags",
    "safety_reviews",
    "consents",
    "dsar_requests",
    "journey_flags",
    "journey_milestones",
    "event_log",
    "waiting_events",
    "event_deduplication",
    "dead_letters",
];

/// A day of zeros says that something counted there once, which depends on the order.
const COUNTED: &str = "where minutes + sroi_weight + rating_count + score_count + enrolled_people > 0";
/// A milestone's row has an id that nothing derives.
const DERIVED: &str = "where measure <> 'milestone'";

impl World {
    /// Every table of the domain, row by row, in an order of its own; bookkeeping columns and surrogate ids left out.
    ///
    /// Promise 3: equal sets of events give equal dumps.
    pub(crate) async fn dump(&self) -> BTreeMap<String, Vec<String>> {
        let bookkeeping = "array['processed_at','received_at','position','transaction_id','stream_sequence']";
        let mut connection = self.postgres().await;
        let mut dump = BTreeMap::new();
        for table in TABLES {
            let mut left_out = bookkeeping.to_owned();
            if !CREATED_AS_TOLD.contains(&table) {
                left_out.push_str(" || array['created_at']");
            }
            if SURROGATE.contains(&table) {
                left_out.push_str(" || array['id']");
            }
            match table {
                // Of an event in several spellings, the first one that arrives is the one that is stored.
                "event_log" => left_out.push_str(" || array['payload','correlation_id','causation_id']"),
                // What else an event waited for is noted until it is looked at again.
                "waiting_events" => left_out.push_str(" || array['run_id','waiting_since','entity','key']"),
                "event_deduplication" => left_out.push_str(" || array['id']"),
                "companies" | "company_days" => left_out.push_str(" || array['version']"),
                "metrics_company_period" => left_out.push_str(" || array['updated_at']"),
                "dead_letters" => left_out.push_str(
                    " || array['id','headers','count','is_replayed','first_seq','last_seq','first_seen','last_seen']",
                ),
                _ => {}
            }
            // When an event was projected is bookkeeping, that it was is not.
            let is_projected = " || jsonb_build_object('is_projected', processed_at is not null)";
            let projected = if table == "event_log" { is_projected } else { "" };
            let counted = match table {
                "company_days" => COUNTED,
                "company_day_parts" => DERIVED,
                _ => "",
            };
            let once = if table == "waiting_events" { "distinct" } else { "" };
            let sql = format!(
                "select {once} (to_jsonb(t) - ({left_out}){projected})::text from {table} as t {counted} order by 1"
            );
            let rows: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.expect("a table of the domain");
            dump.insert(table.to_owned(), rows);
        }
        dump
    }
}

/// Compares two dumps and names the first differing rows.
#[track_caller]
pub(crate) fn assert_same(left: &BTreeMap<String, Vec<String>>, right: &BTreeMap<String, Vec<String>>) {
    for (table, rows) in left {
        let other = &right[table];
        if rows == other {
            continue;
        }
        let only_left: Vec<_> = rows.iter().filter(|row| !other.contains(row)).take(3).collect();
        let only_right: Vec<_> = other.iter().filter(|row| !rows.contains(row)).take(3).collect();
        panic!(
            "{table} differs: {} rows and {} rows\n only left: {only_left:#?}\n only right: {only_right:#?}",
            rows.len(),
            other.len()
        );
    }
}

#[test]
fn every_table_that_follows_from_events_is_compared() {
    let settings: toml::Table =
        include_str!("../../../streams/csr/stream.toml").parse().expect("settings that can be read");
    let declared = settings["tables"].as_table().expect("a table of tables");
    // What was merged depends on the order; who came out of it does not.
    let is_compared = |name: &&String| TABLES.contains(&name.as_str()) || *name == "identity_merges";
    let forgotten: Vec<_> = declared.keys().filter(|name| !is_compared(name)).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}
