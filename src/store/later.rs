//! What is derived later: rows that many events of many batches touch. Were they locked as other derived rows are, all
//! workers would wait for each other; so a batch only notes what it touched, and one process computes for all.
//!
//! A note is committed together with what it is about. Whoever sees the note sees that too, in a later statement; a note
//! that is not to be seen yet is taken another time. So the notes need no order, and their reader no horizon. Of two
//! batches that touch the same rows, the one whose note is taken last is computed with both to be seen.
//!
//! What is derived may touch what is derived from it in turn. That is a note too, taken in a later pass, once however often
//! it was made: while much is to be derived, what is far from the events is not computed again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::{AssertSqlSafe, PgConnection};

use super::project::touched;
use super::{Connection, Error, TRANSACTION_SECONDS_MAX, Unit, execute, within};
use crate::batch::Ledger;
use crate::projection::{Derivation, When};

/// Advisory lock of the one that derives, held by its transaction.
pub(super) const DERIVER_LOCK: i64 = 0x6d69_6c65_0004;

impl Unit<'_> {
    /// Notes what the batch touched that is derived later: one statement, and nothing to wait for.
    pub(crate) async fn touch_later(&mut self, ledger: &Ledger) -> Result<(), Error> {
        let domain = Arc::clone(&self.domain);
        let mut names: Vec<&str> = Vec::new();
        let mut keys: Vec<&str> = Vec::new();
        for (index, touched) in &ledger.touched {
            let derivation = &domain.derivations[*index];
            if derivation.when == When::Later {
                names.extend(touched.iter().map(|_| derivation.notes.as_str()));
                keys.extend(touched.iter().map(String::as_str));
            }
        }
        note(&mut *self.pg, &names, &keys).await
    }
}

async fn note(pg: &mut PgConnection, names: &[&str], keys: &[&str]) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query("insert into touched_later (name, key) select * from unnest($1::text[], $2::text[])")
        .bind(names)
        .bind(keys)
        .execute(pg)
        .await
        .map(|_| ())
        .map_err(|error| Error::classify("note what is derived later", error))
}

impl Connection {
    /// Takes up to so many notes, the oldest first, and derives what they name, in one transaction; returns how many
    /// there were. `None`: another process is at it.
    ///
    /// # Errors
    /// As the database says; nothing has happened then, and the connection must be thrown away.
    pub(crate) async fn derive_later(&mut self, limit: i64) -> Result<Option<usize>, Error> {
        within(TRANSACTION_SECONDS_MAX, "deriving later", self.derive_touched(limit)).await
    }

    async fn derive_touched(&mut self, limit: i64) -> Result<Option<usize>, Error> {
        execute(&mut self.pg, "begin").await?;
        if !self.may_derive().await? {
            execute(&mut self.pg, "rollback").await?;
            return Ok(None);
        }
        let (taken, touched) = self.take_touched(limit).await?;
        let domain = Arc::clone(&self.domain);
        let mut touched_in_turn = BTreeSet::new();
        for (index, keys) in touched {
            let keys: Vec<String> = keys.into_iter().collect();
            touched_in_turn.extend(self.derive_keys(&domain.derivations[index], &keys).await?);
        }
        let (names, keys): (Vec<&str>, Vec<&str>) =
            touched_in_turn.iter().map(|(name, key)| (name.as_str(), key.as_str())).unzip();
        note(&mut self.pg, &names, &keys).await?;
        execute(&mut self.pg, "commit").await?;
        Ok(Some(taken))
    }

    /// Derives for these keys; returns what that touched in turn.
    async fn derive_keys(
        &mut self,
        derivation: &Derivation,
        keys: &[String],
    ) -> Result<BTreeSet<(String, String)>, Error> {
        let path = &derivation.path;
        let mut all = BTreeSet::new();
        for statement in &derivation.statements {
            let query = sqlx::query(AssertSqlSafe(statement.clone())).bind(keys);
            let rows = query
                .fetch_all(&mut self.pg)
                .await
                .map_err(|error| Error::classify(&format!("derive with {path}"), error))?;
            for row in &rows {
                let Some((name, key)) = touched(row, path)? else { continue };
                let Some(later) = self.noted().find(|later| later.name == name) else {
                    return Err(Error::fault(format!("{path} touched {name:?}, which is not derived later")));
                };
                all.insert((later.notes.clone(), key));
            }
        }
        Ok(all)
    }

    /// What is derived from notes.
    fn noted(&self) -> impl Iterator<Item = &Derivation> {
        self.domain.derivations.iter().filter(|derivation| derivation.when == When::Later)
    }

    /// Whether this transaction is the one that derives. Its statements are planned anew each time: they are long, run
    /// seldom, and a plan of when the tables were small would be kept for ever.
    async fn may_derive(&mut self) -> Result<bool, Error> {
        // A generation that is being built has notes of its own, and one that derives them.
        let sql = "select $2 or pg_try_advisory_xact_lock($1)
             from set_config('plan_cache_mode', 'force_custom_plan', true)";
        sqlx::query_scalar(sql)
            .bind(DERIVER_LOCK)
            .bind(self.is_building)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("ask to be the one that derives", error))
    }

    /// The notes, and what they name by the index of the derivation. Those of a domain that derives no such thing stay.
    async fn take_touched(&mut self, limit: i64) -> Result<(usize, BTreeMap<usize, BTreeSet<String>>), Error> {
        let names: BTreeSet<&str> = self.noted().map(|derivation| derivation.notes.as_str()).collect();
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        if names.is_empty() {
            return Ok((0, BTreeMap::new()));
        }
        let sql = "delete from touched_later
             where id in (select id from touched_later where name = any($1) order by id limit $2)
             returning name, key";
        let notes: Vec<(String, String)> = sqlx::query_as(sql)
            .bind(&names)
            .bind(limit)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("take what was touched", error))?;
        let taken = notes.len();
        let mut touched: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for (name, key) in notes {
            let derived = self.domain.derivations.iter().enumerate();
            for (index, _) in derived.filter(|(_, one)| one.when == When::Later && one.notes == name) {
                touched.entry(index).or_default().insert(key.clone());
            }
        }
        Ok((taken, touched))
    }
}
