//! A stored document on its way out: it is written again without what is personal, and the few fields that analytics wants
//! are picked. In one pass over the text, because every event of every year goes through here; numbers and texts are copied
//! as they are written.
//!
//! The text is Postgres's own (`jsonb`), so it is well-formed; what is not is recognised as far as that is needed to copy it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// How deep a document may be: far deeper than the gates let anything through.
const DEPTH_MAX: usize = 500;

/// A document without what is personal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stripped {
    /// The document, without spaces.
    pub text: String,
    /// Those of the wanted fields of `data` that are there.
    pub picked: Map<String, Value>,
}

/// Copies a document without fields of the personal names, wherever they stand; empty if it is none.
#[must_use]
pub fn strip(text: &str, personal: &BTreeSet<String>, wanted: &BTreeSet<String>) -> Stripped {
    let picked = Map::new();
    let mut copy = Copying { text, at: 0, copy: String::with_capacity(text.len()), personal, wanted, picked };
    match copy.value(Place::Document, 0).filter(|()| copy.next().is_none()) {
        Some(()) => Stripped { text: copy.copy, picked: copy.picked },
        None => Stripped::default(),
    }
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Document,
    Data,
    Elsewhere,
}

struct Copying<'t> {
    text: &'t str,
    /// How much of the text has been read, in bytes.
    at: usize,
    copy: String,
    personal: &'t BTreeSet<String>,
    wanted: &'t BTreeSet<String>,
    picked: Map<String, Value>,
}

impl<'t> Copying<'t> {
    /// The next byte that says something.
    fn next(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let spaces = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += spaces;
        rest.get(spaces).copied()
    }

    /// Goes past this byte, if it is the next one.
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.next() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self, place: Place, depth: usize) -> Option<()> {
        match self.next()? {
            _ if depth > DEPTH_MAX => None,
            b'{' => self.object(place, depth),
            b'[' => self.array(depth),
            b'"' => {
                let text = self.quoted()?;
                self.copy.push_str(text);
                Some(())
            }
            _ => self.word(),
        }
    }

    fn object(&mut self, place: Place, depth: usize) -> Option<()> {
        self.at += 1;
        self.copy.push('{');
        let begin = self.copy.len();
        if !self.takes(b'}') {
            loop {
                self.entry(place, depth, begin)?;
                match (self.takes(b','), self.takes(b'}')) {
                    (true, false) => {}
                    (false, true) => break,
                    _ => return None,
                }
            }
        }
        self.copy.push('}');
        Some(())
    }

    /// A field, and the comma between it and those before it in the object.
    fn entry(&mut self, place: Place, depth: usize, begin: usize) -> Option<()> {
        let quoted = (self.next()? == b'"').then(|| self.quoted()).flatten()?;
        let name = unquoted(quoted)?;
        let before = self.copy.len();
        if before > begin {
            self.copy.push(',');
        }
        self.copy.push_str(quoted);
        self.copy.push(':');
        let below = match place {
            Place::Document if name == "data" => Place::Data,
            _ => Place::Elsewhere,
        };
        let from = self.takes(b':').then_some(self.at)?;
        self.value(below, depth + 1)?;
        if place == Place::Data && self.wanted.contains(&*name) {
            let value = serde_json::from_str(self.text.get(from..self.at)?).unwrap_or_default();
            if value != Value::Null {
                self.picked.insert(name.clone().into_owned(), value);
            }
        }
        if self.personal.contains(&*name) {
            self.copy.truncate(before);
        }
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        self.copy.push('[');
        if !self.takes(b']') {
            loop {
                self.value(Place::Elsewhere, depth + 1)?;
                match (self.takes(b','), self.takes(b']')) {
                    (true, false) => self.copy.push(','),
                    (false, true) => break,
                    _ => return None,
                }
            }
        }
        self.copy.push(']');
        Some(())
    }

    /// A text, with its quotation marks.
    fn quoted(&mut self) -> Option<&'t str> {
        let (begin, bytes) = (self.at, self.text.as_bytes());
        let mut end = begin + 1;
        loop {
            end += bytes.get(end..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            match bytes[end] {
                b'"' => break,
                _ => end += 2,
            }
        }
        self.at = end + 1;
        self.text.get(begin..self.at)
    }

    /// A number, true, false or null.
    fn word(&mut self) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        let word = rest.get(..rest.bytes().take_while(is_part).count()).filter(|word| !word.is_empty())?;
        self.at += word.len();
        self.copy.push_str(word);
        Some(())
    }
}

/// A text without its quotation marks and escapes.
fn unquoted(quoted: &str) -> Option<Cow<'_, str>> {
    match quoted.contains('\\') {
        true => serde_json::from_str(quoted).ok().map(Cow::Owned),
        false => quoted.get(1..quoted.len() - 1).map(Cow::Borrowed),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn only_fields_of_the_data_are_picked() {
        let text = r#"{"a": 1, "data": {"a": {"x": [1]}, "b": null, "\u0063": "c", "d": 2}, "metadata": {"d": 3}}"#;
        let stripped = strip(text, &names(&["c"]), &names(&["a", "b", "c"]));
        assert_eq!(Value::Object(stripped.picked), json!({"a": {"x": [1]}, "c": "c"}), "also what is personal");
        assert_eq!(strip("[{\"a\": 1}]", &names(&[]), &names(&["a"])).picked, Map::new());
    }

    #[test]
    fn personal_fields_are_left_out_wherever_they_stand() {
        let text =
            r#"{"email": 1, "a": [], "b": [{"em\u0061il": {"x": 1}}, {"c": {}, "email": "x"}, "email"], "d": -0.5}"#;
        let stripped = strip(text, &names(&["email"]), &names(&[]));
        assert_eq!(stripped.text, r#"{"a":[],"b":[{},{"c":{}},"email"],"d":-0.5}"#);
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        let text = r#"{"a":[1e400,0.10,12345678901234567890.5,-0]}"#;
        assert_eq!(strip(text, &names(&[]), &names(&[])).text, text);
    }

    #[test]
    fn what_is_no_document_is_nothing() {
        for text in ["", "{", "{\"a\"}", "{\"a\":}", "[1,]", "[1 2]", "{\"a\":1,}", "\"a", "\"a\\", "{} {}", "{,}"] {
            assert_eq!(strip(text, &names(&[]), &names(&[])), Stripped::default(), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(strip(&deep, &names(&[]), &names(&[])), Stripped::default());
    }

    proptest::proptest! {
        #[test]
        fn what_is_not_personal_stays_as_it_is(text in "[a-z\"\\\\\u{0}-\u{1f}é😀]{0,12}", number: i64, float: f64) {
            let float = serde_json::Number::from_f64(float);
            let value = json!({"x": [text, number, float, null, true], "y": {&text: {"z": []}}, "data": {"w": text}});
            for written in [value.to_string(), serde_json::to_string_pretty(&value).expect("JSON")] {
                let stripped = strip(&written, &names(&["personal"]), &names(&["w"]));
                proptest::prop_assert_eq!(&stripped.text, &value.to_string());
                proptest::prop_assert_eq!(&stripped.picked["w"], &value["data"]["w"]);
            }
        }
    }
}
