//! Who is somebody, and which company they belonged to when.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::told::{Time, Told};

/// Company snapshots of each person with a CSR id, in the order of (timestamp, id).
pub(super) struct People(BTreeMap<Uuid, Vec<(Time, Uuid)>>);

impl People {
    /// Two snapshots are of one person when they share an e-mail or an external id, if only by way of others.
    pub(super) fn of(events: &[Told]) -> Self {
        let snapshots: Vec<(&Told, BTreeSet<String>)> =
            events.iter().filter_map(|told| Some((told, names(told)?))).collect();
        let mut memberships = BTreeMap::new();
        for (directory, _) in snapshots.iter().filter(|(told, _)| told.given_id("userId").is_some()) {
            let person = directory.id_of("userId");
            let mut known = BTreeSet::from([format!("csr {person}")]);
            loop {
                let before = known.len();
                let theirs = snapshots.iter().filter(|(_, names)| !names.is_disjoint(&known));
                let more: Vec<String> = theirs.flat_map(|(_, names)| names.iter().cloned()).collect();
                known.extend(more);
                if known.len() == before {
                    break;
                }
            }
            let theirs = snapshots.iter().filter(|(_, names)| !names.is_disjoint(&known));
            let company = |(told, _): &(&Told, _)| (told.timestamp, told.id_of("companyId"));
            memberships.entry(person).or_insert_with(|| theirs.map(company).collect());
        }
        Self(memberships)
    }

    pub(super) fn know(&self, people: &[Uuid]) -> bool {
        people.iter().all(|person| self.0.contains_key(person))
    }

    /// That of the latest snapshot at or before the moment, else of the first.
    pub(super) fn company(&self, person: Uuid, at: Time) -> Option<Uuid> {
        let snapshots = self.0.get(&person)?;
        let latest = snapshots.iter().rev().find(|(seen, _)| *seen <= at);
        latest.or_else(|| snapshots.first()).map(|(_, company)| *company)
    }
}

/// By which names a snapshot calls its person; none if the event is no snapshot.
fn names(told: &Told) -> Option<BTreeSet<String>> {
    let external = |source: &str, id: &str| format!("{source} {} {id}", told.text("companyId").to_lowercase());
    let mut names = BTreeSet::new();
    let email = if told.is("ingest.directory.synced") {
        names.insert(external(told.text("sourceSystem"), told.text("externalUserId")));
        names.extend(told.given_id("userId").map(|id| format!("csr {id}")));
        told.text("email")
    } else if told.is("external.user.synced") {
        names.insert(external(told.text("source"), told.user_text("externalUserId")));
        told.user_text("email")
    } else {
        return None;
    };
    names.insert(email.trim().to_lowercase());
    Some(names)
}
