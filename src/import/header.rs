//! One name for each column, however a file spells it.

/// The snake-case name of a header: `matchId`, `match_id`, `Match ID`, `match-id` and `match.id` are one column.
pub(super) fn snake(header: &str) -> String {
    let letters: Vec<char> = header.trim().chars().collect();
    let mut name = String::with_capacity(header.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            boundary(&mut name);
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let follows_small = before.is_some_and(|before| before.is_ascii_lowercase() || before.is_ascii_digit());
        // The last letter of an abbreviation begins the next word: `userIDType`.
        let ends_abbreviation =
            before.is_some_and(char::is_ascii_uppercase) && letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && (follows_small || ends_abbreviation) {
            boundary(&mut name);
        }
        name.push(letter.to_ascii_lowercase());
    }
    name.trim_end_matches('_').to_owned()
}

fn boundary(name: &mut String) {
    if !name.is_empty() && !name.ends_with('_') {
        name.push('_');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::snake;

    #[test]
    fn spellings_of_one_column() {
        for header in ["matchId", "match_id", "Match ID", "match-id", "MATCH_ID", " MatchId ", "match.id", "matchID"] {
            assert_eq!(snake(header), "match_id", "{header}");
        }
        assert_eq!(snake("userIDType"), "user_id_type");
        assert_eq!(snake("sdgGoals2"), "sdg_goals2");
        assert_eq!(snake(""), "");
    }

    proptest! {
        #[test]
        fn a_name_is_its_own_spelling(header in "\\PC{0,30}") {
            let name = snake(&header);
            prop_assert_eq!(snake(&name), name);
        }

        #[test]
        fn camel_case_and_snake_case_are_one(words in prop::collection::vec("[a-z]{2,8}", 1..5)) {
            let capital = |word: &String| {
                let (first, rest) = word.split_at(1);
                first.to_uppercase() + rest
            };
            let camel: String = words[..1].iter().cloned().chain(words[1..].iter().map(capital)).collect();
            prop_assert_eq!(snake(&camel), words.join("_"));
        }
    }
}
