//! How an encrypted value stands in a document: as a text that says so, and whose it is.

use std::collections::HashMap;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::keyring::Key;

/// With what such a text begins. A text that an event brings along and that begins so is encrypted itself.
pub const MARK: &str = "encrypted:1:";
/// Characters of a subject's id.
const SUBJECT_CHARS: usize = 32;

/// What is known of a subject's key.
#[derive(Debug)]
pub enum Held {
    /// The key.
    Key(Box<Key>),
    /// It was destroyed: what it had encrypted is gone.
    Destroyed,
}

/// The keys of some subjects. One that is missing was never made here.
pub type Keys = HashMap<Uuid, Held>;

/// A value, encrypted, as JSON; `null` when the subject is forgotten.
#[must_use]
pub fn encrypt(keys: &Keys, subject: Uuid, value: &str) -> Option<String> {
    match keys.get(&subject)? {
        Held::Destroyed => Some("null".to_owned()),
        Held::Key(key) => {
            let secret = key.encrypt(subject, value.as_bytes())?;
            Some(format!("\"{MARK}{}:{}\"", subject.simple(), STANDARD.encode(secret)))
        }
    }
}

/// An encrypted value in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Where it stands, with its quotation marks.
    pub at: Range<usize>,
    /// Whose it is.
    pub subject: Uuid,
    /// The name of its field, if it is the value of one.
    pub name: Option<String>,
    bytes: Vec<u8>,
}

/// The encrypted values of a document.
#[must_use]
pub fn secrets(document: &str) -> Vec<Secret> {
    let opening = format!("\"{MARK}");
    let begins = document.match_indices(&opening).map(|(at, _)| at);
    // Within a text there is a backslash before each quotation mark.
    begins.filter(|at| !before(document, *at).ends_with('\\')).filter_map(|at| secret(document, at)).collect()
}

fn before(document: &str, at: usize) -> &str {
    document.get(..at).unwrap_or_default()
}

fn secret(document: &str, at: usize) -> Option<Secret> {
    let text = document.get(at + 1 + MARK.len()..)?;
    let (text, _) = text.split_once('"')?;
    let (subject, bytes) = text.split_at_checked(SUBJECT_CHARS)?;
    let bytes = STANDARD.decode(bytes.strip_prefix(':')?).ok()?;
    let end = at + 1 + MARK.len() + text.len() + 1;
    let is_name = document.get(end..)?.trim_start().starts_with(':');
    if is_name {
        return None; // none of ours: only values are encrypted
    }
    let name = before(document, at).trim_end().strip_suffix(':').and_then(|before| {
        let (_, name) = before.trim_end().strip_suffix('"')?.rsplit_once('"')?;
        Some(name.to_owned())
    });
    Some(Secret { at: at..end, subject: Uuid::try_parse(subject).ok()?, name, bytes })
}

/// A document with its encrypted values in the clear, and whether any of them is gone. What is gone becomes what `gone`
/// says. What no known key encrypted stays as it is: it says so itself.
#[must_use]
pub fn decrypt(document: &str, secrets: &[Secret], keys: &Keys, gone: impl Fn(&Secret) -> String) -> (String, bool) {
    let (mut text, mut from, mut is_gone) = (String::with_capacity(document.len()), 0, false);
    for secret in secrets {
        let plain = match keys.get(&secret.subject) {
            None => continue,
            Some(Held::Destroyed) => {
                is_gone = true;
                gone(secret)
            }
            Some(Held::Key(key)) => {
                let plain = key.decrypt(secret.subject, &secret.bytes);
                let Some(plain) = plain.and_then(|plain| String::from_utf8(plain).ok()) else { continue };
                plain
            }
        };
        text.push_str(document.get(from..secret.at.start).unwrap_or_default());
        text.push_str(&plain);
        from = secret.at.end;
    }
    text.push_str(document.get(from..).unwrap_or_default());
    (text, is_gone)
}

/// Bytes that are no document, encrypted; `None` when the subject is forgotten or nobody's.
#[must_use]
pub fn encrypt_bytes(keys: &Keys, subject: Uuid, plain: &[u8]) -> Option<Vec<u8>> {
    let Held::Key(key) = keys.get(&subject)? else { return None };
    Some([MARK.as_bytes(), subject.as_bytes(), &key.encrypt(subject, plain)?].concat())
}

/// Whose encrypted bytes these are, and what was encrypted; `None` when they are none.
#[must_use]
pub fn secret_bytes(bytes: &[u8]) -> Option<(Uuid, &[u8])> {
    let (subject, secret) = bytes.strip_prefix(MARK.as_bytes())?.split_at_checked(16)?;
    Some((Uuid::from_slice(subject).ok()?, secret))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::keyring::{KeyRing, generate};
    use super::*;
    use crate::document;

    fn keys(subjects: &[Uuid]) -> Keys {
        let ring = KeyRing::parse(&generate().expect("a key")).expect("keys");
        let made = |subject: &Uuid| (*subject, Held::Key(Box::new(ring.make(*subject).expect("a key").0)));
        subjects.iter().map(made).collect()
    }

    fn encrypted(text: &str, keys: &Keys, subject: Uuid) -> String {
        let pieces = document::cut(text, &BTreeSet::from(["note".to_owned()]), MARK).expect("a document");
        pieces.fill(|cut| encrypt(keys, subject, &cut.value).expect("encrypted"))
    }

    #[test]
    fn what_is_gone_is_said_with_its_name() {
        let subject = Uuid::from_u128(7);
        let mut keys = keys(&[subject]);
        let stored = encrypted(r#"{"note": "secret", "list": [{"note" : 1}]}"#, &keys, subject).replace("\":", "\" : ");
        keys.insert(subject, Held::Destroyed);
        let found = secrets(&stored);
        assert_eq!(found.iter().map(|secret| secret.name.as_deref()).collect::<Vec<_>>(), [Some("note"), Some("note")]);
        let (text, is_gone) = decrypt(&stored, &found, &keys, |_| "null".into());
        assert!(is_gone && !stored.contains("secret"));
        let read: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(read, json!({"note": null, "list": [{"note": null}]}));
        assert_eq!(encrypt(&keys, subject, "1").as_deref(), Some("null"), "nothing new is kept of them");
    }

    #[test]
    fn what_only_looks_encrypted_is_brought_back_as_it_was() {
        let subject = Uuid::from_u128(7);
        let keys = keys(&[subject]);
        let made_up = format!("{MARK}{}:AAAA", subject.simple());
        let text =
            json!({"note": made_up, &made_up: 1, "other": made_up, "deep": [format!("\"{made_up}\"")]}).to_string();
        let stored = encrypted(&text, &keys, subject);
        assert_eq!(secrets(&stored).len(), 2, "{stored}");
        let (read, is_gone) = decrypt(&stored, &secrets(&stored), &keys, |_| "null".into());
        assert_eq!((serde_json::from_str::<Value>(&read).ok(), is_gone), (serde_json::from_str(&text).ok(), false));
        // Where nothing was ever encrypted, it is no secret of ours.
        assert_eq!(decrypt(&text, &secrets(&text), &Keys::new(), |_| "null".into()).0, text);
    }

    proptest! {
        #[test]
        fn whatever_is_encrypted_is_read_as_it_was(note in "[ -~é😀\u{0}-\u{1f}]{0,40}", other in "(encrypted:1:)?[ -~]{0,40}", number: i64) {
            let subject = Uuid::from_u128(7);
            let keys = keys(&[subject]);
            let value = json!({"note": note, &other: other, "more": [{"note": {"note": [other, number]}}, other]});
            for text in [value.to_string(), serde_json::to_string_pretty(&value).expect("JSON")] {
                let stored = encrypted(&text, &keys, subject);
                let (read, is_gone) = decrypt(&stored, &secrets(&stored), &keys, |_| "null".into());
                let read: Value = serde_json::from_str(&read).expect("JSON");
                prop_assert_eq!(&read, &value);
                prop_assert!(!is_gone);
            }
            let bytes = encrypt_bytes(&keys, subject, note.as_bytes()).expect("encrypted");
            let (whose, secret) = secret_bytes(&bytes).expect("encrypted bytes");
            let Some(Held::Key(key)) = keys.get(&whose) else { panic!("the key") };
            prop_assert_eq!(key.decrypt(subject, secret), Some(note.into_bytes()));
        }
    }
}
