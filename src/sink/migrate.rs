//! Migrations of ClickHouse: applied by `milepost migrate` alone; the service only verifies that they are.
//!
//! ClickHouse has no transactions for DDL. So every statement can be repeated (`if not exists`), and the row in the
//! ledger is written after the last one: a migration that was killed is run again from its beginning.

use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};

use super::{Error, Sink, cluster, identifier, literal, statements};

static CLICKHOUSE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/migrations/clickhouse");

/// The ledger of what was applied. A killed rollback, or two at once, may leave a row twice: read as a set.
const LEDGER: &str = "
    create table if not exists schema_migrations (
        version UInt32,
        description String,
        checksum String comment 'SHA-256 of the file',
        applied_at DateTime64(6, 'UTC') default now64(6, 'UTC')
    )
    engine = MergeTree order by version
    comment 'migrations of milepost that were applied'";

/// One migration and whether it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub version: u32,
    /// What it does.
    pub description: String,
    /// It is in the database.
    pub is_applied: bool,
}

/// A migration as it is compiled in.
#[derive(Debug)]
pub struct Migration {
    /// Its number.
    pub version: u32,
    /// What it does.
    pub description: String,
    /// Statements that do it.
    pub up: &'static str,
    /// Statements that undo it.
    pub down: &'static str,
}

/// Migration failed: which one, and why.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// ClickHouse said no, or nothing.
    #[error("migration of ClickHouse failed")]
    Sink(#[from] Error),
    /// A statement of a migration failed; those before it stand.
    #[error("migration {version:04} {description} of ClickHouse failed")]
    Statement {
        /// Its number.
        version: u32,
        /// What it does.
        description: String,
        /// Why.
        #[source]
        source: Error,
    },
    /// What is applied is not what is compiled in.
    #[error("{0}")]
    Ledger(String),
}

struct Applied {
    version: u32,
    checksum: String,
}

/// Every migration that is compiled in, by number.
#[must_use]
pub fn compiled_in() -> Vec<Migration> {
    let text = |name: &str| CLICKHOUSE.get_file(name).and_then(|file| file.contents_utf8());
    let mut migrations: Vec<Migration> = CLICKHOUSE
        .files()
        .filter_map(|file| {
            let name = file.path().file_name()?.to_str()?;
            let stem = name.strip_suffix(".sql").filter(|stem| !stem.ends_with(".down"))?;
            let (version, description) = stem.split_once('_')?;
            Some(Migration {
                version: version.parse().ok()?,
                description: description.replace('_', " "),
                up: file.contents_utf8()?,
                down: text(&format!("{stem}.down.sql")).unwrap_or_default(),
            })
        })
        .collect();
    migrations.sort_by_key(|migration| migration.version);
    migrations
}

impl Migration {
    fn checksum(&self) -> String {
        Sha256::digest(self.up).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn step(&self, applied: &[Applied]) -> Step {
        let is_applied = applied.iter().any(|applied| applied.version == self.version);
        Step { version: self.version, description: self.description.clone(), is_applied }
    }
}

impl Sink {
    /// Makes the database if it is missing and applies what is missing; returns what was applied.
    ///
    /// # Errors
    /// When a migration fails, or an applied one is not the one compiled in.
    pub async fn migrate(&self) -> Result<Vec<Step>, MigrationError> {
        self.make_database().await?;
        self.carry_out(LEDGER).await?;
        let applied = self.applied().await?;
        let all = compiled_in();
        refuse_other_ledger(&all, &applied).map_err(MigrationError::Ledger)?;
        let mut steps = Vec::new();
        for migration in all.iter().filter(|migration| !migration.step(&applied).is_applied) {
            self.carry_out_all(migration, migration.up).await?;
            let [description, checksum] = [literal(&migration.description), literal(&migration.checksum())];
            let values = format!("({}, {description}, {checksum})", migration.version);
            let row = format!(
                "insert into schema_migrations (version, description, checksum) settings async_insert = 0 values {values}"
            );
            self.execute(&row).await?;
            steps.push(Step { is_applied: true, ..migration.step(&applied) });
        }
        Ok(steps)
    }

    /// Rolls back the last migrations, with all that is in their tables; returns what was rolled back, latest first.
    ///
    /// # Errors
    /// When a rollback fails.
    pub async fn migrate_down(&self, count: usize) -> Result<Vec<Step>, MigrationError> {
        let applied = self.applied().await?;
        let all = compiled_in();
        refuse_other_ledger(&all, &applied).map_err(MigrationError::Ledger)?;
        let mut steps = Vec::new();
        for migration in all.iter().rev().filter(|migration| migration.step(&applied).is_applied).take(count) {
            self.carry_out_all(migration, migration.down).await?;
            let version = migration.version;
            self.carry_out(&format!(
                "alter table schema_migrations delete where version = {version} settings mutations_sync = 2"
            ))
            .await?;
            steps.push(Step { is_applied: false, ..migration.step(&[]) });
        }
        Ok(steps)
    }

    /// Every migration that is compiled in, and whether it is applied.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn migrations(&self) -> Result<Vec<Step>, Error> {
        let applied = self.applied().await?;
        Ok(compiled_in().iter().map(|migration| migration.step(&applied)).collect())
    }

    /// Checks that the database is at the version that this binary was built for.
    ///
    /// # Errors
    /// `Ok(Err(…))` says what to run when it is not.
    pub async fn verify_version(&self) -> Result<Result<(), String>, Error> {
        let applied = self.applied().await?;
        let all = compiled_in();
        let missing: Vec<&Migration> = all.iter().filter(|migration| !migration.step(&applied).is_applied).collect();
        Ok(match missing.first() {
            Some(first) => Err(format!(
                "the ClickHouse database {} lacks {} migrations, from {:04} {} on\n  hint: run `milepost migrate`",
                self.database,
                missing.len(),
                first.version,
                first.description
            )),
            None => refuse_other_ledger(&all, &applied),
        })
    }

    /// A user that may not create databases needs one that is there.
    async fn make_database(&self) -> Result<(), Error> {
        let found = format!("select 1 from system.databases where name = {}", literal(&self.database));
        if !self.look(&found).await?.is_empty() {
            return Ok(());
        }
        let statement = self.for_cluster(&format!("create database if not exists {}", identifier(&self.database)))?;
        self.run(self.client.clone(), &statement).await
    }

    async fn applied(&self) -> Result<Vec<Applied>, Error> {
        let name = literal(&self.database);
        let found = format!("select 1 from system.tables where database = {name} and name = 'schema_migrations'");
        if self.look(&found).await?.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.rows("select distinct version, checksum from schema_migrations order by version", &[]).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let [Some(version), Some(checksum)] = <[Option<String>; 2]>::try_from(row).ok()? else {
                    return None;
                };
                Some(Applied { version: version.parse().ok()?, checksum })
            })
            .collect())
    }

    async fn carry_out_all(&self, migration: &Migration, text: &str) -> Result<(), MigrationError> {
        for statement in statements::split(text) {
            self.carry_out(&statement).await.map_err(|source| MigrationError::Statement {
                version: migration.version,
                description: migration.description.clone(),
                source,
            })?;
        }
        Ok(())
    }

    pub(super) async fn carry_out(&self, statement: &str) -> Result<(), Error> {
        self.execute(&self.for_cluster(statement)?).await
    }

    fn for_cluster(&self, statement: &str) -> Result<String, Error> {
        let Some(name) = &self.cluster else {
            return Ok(statement.to_owned());
        };
        cluster::rewritten(statement, name).map_err(|message| Error::Fault {
            attempted: "migrate".to_owned(),
            code: 0,
            message,
            hint: None,
        })
    }
}

fn refuse_other_ledger(all: &[Migration], applied: &[Applied]) -> Result<(), String> {
    for Applied { version, checksum } in applied {
        match all.iter().find(|migration| migration.version == *version) {
            Some(migration) if migration.checksum() == *checksum => {}
            Some(migration) => {
                return Err(format!(
                    "migration {version:04} {} was applied to ClickHouse with another text\n  hint: run the milepost that applied it, or put the file back as it was",
                    migration.description
                ));
            }
            None => {
                return Err(format!(
                    "the ClickHouse database has migration {version:04}, which this milepost does not know\n  hint: run the newer milepost"
                ));
            }
        }
    }
    Ok(())
}
