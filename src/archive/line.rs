//! A stored event as a line: the document that was received, so that whoever publishes it again publishes the same event.

use bytes::Bytes;

use crate::decode::{decode, decode_stored};
use crate::domain::Domain;
use crate::json;

/// The line of a stored event. Postgres writes a document in its own way, with blanks, and with numbers in full; here the
/// blanks go, and what does not pass the gates like that is spelled anew. Decoded, it is the same event.
///
/// # Errors
/// When there is no spelling that gives the same event.
pub fn line(domain: &Domain, event_type: &str, payload: &str) -> Result<String, String> {
    let compact = compact(payload);
    // An event that fits its contract no more is kept as it is: it may fit again.
    let Ok(stored) = decode_stored(domain, event_type, payload) else {
        return Ok(compact);
    };
    let is_same = |text: &str| {
        let read = decode(domain, event_type, &Bytes::copy_from_slice(text.as_bytes()));
        read.is_ok_and(|event| event.id == stored.id && event.content_hash == stored.content_hash)
    };
    if is_same(&compact) {
        return Ok(compact);
    }
    let spelled = json::parse(payload).map(|document| document.to_string()).unwrap_or_default();
    match is_same(&spelled) {
        true => Ok(spelled),
        false => {
            Err("written as a line it would be another event\n  hint: its month cannot be archived; please report it"
                .to_owned())
        }
    }
}

/// The same document without the blanks between its parts.
fn compact(text: &str) -> String {
    let (mut is_in_text, mut is_escaped) = (false, false);
    let is_kept = |letter: &char| {
        if is_in_text {
            is_in_text = is_escaped || *letter != '"';
            is_escaped = !is_escaped && *letter == '\\';
            return true;
        }
        is_in_text = *letter == '"';
        !matches!(letter, ' ' | '\n' | '\r' | '\t')
    };
    text.chars().filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Source;

    #[test]
    fn blanks_go_where_they_say_nothing() {
        assert_eq!(compact(r#"{"a b": [1, 2], "c": "x \" y\\", "d": " "}"#), r#"{"a b":[1,2],"c":"x \" y\\","d":" "}"#);
    }

    #[test]
    fn numbers_that_postgres_wrote_in_full_are_spelled_so_that_they_pass() {
        let domain = Domain::load(&Source::BuiltIn).expect("the domain");
        let full = format!("1{}", "0".repeat(300));
        for number in ["1", "0.10", "100", "1234567890.5", &full] {
            let id = "018f0000-0000-7000-8000-000000000001";
            let payload = format!(
                r#"{{"id": "{id}", "data": {{"value": {number}}}, "type": "a.b.c", "timestamp": "2026-01-01T00:00:00Z"}}"#
            );
            let text = line(&domain, "a.b.c", &payload).expect("a line");
            assert!(!text.contains(' '), "{text}");
        }
    }
}
