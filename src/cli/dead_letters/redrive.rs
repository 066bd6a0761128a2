//! redrive and discard: through all that are selected, in batches.

use std::collections::BTreeMap;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::json;

use super::{PAGE, Target, print};
use crate::error::Failure;
use crate::event::Outcome;
use crate::redrive::{Order, Tried, discard, redrive};
use crate::store::Connection;
use crate::store::dead_letters::{Letter, Place, Selection};

/// Letters redriven in one transaction.
const BATCH_LETTERS: usize = 200;
/// Bytes of payload redriven in one transaction; one larger letter still makes a batch.
const BATCH_BYTES: i64 = 4 << 20;
/// Kinds that are told apart; the rest is counted together. Types are what publishers wrote.
const KINDS_MAX: usize = 500;

/// What became of letters of one kind.
#[derive(Debug, Default, Serialize)]
struct Counts {
    applied: u64,
    duplicates: u64,
    waiting: u64,
    unrouted: u64,
    own: u64,
    refused: u64,
}

/// Letters of one reason and type.
#[derive(Debug, Serialize)]
struct Group<'g> {
    reason: &'g str,
    #[serde(rename = "type")]
    event_type: &'g str,
    #[serde(flatten)]
    counts: &'g Counts,
}

/// What became of all.
#[derive(Debug, Default)]
struct Report {
    redriven: u64,
    refused: u64,
    groups: BTreeMap<(String, String), Counts>,
}

impl Report {
    fn add(&mut self, tried: Tried) {
        let mut kind = (tried.reason, tried.event_type);
        if self.groups.len() >= KINDS_MAX && !self.groups.contains_key(&kind) {
            kind = ("others".into(), "others".into());
        }
        let counts = self.groups.entry(kind).or_default();
        let (total, count) = match &tried.fate {
            Ok(Outcome::Applied) => (&mut self.redriven, &mut counts.applied),
            Ok(Outcome::Duplicate) => (&mut self.redriven, &mut counts.duplicates),
            Ok(Outcome::Waiting) => (&mut self.redriven, &mut counts.waiting),
            Ok(Outcome::Unrouted) => (&mut self.redriven, &mut counts.unrouted),
            Ok(Outcome::Own) => (&mut self.redriven, &mut counts.own),
            Ok(Outcome::DeadLetter) | Err(_) => (&mut self.refused, &mut counts.refused),
        };
        *total += 1;
        *count += 1;
        if let Err(rejection) = &tried.fate {
            tracing::debug!(id = tried.id, reason = rejection.reason.code(), message = rejection.message, "still dead");
        }
    }

    fn print(&self, is_rehearsal: bool, as_object: bool) -> Result<(), Failure> {
        let groups = || self.groups.iter().map(|((reason, event_type), counts)| Group { reason, event_type, counts });
        if as_object {
            let groups: Vec<Group<'_>> = groups().collect();
            let mut document = json!({"redriven": self.redriven, "refused": self.refused, "groups": groups});
            if is_rehearsal {
                document["dry_run"] = true.into();
            }
            return print(&document.to_string());
        }
        if !self.groups.is_empty() {
            let head = ["applied", "duplicate", "waiting", "unrouted", "own", "refused"];
            let head: Vec<String> = head.iter().map(|name| format!("{name:>9}")).collect();
            print(&format!("{:<16} {:<36} {}", "reason", "type", head.join(" ")))?;
        }
        for Group { reason, event_type, counts: of } in groups() {
            let numbers = [of.applied, of.duplicates, of.waiting, of.unrouted, of.own, of.refused];
            let numbers: Vec<String> = numbers.iter().map(|number| format!("{number:>9}")).collect();
            print(&format!("{reason:<16} {event_type:<36} {}", numbers.join(" ")))?;
        }
        if is_rehearsal && self.groups.values().any(|of| of.waiting > 0) {
            print(
                "those that would wait are applied at once where a letter of an earlier batch brings what is missing",
            )?;
        }
        print(&match is_rehearsal {
            true => format!("would be redriven {}, would be as dead as before {}", self.redriven, self.refused),
            false => format!("redriven {}, still dead {}", self.redriven, self.refused),
        })
    }
}

/// Those that are selected, page by page in the order of the stream. What dies meanwhile is left for another time.
struct Pages {
    selection: Selection,
    place: Place,
    left: i64,
}

impl Pages {
    async fn of(connection: &mut Connection, target: &Target) -> Result<(Self, i64), Failure> {
        let mut selection = target.selection()?;
        let (count, newest) = connection.count_selected(&selection).await?;
        selection.up_to = Some(newest);
        let left = target.limit.map_or(i64::MAX, i64::from);
        Ok((Self { selection, place: Place::default(), left }, count.min(left)))
    }

    async fn next(&mut self, connection: &mut Connection) -> Result<Vec<Letter>, Failure> {
        if self.left == 0 {
            return Ok(Vec::new());
        }
        let page = connection.dead_letters(&self.selection, self.place, PAGE.min(self.left)).await?;
        self.left -= page.len() as i64;
        self.place = page.last().map_or(self.place, Letter::place);
        Ok(page)
    }
}

/// Cuts a page into batches, each bounded by number and bytes.
fn batches(page: &[Letter]) -> Vec<Vec<i64>> {
    let mut batches: Vec<(i64, Vec<i64>)> = Vec::new();
    for letter in page {
        match batches.last_mut() {
            Some((bytes, ids)) if ids.len() < BATCH_LETTERS && *bytes + letter.size <= BATCH_BYTES => {
                *bytes += letter.size;
                ids.push(letter.id);
            }
            _ => batches.push((letter.size, vec![letter.id])),
        }
    }
    batches.into_iter().map(|(_, ids)| ids).collect()
}

/// A bar on the terminal; nothing where stderr is none.
fn bar(of: i64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} dead letters, {per_sec}, {eta} left");
    ProgressBar::new(of.unsigned_abs()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

pub(super) async fn redrive_all(
    connection: &mut Connection,
    order: &Order,
    target: &Target,
    as_object: bool,
) -> Result<ExitCode, Failure> {
    let (mut pages, count) = Pages::of(connection, target).await?;
    let bar = bar(count);
    let mut report = Report::default();
    loop {
        let page = pages.next(connection).await?;
        if page.is_empty() {
            break;
        }
        for ids in batches(&page) {
            let tried = redrive(connection, order, &ids).await.map_err(|error| {
                let hint = "hint: what is done is done; the same command goes on with the rest";
                anyhow::Error::new(error).context(format!("redriving stopped after {}\n  {hint}", bar.position()))
            })?;
            tried.into_iter().for_each(|one| report.add(one));
            bar.inc(ids.len() as u64);
        }
    }
    bar.finish_and_clear();
    report.print(order.is_rehearsal, as_object)?;
    Ok(if report.refused == 0 || order.is_rehearsal { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

pub(super) async fn discard_all(
    connection: &mut Connection,
    order: &Order,
    target: &Target,
    note: Option<&str>,
    as_object: bool,
) -> Result<ExitCode, Failure> {
    let (mut pages, count) = Pages::of(connection, target).await?;
    if order.is_rehearsal {
        let document = json!({"dry_run": true, "discarded": count}).to_string();
        print(&if as_object { document } else { format!("would be discarded {count}") })?;
        return Ok(ExitCode::SUCCESS);
    }
    let bar = bar(count);
    let mut discarded = 0;
    loop {
        let page = pages.next(connection).await?;
        if page.is_empty() {
            break;
        }
        let ids: Vec<i64> = page.iter().map(|letter| letter.id).collect();
        discarded += discard(connection, order, &ids, note).await?;
        bar.inc(ids.len() as u64);
    }
    bar.finish_and_clear();
    print(&if as_object { json!({ "discarded": discarded }).to_string() } else { format!("discarded {discarded}") })?;
    Ok(if discarded > 0 || target.ids.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
