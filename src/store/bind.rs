//! Turning events into the typed arrays that statements take.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgHasArrayType, PgTypeInfo, Postgres};
use sqlx::query::Query;
use sqlx::{Encode, Type};
use uuid::Uuid;

use crate::batch::{Batch, Renamed};
use crate::event::Event;
use crate::instant;
use crate::json::RawJson;
use crate::projection::{Column, From, Kind, value_at};

impl Type<Postgres> for RawJson {
    fn type_info() -> PgTypeInfo {
        <Value as Type<Postgres>>::type_info()
    }
}

impl PgHasArrayType for RawJson {
    fn array_type_info() -> PgTypeInfo {
        <Value as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for RawJson {
    /// Binary `jsonb` is one version byte and the text: what arrived is never serialised again.
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.push(1);
        buffer.extend(&self.0);
        Ok(IsNull::No)
    }
}

/// Binds the columns of some events of a batch. What an event refers to by another key is bound by its own.
pub(super) fn bind<'q>(
    mut query: Query<'q, Postgres, PgArguments>,
    columns: &[Column],
    batch: &Batch,
    indexes: &[usize],
    renamed: &Renamed,
) -> Query<'q, Postgres, PgArguments> {
    for column in columns {
        query = bind_column(query, column, batch, indexes, renamed);
    }
    query
}

fn bind_column<'q>(
    query: Query<'q, Postgres, PgArguments>,
    column: &Column,
    batch: &Batch,
    indexes: &[usize],
    renamed: &Renamed,
) -> Query<'q, Postgres, PgArguments> {
    let events = indexes.iter().map(|index| batch.event(*index));
    let path = match &column.from {
        From::EnvelopeId => return query.bind(events.map(|event| event.id).collect::<Vec<Uuid>>()),
        From::EnvelopeTimestamp => return query.bind(events.map(|event| event.timestamp).collect::<Vec<_>>()),
        From::EnvelopeType => return query.bind(events.map(|event| event.event_type.clone()).collect::<Vec<_>>()),
        From::Data(path) => path,
    };
    let values = events.map(|event: &Event| value_at(&event.data, path));
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    match column.kind {
        Kind::Uuid => {
            let named = values.map(|value| value?.as_str().and_then(crate::envelope::parse_uuid));
            let own = |(index, named): (&usize, Option<Uuid>)| {
                let named = named?;
                Some(renamed.get(&(*index, named)).copied().unwrap_or(named))
            };
            query.bind(indexes.iter().zip(named).map(own).collect::<Vec<Option<Uuid>>>())
        }
        Kind::Time => query
            .bind(values.map(|value| value?.as_str().and_then(instant::parse)).collect::<Vec<Option<DateTime<Utc>>>>()),
        Kind::Date => query.bind(
            values.map(|value| value?.as_str().and_then(instant::parse_date)).collect::<Vec<Option<NaiveDate>>>(),
        ),
        Kind::Integer => query.bind(values.map(|value| value?.as_i64()).collect::<Vec<Option<i64>>>()),
        Kind::Number => query.bind(values.map(|value| value?.as_f64()).collect::<Vec<Option<f64>>>()),
        Kind::Boolean => query.bind(values.map(|value| value?.as_bool()).collect::<Vec<Option<bool>>>()),
        Kind::Text => query.bind(values.map(text).collect::<Vec<Option<String>>>()),
        Kind::Json => query.bind(
            values.map(|value| value.map(|value| RawJson(value.to_string().into()))).collect::<Vec<Option<RawJson>>>(),
        ),
    }
}
