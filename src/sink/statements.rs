//! As much of ClickHouse's SQL as migrations need: where a statement ends.

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// White space.
    Space,
    /// A comment.
    Comment,
    /// A quoted text or name, with its quotes.
    Quoted,
    /// Letters, digits and underscores.
    Word,
    /// Any other character.
    Sign,
}

/// A file's statements, without comments and semicolons.
#[must_use]
pub fn split(text: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    for (kind, piece) in pieces(text) {
        match (kind, piece) {
            (Kind::Comment, _) => {}
            (Kind::Sign, ";") => statements.push(String::new()),
            _ => statements.iter_mut().last().into_iter().for_each(|statement| statement.push_str(piece)),
        }
    }
    statements.iter().map(|statement| statement.trim().to_owned()).filter(|statement| !statement.is_empty()).collect()
}

/// The text in pieces that together are the text.
pub(super) fn pieces(text: &str) -> Vec<(Kind, &str)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = measure(rest, first);
        let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        pieces.push((kind, piece));
        rest = after;
    }
    pieces
}

fn measure(rest: &str, first: char) -> (Kind, usize) {
    let run = |belongs: fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
    let up_to = |end: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
    match first {
        _ if rest.starts_with("--") => (Kind::Comment, up_to("\n")),
        _ if rest.starts_with("/*") => (Kind::Comment, up_to("*/")),
        '\'' | '`' | '"' => (Kind::Quoted, quoted(rest, first)),
        _ if first.is_whitespace() => (Kind::Space, run(char::is_whitespace)),
        _ if is_word(first) => (Kind::Word, run(is_word)),
        _ => (Kind::Sign, first.len_utf8()),
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Up to the quote that is not escaped; a doubled one begins the next piece, which comes to the same.
fn quoted(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if character == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_clickhouse_ends_them() {
        let text = "-- why; not\ncreate table a (b String comment 'x; ''y'' \\'; z') /* ; */ engine = Log;\n\ndrop table `a;b`;\n;";
        assert_eq!(
            split(text),
            ["create table a (b String comment 'x; ''y'' \\'; z')  engine = Log", "drop table `a;b`",]
        );
        assert_eq!(split("select 'open"), ["select 'open"]);
        let odd = "é--c\n'ü\\'";
        assert_eq!(pieces(odd).iter().map(|(_, piece)| *piece).collect::<String>(), odd);
    }
}
