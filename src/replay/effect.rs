//! What a page of history does: through the pipeline, tried again until it is done.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use chrono::Utc;
use uuid::Uuid;

use super::{Counts, Page};
use crate::audit::remembered::book_lost;
use crate::batch::{Batch, Ledger, Message};
use crate::decode::{decode, decode_stored};
use crate::event::{Outcome, Reason, Route};
use crate::pipeline::{Run, process_or_bisect, project_all};
use crate::privacy::cipher;
use crate::retry::Pause;
use crate::store::{Connection, Error, Line, Noted, Store, TRANSACTION_SECONDS_MAX, within};

/// Tries of one transaction before the replay ends; it goes on there when it is started again.
const TRIES_MAX: u32 = 20;
/// Events of a dry run that are remembered, to know them when they are repeated in a later batch.
const REMEMBERED_MAX: usize = 1_000_000;

/// By type, what would become of how many.
type Report = BTreeMap<String, BTreeMap<&'static str, u64>>;

/// A connection that replays.
pub(super) struct Effect {
    store: Store,
    connection: Option<Connection>,
    pub(super) run: Run,
    /// The session must be the only one that does this replay.
    is_alone: bool,
    report: Report,
    /// Of a dry run: what earlier batches would have brought, by id, with its content.
    remembered: HashMap<Uuid, Uuid>,
}

impl Effect {
    pub(super) fn new(store: Store, connection: Connection, run: Run, is_alone: bool) -> Self {
        let (report, remembered) = (Report::new(), HashMap::new());
        Self { store, connection: Some(connection), run, is_alone, report, remembered }
    }

    /// What a dry run found.
    pub(super) fn into_report(self) -> Option<Report> {
        self.run.is_rehearsal.then_some(self.report)
    }

    /// Does something with the connection, trying again with another one when that fails.
    pub(super) async fn persist<T>(
        &mut self,
        attempt: impl AsyncFn(&mut Connection) -> Result<T, Error>,
    ) -> anyhow::Result<T> {
        let mut pause = Pause::default();
        let mut tries = 0;
        loop {
            let failure = match self.connected().await {
                Ok(connection) => match Box::pin(attempt(connection)).await {
                    Ok(done) => return Ok(done),
                    Err(error) if error.is_fault() => return Err(error.into()),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            tries += 1;
            if tries == TRIES_MAX {
                let hint = "hint: run it again when Postgres is well; it goes on where it was";
                return Err(failure).with_context(|| format!("tried {tries} times in vain\n  {hint}"));
            }
            self.recover(&failure).await;
            tokio::time::sleep(pause.longer()).await;
        }
    }

    async fn connected(&mut self) -> Result<&mut Connection, Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let mut connection = self.store.connect().await?;
                if self.is_alone && !connection.may_replay(self.run.id).await? {
                    return Err(Error::fault(
                        "another process is at this replay\n  hint: wait for it, or end it".into(),
                    ));
                }
                connection
            }
        };
        Ok(self.connection.insert(connection))
    }

    async fn recover(&mut self, failure: &Error) {
        if matches!(failure, Error::Contended { .. })
            && let Some(connection) = &mut self.connection
            && connection.rollback().await.is_ok()
        {
            return;
        }
        let source = std::error::Error::source(failure).map(|source| format!(": {source}")).unwrap_or_default();
        tracing::warn!(error = %format!("{failure}{source}"), "cannot go on, trying again");
        self.connection = None;
    }

    /// Notes how far the replay is.
    pub(super) async fn note(&mut self, noted: &Noted, is_ended: bool) -> anyhow::Result<()> {
        let id = self.run.id;
        self.persist(async |connection| connection.note_replay(id, noted, is_ended).await).await
    }

    /// What became of a page.
    pub(super) async fn of(&mut self, page: Page) -> anyhow::Result<Counts> {
        match page.lines.is_empty() {
            true => self.of_messages(page.batch).await,
            false => self.of_lines(&page.lines).await,
        }
    }

    async fn of_messages(&mut self, mut batch: Batch) -> anyhow::Result<Counts> {
        let mut counts = Counts::default();
        self.decrypt(&mut batch).await?;
        if self.run.is_rehearsal {
            self.set_repeats_aside(&mut batch, &mut counts);
        }
        if batch.messages.is_empty() {
            return Ok(counts);
        }
        let run = self.run;
        let processing = async |connection: &mut Connection| {
            book_lost(connection, &run, &batch).await?;
            let mut done = Vec::new();
            process_or_bisect(connection, &run, &batch, Utc::now, &mut done).await.map(|()| done)
        };
        let done = self.persist(processing).await?;
        // The parts in which a batch was done are in its order.
        let outcomes = done.iter().flat_map(verdicts);
        for (message, (outcome, is_conflict)) in batch.messages.iter().zip(outcomes) {
            counts.count(outcome);
            if self.run.is_rehearsal {
                let event = message.content.as_ref().ok();
                if let Some(event) = event.filter(|_| outcome != Outcome::DeadLetter && outcome != Outcome::Duplicate)
                    && self.remembered.len() < REMEMBERED_MAX
                {
                    self.remembered.insert(event.id, event.content_hash);
                }
                self.say(&message.subject, outcome, is_conflict);
            }
        }
        Ok(counts)
    }

    /// Archives hold documents as they are stored: what is encrypted in one is read with the keys that are here.
    async fn decrypt(&mut self, batch: &mut Batch) -> anyhow::Result<()> {
        let is_encrypted =
            |message: &&mut Message| text_of(message).is_some_and(|text| !cipher::secrets(text).is_empty());
        let mut found: Vec<&mut Message> = batch.messages.iter_mut().filter(is_encrypted).collect();
        if found.is_empty() {
            return Ok(());
        }
        let texts: Vec<String> = found.iter().filter_map(|message| text_of(message).map(str::to_owned)).collect();
        let decrypting = async |connection: &mut Connection| {
            let mut texts = texts.clone();
            connection.decrypt(texts.iter_mut().collect()).await.map(|_| texts)
        };
        let texts = self.persist(decrypting).await?;
        for (message, text) in found.iter_mut().zip(texts) {
            message.payload = text.into();
            message.content = decode(&self.store.domain, &message.subject, &message.payload);
        }
        Ok(())
    }

    /// Of a dry run: what an earlier batch of it would have brought is a duplicate, or a conflict.
    fn set_repeats_aside(&mut self, batch: &mut Batch, counts: &mut Counts) {
        let (repeats, others) = std::mem::take(&mut batch.messages)
            .into_iter()
            .partition(|message| message.content.as_ref().is_ok_and(|event| self.remembered.contains_key(&event.id)));
        batch.messages = others;
        let repeats: Vec<crate::batch::Message> = repeats;
        for message in repeats {
            let hash = message.content.as_ref().ok().map(|event| (event.id, event.content_hash));
            let is_same = hash.is_some_and(|(id, hash)| self.remembered.get(&id) == Some(&hash));
            let outcome = if is_same { Outcome::Duplicate } else { Outcome::DeadLetter };
            counts.count(outcome);
            self.say(&message.subject, outcome, !is_same);
        }
    }

    fn say(&mut self, event_type: &str, outcome: Outcome, is_conflict: bool) {
        let result = if is_conflict { "conflict" } else { outcome.label() };
        *self.report.entry(event_type.to_owned()).or_default().entry(result).or_default() += 1;
    }

    /// Stored events: those without effect that have a contract by now are projected.
    async fn of_lines(&mut self, lines: &[Line]) -> anyhow::Result<Counts> {
        let mut counts = Counts::default();
        let mut open: Vec<i64> = Vec::new();
        for line in lines {
            let read = |text: &String| decode_stored(&self.store.domain, &line.event_type, text);
            match line.payload.as_ref().filter(|_| line.is_open).map(read) {
                None => self.counted(&mut counts, &line.event_type, Outcome::Duplicate),
                Some(Ok(event)) => match event.route {
                    Route::Contract(_) => open.push(line.position),
                    Route::Unrouted => self.counted(&mut counts, &line.event_type, Outcome::Unrouted),
                    Route::Own => self.counted(&mut counts, &line.event_type, Outcome::Own),
                },
                Some(Err(rejection)) => {
                    tracing::warn!(
                        position = line.position,
                        field = rejection.field,
                        message = rejection.message,
                        "a stored event does not fit the contract that it has by now"
                    );
                    self.refused(&mut counts, &line.event_type);
                }
            }
        }
        let types: HashMap<i64, &str> = lines.iter().map(|line| (line.position, line.event_type.as_str())).collect();
        let mut todo = vec![open];
        while let Some(mut positions) = todo.pop() {
            if positions.is_empty() {
                continue;
            }
            let run = self.run;
            let picking = async |connection: &mut Connection| match pick_up(connection, &run, &positions).await {
                Err(Error::Content { sqlstate, message }) => {
                    connection.rollback().await?;
                    Ok(Err(format!("SQLSTATE {sqlstate}: {message}")))
                }
                ended => ended.map(Ok),
            };
            match self.persist(picking).await? {
                Ok(taken) => {
                    let left = positions.len() - taken.len();
                    counts.duplicates += left as u64; // another process was faster
                    for (event_type, outcome) in taken {
                        self.counted(&mut counts, &event_type, outcome);
                    }
                }
                Err(_) if positions.len() > 1 => {
                    let back = positions.split_off(positions.len() / 2);
                    todo.extend([back, positions]);
                }
                Err(refusal) => {
                    tracing::warn!(position = positions[0], message = refusal, "the database refuses a stored event");
                    self.refused(&mut counts, types.get(&positions[0]).copied().unwrap_or_default());
                }
            }
        }
        Ok(counts)
    }

    fn counted(&mut self, counts: &mut Counts, event_type: &str, outcome: Outcome) {
        counts.count(outcome);
        if self.run.is_rehearsal {
            self.say(event_type, outcome, false);
        }
    }

    fn refused(&mut self, counts: &mut Counts, event_type: &str) {
        counts.refused += 1;
        if self.run.is_rehearsal {
            *self.report.entry(event_type.to_owned()).or_default().entry("refused").or_default() += 1;
        }
    }
}

/// Projects stored events that have had no effect, in one transaction; gives the type of each and how it ended.
async fn pick_up(connection: &mut Connection, run: &Run, positions: &[i64]) -> Result<Vec<(String, Outcome)>, Error> {
    let picking = async {
        let mut unit = connection.begin().await?.telling(run.telling);
        if unit.rules.applying.is_some() {
            // Facts of stored events are being folded up to a position: these would be folded twice.
            return Err(Error::fault(
                "rules are being applied\n  hint: run it again when `milepost rules apply` is done".into(),
            ));
        }
        let (batch, open) = unit.take_up_open(positions).await?;
        let mut ledger = Ledger::open(&batch);
        project_all(&mut unit, &batch, &mut ledger, Utc::now).await?;
        unit.settle_open(&batch, &ledger, &open).await?;
        unit.wait(&batch, &ledger, run.id).await?;
        match run.is_rehearsal {
            true => unit.roll_back().await?,
            false => unit.commit().await?,
        }
        let kinds = batch.messages.iter().map(|message| message.subject.clone());
        Ok(kinds.zip(ledger.outcomes.iter().copied()).collect())
    };
    within(TRANSACTION_SECONDS_MAX, "projecting stored events", picking).await
}

/// How each message of a part ended, and whether its id was that of another event.
fn verdicts(ledger: &Ledger) -> Vec<(Outcome, bool)> {
    let is_conflict = |index: usize| {
        ledger
            .rejections
            .iter()
            .any(|(rejected, rejection)| *rejected == index && rejection.reason == Reason::IdConflict)
    };
    let dead = |index: usize, outcome: Outcome| outcome == Outcome::DeadLetter && is_conflict(index);
    ledger.outcomes.iter().enumerate().map(|(index, outcome)| (*outcome, dead(index, *outcome))).collect()
}

fn text_of(message: &Message) -> Option<&str> {
    std::str::from_utf8(&message.payload).ok()
}
