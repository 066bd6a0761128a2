//! Generations of the tables in ClickHouse: which one is read, which is being built, which is kept.

use super::{Connection, Error};

impl Connection {
    /// The generation of the tables that are read.
    pub(crate) async fn current_generation(&mut self) -> Result<i32, Error> {
        Ok(self.generation_in("current").await?.or(self.generation_in("swapping").await?).unwrap_or(1))
    }

    /// The generation whose exchange was decided and may not be finished.
    pub(crate) async fn exchanging_generation(&mut self) -> Result<Option<i32>, Error> {
        self.generation_in("swapping").await
    }

    /// The generation before, if it is kept.
    pub(crate) async fn previous_generation(&mut self) -> Result<Option<i32>, Error> {
        self.generation_in("previous").await
    }

    async fn generation_in(&mut self, state: &str) -> Result<Option<i32>, Error> {
        sqlx::query_scalar("select max(generation) from feed_generations where state = $1")
            .bind(state)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("read the generations of the feed", error))
    }

    /// The generation that is being built; a new one, if there is none.
    pub(crate) async fn building_generation(&mut self) -> Result<i32, Error> {
        sqlx::query_scalar(
            "with made as (
                 insert into feed_generations (generation, state)
                 select max(generation) + 1, 'building' from feed_generations
                 having not bool_or(state = 'building') returning generation)
             select generation from made
             union all select generation from feed_generations where state = 'building'",
        )
        .fetch_one(&mut self.pg)
        .await
        .map_err(|error| Error::classify("begin a generation of the feed", error))
    }

    /// A generation is begun anew: its ranges are forgotten.
    pub(crate) async fn forget_ranges(&mut self, generation: i32) -> Result<(), Error> {
        self.change_generations(
            "delete from feed_ranges using feed_generations as of
             where of.generation = $1 and of.state = 'building' and feed_ranges.generation = $1",
            generation,
        )
        .await
    }

    /// A generation that was built is not what it should be.
    pub(crate) async fn abandon_generation(&mut self, generation: i32) -> Result<(), Error> {
        let sql = "update feed_generations set state = 'dropped', changed_at = now()
                   where generation = $1 and state = 'building'";
        self.change_generations(sql, generation).await?;
        self.forget_dropped().await
    }

    /// Ranges of tables that are gone say nothing any more.
    async fn forget_dropped(&mut self) -> Result<(), Error> {
        let sql = "delete from feed_ranges using feed_generations as of
                   where of.generation = feed_ranges.generation and of.state = 'dropped' and of.generation > $1";
        self.change_generations(sql, 0).await
    }

    /// Decides that a generation takes the place of the current one.
    pub(crate) async fn begin_exchange(&mut self, generation: i32) -> Result<(), Error> {
        // Older ones than the one before are not kept; the unique index wants the current one out of the way first.
        for sql in [
            "update feed_generations set state = 'dropped', changed_at = now()
             where state = 'previous' and generation <> $1",
            "with ended as (
                 update feed_generations set state = 'previous', changed_at = now()
                 where state = 'current' and generation <> $1 returning 1)
             update feed_generations set state = 'swapping', changed_at = now()
             where generation = $1 and exists (select from ended)",
        ] {
            self.change_generations(sql, generation).await?;
        }
        self.forget_dropped().await
    }

    /// A generation has taken its place.
    pub(crate) async fn end_exchange(&mut self, generation: i32) -> Result<(), Error> {
        let sql = "update feed_generations set state = 'current', changed_at = now() where generation = $1";
        self.change_generations(sql, generation).await
    }

    /// The tables of the generation before are gone; so are its ranges.
    pub(crate) async fn drop_previous_generation(&mut self) -> Result<(), Error> {
        let sql = "update feed_generations set state = 'dropped', changed_at = now()
                   where state = 'previous' and generation > $1";
        self.change_generations(sql, 0).await?;
        self.forget_dropped().await
    }

    async fn change_generations(&mut self, sql: &'static str, generation: i32) -> Result<(), Error> {
        sqlx::query(sql)
            .bind(generation)
            .execute(&mut self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("change the generations of the feed", error))
    }
}
