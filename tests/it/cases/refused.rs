//! What `streams check` refuses in `journey.toml`, with the place.

use super::given::{FACTS, compile, rules};

/// The faults of these rules after the shared facts, their lines counted from the first line of the rules.
fn faults(rules: &str) -> Vec<String> {
    let faults = compile(&format!("{FACTS}{rules}")).err().unwrap_or_default();
    let before = FACTS.lines().count();
    let place = |fault: &String| {
        let (line, said) = fault.strip_prefix("journey.toml:")?.split_once(": ")?;
        Some(format!("{}: {said}", line.parse::<usize>().ok()?.checked_sub(before)?))
    };
    faults.iter().map(|fault| place(fault).unwrap_or_else(|| panic!("no place in these rules: {fault}"))).collect()
}

/// One fault, in that line, which says that.
#[track_caller]
fn refuses(rules: &str, line: usize, said: &str) {
    let faults = faults(rules);
    let [fault] = faults.as_slice() else { panic!("{rules} has faults {faults:?}") };
    assert!(fault.starts_with(&format!("{line}: ")) && fault.contains(said), "{rules} has the fault {fault}");
}

/// A condition that no flag may have.
#[track_caller]
fn refuses_flag(holds: &str, said: &str) {
    refuses(&format!("\n[flags.f]\nversion = 1\nholds = {holds}\n"), 4, said);
}

/// A condition that no milestone may have, but a flag may.
#[track_caller]
fn refuses_milestone(reached: &str, said: &str) {
    rules(&format!("[flags.f]\nversion = 1\nholds = {reached}\n"));
    refuses(&format!("[milestones.m]\nversion = 1\n\nreached = {reached}\n"), 4, said);
}

#[track_caller]
fn accepts_flag(holds: &str) {
    rules(&format!("[flags.f]\nversion = 1\nholds = {holds}\n"));
}

/// A file of its own, its line and what is said.
#[track_caller]
fn refuses_file(text: &str, line: usize, said: &str) {
    let faults = compile(text).err().unwrap_or_default();
    let place = format!("journey.toml:{line}: ");
    assert!(matches!(faults.as_slice(), [one] if one.starts_with(&place) && one.contains(said)), "{faults:?}");
}

#[test]
fn unknown_names() {
    refuses_flag("{ ever = 'pinks' }", "there is no fact \"pinks\"; there are course, early, grades");
    refuses_flag("{ count = 'match.nod', at_least = 2 }", "the fact \"match\" has no mark \"nod\"");
    refuses_flag("{ count = 'pings.note', at_least = 2 }", "the fact \"pings\" has no mark \"note\"");
    refuses_flag("{ open = 'nothing' }", "there is no fact \"nothing\"");
    refuses_flag("{ quiet = ['pings', 'pongs'], for = '3d' }", "there is no fact \"pongs\"");
    refuses_flag("{ quiet = 'pings', for = '3d', during = 'nothing' }", "there is no fact \"nothing\" of episodes");
    refuses_flag("{ any_of = [{ ever = 'pings' }, { not = { ever = 'pinks' } }] }", "there is no fact \"pinks\"");
    refuses("x = { occurrences = [\n'ping',\n'pink',\n] }", 3, "there is no signal \"pink\"");
    refuses("x = { begin = 'pink' }", 1, "there is no signal \"pink\"");
    refuses("x = { begin = 'ping', end = 'pink' }", 1, "there is no signal \"pink\"");
    refuses("x = { states = 'pink' }", 1, "there is no signal \"pink\"");
    refuses("x = { begin = 'ping', marks = { a = 'pink:x' } }", 1, "there is no signal \"pink\"");
    refuses("[summary]\na = { ever = 'pings' }\nb = { last = 'pinks' }", 3, "there is no fact \"pinks\"");
    refuses_file("person = 'person'\n\n[[signals]]\nname = 'a'\nevent = 'no.such'\nsql = 'select 1'", 3, "no.such v1");
    let versioned = "person = 'person'\n[[signals]]\nname = 'a'\nevent = 'one.done'\nversion = 'v3'\nsql = 'select 1'";
    refuses_file(versioned, 2, "there is no contract of one.done v3");
    refuses_file("\nperson = 'somebody'", 2, "no entity \"somebody\"; stream.toml has person, thing");
}

#[test]
fn unknown_keys() {
    refuses("\n[flags.f]\nversion = 1\nhold = { ever = 'pings' }", 4, "unknown field `hold`");
    refuses("\n[flags.f]\nversion = 1\nholds = { evr = 'pings' }", 4, "unknown field `evr`");
    refuses("[milestones.m]\nversion = 1\nreached = { ever = 'pings' }\nexpires_after = '3d'", 4, "unknown field");
    refuses("x = { occurences = ['ping'] }", 1, "unknown field `occurences`");
    refuses("[summary]\na = { first = 'pings' }", 2, "unknown variant `first`");
    refuses("[flag.f]\nversion = 1", 1, "unknown field `flag`");
    refuses("x = { begin = 'begin', begin_told = 'lately' }", 1, "unknown variant `lately`");
    refuses_file("person = 'person'\n[publish]\nmilestone_reached = 'a'\nprofile = 'b'", 4, "unknown field `profile`");
    refuses("[flags.f]\nholds = { ever = 'pings' }", 1, "missing field `version`");
}

#[test]
fn a_condition_is_of_one_kind_and_has_what_belongs_to_it() {
    refuses_flag("{ ever = 'pings', open = 'match' }", "one kind, this one of: ever, open");
    refuses_flag("{ at_least = 3 }", "one kind, this one of: none");
    refuses_flag("{ ever = 'pings', at_least = 3 }", "ever has no at_least");
    refuses_flag("{ open = 'match', within = '3d', for = '2d' }", "open has no within, for");
    refuses_flag("{ latest = 'grades', below = 0.5, within = '3d' }", "latest has no within");
    refuses_flag("{ count = 'pings', at_least = 3, during = 'match' }", "count has no during");
    refuses_flag("{ quiet = 'pings', for = '3d', when_ended_or_after = '3d' }", "quiet has no when_ended_or_after");
    refuses_flag("{ missing = 'match.note', for = '3d' }", "missing has no for");
    refuses_flag("{ count = 'pings' }", "exactly one of at_least, at_most, above, below");
    refuses_flag("{ mean = 'grades', above = 0.3, below = 0.5 }", "exactly one of at_least, at_most, above, below");
    refuses_flag("{ quiet = 'pings' }", "either `for` or `for_more_than`");
    refuses_flag("{ quiet = 'pings', for = '3d', for_more_than = '3d' }", "either `for` or `for_more_than`");
    refuses_flag("{ quiet = [], for = '3d' }", "quiet names no fact");
    refuses_flag("{ all_of = [] }", "all_of names no condition");
    refuses_flag("{ any_of = [] }", "any_of names no condition");
}

#[test]
fn a_condition_asks_what_the_fact_can_answer() {
    refuses_flag("{ open = 'pings' }", "made of occurrences, which do not begin and end");
    refuses_flag("{ closed = 'pings' }", "made of occurrences, which do not begin and end");
    refuses_flag("{ quiet = 'grades', for = '3d', during = ['match', 'pings'] }", "do not begin and end");
    refuses_flag("{ mean = 'match', at_least = 0.5 }", "made of episodes, which have no value");
    refuses_flag("{ latest = 'match', below = 0.5 }", "made of episodes, which have no value");
    refuses_flag("{ sum = 'match', at_least = 1 }", "made of episodes, which have no value");
    refuses_flag("{ rises = 'match' }", "made of episodes, which have no value");
    refuses_flag("{ missing = 'match' }", "missing needs a mark, as in \"match.mark\"");
    refuses_flag("{ quiet = 'match.note', for = '3d' }", "needs during = \"match\"");
    refuses_flag("{ quiet = 'match.note', for = '3d', during = ['match', 'early'] }", "needs during = \"match\"");
    refuses("x = { end = 'end' }", 1, "neither occurrences nor episodes");
    refuses("x = {}", 1, "neither occurrences nor episodes");
    refuses("x = { occurrences = ['ping'], begin = 'begin' }", 1, "neither occurrences nor episodes");
    refuses("x = { occurrences = ['ping'], marks = { note = 'note' } }", 1, "neither occurrences nor episodes");
}

#[test]
fn impossible_thresholds() {
    for compare in ["at_least = 0", "above = -1", "below = 0", "at_most = -1", "at_least = -5", "at_least = 2.5"] {
        refuses_flag(&format!("{{ count = 'pings', {compare} }}"), "no count of pings can decide on");
    }
    refuses_flag("{ count = 'pings', at_least = 1e12 }", "no count of pings can decide on 1000000000000");
    refuses_flag("{ all_of = [{ ever = 'grades' }, { count = 'pings', at_most = 1e20 }] }", "no count of pings");
    // Values of grades are declared to be from 0 to 1.
    for kind in ["mean", "latest"] {
        refuses_flag(&format!("{{ {kind} = 'grades', at_least = 1.01 }}"), "from 0 to 1, this never holds");
        refuses_flag(&format!("{{ {kind} = 'grades', above = 1 }}"), "from 0 to 1, this never holds");
        refuses_flag(&format!("{{ {kind} = 'grades', below = 0 }}"), "from 0 to 1, this never holds");
        refuses_flag(&format!("{{ {kind} = 'grades', at_least = 0 }}"), "from 0 to 1, this always holds");
        refuses_flag(&format!("{{ {kind} = 'grades', below = 80 }}"), "from 0 to 1, this always holds");
        for possible in ["at_least = 1", "above = 0", "at_most = 0", "below = 0.01"] {
            accepts_flag(&format!("{{ {kind} = 'grades', {possible} }}"));
        }
    }
    for number in ["nan", "inf", "-inf", "1e40"] {
        refuses_flag(&format!("{{ sum = 'grades', at_least = {number} }}"), "no usable number");
    }
    refuses("x = { occurrences = ['grade'], values = [0, inf] }", 1, "no usable number");
    refuses("x = { occurrences = ['grade'], values = [1, 1] }", 1, "the values have no range");
    refuses("x = { occurrences = ['grade'], values = [1, 0] }", 1, "the values have no range");
}

#[test]
fn impossible_times() {
    for time in ["0s", "0d", "-3d", "3 fortnights", "", "5ns", "99999999999d", "14"] {
        let place = format!("{time:?}");
        refuses_flag(&format!("{{ quiet = 'pings', for = '{time}' }}"), &place);
        refuses_flag(&format!("{{ quiet = 'pings', for_more_than = '{time}' }}"), &place);
        refuses_flag(&format!("{{ count = 'pings', at_least = 2, within = '{time}' }}"), &place);
        refuses_flag(&format!("{{ missing = 'match.note', when_ended_or_after = '{time}' }}"), &place);
        let expires = format!("[flags.f]\nversion = 1\nholds = {{ ever = 'pings' }}\nexpires_after = '{time}'");
        refuses(&expires, 4, &place);
    }
}

#[test]
fn rules_that_hold_for_nobody() {
    let never = |one: &str, another: &str| {
        refuses_flag(&format!("{{ all_of = [{one}, {another}] }}"), "can never hold");
        refuses_flag(&format!("{{ all_of = [{another}, {{ ever = 'grades' }}, {one}] }}"), "can never hold");
    };
    never("{ open = 'match' }", "{ closed = 'match' }");
    never("{ ever = 'pings' }", "{ not = { ever = 'pings' } }");
    never("{ count = 'pings', at_least = 3 }", "{ count = 'pings', at_most = 2 }");
    never("{ count = 'pings', at_least = 3 }", "{ count = 'pings', below = 3 }");
    never("{ count = 'pings', above = 3 }", "{ count = 'pings', at_most = 3 }");
    never("{ mean = 'grades', at_least = 0.8 }", "{ mean = 'grades', below = 0.8 }");
    never("{ latest = 'grades', above = 0.8 }", "{ latest = 'grades', at_most = 0.5 }");
    never("{ quiet = 'pings', for = '3d' }", "{ count = 'pings', at_least = 1, within = '3d' }");
    refuses_flag(
        "{ any_of = [{ ever = 'pings' }, { all_of = [{ open = 'match' }, { closed = 'match' }] }] }",
        "\"f\" can never hold: match is open contradicts match is closed",
    );
    let both = |one: &str, another: &str| accepts_flag(&format!("{{ all_of = [{one}, {another}] }}"));
    both("{ open = 'match' }", "{ closed = 'early' }");
    both("{ count = 'pings', at_least = 3 }", "{ count = 'pings', at_most = 3 }");
    both("{ count = 'pings', at_least = 3 }", "{ count = 'pings', at_most = 2, within = '3d' }");
    both("{ mean = 'grades', at_least = 0.8 }", "{ latest = 'grades', below = 0.8 }");
    both("{ quiet = 'pings', for = '3d' }", "{ count = 'pings', at_least = 1, within = '4d' }");
    let quiet = "{ quiet = 'match.note', for = '3d', during = 'match' }";
    both(quiet, "{ count = 'match.note', at_least = 1, within = '3d' }"); // one match may be quiet, another not
}

#[test]
fn rules_that_hold_for_everybody() {
    refuses_flag("{ not = { ever = 'pings' } }", "holds for everybody from the beginning");
    refuses_flag("{ count = 'pings', at_most = 3 }", "holds for everybody from the beginning");
    refuses_flag("{ sum = 'grades', below = 3 }", "holds for everybody from the beginning");
    refuses_flag("{ any_of = [{ ever = 'pings' }, { not = { open = 'match' } }] }", "holds for everybody");
    refuses("[milestones.m]\nversion = 1\nreached = { sum = 'grades', below = 3 }", 3, "holds for everybody");
    accepts_flag("{ all_of = [{ ever = 'pings' }, { not = { open = 'match' } }] }");
}

#[test]
fn milestones_are_reached_by_events() {
    refuses_milestone("{ quiet = 'pings', for = '3d' }", "quiet comes true by the passing of time");
    refuses_milestone("{ missing = 'match.note', when_ended_or_after = '3d' }", "comes true by the passing of time");
    refuses_milestone("{ all_of = [{ ever = 'pings' }, { not = { open = 'match' } }] }", "not comes true by");
    refuses_milestone("{ mean = 'grades', at_least = 0.5, within = '3d' }", "within comes true by");
    let few = "{ all_of = [{ ever = 'pings' }, { count = 'grades', at_most = 2, within = '3d' }] }";
    refuses_milestone(few, "within comes true by");
    let reached = |holds: &str| rules(&format!("[milestones.m]\nversion = 1\nreached = {holds}"));
    for holds in ["{ missing = 'match.note' }", "{ closed = 'match' }", "{ count = 'pings', above = 2, within = '3d' }"]
    {
        assert_eq!(reached(holds).milestones.len(), 1);
    }
}

#[test]
fn names_are_used_once_and_fit_their_columns() {
    let flag = "{ version = 1, holds = { ever = 'pings' } }";
    refuses(&format!("[flags]\nf = {flag}\nf = {flag}"), 3, "duplicate key");
    refuses(&format!("[flags]\nf = {flag}\n[flags.f]\nversion = 1"), 3, "duplicate key");
    refuses("pings = { occurrences = ['ping'] }", 1, "duplicate key");
    refuses("[milestones.m]\nversion = 1\nversion = 2", 3, "duplicate key");
    refuses("[summary]\na = { ever = 'pings' }\na = { count = 'pings' }", 3, "duplicate key");
    let signal = "[[signals]]\nname = 'a'\nevent = 'one.done'\nsql = 'select 1'\n";
    refuses_file(&format!("person = 'person'\n{signal}{signal}"), 6, "\"a\" is declared twice for one.done");
    let long = "a".repeat(81);
    for name in ["'Upper'", "'with space'", "'über'", "'1st'", "''", long.as_str()] {
        refuses(&format!("[flags]\n{name} = {flag}"), 2, "a name is made of a-z, 0-9 and _, at most 80 characters");
        refuses(&format!("{name} = {{ occurrences = ['ping'] }}").replace(&long, "'ä'"), 1, "the name is not plain");
    }
    refuses("[flags]\nf = { version = 0, holds = { ever = 'pings' } }", 2, "versions begin with 1");
    refuses_file("person = 'person'\nsummary_column = 'x; drop'", 2, "summary_column must be made of a-z");
    rules(&format!("[flags]\nsame = {flag}\n[milestones]\nsame = {}", flag.replace("holds", "reached")));
}

#[test]
fn all_faults_are_told_together() {
    let rules = "x = { occurrences = ['pink'] }\n\
                 [flags.a]\nversion = 0\nholds = { ever = 'pinks' }\n\
                 [flags.b]\nversion = 1\nholds = { all_of = [{ evr = 1 }] }\n"
        .replace("{ evr = 1 }", "{ count = 'pings' },\n { mean = 'match', above = 1 }");
    let faults = faults(&rules);
    let lines: Vec<&str> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
    assert_eq!(lines, ["1", "2", "4", "7", "8"], "{faults:?}");
}

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    refuses("[flags]\nf = { version = 1, holds = }", 2, "expected");
    refuses("[flags]\nf = { version = 'one', holds = { ever = 'pings' } }", 2, "invalid type");
}
