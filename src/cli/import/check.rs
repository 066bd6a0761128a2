//! Looking at all files before anything is published. Of a row only its line, ids and references are kept.

mod known;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::domain::Domain;
use crate::event::Reference;
use crate::import::{
    Batch, Declaration, Fault, Made, Row, Table, batch_id, make, recognise, repeated, unknown_columns,
};

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
    format!("{:x}", Sha256::digest(bytes))
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
