//! `rules explain`: why a flag is as it is, down to the events behind it.

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use super::candidate::said;
use super::life::{Instant, Life, ago};
use crate::support::World;

fn text(moment: Instant) -> String {
    moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// What is said of one flag or milestone, as JSON.
fn explained(world: &World, arguments: &[&str]) -> Value {
    let said = world.succeed(&[&["rules", "explain"], arguments, &["--json"]].concat());
    serde_json::from_str(&said).expect("JSON")
}

fn told<'v>(document: &'v Value, kind: &str) -> &'v Value {
    let rules = document["rules"].as_array().expect("rules");
    rules.iter().find(|rule| rule["kind"] == kind).expect("a rule of that kind")
}

/// The ids of the events that were told, in the order of telling.
fn ids(life: &Life) -> Vec<Value> {
    life.told().iter().map(|event| event["metadata"]["id"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn operands_have_values_and_events_and_it_says_what_would_change_the_answer() {
    let world = World::new().await;
    let mut life = Life::new();
    let first = life.session(ago(40.0));
    life.session(ago(30.0));
    life.rated(first, 0.7, ago(20.0));
    life.live(&world).await;
    let (ada, ids) = (life.ada.to_string(), ids(&life));
    let document = explained(&world, &[&ada, "mentor_ready"]);
    assert_eq!(document["user_id"], json!(ada));
    let flag = told(&document, "flag");
    assert_eq!((&flag["holds"], &flag["rule"]), (&json!(false), &json!("mentor_ready@1")));
    let [count, mean] = flag["parts"].as_array().expect("parts").as_slice() else {
        panic!("two parts: {flag}");
    };
    assert_eq!(
        count["operands"],
        json!([{"name": "language_session", "value": "count 2", "events": [ids[2], ids[3]]}])
    );
    assert_eq!(count["changes"], "begins to hold with 1 more of language_session");
    assert_eq!(
        mean["operands"],
        json!([{"name": "language_session.rating", "value": "mean 0.7 of 1", "events": [ids[4]]}])
    );

    let third = life.session(ago(10.0));
    let ready = ago(5.0);
    life.rated(third, 0.9, ready);
    life.live(&world).await;
    let document = explained(&world, &[&ada, "mentor_ready"]);
    for kind in ["flag", "milestone"] {
        let rule = told(&document, kind);
        assert_eq!((&rule["holds"], &rule["since"]), (&json!(true), &json!(text(ready))), "{rule}");
    }
    // It looks back, too.
    let before = explained(&world, &[&ada, "mentor_ready", "--as-of", &text(ready - TimeDelta::microseconds(1))]);
    let flag = told(&before, "flag");
    assert_eq!((&flag["holds"], &flag["parts"][0]["holds"]), (&json!(false), &json!(true)));
    let said = world.succeed(&["rules", "explain", &ada, "mentor_ready"]);
    for line in
        ["flag mentor_ready@1: three language sessions, and well rated", "    language_session.rating: mean 0.8 of 2"]
    {
        assert!(said.contains(line), "{line:?} in\n{said}");
    }
    assert!(said.contains(&format!("yes since {}: all of", text(ready))), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_passing_of_time_changes_is_told_with_its_moment() {
    let world = World::new().await;
    let mut life = Life::new();
    let (begin, checked) = (ago(35.0), ago(6.0));
    life.matched(begin).checkin(checked);
    life.live(&world).await;
    let (bob, day, ids) = (life.bob.to_string(), TimeDelta::days(1), ids(&life));
    let document = explained(&world, &[&bob, "buddy_feedback_pending"]);
    let pending = told(&document, "flag");
    let (since, until) = (text(begin + day * 30), text(begin + day * 90));
    assert_eq!((&pending["since"], &pending["until"]), (&json!(since), &json!(until)));
    assert_eq!((&pending["expires_at"], &pending["changes"]), (&json!(until), &json!("feedback is given")));
    assert_eq!(pending["operands"][0]["events"], json!([ids[2]]));

    let document = explained(&world, &[&bob, "buddy_checkin_due"]);
    let due = told(&document, "flag");
    assert_eq!(due["holds"], false);
    assert_eq!(due["operands"][0]["events"], json!([ids[2], ids[3]]), "the match and its last check-in");
    let changes = due["changes"].as_str().expect("a text");
    let day_of_change = (checked + day * 7).format("%Y-%m-%d").to_string();
    assert!(changes.starts_with(&format!("begins to hold at {day_of_change}")), "{changes}");

    // All rules at once: those that hold are those that the table has.
    let document = explained(&world, &[&bob]);
    let holding = document["rules"]
        .as_array()
        .expect("rules")
        .iter()
        .filter(|rule| rule["kind"] == "flag" && rule["holds"] == true);
    let names: Vec<&str> = holding.map(|rule| rule["name"].as_str().expect("a name")).collect();
    let rows = world.rows(&format!("select flag from journey_flags where user_id = '{bob}' order by flag")).await;
    assert_eq!(names, rows.iter().map(|row| row["flag"].as_str().expect("a flag")).collect::<Vec<_>>());
    assert_eq!(names, ["buddy_active", "buddy_feedback_pending", "buddy_match_active"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_unknown_and_what_there_is_no_rule_for_is_said() {
    let world = World::new().await;
    let mut life = Life::new();
    life.matched(ago(1.0));
    life.live(&world).await;
    let nobody = uuid::Uuid::new_v4().to_string();
    let (code, stderr) = said(&world.output(&["rules", "explain", &nobody]));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(&nobody) && stderr.contains("hint:"), "{stderr}");
    let (code, stderr) = said(&world.output(&["rules", "explain", &life.ada.to_string(), "budy_active"]));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("no flag and no milestone \"budy_active\""), "{stderr}");
    assert_eq!(world.output(&["rules", "explain", "Ada"]).status.code(), Some(2));
}
