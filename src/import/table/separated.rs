//! Rows as lines of cells: CSV, also with other separators.

use serde_json::Value;

use super::{Body, Row, Table, lines_in};
use crate::import::fault::Fault;

/// What may stand between the cells of a line.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

fn reader(text: &str, separator: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().delimiter(separator).flexible(true).has_headers(false).from_reader(text.as_bytes())
}

pub(super) fn table(text: &str) -> Result<Table<'_>, Vec<Fault>> {
    let separator = separator(text);
    let mut headers = csv::StringRecord::new();
    let read = reader(text, separator).read_record(&mut headers);
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
    if !do_quotes_end(text) {
        let last = rows(text, separator, &headers).last();
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
fn do_quotes_end(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'"').count().is_multiple_of(2)
}

pub(super) fn rows<'r>(
    text: &'r str,
    separator: u8,
    headers: &'r [String],
) -> impl Iterator<Item = Result<Row, Fault>> + 'r {
    let mut counted = (0, 1); // bytes, and the line on which they end
    let records = reader(text, separator).into_records().skip(1);
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
