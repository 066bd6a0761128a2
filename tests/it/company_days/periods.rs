//! Quarters: what the table says after any history is what a count of all its events says.

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use serde_json::{Value, json};
use uuid::Uuid;

use super::evidence::assert_evidence;
use super::quarters::{Quarters, quarters};
use super::random::{corrections, documents, known, message, moves, take_some};
use super::{assert_counted, dated, hours, snapshot};
use crate::support::{Csr, World, assert_same, chance, seeds};

/// Columns of a row, one after the other.
const COLUMNS: &str = "concat_ws(' ', participants_count, volunteers_count, sessions_count,
    coalesce(avg_integration_score::text, '-'), coalesce(avg_language_level::text, '-'),
    coalesce(avg_job_readiness::text, '-'), sroi_ratio, vis_score, total_volunteer_hours, total_investment_cents)";

pub(super) async fn found(world: &World) -> Quarters {
    let sql = format!("select company_id, period, {COLUMNS} as columns from metrics_company_period");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let row = |row: Value| {
        let company = text(&row["company_id"]).parse::<Uuid>().expect("an id");
        ((company, text(&row["period"])), text(&row["columns"]))
    };
    world.rows(&sql).await.into_iter().map(row).collect()
}

/// Table and count must agree, and nothing may be left to derive.
pub(super) async fn assert_periods(world: &World, events: &[Value]) {
    assert_eq!(world.number("select count(*) from touched_later").await, 0);
    let (expected, found) = (quarters(events), found(world).await);
    let keys = expected.keys().chain(found.keys());
    let differing: Vec<_> = keys.filter(|key| expected.get(*key) != found.get(*key)).collect();
    let show =
        |key: &&(Uuid, String)| format!("{key:?}: expected {:?}, found {:?}", expected.get(*key), found.get(*key));
    let shown: Vec<String> = differing.iter().take(6).map(show).collect();
    assert!(
        differing.is_empty(),
        "{} of {} quarters differ, such as\n{}",
        differing.len(),
        expected.len(),
        shown.join("\n")
    );
}

pub(super) fn placement(csr: &mut Csr, entry: &str, person: Uuid, [kind, status]: [&str; 2], at: &str) -> Value {
    let data = json!({"sourceSystem": "job_board", "sourceId": entry, "userId": person, "companyId": csr.company,
        "placementType": kind, "placementDate": at, "status": status});
    csr.event("ingest.placement.created", data)
}

/// With a budget in cents, and dates where there are any.
pub(super) fn campaign(csr: &mut Csr, id: Uuid, company: Uuid, spent: u64, days: Option<[&str; 2]>) -> Value {
    let (program, at) = (csr.id(), csr.tick());
    let mut data = json!({"campaignId": id, "campaignKey": id, "programId": program, "companyId": company, "name": "c",
        "status": "active", "syncedAt": at, "budgetSpent": spent});
    if let Some([start, end]) = days {
        (data["startDate"], data["endDate"]) = (json!(start), json!(end));
    }
    csr.event("program.campaign.synced", data)
}

/// Campaigns and placements that are told anew, with other companies, people, dates.
pub(super) fn tellings(csr: &mut Csr, chance: &mut StdRng, told: &[Value], people: &[Uuid]) -> Vec<Value> {
    let companies: Vec<Uuid> = told
        .iter()
        .filter_map(|event| event["data"]["companyId"].as_str())
        .map(|id| id.parse().expect("an id"))
        .collect();
    let campaigns = [csr.id(), csr.id(), csr.id()];
    let days = ["2025-05-17", "2025-08-01", "2025-12-31", "2026-01-01", "2026-02-28", "2026-06-30"];
    let kinds = ["job_placement", "internship", "apprenticeship", "mentorship_match"];
    let states = ["active", "completed", "terminated"];
    let mut events = Vec::new();
    for number in 0..30 {
        let company = *companies.choose(chance).expect("a company");
        let two = [0; 2].map(|_| *days.choose(chance).expect("a day")); // in a wrong order at times
        let dates = chance.random_bool(0.9).then_some(two);
        let id = *campaigns.choose(chance).expect("a campaign");
        let spent = chance.random_range(0..5) * 3_333_333;
        events.push(campaign(csr, id, company, spent, dates));
        let person = *people.choose(chance).expect("a person");
        let what = [*kinds.choose(chance).expect("a kind"), *states.choose(chance).expect("a status")];
        let at = format!("{}T23:30:00-01:00", days.choose(chance).expect("a day"));
        events.push(placement(csr, &format!("p {}", number % 7), person, what, &at));
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn quarters_and_evidence_are_counted_the_same_in_any_order() {
    for seed in seeds(2) {
        let mut chance = chance(seed);
        let world = World::new().await;
        let number = seed.to_string();
        let mut log = world.generate(&["--events", "500", "--people", "14", "--seed", &number, "--duplicates", "0.2"]);
        let told = documents(&log);
        let people: Vec<Uuid> = known(&told).into_keys().collect();
        let mut csr = Csr::new();
        let mut more = moves(&mut csr, &mut chance, &told);
        more.extend(corrections(&mut csr, &mut chance, &people));
        more.extend(tellings(&mut csr, &mut chance, &more, &people));
        log.extend(more.iter().map(message));
        let all = documents(&log);
        log.shuffle(&mut chance);
        let mut done = 0;
        while done < log.len() {
            done += take_some(&world, &mut chance, &log[done..], 100..=500).await;
            assert_periods(&world, &documents(&log[..done])).await;
        }
        assert_counted(&world, &all).await;
        assert_evidence(&world, &all).await;
        for what in
            ["select count(*) from company_campaigns", "select count(*) from company_people where measure = 'placed'"]
        {
            assert!(world.number(what).await > 0, "{what}");
        }
        world.is_as_rebuilt();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_the_quarters_were_is_derived_too() {
    let mut chance = chance(seeds(1)[0]);
    let world = World::new().await;
    let mut log = world.generate(&["--events", "500", "--people", "14"]);
    let told = documents(&log);
    let people: Vec<Uuid> = known(&told).into_keys().collect();
    let mut csr = Csr::new();
    log.extend(moves(&mut csr, &mut chance, &told).iter().map(message));
    log.extend(tellings(&mut csr, &mut chance, &told, &people).iter().map(message));
    world.publish(&log).await;
    world.drain(&[]);
    let before = world.dump().await;
    let steps = world.succeed(&["migrate", "--status"]);
    let since = steps.lines().rev().position(|step| step.ends_with("create outcome scores quarterly"));
    world.succeed(&["migrate", "--down", &(since.expect("the migration") + 1).to_string()]);
    world.succeed(&["migrate"]);
    assert_eq!(world.number("select count(*) from metrics_company_period").await, 0);
    world.drain(&[]);
    assert_same(&before, &world.dump().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarter_of_which_nothing_is_left_has_no_row() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (person, [first, second]) = (csr.id(), [csr.id(), csr.id()]);
    let mut told = vec![snapshot(&mut csr, person, first, "2026-01-01T00:00:00Z")];
    let entries = [(first, "2026-03-31T23:59:59Z"), (first, "2026-04-01T00:00:00Z"), (second, "2026-05-01T00:00:00Z")];
    for (company, at) in entries {
        told.push(hours(&mut csr, "h", person, company, 2.5, at));
        world.publish_events(&told[told.len() - 1..]).await;
        if told.len() == 2 {
            world.publish_events(&told[..1]).await;
        }
        world.drain(&[]);
        assert_periods(&world, &told).await;
        assert_eq!(world.number("select count(*) from metrics_company_period").await, 1);
    }
    // Half an hour more makes an hour; nothing is no row.
    told.push(hours(&mut csr, "h", person, second, 0.0, "2026-05-01T00:00:00Z"));
    world.publish_events(&told[told.len() - 1..]).await;
    world.drain(&[]);
    assert_periods(&world, &told).await;
    assert_eq!(world.number("select count(*) from metrics_company_period").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_ends_leaves_the_quarters_after_it() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (matched, [one, two], company) = (csr.id(), [csr.id(), csr.id()], csr.company);
    let mut told = vec![csr.person(one), csr.person(two)];
    told.push(dated(csr.matched(matched, one, two), "matchedAt", "2026-01-10T00:00:00Z"));
    told.push(hours(&mut csr, "h", one, company, 1.0, "2026-08-01T00:00:00Z"));
    let volunteers = async || {
        let sql =
            "select string_agg(volunteers_count::text, ' ' order by period) as counts from metrics_company_period";
        world.rows(sql).await[0]["counts"].as_str().map(str::to_owned)
    };
    world.publish_events(&told).await;
    world.drain(&[]);
    assert_eq!(volunteers().await.as_deref(), Some("1 1"), "still active in the summer");
    told.push(dated(csr.ended(matched, one, two, "completed"), "endedAt", "2026-06-30T23:59:59Z"));
    world.publish_events(&told[told.len() - 1..]).await;
    world.drain(&[]);
    assert_eq!(volunteers().await.as_deref(), Some("1 0"));
    assert_periods(&world, &told).await;
}
