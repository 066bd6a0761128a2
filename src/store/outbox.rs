//! The outbox: events of our own that wait to be published.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{ANSWER_SECONDS_MAX, Connection, Error, within};

/// Advisory lock of the one that publishes, held by its session.
const RELAY_LOCK: i64 = 0x6d69_6c65_0003;

/// An event to publish.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Unpublished {
    /// Its place in the outbox.
    pub position: i64,
    /// Also the `Nats-Msg-Id`.
    pub event_id: Uuid,
    /// Its subject.
    pub subject: String,
    /// The document.
    pub payload: String,
}

impl Connection {
    /// Whether this session is the one that publishes; it is so until it ends.
    pub(crate) async fn may_publish(&mut self) -> Result<bool, Error> {
        let asking = async {
            // Asking again what one holds already is answered with yes.
            let answer =
                sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(RELAY_LOCK).fetch_one(&mut self.pg).await;
            answer.map_err(|error| Error::classify("ask to be the one that publishes", error))
        };
        within(ANSWER_SECONDS_MAX, "asking to be the one that publishes", asking).await
    }

    /// The next events to publish that may be published without further ado, and a note that it was tried. Of each
    /// person only the first: a later one follows when that has arrived, so that the last one published is the last
    /// one written.
    pub(crate) async fn unpublished(&mut self, limit: i64, window: Duration) -> Result<Vec<Unpublished>, Error> {
        let sql = "with next as (
                 select position, attempted_at from outbox
                 where published_at is null
                   and (attempted_at is null or attempted_at >= now() - make_interval(secs => $2))
                   and not exists (
                     select from outbox as earlier
                     where earlier.user_id = outbox.user_id and earlier.position < outbox.position
                       and earlier.published_at is null)
                 order by position limit $1)
             update outbox set attempted_at = coalesce(outbox.attempted_at, now())
             from next where outbox.position = next.position
             returning outbox.position, outbox.event_id, outbox.subject, outbox.payload";
        self.outbox(sql, limit, window).await
    }

    /// Events of which an attempt was made so long ago that the stream would not know them any more. What has come
    /// back through the stream is marked as published and is not among them.
    pub(crate) async fn stale(&mut self, limit: i64, window: Duration) -> Result<Vec<Unpublished>, Error> {
        let sql = format!(
            "with stale as (
                 select position, event_id, subject, payload from outbox
                 where published_at is null and attempted_at < now() - make_interval(secs => $2)
                 order by position limit $1),
             come_back as (
                 update outbox set published_at = now() from stale
                 where outbox.position = stale.position
                   and exists (select from {} as log where log.event_id = stale.event_id)
                 returning outbox.position)
             select * from stale where position not in (select position from come_back)",
            self.domain.event_log
        );
        self.outbox(&sql, limit, window).await
    }

    /// These are published after all: the stream knows them from now on.
    pub(crate) async fn attempted_anew(&mut self, positions: &[i64]) -> Result<(), Error> {
        let noting = async {
            let noted = sqlx::query("update outbox set attempted_at = now() where position = any($1)")
                .bind(positions)
                .execute(&mut self.pg)
                .await;
            noted.map(|_| ()).map_err(|error| Error::classify("note what is published", error))
        };
        within(ANSWER_SECONDS_MAX, "noting what is published", noting).await
    }

    async fn outbox(&mut self, sql: &str, limit: i64, window: Duration) -> Result<Vec<Unpublished>, Error> {
        let asking = async {
            let found = sqlx::query_as(AssertSqlSafe(sql.to_owned()))
                .bind(limit)
                .bind(window.as_secs_f64())
                .fetch_all(&mut self.pg)
                .await;
            found.map_err(|error| Error::classify("read the outbox", error))
        };
        let mut found: Vec<Unpublished> = within(ANSWER_SECONDS_MAX, "reading the outbox", asking).await?;
        found.sort_unstable_by_key(|event| event.position);
        Ok(found)
    }

    /// The stream has these.
    pub(crate) async fn published(&mut self, positions: &[i64]) -> Result<(), Error> {
        let marking = async {
            let marked = sqlx::query("update outbox set published_at = now() where position = any($1)")
                .bind(positions)
                .execute(&mut self.pg)
                .await;
            marked.map(|_| ()).map_err(|error| Error::classify("mark what was published", error))
        };
        within(ANSWER_SECONDS_MAX, "marking what was published", marking).await
    }
}
