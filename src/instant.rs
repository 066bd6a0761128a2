//! Instants and dates as the contract reads them: RFC 3339 with seconds and a zone, years 1900–2299.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, TimeDelta, Utc};

const YEARS: std::ops::RangeInclusive<i32> = 1900..=2299;

/// Reads an RFC 3339 date-time. Fractions beyond microseconds are cut off; `T` and `Z` may be in lower case.
/// `24:00`, `:60`, days that no month has and years outside 1900–2299 (in UTC) are none.
#[must_use]
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let bytes = text.as_bytes();
    let date = parse_date(text.get(..10)?)?;
    let punctuated = matches!(bytes.get(10)?, b'T' | b't') && *bytes.get(13)? == b':' && *bytes.get(16)? == b':';
    if !punctuated {
        return None;
    }
    let (hour, minute, second) = (two(bytes, 11)?, two(bytes, 14)?, two(bytes, 17)?);
    let (micros, zone_at) = fraction(bytes)?;
    let offset = zone(bytes.get(zone_at..)?)?;
    let local = date.and_hms_micro_opt(hour, minute, second, micros)?;
    let instant = local.checked_sub_signed(TimeDelta::minutes(offset))?.and_utc();
    YEARS.contains(&instant.year()).then_some(instant)
}

/// Reads a calendar date, `YYYY-MM-DD`.
#[must_use]
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i32::try_from(two(bytes, 0)? * 100 + two(bytes, 2)?).ok()?;
    NaiveDate::from_ymd_opt(year, two(bytes, 5)?, two(bytes, 8)?).filter(|date| YEARS.contains(&date.year()))
}

/// The one spelling that equal instants share.
#[must_use]
pub fn canonical(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn two(bytes: &[u8], at: usize) -> Option<u32> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    Some(digit(*bytes.get(at)?)? * 10 + digit(*bytes.get(at + 1)?)?)
}

/// Microseconds after the point, and where the zone begins.
fn fraction(bytes: &[u8]) -> Option<(u32, usize)> {
    if bytes.get(19) != Some(&b'.') {
        return Some((0, 19));
    }
    let digits = bytes.get(20..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let micros = (0..6).fold(0, |micros, place| {
        let digit = bytes.get(20 + place).filter(|_| place < digits).map_or(0, |byte| u32::from(byte - b'0'));
        micros * 10 + digit
    });
    Some((micros, 20 + digits))
}

/// The zone's offset from UTC in minutes.
fn zone(bytes: &[u8]) -> Option<i64> {
    match bytes {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (two(bytes, 1)?, two(bytes, 4)?);
            let offset = i64::from(hours * 60 + minutes);
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, expected: Option<&str>) {
        assert_eq!(parse(text).map(canonical).as_deref(), expected, "{text}");
    }

    #[test]
    fn instants() {
        reads("2026-02-28T23:59:59Z", Some("2026-02-28T23:59:59.000000Z"));
        reads("2026-02-28t23:59:59.1234567z", Some("2026-02-28T23:59:59.123456Z"));
        reads("2024-02-29T00:00:00.5+14:00", Some("2024-02-28T10:00:00.500000Z"));
        reads("2026-01-01T00:00:00-00:30", Some("2026-01-01T00:30:00.000000Z"));
        reads("1900-01-01T00:00:00Z", Some("1900-01-01T00:00:00.000000Z"));
        reads("2299-12-31T23:59:59.999999999Z", Some("2299-12-31T23:59:59.999999Z"));
        for text in [
            "2026-02-30T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-06-30T23:59:60Z",
            "2026-01-01T00:00Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00,5Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+99:99",
            "2026-01-01T00:00:00+0100",
            "1899-12-31T23:59:59Z",
            "2300-01-01T00:00:00Z",
            "1900-01-01T00:00:00+01:00",
            "10000-01-01T00:00:00Z",
            "1767225600",
            "",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:00ZZ",
            "+2026-01-01T00:00:00Z",
            "２026-01-01T00:00:00Z",
        ] {
            reads(text, None);
        }
    }

    #[test]
    fn dates() {
        assert!(parse_date("2024-02-29").is_some());
        for text in ["2023-02-29", "2024-2-29", "24-02-29", "2024-02-29T00:00:00Z", "1899-01-01", ""] {
            assert!(parse_date(text).is_none(), "{text}");
        }
    }
}
