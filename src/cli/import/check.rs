//! Looking at all files before anything is published. Of a row only its line, ids and references are kept.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::domain::Domain;
use crate::event::Reference;
use crate::import::{
    Batch, Declaration, Fault, Made, Row, Table, batch_event, batch_id, make, recognise, repeated, unknown_columns,
};
use crate::store::Connection;
use crate::store::imports::Candidate;

/// What the operator asked for.
pub(super) struct Asked<'a> {
    pub(super) only: Option<usize>,
    pub(super) source: Option<&'a str>,
    pub(super) without: &'a [String],
}

/// All files, and all that is wrong with them.
pub(super) struct Checked {
    pub(super) files: Vec<Checkee>,
    /// File by its place on the command line, and what is wrong there.
    pub(super) faults: Vec<(usize, Fault)>,
    /// Rows that are referred to and are nowhere, with how many rows refer to them.
    pub(super) missing: BTreeMap<Reference, u64>,
    pub(super) names: Vec<String>,
    pub(super) without: Vec<String>,
}

/// A file whose rows could be looked at.
pub(super) struct Checkee {
    /// Its place on the command line.
    pub(super) place: usize,
    pub(super) path: PathBuf,
    pub(super) declaration: usize,
    pub(super) batch: Batch,
    pub(super) rows: Vec<Seen>,
}

/// A row, as far as it must be remembered.
pub(super) struct Seen {
    pub(super) line: u64,
    pub(super) is_refused: bool,
    pub(super) events: Vec<Told>,
    references: Vec<Reference>,
    provides: Vec<Reference>,
}

/// An event of a row.
pub(super) struct Told {
    pub(super) id: Uuid,
    /// Taken before, or told by an earlier row.
    pub(super) is_known: bool,
    timestamp: DateTime<Utc>,
    content_hash: Uuid,
}

impl Checkee {
    /// Rows that are not imported.
    pub(super) fn refused(&self) -> usize {
        self.rows.iter().filter(|row| row.is_refused).count()
    }
}

/// Reads a file; whether its name says that it has one object per line.
pub(super) fn read(path: &Path) -> anyhow::Result<(Vec<u8>, bool)> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    Ok((bytes, matches!(ending.as_str(), "ndjson" | "jsonl")))
}

/// SHA-256 in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

impl Checked {
    /// Reads all files, and each row against the contracts of its events.
    pub(super) fn read(domain: &Domain, paths: &[PathBuf], asked: &Asked<'_>) -> anyhow::Result<Self> {
        let names = paths.iter().map(|path| path.display().to_string()).collect();
        let mut checked = Self {
            files: Vec::new(),
            faults: Vec::new(),
            missing: BTreeMap::new(),
            names,
            without: asked.without.to_vec(),
        };
        let bar = bar(paths.len() as u64, "checked")?;
        let mut told = HashMap::new();
        for (place, path) in paths.iter().enumerate() {
            let (bytes, is_lines) = read(path)?;
            match checkee(domain, asked, place, path, &bytes, is_lines) {
                Ok((file, faults)) => {
                    checked.faults.extend(faults.into_iter().map(|fault| (place, fault)));
                    checked.files.push(file);
                    checked.find_repeats(&mut told);
                }
                Err(faults) => checked.faults.extend(faults.into_iter().map(|fault| (place, fault))),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(checked)
    }

    /// Events of the last file that were told before: in the same file that is a fault, in another one only if they differ.
    fn find_repeats(&mut self, told: &mut HashMap<Uuid, (usize, u64, Uuid)>) {
        let Some(file) = self.files.last_mut() else {
            return;
        };
        for row in file.rows.iter_mut().filter(|row| !row.is_refused) {
            for event in &row.events {
                let Some((place, line, content_hash)) = told.get(&event.id).copied() else {
                    told.insert(event.id, (file.place, row.line, event.content_hash));
                    continue;
                };
                let message = match place == file.place {
                    true => format!("has the id of line {line}"),
                    // From now on it is this file's, so that a second row of it is found.
                    false if content_hash == event.content_hash => {
                        told.insert(event.id, (file.place, row.line, event.content_hash));
                        continue;
                    }
                    false => format!("says something else than {}:{line} about the same id", self.names[place]),
                };
                if !row.is_refused {
                    let hint = "keep one of the two";
                    self.faults.push((file.place, Fault::of_line(row.line, message, hint)));
                }
                row.is_refused = true;
            }
        }
    }

    /// Compares with the database: what was taken before, and what is referred to.
    pub(super) async fn compare(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
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
    pub(super) async fn has_news(
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

/// One file: whose rows they are, and each of them.
fn checkee(
    domain: &Domain,
    asked: &Asked<'_>,
    place: usize,
    path: &Path,
    bytes: &[u8],
    is_lines: bool,
) -> Result<(Checkee, Vec<Fault>), Vec<Fault>> {
    let table = Table::read(bytes, is_lines, asked.without)?;
    let declarations = &domain.imports.declarations;
    let index = asked.only.map_or_else(|| recognise(declarations, &table.headers), Ok);
    let index = index.map_err(|fault| vec![fault])?;
    let declaration = &declarations[index];
    check_headers(declaration, &table.headers)?;
    let sha256 = sha256(bytes);
    let source = asked.source.unwrap_or(&declaration.source).to_owned();
    let entity = declaration.entity.clone();
    let batch = Batch { id: batch_id(&entity, &source, &sha256), entity, source, sha256, rows: 0 };
    let mut file = Checkee { place, path: path.to_owned(), declaration: index, batch, rows: Vec::new() };
    let mut faults = Vec::new();
    for row in table.rows(Some(declaration)) {
        let seen = row.map_err(|fault| (fault.line.unwrap_or_default(), vec![fault])).and_then(|row| {
            make(domain, declaration, &row, file.batch.id)
                .map(|made| seen(&row, &made))
                .map_err(|faults| (row.line, faults))
        });
        file.rows.push(seen.unwrap_or_else(|(line, found)| {
            faults.extend(found);
            Seen { line, is_refused: true, events: Vec::new(), references: Vec::new(), provides: Vec::new() }
        }));
    }
    file.batch.rows = file.rows.len() as u64;
    Ok((file, faults))
}

fn check_headers(declaration: &Declaration, headers: &[String]) -> Result<(), Vec<Fault>> {
    let unknown = unknown_columns(declaration, headers).into_iter().map(|header| {
        let message = format!("{} have no such column", declaration.entity);
        Fault::of_file(message, "rename it, or leave it out with --without COLUMN").in_column(header)
    });
    let twice = repeated(declaration, headers).into_iter().map(|header| {
        let message = "means a column that is there already";
        Fault::of_file(message, "leave one of the two out with --without COLUMN").in_column(header)
    });
    let lacking = declaration.lacking(headers).into_iter().map(|name| {
        let message = format!("{} must have this column", declaration.entity);
        Fault::of_file(message, "add it, or rename the column that holds it").in_column(name)
    });
    let faults: Vec<Fault> = lacking.chain(unknown).chain(twice).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn seen(row: &Row, made: &[Made]) -> Seen {
    let told = |made: &Made| Told {
        id: made.event.id,
        is_known: false,
        timestamp: made.event.timestamp,
        content_hash: made.event.content_hash,
    };
    // An event may refer to what another one of the same row brings into being.
    Seen {
        line: row.line,
        is_refused: false,
        events: made.iter().map(told).collect(),
        references: made.iter().flat_map(|made| made.event.references.clone()).collect(),
        provides: made.iter().flat_map(|made| made.provides.clone()).collect(),
    }
}

/// A bar on a terminal, and nothing elsewhere.
pub(super) fn bar(length: u64, what: &'static str) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} {eta}")?);
    bar.set_message(what);
    Ok(bar)
}
