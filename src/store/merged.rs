//! People who turned out to be one. The domain's SQL makes one row of theirs and lays down the facts of whoever goes
//! (`journey_facts_merged`); here these are merged into the facts of whoever stays.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Error, Unit};
use crate::journey::fact::Facts;
use crate::journey::fold::{Unreadable, brought_over, from_bytes, merge, to_bytes};
use crate::journey::standing::Standing;

/// What was laid down of one who went.
#[derive(Debug)]
struct Gone {
    /// Who stays.
    person: Uuid,
    /// Facts, and facts as rules keep them that are being applied.
    standing: Option<Standing>,
    /// Facts that are staged for the rules that are being applied.
    staged: Facts,
}

impl Unit<'_> {
    /// Merges what was laid down into the facts of these people, who are locked. The order makes no difference.
    pub(super) async fn merge_facts(
        &mut self,
        people: &BTreeSet<Uuid>,
        standings: &mut BTreeMap<Uuid, Standing>,
    ) -> Result<(), Error> {
        if people.is_empty() {
            return Ok(());
        }
        let gone = self.take_gone(people).await?;
        let mut staged: BTreeMap<Uuid, Facts> = BTreeMap::new();
        for one in gone {
            let Some(stays) = standings.get_mut(&one.person) else {
                return Err(Error::fault(format!("facts were merged into {}, who does not exist", one.person)));
            };
            if let Some(lacking) = self.lacking() {
                merge(&lacking, staged.entry(one.person).or_default(), one.staged);
            }
            stays.is_changed = true;
            if let Some(standing) = one.standing {
                self.merge_standing(stays, standing);
            }
        }
        self.merge_staged(staged, standings).await
    }

    /// Facts by other rules are brought over to the later ones first.
    fn merge_standing(&self, stays: &mut Standing, mut gone: Standing) {
        let rules = &self.rules;
        let epoch = stays.epoch.max(gone.epoch);
        if let (Some(applying), Some(lacking)) = (&rules.applying, self.lacking()) {
            for one in [&mut *stays, &mut gone].into_iter().filter(|one| one.epoch < epoch) {
                let (facts, pending) = (std::mem::take(&mut one.facts), std::mem::take(&mut one.pending));
                one.facts = brought_over(&lacking, &applying.journey, facts, [pending]);
                one.epoch = epoch;
            }
            merge(&applying.journey, &mut stays.pending, gone.pending);
        }
        merge(&rules.of(epoch).journey, &mut stays.facts, gone.facts);
    }

    /// What is staged for people who have been brought to the new rules is part of their facts; of others it stays staged.
    async fn merge_staged(
        &mut self,
        mut staged: BTreeMap<Uuid, Facts>,
        standings: &mut BTreeMap<Uuid, Standing>,
    ) -> Result<(), Error> {
        let (Some(lacking), Some(applying)) = (self.lacking(), self.rules.applying.clone()) else {
            return Ok(());
        };
        for (person, facts) in self.staged(&staged.keys().copied().collect()).await? {
            merge(&lacking, staged.entry(person).or_default(), facts);
        }
        let is_there = |person: &Uuid| standings.get(person).is_some_and(|one| one.epoch == applying.epoch);
        let (there, not_yet): (Vec<_>, Vec<_>) = staged.into_iter().partition(|(person, _)| is_there(person));
        self.unstage(&there.iter().map(|(person, _)| *person).collect::<Vec<_>>()).await?;
        for (person, facts) in there {
            if let Some(standing) = standings.get_mut(&person) {
                merge(&lacking, &mut standing.facts, facts);
            }
        }
        let not_yet: Vec<_> = not_yet.into_iter().filter(|(_, facts)| !facts.is_empty()).collect();
        sqlx::query(
            "insert into journey_facts_staged (user_id, facts) select * from unnest($1::uuid[], $2::bytea[])
             on conflict (user_id) do update set facts = excluded.facts",
        )
        .bind(not_yet.iter().map(|(person, _)| *person).collect::<Vec<_>>())
        .bind(not_yet.iter().map(|(_, facts)| to_bytes(facts)).collect::<Vec<_>>())
        .execute(&mut *self.pg)
        .await
        .map(|_| ())
        .map_err(|error| Error::classify("stage facts of people who were merged", error))
    }

    /// The facts that rules which are being applied ask for and those in force do not keep.
    fn lacking(&self) -> Option<crate::journey::Journey> {
        let new = &self.rules.applying.as_ref()?.journey;
        Some(new.only(&self.rules.applied.journey.lacks(new)))
    }

    async fn take_gone(&mut self, people: &BTreeSet<Uuid>) -> Result<Vec<Gone>, Error> {
        type Row = (Uuid, Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);
        let rows: Vec<Row> = sqlx::query_as(
            "delete from journey_facts_merged where user_id = any($1) returning user_id, epoch, facts, pending, staged",
        )
        .bind(people.iter().copied().collect::<Vec<_>>())
        .fetch_all(&mut *self.pg)
        .await
        .map_err(|error| Error::classify("take the facts of people who were merged", error))?;
        let read = |bytes: Option<Vec<u8>>| bytes.map_or_else(|| Ok(Facts::new()), |bytes| from_bytes(&bytes));
        let gone = |(person, epoch, facts, pending, staged): Row| {
            let (facts, pending, staged) = (read(facts)?, read(pending)?, read(staged)?);
            let standing = epoch.map(|epoch| Standing { epoch, facts, pending, ..Standing::default() });
            Ok(Gone { person, standing, staged })
        };
        rows.into_iter().map(gone).collect::<Result<_, Unreadable>>().map_err(|error| Error::fault(error.to_string()))
    }
}
