//! Why something on ClickHouse failed, sorted by what to do about it.

use std::time::Duration;

use clickhouse::error::Error as Driver;

/// Texts of ClickHouse are cut to this many characters.
const MESSAGE_CHARS_MAX: usize = 500;

/// Why something on ClickHouse failed, sorted by what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server has too much to do: try again after a pause, no more and no less than before.
    #[error("ClickHouse is too busy to {attempted} (code {code}): {message}")]
    Busy {
        /// What was attempted.
        attempted: String,
        /// ClickHouse's number for it.
        code: u32,
        /// What ClickHouse said.
        message: String,
    },
    /// The server, or the way to it, has a problem: try again later, for ever.
    #[error("ClickHouse cannot be reached to {attempted}: {message}")]
    Unavailable {
        /// What was attempted.
        attempted: String,
        /// What was said.
        message: String,
    },
    /// No answer within the deadline. The statement may have had its effect, or have it yet.
    #[error("no answer from ClickHouse within {seconds} s while attempting to {attempted}")]
    Silent {
        /// What was attempted.
        attempted: String,
        /// The deadline.
        seconds: u64,
    },
    /// The server refuses: somebody has to do something about it. Tried again all the same.
    #[error("ClickHouse refuses to {attempted} (code {code}): {message}{}", hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default())]
    Fault {
        /// What was attempted.
        attempted: String,
        /// ClickHouse's number for it; 0 where there is none.
        code: u32,
        /// What ClickHouse said, without values of rows.
        message: String,
        /// What to do.
        hint: Option<&'static str>,
    },
}

impl Error {
    /// Sorts an error of the client library.
    pub(super) fn classify(attempted: &str, error: Driver, deadline: Duration) -> Self {
        Self::sort(attempted, error, deadline, said)
    }

    /// The same for an insert: what ClickHouse says about it may quote rows, and these may be personal.
    pub(super) fn of_insert(attempted: &str, error: Driver, deadline: Duration) -> Self {
        Self::sort(attempted, error, deadline, said_of_rows)
    }

    fn sort(attempted: &str, error: Driver, deadline: Duration, tell: fn(u32, &str) -> String) -> Self {
        let attempted = attempted.to_owned();
        match error {
            Driver::TimedOut => Self::Silent { attempted, seconds: deadline.as_secs() },
            Driver::BadResponse(text) => match code(&text) {
                Some(code) => Self::by_code(attempted, code, tell(code, &text), &text),
                // A proxy's page, or an answer that broke off.
                None => Self::Unavailable { attempted, message: shortened(&text) },
            },
            Driver::InvalidParams(_) | Driver::Unsupported(_) => {
                Self::Fault { attempted, code: 0, message: error.to_string(), hint: None }
            }
            _ => Self::Unavailable { attempted, message: with_causes(&error) },
        }
    }

    fn by_code(attempted: String, code: u32, message: String, text: &str) -> Self {
        match code {
            // quota, too many queries, too slow, no connection left, too many parts, memory, no thread, overload
            201 | 202 | 203 | 159 | 160 | 209 | 241 | 252 | 439 | 745 => Self::Busy { attempted, code, message },
            // files, network, DNS, disk full, read-only table, Keeper, replicas, a query cancelled by a shutdown
            3 | 32 | 74 | 75 | 76 | 198 | 210 | 225 | 236 | 242 | 243 | 279 | 285 | 286 | 319 | 394 | 425 | 473
            | 733 | 735 | 999 => Self::Unavailable { attempted, message: format!("code {code}: {message}") },
            _ => Self::Fault { attempted, code, message, hint: hint(code, text) },
        }
    }

    /// ClickHouse's number for what it refused.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Busy { code, .. } | Self::Fault { code, .. } => Some(*code),
            Self::Unavailable { .. } | Self::Silent { .. } => None,
        }
    }
}

fn hint(code: u32, text: &str) -> Option<&'static str> {
    if view(text).is_some() {
        return Some("a materialized view behind the table fails: mend or drop it, nothing is lost meanwhile");
    }
    match code {
        192..=194 | 516 => Some("are CLICKHOUSE_USER and CLICKHOUSE_PASSWORD right?"),
        497 => Some("grant the user of CLICKHOUSE_URL what it lacks"),
        16 | 47 | 60 | 81 => Some("run `milepost migrate`"),
        701 => Some("CLICKHOUSE_CLUSTER names a cluster of system.clusters"),
        115 => Some("this ClickHouse is too old, or its users may not change the setting"),
        164 | 452 => Some("the user's profile forbids settings that milepost must pin"),
        _ => None,
    }
}

/// The number in `Code: 60. DB::Exception: …`.
fn code(text: &str) -> Option<u32> {
    let (_, after) = text.split_once("Code: ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The text without the number, the version and the stack.
fn said(_code: u32, text: &str) -> String {
    let (_, after) = text.split_once("DB::Exception: ").unwrap_or(("", text));
    let (before, _) = after.split_once(" (version ").unwrap_or((after, ""));
    shortened(before)
}

/// Of texts about rows, only those that speak of tables, grants and settings are passed on whole.
fn said_of_rows(code: u32, text: &str) -> String {
    if matches!(code, 16 | 47 | 48 | 60 | 62 | 81 | 115 | 159 | 160 | 164 | 192..=194 | 201..=203 | 209 | 241..=243 | 252 | 395 | 452 | 497 | 516)
    {
        return said(code, text);
    }
    let name = text.rsplit('(').find_map(|part| {
        let (name, _) = part.split_once(')')?;
        let is_name = name.len() > 2 && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        is_name.then_some(name)
    });
    let view = view(text).map(|view| format!(" while pushing to view {view}")).unwrap_or_default();
    format!("{}{view}", name.unwrap_or("no name"))
}

/// The view in `while pushing to view database.name (…)`.
fn view(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("while pushing to view ")?;
    after.split_whitespace().next().map(|name| name.trim_end_matches(['.', ':', ',']))
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(MESSAGE_CHARS_MAX).collect()
}

/// The library says "client error (Connect)"; why is in the causes.
fn with_causes(error: &Driver) -> String {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let text = next.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = next.source();
    }
    shortened(&said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Error {
        Error::of_insert("insert into t", Driver::BadResponse(text.to_owned()), Duration::from_secs(1))
    }

    #[test]
    fn codes_are_sorted_by_what_to_do() {
        let text = |code: u32| format!("Code: {code}. DB::Exception: said. (NAME) (version 26.9.2.1)");
        for code in [252, 241, 159, 160, 209, 202] {
            assert!(matches!(refused(&text(code)), Error::Busy { code: given, .. } if given == code), "{code}");
        }
        for answer in ["502 Bad Gateway", "<html>Code red</html>", &text(210), &text(243)] {
            assert!(matches!(refused(answer), Error::Unavailable { .. }), "{answer}");
        }
        let Error::Fault { code: 60, message, hint: Some(hint), .. } = refused(&text(60)) else { panic!("a fault") };
        assert_eq!((message.as_str(), hint), ("said. (NAME)", "run `milepost migrate`"));
    }

    #[test]
    fn values_of_rows_are_not_told() {
        let text = "Code: 27. DB::Exception: Cannot parse input: expected '\\t' before: 'ada@example.org': (at row 1)\n: \
            while pushing to view d.theirs. (CANNOT_PARSE_INPUT_ASSERTION_FAILED) (version 26.9.2.1)";
        let said = refused(text).to_string();
        assert!(!said.contains("ada"), "{said}");
        assert!(
            said.contains("CANNOT_PARSE_INPUT_ASSERTION_FAILED while pushing to view d.theirs\n  hint: "),
            "{said}"
        );
    }
}
