//! What an event does to tables: SQL over the relation `batch`, one row per event, typed as the contract says.
//!
//! A file holds one or more statements, separated by `;` at the end of a line; each is prepared once and run once
//! per batch, in order. A statement may read `batch` (an event's file) or `touched` (a derived table's file) and
//! may return rows `touched, key` (a derived table has to look at this key again) or `counted, key`. A key is a text
//! that only the domain reads.
//!
//! Columns of `batch` are the leaves of the contract in snake case (`matchingCriteria.language` is
//! `matching_criteria_language`), plus `envelope_id`, `envelope_timestamp`, `envelope_type` and `data`.
//! Only columns that the statement mentions are sent.

pub mod writes;

use serde_json::Value;

use crate::contract::{Contract, Shape};

/// The projection of one event type.
#[derive(Debug, Clone)]
pub struct Projection {
    /// Its file, for messages.
    pub path: String,
    /// Its statements, in order.
    pub statements: Vec<Statement>,
}

/// One statement, complete with its `batch` relation.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The SQL as it is prepared.
    pub sql: String,
    /// What is bound, in the order of the parameters.
    pub columns: Vec<Column>,
}

/// The recomputation of derived rows.
#[derive(Debug, Clone)]
pub struct Derivation {
    /// The name by which projections return the keys they touched.
    pub name: String,
    /// Whose notes it is derived from, where it is derived later: its own, or those of another one.
    pub notes: String,
    /// Its file, for messages.
    pub path: String,
    /// When it is computed.
    pub when: When,
    /// Its statements; each takes the touched keys as `text[]`.
    pub statements: Vec<String>,
}

/// What a projection says to have touched when it has made one row of two people: the key is whose row stays. Facts of
/// who went, laid down in `journey_facts_merged`, are merged into theirs, and all that is derived for them is derived.
pub const MERGED: &str = "merged";

/// What a statement returns as `touched` when somebody was erased; the key is `<subject> <person>`: whose key is to be
/// destroyed, and who was erased.
pub const ERASED: &str = "erased";

/// When derived rows are computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// In the transaction of the batch that touched them, after the rows of this entity were locked: index into the
    /// domain's entities.
    Locked(usize),
    /// Soon afterwards, by one process at a time: nobody waits for anybody's lock. Its statements may return rows
    /// `touched, key` in turn, of what is derived later as well.
    Later,
}

/// A column of `batch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in SQL.
    pub name: String,
    /// Its type in SQL.
    pub kind: Kind,
    /// Where its values come from.
    pub from: From,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// The event's id.
    EnvelopeId,
    /// The event's time.
    EnvelopeTimestamp,
    /// The event's type.
    EnvelopeType,
    /// A path in the normalised data; empty: all of it.
    Data(Vec<String>),
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `uuid`
    Uuid,
    /// `timestamptz`
    Time,
    /// `date`
    Date,
    /// `bigint`; an `int` where the contract's bounds allow, the SQL need not care.
    Integer,
    /// `numeric`, sent as a double
    Number,
    /// `boolean`
    Boolean,
    /// `text`
    Text,
    /// `jsonb`: objects and arrays
    Json,
}

impl Kind {
    /// The array type as which a column is sent.
    const fn array(self) -> &'static str {
        match self {
            Self::Uuid => "uuid[]",
            Self::Time => "timestamptz[]",
            Self::Date => "date[]",
            Self::Integer => "int8[]",
            Self::Number => "float8[]",
            Self::Boolean => "bool[]",
            Self::Text => "text[]",
            Self::Json => "jsonb[]",
        }
    }
}

impl Projection {
    /// Compiles the SQL file of a contract.
    ///
    /// # Errors
    /// When the file has no statement.
    pub fn compile(path: &str, text: &str, contract: &Contract) -> Result<Self, String> {
        let known = columns(contract);
        let statements: Vec<Statement> = split(text).iter().map(|sql| statement(sql, &known)).collect();
        if statements.is_empty() {
            return Err(format!("{path}: there is no statement in the file"));
        }
        Ok(Self { path: path.to_owned(), statements })
    }
}

impl Derivation {
    /// Compiles the SQL file of a derived table, which has a name, and is derived from the notes of that or another one.
    ///
    /// # Errors
    /// When the file has no statement.
    pub fn compile(path: &str, text: &str, (name, notes): (&str, &str), when: When) -> Result<Self, String> {
        let relation = "touched as materialized (select key from unnest($1::text[]) as keys (key))";
        let statements: Vec<String> = split(text).iter().map(|sql| prepend(relation, sql)).collect();
        if statements.is_empty() {
            return Err(format!("{path}: there is no statement in the file"));
        }
        Ok(Self { name: name.to_owned(), notes: notes.to_owned(), path: path.to_owned(), when, statements })
    }
}

/// Cuts a file into statements. A `;` ends one only at the end of a line, so that none in a text does.
fn split(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    for line in text.lines() {
        let code = line.split("--").next().unwrap_or_default().trim_end();
        current.push_str(code.strip_suffix(';').unwrap_or(code));
        current.push('\n');
        if code.ends_with(';') {
            statements.push(std::mem::take(&mut current));
        }
    }
    statements.push(current);
    statements.into_iter().map(|sql| sql.trim().to_owned()).filter(|sql| !sql.is_empty()).collect()
}

fn statement(sql: &str, known: &[Column]) -> Statement {
    let columns: Vec<Column> = known.iter().filter(|column| mentions(sql, &column.name)).cloned().collect();
    if columns.is_empty() {
        return Statement { sql: sql.to_owned(), columns };
    }
    let list = |part: fn(usize, &Column) -> String| {
        columns.iter().enumerate().map(|(index, column)| part(index, column)).collect::<Vec<_>>().join(", ")
    };
    let arrays = list(|index, column| format!("${}::{}", index + 1, column.kind.array()));
    // A field may have the name of a keyword.
    let names = list(|_, column| format!("\"{}\"", column.name));
    // A double becomes the decimal that was written: Postgres casts by its shortest form of 15 digits.
    let values = list(|_, column| match column.kind {
        Kind::Number => format!("\"{0}\"::numeric as \"{0}\"", column.name),
        _ => format!("\"{}\"", column.name),
    });
    let relation = format!("batch as materialized (select {values} from unnest({arrays}) as events ({names}))");
    Statement { sql: prepend(&relation, sql), columns }
}

fn prepend(relation: &str, sql: &str) -> String {
    match sql.strip_prefix("with ") {
        Some(rest) => format!("with {relation},\n{rest}"),
        None => format!("with {relation}\n{sql}"),
    }
}

/// Whether a name stands in a text as a whole word.
fn mentions(sql: &str, name: &str) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    sql.match_indices(name).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| sql.as_bytes().get(at));
        !is_word(before) && !is_word(sql.as_bytes().get(at + name.len()))
    })
}

/// Every column that a contract offers.
fn columns(contract: &Contract) -> Vec<Column> {
    let column = |name: &str, kind, from| Column { name: name.to_owned(), kind, from };
    let mut columns = vec![
        column("envelope_id", Kind::Uuid, From::EnvelopeId),
        column("envelope_timestamp", Kind::Time, From::EnvelopeTimestamp),
        column("envelope_type", Kind::Text, From::EnvelopeType),
        column("data", Kind::Json, From::Data(Vec::new())),
    ];
    leaves(&contract.shape, &mut Vec::new(), &mut columns);
    columns
}

fn leaves(shape: &Shape, path: &mut Vec<String>, columns: &mut Vec<Column>) {
    if !path.is_empty() {
        let name = path.iter().map(|part| snake_case(part)).collect::<Vec<_>>().join("_");
        columns.push(Column { name, kind: kind(shape), from: From::Data(path.clone()) });
    }
    if let Shape::Object { properties, .. } = shape {
        for (name, inner) in properties {
            path.push(name.clone());
            leaves(inner, path, columns);
            path.pop();
        }
    }
}

const fn kind(shape: &Shape) -> Kind {
    match shape {
        Shape::Object { .. } | Shape::Free | Shape::Array { .. } => Kind::Json,
        Shape::Text(_) | Shape::Email => Kind::Text,
        Shape::Uuid => Kind::Uuid,
        Shape::Time => Kind::Time,
        Shape::Date => Kind::Date,
        Shape::Integer(..) => Kind::Integer,
        Shape::Number(..) => Kind::Number,
        Shape::Boolean => Kind::Boolean,
    }
}

/// `amountUSD` is `amount_usd`, `matchId` is `match_id`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut after_lower = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && after_lower {
            snake.push('_');
        }
        after_lower = !letter.is_ascii_uppercase();
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The value at a path of the normalised data.
#[must_use]
pub fn value_at<'v>(data: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(data, |value, name| value.get(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names() {
        assert_eq!(snake_case("matchId"), "match_id");
        assert_eq!(snake_case("amountUSD"), "amount_usd");
        assert_eq!(snake_case("email"), "email");
        assert!(mentions("select b.match_id from batch b", "match_id"));
        assert!(!mentions("select b.match_ids, old_match_id", "match_id"));
    }

    #[test]
    fn statements_end_at_the_end_of_a_line() {
        let text = "-- why; because\nselect ';' from batch; -- so\n\nselect 2\n;\n";
        assert_eq!(split(text), ["select ';' from batch", "select 2"]);
    }

    #[test]
    fn only_mentioned_columns_are_sent_and_numbers_become_numeric() {
        let schema = json!({"title": "a", "x-version": "v1", "type": "object", "properties": {
            "matchId": {"type": "string", "format": "uuid"}, "rating": {"type": "number"}, "n": {"type": "integer"},
            "feedback": {"type": "object", "properties": {"teacherRating": {"type": "number"}}}}});
        let contract = Contract::compile(&schema.to_string()).expect("compiles");
        let sql = "with x as (select 1)\nselect match_id, feedback_teacher_rating from batch;\n";
        let projection = Projection::compile("a.sql", sql, &contract).expect("compiles");
        assert_eq!(
            projection.statements[0].sql,
            "with batch as materialized (select \"feedback_teacher_rating\"::numeric as \"feedback_teacher_rating\", \
             \"match_id\" from unnest($1::float8[], $2::uuid[]) as events (\"feedback_teacher_rating\", \"match_id\")),\n\
             x as (select 1)\nselect match_id, feedback_teacher_rating from batch"
        );
    }
}
