//! Tables beside the ones that are read: made, filled, and put in their place.

use std::time::Instant;

use super::ranges::CONSISTENT;
use super::tab_separated::parsed;
use super::{Error, Row, Sink, identifier, literal, with_settings};

/// Copying within ClickHouse: equal blocks are no repeats, and nothing else is to be recognised.
const COPYING: [(&str, &str); 2] = [("insert_deduplicate", "0"), ("max_partitions_per_insert_block", "0")];
/// The same for newer servers, to which the first of these says nothing any more.
const NEWER_COPYING: [(&str, &str); 2] = [("deduplicate_insert", "disable"), ("deduplicate_insert_select", "disable")];

impl Sink {
    /// Makes an empty table like another; one of that name that was left over is gone.
    ///
    /// # Errors
    /// When ClickHouse does not do it.
    pub async fn make_like(&self, table: &str, name: &str, comment: &str) -> Result<(), Error> {
        self.remove(name).await?;
        self.carry_out(&format!("create table {} as {} ", identifier(name), identifier(table))).await?;
        self.carry_out(&format!("alter table {} modify comment {}", identifier(name), literal(comment))).await
    }

    /// Removes a table, if it is there.
    ///
    /// # Errors
    /// When ClickHouse does not do it.
    pub async fn remove(&self, table: &str) -> Result<(), Error> {
        self.carry_out(&format!("drop table if exists {} sync", identifier(table))).await
    }

    /// Whether there is a table of that name.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn exists(&self, table: &str) -> Result<bool, Error> {
        Ok(self.comment(table).await?.is_some())
    }

    /// The comment of a table, which says of which generation it is; nothing, where there is no such table.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn comment(&self, table: &str) -> Result<Option<String>, Error> {
        let sql = format!(
            "select comment from system.tables where database = {} and name = {}",
            literal(self.database()),
            literal(table)
        );
        Ok(self.rows(&sql, &[]).await?.into_iter().flatten().next().flatten())
    }

    /// Tables whose names begin so.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn named_like(&self, begin: &str) -> Result<Vec<String>, Error> {
        let sql = format!(
            "select name from system.tables where database = {} and startsWith(name, {})",
            literal(self.database()),
            literal(begin)
        );
        Ok(self.rows(&sql, &[]).await?.into_iter().flatten().flatten().collect())
    }

    /// Fills a table from a query.
    ///
    /// # Errors
    /// When ClickHouse does not do it.
    pub async fn fill(&self, table: &str, query: &str) -> Result<(), Error> {
        let newer = self.known(&NEWER_COPYING).await?;
        let client = with_settings(self.client.clone().with_database(self.database()), &COPYING);
        self.run(with_settings(client, &newer), &format!("insert into {} {query}", identifier(table))).await
    }

    /// The ids of the partitions in which a table has such rows.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn partitions(&self, table: &str, condition: &str) -> Result<Vec<String>, Error> {
        let sql = format!("select distinct _partition_id from {} where {condition} order by 1", identifier(table));
        let rows = self.rows(&sql, &CONSISTENT).await?;
        Ok(rows.into_iter().flatten().flatten().collect())
    }

    /// Puts a partition of one table in the place of that of another, in one step; views are not run. Where the other
    /// has nothing, nothing is left.
    ///
    /// # Errors
    /// When ClickHouse does not do it.
    pub async fn replace_partition(&self, table: &str, beside: &str, partition: &str) -> Result<(), Error> {
        let (id, began) = (literal(partition), Instant::now());
        let is_empty = self.partitions(beside, &format!("_partition_id = {id}")).await?.is_empty();
        let how = match is_empty {
            true => format!("drop partition id {id}"),
            false => format!("replace partition id {id} from {}", identifier(beside)),
        };
        let left = self.deadline.saturating_sub(began.elapsed());
        self.clone().with_deadline(left).carry_out(&format!("alter table {} {how}", identifier(table))).await
    }

    /// Exchanges the names of two tables, in one step.
    ///
    /// # Errors
    /// When ClickHouse does not do it.
    pub async fn exchange(&self, one: &str, other: &str) -> Result<(), Error> {
        self.carry_out(&format!("exchange tables {} and {}", identifier(one), identifier(other))).await
    }

    /// Renames a table.
    ///
    /// # Errors
    /// When ClickHouse does not do it.
    pub async fn rename(&self, table: &str, name: &str) -> Result<(), Error> {
        self.carry_out(&format!("rename table {} to {}", identifier(table), identifier(name))).await
    }

    /// Rows beyond a position.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn count_beyond(&self, table: &str, position: i64) -> Result<i64, Error> {
        let sql = format!("select count() from {} where position > {position} or position = 0", identifier(table));
        self.number(&sql, "count rows").await
    }

    /// How many versions between two a mirrored table has.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn versions(&self, table: &str, after: i64, last: i64) -> Result<i64, Error> {
        let sql = format!(
            "select uniqExact(version) from {} where version > {after} and version <= {last}",
            identifier(table)
        );
        self.number(&sql, "count the versions of a mirrored table").await
    }

    /// How many rows a mirrored table has, the sum of their versions, and the greatest; of each row the latest version.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn mirror_sum(&self, table: &str) -> Result<(i64, i64, i64), Error> {
        let sql = format!("select count(), sum(version), max(version) from {} final", identifier(table));
        let rows = self.rows(&sql, &CONSISTENT).await?;
        let read = |row: &Row| Some((parsed(row, 0)?, parsed(row, 1)?, parsed(row, 2)?));
        rows.first().and_then(read).ok_or_else(|| self.nonsense("sum up a mirrored table"))
    }

    async fn number(&self, sql: &str, attempted: &str) -> Result<i64, Error> {
        let rows = self.rows(sql, &CONSISTENT).await?;
        rows.first().and_then(|row| parsed(row, 0)).ok_or_else(|| self.nonsense(attempted))
    }

    /// Names and types of a table's columns.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn columns(&self, table: &str) -> Result<Vec<(String, String)>, Error> {
        let sql = format!(
            "select name, type from system.columns where database = {} and table = {} order by position",
            literal(self.database()),
            literal(table)
        );
        let rows = self.rows(&sql, &[]).await?;
        Ok(rows.into_iter().filter_map(|row| Some((row.first()?.clone()?, row.get(1)?.clone()?))).collect())
    }
}
