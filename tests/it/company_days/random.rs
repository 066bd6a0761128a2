//! Generated histories in any order, by any number of workers, with people who change companies.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{assert_counted, enrollment, hours, score};
use crate::support::{Csr, World, chance, seeds};

/// How many times people are told to be of some company.
const MOVES: usize = 60;

pub(super) fn documents(log: &[(String, Vec<u8>)]) -> Vec<Value> {
    log.iter().map(|(_, line)| serde_json::from_slice(line).expect("JSON")).collect()
}

pub(super) fn message(event: &Value) -> (String, Vec<u8>) {
    (event["type"].as_str().expect("a type").to_owned(), event.to_string().into_bytes())
}

/// People of the log, with their e-mail.
pub(super) fn known(documents: &[Value]) -> BTreeMap<Uuid, String> {
    let told = documents.iter().filter(|event| event["type"] == "ingest.directory.synced").map(|event| &event["data"]);
    let person = |data: &Value| {
        let id = data["userId"].as_str().expect("an id").parse().expect("an id");
        (id, data["email"].as_str().expect("an e-mail").to_owned())
    };
    told.map(person).collect()
}

/// Snapshots that move people between the company of the log and others, many of them at the very moment of something that
/// they did.
pub(super) fn moves(csr: &mut Csr, chance: &mut StdRng, documents: &[Value]) -> Vec<Value> {
    let fields = ["matchedAt", "completedAt", "checkinDate", "eventDate", "submittedAt", "createdAt", "scoredAt"];
    let moment = |event: &Value| fields.iter().find_map(|field| event["data"][field].as_str().map(str::to_owned));
    let moments: Vec<String> = documents.iter().filter_map(moment).collect();
    let companies: BTreeSet<String> =
        documents.iter().filter_map(|event| event["data"]["companyId"].as_str().map(str::to_lowercase)).collect();
    let mut companies: Vec<String> = companies.into_iter().collect();
    companies.extend([csr.id().to_string(), csr.id().to_string()]);
    let people: Vec<(Uuid, String)> = known(documents).into_iter().collect();
    let one = |_| {
        let (person, email) = people.choose(chance).expect("a person");
        let mut event = csr.person(*person);
        event["data"]["email"] = json!(email);
        event["data"]["companyId"] = json!(companies.choose(chance).expect("a company"));
        event["metadata"]["timestamp"] = json!(moments.choose(chance).expect("a moment"));
        event
    };
    (0..MOVES).map(one).collect()
}

/// Things that are told anew, with other people, companies and days.
pub(super) fn corrections(csr: &mut Csr, chance: &mut StdRng, people: &[Uuid]) -> Vec<Value> {
    let companies = [csr.id(), csr.id()];
    let mut events = Vec::new();
    for number in 0..12 {
        let session = csr.id();
        for _ in 0..3 {
            let pair: Vec<Uuid> = people.choose_multiple(chance, 2).copied().collect();
            events.extend([csr.scheduled(session, [pair[0], pair[1]]), csr.rated(session, "volunteer", 0.125)]);
            if number % 2 == 0 && !events.iter().any(|event| is_completion(event, session)) {
                events.push(csr.completed(session, [pair[1], pair[0]]));
            }
        }
        let at = format!("2025-{:02}-01T00:00:00Z", number + 1);
        let person = *people.choose(chance).expect("a person");
        let entry = format!("x {}", number % 5);
        events.push(hours(csr, &entry, person, companies[number % 2], 1.25, &at));
        let kind = ["language_course", "other", "buddy_program"][number % 3];
        events.push(enrollment(csr, &entry, person, kind, &at));
        events.push(score(csr, person, 0.625, &at));
    }
    events
}

fn is_completion(event: &Value, session: Uuid) -> bool {
    event["type"] == "kintell.session.completed" && event["data"]["sessionId"] == json!(session)
}

/// Publishes some of what is left of a log and takes it in, with any number of workers and batches of any size; gives how
/// many messages these were.
pub(super) async fn take_some(
    world: &World,
    chance: &mut StdRng,
    left: &[(String, Vec<u8>)],
    sizes: RangeInclusive<usize>,
) -> usize {
    let some = chance.random_range(sizes).min(left.len());
    world.publish(&left[..some]).await;
    let workers = chance.random_range(1..=4).to_string();
    let batch = [1, 7, 100, 1000].choose(chance).expect("a size").to_string();
    eprintln!("{some} of {} messages, {workers} workers, batches of {batch}", left.len());
    let summary = world.drain(&["--workers", &workers, "--batch", &batch]);
    assert_eq!(summary["dead_letters"], 0, "{summary}");
    some
}

#[tokio::test(flavor = "multi_thread")]
async fn company_days_are_counted_the_same_in_any_order() {
    for seed in seeds(3) {
        let mut chance = chance(seed);
        let world = World::new().await;
        let number = seed.to_string();
        let mut log = world.generate(&["--events", "600", "--people", "14", "--seed", &number, "--duplicates", "0.2"]);
        let told = documents(&log);
        let people: Vec<Uuid> = known(&told).into_keys().collect();
        let mut csr = Csr::new();
        log.extend(moves(&mut csr, &mut chance, &told).iter().map(message));
        log.extend(corrections(&mut csr, &mut chance, &people).iter().map(message));
        log.shuffle(&mut chance);
        let mut done = 0;
        while done < log.len() {
            done += take_some(&world, &mut chance, &log[done..], 1..=400).await;
            // What waits counts nothing, here and there.
            assert_counted(&world, &documents(&log[..done])).await;
        }
        assert_eq!(world.number("select count(*) from waiting_events").await, 0);
        assert!(world.number("select count(distinct company_id) from company_days where minutes > 0").await > 3);
        assert_eq!(world.rows("select * from identity_conflicts").await, Vec::<Value>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_the_tables_were_is_derived_too() {
    let mut chance = chance(seeds(1)[0]);
    let world = World::new().await;
    let mut log = world.generate(&["--events", "600", "--people", "14"]);
    let told = documents(&log);
    let people: Vec<Uuid> = known(&told).into_keys().collect();
    let mut csr = Csr::new();
    log.extend(moves(&mut csr, &mut chance, &told).iter().map(message));
    log.extend(corrections(&mut csr, &mut chance, &people).iter().map(message));
    world.publish(&log).await;
    world.drain(&[]);
    let steps = world.succeed(&["migrate", "--status"]);
    let since = steps.lines().rev().position(|step| step.ends_with("create company days")).expect("the migration") + 1;
    world.succeed(&["migrate", "--down", &since.to_string()]);
    world.succeed(&["migrate"]);
    assert_eq!(world.number("select count(*) from company_days").await, 0);
    world.drain(&[]);
    assert_counted(&world, &documents(&log)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_touch_and_derive_at_once_lose_nothing() {
    let mut chance = chance(seeds(1)[0]);
    let world = World::new().await;
    let mut csr = Csr::new();
    let people: Vec<Uuid> = (0..8).map(|_| csr.id()).collect();
    let companies = [csr.company, csr.id(), csr.id()];
    let mut told: Vec<Value> = people.iter().map(|person| csr.person(*person)).collect();
    world.publish_events(&told).await;
    let processes = [(); 2].map(|()| world.start(&["--only", "project", "--workers", "2", "--batch", "3"]));
    for round in 0..6 {
        let mut events = Vec::new();
        for _ in 0..40 {
            let pair: Vec<Uuid> = people.choose_multiple(&mut chance, 2).copied().collect();
            let matched = csr.id();
            events.extend([csr.matched(matched, pair[0], pair[1]), csr.checkin(matched), csr.logged(matched)]);
            let session = csr.id();
            events.extend([csr.completed(session, [pair[0], pair[1]]), csr.rated(session, "participant", 0.75)]);
            csr.company = *companies.choose(&mut chance).expect("a company");
            events.push(csr.person(pair[0]));
        }
        events.shuffle(&mut chance);
        world.publish_events(&events).await;
        told.extend(events);
        let all = i64::try_from(told.len()).expect("a number");
        world.reaches("select count(*) from event_log where processed_at is not null", |done| done == all);
        world.reaches("select count(*) from touched_later", |left| left == 0);
        eprintln!("round {round}");
        assert_counted(&world, &told).await;
    }
    drop(processes);
}
