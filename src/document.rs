//! A document written again in one pass: without what is personal, on its way out ([`strip`]), or with what is personal cut
//! out of it, to be filled with something else ([`cut`]). In one pass over the text, because every event of every year goes
//! through here; numbers and texts are copied as they are written.
//!
//! The text has passed the gates, or is Postgres's own (`jsonb`), so it is well-formed; what is not is recognised as far as
//! that is needed to copy it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// With what an encrypted value begins, as JSON ([`crate::privacy::cipher::MARK`]).
const SECRET: &str = "\"encrypted:1:";
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

/// A document in which values are missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pieces {
    text: String,
    /// What was cut out, in the order of the text.
    pub cuts: Vec<Cut>,
}

/// A value that was cut out of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    at: usize,
    /// The name of its field; empty for a text that was cut out for what it says.
    pub name: String,
    /// The value, as JSON.
    pub value: String,
}

impl Pieces {
    /// The document with something else in the place of each cut, as JSON.
    #[must_use]
    pub fn fill(&self, mut with: impl FnMut(&Cut) -> String) -> String {
        let mut filled = String::with_capacity(self.text.len() * 2);
        let mut from = 0;
        for cut in &self.cuts {
            filled.push_str(self.text.get(from..cut.at).unwrap_or_default());
            filled.push_str(&with(cut));
            from = cut.at;
        }
        filled.push_str(self.text.get(from..).unwrap_or_default());
        filled
    }
}

/// Copies a document without fields of the personal names, wherever they stand; empty if it is none.
#[must_use]
pub fn strip(text: &str, personal: &BTreeSet<String>, wanted: &BTreeSet<String>) -> Stripped {
    let mut copying = Copying::of(text, personal, wanted);
    match copying.is_copied() {
        true => Stripped { text: copying.copy, picked: copying.picked },
        false => Stripped::default(),
    }
}

/// Copies a document and cuts the values of personal fields out of it, wherever they stand, and texts that begin with a
/// mark. `None` if it is no document.
#[must_use]
pub fn cut(text: &str, personal: &BTreeSet<String>, mark: &str) -> Option<Pieces> {
    let nothing = BTreeSet::new();
    let mut copying = Copying { cutting: Some((mark, Vec::new())), ..Copying::of(text, personal, &nothing) };
    let is_copied = copying.is_copied();
    let (_, cuts) = copying.cutting?;
    is_copied.then_some(Pieces { text: copying.copy, cuts })
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
    /// With what marked texts begin, and what was cut out; `None` when personal fields are left out.
    cutting: Option<(&'t str, Vec<Cut>)>,
}

impl<'t> Copying<'t> {
    fn of(text: &'t str, personal: &'t BTreeSet<String>, wanted: &'t BTreeSet<String>) -> Self {
        let copy = String::with_capacity(text.len());
        Self { text, at: 0, copy, personal, wanted, picked: Map::new(), cutting: None }
    }

    fn is_copied(&mut self) -> bool {
        self.value(Place::Document, 0).is_some() && self.next().is_none()
    }

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
                let is_marked = |mark: &str| unquoted(text).is_some_and(|text| text.starts_with(mark));
                if self.cutting.as_ref().is_some_and(|(mark, _)| is_marked(mark)) {
                    self.cut_out(self.copy.len() - text.len(), "", text);
                }
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
        let below_name = self.copy.len();
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
        // What is encrypted says nothing to whoever has no key.
        let is_secret = || self.text.get(from..).is_some_and(|text| text.trim_start().starts_with(SECRET));
        if self.personal.contains(&*name) || (self.cutting.is_none() && is_secret()) {
            match self.cutting {
                None => self.copy.truncate(before),
                Some(_) => {
                    let value = self.text.get(from..self.at)?.trim();
                    self.cut_out(below_name, &name, value);
                }
            }
        }
        Some(())
    }

    /// Takes back what was copied of a value, with what was cut out within it.
    fn cut_out(&mut self, begin: usize, name: &str, value: &str) {
        self.copy.truncate(begin);
        if let Some((_, cuts)) = &mut self.cutting {
            cuts.retain(|cut| cut.at < begin);
            cuts.push(Cut { at: begin, name: name.to_owned(), value: value.to_owned() });
        }
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
    fn what_is_encrypted_is_left_out() {
        let text = r#"{"a": "encrypted:1:x", "b": {"c": "encrypted:1:y"}, "d": "encrypted:2"}"#;
        assert_eq!(strip(text, &names(&[]), &names(&[])).text, r#"{"b":{},"d":"encrypted:2"}"#);
        assert_eq!(SECRET.strip_prefix('"'), Some(crate::privacy::cipher::MARK));
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        let text = r#"{"a":[1e400,0.10,12345678901234567890.5,-0]}"#;
        assert_eq!(strip(text, &names(&[]), &names(&[])).text, text);
    }

    #[test]
    fn what_is_cut_out_can_be_filled() {
        let text =
            r#"{"a": 1, "email": {"x": "y", "email": 2}, "b": ["m:1", "no m:", {"email": "z"}], "c": "\u006d:2"}"#;
        let pieces = cut(text, &names(&["email"]), "m:").expect("a document");
        let cuts: Vec<(&str, &str)> = pieces.cuts.iter().map(|cut| (&*cut.name, &*cut.value)).collect();
        let expected =
            [("email", r#"{"x": "y", "email": 2}"#), ("", r#""m:1""#), ("email", r#""z""#), ("", r#""\u006d:2""#)];
        assert_eq!(cuts, expected);
        assert_eq!(pieces.fill(|_| "0".into()), r#"{"a":1,"email":0,"b":[0,"no m:",{"email":0}],"c":0}"#);
        let same: Value = serde_json::from_str(&pieces.fill(|cut| cut.value.clone())).expect("JSON");
        assert_eq!(same, serde_json::from_str::<Value>(text).expect("JSON"));
        assert_eq!(cut("{", &names(&[]), "m:"), None);
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
