//! A stored document on its way out: the few fields that analytics wants are picked, and it is written again without what
//! is personal. Both without building it in memory: every event of every year goes through here.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Those of these fields of `data` that are there.
#[must_use]
pub fn pick(text: &str, wanted: &BTreeSet<String>) -> Map<String, Value> {
    let mut found = Map::new();
    if !wanted.is_empty() {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        drop(Fields { inside: Inside::Document, wanted, found: &mut found }.deserialize(&mut deserializer));
    }
    found
}

/// The document without fields of these names, wherever they stand; empty if it is none.
#[must_use]
pub fn without(text: &str, personal: &BTreeSet<String>) -> String {
    let mut copy = Vec::with_capacity(text.len());
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match (Copied { to: &mut copy, personal }).deserialize(&mut deserializer) {
        Ok(()) => String::from_utf8(copy).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Document,
    Data,
}

/// Finds fields of `data`; passes over everything else.
struct Fields<'f> {
    inside: Inside,
    wanted: &'f BTreeSet<String>,
    found: &'f mut Map<String, Value>,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Fields { inside, wanted, found } = self;
        let is_wanted = |key: &str| match inside {
            Inside::Document => (key == "data").then(String::new),
            Inside::Data => wanted.get(key).cloned(),
        };
        while let Some(name) = entries.next_key_seed(Key(is_wanted))? {
            match (name, inside) {
                (None, _) => drop(entries.next_value::<IgnoredAny>()?),
                (Some(_), Inside::Document) => {
                    entries.next_value_seed(Fields { inside: Inside::Data, wanted, found: &mut *found })?;
                }
                (Some(name), Inside::Data) => {
                    let value: Value = entries.next_value()?;
                    if !value.is_null() {
                        found.insert(name, value);
                    }
                }
            }
        }
        Ok(())
    }
}

/// What is made of a key, without keeping the key.
struct Key<F>(F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for Key<F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> T> Visitor<'_> for Key<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<T, E> {
        Ok((self.0)(key))
    }
}

/// Writes a value as it is read.
struct Copied<'c> {
    to: &'c mut Vec<u8>,
    personal: &'c BTreeSet<String>,
}

impl Copied<'_> {
    fn write<E: serde::de::Error>(self, value: &(impl serde::Serialize + ?Sized)) -> Result<(), E> {
        serde_json::to_writer(self.to, value).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Copied<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Copied<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.write(&())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.write(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let begin = self.to.len();
        self.to.push(b'[');
        loop {
            let before = self.to.len();
            if before > begin + 1 {
                self.to.push(b',');
            }
            if items.next_element_seed(Copied { to: self.to, personal: self.personal })?.is_none() {
                self.to.truncate(before);
                self.to.push(b']');
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Copied { to, personal } = self;
        let begin = to.len();
        to.push(b'{');
        loop {
            let before = to.len();
            let key = Key(|key: &str| {
                if personal.contains(key) {
                    return Ok(false);
                }
                if before > begin + 1 {
                    to.push(b',');
                }
                serde_json::to_writer(&mut *to, key).map(|()| true)
            });
            match entries.next_key_seed(key)?.transpose().map_err(A::Error::custom)? {
                None => break,
                Some(false) => drop(entries.next_value::<IgnoredAny>()?),
                Some(true) => {
                    to.push(b':');
                    entries.next_value_seed(Copied { to: &mut *to, personal })?;
                }
            }
        }
        to.push(b'}');
        Ok(())
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
        let picked = pick(text, &names(&["a", "b", "c"]));
        assert_eq!(Value::Object(picked), json!({"a": {"x": [1]}, "c": "c"}));
        assert!(pick("[]", &names(&["a"])).is_empty());
    }

    #[test]
    fn personal_fields_are_left_out_wherever_they_stand() {
        let text =
            r#"{"email": 1, "a": [], "b": [{"em\u0061il": {"x": 1}}, {"c": {}, "email": "x"}, "email"], "d": -0.5}"#;
        assert_eq!(without(text, &names(&["email"])), r#"{"a":[],"b":[{},{"c":{}},"email"],"d":-0.5}"#);
        assert_eq!(without("{\"a\": 1e400}", &names(&[])), "");
    }

    proptest::proptest! {
        #[test]
        fn what_is_not_personal_stays_as_it_is(text in "[a-z\"\\\\\u{0}-\u{1f}é😀]{0,12}", number: i64, float: f64) {
            let float = serde_json::Number::from_f64(float);
            let value = json!({"x": [text, number, float, null, true], "y": {text: {"z": []}}});
            let copied = without(&value.to_string(), &names(&["personal"]));
            proptest::prop_assert_eq!(serde_json::from_str::<Value>(&copied).expect("JSON"), value);
        }
    }
}
