//! The rows of a file: CSV, a JSON array (or an object with one in it), or one JSON object per line.

mod objects;
mod separated;

use std::collections::HashSet;

use serde_json::Value;

use super::declare::Declaration;
use super::fault::Fault;

/// A file that could be read as rows.
#[derive(Debug)]
pub struct Table<'t> {
    /// Headers as the file spells them; `a.b` is the member `b` of an object in the column `a`.
    pub headers: Vec<String>,
    without: Vec<String>,
    body: Body<'t>,
}

#[derive(Debug)]
enum Body<'t> {
    Csv { text: &'t str, separator: u8, headers: Vec<String> },
    Json(Vec<(u64, &'t str)>),
}

/// A row that is not blank.
#[derive(Debug)]
pub struct Row {
    /// Line on which it begins, from 1.
    pub line: u64,
    /// Header and cell.
    pub cells: Vec<(String, Value)>,
}

impl<'t> Table<'t> {
    /// Reads a file without these columns; `is_lines` says that each line is an object of its own.
    ///
    /// # Errors
    /// Why there are no rows in it.
    pub fn read(bytes: &'t [u8], is_lines: bool, without: &[String]) -> Result<Self, Vec<Fault>> {
        let text = text(bytes).map_err(|fault| vec![fault])?;
        let mut table = match text.trim_start().as_bytes().first() {
            None => return Err(vec![Fault::of_file("is empty", "export it again")]),
            Some(b'{' | b'[') => objects::table(text, is_lines),
            Some(_) if is_lines => objects::table(text, true),
            Some(_) => separated::table(text),
        }?;
        table.without = without.to_vec();
        table.headers.retain(|header| !without.iter().any(|out| is_part(header, out)));
        let has_rows = table.rows(None).next().is_some();
        match has_rows {
            true => Ok(table),
            false => Err(vec![Fault::of_file("has no rows", "leave it out, or export it again")]),
        }
    }

    /// The rows, in the file's order. Objects that are a column of the entity stay whole.
    pub fn rows<'r>(
        &'r self,
        declaration: Option<&'r Declaration>,
    ) -> Box<dyn Iterator<Item = Result<Row, Fault>> + 'r> {
        let kept = move |row: Result<Row, Fault>| {
            row.map(|mut row| {
                row.cells.retain(|(header, _)| !self.without.iter().any(|out| is_part(header, out)));
                row
            })
        };
        match &self.body {
            Body::Csv { text, separator, headers } => Box::new(separated::rows(text, *separator, headers).map(kept)),
            Body::Json(rows) => {
                Box::new(rows.iter().map(move |(line, text)| objects::row(*line, text, declaration)).map(kept))
            }
        }
    }
}

/// Whether a header is this one, or of a member of its object.
fn is_part(header: &str, whole: &str) -> bool {
    header.get(..whole.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(whole))
        && header.get(whole.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn text(bytes: &[u8]) -> Result<&str, Fault> {
    const HINT: &str = "save it as UTF-8 (in Excel: CSV UTF-8)";
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Fault::of_file("is UTF-16, not UTF-8", HINT));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        Fault::of_line(lines_in(before) + 1, "is not UTF-8 from this line on", HINT)
    })?;
    // Excel writes one before UTF-8.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.find('\0') {
        Some(at) => {
            let line = lines_in(text.as_bytes().get(..at).unwrap_or_default()) + 1;
            Err(Fault::of_line(line, "has a NUL character", "is it a text file?"))
        }
        None => Ok(text),
    }
}

fn lines_in(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Headers that mean a column which an earlier header means already.
#[must_use]
pub fn repeated<'h>(declaration: &Declaration, headers: &'h [String]) -> Vec<&'h str> {
    let mut seen = HashSet::new();
    let is_repeated =
        |header: &&str| declaration.column_name(header).is_some_and(|(name, is_whole)| !is_whole && !seen.insert(name));
    headers.iter().map(String::as_str).filter(is_repeated).collect()
}
