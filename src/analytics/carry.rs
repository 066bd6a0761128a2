//! Bringing a sealed range into ClickHouse: insert, verify, mark, however often that has to be tried.

use super::tenure::INSERT_SECONDS_MAX;
use super::{Error, Writer};
use crate::feed::Range;
use crate::retry::Pause;
use crate::sink;
use crate::store::Connection;

impl Writer<'_> {
    /// Carries a range until it is there; ClickHouse may be away for hours. `is_fresh`: nobody has tried before. What
    /// goes wrong is told to `trouble`.
    ///
    /// # Errors
    /// Those of Postgres; the last one of ClickHouse when `gives_up` says so of it.
    pub async fn carry_until_there(
        &self,
        connection: &mut Connection,
        range: &Range,
        mut is_fresh: bool,
        trouble: impl Fn(&Error),
        gives_up: impl Fn(&Error) -> bool,
    ) -> Result<(), Error> {
        let mut pause = Pause::default();
        loop {
            let mut carried = self.carry(connection, range, is_fresh).await;
            if let Err(error @ Error::Differs { .. }) = &carried
                && !is_fresh
            {
                // Not by a first insert and not by its repeat: something else was there before, or is there beside it.
                trouble(error);
                carried = self.replace(connection, &[(range.first, range.last)]).await.map(|_| ());
            }
            match carried {
                Ok(()) => return Ok(()),
                Err(error @ Error::Store(_)) => return Err(error),
                Err(error) => {
                    trouble(&error);
                    if gives_up(&error) {
                        return Err(error);
                    }
                    // What ClickHouse itself refused is repeated under its token: the rows may be there, and not what a
                    // view that failed makes of them. Of everything else nobody knows what became of it: it is looked up.
                    is_fresh = matches!(error, Error::Sink(sink::Error::Fault { .. } | sink::Error::Busy { .. }));
                }
            }
            tokio::time::sleep(pause.longer()).await;
        }
    }

    /// Carries a range and marks it. Of one that may have been tried before, it looks first whether it is there; and
    /// because an insert may have ended between the table and the view behind it, it then sees to the sums.
    async fn carry(&self, connection: &mut Connection, range: &Range, is_fresh: bool) -> Result<(), Error> {
        if is_fresh || !self.is_there(connection, range).await? {
            self.insert(range).await?;
            self.verify(connection, range).await?;
            if !is_fresh && !self.is_summed(range).await? {
                // The repeat found the rows, and its name was not known any more.
                self.sum_again_around(range).await?;
            }
        }
        connection.mark_fed(range).await?;
        Ok(())
    }

    /// One synchronous insert of the sealed bytes, ended before our lease is.
    pub(super) async fn insert(&self, range: &Range) -> Result<(), Error> {
        let sink = self.tenure.for_insert(self.sink)?;
        let rows = tokio::task::block_in_place(|| range.rows());
        let rows = rows.map_err(|cause| Error::Unreadable { first: range.first, cause })?;
        let (token, seconds) = (range.token(&self.target.table), INSERT_SECONDS_MAX.to_string());
        // The server, too, gives up by then: also on a body that stopped coming because we were stopped.
        let settings = [
            ("insert_deduplication_token", &*token),
            ("max_execution_time", &seconds),
            ("http_receive_timeout", &seconds),
        ];
        sink.insert(&self.target.table, &[], "Native", rows, &settings).await?;
        Ok(())
    }

    /// Whether nothing is left to do for a range. An insert that failed may have left its rows and not their sums,
    /// because a view failed or the server died between the two: then it has to be repeated, and its token keeps the
    /// rows from being doubled.
    async fn is_there(&self, connection: &Connection, range: &Range) -> Result<bool, Error> {
        match self.verify(connection, range).await {
            Ok(()) => self.is_summed(range).await,
            Err(Error::Differs { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn is_summed(&self, range: &Range) -> Result<bool, Error> {
        Ok(self.patient().is_summed(&self.target.table, &self.target.aggregated, range.first, range.last).await?)
    }

    /// Compares count and hash of a range with what ClickHouse holds.
    pub(super) async fn verify(&self, connection: &Connection, range: &Range) -> Result<(), Error> {
        let Range { first, last, events, hash, .. } = *range;
        let found = self.sink.content(&self.target.table, &connection.domain().layout, first, last).await?;
        match (found.events, found.hash) == (events, hash) {
            true => Ok(()),
            false => Err(Error::Differs { first, last, events, found_events: found.events }),
        }
    }
}
