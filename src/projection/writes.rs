//! Which tables a statement writes, as far as its text tells: for operators, not for the flow.

use std::collections::BTreeSet;

/// Words of SQL: names and keywords, in lower case. Quoted names lose their quotes.
#[must_use]
pub fn words(sql: &str) -> Vec<String> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    sql.split(|letter| !is_word(letter)).filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
}

/// What stands after `insert into`, `delete from` and `update`. Some of it is no table (`for update of …`): whoever
/// asks compares it with what tables there are.
#[must_use]
pub fn written(sql: &str) -> BTreeSet<String> {
    let words = words(sql);
    let mut tables = BTreeSet::new();
    for (index, word) in words.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|at| words.get(at)).map_or("", String::as_str);
        let is_write = match word.as_str() {
            "into" => before == "insert",
            "from" => before == "delete",
            // Of a conflict, or a lock.
            "update" => !matches!(before, "do" | "for" | "key"),
            _ => false,
        };
        if let Some(name) = words.get(index + 1).filter(|_| is_write) {
            let name = if name == "public" { words.get(index + 2).unwrap_or(name) } else { name };
            tables.insert(name.clone());
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_that_are_written_and_none_that_are_read_or_locked() {
        let sql = "with a as (insert into one (id) select id from two on conflict (id) do update set x = 1),
                   b as (update public.three set x = 1 from four), c as (delete from five using six)
                   select id from \"seven\" for no key update";
        let expected: BTreeSet<String> = ["five", "one", "three"].map(str::to_owned).into();
        assert_eq!(written(sql), expected);
    }
}
