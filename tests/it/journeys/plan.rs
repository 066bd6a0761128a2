//! `rules plan` says what `rules apply` then does, and changes nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::Utc;
use serde_json::Value;

use super::candidate::{KEPT, NOT_KEPT, REMOVED, THRESHOLDS, folder, journeys, said, succeed, with};
use super::life::{Life, ago};
use super::told;
use crate::oracle::Oracle;
use crate::support::{World, assert_same};

/// By kind, person and name, the moment since when it holds or when it was reached.
type Moments = BTreeMap<(String, String, String), String>;

async fn moments(world: &World) -> Moments {
    let sql = "select 'flag' as kind, user_id, flag as name, set_at as at from journey_flags
               union all select 'milestone', user_id, milestone, reached_at from journey_milestones";
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let row = |row: &Value| ((text(&row["kind"]), text(&row["user_id"]), text(&row["name"])), spelled(&row["at"]));
    world.rows(sql).await.iter().map(row).collect()
}

fn spelled(moment: &Value) -> String {
    moment.as_str().and_then(|text| text.parse::<chrono::DateTime<Utc>>().ok()).expect("a time").to_rfc3339()
}

/// What a plan announces, as the change from one set of moments to another: key, before and after.
type Changes = BTreeSet<(String, String, String, Option<String>, Option<String>)>;

fn announced(plan: &Value) -> Changes {
    let moment = |value: Option<&Value>| value.map(spelled);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut changes = Changes::new();
    for one in plan["differences"].as_array().expect("differences") {
        let (before, after) = (moment(one.get("before")), moment(one.get("after")));
        let change = match (&before, &after) {
            (None, Some(_)) => "gain",
            (Some(_), None) => "lose",
            _ => "move",
        };
        assert_eq!(one["change"], change, "{one}");
        changes.insert((text(&one["kind"]), text(&one["user_id"]), text(&one["name"]), before, after));
    }
    let counted: u64 = plan["counts"]
        .as_object()
        .expect("counts")
        .values()
        .flat_map(|counts| counts.as_object().expect("counts").values())
        .map(|count| count.as_u64().expect("a number"))
        .sum();
    assert_eq!(counted, changes.len() as u64, "the counts are those of the list");
    changes
}

fn happened(before: &Moments, after: &Moments) -> Changes {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    changed
        .map(|key| (key.0.clone(), key.1.clone(), key.2.clone(), before.get(key).cloned(), after.get(key).cloned()))
        .collect()
}

/// Plans and applies; gives what happened and the facts that had to be folded.
async fn plan_and_apply(world: &World, candidate: &Path) -> (Changes, Vec<String>) {
    let (before, dump) = (moments(world).await, world.dump().await);
    let rules = world.rows("select * from journey_rules").await;
    let plan = succeed(world, candidate, &["rules", "plan", "--json"]);
    let plan: Value = serde_json::from_str(&plan).expect("JSON");
    assert_same(&dump, &world.dump().await);
    assert_eq!(world.rows("select * from journey_rules").await, rules, "a plan changes nothing");
    assert_eq!(world.number("select count(*) from journey_facts_staged").await, 0);

    let applied = succeed(world, candidate, &["rules", "apply"]);
    assert!(applied.starts_with("in force as epoch"), "{applied}");
    let happened = happened(&before, &moments(world).await);
    assert_eq!(announced(&plan), happened, "the plan told it all");
    let folded = plan["facts_folded"].as_array().expect("facts").iter();
    (happened, folded.map(|fact| fact.as_str().expect("a name").to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_applying_then_does() {
    let world = World::new().await;
    let log = world.generate(&["--events", "2500", "--people", "120", "--duplicates", "0.05", "--shuffle", "0.3"]);
    world.publish(&log).await;
    world.drain(&[]);
    let before = journeys(&world).await;
    let nothing = folder(world.folder.path(), &[("# --- flags", "# --- flags, with another comment")]);
    assert!(succeed(&world, &nothing, &["rules", "plan"]).contains("the rules on disk are those in force"));
    assert!(succeed(&world, &nothing, &["rules", "apply"]).contains("in force already"));

    let all: Vec<(&str, &str)> = THRESHOLDS.into_iter().chain(NOT_KEPT).chain(REMOVED).chain(KEPT).collect();
    for (name, edits, folded) in [
        ("thresholds", &THRESHOLDS[..], &["buddy_event"][..]),
        ("kept", &KEPT, &["activity"]),
        ("not kept", &NOT_KEPT, &["struggled", "taught"]),
        ("removed", &REMOVED, &[]),
        ("all of it", &all, &["struggled", "taught"]),
    ] {
        eprintln!("{name}");
        let candidate = folder(world.folder.path(), edits);
        let (changes, facts) = plan_and_apply(&world, &candidate).await;
        assert!(changes.len() > 5, "{name} changes something: {changes:?}");
        for fact in folded {
            assert!(facts.iter().any(|known| known == fact), "{name}: {fact} was folded anew, as well as {facts:?}");
        }
        let fresh = World::new().await;
        let command = |arguments: &[&str]| with(&fresh, &candidate, arguments);
        fresh.publish(&log).await;
        let drained = command(&["run", "--until-idle", "--only", "project"]).output().expect("it runs");
        assert!(drained.status.success(), "{}", said(&drained).1);
        assert_same(&journeys(&fresh).await, &journeys(&world).await);
        let plan: Value =
            serde_json::from_str(&succeed(&world, &candidate, &["rules", "plan", "--json"])).expect("JSON");
        assert_eq!((&plan["is_in_force"], &plan["differences"]), (&true.into(), &serde_json::json!([])));
        let (code, stderr) = said(&world.output(&["run", "--until-idle"]));
        assert_eq!(code, Some(2), "with the old folder: {stderr}");
        assert!(stderr.contains("journey.toml differ") && stderr.contains("`milepost rules apply`"), "{stderr}");
    }
    // And back: as if nothing had been.
    assert!(world.succeed(&["rules", "apply"]).starts_with("in force"));
    assert_same(&before, &journeys(&world).await);
    Oracle::read(log.iter().map(|(_, line)| line)).expected(Utc::now()).compare(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rules_nothing_runs_and_applying_builds_everything_anew() {
    let world = World::new().await;
    let log = world.generate(&["--events", "1500", "--people", "80", "--shuffle", "0.3"]);
    world.publish(&log).await;
    world.drain(&[]);
    let before = journeys(&world).await;
    world
        .execute(
            "delete from journey_facts; delete from journey_flags; delete from journey_timers;
             delete from journey_rules;
             delete from journey_milestones where milestone not like 'buddy:%'; update users set journey_flags = '{}'",
        )
        .await;
    let (code, stderr) = said(&world.output(&["run", "--until-idle"]));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("no rules are in force, but there are events"), "{stderr}");
    assert!(stderr.contains("`milepost rules apply`"), "{stderr}");
    assert!(world.succeed(&["rules", "apply"]).starts_with("in force as epoch 1"));
    assert_same(&before, &journeys(&world).await);
    assert!(world.succeed(&["rules", "apply"]).contains("the rules on disk are in force already"));
    assert_eq!(world.drain(&[])["received"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_after_everything_was_built_anew_is_told_all_the_same() {
    let world = World::new().await;
    let mut life = Life::new();
    life.score(0.3, ago(9.0));
    for day in [8.0, 7.0] {
        world.publish_events(&life.take()).await;
        world.drain_all(&[]);
        life.score(if day > 7.5 { 0.7 } else { 0.4 }, ago(day));
    }
    world
        .execute(
            "delete from journey_facts; delete from journey_flags; delete from journey_timers;
             delete from journey_rules",
        )
        .await;
    world.succeed(&["rules", "apply"]);
    for score in [0.8, 0.2, 0.6] {
        world.publish_events(&life.take()).await;
        world.drain_all(&[]);
        life.judge(&world).await;
        let told = told::all(&world).await;
        told::same(&told::heard(&told), &told::flags(&world).await);
        life.score(score, ago(score));
    }
}
