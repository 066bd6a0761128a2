//! ClickHouse's TabSeparated: one line per row, `\N` for null, backslashes before what would break the line.

/// A row's values as text, in the order of the query; `None` is null.
pub type Row = Vec<Option<String>>;

/// The value in a column, read as something.
pub(super) fn parsed<T: std::str::FromStr>(row: &Row, index: usize) -> Option<T> {
    row.get(index)?.as_ref()?.parse().ok()
}

/// The rows of an answer.
pub(super) fn rows(text: &str) -> Vec<Row> {
    text.lines().map(|line| line.split('\t').map(value).collect()).collect()
}

fn value(field: &str) -> Option<String> {
    if field == "\\N" {
        return None;
    }
    let mut text = String::with_capacity(field.len());
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        text.push(match characters.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('0') => '\0',
            Some(other) => other, // \\ and \'
            None => '\\',
        });
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(rows(""), Vec::<Row>::new());
        assert_eq!(rows("\n"), [vec![some("")]]);
        assert_eq!(
            rows("1\t\\N\t\n2\t\\\\N\ta\\tb\\n\\'\\\\\n"),
            [vec![some("1"), None, some("")], vec![some("2"), some("\\N"), some("a\tb\n'\\")],]
        );
    }
}
