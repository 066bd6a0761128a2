//! Replays: how far each is.

use serde_json::Value;
use uuid::Uuid;

use super::{ANSWER_SECONDS_MAX, Connection, Error, within};

/// First key of the advisory locks of replays; the second is made from their id.
const REPLAY_LOCK: i32 = 0x6d69_6c65;

/// How far a replay is, and what it has counted.
#[derive(Debug, Clone, Default, PartialEq, sqlx::FromRow)]
pub(crate) struct Noted {
    /// Last position, sequence or line that was committed.
    pub(crate) reached: i64,
    /// Of a file, the bytes up to there.
    pub(crate) reached_bytes: i64,
    /// What became of what it read.
    pub(crate) counts: Value,
}

impl Connection {
    /// Whether this session is the one that does this replay; it is so until it ends.
    pub(crate) async fn may_replay(&mut self, id: Uuid) -> Result<bool, Error> {
        let asking = async {
            let [a, b, c, d, ..] = *id.as_bytes();
            sqlx::query_scalar("select pg_try_advisory_lock($1, $2)")
                .bind(REPLAY_LOCK)
                .bind(i32::from_be_bytes([a, b, c, d]))
                .fetch_one(&mut self.pg)
                .await
                .map_err(|error| Error::classify("ask to be the one that replays", error))
        };
        within(ANSWER_SECONDS_MAX, "asking to be the one that replays", asking).await
    }

    /// Begins a replay, or goes on with one that was interrupted, unless it is to begin anew.
    pub(crate) async fn begin_replay(
        &mut self,
        id: Uuid,
        (source, selection): (&str, &str),
        is_anew: bool,
    ) -> Result<Noted, Error> {
        let beginning = async {
            // An ended one begins anew too: it would have nothing left to do.
            sqlx::query_as(
                "with anew as (select coalesce((select ended_at is not null from replays where id = $1), true) or $4 as anew)
                 insert into replays as known (id, source, selection) values ($1, $2, $3)
                 on conflict (id) do update set
                     reached = case when (select anew from anew) then 0 else known.reached end,
                     reached_bytes = case when (select anew from anew) then 0 else known.reached_bytes end,
                     counts = case when (select anew from anew) then '{}' else known.counts end,
                     began_at = case when (select anew from anew) then now() else known.began_at end,
                     went_on_at = now(), ended_at = null
                 returning reached, reached_bytes, counts",
            )
            .bind(id)
            .bind(source)
            .bind(selection)
            .bind(is_anew)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("begin a replay", error))
        };
        within(ANSWER_SECONDS_MAX, "beginning a replay", beginning).await
    }

    /// Notes how far a replay is.
    pub(crate) async fn note_replay(&mut self, id: Uuid, noted: &Noted, is_ended: bool) -> Result<(), Error> {
        let noting = async {
            sqlx::query(
                "update replays set reached = $2, reached_bytes = $3, counts = $4, went_on_at = now(),
                     ended_at = case when $5 then now() end
                 where id = $1",
            )
            .bind(id)
            .bind(noted.reached)
            .bind(noted.reached_bytes)
            .bind(&noted.counts)
            .bind(is_ended)
            .execute(&mut self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("note how far a replay is", error))
        };
        within(ANSWER_SECONDS_MAX, "noting how far a replay is", noting).await
    }
}
