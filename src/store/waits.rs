//! Waiting events as operators see them: which wait, since when, and for what.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::hold::exists;
use super::{Connection, Error, Unit};

/// Events of one type that wait for entities of one kind.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Kind {
    /// Their type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The entity of `stream.toml`.
    pub entity: String,
    /// How many events wait.
    pub events: i64,
    /// For how many rows that are missing.
    pub keys: i64,
    /// Since when the first of them waits.
    pub oldest: DateTime<Utc>,
}

/// A row that is missing.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Cause {
    /// The entity of `stream.toml`.
    pub entity: String,
    /// Its key.
    pub key: Uuid,
    /// How many events wait for it.
    pub events: i64,
    /// Since when the first of them waits.
    pub oldest: DateTime<Utc>,
}

/// What an event waits for.
#[derive(Debug, Clone, Serialize, serde::Deserialize)]
pub struct Missing {
    /// The entity of `stream.toml`.
    pub entity: String,
    /// The key of the row.
    pub key: Uuid,
}

/// An event that waits.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Held {
    /// The event.
    pub event_id: Uuid,
    /// Its type.
    pub event_type: String,
    /// Its place in the event store.
    pub position: i64,
    /// Since when it waits.
    pub waiting_since: DateTime<Utc>,
    /// What is missing.
    pub missing: Json<Vec<Missing>>,
}

/// All that waits, in numbers; of causes and events, the first ones.
#[derive(Debug, Clone)]
pub struct Waits {
    /// Events that wait.
    pub events: i64,
    /// Rows that are missing.
    pub causes: i64,
    /// By type and entity.
    pub by_type: Vec<Kind>,
    /// The rows that most events wait for.
    pub by_cause: Vec<Cause>,
    /// The events, oldest first.
    pub held: Vec<Held>,
}

/// Rows of events that wait for so many seconds.
const OLD: &str = "waiting_since <= now() - make_interval(secs => $1)";

impl Connection {
    /// What waits for at least so many seconds, in one snapshot.
    ///
    /// # Errors
    /// As the database says.
    pub async fn waits(&mut self, older_than_seconds: f64, limit: i64) -> Result<Waits, Error> {
        let mut unit = self.begin_snapshot().await?;
        let waits = unit.waits(older_than_seconds, limit).await?;
        unit.commit().await?;
        Ok(waits)
    }

    /// One event that waits; nothing when it does not.
    ///
    /// # Errors
    /// As the database says.
    pub async fn held(&mut self, event: Uuid) -> Result<Option<Held>, Error> {
        let sql = format!("{} where event_id = $1 group by position, event_id, event_type", held());
        sqlx::query_as(AssertSqlSafe(sql))
            .bind(event)
            .fetch_optional(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look for a waiting event", error))
    }

    /// Whether a row is there by now that an event waits for: then it is about to be released.
    ///
    /// # Errors
    /// As the database says.
    pub async fn is_there(&mut self, missing: &Missing) -> Result<bool, Error> {
        let Some(entity) = self.domain.entity(&missing.entity) else {
            return Ok(false);
        };
        sqlx::query_scalar(AssertSqlSafe(format!("select {}", exists(&self.domain, entity, "$1::uuid"))))
            .bind(missing.key)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look up a reference", error))
    }
}

fn held() -> String {
    "select event_id, event_type, position, min(waiting_since) as waiting_since,
         jsonb_agg(jsonb_build_object('entity', entity, 'key', key) order by entity, key) as missing
     from waiting_events"
        .to_owned()
}

impl Unit<'_> {
    async fn waits(&mut self, older_than_seconds: f64, limit: i64) -> Result<Waits, Error> {
        let reading = async {
            let counts = format!(
                "select (select count(distinct position) from waiting_events where {OLD}),
                        (select count(*) from (select distinct entity, key from waiting_events where {OLD}) as causes)"
            );
            let (events, causes): (i64, i64) =
                sqlx::query_as(AssertSqlSafe(counts)).bind(older_than_seconds).fetch_one(&mut *self.pg).await?;
            let by_type = format!(
                "select event_type, entity, count(distinct position) as events, count(distinct key) as keys,
                     min(waiting_since) as oldest
                 from waiting_events where {OLD} group by 1, 2 order by 3 desc, 1, 2"
            );
            let by_type =
                sqlx::query_as(AssertSqlSafe(by_type)).bind(older_than_seconds).fetch_all(&mut *self.pg).await?;
            let by_cause = format!(
                "select entity, key, count(*) as events, min(waiting_since) as oldest
                 from waiting_events where {OLD} group by 1, 2 order by 3 desc, 4, 1, 2 limit $2"
            );
            let by_cause = sqlx::query_as(AssertSqlSafe(by_cause))
                .bind(older_than_seconds)
                .bind(limit)
                .fetch_all(&mut *self.pg)
                .await?;
            let held = format!(
                "{} where {OLD} group by position, event_id, event_type\n                 order by min(waiting_since), position limit $2",
                held()
            );
            let held = sqlx::query_as(AssertSqlSafe(held))
                .bind(older_than_seconds)
                .bind(limit)
                .fetch_all(&mut *self.pg)
                .await?;
            Ok(Waits { events, causes, by_type, by_cause, held })
        };
        reading.await.map_err(|error| Error::classify("list what waits", error))
    }
}
