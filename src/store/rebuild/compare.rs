//! Comparing a generation with the live tables, row by row, on one snapshot of both.

use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::Generation;
use crate::domain::Table;
use crate::store::{Connection, Error, execute};

/// Rows of a kind that are shown.
const ROWS_SHOWN: i64 = 3;
/// Events that are named for a row.
const EVENTS_SHOWN: i64 = 5;

/// How a table of the generation differs from the live one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// Rows that only the live table has.
    pub only_live: i64,
    /// Rows that only the generation has.
    pub only_rebuilt: i64,
    /// Rows that both have, and that differ.
    pub different: i64,
    /// The first few of each.
    pub rows: Vec<Row>,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What is with it: `only_live`, `only_rebuilt`, `different`.
    pub kind: String,
    /// Its key.
    pub key: Value,
    /// The columns that differ; of a row that only one side has, none.
    pub columns: Vec<String>,
    /// What the live table has in them; null where it has no such row. Maybe personal.
    pub live: Value,
    /// What the generation has in them.
    pub rebuilt: Value,
    /// Events that the row follows from, as far as they can be told from it.
    pub events: Vec<Uuid>,
}

#[derive(sqlx::FromRow)]
struct Found {
    kind: String,
    total: i64,
    key: Value,
    live: Option<Value>,
    rebuilt: Option<Value>,
}

/// The columns of the first unique key that has none of those that are left out.
const KEY: &str = "
    select array_agg(attname::text order by place) from (
        select indexrelid, indisprimary, indkey::int2[] as columns from pg_index
        where indrelid = to_regclass('public.' || quote_ident($1)) and indisunique and indpred is null
          and indexprs is null) as keys
    cross join lateral unnest(columns) with ordinality as part (number, place)
    join pg_attribute on attrelid = to_regclass('public.' || quote_ident($1)) and attnum = number
    group by indexrelid, indisprimary
    having not array_agg(attname::text) && $2 order by indisprimary desc, indexrelid limit 1";

impl Connection {
    /// Begins to read the live tables and the generation as of this moment, whatever happens to them.
    pub(crate) async fn begin_comparing(&mut self) -> Result<(), Error> {
        execute(&mut self.pg, "begin isolation level repeatable read read only").await?;
        // The first query takes the snapshot.
        execute(&mut self.pg, "set local enable_seqscan = on; select 1").await
    }

    /// Ends it.
    pub(crate) async fn end_comparing(&mut self) -> Result<(), Error> {
        self.roll_back_quietly().await
    }

    /// How a table of the generation differs from the live one.
    pub(crate) async fn difference(&mut self, generation: &Generation, table: &Table) -> Result<Difference, Error> {
        let name = &table.name;
        let key = match table.key.is_empty() {
            false => table.key.clone(),
            true => self.key_of(table).await?,
        };
        let quoted = |names: &[String]| names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        let named = key.iter().map(|column| format!("'{column}', \"row\".\"{column}\"")).collect::<Vec<_>>().join(", ");
        let side = |schema: &str| {
            format!(
                "select jsonb_build_object({named}) as key, to_jsonb(\"row\") as whole,
                     to_jsonb(\"row\") - array[{apart}]::text[] as content
                 from {schema}.{name} as \"row\" where {only}",
                apart = quoted(&table.apart),
                only = table.only.as_deref().unwrap_or("true")
            )
        };
        let sql = format!(
            "with live as ({live}), rebuilt as ({rebuilt}),
             differing as (
                 select coalesce(live.key, rebuilt.key) as key, live.whole as live, rebuilt.whole as rebuilt,
                     case when rebuilt.key is null then 'only_live' when live.key is null then 'only_rebuilt'
                          else 'different' end as kind
                 from live full join rebuilt on live.key = rebuilt.key
                 where live.content is distinct from rebuilt.content)
             select kind, total, key, live, rebuilt from (
                 select *, count(*) over (partition by kind) as total,
                     row_number() over (partition by kind order by key) as place
                 from differing) as numbered
             where place <= $1 order by kind, place",
            live = side("public"),
            rebuilt = side(generation.schema)
        );
        let found: Vec<Found> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(ROWS_SHOWN)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify(&format!("compare {name}"), error))?;
        let total = |kind: &str| found.iter().find(|row| row.kind == kind).map_or(0, |row| row.total);
        Ok(Difference {
            table: name.clone(),
            only_live: total("only_live"),
            only_rebuilt: total("only_rebuilt"),
            different: total("different"),
            rows: found.into_iter().map(|row| Row::of(row, &table.apart)).collect(),
        })
    }

    /// Columns of a table that are personal: their comment begins so.
    pub(crate) async fn personal_columns(&mut self, table: &str) -> Result<Vec<String>, Error> {
        let sql = "select attname::text from pg_attribute
             where attrelid = to_regclass('public.' || quote_ident($1)) and col_description(attrelid, attnum) like 'PII%'";
        sqlx::query_scalar(sql)
            .bind(table)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look which columns are personal", error))
    }

    /// The columns by which rows are told apart.
    async fn key_of(&mut self, table: &Table) -> Result<Vec<String>, Error> {
        let found: Option<Vec<String>> = sqlx::query_scalar(KEY)
            .bind(&table.name)
            .bind(&table.apart)
            .fetch_optional(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look for the key of a table", error))?;
        found.ok_or_else(|| {
            Error::fault(format!(
                "{}: no unique key is left to compare by\n  hint: say which columns make a row under [tables] in stream.toml",
                table.name
            ))
        })
    }

    /// Names the events behind a row: those whose ids stand in it, else, where they are to be searched for in all of the
    /// store, the first that speak of what its key names.
    pub(crate) async fn name_events(&mut self, row: &mut Row, is_searched: bool) -> Result<(), Error> {
        let failed = |error| Error::classify("look for the events behind a row", error);
        let sql = format!("select distinct event_id from {} where event_id = any($1) limit $2", self.domain.event_log);
        let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(ids([&row.live, &row.rebuilt])).bind(EVENTS_SHOWN);
        row.events = query.fetch_all(&mut self.pg).await.map_err(failed)?;
        let named: Vec<String> = ids([&row.key]).iter().map(|id| format!("%{id}%")).collect();
        if row.events.is_empty() && !named.is_empty() && is_searched {
            let sql = format!(
                "select event_id from {} where payload::text ilike any($1) order by position limit $2",
                self.domain.event_log
            );
            let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(named).bind(EVENTS_SHOWN);
            row.events = query.fetch_all(&mut self.pg).await.map_err(failed)?;
        }
        Ok(())
    }
}

impl Row {
    /// Whole rows still: their events stand in columns that need not differ.
    fn of(found: Found, apart: &[String]) -> Self {
        let mut columns = Vec::new();
        if let (Some(Value::Object(live)), Some(Value::Object(rebuilt))) = (&found.live, &found.rebuilt) {
            let differs =
                |(name, value): &(&String, &Value)| rebuilt.get(*name) != Some(value) && !apart.contains(name);
            columns.extend(live.iter().filter(differs).map(|(name, _)| name.clone()));
        }
        let [live, rebuilt] = [found.live, found.rebuilt].map(Option::unwrap_or_default);
        Self { kind: found.kind, key: found.key, columns, live, rebuilt, events: Vec::new() }
    }

    /// Only what differs is kept of the values; nothing where these are not wanted, nor what is personal in the key.
    pub(crate) fn narrow(&mut self, with_values: bool, personal: &[String]) {
        if let Some(key) = self.key.as_object_mut().filter(|_| !with_values) {
            for (_, value) in key.iter_mut().filter(|(name, _)| personal.contains(name)) {
                *value = "…".into();
            }
        }
        let columns = std::mem::take(&mut self.columns);
        let kept = |value: &Value| match value {
            Value::Object(all) if with_values && !columns.is_empty() => {
                let only = all.iter().filter(|(name, _)| columns.contains(name));
                Value::Object(only.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
            }
            whole if with_values => whole.clone(),
            _ => Value::Null,
        };
        (self.live, self.rebuilt) = (kept(&self.live), kept(&self.rebuilt));
        self.columns = columns;
    }
}

/// The ids that stand in rows.
fn ids<const N: usize>(rows: [&Value; N]) -> Vec<Uuid> {
    let values = rows.into_iter().filter_map(Value::as_object).flat_map(Map::values);
    values.filter_map(|value| Uuid::try_parse(value.as_str()?).ok()).collect()
}
