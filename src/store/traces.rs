//! The rows that an event's projection wrote, as far as the tables show: nothing is written down of it for operators
//! alone. Found through indexes, in the tables that the SQL of the event's type writes.

use std::collections::BTreeSet;

use serde::Serialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Connection, Error};
use crate::event::Event;
use crate::projection::writes::{words, written};

/// Rows shown per table.
const ROWS_MAX: i64 = 20;
/// Ids of an event's data by which rows are looked for.
const IDS_MAX: usize = 100;
/// How deep functions are followed that call functions.
const CALLS_MAX: usize = 3;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// Its table.
    pub table: String,
    /// Its primary key, where that is one UUID.
    pub key: Option<Uuid>,
    /// The row itself names the event as the one that made or changed it. Else its key is an id in the event's data: the
    /// event may have found the row as it should be, or a later one may have changed it since.
    pub names_event: bool,
}

/// What is known of the rows of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Traces {
    /// The tables that the SQL of its type writes.
    pub tables: BTreeSet<String>,
    /// What is derived from them, by the names of `stream.toml`.
    pub derived: Vec<String>,
    /// Rows of these tables.
    pub rows: Vec<Trace>,
}

/// The uuid columns of a table, quoted for SQL.
#[derive(Debug, sqlx::FromRow)]
struct Columns {
    name: String,
    /// The primary key, if it is one of them.
    key: Option<String>,
    /// Those that name an event: `event_id`, `created_event`, ….
    naming: Vec<String>,
    /// Those by which an index finds rows.
    indexed: Vec<String>,
}

const COLUMNS: &str = "
    with columns as (
        select class.oid, quote_ident(class.relname) as name, quote_ident(attribute.attname) as column,
            attribute.attname = 'event_id' or attribute.attname like '%\\_event' as is_naming,
            exists (select from pg_index where indrelid = class.oid and indkey[0] = attribute.attnum and indisvalid
                    and indpred is null) as is_indexed,
            exists (select from pg_index where indrelid = class.oid and indisprimary and indnkeyatts = 1
                    and indkey[0] = attribute.attnum) as is_key
        from pg_class as class
        join pg_attribute as attribute on attribute.attrelid = class.oid
        where class.relnamespace = 'public'::regnamespace and class.relkind in ('r', 'p')
          and class.relname = any($1) and attribute.atttypid = 'uuid'::regtype and attribute.attnum > 0
          and not attribute.attisdropped)
    select name, max(\"column\") filter (where is_key) as key,
        coalesce(array_agg(\"column\") filter (where is_naming), '{}') as naming,
        coalesce(array_agg(\"column\") filter (where is_indexed), '{}') as indexed
    from columns group by oid, name order by name";

impl Connection {
    /// The rows of an event that has a contract.
    pub(crate) async fn traces(&mut self, event: &Event, contract: usize) -> Result<Traces, Error> {
        let domain = self.domain();
        let Some(projection) = &domain.projections[contract] else {
            return Ok(Traces::default());
        };
        let sql: String = projection.statements.iter().map(|statement| statement.sql.as_str()).collect();
        let wanted: Vec<String> = self.written_by(&sql).await?.into_iter().collect();
        let reading = async {
            let tables: BTreeSet<String> = sqlx::query_scalar(
                "select relname::text from pg_class
                 where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relname = any($1)",
            )
            .bind(&wanted)
            .fetch_all(&mut self.pg)
            .await?
            .into_iter()
            .collect();
            let columns: Vec<Columns> = sqlx::query_as(COLUMNS).bind(&wanted).fetch_all(&mut self.pg).await?;
            let ids = ids(event);
            let mut rows = Vec::new();
            for table in &columns {
                rows.extend(self.rows_of(table, event.id, &ids).await?);
            }
            let is_touched = |name: &&String| sql.contains(&format!("'{name}'"));
            let derived = domain.derivations.iter().map(|one| &one.name).filter(is_touched).cloned().collect();
            Ok(Traces { tables, derived, rows })
        };
        reading.await.map_err(|error| Error::classify("look for the rows of the event", error))
    }

    /// The names of what a statement writes, by itself and by the functions that it calls.
    async fn written_by(&mut self, sql: &str) -> Result<BTreeSet<String>, Error> {
        let mut names = written(sql);
        let mut called = words(sql);
        for _ in 0..CALLS_MAX {
            let bodies: Vec<String> = sqlx::query_scalar(
                "select prosrc from pg_proc where pronamespace = 'public'::regnamespace and proname = any($1)",
            )
            .bind(&called)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look what a projection calls", error))?;
            names.extend(bodies.iter().flat_map(|body| written(body)));
            called = bodies.iter().flat_map(|body| words(body)).collect();
        }
        Ok(names)
    }

    async fn rows_of(&mut self, table: &Columns, event: Uuid, ids: &[Uuid]) -> Result<Vec<Trace>, sqlx::Error> {
        let Columns { name, key, naming, indexed } = table;
        let any = |columns: &[&String], value: &str| -> String {
            let parts: Vec<String> = columns.iter().map(|column| format!("{column} = {value}")).collect();
            if parts.is_empty() { "false".to_owned() } else { parts.join(" or ") }
        };
        let names_event = any(&naming.iter().collect::<Vec<_>>(), "$1");
        // What names the event is found by its own index, or by that of an id in the event's data.
        let found = any(&naming.iter().filter(|column| indexed.contains(column)).collect::<Vec<_>>(), "$1");
        let near = any(&indexed.iter().collect::<Vec<_>>(), "any($2)");
        let by_key = any(&key.iter().collect::<Vec<_>>(), "any($2)");
        let sql = format!(
            "select {key}, coalesce({names_event}, false) as names_event from {name}
             where ({by_key}) or ({names_event}) and ({found} or {near}) order by 2 desc, 1 limit {ROWS_MAX}",
            key = key.as_deref().unwrap_or("null::uuid"),
        );
        let rows: Vec<(Option<Uuid>, bool)> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(event).bind(ids).fetch_all(&mut self.pg).await?;
        let name = name.trim_matches('"').to_owned();
        Ok(rows.into_iter().map(|(key, names_event)| Trace { table: name.clone(), key, names_event }).collect())
    }
}

/// Every id in the event's data, and its own.
fn ids(event: &Event) -> Vec<Uuid> {
    let mut ids = BTreeSet::from([event.id]);
    let mut todo = vec![&event.data];
    while let Some(value) = todo.pop() {
        match value {
            serde_json::Value::String(text) => ids.extend(crate::envelope::parse_uuid(text)),
            serde_json::Value::Array(values) => todo.extend(values),
            serde_json::Value::Object(fields) => todo.extend(fields.values()),
            _ => {}
        }
    }
    ids.into_iter().take(IDS_MAX).collect()
}
