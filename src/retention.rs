//! Retention: claims beyond the horizon of `[retention]` shrink to ids, a few at a time.
//!
//! Nothing that was taken can be taken again for it: an id is either claimed or in `event_ids`, and whoever appends
//! looks there after the claim.

use std::time::{Duration, Instant};

use crate::store::{Claimed, Connection, Error};

/// Claims pruned in one transaction.
const CLAIMS_AT_ONCE: i32 = 1000;
/// Pause in proportion to the time that a transaction took, so that live traffic hardly notices.
const PAUSE_PER_BATCH: u32 = 4;

/// Prunes all claims that are older than this; `None` when another process tidies. `told` hears of each batch, and says
/// whether to go on.
///
/// # Errors
/// As the database says; what was pruned before is committed.
pub async fn prune(
    connection: &mut Connection,
    older_than: Duration,
    mut told: impl FnMut(u64) -> bool,
) -> Result<Option<u64>, Error> {
    if !connection.may_tidy().await? {
        return Ok(None);
    }
    let (mut total, mut next) = (0, Some(Claimed::FIRST));
    while let Some(from) = next {
        let began = Instant::now();
        let (pruned, reached) = connection.prune_claims(older_than, from, CLAIMS_AT_ONCE).await?;
        total += pruned;
        next = reached.filter(|_| told(pruned));
        if next.is_some() {
            tokio::time::sleep(began.elapsed() * PAUSE_PER_BATCH).await;
        }
    }
    Ok(Some(total))
}
