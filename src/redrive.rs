//! Redriving dead letters: through the same pipeline, after a contract or a projection was mended.

use bytes::Bytes;
use chrono::Utc;
use uuid::Uuid;

use crate::batch::{Batch, Ledger, Message};
use crate::decode::decode;
use crate::event::{Outcome, Reason, Rejection};
use crate::pipeline::project_all;
use crate::store::dead_letters::{Letter, Raw};
use crate::store::{Connection, Error};

/// What became of a redriven dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redriven {
    /// Its event was taken, with this outcome.
    Taken(Outcome),
    /// It is as dead as before, for this reason.
    Refused(Rejection),
    /// Somebody else resolved it meanwhile.
    Resolved,
}

/// Redrives one dead letter, in a transaction of its own.
///
/// # Errors
/// When the database cannot be asked; the letter is then as it was.
pub async fn redrive(connection: &mut Connection, letter: &Letter, raw: Raw, run_id: Uuid) -> Result<Redriven, Error> {
    let payload = Bytes::from(raw.payload);
    let message = Message {
        content: decode(&connection.domain(), &letter.subject, &payload),
        subject: letter.subject.clone(),
        payload,
        headers: raw.headers,
        sequence: letter.first_seq.and_then(|sequence| u64::try_from(sequence).ok()),
        published_at: letter.first_seen,
    };
    let batch = Batch { messages: vec![message] };
    let refusal = match attempt(connection, letter, &batch, run_id).await {
        Ok(Ok(redriven)) => return Ok(redriven),
        Ok(Err(rejection)) => rejection,
        Err(Error::Content { sqlstate, message }) => {
            Rejection::new(Reason::Database, None, format!("SQLSTATE {sqlstate}: {message}"))
        }
        Err(error) => return Err(error),
    };
    connection.rollback().await?;
    connection.failed_again(letter.id, &refusal).await?;
    Ok(Redriven::Refused(refusal))
}

async fn attempt(
    connection: &mut Connection,
    letter: &Letter,
    batch: &Batch,
    run_id: Uuid,
) -> Result<Result<Redriven, Rejection>, Error> {
    connection.ensure_months(batch).await?;
    let mut ledger = Ledger::open(batch);
    let mut unit = connection.begin().await?;
    let Some(count) = unit.lock_dead_letter(letter.id).await? else {
        unit.commit().await?;
        return Ok(Ok(Redriven::Resolved));
    };
    unit.claim(batch, &mut ledger).await?;
    unit.append(batch, &mut ledger).await?;
    project_all(&mut unit, batch, &mut ledger, Utc::now).await?;
    unit.wait(batch, &ledger, run_id).await?;
    if let Some((_, rejection)) = ledger.rejections.pop() {
        return Ok(Err(rejection));
    }
    let outcome = ledger.outcomes.first().copied().unwrap_or(Outcome::DeadLetter);
    // Messages of equal content beyond the first are what they would have been: duplicates.
    let changes = [(Outcome::DeadLetter, -count), (outcome, count.min(1)), (Outcome::Duplicate, (count - 1).max(0))];
    unit.rebook(&changes).await?;
    unit.redriven(letter.id).await?;
    unit.commit().await?;
    Ok(Ok(Redriven::Taken(outcome)))
}
