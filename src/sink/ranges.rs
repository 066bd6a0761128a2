//! What ClickHouse holds of a range of positions.

use std::collections::{HashMap, HashSet};

use super::tab_separated::parsed;
use super::{Error, Row, Sink, identifier};
use crate::feed::Layout;

/// Rows of a range, as ClickHouse counts and hashes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Content {
    /// How many.
    pub events: i64,
    /// As [`Layout::hash`] says.
    pub hash: u64,
}

impl Sink {
    /// Counts and hashes the rows of a range.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn content(&self, table: &str, layout: &Layout, first: i64, last: i64) -> Result<Content, Error> {
        Ok(self.contents(table, layout, &[(first, last)]).await?.remove(&first).unwrap_or_default())
    }

    /// The same for several ranges, by their first positions; those without a row are not there.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn contents(
        &self,
        table: &str,
        layout: &Layout,
        ranges: &[(i64, i64)],
    ) -> Result<HashMap<i64, Content>, Error> {
        let (Some((low, _)), Some((_, high))) = (ranges.first(), ranges.last()) else {
            return Ok(HashMap::new());
        };
        let firsts: Vec<String> = ranges.iter().map(|(first, _)| first.to_string()).collect();
        let sql = format!(
            "select roundDown(position, [{}]) as first, count(), {} from {} where position between {low} and {high}
             group by first",
            firsts.join(","),
            layout.hash(),
            identifier(table)
        );
        let read = |row: &Row| Some((parsed(row, 0)?, Content { events: parsed(row, 1)?, hash: parsed(row, 2)? }));
        let rows = self.rows(&sql, &CONSISTENT).await?;
        let contents: Option<HashMap<i64, Content>> = rows.iter().map(read).collect();
        contents.ok_or_else(|| self.nonsense("count the rows of ranges"))
    }

    /// Those of the ranges that have such rows.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn ranges_with(
        &self,
        table: &str,
        ranges: &[(i64, i64)],
        condition: &str,
    ) -> Result<Vec<(i64, i64)>, Error> {
        let (Some((low, _)), Some((_, high))) = (ranges.first(), ranges.last()) else {
            return Ok(Vec::new());
        };
        let firsts: Vec<String> = ranges.iter().map(|(first, _)| first.to_string()).collect();
        let sql = format!(
            "select distinct roundDown(position, [{}]) from {} where position between {low} and {high} and {condition}",
            firsts.join(","),
            identifier(table)
        );
        let rows = self.rows(&sql, &CONSISTENT).await?;
        let found: HashSet<String> = rows.into_iter().flatten().flatten().collect();
        Ok(ranges.iter().copied().filter(|(first, _)| found.contains(&first.to_string())).collect())
    }

    /// How two tables differ up to a position: rows only in one, only in the other, and in both but different.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn difference(&self, [one, other]: [&str; 2], layout: &Layout, up_to: i64) -> Result<Difference, Error> {
        let side = |table: &str, number: u8| {
            format!(
                "select position, {} as hash, {number} as side from {} where position <= {up_to} group by position",
                layout.hash(),
                identifier(table)
            )
        };
        let sql = format!(
            "select countIf(sides = [1]), countIf(sides = [2]), countIf(length(sides) = 2),
                 arrayStringConcat(arraySort(groupArraySample(10, 1)(position)), ', ')
             from (select position, arraySort(groupArray(side)) as sides from ({} union all {}) group by position
                   having length(sides) = 1 or uniqExact(hash) = 2)",
            side(one, 1),
            side(other, 2)
        );
        let rows = self.rows(&sql, &CONSISTENT).await?;
        let read = |row: &Row| {
            let some = row.get(3).cloned().flatten().unwrap_or_default();
            Some(Difference {
                only_one: parsed(row, 0)?,
                only_other: parsed(row, 1)?,
                different: parsed(row, 2)?,
                some,
            })
        };
        rows.first().and_then(read).ok_or_else(|| self.nonsense("compare two tables"))
    }
}

/// How two tables differ.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// Rows only in the first.
    pub only_one: u64,
    /// Rows only in the second.
    pub only_other: u64,
    /// Rows in both that are different.
    pub different: u64,
    /// Some of their positions.
    pub some: String,
}

/// On a cluster, a replica must not answer before it has what was inserted at another.
pub(super) const CONSISTENT: [(&str, &str); 1] = [("select_sequential_consistency", "1")];
