//! What is kept, and how it becomes less: old claims shrink to ids.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{ANSWER_SECONDS_MAX, Connection, Error, within};

/// Advisory lock of the one that tidies, held by its session.
const TIDY_LOCK: i64 = 0x6d69_6c65_0037;

/// Up to where claims have been looked at: their age, then their id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claimed {
    at: DateTime<Utc>,
    id: Uuid,
}

impl Claimed {
    /// Before the oldest claim.
    pub(crate) const FIRST: Self = Self { at: DateTime::UNIX_EPOCH, id: Uuid::nil() };
}

impl Connection {
    /// Whether this session is the one that tidies; it is so until it ends.
    pub(crate) async fn may_tidy(&mut self) -> Result<bool, Error> {
        let asking = async {
            let answer =
                sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(TIDY_LOCK).fetch_one(&mut self.pg).await;
            answer.map_err(|error| Error::classify("ask to be the one that tidies", error))
        };
        within(ANSWER_SECONDS_MAX, "asking to be the one that tidies", asking).await
    }

    /// Prunes some claims that are older than this, from one on: how many, and where the next ones begin; nothing when
    /// there are no more.
    pub(crate) async fn prune_claims(
        &mut self,
        older_than: Duration,
        from: Claimed,
        most: i32,
    ) -> Result<(u64, Option<Claimed>), Error> {
        let pruning = async {
            sqlx::query_as::<_, (i64, Option<DateTime<Utc>>, Option<Uuid>)>(
                "select * from event_deduplication_prune($1, now() - make_interval(secs => $2), $3, $4, $5)",
            )
            .bind(&self.domain.consumer.durable)
            .bind(older_than.as_secs_f64())
            .bind(from.at)
            .bind(from.id)
            .bind(most)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("prune claims", error))
        };
        let (pruned, at, id) = within(ANSWER_SECONDS_MAX, "pruning claims", pruning).await?;
        Ok((pruned.unsigned_abs(), at.zip(id).map(|(at, id)| Claimed { at, id })))
    }

    /// How many claims are older than this and would be pruned.
    pub(crate) async fn prunable_claims(&mut self, older_than: Duration) -> Result<u64, Error> {
        sqlx::query_scalar::<_, i64>(
            "select count(*) from event_deduplication as claim
             where consumer_id = $1 and processed_at < now() - make_interval(secs => $2) and success
               and not exists (select from waiting_events where waiting_events.event_id::text = claim.event_id)",
        )
        .bind(&self.domain.consumer.durable)
        .bind(older_than.as_secs_f64())
        .fetch_one(&mut self.pg)
        .await
        .map(i64::unsigned_abs)
        .map_err(|error| Error::classify("count old claims", error))
    }
}
