//! Checking the domain's SQL against the database, by preparing every statement.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

use super::Connection;

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
            self.check(&place, &signal.statement.sql, &mut faults).await;
        }
        for (index, entity) in domain.entities.iter().enumerate() {
            let exists = super::hold::exists(&domain, index, "$1::uuid");
            self.check(&format!("stream.toml: entity {:?}", entity.name), &format!("select {exists}"), &mut faults)
                .await;
        }
        let log = format!("select position from {} limit 0", domain.event_log);
        self.check("stream.toml: store.event_log", &log, &mut faults).await;
        faults
    }

    async fn check(&mut self, place: &str, sql: &str, faults: &mut Vec<String>) {
        let prepared = self.pg.prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await;
        if let Err(error) = prepared {
            let said = error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
            faults.push(format!("{place}: {said}"));
        }
    }
}
