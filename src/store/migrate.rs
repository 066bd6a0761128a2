//! Migrations: applied by `milepost migrate` alone; the service only verifies that they are.

use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};
use sqlx::migrate::{Migrate as _, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::{Connection, Error};

static POSTGRES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/migrations/postgres");

/// The ledger of what was applied.
const LEDGER: &str = "_sqlx_migrations";

/// One migration and whether it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub version: i64,
    /// What it does.
    pub description: String,
    /// It is in the database.
    pub is_applied: bool,
}

/// Every migration that is compiled in, up and down, by number.
fn migrator() -> Migrator {
    let mut migrations = Vec::new();
    for file in POSTGRES.files() {
        let (Some(name), Some(sql)) = (file.path().file_name().and_then(|name| name.to_str()), file.contents_utf8())
        else {
            continue;
        };
        let Some((version, rest)) = name.split_once('_') else {
            continue;
        };
        let Ok(version) = version.parse::<i64>() else {
            continue;
        };
        let kind =
            if rest.ends_with(".down.sql") { MigrationType::ReversibleDown } else { MigrationType::ReversibleUp };
        let description = rest.trim_end_matches(".sql").trim_end_matches(".down").replace('_', " ");
        // An index is built concurrently only outside of a transaction; such a file says so in its first line.
        let no_tx = sql.starts_with("-- no-transaction");
        let sql = AssertSqlSafe(sql.to_owned()).into_sql_str();
        migrations.push(Migration::new(version, description.into(), kind, sql, no_tx));
    }
    migrations.sort_by_key(|migration| (migration.version, migration.migration_type.is_down_migration()));
    Migrator::with_migrations(migrations)
}

/// Migration failed: which one, and what Postgres said.
#[derive(Debug, thiserror::Error)]
#[error("migration of Postgres failed")]
pub struct MigrationError(#[from] pub sqlx::migrate::MigrateError);

impl Connection {
    /// Applies what is missing; returns what was applied.
    ///
    /// # Errors
    /// When a migration fails, or an applied one is not the one compiled in.
    pub async fn migrate(&mut self) -> Result<Vec<Step>, MigrationError> {
        let before = self.applied().await?;
        migrator().run(&mut self.pg).await?;
        Ok(steps(&self.applied().await?)
            .into_iter()
            .filter(|step| step.is_applied && !before.contains_key(&step.version))
            .collect())
    }

    /// Rolls back the last migrations; returns what was rolled back, latest first.
    ///
    /// # Errors
    /// When a rollback fails.
    pub async fn migrate_down(&mut self, count: usize) -> Result<Vec<Step>, MigrationError> {
        let applied: Vec<i64> = self.applied().await?.into_keys().rev().collect();
        let undone: Vec<i64> = applied.iter().copied().take(count).collect();
        let target = applied.get(count).copied().unwrap_or_default();
        let all = steps(&BTreeMap::new());
        migrator().undo(&mut self.pg, target).await?;
        Ok(undone.iter().filter_map(|version| all.iter().find(|step| step.version == *version).cloned()).collect())
    }

    /// Every migration that is compiled in, and whether it is applied.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn migrations(&mut self) -> Result<Vec<Step>, MigrationError> {
        Ok(steps(&self.applied().await?))
    }

    async fn applied(&mut self) -> Result<BTreeMap<i64, ()>, MigrationError> {
        let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null")
            .bind(LEDGER)
            .fetch_one(&mut self.pg)
            .await
            .map_err(sqlx::migrate::MigrateError::Execute)?;
        if !exists {
            return Ok(BTreeMap::new());
        }
        let rows = self.pg.list_applied_migrations(LEDGER).await?;
        Ok(rows.into_iter().map(|row| (row.version, ())).collect())
    }

    /// Checks that the database is at the version that this binary was built for.
    ///
    /// # Errors
    /// `Ok(Err(…))` says what to run when it is not.
    pub async fn verify_version(&mut self) -> Result<Result<(), String>, Error> {
        let applied = match self.applied().await {
            Ok(applied) => applied,
            Err(MigrationError(sqlx::migrate::MigrateError::Execute(error))) => {
                return Err(Error::classify("read the ledger of migrations", error));
            }
            Err(MigrationError(error)) => return Ok(Err(error.to_string())),
        };
        let steps = steps(&applied);
        let missing: Vec<&Step> = steps.iter().filter(|step| !step.is_applied).collect();
        let unknown: Vec<&i64> =
            applied.keys().filter(|version| !steps.iter().any(|step| step.version == **version)).collect();
        Ok(match (missing.first(), unknown.first()) {
            (Some(first), _) => Err(format!(
                "the database lacks {} migrations, from {:04} {} on\n  hint: run `milepost migrate`",
                missing.len(),
                first.version,
                first.description
            )),
            (None, Some(version)) => Err(format!(
                "the database has migration {version:04}, which this milepost does not know\n  hint: run the newer milepost"
            )),
            (None, None) => Ok(()),
        })
    }
}

fn steps(applied: &BTreeMap<i64, ()>) -> Vec<Step> {
    migrator()
        .iter()
        .filter(|migration| !migration.migration_type.is_down_migration())
        .map(|migration| Step {
            version: migration.version,
            description: migration.description.to_string(),
            is_applied: applied.contains_key(&migration.version),
        })
        .collect()
}
