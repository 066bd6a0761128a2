//! The raw gates: what is checked on the bytes before anything parses or allocates for them.
//!
//! One pass, no recursion, no allocation. What passes can be parsed without a deep stack and stored as `jsonb`.

use crate::event::{Reason, Rejection};
use crate::json;

/// Digits that one number literal may have (contract.md).
const NUMBER_DIGITS_MAX: usize = 40;
/// Beyond this decimal exponent, either way, a literal does not fit `numeric`, in which Postgres keeps `jsonb` numbers.
/// As a double it is then 0: what is infinite is refused before.
const NUMBER_EXPONENT_MAX: u64 = 16_000;

/// The limits of the raw gates.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest document, in bytes.
    pub event_bytes_max: usize,
    /// Deepest nesting; the top object is 1.
    pub event_depth_max: usize,
}

/// A document that passed.
#[derive(Debug, Clone, Copy)]
pub struct Passed<'b> {
    /// The document as text.
    pub text: &'b str,
    /// It has a number so small that Postgres could not keep its literal; as a value it is 0.
    pub has_vanishing_number: bool,
}

/// Checks size, encoding, characters, depth and numbers.
///
/// # Errors
/// The first gate that the bytes fail.
pub fn check(bytes: &[u8], limits: Limits) -> Result<Passed<'_>, Rejection> {
    if bytes.len() > limits.event_bytes_max {
        let message = format!("{} bytes, at most {} are taken", bytes.len(), limits.event_bytes_max);
        return Err(Rejection::new(Reason::TooLarge, None, message));
    }
    if bytes.is_empty() {
        return Err(Rejection::new(Reason::NotJson, None, "the message is empty"));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(Rejection::new(Reason::BadCharacter, None, "begins with a byte order mark"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("not UTF-8 from byte {} on", error.valid_up_to());
        Rejection::new(Reason::NotUtf8, None, message)
    })?;
    let mut scan = Scan { text, at: 0, depth: 0, depth_max: limits.event_depth_max, vanishing: false };
    scan.run().map_err(|(reason, message)| {
        let field = Some(pointer_at(text, scan.at)).filter(|pointer| !pointer.is_empty());
        Rejection::new(reason, field, message)
    })?;
    Ok(Passed { text, has_vanishing_number: scan.vanishing })
}

struct Scan<'b> {
    text: &'b str,
    at: usize,
    depth: usize,
    depth_max: usize,
    vanishing: bool,
}

type Gate = Result<(), (Reason, String)>;

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn run(&mut self) -> Gate {
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    self.depth += 1;
                    if self.depth > self.depth_max {
                        return Err((Reason::TooDeep, format!("nested deeper than {}", self.depth_max)));
                    }
                    self.at += 1;
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                }
                b'-' | b'0'..=b'9' => self.number()?,
                0 => return Err((Reason::BadCharacter, "a NUL byte".into())),
                _ => self.at += 1,
            }
        }
        Ok(())
    }

    fn string(&mut self) -> Gate {
        self.at += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                0 => return Err((Reason::BadCharacter, "a NUL byte in a text".into())),
                _ => self.at += 1,
            }
        }
        Ok(())
    }

    /// Postgres keeps neither NUL nor half a surrogate pair in `jsonb`, however it is written.
    fn escape(&mut self) -> Gate {
        let bytes = self.text.as_bytes();
        if bytes.get(self.at + 1) != Some(&b'u') {
            self.at += 2;
            return Ok(());
        }
        match hex4(bytes, self.at + 2) {
            Some(0) => Err((Reason::BadCharacter, r"an escaped NUL (\u0000)".into())),
            Some(0xd800..=0xdbff) => {
                let low = bytes.get(self.at + 6..self.at + 8) == Some(br"\u");
                match hex4(bytes, self.at + 8).filter(|_| low) {
                    Some(0xdc00..=0xdfff) => {
                        self.at += 12;
                        Ok(())
                    }
                    _ => Err((Reason::BadCharacter, "half of a surrogate pair".into())),
                }
            }
            Some(0xdc00..=0xdfff) => Err((Reason::BadCharacter, "half of a surrogate pair".into())),
            Some(_) => {
                self.at += 6;
                Ok(())
            }
            None => {
                self.at += 2;
                Ok(())
            }
        }
    }

    fn number(&mut self) -> Gate {
        let from = self.at;
        let mut digits = 0;
        let mut has_exponent = false;
        let mut end = from;
        for byte in self.text.as_bytes().iter().skip(from) {
            match byte {
                b'0'..=b'9' => digits += 1,
                b'e' | b'E' => has_exponent = true,
                b'+' | b'-' | b'.' => {}
                _ => break,
            }
            end += 1;
        }
        if digits > NUMBER_DIGITS_MAX {
            return Err((
                Reason::BadNumber,
                format!("a number of {digits} digits, at most {NUMBER_DIGITS_MAX} are taken"),
            ));
        }
        if has_exponent {
            let literal = self.text.get(from..end).unwrap_or_default();
            if literal.parse::<f64>().is_ok_and(f64::is_infinite) {
                return Err((Reason::BadNumber, "a number outside the range of a double".into()));
            }
            let exponent = literal.rsplit(['e', 'E']).next().unwrap_or_default();
            self.vanishing |= exponent.parse::<i64>().map_or(true, |e| e.unsigned_abs() > NUMBER_EXPONENT_MAX);
        }
        self.at = end;
        Ok(())
    }
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = std::str::from_utf8(bytes.get(at..at + 4)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

/// The JSON pointer of the value that stands at a byte of a (perhaps broken) document. Only for error messages.
fn pointer_at(text: &str, stop: usize) -> String {
    let bytes = text.as_bytes();
    let mut path: Vec<(Option<String>, usize)> = Vec::new();
    let mut last_string = String::new();
    let mut at = 0;
    while at < stop.min(bytes.len()) {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at);
                if end > stop {
                    break;
                }
                last_string = text.get(at + 1..end.saturating_sub(1)).unwrap_or_default().to_owned();
                at = end;
                continue;
            }
            b':' => {
                if let Some(top) = path.last_mut() {
                    top.0 = Some(std::mem::take(&mut last_string));
                }
            }
            b'{' | b'[' => path.push((None, 0)),
            b'}' | b']' => {
                path.pop();
            }
            b',' => {
                if let Some(top) = path.last_mut() {
                    top.0 = None;
                    top.1 += 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    let segment = |(key, index): &(Option<String>, usize)| key.clone().unwrap_or_else(|| index.to_string());
    path.iter().fold(String::new(), |pointer, part| pointer + "/" + &json::escape(&segment(part)))
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { event_bytes_max: 1000, event_depth_max: 64 };

    #[track_caller]
    fn refused(bytes: impl AsRef<[u8]>, reason: Reason, field: Option<&str>) {
        let rejection = check(bytes.as_ref(), LIMITS).expect_err("should be refused");
        assert_eq!((rejection.reason, rejection.field.as_deref()), (reason, field), "{}", rejection.message);
    }

    #[test]
    fn bytes_that_are_refused() {
        refused([b' '; 1001], Reason::TooLarge, None);
        refused("", Reason::NotJson, None);
        refused("\u{feff}{}", Reason::BadCharacter, None);
        refused(b"{\"a\":\"\xff\"}", Reason::NotUtf8, None);
        refused(b"\xc0\x80", Reason::NotUtf8, None);
        refused(r#"{"a":{"b":"x\u0000"}}"#, Reason::BadCharacter, Some("/a/b"));
        refused(r#"{"a\u0000":1}"#, Reason::BadCharacter, Some("/0"));
        refused("{\"a\":\0}", Reason::BadCharacter, Some("/a"));
        refused(r#"{"a":[1,"\ud800"]}"#, Reason::BadCharacter, Some("/a/1"));
        refused(r#"{"a":"\ud800A"}"#, Reason::BadCharacter, Some("/a"));
        refused(r#"{"a":"\udc00"}"#, Reason::BadCharacter, Some("/a"));
        refused(r#"{"a":1e400}"#, Reason::BadNumber, Some("/a"));
        refused(format!(r#"{{"a":{}}}"#, "1".repeat(41)), Reason::BadNumber, Some("/a"));
        refused("[".repeat(65), Reason::TooDeep, Some(&"/0".repeat(64)));
    }

    #[test]
    fn bytes_that_pass() {
        for text in [
            r#"{"a":"\ud83d\ude00 \\u0000 \" ["}"#.to_owned(),
            format!("{}{}", "[".repeat(64), "]".repeat(64)),
            format!(r#"{{"a":-0.{}}}"#, "1".repeat(39)),
            r#"{"a":1e308}"#.to_owned(),
        ] {
            let passed = check(text.as_bytes(), LIMITS).expect("passes");
            assert!(!passed.has_vanishing_number, "{text}");
        }
        for text in [r#"{"a":1e-99999}"#, r#"{"a":1e-99999999999999999999}"#, r#"{"a":0e2000000000}"#] {
            assert!(check(text.as_bytes(), LIMITS).expect("passes").has_vanishing_number, "{text}");
        }
    }
}
