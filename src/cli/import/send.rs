//! Publishing what was checked: file by file, in the order in which rows depend on each other.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use indicatif::ProgressBar;
use uuid::Uuid;

use super::check::{self, Checked, Checkee};
use crate::domain::Domain;
use crate::import::{Made, Table, batch_event, make};
use crate::retry::Pause;
use crate::source::{Publication, Source};

/// Events sent and not yet confirmed.
const IN_FLIGHT_MAX: usize = 1024;
/// Tries for one event before giving up.
const TRIES_MAX: usize = 10;

/// An event that the stream has not confirmed yet.
struct Sent {
    /// What the stream knows a repetition by: the event's id and what it says, so that the same event with other content
    /// is not dropped unseen. The pipeline has it among the dead letters then.
    message_id: String,
    subject: String,
    payload: Bytes,
    answer: Option<Publication>,
}

struct Sender<'s> {
    source: &'s Source,
    in_flight: VecDeque<Sent>,
    bar: ProgressBar,
}

/// Publishes all events that are not known yet; gives how many of each file. The event about a file comes after its rows.
pub(super) async fn send(
    source: &Source,
    domain: &Domain,
    checked: &Checked,
    imported_at: &BTreeMap<Uuid, DateTime<Utc>>,
) -> anyhow::Result<BTreeMap<usize, u64>> {
    let events = |file: &Checkee| {
        let accepted = file.rows.iter().filter(|row| !row.is_refused);
        accepted.flat_map(|row| &row.events).filter(|event| !event.is_known).count() as u64
    };
    let bar = check::bar(checked.files.iter().map(events).sum(), "published")?;
    let mut sender = Sender { source, in_flight: VecDeque::new(), bar };
    let mut files: Vec<&Checkee> = checked.files.iter().filter(|file| file.refused() < file.rows.len()).collect();
    files.sort_by_key(|file| level(domain, file));
    let mut published = BTreeMap::new();
    for file in files {
        published.insert(file.place, events(file));
        sender.send_file(domain, file, &checked.without).await?;
        if let Some(made) = imported_at.get(&file.batch.id).and_then(|at| batch_event(domain, &file.batch, *at)) {
            sender.send(made).await?;
        }
    }
    sender.confirm_down_to(0).await?;
    sender.bar.finish_and_clear();
    Ok(published)
}

/// What others refer to comes first, so that little has to wait.
fn level(domain: &Domain, file: &Checkee) -> Option<usize> {
    let contracts = domain.imports.declarations[file.declaration].contracts();
    let level = |contract: usize| domain.levels.iter().position(|level| level.contains(&contract));
    contracts.filter_map(level).min()
}

impl Sender<'_> {
    async fn send_file(&mut self, domain: &Domain, file: &Checkee, without: &[String]) -> anyhow::Result<()> {
        let (bytes, is_lines) = check::read(&file.path)?;
        let hint = "leave it alone, and run the same command again";
        let changed = || anyhow::anyhow!("{} changed while it was imported\n  hint: {hint}", file.path.display());
        if check::sha256(&bytes) != file.batch.sha256 {
            return Err(changed());
        }
        let declaration = &domain.imports.declarations[file.declaration];
        let table = Table::read(&bytes, is_lines, without).map_err(|_| changed())?;
        for (row, seen) in table.rows(Some(declaration)).zip(&file.rows).filter(|(_, seen)| !seen.is_refused) {
            let row = row.map_err(|_| changed())?;
            let made = make(domain, declaration, &row, file.batch.id).map_err(|_| changed())?;
            for (made, _) in made.into_iter().zip(&seen.events).filter(|(_, told)| !told.is_known) {
                self.send(made).await?;
                self.bar.inc(1);
            }
        }
        Ok(())
    }

    async fn send(&mut self, made: Made) -> anyhow::Result<()> {
        let Made { event, payload, .. } = made;
        let message_id = format!("{}:{}", event.id, event.content_hash.simple());
        let mut sent = Sent { message_id, subject: event.event_type, payload, answer: None };
        sent.answer = self.transmit(&sent).await.ok();
        self.in_flight.push_back(sent);
        self.confirm_down_to(IN_FLIGHT_MAX).await
    }

    async fn transmit(&self, sent: &Sent) -> anyhow::Result<Publication> {
        let payload = std::str::from_utf8(&sent.payload)?;
        Ok(self.source.publish(&sent.message_id, &sent.subject, payload).await?)
    }

    /// Waits for answers until so many are outstanding.
    async fn confirm_down_to(&mut self, outstanding: usize) -> anyhow::Result<()> {
        while self.in_flight.len() > outstanding {
            let Some(sent) = self.in_flight.pop_front() else {
                break;
            };
            self.confirm(sent).await?;
        }
        Ok(())
    }

    /// Waits for the answer to one event, sending it again as long as there is none.
    async fn confirm(&self, mut sent: Sent) -> anyhow::Result<()> {
        let mut pause = Pause::default();
        let mut failure = anyhow::anyhow!("not sent");
        for _ in 0..TRIES_MAX {
            if sent.answer.is_none() {
                sent.answer = self.transmit(&sent).await.map_err(|error| failure = error).ok();
            }
            if let Some(answer) = sent.answer.take() {
                match answer.arrived().await {
                    Ok(()) => return Ok(()),
                    Err(error) => failure = error.into(),
                }
            }
            tokio::time::sleep(pause.longer()).await;
        }
        let hint = "what was published stays; run the same command again to go on";
        Err(failure.context(format!("the stream does not take {:?}\n  hint: {hint}", sent.subject)))
    }
}
