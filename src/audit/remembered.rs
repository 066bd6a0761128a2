//! What the tables show to have been handled, only the books having lost it.

use crate::batch::{Batch, Ledger};
use crate::pipeline::Run;
use crate::store::{Connection, Error, TRANSACTION_SECONDS_MAX, within};

/// Books such messages of a batch as they were booked at first. Gives what was booked, and the other messages.
///
/// # Errors
/// As the database says.
pub(super) async fn book(connection: &mut Connection, run: &Run, batch: Batch) -> Result<(Ledger, Batch), Error> {
    let recognised = connection.recognise(&batch).await?;
    let (mut known, mut unknown) = (Batch::default(), Batch::default());
    // Who else books a message meanwhile has booked it: then there is nothing to add, and nothing to book over.
    let mut ledger = Ledger { is_remembered: true, ..Ledger::default() };
    for (message, outcome) in batch.messages.into_iter().zip(recognised) {
        match outcome {
            Some(outcome) => {
                known.messages.push(message);
                ledger.outcomes.push(outcome);
            }
            None => unknown.messages.push(message),
        }
    }
    if !known.messages.is_empty() {
        let booking = async {
            let mut unit = connection.begin().await?;
            unit.record(&known, &mut ledger, run.incarnation).await?;
            unit.commit().await
        };
        within(TRANSACTION_SECONDS_MAX, "booking what was handled", booking).await?;
    }
    Ok((ledger, unknown))
}

/// Before messages of the stream are handled once more: those of which only the record was lost would be taken for
/// duplicates.
///
/// # Errors
/// As the database says.
pub(crate) async fn book_lost(connection: &mut Connection, run: &Run, batch: &Batch) -> Result<(), Error> {
    let sequences = || batch.messages.iter().filter_map(|message| message.sequence);
    let (Some(incarnation), Some(first), Some(last)) = (run.incarnation, sequences().min(), sequences().max()) else {
        return Ok(());
    };
    if run.is_rehearsal || connection.unhandled(incarnation, first, last).await?.0 == 0 {
        return Ok(());
    }
    book(connection, run, batch.clone()).await.map(|_| ())
}
