//! The rows of a file: CSV, a JSON array (or an object with one in it), or one JSON object per line.

use std::collections::{BTreeSet, HashSet};

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::declare::Declaration;
use super::fault::Fault;
use crate::json;

/// Deepest nesting of a JSON file that is taken.
const DEPTH_MAX: usize = 64;
/// What may stand between the cells of a line.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

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
            Some(b'{' | b'[') => json_table(text, is_lines),
            Some(_) if is_lines => json_table(text, true),
            Some(_) => csv_table(text),
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
            Body::Csv { text, separator, headers } => Box::new(csv_rows(text, *separator, headers).map(kept)),
            Body::Json(rows) => {
                Box::new(rows.iter().map(move |(line, text)| json_row(*line, text, declaration)).map(kept))
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

fn csv_reader(text: &str, separator: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().delimiter(separator).flexible(true).has_headers(false).from_reader(text.as_bytes())
}

fn csv_table(text: &str) -> Result<Table<'_>, Vec<Fault>> {
    let separator = separator(text);
    let mut headers = csv::StringRecord::new();
    let read = csv_reader(text, separator).read_record(&mut headers);
    let headers: Vec<String> = headers.iter().map(|header| header.trim().to_owned()).collect();
    let mut faults = Vec::new();
    if !read.is_ok_and(|is_there| is_there) {
        faults.push(Fault::of_line(1, "has no headers", "the first line must name the columns"));
    }
    for (at, header) in headers.iter().enumerate() {
        if header.is_empty() {
            faults.push(Fault::of_line(1, format!("the column {} has no name", at + 1), "give it one, or take it out"));
        } else if headers.iter().take(at).any(|other| other == header) {
            faults.push(Fault::of_line(1, "stands there twice", "name each column once").in_column(header));
        }
    }
    if !lines_in_quotes_end(text) {
        let last = csv_rows(text, separator, &headers).last();
        let line = last.and_then(|row| row.map_or_else(|fault| fault.line, |row| Some(row.line)));
        let message = "a quotation mark is opened and never closed, perhaps on this line";
        faults.push(Fault { line, ..Fault::of_file(message, "double the quotation marks within a value: \"\"") });
    }
    match faults.is_empty() {
        true => {
            Ok(Table { headers: headers.clone(), without: Vec::new(), body: Body::Csv { text, separator, headers } })
        }
        false => Err(faults),
    }
}

/// That which stands most often in the first line, outside of quotes.
fn separator(text: &str) -> u8 {
    let mut is_quoted = false;
    let mut counts = [0_usize; SEPARATORS.len()];
    for byte in text.trim_start().bytes() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' if !is_quoted => break,
            byte if !is_quoted => {
                let counted = counts.iter_mut().zip(SEPARATORS).filter(|(_, separator)| *separator == byte);
                counted.for_each(|(count, _)| *count += 1);
            }
            _ => {}
        }
    }
    let most = counts.iter().zip(SEPARATORS).rev().max_by_key(|(count, _)| **count);
    most.filter(|(count, _)| **count > 0).map_or(b',', |(_, separator)| separator)
}

/// The reader takes the rest of a file for one value where a quote is never closed.
fn lines_in_quotes_end(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'"').count().is_multiple_of(2)
}

fn csv_rows<'r>(text: &'r str, separator: u8, headers: &'r [String]) -> impl Iterator<Item = Result<Row, Fault>> + 'r {
    let mut counted = (0, 1); // bytes, and the line on which they end
    let records = csv_reader(text, separator).into_records().skip(1);
    records.filter_map(move |record| {
        let record = match record {
            Ok(record) => record,
            Err(error) => return Some(Err(Fault::of_file(error.to_string(), "is it a CSV file?"))),
        };
        let line = line_of(text, &record, &mut counted);
        if record.iter().all(|cell| cell.trim().is_empty()) {
            return None;
        }
        if record.len() != headers.len() {
            let message = format!("has {} cells, there are {} columns", record.len(), headers.len());
            return Some(Err(Fault::of_line(
                line,
                message,
                "put values with a separator in them into quotation marks",
            )));
        }
        let cells = headers.iter().cloned().zip(record.iter().map(Value::from)).collect();
        Some(Ok(Row { line, cells }))
    })
}

/// The reader counts blank lines to the record after them.
fn line_of(text: &str, record: &csv::StringRecord, counted: &mut (usize, u64)) -> u64 {
    let begin = record.position().and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or_default();
    let blank = text.as_bytes().iter().skip(begin).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let begin = begin + blank;
    counted.1 += lines_in(text.as_bytes().get(counted.0..begin).unwrap_or_default());
    counted.0 = begin;
    counted.1
}

fn json_table(text: &str, is_lines: bool) -> Result<Table<'_>, Vec<Fault>> {
    let rows = match is_lines || is_one_object_per_line(text) {
        true => lines(text),
        false => array(text).map_err(|fault| vec![fault])?,
    };
    let mut headers = BTreeSet::new();
    let mut faults = Vec::new();
    for (line, row) in &rows {
        match json_row(*line, row, None) {
            Ok(row) => headers.extend(row.cells.into_iter().map(|(header, _)| header)),
            Err(fault) => faults.push(fault),
        }
    }
    // Rows that cannot be read are named with all others; where none can be read, nothing else can be said.
    match headers.is_empty() && !faults.is_empty() {
        true => Err(faults),
        false => Ok(Table { headers: headers.into_iter().collect(), without: Vec::new(), body: Body::Json(rows) }),
    }
}

/// More than one line begins with an object.
fn is_one_object_per_line(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let is_object =
        |line: &str| serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok() && line.trim_start().starts_with('{');
    lines.next().is_some_and(is_object) && lines.next().is_some()
}

fn lines(text: &str) -> Vec<(u64, &str)> {
    let numbered = (1..).zip(text.lines());
    numbered.filter(|(_, line)| !line.trim().is_empty()).collect()
}

fn array(text: &str) -> Result<Vec<(u64, &str)>, Fault> {
    const HINT: &str = "give an array of objects, an object with one such array in it, or one object per line";
    let broken = |error: &serde_json::Error| {
        let (line, column) = (error.line() as u64, error.column());
        Fault::of_line(line, format!("is not JSON from column {column} of this line on"), HINT)
    };
    if !text.trim_start().starts_with('{') {
        let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| broken(&error))?;
        return Ok(located(text, &items));
    }
    let members: std::collections::BTreeMap<String, &RawValue> =
        serde_json::from_str(text).map_err(|error| broken(&error))?;
    let mut arrays = members.values().filter_map(|member| {
        let items: Vec<&RawValue> = serde_json::from_str(member.get()).ok()?;
        items.iter().all(|item| item.get().starts_with('{')).then_some(items)
    });
    match (arrays.next(), arrays.next()) {
        (None, _) => Ok(vec![(1, text)]),
        (Some(items), None) => Ok(located(text, &items)),
        (Some(_), Some(_)) => Err(Fault::of_file("is an object with several arrays of objects", HINT)),
    }
}

/// Each item with its line: the items are parts of the text.
fn located<'t>(text: &'t str, items: &[&'t RawValue]) -> Vec<(u64, &'t str)> {
    let mut counted = (0, 1);
    let line_of = |item: &&'t RawValue| {
        let begin = (item.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        counted.1 += lines_in(text.as_bytes().get(counted.0..begin).unwrap_or_default());
        counted.0 = begin;
        (counted.1, item.get())
    };
    items.iter().map(line_of).collect()
}

fn json_row(line: u64, text: &str, declaration: Option<&Declaration>) -> Result<Row, Fault> {
    const HINT: &str = "each row must be a JSON object";
    if depth(text) > DEPTH_MAX {
        return Err(Fault::of_line(line, format!("is nested deeper than {DEPTH_MAX}"), HINT));
    }
    match json::parse(text) {
        Ok(Value::Object(members)) => {
            let mut row = Row { line, cells: Vec::new() };
            flatten("", members, declaration, &mut row.cells);
            Ok(row)
        }
        Ok(_) => Err(Fault::of_line(line, "is not an object", HINT)),
        Err(fault) if fault.duplicate_key => {
            let column = fault.pointer.trim_start_matches('/').replace('/', ".");
            Err(Fault::of_line(line, "stands there twice", "name each column once").in_column(column))
        }
        Err(_) => Err(Fault::of_line(line, "is not JSON", HINT)),
    }
}

/// No string need be told from the rest: too deep is too deep only where the parser would go.
fn depth(text: &str) -> usize {
    let (mut deepest, mut depth, mut is_quoted, mut is_escaped) = (0_usize, 0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'{' | b'[' if !is_quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !is_quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn flatten(
    prefix: &str,
    members: Map<String, Value>,
    declaration: Option<&Declaration>,
    cells: &mut Vec<(String, Value)>,
) {
    for (name, value) in members {
        let header = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Object(inner) if !declaration.is_some_and(|declared| declared.keeps_whole(&header)) => {
                flatten(&header, inner, declaration, cells);
            }
            value => cells.push((header, value)),
        }
    }
}

/// Headers that mean a column which an earlier header means already.
#[must_use]
pub fn repeated<'h>(declaration: &Declaration, headers: &'h [String]) -> Vec<&'h str> {
    let mut seen = HashSet::new();
    let is_repeated =
        |header: &&str| declaration.column_name(header).is_some_and(|(name, is_whole)| !is_whole && !seen.insert(name));
    headers.iter().map(String::as_str).filter(is_repeated).collect()
}
