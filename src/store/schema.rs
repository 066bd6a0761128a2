//! Checking the domain's SQL against the database, by preparing every statement.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Column as _, Executor as _, SqlSafeStr as _, Statement as _, TypeInfo as _};

use super::Connection;
use crate::domain::Privacy;

/// The columns of a signal and their types.
const SIGNAL_COLUMNS: [(&str, &[&str]); 9] = [
    ("person", &["UUID"]),
    ("at", &["TIMESTAMPTZ"]),
    ("event", &["UUID"]),
    ("until", &["TIMESTAMPTZ"]),
    ("told_at", &["TIMESTAMPTZ"]),
    ("key", &["TEXT", "VARCHAR"]),
    ("label", &["TEXT", "VARCHAR"]),
    ("value", &["NUMERIC"]),
    ("rank", &["INT4"]),
];

impl Connection {
    /// Prepares every projection, every derived table, every signal and every entity's look-up.
    ///
    /// Returns all faults, each with its file.
    pub async fn check_domain(&mut self) -> Vec<String> {
        let domain = Arc::clone(&self.domain);
        let mut faults = Vec::new();
        for projection in domain.projections.iter().flatten() {
            for statement in &projection.statements {
                self.check(&projection.path, &statement.sql, &mut faults).await;
            }
        }
        for derivation in &domain.derivations {
            for statement in &derivation.statements {
                self.check(&derivation.path, statement, &mut faults).await;
            }
        }
        for signal in &domain.journey.signals {
            let place = format!("journey.toml: signal {:?}", signal.name);
            self.check_signal(&place, &signal.statement.sql, &mut faults).await;
        }
        for (index, entity) in domain.entities.iter().enumerate() {
            let exists = super::hold::exists(&domain, index, "$1::uuid");
            self.check(&format!("stream.toml: entity {:?}", entity.name), &format!("select {exists}"), &mut faults)
                .await;
        }
        for (path, sql) in domain.privacy.iter().flat_map(Privacy::statements) {
            self.check(path, sql, &mut faults).await;
        }
        let log = format!("select position from {} limit 0", domain.event_log);
        self.check("stream.toml: store.event_log", &log, &mut faults).await;
        faults
    }

    /// A signal's columns too: one of another type would only be noticed when events come.
    async fn check_signal(&mut self, place: &str, sql: &str, faults: &mut Vec<String>) {
        let known = faults.len();
        self.check(place, sql, faults).await;
        if faults.len() > known {
            return;
        }
        let Ok(prepared) = self.pg.prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await else {
            return; // it was possible a moment ago: the next check will tell
        };
        let columns = prepared.columns();
        for name in ["person", "at", "event"] {
            if !columns.iter().any(|column| column.name() == name) {
                faults.push(format!("{place}: there is no column {name:?}"));
            }
        }
        for column in columns {
            let found = column.type_info().name();
            match SIGNAL_COLUMNS.iter().find(|(name, _)| *name == column.name()) {
                Some((_, wanted)) if wanted.contains(&found) => {}
                Some((name, wanted)) => {
                    faults.push(format!("{place}: the column {name:?} is {found}, it must be {}", wanted.join(" or ")));
                }
                None => {
                    let known: Vec<&str> = SIGNAL_COLUMNS.iter().map(|(name, _)| *name).collect();
                    faults.push(format!("{place}: unknown column {:?}; there are {}", column.name(), known.join(", ")));
                }
            }
        }
    }

    async fn check(&mut self, place: &str, sql: &str, faults: &mut Vec<String>) {
        let prepared = self.pg.prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await;
        if let Err(error) = prepared {
            let said = error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
            faults.push(format!("{place}: {said}"));
        }
    }
}
