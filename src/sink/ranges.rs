//! What ClickHouse holds of a range of positions.

use std::collections::{HashMap, HashSet};

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
        let sql = format!(
            "select count(), {} from {} where position between {first} and {last}",
            layout.hash(),
            identifier(table)
        );
        let rows = self.rows(&sql, &CONSISTENT).await?;
        let number = |index: usize| rows.first()?.get(index)?.as_deref();
        let content =
            number(0).and_then(|events| events.parse().ok()).zip(number(1).and_then(|hash| hash.parse().ok()));
        let (events, hash) = content.ok_or_else(|| self.nonsense("count the rows of a range"))?;
        Ok(Content { events, hash })
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
        let read = |row: &Row| {
            let number = |index: usize| row.get(index)?.as_deref();
            let content = Content { events: number(1)?.parse().ok()?, hash: number(2)?.parse().ok()? };
            Some((number(0)?.parse().ok()?, content))
        };
        let rows = self.rows(&sql, &CONSISTENT).await?;
        let contents: Option<HashMap<i64, Content>> = rows.iter().map(read).collect();
        contents.ok_or_else(|| self.nonsense("count the rows of ranges"))
    }
}

impl Sink {
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
        let text = |index: usize| rows.first()?.get(index)?.clone();
        let number = |index: usize| text(index)?.parse().ok();
        let numbers = (|| Some((number(0)?, number(1)?, number(2)?)))();
        let (only_one, only_other, different) = numbers.ok_or_else(|| self.nonsense("compare two tables"))?;
        Ok(Difference { only_one, only_other, different, some: text(3).unwrap_or_default() })
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
