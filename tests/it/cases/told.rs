//! What is told: to people who ask why, and to the outside when a verdict changes.

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::given::{FACTS, Given, compile, csr, domain, event, flag, given, given_by, moment, rules};
use milepost::decode::decode;
use milepost::derived_id::derived_id;
use milepost::event::Route;
use milepost::journey::Journey;
use milepost::journey::event::{Change, Outgoing, of_change};
use milepost::journey::explain::{Explanation, describe, explain};
use milepost::journey::standing::{Standing, Update};
use milepost::journey::verdict::{Verdict, explain_flag};

const PERSON: Uuid = Uuid::from_u128(7);

/// Why the flag says what it says at that moment.
fn why(journey: &Journey, words: &str, now: &str) -> Explanation {
    explain_flag(&journey.flags[0], &given_by(journey, words).facts, moment(now))
}

/// The condition, its operands and what would change it, one after the other.
fn told(explanation: &Explanation) -> String {
    let operands = explanation.operands.iter().map(|operand| format!("; {}: {}", operand.name, operand.value));
    let changes = explanation.changes.iter().map(|changes| format!("; {changes}"));
    let said: String = operands.chain(changes).collect();
    format!("{}{said}", explanation.condition)
}

#[track_caller]
fn explains(holds: &str, words: &str, now: &str, expected: &str) -> Explanation {
    let explanation = why(&flag(holds), words, now);
    assert_eq!(told(&explanation), expected);
    explanation
}

#[test]
fn a_mean_with_the_values_behind_it() {
    let words = "grade=0.5@1d grade=0.6@2d grade=0.9@3d grade=1@4d grade=0@9d";
    let why = explains(
        "{ mean = 'grades', at_least = 0.8 }",
        words,
        "5d",
        "mean of grades at least 0.8; grades: mean 0.75 of 4",
    );
    assert_eq!(why.operands[0].events, [0, 1, 2, 3].map(event)); // not the one that is dated later
    assert!(!why.holds && why.since.is_none() && why.until.is_none());
    explains(
        "{ mean = 'grades', at_least = 0.8, within = '3d' }",
        words,
        "5d",
        "mean of grades within 3 d at least 0.8; grades: mean 0.95 of 2; \
         ends at 2026-01-08T00:00:00Z unless something happens before",
    );
    explains("{ sum = 'grades', at_least = 1 }", "", "5d", "sum of grades at least 1; grades: sum 0 of 0");
}

#[test]
fn a_count_with_what_is_still_needed() {
    let three = "{ count = 'pings', at_least = 3 }";
    let why = explains(
        three,
        "ping@1d ping@2d ping@9d",
        "5d",
        "count of pings at least 3; pings: count 2; begins to hold with 1 more of pings; \
         begins to hold at 2026-01-10T00:00:00Z unless something happens before",
    );
    assert_eq!(why.operands[0].events, [0, 1].map(event));
    let why =
        explains(three, "ping@1d ping@2d ping@3d ping@4d", "5d", "count of pings at least 3; pings: count 3 or more");
    assert_eq!((why.holds, why.since.as_deref()), (true, Some("2026-01-04T00:00:00Z")));
    let many: Vec<String> = (0..15).map(|day| format!("grade=1@{day}d")).collect();
    let why = explains(
        "{ mean = 'grades', at_least = 0.8 }",
        &many.join(" "),
        "20d",
        "mean of grades at least 0.8; grades: mean 1 of 15",
    );
    assert_eq!(why.operands[0].events, (5..15).map(event).collect::<Vec<_>>()); // of many the last ten
}

#[test]
fn a_pause_with_what_was_last() {
    let words = "begin@1d ping@2d note@3d ping@9d";
    let why = explains(
        "{ quiet = 'pings', for_more_than = '3d' }",
        words,
        "4d",
        "no pings for more than 3 d; pings: last at 2026-01-03T00:00:00Z; \
         begins to hold at 2026-01-06T00:00:00.000001Z unless something happens before",
    );
    assert_eq!(why.operands[0].events, [event(1)]);
    let why = explains(
        "{ quiet = 'match.note', for = '3d', during = 'match' }",
        words,
        "7d",
        "no match.note for 3 d during match; match k: open since 2026-01-02T00:00:00Z, \
         last note at 2026-01-04T00:00:00Z; one of match.note happens",
    );
    assert_eq!((why.since.as_deref(), why.until.as_deref()), (Some("2026-01-07T00:00:00Z"), None));
    assert_eq!(why.operands[0].events, [0, 2].map(event));
    explains(
        "{ missing = 'match.note', when_ended_or_after = '30d' }",
        "begin@1d end@5d",
        "6d",
        "match has ended or is 30 d old without note; match k: ended at 2026-01-06T00:00:00Z, no note; note is given",
    );
    explains("{ open = 'match' }", "", "6d", "match is open; match: nothing yet; match begins");
    explains(
        "{ latest = 'grades', below = 0.5 }",
        "grade=0.25@1d grade=0.75@2d",
        "3d",
        "latest grades below 0.5; grades: 0.75 at 2026-01-03T00:00:00Z, of 2 values; \
         a later grades on the other side of the threshold",
    );
}

#[test]
fn parts_are_explained_one_by_one_and_expiry_is_counted() {
    let journey = csr();
    let ready = journey.flags.iter().find(|flag| flag.name == "mentor_ready").expect("the flag is declared");
    let words = "session:language_participant/a@1d session:language_participant/b@2d rating/a=0.75@3d";
    let why = explain(&ready.holds, &given(words).facts, moment("5d"));
    assert_eq!(why.condition, "all of");
    assert_eq!(
        why.parts.iter().map(told).collect::<Vec<_>>(),
        [
            "count of language_session at least 3; language_session: count 2; \
             begins to hold with 1 more of language_session",
            "mean of language_session.rating at least 0.8; language_session.rating: mean 0.75 of 1",
        ]
    );
    let expiring = rules("[flags]\nf = { version = 1, holds = { ever = 'pings' }, expires_after = '3d' }");
    let until = |now: &str| why_of(&expiring, now).until;
    assert_eq!(until("2d").as_deref(), Some("2026-01-05T00:00:00Z"));
    assert!(!why_of(&expiring, "4d").holds && why_of(&expiring, "4d").since.is_none());
}

fn why_of(journey: &Journey, now: &str) -> Explanation {
    why(journey, "ping@1d", now)
}

#[test]
fn conditions_read_as_they_are_meant() {
    let said = |holds: &str| describe(&flag(holds).flags[0].holds);
    assert_eq!(said("{ ever = 'pings' }"), "count of pings at least 1");
    assert_eq!(said("{ count = 'pings', above = 2, within = '36h' }"), "count of pings within 1day 12h above 2");
    assert_eq!(said("{ rises = 'grades' }"), "grades rises above all earlier ones");
    assert_eq!(said("{ closed = 'match' }"), "match is closed");
    assert_eq!(said("{ missing = 'match.note' }"), "match has ended without note");
    assert_eq!(
        said("{ quiet = ['pings', 'snap'], for = '60d', during = ['match', 'early'] }"),
        "no pings, snap for 60 d during match, early"
    );
}

/// What is told when this person's words become those.
fn change(before: &str, after: &str, now: &str) -> Vec<Outgoing> {
    let known = Standing { facts: given(before).facts, ..Standing::default() };
    let known = known.evaluate(csr(), "milepost", PERSON, moment(now)).after;
    let Given { facts, journey } = given(after);
    let Update { outgoing, .. } = Standing { facts, ..known }.evaluate(journey, "milepost", PERSON, moment(now));
    for one in &outgoing {
        let event = decode(domain(), &one.subject, &Bytes::from(one.payload.clone())).expect("it is a valid event");
        assert_eq!((event.id, event.route), (one.id, Route::Own));
    }
    outgoing
}

fn document(outgoing: &Outgoing) -> Value {
    serde_json::from_str(&outgoing.payload).expect("it is JSON")
}

fn milestones(outgoing: &[Outgoing]) -> Vec<Value> {
    outgoing.iter().filter(|one| one.subject.ends_with("milestone.reached")).map(document).collect()
}

#[test]
fn a_milestone_is_told_under_the_name_that_is_known() {
    let told = milestones(&change("", "matched@1d", "2d"));
    let id = |at: &str| derived_id(&format!("milepost:milestone:first_buddy_match:{PERSON}:{at}"));
    let first = id("2026-01-02T00:00:00Z");
    let metadata = json!({"source": "milepost", "rule": "first_buddy_match@1"});
    let data = json!({"userId": PERSON, "milestone": "buddy_matched", "reachedAt": "2026-01-02T00:00:00Z"});
    let expected = json!({"id": first, "version": "v1", "timestamp": "2026-01-03T00:00:00Z", "data": data,
                          "type": "orchestration.journey.milestone.reached", "metadata": metadata});
    assert_eq!(told, [expected]);
    // A known one is not told again, a moved one is, one that vanishes is not.
    assert_eq!(milestones(&change("matched@1d", "matched@1d matched/b@3d", "4d")), Vec::<Value>::new());
    assert_eq!(milestones(&change("matched@1d", "", "4d")), Vec::<Value>::new());
    let moved = milestones(&change("matched@1d", "matched@1d matched/b@0d+1us", "4d"));
    assert_eq!(moved[0]["id"], json!(id("2026-01-01T00:00:00.000001Z")));
    assert_eq!(moved[0]["metadata"]["corrects"], json!(first));
    assert_eq!(moved[0]["data"]["reachedAt"], json!("2026-01-01T00:00:00.000001Z"));
}

#[test]
fn a_milestone_that_nobody_knows_is_told_as_extended() {
    let told = milestones(&change("", "skill_share@1d", "2d"));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["data"]["milestone"], json!("buddy_skill_share_completed"));
    assert_eq!(told[0]["metadata"]["extended"], json!(true));
}

#[test]
fn flags_that_changed_together_are_told_together() {
    let outgoing = change("score:lang_level_proxy=0.4@0d", "score:lang_level_proxy=0.6@1d matched@0d", "30d");
    let told = document(outgoing.last().expect("something changed"));
    assert_eq!(told["type"], json!("orchestration.profile.updated"));
    assert_eq!(told["id"], json!(derived_id(&format!("milepost:profile:{PERSON}:2:2026-01-31T00:00:00Z")))); // their second change
    assert_eq!(told["metadata"], json!({"source": "milepost"}));
    let held = |rule: &str, since: &str, expires: Value| json!({"value": true, "setAt": since, "setByRule": rule, "expiresAt": expires});
    let flags = json!({
        "buddy_match_active": held("buddy_match_active@1", "2026-01-01T00:00:00Z", Value::Null),
        "buddy_checkin_due": held("buddy_checkin_due@1", "2026-01-08T00:00:00Z", Value::Null),
        "buddy_feedback_pending": held("buddy_feedback_pending@1", "2026-01-31T00:00:00Z", json!("2026-04-01T00:00:00Z")),
        "followup_needed": held("followup_needed@1", "2026-01-15T00:00:00Z", Value::Null),
        "language_support_needed": {"value": false},
    });
    let mut fields: Vec<String> =
        flags.as_object().into_iter().flatten().map(|(name, _)| format!("flags.{name}")).collect();
    fields.sort();
    let data = json!({"userId": PERSON, "updatedFields": fields, "updatedAt": "2026-01-31T00:00:00Z",
                      "trigger": "rule", "flags": flags});
    assert_eq!(told["data"], data);
    assert!(change("matched@0d", "matched@0d", "30d").is_empty());
    assert_eq!(change("matched@0d", "", "30d"), change("matched@0d", "", "30d"));
}

#[test]
fn changes_are_numbered_and_nothing_is_told_without_a_name_to_tell_it_under() {
    let standing = Standing { facts: given("matched@0d").facts, ..Standing::default() };
    let first = standing.evaluate(csr(), "milepost", PERSON, moment("1d"));
    assert_eq!((first.before, first.after.changes), (Verdict::default(), 1));
    let same = first.after.evaluate(csr(), "milepost", PERSON, moment("6d"));
    assert_eq!((same.after.changes, same.outgoing.len()), (1, 0));
    let second = same.after.evaluate(csr(), "milepost", PERSON, moment("8d"));
    assert_eq!((second.after.changes, second.outgoing.len()), (2, 1));
    let silent = flag("{ ever = 'pings' }");
    let facts = given_by(&silent, "ping@1d").facts;
    let update = Standing { facts, ..Standing::default() }.evaluate(&silent, "milepost", PERSON, moment("2d"));
    assert_eq!((update.after.verdict.flags.len(), update.outgoing.len()), (1, 0));
    let (before, after) = (&update.before, &update.after.verdict);
    let change = Change { person: PERSON, before, after, number: 1, now: moment("2d") };
    assert!(of_change(&silent, "milepost", &change).is_empty());
}

#[test]
fn files_that_mean_the_same_have_the_same_hash() {
    let hash = |rules: &str| compile(&format!("{FACTS}{rules}")).expect("the rules are valid").hash;
    let (a, b) = ("a = { version = 1, holds = { ever = 'pings' } }", "b = { version = 1, holds = { open = 'match' } }");
    let rules = hash(&format!("[flags]\n{a}\n{b}"));
    assert_eq!(rules, hash(&format!("[flags]\n# again\n{b}\n{}", a.replace("version", "description = 'x', version"))));
    assert_eq!(rules, hash(&format!("[flags]\n{b}\n{}", a.replace("ever = 'pings'", "count = 'pings', at_least = 1"))));
    for other in [a.replace("= 1", "= 2"), a.replace("pings", "grades"), a.replace("a =", "c =")] {
        assert_ne!(rules, hash(&format!("[flags]\n{other}\n{b}")));
    }
    let expires = a.replace("version = 1", "version = 1, expires_after = '3d'");
    assert_ne!(rules, hash(&format!("[flags]\n{expires}\n{b}")));
}
