//! Evaluating the people of a generation: facts are folded while it is filled, and evaluated when all of them are there.
//!
//! `journey_facts.changes` is negative while a person's facts have changed since they were evaluated.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::Generation;
use crate::journey::event::{Change, of_change};
use crate::journey::fold::{from_bytes, to_bytes};
use crate::journey::interval::Micros;
use crate::journey::standing::{Standing, Update};
use crate::journey::verdict::{Verdict, evaluate};
use crate::store::{Connection, Error, Unit};

/// People looked at in one transaction.
const PEOPLE_MAX: i64 = 500;

/// At which moment people are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// At this one.
    Now(DateTime<Utc>),
    /// At this one, but those whose live timer is due and was not fired yet just before it was: what the live tables show
    /// of them holds until then.
    AsLive(DateTime<Utc>),
}

impl Unit<'_> {
    /// Saves facts that are to be evaluated later.
    pub(crate) async fn save_folded(&mut self, standings: &BTreeMap<Uuid, Standing>) -> Result<(), Error> {
        let nothing = to_bytes(&Verdict::default());
        sqlx::query(
            "insert into journey_facts (user_id, epoch, facts, verdict, changes)
             select user_id, epoch, facts, $4, -1 from unnest($1::uuid[], $2::int8[], $3::bytea[])
                 as folded (user_id, epoch, facts)
             on conflict (user_id) do update set epoch = excluded.epoch, facts = excluded.facts, changes = -1",
        )
        .bind(standings.keys().copied().collect::<Vec<_>>())
        .bind(standings.values().map(|standing| standing.epoch).collect::<Vec<_>>())
        .bind(standings.values().map(|standing| to_bytes(&standing.facts)).collect::<Vec<_>>())
        .bind(nothing)
        .execute(&mut *self.pg)
        .await
        .map(|_| ())
        .map_err(|error| Error::classify("save folded facts", error))
    }

    /// The next people to evaluate after one, and at which moments; those evaluated before whom nothing has changed of are none.
    async fn unevaluated(&mut self, after: Uuid, at: At) -> Result<Vec<(Uuid, Micros)>, Error> {
        let (At::Now(now) | At::AsLive(now)) = at;
        let rows: Vec<(Uuid, Option<DateTime<Utc>>)> = sqlx::query_as(
            "select facts.user_id, case when live.due_at <= $2 then live.due_at end
             from journey_facts as facts
             left join journey_timers as timers on timers.user_id = facts.user_id
             left join public.journey_timers as live on live.user_id = facts.user_id
             where facts.user_id > $1 and (facts.changes < 0 or timers.due_at <= $2 or live.due_at <= $2)
             order by facts.user_id limit $3",
        )
        .bind(after)
        .bind(now)
        .bind(PEOPLE_MAX)
        .fetch_all(&mut *self.pg)
        .await
        .map_err(|error| Error::classify("look for people to evaluate", error))?;
        let moment = |due: Option<DateTime<Utc>>| match (at, due) {
            (At::AsLive(_), Some(due)) => due.timestamp_micros() - 1,
            _ => now.timestamp_micros(),
        };
        Ok(rows.into_iter().map(|(person, due)| (person, moment(due))).collect())
    }

    /// How often the flags of these people have changed, in the live tables.
    async fn live_changes(&mut self, people: &[Uuid]) -> Result<BTreeMap<Uuid, i64>, Error> {
        let rows: Vec<(Uuid, i64)> =
            sqlx::query_as("select user_id, changes from public.journey_facts where user_id = any($1)")
                .bind(people)
                .fetch_all(&mut *self.pg)
                .await
                .map_err(|error| Error::classify("read how often flags have changed", error))?;
        Ok(rows.into_iter().collect())
    }

    /// Evaluates some people after one; gives the last of them.
    pub(crate) async fn evaluate_some(&mut self, after: Uuid, at: At) -> Result<Option<Uuid>, Error> {
        let people = self.unevaluated(after, at).await?;
        let ids: Vec<Uuid> = people.iter().map(|(person, _)| *person).collect();
        let changes = self.live_changes(&ids).await?;
        let mut standings = self.load(&ids.iter().copied().collect()).await?;
        let journey = std::sync::Arc::clone(&self.rules.applied.journey);
        let mut updates: Vec<Update> = Vec::with_capacity(people.len());
        for (person, moment) in people {
            let Some(mut standing) = standings.remove(&person) else {
                continue;
            };
            let before = std::mem::take(&mut standing.verdict);
            standing.verdict = evaluate(&journey, &standing.facts, moment);
            standing.changes = changes.get(&person).map_or(0, |changes| u64::try_from(*changes).unwrap_or_default());
            standing.is_changed = true;
            updates.push(Update { person, before, after: standing, outgoing: Vec::new() });
        }
        self.save(&updates).await?;
        Ok(ids.last().copied())
    }

    /// Writes into the generation's outbox what the outside is to be told when it is put in place: of those of whom it says
    /// something else than the live tables. Gives the last person looked at.
    pub(crate) async fn tell_some(
        &mut self,
        generation: &Generation,
        after: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<Uuid>, Error> {
        type Row = (Uuid, Vec<u8>, Option<Vec<u8>>, i64);
        let sql = format!(
            "select next.user_id, next.verdict, live.verdict, coalesce(live.changes, 0)
             from {}.journey_facts as next left join public.journey_facts as live using (user_id)
             where next.user_id > $1 and next.verdict is distinct from live.verdict order by user_id limit $2",
            generation.schema
        );
        let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(after)
            .bind(PEOPLE_MAX)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("look of whom something else is said", error))?;
        let last = rows.last().map(|row| row.0);
        let (journey, source) = (std::sync::Arc::clone(&self.rules.applied.journey), self.domain.own_source.clone());
        let told = |(person, next, live, changes): Row| {
            let (next, live): (Verdict, Verdict) =
                (from_bytes(&next)?, live.map_or_else(|| Ok(Verdict::default()), |live| from_bytes(&live))?);
            let number = u64::try_from(changes).unwrap_or_default() + u64::from(next.flags != live.flags);
            let change = Change { person, before: &live, after: &next, number, now: now.timestamp_micros() };
            let outgoing = of_change(&journey, &source, &change);
            let after = Standing { changes: number, ..Standing::default() };
            Ok(Update { person, before: live, after, outgoing })
        };
        let updates: Vec<Update> = rows
            .into_iter()
            .map(told)
            .collect::<Result<_, crate::journey::fold::Unreadable>>()
            .map_err(|error| Error::fault(error.to_string()))?;
        self.save_outgoing(&updates).await?;
        sqlx::query(
            "update journey_facts as known set changes = told.changes
             from unnest($1::uuid[], $2::int8[]) as told (user_id, changes) where known.user_id = told.user_id",
        )
        .bind(updates.iter().map(|update| update.person).collect::<Vec<_>>())
        .bind(updates.iter().map(|update| i64::try_from(update.after.changes).unwrap_or(i64::MAX)).collect::<Vec<_>>())
        .execute(&mut *self.pg)
        .await
        .map_err(|error| Error::classify("count changes of flags", error))?;
        Ok(last)
    }
}

impl Connection {
    /// Forgets what was to be told, and counts changes of flags as the live tables do: part of the ids of what is told.
    pub(crate) async fn begin_telling(&mut self) -> Result<(), Error> {
        for sql in [
            "delete from outbox where position is not null",
            "update journey_facts as known set changes = live.changes from public.journey_facts as live
             where live.user_id = known.user_id and known.changes <> live.changes",
        ] {
            self.carry_out(sql, "begin to tell").await?;
        }
        Ok(())
    }
}
