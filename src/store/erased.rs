//! What was erased: keys of subjects that are destroyed, in the transaction that says so.

use uuid::Uuid;

use super::{Error, Unit};
use crate::batch::Ledger;

impl Unit<'_> {
    /// Destroys the keys of the subjects that the batch has erased so far. One that never had a key is written down all
    /// the same, so that it never gets one; who was erased first stays written down.
    ///
    /// A table that is made anew has the same events as the live ones, whose keys are destroyed already.
    pub(super) async fn destroy_keys(&mut self, ledger: &Ledger) -> Result<(), Error> {
        if self.is_building {
            return Ok(());
        }
        let (subjects, people): (Vec<Uuid>, Vec<Uuid>) = ledger.erased.iter().unzip();
        let sql = "insert into subject_keys as known (subject, person, destroyed_at)
             select subject, person, now() from unnest($1::uuid[], $2::uuid[]) as erased (subject, person) order by subject
             on conflict (subject) do update set
                 wrapped_key = null, wrapped_by = null, person = coalesce(known.person, excluded.person),
                 destroyed_at = coalesce(known.destroyed_at, excluded.destroyed_at)
             where known.destroyed_at is null";
        sqlx::query(sql)
            .bind(subjects)
            .bind(people)
            .execute(&mut *self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("destroy keys", error))
    }
}
