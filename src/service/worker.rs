//! One worker: it fetches and decodes the next batch while it commits this one.

use std::time::Instant;

use chrono::Utc;
use tokio::sync::mpsc;

use super::Shared;
use crate::batch::Ledger;
use crate::metrics;
use crate::pipeline::{process_or_bisect, totals};
use crate::retry::Pause;
use crate::source::{self, FetchLimits, Fetched, Fetcher, age_seconds};
use crate::store::{Connection, Error};

/// Batches after which a worker merges the rows of the accounting.
const BATCHES_PER_MERGE: u64 = 64;
/// Tries in a row after which meeting other transactions is trouble.
const CONTENDED_MAX: u32 = 10;

/// Works until stopped. Infrastructure that fails is waited for, however long.
pub(super) async fn work(shared: Shared, number: usize, limits: FetchLimits) -> anyhow::Result<()> {
    // One batch waits decoded while another commits: more would only grow memory and redeliveries.
    let (sender, mut batches) = mpsc::channel(1);
    let fetching = tokio::spawn(fetch(shared.clone(), number, limits, sender));
    let mut worker = Worker {
        part: format!("worker {number}"),
        shared,
        connection: None,
        done: Vec::new(),
        in_doubt: None,
        contended: 0,
        batches: 0,
    };
    while let Some(fetched) = batches.recv().await {
        if !worker.handle(fetched).await {
            break;
        }
    }
    drop(batches);
    fetching.await.map_err(|panic| anyhow::anyhow!("fetching died: {panic}"))?
}

/// Keeps a flow of messages going and cuts it into decoded batches. Fails only when the stream is another one.
async fn fetch(
    shared: Shared,
    number: usize,
    limits: FetchLimits,
    sender: mpsc::Sender<Fetched>,
) -> anyhow::Result<()> {
    let part = format!("fetch {number}");
    let mut pause = Pause::default();
    while !shared.stop.is_cancelled() {
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            () = shared.halt.lifted() => {}
        }
        let failure = match begin(&shared, limits).await? {
            Ok(mut fetcher) => loop {
                let next = tokio::select! {
                    biased; // a stop comes before what has been delivered already
                    () = shared.stop.cancelled() => {
                        fetcher.give_back().await;
                        return Ok(());
                    }
                    () = shared.halt.called() => {
                        fetcher.give_back().await;
                        break source::Error::Broken("nothing is taken from this stream".into());
                    }
                    next = fetcher.next_batch() => next,
                };
                match next {
                    Ok(fetched) => {
                        pause.reset();
                        shared.health.well(&part);
                        if sender.send(fetched).await.is_err() {
                            return Ok(());
                        }
                    }
                    Err(error) => break error,
                }
            },
            Err(error) => error,
        };
        tracing::warn!(part, error = %failure, "cannot fetch, trying again");
        shared.health.trouble(&part, failure.to_string());
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = tokio::time::sleep(pause.longer()) => {}
        }
        if shared.source.consumer().await.is_ok() {
            shared.health.well(&part);
        }
    }
    Ok(())
}

/// Begins a flow, from the stream that the books are about and no other.
async fn begin(shared: &Shared, limits: FetchLimits) -> anyhow::Result<Result<Fetcher, source::Error>> {
    match shared.same_stream().await? {
        Ok(()) => Ok(shared.source.fetcher(limits).await),
        Err(error) => Ok(Err(error)),
    }
}

struct Worker {
    part: String,
    shared: Shared,
    connection: Option<Connection>,
    /// Parts of the batch in hand that are committed.
    done: Vec<Ledger>,
    /// What a batch books whose commit was not answered. If it turns out to be handled, this is how it ended.
    in_doubt: Option<Ledger>,
    /// Tries in a row that met another transaction.
    contended: u32,
    batches: u64,
}

impl Worker {
    /// Commits a batch and acknowledges it, trying again for ever. False: stopped before it could be committed.
    async fn handle(&mut self, fetched: Fetched) -> bool {
        let mut pause = Pause::default();
        loop {
            let began = Instant::now();
            match self.commit(&fetched).await {
                Ok(()) => {
                    let done = std::mem::take(&mut self.done);
                    self.acknowledge(&fetched, &done, began).await;
                    return true;
                }
                Err(error) => {
                    self.recover(&error).await;
                    // A try that books nothing, and is in doubt again, says nothing of the one before.
                    if let Error::InDoubt { ledger, .. } = error
                        && (self.in_doubt.is_none() || !ledger.recorded.is_empty())
                    {
                        self.in_doubt = Some(*ledger);
                    }
                }
            }
            if self.shared.stop.is_cancelled() {
                return false;
            }
            tokio::select! {
                () = self.shared.stop.cancelled() => {}
                () = tokio::time::sleep(pause.longer()) => {}
            }
        }
    }

    /// One try. What an earlier try committed is handled already and books nothing again.
    async fn commit(&mut self, fetched: &Fetched) -> Result<(), Error> {
        if self.connection.is_none() {
            self.connection = Some(self.shared.store.connect().await?);
        }
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let committed_before = self.done.len();
        let processing = process_or_bisect(connection, &self.shared.run, &fetched.batch, Utc::now, &mut self.done);
        Box::pin(processing).await?;
        // A batch that books nothing new right after a commit in doubt was committed then.
        let booked = self.done.iter().skip(committed_before).any(|ledger| !ledger.recorded.is_empty());
        self.done.extend(self.in_doubt.take().filter(|_| !booked));
        Ok(())
    }

    async fn recover(&mut self, error: &Error) {
        let cause = match error {
            Error::Contended { .. } | Error::Content { .. } => "contended",
            Error::Unavailable { .. } => "unavailable",
            Error::InDoubt { .. } => "in_doubt",
            Error::Silent { .. } => "silent",
        };
        metrics::retried(cause);
        if cause == "contended" {
            self.contended += 1;
            if self.contended.is_multiple_of(CONTENDED_MAX) {
                let tries = self.contended;
                tracing::warn!(part = self.part, tries, error = %error, "the batch still meets another transaction");
                self.shared.health.trouble(&self.part, error.to_string());
            }
            if let Some(connection) = &mut self.connection
                && connection.rollback().await.is_ok()
            {
                return;
            }
        } else {
            let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
            tracing::warn!(part = self.part, error = %format!("{error}{source}"), "cannot commit, trying again");
            self.shared.health.trouble(&self.part, error.to_string());
        }
        self.connection = None;
    }

    async fn acknowledge(&mut self, fetched: &Fetched, done: &[Ledger], began: Instant) {
        self.contended = 0;
        self.shared.health.well(&self.part);
        self.shared.health.committed();
        if let Err(error) = self.shared.source.ack(&fetched.deliveries).await {
            tracing::warn!(part = self.part, error = %error, "committed, but not acknowledged: will be delivered again");
        }
        self.account(fetched, done, began);
        self.batches += 1;
        if self.batches.is_multiple_of(BATCHES_PER_MERGE)
            && let Some(connection) = &mut self.connection
            && let Err(error) = connection.merge_handled().await
        {
            tracing::debug!(part = self.part, error = %error, "could not merge the accounting, later then");
            self.connection = None;
        }
    }

    fn account(&self, fetched: &Fetched, done: &[Ledger], began: Instant) {
        let totals = totals(done);
        let stream = &self.shared.domain.stream.name;
        for (outcome, count) in &totals {
            metrics::ended(stream, *outcome, *count);
        }
        done.iter().for_each(metrics::counted_by_domain);
        let messages = &fetched.batch.messages;
        let recorded: u64 = totals.iter().map(|(_, count)| count).sum();
        let redelivered = (messages.len() as u64).saturating_sub(recorded);
        let latency = fetched.batch.oldest().map(age_seconds);
        metrics::batch(messages.len(), began.elapsed().as_secs_f64(), latency, redelivered);
        self.shared.tally.ended(&totals);
        if let Some(newest) = messages.iter().map(|message| message.published_at).max() {
            self.shared.tally.committed(newest);
        }
        for message in messages {
            if let Ok(event) = &message.content {
                tracing::trace!(event.id = %event.id, event.correlation_id = ?event.correlation_id, "handled");
            }
        }
        let correlations = messages.iter().filter_map(|message| message.content.as_ref().ok()?.correlation_id);
        tracing::debug!(
            part = self.part,
            batch.len = messages.len(),
            seq.first = messages.first().and_then(|message| message.sequence),
            seq.last = messages.last().and_then(|message| message.sequence),
            correlation_ids = ?correlations.take(10).map(|id| id.to_string()).collect::<Vec<_>>(),
            "committed"
        );
    }
}
