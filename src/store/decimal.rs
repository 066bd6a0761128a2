//! Decimals from Postgres, whatever their size. `numeric` holds more than [`Decimal`] does: what is finer than 28 places
//! is rounded, what is larger than any measure is cut, and nothing is refused. A rating may be 5e-324.

use rust_decimal::Decimal;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueFormat, PgValueRef, Postgres};
use sqlx::{Decode, Type};

/// Larger than any number that a contract takes (10^12).
const LARGEST: i128 = 10_i128.pow(27);
/// Base-10000 digits after the point that can matter.
const FRACTION_DIGITS: i32 = 8;

/// A `numeric` as a decimal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Numeric(pub(super) Decimal);

impl Type<Postgres> for Numeric {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("numeric")
    }
}

impl Decode<'_, Postgres> for Numeric {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Text => Ok(Self(parse(value.as_str()?))),
            PgValueFormat::Binary => Ok(Self(parse(&text(value.as_bytes()?)?))),
        }
    }
}

/// The decimal that a text says.
fn parse(text: &str) -> Decimal {
    let largest = Decimal::from_i128_with_scale(LARGEST, 0);
    let fallback = if text.starts_with('-') { -largest } else { largest };
    text.parse().unwrap_or(fallback).clamp(-largest, largest).normalize()
}

/// The binary form: count of digits, weight of the first, sign and scale, then digits in base 10000.
/// Source: `numeric_send` in PostgreSQL's `numeric.c`.
fn text(bytes: &[u8]) -> Result<String, BoxDynError> {
    let mut fields = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let mut field = || fields.next().ok_or("a numeric ends too early");
    let (count, weight, sign, _scale) = (field()?, field()?, field()?, field()?);
    if !matches!(sign, 0 | 0x4000) {
        return Err("a numeric is no number".into());
    }
    let weight = i32::from(i16::from_be_bytes(weight.to_be_bytes()));
    let digits = (0..count).map(|_| field()).collect::<Result<Vec<u16>, _>>()?;
    let digit = |place: i32| usize::try_from(weight - place).ok().and_then(|index| digits.get(index)).unwrap_or(&0);
    let whole: String = (0..=weight.max(0)).rev().map(|place| format!("{:04}", digit(place))).collect();
    let fraction: String = (1..=FRACTION_DIGITS).map(|place| format!("{:04}", digit(-place))).collect();
    Ok(format!("{}{whole}.{fraction}", if sign == 0 { "" } else { "-" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
        let count = u16::try_from(digits.len()).expect("few digits");
        let header = [count, u16::from_be_bytes(weight.to_be_bytes()), sign, 0];
        header.iter().chain(digits).flat_map(|field| field.to_be_bytes()).collect()
    }

    #[test]
    fn numbers_of_every_size() {
        let cases = [
            (numeric(0, 0, &[]), "0"),
            (numeric(-1, 0, &[8000]), "0.8"),
            (numeric(-1, 0x4000, &[8050]), "-0.805"),
            (numeric(1, 0, &[12, 3456, 7800]), "123456.78"),
            (numeric(2, 0, &[1]), "100000000"),
            (numeric(-75, 0, &[1]), "0"),
            (numeric(70, 0, &[1]), "1000000000000000000000000000"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(parse(&text(&bytes).expect("a number")).to_string(), expected);
        }
    }
}
