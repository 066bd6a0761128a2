//! list and show.

use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{PAGE, print};
use crate::error::Failure;
use crate::store::Connection;
use crate::store::dead_letters::{Letter, Place, Raw, Selection, Verdict};

/// Lines of a list, unless told otherwise.
const LINES: u32 = 100;
/// Earlier verdicts that are shown, the last ones.
const VERDICTS_MAX: i64 = 100;

fn unknown(id: i64) -> Failure {
    let hint = "hint: `milepost dead-letters list --resolved` shows the numbers";
    Failure::Failed(anyhow::anyhow!("there is no dead letter {id}\n  {hint}"))
}

async fn letter(connection: &mut Connection, id: i64) -> Result<Letter, Failure> {
    let selection = Selection { ids: vec![id], resolved_too: true, ..Selection::default() };
    connection.dead_letters(&selection, Place::default(), 1).await?.pop().ok_or_else(|| unknown(id))
}

/// Where a letter stands in the list.
pub(super) async fn place(connection: &mut Connection, id: i64) -> Result<Place, Failure> {
    Ok(letter(connection, id).await?.place())
}

fn as_json(letter: &Letter) -> Value {
    json!({
        "id": letter.id, "subject": letter.subject, "reason": letter.reason, "field": letter.field,
        "message": letter.message, "count": letter.count, "first_seq": letter.first_seq, "last_seq": letter.last_seq,
        "first_seen": letter.first_seen, "last_seen": letter.last_seen, "event_id": letter.event_id,
        "event_type": letter.event_type, "attempts": letter.attempts, "resolution": letter.resolution,
        "note": letter.note,
    })
}

/// Page by page, so that a list of any length takes the same memory.
pub(super) async fn list(
    connection: &mut Connection,
    selection: &Selection,
    mut place: Place,
    limit: Option<u32>,
    as_array: bool,
) -> Result<ExitCode, Failure> {
    let mut left = limit.or_else(|| (!as_array).then_some(LINES)).map_or(i64::MAX, i64::from);
    let mut lead = "[";
    while left > 0 {
        let page = connection.dead_letters(selection, place, PAGE.min(left)).await?;
        let Some(last) = page.last() else {
            break;
        };
        (place, left) = (last.place(), left - page.len() as i64);
        for letter in &page {
            match as_array {
                true => print(&format!("{lead}{}", as_json(letter)))?,
                false => print_line(letter, lead == "[")?,
            }
            lead = ",";
        }
    }
    match (as_array, lead) {
        (true, "[") => print("[]")?,
        (true, _) => print("]")?,
        (false, "[") => print("no dead letters")?,
        (false, _) if left == 0 && !connection.dead_letters(selection, place, 1).await?.is_empty() => {
            print(&format!("… and more: --after {}", place.1))?;
        }
        (false, _) => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn print_line(letter: &Letter, is_first: bool) -> Result<(), Failure> {
    if is_first {
        print(&format!("{:>6} {:>6}  {:<16} {:<32} what is wrong", "id", "count", "reason", "subject"))?;
    }
    let field = letter.field.as_deref().map(|field| format!("{field}: ")).unwrap_or_default();
    let state = letter.resolution.as_deref().map(|state| format!(" [{state}]")).unwrap_or_default();
    print(&format!(
        "{:>6} {:>6}  {:<16} {:<32} {field}{}{state}",
        letter.id, letter.count, letter.reason, letter.subject, letter.message
    ))
}

pub(super) async fn show(connection: &mut Connection, id: i64, whole: bool) -> Result<ExitCode, Failure> {
    let letter = letter(connection, id).await?;
    let raw = connection.dead_letter_raw(id).await?.ok_or_else(|| unknown(id))?;
    let earlier = history(&letter, &connection.earlier_verdicts(id, VERDICTS_MAX).await?);
    if whole {
        let mut document = as_json(&letter);
        document["earlier"] = earlier.into();
        add_raw(&mut document, &raw);
        print(&document.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Value::Object(fields) = as_json(&letter) {
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            print(&format!("{name:<12} {}", plain(value)))?;
        }
    }
    for verdict in &earlier {
        let state = verdict["resolution"].as_str().unwrap_or("dead");
        let said = ["since", "until", "reason", "field", "message"].map(|name| plain(&verdict[name]));
        let [since, until, reason, field, message] = said;
        print(&format!("{:<12} {since} to {until}: {state}, {reason} {field} {message}", "earlier"))?;
    }
    if let Some(headers) = &raw.headers {
        print(&format!("{:<12} {headers}", "headers"))?;
    }
    match std::str::from_utf8(&raw.payload) {
        Ok(text) => print(&format!("{:<12} {text}", "payload"))?,
        Err(_) => print(&format!("{:<12} {} (base64)", "payload", STANDARD.encode(&raw.payload)))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Each verdict with its time: it began when the one before ended.
fn history(letter: &Letter, verdicts: &[Verdict]) -> Vec<Value> {
    let is_whole = i64::try_from(verdicts.len()).is_ok_and(|count| count < VERDICTS_MAX);
    let mut since = is_whole.then_some(letter.first_seen);
    let one = |verdict: &Verdict| {
        let began = since.replace(verdict.ended_at);
        json!({"reason": verdict.reason, "field": verdict.field, "message": verdict.message,
               "resolution": verdict.resolution, "since": began, "until": verdict.ended_at})
    };
    verdicts.iter().map(one).collect()
}

fn add_raw(document: &mut Value, raw: &Raw) {
    document["payload_base64"] = STANDARD.encode(&raw.payload).into();
    document["payload"] = std::str::from_utf8(&raw.payload).ok().into();
    let headers = raw.headers.as_deref().and_then(|text| serde_json::from_str(text).ok());
    document["headers"] = headers.unwrap_or_default();
}
