//! Everything in the domain's tables, to compare.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::World;

/// Tables whose ids mean nothing.
const SURROGATE: [&str; 8] = [
    "company_users",
    "user_external_ids",
    "external_id_mappings",
    "program_enrollments",
    "journey_milestones",
    "journey_flags",
    "learning_progress",
    "evidence_snippets",
];

/// What is compared.
const TABLES: [&str; 31] = [
    "users",
    "companies",
    "company_days",
    "company_users",
    "user_external_ids",
    "external_id_mappings",
    "user_emails",
    "company_memberships",
    "identity_conflicts",
    "programs",
    "program_campaigns",
    "beneficiary_groups",
    "program_enrollments",
    "buddy_matches",
    "buddy_events",
    "buddy_checkins",
    "buddy_feedback",
    "kintell_sessions",
    "kintell_ratings",
    "learning_reports",
    "learning_progress",
    "outcome_scores",
    "evidence_snippets",
    "enrollment_reports",
    "volunteering",
    "journey_flags",
    "journey_milestones",
    "event_log",
    "waiting_events",
    "event_deduplication",
    "dead_letters",
];

/// A day of zeros says that something counted there once, which depends on the order.
const COUNTED: &str = "where minutes + sroi_weight + rating_count + score_count + enrolled_people > 0";

impl World {
    /// Every table of the domain, row by row, in an order of its own; bookkeeping columns and surrogate ids left out.
    ///
    /// Promise 3: equal sets of events give equal dumps.
    pub(crate) async fn dump(&self) -> BTreeMap<String, Vec<String>> {
        let bookkeeping =
            "array['created_at','processed_at','received_at','position','transaction_id','stream_sequence']";
        let mut connection = self.postgres().await;
        let mut dump = BTreeMap::new();
        for table in TABLES {
            let mut left_out = bookkeeping.to_owned();
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
                "dead_letters" => left_out.push_str(
                    " || array['id','headers','count','is_replayed','first_seq','last_seq','first_seen','last_seen']",
                ),
                _ => {}
            }
            // When an event was projected is bookkeeping, that it was is not.
            let is_projected = " || jsonb_build_object('is_projected', processed_at is not null)";
            let projected = if table == "event_log" { is_projected } else { "" };
            let counted = if table == "company_days" { COUNTED } else { "" };
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
