//! Each kind of condition, on facts of every kind.

use super::given::{Given, flag, given_by, moment, rules};
use milepost::journey::Journey;
use milepost::journey::verdict::{evaluate, when_held};

/// Begins and ends of everything that is told of the flag, as days since day 0, `-` and `+` for ever: `3..5 7..+`.
#[track_caller]
fn holds(condition: &str, words: &str, expected: &str) {
    let journey = flag(condition);
    assert_eq!(stretches(&journey, words), expected, "{condition} of {words}");
}

fn stretches(journey: &Journey, words: &str) -> String {
    let Given { facts, .. } = given_by(journey, words);
    let (day, day_0) = (moment("1d") - moment("0d"), moment("0d"));
    let write = |at: i64| match at {
        i64::MIN => "-".to_owned(),
        i64::MAX => "+".to_owned(),
        at => {
            let (days, micros) =
                ((at - day_0 + day / 2).div_euclid(day), (at - day_0 + day / 2).rem_euclid(day) - day / 2);
            if micros == 0 { days.to_string() } else { format!("{days}{micros:+}") }
        }
    };
    let held = when_held(&journey.flags[0], &facts);
    let text = |one: &milepost::journey::interval::Interval| match one.since == one.from {
        true => format!("{}..{}", write(one.from), write(one.until)),
        false => format!("{}({})..{}", write(one.from), write(one.since), write(one.until)),
    };
    held.list().iter().map(text).collect::<Vec<_>>().join(" ")
}

#[test]
fn counts_up_to_a_moment() {
    let three = "{ count = 'pings', at_least = 3 }";
    holds(three, "ping@1d ping@2d", "");
    holds(three, "ping@1d ping@2d ping@9d", "9..+");
    holds(three, "ping@9d ping@1d pong:x@2d pong:y@3d", "9..+"); // only the label that is meant
    holds(three, "ping@4d ping@4d ping@4d", "4..+"); // equal times
    holds("{ count = 'pings', above = 2 }", "ping@1d ping@2d ping@9d ping@10d", "9..+");
    holds("{ ever = 'pings' }", "ping@5d ping@3d", "3..+");
    // What can only come to an end needs something that begins.
    let at_most = "{ all_of = [{ ever = 'grades' }, { count = 'pings', at_most = 1 }] }";
    holds(at_most, "grade@1d", "1..+");
    holds(at_most, "grade@1d ping@2d ping@3d", "1..3");
    holds(at_most, "grade@3d ping@2d ping@3d", "");
    holds("{ all_of = [{ ever = 'grades' }, { count = 'pings', below = 2 }] }", "grade@1d ping@2d ping@3d", "1..3");
    holds("{ all_of = [{ ever = 'grades' }, { count = 'pings', at_most = 0 }] }", "grade@1d ping@2d", "1..2");
}

#[test]
fn counts_within_a_time() {
    let one = "{ count = 'pings', at_least = 1, within = '3d' }";
    holds(one, "ping@1d", "1..4");
    holds(one, "ping@1d ping@4d", "1..7"); // exactly when the first goes out
    holds(one, "ping@1d ping@4d+1us", "1..4 4+1..7+1");
    holds(one, "ping@1d ping@4d-1us", "1..7-1");
    let two = "{ count = 'pings', at_least = 2, within = '3d' }";
    holds(two, "ping@1d ping@2d", "2..4");
    holds(two, "ping@1d ping@4d", "");
    holds(two, "ping@1d ping@4d-1us", "4-1..4");
    holds(two, "ping@1d ping@2d ping@4d", "2..5"); // one goes out as another comes in
    holds(two, "ping@1d ping@1d", "1..4");
    let few = "{ all_of = [{ ever = 'grades' }, { count = 'pings', at_most = 1, within = '3d' }] }";
    holds(few, "grade@0d ping@1d ping@2d", "0..2 4..+");
    // Two rules that keep runs of different lengths.
    let both = rules(
        "[flags]\na = { version = 1, holds = { count = 'pings', at_least = 1, within = '3d' } }\n\
         b = { version = 1, holds = { count = 'pings', at_least = 1, within = '1d' } }",
    );
    assert_eq!(stretches(&both, "ping@1d ping@3d ping@6d ping@9d+1us"), "1..9 9+1..12+1");
}

#[test]
fn counts_of_episodes_and_marks() {
    holds("{ count = 'match', at_least = 2 }", "begin/a@1d begin/a@2d begin/b@3d end/b@3d", "3..+");
    holds("{ count = 'match', at_least = 1, within = '2d' }", "begin/a@1d begin/b@4d", "1..3 4..6");
    holds("{ ever = 'match' }", "end/a@1d", "");
    holds("{ count = 'match.note', at_least = 2 }", "begin@1d note@2d note@3d note/other@2d", "3..+");
    holds("{ ever = 'match.note' }", "note@2d", ""); // its episode has not begun
    holds("{ ever = 'match.note' }", "note@2d begin@5d", "5..+");
    holds("{ ever = 'early.note' }", "begin@1d note:y@2d", "");
}

#[test]
fn what_has_states_begins_with_the_first() {
    holds("{ ever = 'course' }", "state=1@3d state=0@5d", "3..+");
    holds("{ count = 'course', at_least = 2 }", "state=1@3d state=1@4d state/b=1@5d", "5..+");
    holds("{ ever = 'course.note' }", "state=1@3d note@1d", "3..+");
    holds("{ missing = 'course.note', when_ended_or_after = '4d' }", "state=1@3d", "7..+");
    holds("{ quiet = 'course', for = '2d' }", "state=1@3d state/b=1@6d", "5..6 8..+");
}

#[test]
fn sums_and_means_are_decimal() {
    let mean = "{ mean = 'grades', at_least = 0.8 }";
    holds(mean, "grade=0.8@1d", "1..+");
    holds(mean, "grade=0.7@1d grade=0.8@1d grade=0.9@1d", "1..+"); // 0.80 is 0.80
    holds(mean, "grade=0.1@1d grade=1.5@1d", "1..+");
    holds(mean, "grade=0.7999999999999999@1d", "");
    holds(mean, "grade=1@1d grade=0.5@2d grade=0.9@3d", "1..2 3..+"); // falls to 0.75, rises to 0.80
    holds("{ mean = 'grades', below = 0.8 }", "grade=0.8@1d grade=0.79@2d", "2..+"); // nothing has no mean
    holds("{ mean = 'grades', above = 0.8 }", "grade=0.8@1d grade=0.8@2d", "");
    holds("{ mean = 'grades', at_most = 0.8 }", "grade=0.8@1d grade=0.9@2d", "1..2");
    holds("{ mean = 'grades', at_least = 0.8, within = '3d' }", "grade=0.6@1d grade=0.9@2d", "4..5");
    holds("{ mean = 'match.grade', at_least = 0.8 }", "begin@3d grade=0.9@1d grade/other=0@2d", "3..+");
    let sum = "{ sum = 'grades', at_least = 0.3 }";
    holds(sum, "grade=0.1@1d grade=0.2@2d", "2..+"); // not 0.30000000000000004, but also not less
    holds("{ sum = 'grades', above = 0.3 }", "grade=0.1@1d grade=0.2@2d", "");
    holds("{ sum = 'pings', at_least = 2, within = '2d' }", "ping@1d ping@2d", "2..3"); // without values: 1 each
    // What is too large for a decimal is as large as one can be.
    holds(sum, "grade=79000000000000000000000000000@1d grade=79000000000000000000000000000@2d", "1..+");
}

#[test]
fn the_latest_value() {
    let low = "{ latest = 'grades', below = 0.5 }";
    holds(low, "grade=0.4@1d grade=0.3@2d grade=0.5@4d grade=0@6d", "1..2 2..4 6..+"); // told since the latest
    holds(low, "grade=0.4@1d~1d grade=0.5@1d~2d", "");
    holds(low, "grade=0.4@1d~2d grade=0.5@1d~1d", "1..+");
    holds("{ latest = 'match.grade', below = 0.5 }", "begin/a@1d begin/b@2d grade/a=0.4@3d grade/b=0.6@4d", "3..4");
    holds("{ latest = 'grades', at_least = 0.5 }", "grade=0.5@1d grade=0.49@2d", "1..2");
}

#[test]
fn a_value_rises() {
    holds("{ rises = 'grades' }", "grade=0.5@1d grade=0.5@2d grade=0.4@3d", "");
    holds("{ rises = 'grades' }", "grade=0.5@1d grade=0.4@2d grade=0.6@3d grade=0.7@4d", "3..+");
    holds("{ rises = 'grades' }", "grade=0.5@1d grade=0.6@1d", "");
    holds("{ rises = 'match.grade' }", "begin@5d grade=0.1@1d grade=0.2@2d grade=0.3@6d", "6..+"); // two at once, then
}

#[test]
fn open_and_closed() {
    let words = "begin/a@1d begin/b@2d end/a@3d end/b@4d begin/c@4d end/c@6d begin/d@8d";
    holds("{ open = 'match' }", words, "1..6 8..+");
    holds("{ closed = 'match' }", words, "6..8");
    holds("{ closed = 'match' }", "begin@1d", "");
    holds("{ closed = 'match' }", "end@1d", "");
    holds("{ closed = 'match' }", "begin@2d end@1d", "2..+"); // over when it began
    holds("{ open = 'match' }", "begin@2d end@2d", "");
    holds("{ open = 'snap' }", "snapshot@1d..5d", "1..5");
    holds("{ open = 'snap' }", "snapshot@1d..5d~1d snapshot@2d~2d", "2..+"); // the latest snapshot says no end
    holds("{ open = 'snap' }", "snapshot@1d..5d stop@3d", "1..3"); // the earlier of both ends
    holds("{ open = 'snap' }", "snapshot@1d..5d stop@7d", "1..5");
    holds("{ open = 'snap' }", "snapshot#1@1d~1d snapshot@2d~2d", "1..+"); // rank before time
    holds("{ open = 'early' }", "begin@3d~1d begin@2d~2d end:x@9d~1d end:x@8d~2d end:y@4d", "2..8");
    holds("{ open = 'match' }", "begin@3d~1d begin@2d~2d end@9d~1d end@8d~2d", "3..9");
}

#[test]
fn states_open_and_close() {
    holds("{ open = 'course' }", "state=1@1d state=0@3d state=1@5d", "1..3 5..+");
    holds("{ open = 'course' }", "state=0@1d state=1@2d", "2..+");
    holds("{ open = 'course' }", "state=1@1d state=1@2d state=0@3d", "1..3");
    holds("{ open = 'course' }", "state=1@1d stop@2d state=1@5d", "1..2"); // what has ended does not open again
    holds("{ open = 'course' }", "state=1@1d stop@9d stop@4d", "1..4");
    holds("{ open = 'course' }", "state=1@1d~1d state=0@1d~2d", ""); // the last telling of a moment
    holds("{ open = 'course' }", "state=1@1d~2d state=0@1d~1d", "1..+");
    holds("{ open = 'course' }", "state=1@0d state=0@1d~1d state=1@1d~2d", "0..+");
    holds("{ closed = 'course' }", "state=0@1d state=1@2d state=0@3d", "1..2 3..+");
}

#[test]
fn quiet_since_the_last() {
    let quiet = "{ quiet = 'pings', for = '3d' }";
    holds(quiet, "", "");
    holds(quiet, "ping@1d", "4..+");
    holds(quiet, "ping@1d ping@4d", "7..+"); // exactly 3 days
    holds(quiet, "ping@1d ping@4d+1us", "4..4+1 7+1..+");
    let longer = "{ quiet = 'pings', for_more_than = '3d' }";
    holds(longer, "ping@1d", "4+1(4)..+");
    holds(longer, "ping@1d ping@4d+1us", "7+2(7+1)..+");
    holds(longer, "ping@1d ping@4d+2us", "4+1(4)..4+2 7+3(7+2)..+");
    holds("{ quiet = ['pings', 'grades', 'match'], for = '3d' }", "ping@1d grade@3d begin@5d end@7d", "8..+");
    // Two rules that keep runs of different lengths.
    let both = rules(
        "[flags]\na = { version = 1, holds = { quiet = 'pings', for = '3d' } }\n\
         b = { version = 1, holds = { quiet = 'pings', for = '1d' } }",
    );
    assert_eq!(stretches(&both, "ping@1d ping@3d ping@6d ping@9d+1us"), "9..9+1 12+1..+");
}

#[test]
fn quiet_during_an_episode() {
    let quiet = "{ quiet = 'pings', for = '3d', during = 'match' }";
    holds(quiet, "ping@1d", "");
    holds(quiet, "begin@1d", "4..+");
    holds(quiet, "begin@1d end@4d", "");
    holds(quiet, "begin@1d end@5d", "4..5");
    holds(quiet, "ping@0d begin@1d ping@2d ping@8d", "5..8 11..+");
    holds(quiet, "begin/a@1d begin/b@2d", "4..+ 5..+"); // per episode
    holds("{ quiet = 'match.note', for_more_than = '3d', during = 'match' }", "begin@1d note/other@2d", "4+1(4)..+");
    // An episode that says again that it is open is one and the same stretch.
    holds("{ quiet = 'pings', for = '3d', during = 'course' }", "state=1@1d state=1@2d", "4..+");
    holds("{ quiet = 'pings', for = '3d', during = 'course' }", "state=1@1d state=1@9d", "4..+");
    holds("{ quiet = 'pings', for = '3d', during = 'course' }", "state=1@1d state=0@5d~1d state=1@5d~2d", "4..+");
    holds("{ quiet = 'pings', for = '3d', during = 'course' }", "state=1@1d state=0@5d state=1@7d", "4..5 10..+");
    holds("{ quiet = 'pings', for = '3d', during = ['match', 'course'] }", "begin@1d state=1@2d end@9d", "4..9 5..+");
}

#[test]
fn something_is_missing() {
    let old = "{ missing = 'match.note', when_ended_or_after = '5d' }";
    holds(old, "begin@1d", "6..+");
    holds(old, "begin@1d end@3d", "3..+");
    holds(old, "begin@1d end@9d note@7d", "6..7");
    holds(old, "begin@1d note@6d", "");
    holds(old, "begin@1d note@6d+1us", "6..6+1");
    holds(old, "begin/a@1d begin/b@2d note/b@9d note/a@8d", "6..8 7..9");
    let ended = "{ missing = 'match.note' }";
    holds(ended, "begin@1d", "");
    holds(ended, "begin@1d end@3d", "3..+");
    holds(ended, "begin@1d end@3d note@3d", "");
}

#[test]
fn conditions_of_conditions() {
    holds("{ all_of = [{ ever = 'pings' }, { open = 'match' }] }", "ping@2d begin@1d end@3d", "2..3");
    holds("{ all_of = [{ ever = 'pings' }, { not = { open = 'match' } }] }", "ping@2d begin@1d end@3d", "3..+");
    holds(
        "{ any_of = [{ open = 'snap' }, { open = 'match' }] }",
        "snapshot@1d..3d begin@3d end@4d begin/b@6d",
        "1..4 6..+",
    );
    // Told since the later of what both need, also where one of them needs more than a time.
    let (longer, from) = ("{ quiet = 'pings', for_more_than = '3d' }", "{ quiet = 'grades', for = '3d' }");
    for pair in [format!("{longer}, {from}"), format!("{from}, {longer}")] {
        let all_of = format!("{{ all_of = [{pair}] }}");
        holds(&all_of, "ping@1d grade@1d+1us", "4+1..+");
        holds(&all_of, "ping@1d grade@1d", "4+1(4)..+");
        let any_of = format!("{{ any_of = [{pair}] }}");
        holds(&any_of, "ping@1d grade@1d+1us", "4+1(4)..+");
        holds(&any_of, "ping@1d grade@1d", "4..+");
        holds(&any_of, "ping@1d grade@1d+1us grade@9d", "4+1(4)..+");
    }
}

#[test]
fn a_flag_expires() {
    let journey =
        |holds: &str| rules(&format!("[flags]\nflag = {{ version = 1, holds = {holds}, expires_after = '3d' }}"));
    assert_eq!(stretches(&journey("{ ever = 'pings' }"), "ping@1d"), "1..4");
    assert_eq!(stretches(&journey("{ open = 'match' }"), "begin@1d end@3d begin@5d"), "1..3");
    let longer = "{ quiet = 'pings', for_more_than = '3d' }";
    assert_eq!(stretches(&journey(longer), "ping@1d"), "4+1(4)..7"); // counted from what people are told
    assert_eq!(stretches(&journey("{ latest = 'grades', below = 0.5 }"), "grade=0@1d grade=0@3d"), "1..3 3..6");
    let (journey, now) = (journey("{ ever = 'pings' }"), moment("2d"));
    let held = evaluate(&journey, &given_by(&journey, "ping@1d").facts, now);
    assert_eq!(held.flags["flag"].expires, Some(moment("4d")));
    assert_eq!(held.next_change, Some(moment("4d")));
}

#[test]
fn the_next_change_is_that_of_the_flag_that_changes_first() {
    let journey = rules(
        "[flags]\na = { version = 3, holds = { quiet = 'pings', for = '3d' } }\n\
         b = { version = 1, holds = { count = 'pings', at_least = 1, within = '2d' } }",
    );
    let facts = given_by(&journey, "ping@1d").facts;
    let at = |now: &str| evaluate(&journey, &facts, moment(now));
    let names = |now: &str| at(now).flags.keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(["0d", "1d", "3d", "4d"].map(names), ["", "b", "", "a"]);
    let next = |now: &str| at(now).next_change;
    assert_eq!(["0d", "1d", "3d", "4d"].map(next), [Some(moment("1d")), Some(moment("3d")), Some(moment("4d")), None]);
    assert_eq!((at("5d").flags["a"].rule.as_str(), at("5d").flags["a"].expires), ("a@3", None));
}
