//! From what stands in a cell to a value of a contract: the same value from CSV text as from JSON.

use std::str::FromStr as _;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::Deserialize;
use serde_json::{Number, Value};

use crate::envelope::parse_uuid;
use crate::{instant, json};

/// Places that a rescaled number keeps.
const SCALED_PLACES: u32 = 6;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Text, as it is.
    Text,
    /// One of a few words: trimmed, in lower case.
    Word,
    Uuid,
    /// A moment: RFC 3339, or as databases write it; without a zone it is UTC.
    Time,
    Date,
    Number,
    Integer,
    Boolean,
    Email,
    /// A JSON object.
    Object,
    /// Several values: a JSON array, or separated by `|`, `;` or `,`.
    List,
    /// A number between two bounds, which become 0 and 1.
    Scale,
    /// Known, and of no use here.
    Ignored,
}

/// What a column holds, with what that takes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conversion {
    pub(super) kind: Kind,
    /// Of a list.
    pub(super) item: Kind,
    /// Of a scale.
    pub(super) bounds: (Decimal, Decimal),
}

/// Why a cell does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unfit {
    pub(super) message: String,
    pub(super) hint: &'static str,
}

fn unfit<T>(message: impl Into<String>, hint: &'static str) -> Result<T, Unfit> {
    Err(Unfit { message: message.into(), hint })
}

impl Conversion {
    /// The value of a cell; none where the cell is blank.
    pub(super) fn convert(&self, cell: &Value) -> Result<Option<Value>, Unfit> {
        if matches!(cell, Value::Null) || matches!(cell, Value::String(text) if text.trim().is_empty()) {
            return Ok(None);
        }
        match self.kind {
            Kind::Ignored => Ok(None),
            Kind::Object => object(cell).map(Some),
            Kind::List => list(cell, self.item).map(|items| Some(items).filter(|items| *items != Value::Array(vec![]))),
            Kind::Scale => scaled(&text_of(cell)?, self.bounds).map(Some),
            kind => single(kind, &text_of(cell)?).map(Some),
        }
    }
}

/// The text of a cell: a number or a truth value of JSON is what CSV would have in its place.
fn text_of(cell: &Value) -> Result<String, Unfit> {
    match cell {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(is_true) => Ok(is_true.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => unfit("must be a single value", "see the list of columns"),
    }
}

fn single(kind: Kind, text: &str) -> Result<Value, Unfit> {
    let trimmed = text.trim();
    match kind {
        Kind::Word => Ok(trimmed.to_lowercase().into()),
        Kind::Uuid => match parse_uuid(trimmed) {
            Some(uuid) => Ok(uuid.to_string().into()),
            None => unfit("must be a UUID", "write it as 01234567-89ab-cdef-0123-456789abcdef"),
        },
        Kind::Time => match normal_time(trimmed) {
            Some(time) => Ok(time.into()),
            None => unfit("must be a time", "write it as 2026-01-31T10:00:00Z; without a zone it is taken for UTC"),
        },
        Kind::Date => match instant::parse_date(trimmed) {
            Some(_) => Ok(trimmed.into()),
            None => unfit("must be a date", "write it as 2026-01-31"),
        },
        Kind::Number => number(trimmed).and_then(double),
        Kind::Integer => match trimmed.parse::<i64>() {
            Ok(integer) => Ok(integer.into()),
            Err(_) => unfit("must be a whole number", "write it in digits only"),
        },
        Kind::Boolean => match trimmed.to_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" => Ok(true.into()),
            "false" | "f" | "no" | "n" | "0" => Ok(false.into()),
            _ => unfit("must be true or false", "write true or false"),
        },
        Kind::Email => Ok(trimmed.to_ascii_lowercase().into()),
        Kind::Text | Kind::Object | Kind::List | Kind::Scale | Kind::Ignored => Ok(text.into()),
    }
}

fn number(text: &str) -> Result<Decimal, Unfit> {
    Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).or_else(|_| match text.contains(',') {
        true => unfit("must be a number with a decimal point", "write 4.5, not 4,5, and no thousands separators"),
        false => unfit("must be a number", "write it as 4.5"),
    })
}

fn double(number: Decimal) -> Result<Value, Unfit> {
    match number.to_f64().and_then(Number::from_f64) {
        Some(double) => Ok(Value::Number(double)),
        None => unfit("must be a number of less than 28 digits", "round it"),
    }
}

fn scaled(text: &str, (low, high): (Decimal, Decimal)) -> Result<Value, Unfit> {
    let number = number(text.trim())?;
    if number < low || number > high {
        return unfit(format!("must be between {low} and {high}"), "see what the column means in the folder's imports");
    }
    double(((number - low) / (high - low)).round_dp(SCALED_PLACES))
}

fn object(cell: &Value) -> Result<Value, Unfit> {
    let parsed = match cell {
        Value::Object(_) => return Ok(cell.clone()),
        Value::String(text) => json::parse(text).ok().filter(Value::is_object),
        _ => None,
    };
    parsed.map_or_else(|| unfit("must be a JSON object", "write it as {\"key\": \"value\"}"), Ok)
}

fn list(cell: &Value, item: Kind) -> Result<Value, Unfit> {
    let items = match cell {
        Value::Array(items) => items.clone(),
        Value::String(text) if text.trim_start().starts_with('[') => match json::parse(text) {
            Ok(Value::Array(items)) => items,
            _ => return unfit("must be a JSON array, or values separated by |", "write it as a|b|c"),
        },
        // As Postgres writes arrays.
        _ => {
            let text = text_of(cell)?;
            let inner = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(&text);
            inner.split(['|', ';', ',']).map(|part| part.trim().trim_matches('"').into()).collect()
        }
    };
    let present = items.iter().filter(|item| !matches!(item, Value::String(text) if text.is_empty()));
    present.map(|value| single(item, &text_of(value)?)).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// RFC 3339; also with a blank for the `T`, without seconds, with a zone of hours only, or without a zone: then it is UTC.
/// A date alone is its first moment.
fn normal_time(text: &str) -> Option<String> {
    let normal = |text: &str| instant::parse(text).map(instant::canonical);
    if let Some(time) = normal(text) {
        return Some(time);
    }
    let (date, rest) = text.split_at_checked(10)?;
    if rest.is_empty() {
        return normal(&format!("{date}T00:00:00Z"));
    }
    let rest = rest.strip_prefix([' ', 'T', 't'])?;
    let zone_at = rest.find([' ', 'Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at_checked(zone_at)?;
    let seconds = if clock.len() == 5 { ":00" } else { "" };
    let zone = match zone.trim().as_bytes() {
        [] | b"UTC" | b"GMT" | b"Z" | b"z" => "Z".to_owned(),
        [b'+' | b'-', _, _] => format!("{}:00", zone.trim()),
        [b'+' | b'-', _, _, b'0'..=b'9', _] => {
            let (hours, minutes) = zone.trim().split_at_checked(3)?;
            format!("{hours}:{minutes}")
        }
        _ => zone.trim().to_owned(),
    };
    normal(&format!("{date}T{clock}{seconds}{zone}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn of(kind: Kind, item: Kind) -> Conversion {
        Conversion { kind, item, bounds: (Decimal::ZERO, Decimal::from(5)) }
    }

    #[track_caller]
    fn gives(kind: Kind, cells: &[Value], expected: Value) {
        for cell in cells {
            let expected = Some(expected.clone()).filter(|value| !value.is_null());
            assert_eq!(of(kind, Kind::Text).convert(cell), Ok(expected), "{cell}");
        }
    }

    #[test]
    fn csv_text_and_json_give_the_same_value() {
        gives(Kind::Integer, &[json!("12"), json!(12), json!(" 12 ")], json!(12));
        gives(Kind::Number, &[json!("4.50"), json!(4.5), json!("45e-1")], json!(4.5));
        gives(Kind::Boolean, &[json!("Yes"), json!(true), json!("1"), json!(1)], json!(true));
        gives(Kind::Text, &[json!("12"), json!(12)], json!("12"));
        gives(Kind::Word, &[json!(" Great"), json!("GREAT")], json!("great"));
        gives(Kind::Email, &[json!(" Ada@Example.ORG ")], json!("ada@example.org"));
        gives(
            Kind::List,
            &[json!("a|b"), json!("a; b"), json!(["a", "b"]), json!("{a,\"b\"}"), json!("[\"a\",\"b\"]")],
            json!(["a", "b"]),
        );
        gives(Kind::Object, &[json!("{\"a\": 1}"), json!({"a": 1})], json!({"a": 1}));
        for kind in [Kind::Text, Kind::Integer, Kind::Time, Kind::List, Kind::Object] {
            gives(kind, &[json!(""), json!("  "), json!(null)], json!(null));
        }
        assert_eq!(of(Kind::List, Kind::Integer).convert(&json!("4|8")), Ok(Some(json!([4, 8]))));
    }

    #[test]
    fn ratings_of_five_become_parts_of_one_exactly() {
        for (stars, part) in [("0", 0.0), ("5", 1.0), ("4", 0.8), ("3.3", 0.66), ("4.5", 0.9), ("3.7", 0.74)] {
            gives(Kind::Scale, &[json!(stars)], json!(part));
        }
        for wrong in ["5.1", "-1", "4,5", "many"] {
            assert!(of(Kind::Scale, Kind::Text).convert(&json!(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_as_databases_write_them() {
        let expected = json!("2026-01-31T10:00:00.000000Z");
        for text in [
            "2026-01-31T10:00:00Z",
            "2026-01-31 10:00:00",
            "2026-01-31 10:00",
            "2026-01-31 10:00:00+00",
            "2026-01-31 11:00:00.0+01",
            "2026-01-31T11:00:00+0100",
            "2026-01-31 10:00:00 UTC",
            "2026-01-31 10:00:00.000 +00:00",
        ] {
            gives(Kind::Time, &[json!(text)], expected.clone());
        }
        gives(Kind::Time, &[json!("2026-01-31")], json!("2026-01-31T00:00:00.000000Z"));
        for wrong in [
            "31.01.2026",
            "01/31/2026",
            "2026-02-30",
            "2026-01-31 25:00",
            "1769853600",
            "2026-01-31x10:00:00",
            "2026-01-31 é",
        ] {
            assert!(of(Kind::Time, Kind::Text).convert(&json!(wrong)).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_conversion(text in "\\PC{0,40}") {
            for kind in [Kind::Text, Kind::Word, Kind::Uuid, Kind::Time, Kind::Date, Kind::Number, Kind::Integer,
                Kind::Boolean, Kind::Email, Kind::Object, Kind::List, Kind::Scale, Kind::Ignored] {
                drop(of(kind, Kind::Integer).convert(&json!(text)));
            }
        }

        #[test]
        fn what_was_converted_converts_to_itself(seconds in 0_i64..4_000_000_000, stars in 0_u32..=50) {
            let time = chrono::DateTime::from_timestamp(seconds, 0).expect("a time");
            let once = of(Kind::Time, Kind::Text).convert(&json!(time.format("%Y-%m-%d %H:%M:%S").to_string())).expect("fits");
            prop_assert_eq!(of(Kind::Time, Kind::Text).convert(&once.clone().expect("a value")).expect("fits"), once);
            let text = format!("{}.{}", stars / 10, stars % 10);
            let number: serde_json::Number = serde_json::from_str(&text).expect("a number");
            let scale = of(Kind::Scale, Kind::Text);
            prop_assert_eq!(scale.convert(&json!(text)), scale.convert(&Value::Number(number)));
        }
    }
}
