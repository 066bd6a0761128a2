//! What is wrong with a file, and where.

use std::fmt;

/// Longest value that a fault quotes, in characters.
const QUOTED_CHARS_MAX: usize = 40;

/// Something wrong with a file, a row or a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line in the file, from 1; none where the whole file is meant.
    pub line: Option<u64>,
    /// The column, as the file spells it where it has it.
    pub column: Option<String>,
    /// What is wrong. Never a personal value.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

impl Fault {
    /// Of the whole file.
    #[must_use]
    pub fn of_file(message: impl Into<String>, hint: &'static str) -> Self {
        Self { line: None, column: None, message: message.into(), hint }
    }

    /// Of a line.
    #[must_use]
    pub fn of_line(line: u64, message: impl Into<String>, hint: &'static str) -> Self {
        Self { line: Some(line), ..Self::of_file(message, hint) }
    }

    /// In this column.
    #[must_use]
    pub fn in_column(self, column: impl Into<String>) -> Self {
        Self { column: Some(column.into()), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "{line}: ")?;
        }
        if let Some(column) = &self.column {
            write!(f, "{column}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// A value for a message. What is personal is left out, and so is what looks like an e-mail address in any column.
pub(super) fn quoted(value: &str, is_personal: bool) -> String {
    match is_personal || value.contains('@') || value.chars().count() > QUOTED_CHARS_MAX {
        true => String::new(),
        false => format!(", not {value:?}"),
    }
}
