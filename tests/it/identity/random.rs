//! Random snapshots of people with few names, so that these collide, and what the people did: in any order the same
//! people come out, and they are those that a naive union of names gives.

use std::collections::{BTreeMap, BTreeSet};

use milepost::derived_id::derived_id;
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{directory, external};
use crate::support::{Csr, World, assert_same, chance, seeds};

/// Snapshots in a case; things that people did are as many.
const SNAPSHOTS: usize = 60;

/// A snapshot, by the names that it ties together.
#[derive(Debug, Clone)]
struct Snapshot {
    at: String,
    event: Uuid,
    provider: String,
    external_id: String,
    email: String,
    csr_id: Option<Uuid>,
}

impl Snapshot {
    fn names(&self) -> BTreeSet<String> {
        let of_system = format!("{} {}", self.provider, self.external_id);
        self.csr_id.iter().map(Uuid::to_string).chain([of_system, self.email.clone()]).collect()
    }

    fn told(&self) -> (&str, Uuid) {
        (&self.at, self.event)
    }
}

/// One person: whatever snapshots have a name in common, over any number of steps.
#[derive(Debug, Default, Clone)]
struct Person {
    names: BTreeSet<String>,
    snapshots: Vec<Snapshot>,
}

impl Person {
    fn csr_ids(&self) -> BTreeSet<Uuid> {
        self.snapshots.iter().filter_map(|snapshot| snapshot.csr_id).collect()
    }

    /// The CSR id, else what follows from the e-mail of the earliest snapshot.
    fn id(&self) -> Uuid {
        let first = self.snapshots.iter().min_by_key(|snapshot| snapshot.told()).expect("a snapshot");
        let derived = derived_id(&format!("milepost:user:{}", first.email));
        self.csr_ids().first().copied().unwrap_or(derived)
    }

    fn as_row(&self) -> Value {
        let last = self.snapshots.iter().max_by_key(|snapshot| snapshot.told()).expect("a snapshot");
        let emails: BTreeSet<&String> = self.snapshots.iter().map(|snapshot| &snapshot.email).collect();
        let systems: BTreeSet<String> =
            self.snapshots.iter().map(|one| format!("{} {}", one.provider, one.external_id)).collect();
        json!({"id": self.id(), "email": last.email, "id_derived": self.csr_ids().is_empty(), "emails": emails,
               "systems": systems, "mapped": systems.len(), "snapshots": self.snapshots.len()})
    }
}

/// The people that there are with one more snapshot.
fn with(people: &[Person], snapshot: &Snapshot) -> Vec<Person> {
    let names = snapshot.names();
    let (meant, mut others): (Vec<Person>, Vec<Person>) =
        people.iter().cloned().partition(|person| !person.names.is_disjoint(&names));
    let mut one = Person { names, snapshots: vec![snapshot.clone()] };
    for person in meant {
        one.names.extend(person.names);
        one.snapshots.extend(person.snapshots);
    }
    others.push(one);
    others
}

/// Snapshots that do not contradict each other, as events, and the people whom they tell of.
fn snapshots(chance: &mut StdRng, csr: &mut Csr) -> (Vec<Value>, Vec<Person>) {
    let csr_ids: Vec<Uuid> = (0..8).map(|_| csr.id()).collect();
    let (mut events, mut people) = (Vec::new(), Vec::new());
    while events.len() < SNAPSHOTS {
        let email = format!("p{}@example.org", chance.random_range(0..40));
        let external_id = format!("x-{}", chance.random_range(0..12));
        let csr_id = chance.random_bool(0.2).then(|| *csr_ids.choose(chance).expect("an id"));
        let (provider, event) = match csr_id.is_some() || chance.random_bool(0.3) {
            true => ("adp", directory(csr, "adp", &external_id, &email, csr_id)),
            false => {
                let provider = *["okta", "azure_ad", "workday"].choose(chance).expect("a provider");
                (provider, external(csr, provider, &external_id, &email, "updated"))
            }
        };
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let at = text(&event["metadata"]["timestamp"]);
        let id = text(&event["metadata"]["id"]).parse().expect("an id");
        let snapshot = Snapshot { at, event: id, provider: provider.to_owned(), external_id, email, csr_id };
        let united = with(&people, &snapshot);
        if united.iter().all(|person| person.csr_ids().len() <= 1) {
            people = united;
            events.push(event);
        }
    }
    (events, people)
}

/// What people did, whom the events name by whatever id they have, had or might have had.
fn deeds(chance: &mut StdRng, csr: &mut Csr, people: &[Person]) -> Vec<Value> {
    let mut ids: Vec<Uuid> = people.iter().flat_map(Person::csr_ids).collect();
    let emails = people.iter().flat_map(|person| person.snapshots.iter().map(|snapshot| &snapshot.email));
    ids.extend(emails.map(|email| derived_id(&format!("milepost:user:{email}"))));
    let mut events = Vec::new();
    while events.len() < SNAPSHOTS {
        let [one, two] = [(); 2].map(|()| *ids.choose(chance).expect("an id"));
        let (entity, at) = (csr.id(), csr.tick());
        match chance.random_range(0..6) {
            0 => events.extend([csr.matched(entity, one, two), csr.logged(entity), csr.checkin(entity)]),
            1 => {
                let data = json!({"milestoneId": chance.random_range(1..4), "userId": one, "milestoneTitle": at,
                    "milestoneCategory": "impact", "reachedAt": at, "points": 1});
                events.push(csr.event("buddy.milestone.reached", data));
            }
            2 => {
                events.extend([csr.scheduled(entity, [one, two]), csr.rated(entity, "volunteer", 0.9)]);
                events.push(match chance.random_bool(0.5) {
                    true => csr.completed(entity, [two, one]),
                    false => csr.scheduled(entity, [two, one]),
                });
            }
            3 => {
                let data = json!({"progressId": entity, "userId": one, "provider": "p", "courseId": "c",
                    "courseName": "C", "progressPercent": 50, "status": "in_progress", "updatedAt": at});
                events.push(csr.event("upskilling.progress.updated", data));
            }
            4 => {
                let company = csr.company;
                for person in [one, two] {
                    let data = json!({"sourceSystem": "manual", "sourceId": format!("e-{}", entity.as_u128() % 5),
                        "userId": person, "companyId": company, "programType": "language_course", "programId": "p",
                        "programName": "P", "enrollmentDate": at, "status": "enrolled"});
                    events.push(csr.event("ingest.enrollment.created", data));
                }
            }
            _ => {
                let data = json!({"eventId": entity, "userId": one, "eventTitle": "Walk", "eventType": "social",
                    "eventFormat": "in-person", "attendedAt": at});
                events.push(csr.event("buddy.event.attended", data));
            }
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn in_any_order_the_same_people_come_out_as_of_a_naive_union_of_names() {
    let mut merges = 0;
    for seed in seeds(3) {
        let mut chance = chance(seed);
        let mut csr = Csr::new();
        let (mut events, people) = snapshots(&mut chance, &mut csr);
        events.extend(deeds(&mut chance, &mut csr, &people));
        let mut expected: BTreeMap<Uuid, Value> = BTreeMap::new();
        expected.extend(people.iter().map(|person| (person.id(), person.as_row())));

        let usual = World::new().await;
        usual.publish_events(&events).await;
        usual.drain(&[]);
        assert_eq!(found(&usual).await, expected);
        let dump = usual.dump().await;
        for nothing in ["identity_conflicts", "waiting_events"] {
            assert!(dump[nothing].is_empty(), "{nothing}: {:?}", dump[nothing]);
        }

        let world = World::new().await;
        events.shuffle(&mut chance);
        let mut rest = &events[..];
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chance.random_range(1..=rest.len().min(60)));
            rest = after;
            world.publish_events(chunk).await;
            let workers = chance.random_range(1..=4).to_string();
            let batch = [1, 7, 100].choose(&mut chance).expect("a size").to_string();
            eprintln!("{} messages, {workers} workers, batches of {batch}", chunk.len());
            world.drain(&["--workers", &workers, "--batch", &batch]);
        }
        assert_eq!(found(&world).await, expected);
        assert_same(&dump, &world.dump().await);
        merges += world.number("select count(*) from identity_merges").await;
        eprintln!("{} people, {merges} merges so far", people.len());
        world.prove();
        usual.is_as_rebuilt();
        world.is_as_rebuilt();
    }
    assert!(merges > 0, "some people turned out to be one");
}

/// The people that there are, as [`Person::as_row`] has them.
async fn found(world: &World) -> BTreeMap<Uuid, Value> {
    let sql = "select id, email, id_derived,
             (select jsonb_agg(email order by email) from user_emails where user_id = users.id) as emails,
             (select jsonb_agg(name order by name)
              from user_external_ids cross join lateral (select provider || ' ' || external_id) as named (name)
              where profile_id = users.id) as systems,
             (select count(*) from external_id_mappings where user_id = users.id) as mapped,
             (select count(*) from company_memberships where user_id = users.id) as snapshots
         from users";
    let id = |row: &Value| row["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    world.rows(sql).await.into_iter().map(|row| (id(&row), row)).collect()
}
