//! Sums of raw events by hour: what they should be, and where they are not.

use super::ranges::CONSISTENT;
use super::{Error, Sink, identifier, literal};

/// The table of sums by hour.
pub const AGGREGATED: &str = "events_aggregated";
/// The view that keeps it.
pub const AGGREGATING_VIEW: &str = "events_aggregated_view";

/// The begin of a raw event's hour, as the aggregating view computes it.
const HOUR: &str = "fromUnixTimestamp64Second(intDiv(toUnixTimestamp64Micro(event_time)
    - positiveModulo(toUnixTimestamp64Micro(event_time), 3600000000), 1000000), 'UTC')";
impl Sink {
    /// The query of the aggregating view, over another table of raw events, or over a query in parentheses.
    ///
    /// # Errors
    /// When the view is not there, or reads from something else.
    pub async fn aggregation(&self, source: &str) -> Result<String, Error> {
        let sql = format!(
            "select as_select from system.tables where database = {} and name = {}",
            literal(self.database()),
            literal(AGGREGATING_VIEW)
        );
        let query = self.rows(&sql, &[]).await?.into_iter().flatten().next().flatten().unwrap_or_default();
        // The server quotes a name only where it has to.
        let spellings = [self.database().to_owned(), identifier(self.database())];
        let froms = spellings.map(|database| format!("FROM {database}.{} ", crate::analytics::RAW));
        match froms.iter().find(|from| query.matches(from.as_str()).count() == 1) {
            Some(from) => Ok(query.replace(from, &format!("FROM {source} "))),
            None => Err(self.nonsense("read the query of the view events_aggregated_view")),
        }
    }

    /// Makes the view that keeps the sums of a table of raw events.
    ///
    /// # Errors
    /// When ClickHouse does not do it.
    pub async fn make_view(&self, name: &str, aggregated: &str, query: &str) -> Result<(), Error> {
        self.carry_out(&format!(
            "create materialized view if not exists {} to {} as {query}",
            identifier(name),
            identifier(aggregated)
        ))
        .await
    }

    /// Keys of sums that are not what the raw events add up to, as text: the first ones, in order.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn wrong_sums(
        &self,
        raw: &str,
        aggregated: &str,
        condition: &str,
        limit: u32,
    ) -> Result<Vec<WrongSum>, Error> {
        let wrong = self.wrong(&identifier(raw), aggregated, condition).await?;
        let sql = format!("select key, raw_text, sums_text from ({wrong}) order by hour, key limit {limit}");
        let rows = self.rows(&sql, &CONSISTENT).await?;
        let text = |value: Option<&Option<String>>| value.cloned().flatten().unwrap_or_default();
        Ok(rows
            .iter()
            .map(|row| WrongSum { key: text(row.first()), raw: text(row.get(1)), sums: text(row.get(2)) })
            .collect())
    }

    /// The partitions in which sums are wrong.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn wrong_partitions(&self, raw: &str, aggregated: &str, condition: &str) -> Result<Vec<String>, Error> {
        let wrong = self.wrong(&identifier(raw), aggregated, condition).await?;
        let of = |table: &str, hour: &str| {
            format!("select distinct _partition_id from {} where {hour} in (select hour from wrong)", identifier(table))
        };
        let sql = format!(
            "with wrong as ({wrong}) select distinct * from ({} union all {})",
            of(raw, HOUR),
            of(aggregated, "hour")
        );
        let rows = self.rows(&sql, &CONSISTENT).await?;
        Ok(rows.into_iter().flatten().flatten().collect())
    }

    /// Whether sums are what the raw events add up to, from the first hour to the last in which a range has rows.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn is_summed(&self, raw: &str, aggregated: &str, first: i64, last: i64) -> Result<bool, Error> {
        let sql = format!(
            "select toString(min({HOUR})), toString(max({HOUR})) from {} where position between {first} and {last}",
            identifier(raw)
        );
        let span = self.rows(&sql, &CONSISTENT).await?;
        let hour = |index: usize| span.first()?.get(index)?.as_deref()?.strip_suffix(":00:00");
        let (begin, end) = hour(0).zip(hour(1)).ok_or_else(|| self.nonsense("read the hours of a range"))?;
        let source = format!(
            "(select * from {} where event_time >= toDateTime64('{begin}:00:00', 6, 'UTC')
                 and event_time <= toDateTime64('{end}:59:59.999999', 6, 'UTC'))",
            identifier(raw)
        );
        let condition =
            format!("hour between toDateTime64('{begin}:00:00', 0, 'UTC') and toDateTime64('{end}:00:00', 0, 'UTC')");
        let wrong = self.wrong(&source, aggregated, &condition).await?;
        let rows = self.rows(&format!("select 1 from ({wrong}) limit 1"), &CONSISTENT).await?;
        Ok(rows.is_empty())
    }

    /// SQL for the sums that are not what the raw events add up to; these are of a table, or of a query in parentheses.
    async fn wrong(&self, raw: &str, aggregated: &str, condition: &str) -> Result<String, Error> {
        let columns = self.columns(aggregated).await?;
        let of = |is_key: bool| columns.iter().filter(move |(_, kind)| kind.contains("AggregateFunction(") != is_key);
        let keys: Vec<String> = of(true).map(|(name, _)| identifier(name)).collect();
        let values: Vec<String> = of(false)
            .map(|(name, kind)| {
                let function =
                    kind.split_once('(').and_then(|(_, rest)| rest.split([',', ')']).next()).unwrap_or("sum");
                let merge = if kind.starts_with("Simple") { "" } else { "Merge" };
                format!("toString({}{merge}({}))", function.trim(), identifier(name))
            })
            .collect();
        let (keys, values) = (keys.join(", "), values.join(", "));
        let side = |name: &str, from: &str| {
            format!("select {keys}, '{name}' as side, [{values}] as sums from {from} where {condition} group by {keys}")
        };
        Ok(format!(
            "select toString(tuple({keys})) as key, hour, toString(anyIf(sums, side = 'raw')) as raw_text,
                 toString(anyIf(sums, side = 'sums')) as sums_text
             from ({raw_side} union all {sums_side}) group by {keys}
             having count() <> 2 or anyIf(sums, side = 'raw') <> anyIf(sums, side = 'sums')",
            raw_side = side("raw", &format!("({})", self.aggregation(raw).await?)),
            sums_side = side("sums", &identifier(aggregated)),
        ))
    }
}

/// A row of sums that is not what the raw events add up to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WrongSum {
    /// Hour, type and so on.
    pub key: String,
    /// What the raw events say.
    pub raw: String,
    /// What the table of sums says.
    pub sums: String,
}
