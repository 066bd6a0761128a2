//! The columns of the raw table in ClickHouse, and how it hashes what it holds.
//!
//! Columns that every event has are the engine's; by what events are grouped and what is measured of them, their
//! contracts say.

use std::collections::BTreeSet;

use super::block::Kind;
use crate::contract::Contract;

/// After each field of a row when it is hashed.
pub const FIELD_END: u8 = 0x1f;

/// The columns that a domain's events have in analytics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// Columns of UUIDs, sorted.
    pub dimensions: Vec<String>,
    /// Columns of decimals, sorted.
    pub measures: Vec<String>,
    /// Names of fields that never leave Postgres, in whichever event they appear.
    pub personal: BTreeSet<String>,
    /// SQL for what is known of people, complete with its relation `people`.
    pub known: Option<String>,
}

impl Layout {
    /// What the contracts of a domain add up to.
    #[must_use]
    pub fn of(contracts: &[Contract], known: Option<&str>) -> Self {
        let all = || contracts.iter().map(|contract| &contract.analytics);
        let sorted = |names: BTreeSet<&String>| names.into_iter().cloned().collect();
        Self {
            dimensions: sorted(all().flat_map(|analytics| analytics.dimensions.keys()).collect()),
            measures: sorted(all().flat_map(|analytics| analytics.measures.keys()).collect()),
            personal: all().flat_map(|analytics| analytics.personal.iter().cloned()).collect(),
            known: known.map(|sql| {
                let sql = sql.trim().trim_end_matches(';');
                format!(
                    "with people as materialized (select user_id from unnest($1::uuid[]) as people (user_id))\n{sql}"
                )
            }),
        }
    }

    /// Every column, in the order in which rows are written and hashed.
    #[must_use]
    pub fn columns(&self) -> Vec<(&str, Kind)> {
        use Kind::{Id, Moment, Number, OwnId, Position, Text};
        let begin = [("position", Position), ("event_id", OwnId), ("event_type", Text), ("family", Text)];
        let middle = [("event_time", Moment), ("received_at", Moment), ("correlation_id", Id)];
        let mut columns = [&begin[..], &[("version", Text), ("user_id", Id)]].concat();
        columns.extend(self.dimensions.iter().map(|name| (name.as_str(), Id)));
        columns.extend(middle);
        columns.extend(self.measures.iter().map(|name| (name.as_str(), Number)));
        columns.push(("payload", Text));
        columns
    }

    /// ClickHouse SQL for the hash of some rows: the sum, modulo 2^64, of an XXH3 of each. A sum does not depend
    /// on the order of rows, and those of neighbouring ranges add up. Only what is there is hashed, with its name: a column
    /// that is added later changes nothing for the rows before it.
    #[must_use]
    pub fn hash(&self) -> String {
        let field = |column: &str| format!("ifNull(concat('{column}=', toString({column}), '\\x1f'), '')");
        let fields: Vec<String> = self.columns().into_iter().map(|(column, _)| field(column)).collect();
        format!("sum(xxh3(concat({})))", fields.join(", "))
    }
}
