//! Which facts that are kept for some rules serve others, when rules change.

use super::given::{FACTS, compile, given_by, moment, rules};
use milepost::journey::Journey;
use milepost::journey::fold::{from_bytes, narrowed, to_bytes};
use milepost::journey::verdict::{Verdict, evaluate};

fn asking(conditions: &[&str]) -> Journey {
    let flag = |(index, holds): (usize, &&str)| format!("f{index} = {{ version = 1, holds = {holds} }}\n");
    let flags: String = conditions.iter().enumerate().map(flag).collect();
    rules(&format!("[flags]\n{flags}"))
}

/// What is kept for the one condition serves the other, or lacks that fact.
#[track_caller]
fn serves(kept: &str, wanted: &str, lacks: Option<&str>) {
    let lacking = asking(&[kept]).lacks(&asking(&[wanted]));
    assert_eq!(lacking, Vec::from_iter(lacks), "{kept} for {wanted}");
}

#[test]
fn enough_is_kept_for_what_asks_for_less() {
    let at_least = |count: usize| format!("{{ count = 'pings', at_least = {count} }}");
    serves(&at_least(3), &at_least(3), None);
    serves(&at_least(3), &at_least(2), None);
    serves(&at_least(3), &at_least(4), Some("pings"));
    serves("{ open = 'match' }", &at_least(1), Some("pings"));
    serves(&at_least(1), "{ open = 'match' }", None);
    let quiet = |days: usize| format!("{{ quiet = 'pings', for = '{days}d' }}");
    serves(&quiet(2), &quiet(3), None);
    serves(&quiet(3), &quiet(2), Some("pings"));
    serves(&quiet(2), "{ count = 'pings', at_least = 1, within = '2d' }", None);
    serves(&quiet(2), "{ count = 'pings', at_least = 2, within = '2d' }", Some("pings"));
    serves(&at_least(3), &quiet(3), Some("pings"));
    serves("{ mean = 'grades', at_least = 0.5 }", "{ latest = 'grades', below = 0.5 }", None);
    serves("{ ever = 'grades' }", "{ latest = 'grades', below = 0.5 }", Some("grades"));
    let missing = "{ missing = 'match.note' }";
    serves(missing, "{ missing = 'match.note', when_ended_or_after = '3d' }", None);
    serves(missing, "{ quiet = 'match.note', for = '3d', during = 'match' }", Some("match"));
    serves(missing, "{ mean = 'match.grade', at_least = 0.5 }", Some("match"));
}

#[test]
fn a_fact_that_means_something_else_does_not_serve() {
    let rule = "[flags]\nf = { version = 1, holds = { ever = 'pings' } }";
    let known = rules(rule);
    let lacks = |from: &str, to: &str| {
        let changed = compile(&format!("{FACTS}{rule}").replace(from, to)).expect("the rules are valid");
        known.lacks(&changed).join(" ")
    };
    assert_eq!(lacks("\"pong:x\"", "\"pong:y\""), "pings");
    assert_eq!(lacks("\"pong:x\"", "\"grade\""), "pings");
    assert_eq!(lacks("end = \"end\"", "end = \"stop\""), "match");
    assert_eq!(lacks("begin_told = \"earliest\"", "begin_told = \"last\""), "early");
    assert_eq!(lacks("note = \"note:x\"", "note = \"note\""), "early");
    assert_eq!(lacks("note = \"note:x\"", "noted = \"note:x\""), "early");
    assert_eq!(lacks("states = \"state\"", "states = \"begin\""), "course");
    assert_eq!(lacks("\ngrades =", "\nothers ="), "others");
    assert_eq!(lacks("[\"ping\", \"pong:x\"]", "[\"pong:x\", \"ping\"]"), ""); // the order says nothing
    assert_eq!(lacks("select 'ping' from", "select 'ping', 'often' from"), "pings");
    assert_eq!(lacks("\"ping\", event = \"one.done\"", "\"ping\", event = \"other.done\""), "pings");
    assert_eq!(lacks("\"ping\", event = \"one.done\"", "\"ping\", event = \"one.done\", version = \"v2\""), "pings");
    assert!(!known.serves(&known, "nothing") && known.definition("nothing").is_none());
}

#[test]
fn rules_are_cut_down_to_some_of_their_facts() {
    let only = asking(&["{ ever = 'pings' }"]).only(&["pings".to_owned(), "course".to_owned()]);
    let names: Vec<&str> = only.facts.iter().map(|fact| fact.name.as_str()).collect();
    assert_eq!((names, only.flags.len()), (vec!["course", "pings"], 0));
    assert_eq!(only.signals_used(), [0, 1, 7, 8, 9]); // ping, pong, state, stop, note
}

#[test]
fn what_is_stored_tells_its_format() {
    let journey = asking(&["{ ever = 'pings' }"]);
    let facts = given_by(&journey, "ping@1d grade=0.5@2d begin@1d note@3d snapshot@1d..5d").facts;
    let verdict = evaluate(&journey, &facts, moment("2d"));
    assert_eq!(from_bytes::<Verdict>(&to_bytes(&verdict)).ok(), Some(verdict));
    let mut bytes = to_bytes(&facts);
    assert!(from_bytes::<milepost::journey::fact::Facts>(&bytes[..bytes.len() - 1]).is_err());
    bytes[0] += 1;
    let error = from_bytes::<milepost::journey::fact::Facts>(&bytes).expect_err("the format is another");
    assert!(error.to_string().contains("format 2"), "{error}");
    assert!(from_bytes::<milepost::journey::fact::Facts>(&[]).is_err());
    // What the rules do not know is left out.
    let pings = journey.only(&["pings".to_owned()]);
    assert_eq!(narrowed(&pings, facts.clone()).keys().collect::<Vec<_>>(), ["pings"]);
    assert_eq!(narrowed(&journey, facts.clone()), facts);
}
