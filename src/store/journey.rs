//! Journeys in the batch's transaction: what events say of people, where these stand, and what the rules make of it.
//!
//! A constant number of statements, whatever the size of the batch. People's rows are locked before, in the order of
//! their keys, together with what is derived for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Column as _, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::bind::bind;
use super::decimal::Numeric;
use super::{Error, Unit};
use crate::batch::{Batch, Ledger, Renamed, Telling};
use crate::journey::Journey;
use crate::journey::event::Outgoing;
use crate::journey::fact::Facts;
use crate::journey::fold::{Word, fold, from_bytes, merge};
use crate::journey::interval::Micros;
use crate::journey::standing::{Standing, Update};

/// What the events of a batch say of people, by the rules in force.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// By the applied rules.
    applied: Vec<Word>,
    /// By those that are being applied.
    applying: Vec<Word>,
    /// People who turned out to be somebody else as well: there are facts to merge into theirs.
    merged: BTreeSet<Uuid>,
}

impl Words {
    /// Whom they are about.
    pub(crate) fn people(&self) -> BTreeSet<Uuid> {
        let said = self.applied.iter().chain(&self.applying).map(|word| word.person);
        said.chain(self.merged.iter().copied()).collect()
    }
}

/// What says which moment it is: the wall clock, or a test's.
pub type Clock = fn() -> DateTime<Utc>;

impl Unit<'_> {
    /// Takes from the projected events what they say of people. What derived rows are made of is locked before; a
    /// person who is given another id meanwhile is found by asking again.
    pub(crate) async fn words(&mut self, batch: &Batch, ledger: &Ledger) -> Result<Words, Error> {
        let rules = Arc::clone(&self.rules);
        let mut by_contract: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut of =
            |contract: usize| by_contract.entry(contract).or_insert_with(|| ledger.to_project(batch, contract)).clone();
        let mut words = Words { merged: ledger.merged.clone(), ..Words::default() };
        for (index, signal) in rules.applied.journey.signals.iter().enumerate() {
            let of = of(signal.contract);
            words.applied.extend(self.words_of(&rules.applied.journey, index, batch, &of, &ledger.renamed).await?);
        }
        if let Some(applying) = &rules.applying {
            for (index, signal) in applying.journey.signals.iter().enumerate() {
                let of = of(signal.contract);
                words.applying.extend(self.words_of(&applying.journey, index, batch, &of, &ledger.renamed).await?);
            }
        }
        Ok(words)
    }

    /// What one signal takes from some events.
    pub(crate) async fn words_of(
        &mut self,
        journey: &Journey,
        signal: usize,
        batch: &Batch,
        of: &[usize],
        renamed: &Renamed,
    ) -> Result<Vec<Word>, Error> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let declared = &journey.signals[signal];
        let query = sqlx::query(AssertSqlSafe(declared.statement.sql.clone()));
        let rows = bind(query, &declared.statement.columns, batch, of, renamed)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify(&format!("take the signal {:?}", declared.name), error))?;
        let told_at: HashMap<Uuid, Micros> =
            of.iter().map(|index| (batch.event(*index).id, batch.event(*index).timestamp.timestamp_micros())).collect();
        let columns = rows.first().map(Columns::of).unwrap_or_default();
        let read = |row: &PgRow| columns.word(row, signal, &told_at).transpose();
        rows.iter()
            .filter_map(read)
            .collect::<Result<_, _>>()
            .map_err(|error| Error::fault(format!("signal {:?} of journey.toml: {error}", declared.name)))
    }

    /// Folds the words, evaluates the rules for these people, whose rows are locked, and saves what changed. Facts of
    /// those who turned out to be one of them come first.
    pub(crate) async fn journey(&mut self, words: Words, people: BTreeSet<Uuid>, clock: Clock) -> Result<(), Error> {
        let rules = Arc::clone(&self.rules);
        if people.is_empty() || rules.latest().epoch == 0 {
            return Ok(());
        }
        for stray in words.people().difference(&people) {
            // A contract that should have required the person: the event itself has had its effect.
            tracing::warn!(person = %stray, "a signal of journey.toml is about a person who does not exist");
        }
        let mut standings = self.load(&people).await?;
        // After the locks: whoever evaluated one of these people before us did so at an earlier moment.
        let now = clock().timestamp_micros();
        let mut by_time = self.told_by_time(&standings, now);
        for person in people {
            standings.entry(person).or_insert_with(|| Standing { epoch: rules.applied.epoch, ..Standing::default() });
        }
        self.merge_facts(&words.merged, &mut standings).await?;
        for word in &words.applied {
            if let Some(standing) = standings.get_mut(&word.person).filter(|one| one.epoch == rules.applied.epoch) {
                fold(&rules.applied.journey, &mut standing.facts, word);
                standing.is_changed = true;
            }
        }
        if let Some(applying) = &rules.applying {
            for word in &words.applying {
                if let Some(standing) = standings.get_mut(&word.person) {
                    let is_there = standing.epoch == applying.epoch;
                    let facts = if is_there { &mut standing.facts } else { &mut standing.pending };
                    fold(&applying.journey, facts, word);
                    standing.is_changed = true;
                }
            }
        }
        if self.is_building {
            return self.save_folded(&standings).await;
        }
        let source = self.domain.own_source.clone();
        let evaluate = |(person, standing): (Uuid, Standing)| {
            let journey = Arc::clone(&rules.of(standing.epoch).journey);
            let mut update = standing.evaluate(&journey, &source, person, now);
            if self.telling == Telling::Silent {
                update.outgoing = by_time.remove(&person).unwrap_or_default();
            }
            update
        };
        let updates: Vec<Update> = standings.into_iter().map(evaluate).collect();
        self.save(&updates).await
    }

    /// Of people whose events are not told, what time alone has changed since they were evaluated last: their timers
    /// will find nothing more to tell.
    fn told_by_time(&self, standings: &BTreeMap<Uuid, Standing>, now: Micros) -> BTreeMap<Uuid, Vec<Outgoing>> {
        if self.telling == Telling::Told {
            return BTreeMap::new();
        }
        let evaluate = |(person, standing): (&Uuid, &Standing)| {
            let journey = &self.rules.of(standing.epoch).journey;
            (*person, standing.clone().evaluate(journey, &self.domain.own_source, *person, now).outgoing)
        };
        standings.iter().map(evaluate).collect()
    }

    /// Where these people stand. Their rows are locked already, by the rows of the people themselves.
    pub(crate) async fn load(&mut self, people: &BTreeSet<Uuid>) -> Result<BTreeMap<Uuid, Standing>, Error> {
        type Row = (Uuid, i64, Vec<u8>, Vec<u8>, i64, Option<Vec<u8>>);
        let rows: Vec<Row> = sqlx::query_as(
            "select user_id, epoch, facts, verdict, changes, pending from journey_facts where user_id = any($1)",
        )
        .bind(people.iter().copied().collect::<Vec<_>>())
        .fetch_all(&mut *self.pg)
        .await
        .map_err(|error| Error::classify("load facts", error))?;
        let standing = |(person, epoch, facts, verdict, changes, pending): Row| {
            let pending = pending.map(|bytes| from_bytes(&bytes)).transpose()?.unwrap_or_default();
            let (facts, verdict) = (from_bytes(&facts)?, from_bytes(&verdict)?);
            let changes = u64::try_from(changes).unwrap_or_default();
            Ok((person, Standing { epoch, facts, verdict, changes, pending, is_changed: false }))
        };
        rows.into_iter()
            .map(standing)
            .collect::<Result<_, crate::journey::fold::Unreadable>>()
            .map_err(|error| Error::fault(error.to_string()))
    }

    /// Locks these people in the order of their keys, waiting for whoever has them; returns those that there are.
    pub(crate) async fn lock_people(&mut self, people: &[Uuid]) -> Result<BTreeSet<Uuid>, Error> {
        let Some(entity) = self.person_entity().cloned() else {
            return Ok(BTreeSet::new());
        };
        Ok(self.lock_rows(&entity, people, "").await?.into_iter().collect())
    }

    /// Which of these people there are.
    pub(crate) async fn existing(&mut self, people: &[Uuid]) -> Result<BTreeSet<Uuid>, Error> {
        let Some(entity) = self.person_entity() else {
            return Ok(BTreeSet::new());
        };
        let sql = format!("select {0} from {1} where {0} = any($1::uuid[])", entity.column, entity.table);
        let found: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(people)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("look up people", error))?;
        Ok(found.into_iter().collect())
    }

    /// The entity that journeys are about.
    pub(crate) fn person_entity(&self) -> Option<&crate::domain::Entity> {
        let in_force = &self.rules.latest().journey.person;
        let name = if in_force.is_empty() { &self.domain.journey.person } else { in_force };
        self.domain.entities.iter().find(|entity| entity.name == *name)
    }

    /// Facts of events up to the separator that are staged for these people.
    pub(crate) async fn staged(&mut self, people: &BTreeSet<Uuid>) -> Result<BTreeMap<Uuid, Facts>, Error> {
        let rows: Vec<(Uuid, Vec<u8>)> =
            sqlx::query_as("select user_id, facts from journey_facts_staged where user_id = any($1)")
                .bind(people.iter().copied().collect::<Vec<_>>())
                .fetch_all(&mut *self.pg)
                .await
                .map_err(|error| Error::classify("load staged facts", error))?;
        rows.into_iter()
            .map(|(person, facts)| Ok((person, from_bytes(&facts)?)))
            .collect::<Result<_, crate::journey::fold::Unreadable>>()
            .map_err(|error| Error::fault(error.to_string()))
    }

    /// Adds words to what is staged, of these people, who are locked.
    pub(crate) async fn stage(
        &mut self,
        journey: &Journey,
        words: &[Word],
        people: &BTreeSet<Uuid>,
    ) -> Result<(), Error> {
        let mut said: BTreeMap<Uuid, Facts> = BTreeMap::new();
        for word in words.iter().filter(|word| people.contains(&word.person)) {
            fold(journey, said.entry(word.person).or_default(), word);
        }
        let mut staged = self.staged(people).await?;
        for (person, facts) in said {
            merge(journey, staged.entry(person).or_default(), facts);
        }
        sqlx::query(
            "insert into journey_facts_staged (user_id, facts) select * from unnest($1::uuid[], $2::bytea[])
             on conflict (user_id) do update set facts = excluded.facts",
        )
        .bind(staged.keys().copied().collect::<Vec<_>>())
        .bind(staged.values().map(crate::journey::fold::to_bytes).collect::<Vec<_>>())
        .execute(&mut *self.pg)
        .await
        .map(|_| ())
        .map_err(|error| Error::classify("stage facts", error))
    }
}

/// Where the columns of a signal are in its rows; the optional ones may be missing.
#[derive(Debug, Default)]
struct Columns {
    key: Option<usize>,
    label: Option<usize>,
    until: Option<usize>,
    value: Option<usize>,
    rank: Option<usize>,
    told_at: Option<usize>,
}

impl Columns {
    fn of(row: &PgRow) -> Self {
        let at = |name: &str| row.columns().iter().position(|column| column.name() == name);
        Self {
            key: at("key"),
            label: at("label"),
            until: at("until"),
            value: at("value"),
            rank: at("rank"),
            told_at: at("told_at"),
        }
    }

    /// A row without a person, or without a moment, says nothing.
    fn word(&self, row: &PgRow, signal: usize, told_at: &HashMap<Uuid, Micros>) -> Result<Option<Word>, sqlx::Error> {
        let text = |at: Option<usize>| at.map_or(Ok(None), |at| row.try_get::<Option<String>, _>(at));
        let moment = |at: Option<usize>| at.map_or(Ok(None), |at| row.try_get::<Option<DateTime<Utc>>, _>(at));
        let (Some(person), Some(at)) = (row.try_get("person")?, row.try_get::<Option<DateTime<Utc>>, _>("at")?) else {
            return Ok(None);
        };
        let event: Uuid = row.try_get("event")?;
        // An event may say something about what another one had told.
        let told_at = match moment(self.told_at)? {
            Some(told_at) => told_at.timestamp_micros(),
            None => *told_at.get(&event).ok_or_else(|| {
                sqlx::Error::Protocol("`event` is no event of the batch, and there is no `told_at`".into())
            })?,
        };
        let value: Option<Numeric> = self.value.map_or(Ok(None), |at| row.try_get(at))?;
        let rank: Option<i32> = self.rank.map_or(Ok(None), |at| row.try_get(at))?;
        Ok(Some(Word {
            person,
            signal,
            label: text(self.label)?,
            key: text(self.key)?,
            at: at.timestamp_micros(),
            until: moment(self.until)?.map(|until| until.timestamp_micros()),
            value: value.map(|value| value.0),
            rank: rank.unwrap_or_default(),
            told_at,
            event,
        }))
    }
}
