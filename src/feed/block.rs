//! Rows as one block of ClickHouse's Native format: column by column, each with its name and type, so that nothing has to be
//! parsed there.
//!
//! The format: <https://clickhouse.com/docs/reference/interfaces/specs/NativeFormat>.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A place in the total order.
    Position,
    /// An id, also one that is not there.
    Id,
    /// An id that is always there.
    OwnId,
    /// A text.
    Text,
    /// A moment, in microseconds.
    Moment,
    /// A number with six digits after the point, or none.
    Number,
}

impl Kind {
    /// As ClickHouse names it. It makes what the table's column is of it: a narrower decimal, a dictionary.
    const fn name(self) -> &'static str {
        match self {
            Self::Position => "UInt64",
            Self::Id => "Nullable(UUID)",
            Self::OwnId => "UUID",
            Self::Text => "String",
            Self::Moment => "DateTime64(6, 'UTC')",
            Self::Number => "Nullable(Decimal(38, 6))",
        }
    }
}

/// The values of a column, in the order of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in the table.
    pub name: String,
    kind: Kind,
    /// One byte for each row, 1 where there is no value; empty if there always is one.
    absent: Vec<u8>,
    values: Vec<u8>,
}

impl Column {
    /// A column without a row.
    #[must_use]
    pub fn of(name: &str, kind: Kind) -> Self {
        Self { name: name.to_owned(), kind, absent: Vec::new(), values: Vec::new() }
    }

    /// Adds a place in the total order.
    pub fn position(&mut self, position: i64) {
        self.values.extend_from_slice(&position.to_le_bytes());
    }

    /// Adds an id that is there.
    pub fn own_id(&mut self, id: Uuid) {
        let (high, low) = id.as_u64_pair();
        self.values.extend_from_slice(&high.to_le_bytes());
        self.values.extend_from_slice(&low.to_le_bytes());
    }

    /// Adds an id, if it is there.
    pub fn id(&mut self, id: Option<Uuid>) {
        self.absent.push(u8::from(id.is_none()));
        self.own_id(id.unwrap_or_default());
    }

    /// Adds a text.
    pub fn text(&mut self, text: &str) {
        length(text.len(), &mut self.values);
        self.values.extend_from_slice(text.as_bytes());
    }

    /// Adds a moment.
    pub fn moment(&mut self, at: DateTime<Utc>) {
        self.values.extend_from_slice(&at.timestamp_micros().to_le_bytes());
    }

    /// Adds a number in millionths, if it is there.
    pub fn number(&mut self, millionths: Option<i128>) {
        self.absent.push(u8::from(millionths.is_none()));
        self.values.extend_from_slice(&millionths.unwrap_or_default().to_le_bytes());
    }
}

/// The bytes of a block. Takes the columns, so that they are not held twice.
#[must_use]
pub fn block(columns: Vec<Column>, rows: usize) -> Vec<u8> {
    let bytes: usize = columns.iter().map(|column| column.absent.len() + column.values.len() + 100).sum();
    let mut block = Vec::with_capacity(bytes);
    length(columns.len(), &mut block);
    length(rows, &mut block);
    for column in columns {
        for text in [&*column.name, column.kind.name()] {
            length(text.len(), &mut block);
            block.extend_from_slice(text.as_bytes());
        }
        block.extend_from_slice(&column.absent);
        block.extend_from_slice(&column.values);
    }
    block
}

/// A number in seven bits a byte, the lowest first, as LEB128 has it.
fn length(mut number: usize, into: &mut Vec<u8>) {
    while number > 0x7f {
        into.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    into.push((number & 0x7f) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_as_the_format_says() {
        let mut columns = vec![Column::of("a", Kind::Text), Column::of("b", Kind::Id), Column::of("c", Kind::Number)];
        columns[0].text(&"x".repeat(200));
        columns[1].id(Some(Uuid::from_u64_pair(0x0102_0304_0506_0708, 9)));
        columns[2].number(None);
        let texts = [&b"\x03\x01\x01a\x06String\xc8\x01"[..], &[b'x'; 200], b"\x01b\x0eNullable(UUID)\0"];
        let ids = [&b"\x08\x07\x06\x05\x04\x03\x02\x01\x09\0\0\0\0\0\0\0"[..]];
        let numbers = [&b"\x01c\x18Nullable(Decimal(38, 6))\x01"[..], &[0; 16]];
        assert_eq!(block(columns, 1), [texts.concat(), ids.concat(), numbers.concat()].concat());
    }
}
