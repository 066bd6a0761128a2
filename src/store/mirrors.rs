//! Rows that are carried to ClickHouse as they are whenever they change. Each has a version from a sequence; a changed row
//! has a new one, and there the latest wins.

use sqlx::AssertSqlSafe;

use super::horizon::Horizon;
use super::{Connection, Error, TRANSACTION_SECONDS_MAX, within};
use crate::domain::Mirror;

/// Changed rows as JSON, one per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The rows.
    pub(crate) lines: String,
    /// How many.
    pub(crate) rows: i64,
    /// The version of the last one.
    pub(crate) last: i64,
}

/// How many rows there are, the sum of their versions, and the greatest: equal where the same rows are there.
pub(crate) type Sum = (i64, i64, i64);

impl Connection {
    /// How far the versions of a mirrored table are settled.
    pub(crate) fn versions(&self, mirror: &Mirror) -> Horizon {
        Horizon::of(mirror.sequence.clone())
    }

    /// Up to which version a table is mirrored.
    pub(crate) async fn mirrored(&mut self, mirror: &Mirror) -> Result<i64, Error> {
        let found: Option<i64> = sqlx::query_scalar("select version from feed_mirrors where name = $1")
            .bind(&mirror.name)
            .fetch_optional(&mut self.pg)
            .await
            .map_err(|error| Error::classify("read how far a table is mirrored", error))?;
        Ok(found.unwrap_or_default())
    }

    /// Marks up to which version a table is mirrored.
    pub(crate) async fn mark_mirrored(&mut self, mirror: &Mirror, version: i64) -> Result<(), Error> {
        let sql = "insert into feed_mirrors (name, version) values ($1, $2)
                   on conflict (name) do update set version = excluded.version, changed_at = now()";
        sqlx::query(sql)
            .bind(&mirror.name)
            .bind(version)
            .execute(&mut self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("mark how far a table is mirrored", error))
    }

    /// Rows that changed after a version, and up to another.
    pub(crate) async fn changed(
        &mut self,
        mirror: &Mirror,
        after: i64,
        up_to: i64,
        limit: i64,
    ) -> Result<Option<Changed>, Error> {
        let sql = format!(
            "select coalesce(string_agg(row_to_json(changed)::text, e'\\n' order by version), ''), count(*),
                 coalesce(max(version), 0)
             from (select * from ({}) as rows where version > $1 and version <= $2 order by version limit $3) as changed",
            mirror.sql
        );
        let reading = async {
            sqlx::query_as::<_, (String, i64, i64)>(AssertSqlSafe(sql))
                .bind(after)
                .bind(up_to)
                .bind(limit)
                .fetch_one(&mut self.pg)
                .await
                .map_err(|error| Error::classify(&format!("read what changed for {}", mirror.name), error))
        };
        let (lines, rows, last) = within(TRANSACTION_SECONDS_MAX, "reading what changed", reading).await?;
        Ok((rows > 0).then_some(Changed { lines, rows, last }))
    }

    /// What a mirrored table has here.
    pub(crate) async fn mirror_sum(&mut self, mirror: &Mirror) -> Result<Sum, Error> {
        let sql = format!(
            "select count(*), coalesce(sum(version), 0)::int8, coalesce(max(version), 0) from ({}) as rows",
            mirror.sql
        );
        sqlx::query_as(AssertSqlSafe(sql))
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify(&format!("sum up {}", mirror.name), error))
    }

    /// Whether everything that changed is mirrored.
    pub(super) async fn is_mirrored(&mut self) -> Result<bool, Error> {
        for mirror in &self.domain().mirrors {
            let sql = format!("select exists (select from ({}) as rows where version > $1)", mirror.sql);
            let mark = self.mirrored(mirror).await?;
            let is_behind: bool = sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(mark)
                .fetch_one(&mut self.pg)
                .await
                .map_err(|error| Error::classify("look whether all is mirrored", error))?;
            if is_behind {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
