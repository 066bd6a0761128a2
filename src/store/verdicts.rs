//! Saving where people stand: only what changed is written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use uuid::Uuid;

use super::{Error, Unit};
use crate::journey::event::{instant, text};
use crate::journey::fold::to_bytes;
use crate::journey::standing::Update;
use crate::journey::verdict::{Held, Reached, Shown, Verdict};

impl Unit<'_> {
    /// Saves facts, flags, milestones, summaries and timers, and what is to be told to the outside.
    pub(crate) async fn save(&mut self, updates: &[Update]) -> Result<(), Error> {
        self.save_facts(updates).await?;
        self.save_flags(updates).await?;
        self.save_milestones(updates).await?;
        self.save_summaries(updates).await?;
        self.save_timers(updates).await?;
        self.save_outgoing(updates).await
    }

    async fn run(&mut self, what: &str, query: Query<'_, sqlx::Postgres, PgArguments>) -> Result<(), Error> {
        query.execute(&mut *self.pg).await.map(|_| ()).map_err(|error| Error::classify(what, error))
    }

    /// Where only time has passed, the facts are as they were.
    async fn save_facts(&mut self, updates: &[Update]) -> Result<(), Error> {
        let (updates, same): (Vec<&Update>, Vec<&Update>) = updates.iter().partition(|update| update.after.is_changed);
        let same: Vec<&Update> = same.into_iter().filter(|update| update.before != update.after.verdict).collect();
        if !same.is_empty() {
            let query = sqlx::query(
                "update journey_facts as known set verdict = new.verdict, changes = new.changes
                 from unnest($1::uuid[], $2::bytea[], $3::int8[]) as new (user_id, verdict, changes)
                 where known.user_id = new.user_id",
            )
            .bind(same.iter().map(|update| update.person).collect::<Vec<_>>())
            .bind(same.iter().map(|update| to_bytes(&update.after.verdict)).collect::<Vec<_>>())
            .bind(
                same.iter().map(|update| i64::try_from(update.after.changes).unwrap_or(i64::MAX)).collect::<Vec<_>>(),
            );
            self.run("save verdicts", query).await?;
        }
        if updates.is_empty() {
            return Ok(());
        }
        let pending = |update: &&Update| (!update.after.pending.is_empty()).then(|| to_bytes(&update.after.pending));
        let query = sqlx::query(
            "insert into journey_facts (user_id, epoch, facts, verdict, changes, pending)
             select * from unnest($1::uuid[], $2::int8[], $3::bytea[], $4::bytea[], $5::int8[], $6::bytea[])
             on conflict (user_id) do update set epoch = excluded.epoch, facts = excluded.facts,
                 verdict = excluded.verdict, changes = excluded.changes, pending = excluded.pending",
        )
        .bind(updates.iter().map(|update| update.person).collect::<Vec<_>>())
        .bind(updates.iter().map(|update| update.after.epoch).collect::<Vec<_>>())
        .bind(updates.iter().map(|update| to_bytes(&update.after.facts)).collect::<Vec<_>>())
        .bind(updates.iter().map(|update| to_bytes(&update.after.verdict)).collect::<Vec<_>>())
        .bind(updates.iter().map(|update| i64::try_from(update.after.changes).unwrap_or(i64::MAX)).collect::<Vec<_>>())
        .bind(updates.iter().map(pending).collect::<Vec<_>>());
        self.run("save facts", query).await
    }

    async fn save_flags(&mut self, updates: &[Update]) -> Result<(), Error> {
        let mut gone: Vec<(Uuid, String)> = Vec::new();
        let mut held: Vec<(Uuid, String, Held)> = Vec::new();
        for Update { person, before, after, .. } in updates {
            let (before, after) = (&before.flags, &after.verdict.flags);
            gone.extend(before.keys().filter(|name| !after.contains_key(*name)).map(|name| (*person, name.clone())));
            let changed = after.iter().filter(|(name, held)| before.get(*name) != Some(held));
            held.extend(changed.map(|(name, held)| (*person, name.clone(), held.clone())));
        }
        self.delete("journey_flags", "flag", &gone).await?;
        if held.is_empty() {
            return Ok(());
        }
        let expires = |(.., held): &(Uuid, String, Held)| held.expires.map(instant);
        let query = sqlx::query(
            "insert into journey_flags (user_id, flag, value, set_by_rule, set_at, expires_at)
             select user_id, flag, true, set_by_rule, set_at, expires_at
             from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
                 as held (user_id, flag, set_by_rule, set_at, expires_at)
             on conflict (user_id, flag) do update
                 set set_by_rule = excluded.set_by_rule, set_at = excluded.set_at, expires_at = excluded.expires_at",
        )
        .bind(held.iter().map(|one| one.0).collect::<Vec<_>>())
        .bind(held.iter().map(|one| one.1.clone()).collect::<Vec<_>>())
        .bind(held.iter().map(|one| one.2.rule.clone()).collect::<Vec<_>>())
        .bind(held.iter().map(|one| instant(one.2.since)).collect::<Vec<DateTime<Utc>>>())
        .bind(held.iter().map(expires).collect::<Vec<_>>());
        self.run("save flags", query).await
    }

    async fn save_milestones(&mut self, updates: &[Update]) -> Result<(), Error> {
        let mut gone: Vec<(Uuid, String)> = Vec::new();
        let mut reached: Vec<(Uuid, String, Reached)> = Vec::new();
        for Update { person, before, after, .. } in updates {
            let (before, after) = (&before.milestones, &after.verdict.milestones);
            gone.extend(before.keys().filter(|name| !after.contains_key(*name)).map(|name| (*person, name.clone())));
            let changed = after.iter().filter(|(name, reached)| before.get(*name) != Some(reached));
            reached.extend(changed.map(|(name, reached)| (*person, name.clone(), reached.clone())));
        }
        self.delete("journey_milestones", "milestone", &gone).await?;
        if reached.is_empty() {
            return Ok(());
        }
        let query = sqlx::query(
            "insert into journey_milestones (user_id, milestone, triggered_by_rule, reached_at)
             select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
             on conflict (user_id, milestone) do update
                 set triggered_by_rule = excluded.triggered_by_rule, reached_at = excluded.reached_at",
        )
        .bind(reached.iter().map(|one| one.0).collect::<Vec<_>>())
        .bind(reached.iter().map(|one| one.1.clone()).collect::<Vec<_>>())
        .bind(reached.iter().map(|one| one.2.rule.clone()).collect::<Vec<_>>())
        .bind(reached.iter().map(|one| instant(one.2.at)).collect::<Vec<DateTime<Utc>>>());
        self.run("save milestones", query).await
    }

    async fn delete(&mut self, table: &str, column: &str, gone: &[(Uuid, String)]) -> Result<(), Error> {
        if gone.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "delete from {table} as known using unnest($1::uuid[], $2::text[]) as gone (user_id, name)
             where known.user_id = gone.user_id and known.{column} = gone.name"
        );
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(gone.iter().map(|one| one.0).collect::<Vec<_>>())
            .bind(gone.iter().map(|one| one.1.clone()).collect::<Vec<_>>());
        self.run(&format!("delete from {table}"), query).await
    }

    async fn save_summaries(&mut self, updates: &[Update]) -> Result<(), Error> {
        let rules = std::sync::Arc::clone(&self.rules);
        let differs = |update: &&Update| update.before.summary != update.after.verdict.summary;
        let mut by_column: BTreeMap<&str, Vec<&Update>> = BTreeMap::new();
        for update in updates.iter().filter(differs) {
            if let Some(column) = &rules.of(update.after.epoch).journey.summary_column {
                by_column.entry(column).or_default().push(update);
            }
        }
        for (column, changed) in by_column {
            self.save_summary(column, &changed).await?;
        }
        Ok(())
    }

    async fn save_summary(&mut self, column: &str, changed: &[&Update]) -> Result<(), Error> {
        let Some(entity) = self.person_entity() else {
            return Ok(());
        };
        let sql = format!(
            "update {table} as person set {column} = new.summary
             from unnest($1::uuid[], $2::jsonb[]) as new (key, summary) where person.{key} = new.key",
            table = entity.table,
            key = entity.column
        );
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(changed.iter().map(|update| update.person).collect::<Vec<_>>())
            .bind(changed.iter().map(|update| summary(&update.after.verdict)).collect::<Vec<_>>());
        self.run("save summaries", query).await
    }

    async fn save_timers(&mut self, updates: &[Update]) -> Result<(), Error> {
        let changed = || updates.iter().filter(|update| update.before.next_change != update.after.verdict.next_change);
        let gone: Vec<Uuid> =
            changed().filter(|update| update.after.verdict.next_change.is_none()).map(|update| update.person).collect();
        if !gone.is_empty() {
            let query = sqlx::query("delete from journey_timers where user_id = any($1)").bind(gone);
            self.run("delete timers", query).await?;
        }
        let set: Vec<(Uuid, DateTime<Utc>)> =
            changed().filter_map(|update| Some((update.person, instant(update.after.verdict.next_change?)))).collect();
        if set.is_empty() {
            return Ok(());
        }
        let query = sqlx::query(
            "insert into journey_timers (user_id, due_at) select * from unnest($1::uuid[], $2::timestamptz[])
             on conflict (user_id) do update set due_at = excluded.due_at",
        )
        .bind(set.iter().map(|one| one.0).collect::<Vec<_>>())
        .bind(set.iter().map(|one| one.1).collect::<Vec<_>>());
        self.run("set timers", query).await
    }

    /// One change has one id: what is in the outbox already is not told a second time.
    pub(super) async fn save_outgoing(&mut self, updates: &[Update]) -> Result<(), Error> {
        let outgoing = || updates.iter().flat_map(|update| update.outgoing.iter().map(|event| (update.person, event)));
        if outgoing().next().is_none() {
            return Ok(());
        }
        let query = sqlx::query(
            "insert into outbox (event_id, user_id, subject, payload)
             select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])
             on conflict (event_id) do nothing",
        )
        .bind(outgoing().map(|(_, event)| event.id).collect::<Vec<_>>())
        .bind(outgoing().map(|(person, _)| person).collect::<Vec<_>>())
        .bind(outgoing().map(|(_, event)| event.subject.clone()).collect::<Vec<_>>())
        .bind(outgoing().map(|(_, event)| event.payload.clone()).collect::<Vec<_>>());
        self.run("write to the outbox", query).await
    }
}

/// The summary column's value.
fn summary(verdict: &Verdict) -> Value {
    let shown = |shown: &Shown| match shown {
        Shown::Ever => json!(true),
        Shown::Count(count) => json!(count),
        Shown::Last(at) => json!(text(*at)),
    };
    Value::Object(verdict.summary.iter().map(|(name, value)| (name.clone(), shown(value))).collect::<Map<_, _>>())
}
