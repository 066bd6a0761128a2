//! Dead letters once more: through the same pipeline, after a contract or a projection was mended; or given up.
//!
//! A batch of them is one transaction, with its row in the audit log. What the database refuses is found by halves.
//! A rehearsal is the same transaction, rolled back at its end.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::Utc;
use serde_json::{Value, json};

use crate::batch::{Batch, Ledger, Message, Telling};
use crate::decode::decode;
use crate::event::{Outcome, Reason, Rejection};
use crate::pipeline::project_all;
use crate::retry::Pause;
use crate::store::audit_logs::{Change, Operator};
use crate::store::{Connection, Error, Letter, NO_SUCH_ROW, TRANSACTION_SECONDS_MAX, Unit, within};

/// How often other transactions may be in the way of a part before it is halved.
const TRIES_MAX: u32 = 10;

/// How a redrive is done, and on whose behalf.
#[derive(Debug, Clone)]
pub struct Order {
    /// Who gives it.
    pub operator: Operator,
    /// Which letters were asked for, for the audit log.
    pub filter: Value,
    /// Nothing is to change.
    pub is_rehearsal: bool,
}

/// What became of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Its number.
    pub id: i64,
    /// Why it was dead.
    pub reason: String,
    /// Its type as far as it could be read, else its subject.
    pub event_type: String,
    /// How its event ended, or why it is as dead as before.
    pub fate: Result<Outcome, Rejection>,
}

/// Redrives a batch of dead letters; what somebody else resolved meanwhile is left out of the answer. Other
/// transactions in the way are waited for.
///
/// # Errors
/// When the database cannot be asked. What is done is done, and going on is to redrive the rest.
pub async fn redrive(connection: &mut Connection, order: &Order, ids: &[i64]) -> Result<Vec<Tried>, Error> {
    let mut done = Vec::with_capacity(ids.len());
    let mut pause = Pause::default();
    // What only a replay met is not told: nor is what comes of it now.
    let unheard = connection.unheard(ids).await?;
    let (silent, told): (Vec<i64>, Vec<i64>) = ids.iter().partition(|id| unheard.contains(id));
    let part = |ids, telling| Part { ids, telling, refusal: None, tries: 0 };
    let mut todo = vec![part(silent, Telling::Silent), part(told, Telling::Told)];
    while let Some(mut part) = todo.pop() {
        if part.ids.is_empty() {
            continue;
        }
        let attempting = Box::pin(attempt(connection, order, &part));
        let refused = match within(TRANSACTION_SECONDS_MAX, "redriving dead letters", attempting).await {
            Ok(tried) => {
                done.extend(tried);
                continue;
            }
            // What a row refers to may be committed any moment, or never be there.
            Err(Error::Contended { sqlstate })
                if part.tries >= TRIES_MAX && (sqlstate == NO_SUCH_ROW || part.ids.len() > 1) =>
            {
                format!("SQLSTATE {sqlstate}")
            }
            // That others are in the way says nothing of the event.
            Err(error @ Error::Contended { .. }) if part.tries >= TRIES_MAX => return Err(error),
            Err(Error::Contended { .. }) => {
                connection.rollback().await?;
                tokio::time::sleep(pause.longer()).await;
                todo.push(Part { tries: part.tries + 1, ..part });
                continue;
            }
            Err(Error::Content { sqlstate, message }) if part.refusal.is_none() => {
                format!("SQLSTATE {sqlstate}: {message}")
            }
            Err(error) => return Err(error),
        };
        connection.rollback().await?;
        if part.ids.len() > 1 {
            let back = part.ids.split_off(part.ids.len() / 2);
            todo.extend([Part { ids: back, tries: 0, ..part.clone() }, Part { tries: 0, ..part }]);
        } else {
            todo.push(Part { refusal: Some(refused), tries: 0, ..part });
        }
    }
    Ok(done)
}

/// Letters that are redriven in one transaction.
#[derive(Clone)]
struct Part {
    ids: Vec<i64>,
    telling: Telling,
    /// The database is known to refuse the only one of them.
    refusal: Option<String>,
    /// How often other transactions were in the way.
    tries: u32,
}

/// One transaction.
async fn attempt(connection: &mut Connection, order: &Order, part: &Part) -> Result<Vec<Tried>, Error> {
    let domain = connection.domain();
    let letters = connection.letters(&part.ids).await?;
    let mut batch = Batch { messages: letters.iter().map(|letter| message(&domain, letter)).collect() };
    if let Some(refusal) = &part.refusal {
        batch = batch.rejected(Reason::Database, refusal);
    }
    if !order.is_rehearsal {
        connection.ensure_months(&batch).await?;
    }
    let mut unit = connection.begin().await?.telling(part.telling);
    let counts = unit.lock_dead_letters(&part.ids).await?;
    let (letters, messages): (Vec<Letter>, Vec<Message>) =
        letters.into_iter().zip(batch.messages).filter(|(letter, _)| counts.contains_key(&letter.id)).unzip();
    let batch = Batch { messages };
    let mut ledger = Ledger::open(&batch);
    unit.claim(&batch, &mut ledger).await?;
    unit.append(&batch, &mut ledger).await?;
    project_all(&mut unit, &batch, &mut ledger, Utc::now).await?;
    unit.wait(&batch, &ledger, order.operator.run).await?;
    let tried = tried(letters, &ledger);
    if order.is_rehearsal {
        connection.rollback().await?;
        return Ok(tried);
    }
    settle(&mut unit, order, &tried, &counts).await?;
    unit.commit().await?;
    Ok(tried)
}

fn message(domain: &crate::domain::Domain, letter: &Letter) -> Message {
    let payload = Bytes::copy_from_slice(&letter.payload);
    Message {
        content: decode(domain, &letter.subject, &payload),
        subject: letter.subject.clone(),
        payload,
        headers: letter.headers.clone(),
        sequence: letter.first_seq.and_then(|sequence| u64::try_from(sequence).ok()),
        published_at: letter.first_seen,
    }
}

fn tried(letters: Vec<Letter>, ledger: &Ledger) -> Vec<Tried> {
    let fate = |index: usize| match ledger.rejections.iter().find(|(rejected, _)| *rejected == index) {
        Some((_, rejection)) => Err(rejection.clone()),
        None => Ok(ledger.outcomes[index]),
    };
    let one = |(index, letter): (usize, Letter)| Tried {
        id: letter.id,
        reason: letter.reason,
        event_type: letter.event_type,
        fate: fate(index),
    };
    letters.into_iter().enumerate().map(one).collect()
}

/// Closes letters and books their messages over: of equal ones, those beyond the first are duplicates.
async fn settle(unit: &mut Unit<'_>, order: &Order, tried: &[Tried], counts: &HashMap<i64, i64>) -> Result<(), Error> {
    if tried.is_empty() {
        return Ok(());
    }
    let settled: Vec<(i64, Option<&Rejection>)> = tried.iter().map(|one| (one.id, one.fate.as_ref().err())).collect();
    unit.settle_dead_letters(&settled).await?;
    let mut changes = Vec::new();
    for (one, outcome) in tried.iter().filter_map(|one| Some((one, *one.fate.as_ref().ok()?))) {
        let count = counts.get(&one.id).copied().unwrap_or_default();
        // One that only a replay met is in no book.
        changes.extend([
            (Outcome::DeadLetter, -count),
            (outcome, count.min(1)),
            (Outcome::Duplicate, (count - 1).max(0)),
        ]);
    }
    if !changes.is_empty() {
        unit.rebook(&changes).await?;
    }
    let ids: Vec<i64> = tried.iter().map(|one| one.id).collect();
    let refused = tried.iter().filter(|one| one.fate.is_err()).count();
    let details = json!({"filter": order.filter, "letters": ranges(ids), "redriven": tried.len() - refused,
                         "refused": refused});
    unit.audit(&order.operator, &Change::of("dead_letters.redrive", "dead_letters", details)).await
}

/// Gives up a batch of dead letters; returns how many of them were open.
///
/// # Errors
/// When the database cannot be asked; what was given up before stays given up.
pub async fn discard(
    connection: &mut Connection,
    order: &Order,
    ids: &[i64],
    note: Option<&str>,
) -> Result<usize, Error> {
    let mut pause = Pause::default();
    loop {
        match within(TRANSACTION_SECONDS_MAX, "discarding dead letters", give_up(connection, order, ids, note)).await {
            Err(Error::Contended { .. }) => {
                connection.rollback().await?;
                tokio::time::sleep(pause.longer()).await;
            }
            ended => return ended,
        }
    }
}

async fn give_up(connection: &mut Connection, order: &Order, ids: &[i64], note: Option<&str>) -> Result<usize, Error> {
    let mut unit = connection.begin().await?;
    let gone = unit.discard(ids, note).await?;
    let count = gone.len();
    if count > 0 {
        let details = json!({"filter": order.filter, "letters": ranges(gone), "discarded": count, "note": note});
        unit.audit(&order.operator, &Change::of("dead_letters.discard", "dead_letters", details)).await?;
    }
    unit.commit().await?;
    Ok(count)
}

/// Numbers as people write them: `1-500, 502`.
fn ranges(mut ids: Vec<i64>) -> String {
    ids.sort_unstable();
    let mut parts: Vec<(i64, i64)> = Vec::new();
    for id in ids {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            _ => parts.push((id, id)),
        }
    }
    let text = |(first, last): &(i64, i64)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    parts.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_ranges() {
        assert_eq!(ranges(vec![3, 1, 2, 9, 7]), "1-3, 7, 9");
        assert_eq!(ranges(Vec::new()), "");
    }
}
