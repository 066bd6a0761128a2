//! One line of a log in a file, and what it says of itself before it is decoded.

use serde_json::Value;
use uuid::Uuid;

/// Subject and event id of a line, as far as they can be read; broken lines are published too.
#[must_use]
pub fn address(payload: &[u8]) -> (Option<String>, Option<Uuid>) {
    let document: Option<Value> = serde_json::from_slice(payload).ok();
    let kind = match &document {
        Some(document) => document.get("type").and_then(Value::as_str).map(str::to_owned),
        None => type_in(&String::from_utf8_lossy(payload)),
    };
    let id = document.as_ref().and_then(|document| document.get("id").or_else(|| document.get("metadata")?.get("id")));
    let id = id.and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
    let is_subject = |kind: &String| {
        !kind.is_empty()
            && kind.split('.').all(|token| !token.is_empty())
            && kind.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'>'))
    };
    (kind.filter(is_subject), id)
}

/// The type in a text that is not JSON.
fn type_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("\"type\"")?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    rest.split_once('"').map(|(kind, _)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_addressed_by_type_and_id() {
        let id = Uuid::from_u128(7);
        let nested = format!(r#"{{"type":"a.b","metadata":{{"id":"{id}"}}}}"#);
        assert_eq!(address(nested.as_bytes()), (Some("a.b".into()), Some(id)));
        assert_eq!(address(br#"{"x":{"type" : "a.b","da"#), (Some("a.b".into()), None));
        assert_eq!(address(br#"{"type":"a.*"}"#), (None, None));
        assert_eq!(address(b"rubbish"), (None, None));
    }
}
