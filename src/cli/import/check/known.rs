//! What is known already: events that were taken before, rows that are there. What is left is news.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Checked, Checkee, Told};
use crate::domain::Domain;
use crate::event::Reference;
use crate::import::{Fault, Made, batch_event};
use crate::store::Connection;
use crate::store::imports::Candidate;

impl Checked {
    /// Compares with the database: what was taken before, and what is referred to.
    pub(in crate::cli::import) async fn compare(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
        let candidate =
            |event: &Told| Candidate { id: event.id, timestamp: event.timestamp, content_hash: event.content_hash };
        let rows = self.files.iter().flat_map(|file| &file.rows).filter(|row| !row.is_refused);
        let candidates: Vec<Candidate> = rows.flat_map(|row| row.events.iter().map(candidate)).collect();
        let known = connection.taken(&candidates).await?;
        for file in &mut self.files {
            for row in file.rows.iter_mut().filter(|row| !row.is_refused) {
                row.events.iter_mut().for_each(|event| event.is_known |= known.same.contains(&event.id));
                if row.events.iter().any(|event| known.different.contains(&event.id)) {
                    row.is_refused = true;
                    let message = "was imported before, and said something else";
                    let hint = "what has been told stays: put the row back as it was, or leave it out";
                    self.faults.push((file.place, Fault::of_line(row.line, message, hint)));
                }
            }
        }
        self.find_missing(connection).await?;
        self.mark_repeats();
        Ok(())
    }

    /// What several rows tell is published once.
    fn mark_repeats(&mut self) {
        let mut told = HashSet::new();
        let rows = self.files.iter_mut().flat_map(|file| &mut file.rows).filter(|row| !row.is_refused);
        for event in rows.flat_map(|row| &mut row.events) {
            event.is_known |= !told.insert(event.id);
        }
    }

    /// Refuses rows that refer to what is nowhere, then rows that refer to these, and so on.
    async fn find_missing(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
        let accepted = |file: &Checkee| {
            file.rows.iter().filter(|row| !row.is_refused).flat_map(|row| row.references.clone()).collect::<Vec<_>>()
        };
        let wanted: HashSet<Reference> = self.files.iter().flat_map(accepted).collect();
        let wanted: Vec<Reference> = wanted.into_iter().collect();
        let absent = connection.missing_references(&wanted).await?;
        loop {
            let accepted = self.files.iter().flat_map(|file| &file.rows).filter(|row| !row.is_refused);
            let provided: HashSet<Reference> = accepted.flat_map(|row| row.provides.iter().copied()).collect();
            let is_missing = |one: &Reference| absent.contains(one) && !provided.contains(one);
            let mut is_refused = false;
            for file in &mut self.files {
                for row in file.rows.iter_mut().filter(|row| !row.is_refused) {
                    let missing: Vec<Reference> = row.references.iter().copied().filter(is_missing).collect();
                    for reference in &missing {
                        let count = self.missing.entry(*reference).or_default();
                        *count += 1;
                        // Each is named once, where it is met first.
                        if *count == 1 {
                            let name = &connection.domain().entities[reference.entity].name;
                            let message = format!(
                                "there is no {name} {}, neither in the database nor in these files",
                                reference.key
                            );
                            let hint =
                                "import it first or in the same command, or say --partial to import all other rows";
                            self.faults.push((file.place, Fault::of_line(row.line, message, hint)));
                        }
                    }
                    row.is_refused = !missing.is_empty();
                    is_refused |= row.is_refused;
                }
            }
            if !is_refused {
                return Ok(());
            }
        }
    }

    /// Whether anything is left to publish.
    pub(in crate::cli::import) async fn has_news(
        &self,
        domain: &Domain,
        connection: &mut Connection,
        imported_at: &BTreeMap<Uuid, DateTime<Utc>>,
    ) -> anyhow::Result<bool> {
        let accepted = || self.files.iter().flat_map(|file| &file.rows).filter(|row| !row.is_refused);
        if accepted().any(|row| row.events.iter().any(|event| !event.is_known)) {
            return Ok(true);
        }
        let of_file = |file: &Checkee| batch_event(domain, &file.batch, *imported_at.get(&file.batch.id)?);
        let told = self.files.iter().filter(|file| file.refused() < file.rows.len()).filter_map(of_file);
        let candidates: Vec<Candidate> = told.map(|made| candidate(&made)).collect();
        Ok(connection.taken(&candidates).await?.same.len() < candidates.len())
    }
}

fn candidate(made: &Made) -> Candidate {
    Candidate { id: made.event.id, timestamp: made.event.timestamp, content_hash: made.event.content_hash }
}
