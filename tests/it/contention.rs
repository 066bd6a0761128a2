//! Workers that change the same people at the same time: none of them undoes what another did.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rand::Rng as _;
use rand::seq::{IteratorRandom as _, SliceRandom as _};
use serde_json::Value;
use sqlx::Connection as _;
use uuid::Uuid;

use crate::support::{BLOCKED, Csr, World, chance, seeds};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_endings_that_two_workers_commit_at_once_both_count() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (participant, buddy, first, second) = (csr.id(), csr.id(), csr.id(), csr.id());
    let people = [csr.person(participant), csr.person(buddy)];
    let matches = [csr.matched(first, participant, buddy), csr.matched(second, participant, buddy)];
    let endings = [first, second].map(|id| csr.ended(id, participant, buddy, "completed"));
    world.publish_events(&people).await;
    world.publish_events(&matches).await;
    world.drain(&[]);

    let running = world.start(&["--only", "project", "--workers", "2", "--batch", "1"]);
    at_once(&world, &endings).await;
    world.reaches("select count(*) from buddy_matches where ended_event is not null", |ended| ended == 2);

    // Whoever saw one ending only takes the other match for an active one.
    let rows = world.rows("select status, completed_at from program_enrollments").await;
    assert_eq!(rows.len(), 2, "one for each person");
    for row in rows {
        assert_eq!(row["status"], "completed");
        assert_eq!(time(&row["completed_at"]), time(&endings[1]["data"]["endedAt"]));
    }
    running.kill();
}

/// Publishes two events that two workers take at once: one has projected its own and stands right before its commit,
/// the other has too, or waits for the first.
async fn at_once(world: &World, events: &[Value; 2]) {
    world.pulls(2);
    let mut held = world.postgres().await;
    let mut held = held.begin().await.expect("a transaction");
    sqlx::query("lock table handled_sequences in share mode").execute(&mut *held).await.expect("a lock");
    world.publish_events(events).await;
    world.reaches(BLOCKED, |blocked| blocked == 2);
    held.rollback().await.expect("the lock is let go");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ratings_and_a_completion_that_two_workers_commit_at_once_all_count() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let ([participant, volunteer], session) = ([csr.id(), csr.id()], csr.id());
    let people = [participant, volunteer];
    world.publish_events(&[csr.person(participant), csr.person(volunteer)]).await;
    world.publish_events(&[csr.scheduled(session, people)]).await;
    world.drain(&[]);

    let running = world.start(&["--only", "project", "--workers", "2", "--batch", "1"]);
    let ratings = [csr.rated(session, "participant", 0.25), csr.rated(session, "volunteer", 0.75)];
    at_once(&world, &ratings).await;
    world.reaches("select count(*) from kintell_ratings", |ratings| ratings == 2);
    // Whoever saw one rating only takes it for the mean.
    assert_eq!(world.number("select rating * 100 from kintell_sessions").await, 50);

    at_once(&world, &[csr.completed(session, people), csr.rated(session, "volunteer", 0.5)]).await;
    world.reaches("select count(*) from kintell_ratings", |ratings| ratings == 3);
    world.reaches("select count(*) from kintell_sessions where completed_event is not null", |done| done == 1);
    at_once(&world, &[csr.rated(session, "volunteer", 1.0), csr.scheduled(session, people)]).await;
    world.reaches("select count(*) from kintell_ratings", |ratings| ratings == 4);
    // 0.25, 0.75, 0.5 and 1.0
    world.reaches("select rating * 1000 from kintell_sessions", |rating| rating == 630);
    running.kill();
    assert_eq!(world.prove()["applied"], 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_courses_and_two_tellings_of_one_that_two_workers_commit_at_once_all_count() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let person = csr.id();
    world.publish_events(&[csr.person(person)]).await;
    world.drain(&[]);
    let mut progress = |course: &str, status: &str| {
        let data = serde_json::json!({"progressId": csr.id(), "userId": person, "provider": "p", "courseId": course,
            "courseName": course, "progressPercent": 7, "status": status, "updatedAt": csr.tick()});
        csr.event("upskilling.progress.updated", data)
    };
    let begun = [progress("a", "enrolled"), progress("b", "enrolled")];
    let dropped = [progress("a", "dropped"), progress("b", "dropped")];
    let again = [progress("a", "in_progress"), progress("a", "dropped")];

    let running = world.start(&["--only", "project", "--workers", "2", "--batch", "1"]);
    for (events, active, courses) in [(&begun, true, 2), (&dropped, false, 0), (&again, false, 0)] {
        let handled = world.number("select count(*) from learning_reports").await;
        at_once(&world, events).await;
        world.reaches("select count(*) from learning_reports", |reports| reports == handled + 2);
        let open = "select count(*) from learning_progress where status <> 'dropped'";
        assert_eq!(world.number(open).await, courses);
        let enrolled = "select count(*) from program_enrollments where status = 'active'";
        assert_eq!(world.number(enrolled).await == 1, active);
    }
    running.kill();
    assert_eq!(world.prove()["applied"], 7);
}

struct Pair {
    participant: Uuid,
    buddy: Uuid,
    matched_at: DateTime<Utc>,
    ended: Option<(DateTime<Utc>, &'static str)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn crowds_of_matches_among_ten_people_lose_no_update() {
    let mut chance = chance(seeds(1)[0]);
    let world = World::new().await;
    let mut csr = Csr::new();
    let people: Vec<Uuid> = (0..10).map(|_| csr.id()).collect();
    world.publish_events(&people.iter().map(|person| csr.person(*person)).collect::<Vec<_>>()).await;
    let processes = [(); 2].map(|()| world.start(&["--only", "project", "--workers", "2", "--batch", "3"]));

    let mut pairs: BTreeMap<Uuid, Pair> = BTreeMap::new();
    let mut published = 10;
    let done = "select count(*) from event_log where processed_at is not null";
    for _ in 0..20 {
        let matches: Vec<Value> = (0..60)
            .map(|_| {
                let (id, two) = (csr.id(), people.iter().copied().choose_multiple(&mut chance, 2));
                let event = csr.matched(id, two[0], two[1]);
                let matched_at = time(&event["data"]["matchedAt"]);
                pairs.insert(id, Pair { participant: two[0], buddy: two[1], matched_at, ended: None });
                event
            })
            .collect();
        published += i64::try_from(matches.len()).expect("a number");
        world.publish_events(&matches).await;
        world.reaches(done, |done| done == published);
        assert_eq!(enrolments(&world).await, recomputed(&pairs));

        // Nearly all end, so that people are left without an active match, where each ending decides.
        let mut endings = Vec::new();
        for (id, pair) in pairs.iter_mut().filter(|(_, pair)| pair.ended.is_none()) {
            if chance.random_bool(0.95) {
                let reason = if chance.random_bool(0.3) { "completed" } else { "inactivity" };
                let event = csr.ended(*id, pair.participant, pair.buddy, reason);
                pair.ended = Some((time(&event["data"]["endedAt"]), reason));
                endings.push(event);
            }
        }
        endings.shuffle(&mut chance);
        published += i64::try_from(endings.len()).expect("a number");
        world.publish_events(&endings).await;
        world.reaches(done, |done| done == published);
        assert_eq!(enrolments(&world).await, recomputed(&pairs));
    }
    assert_eq!(world.prove()["applied"], published);
    assert!(world.dead_letters().is_empty());
    drop(processes);
}

/// What the table says: person, role, status, begin, end.
type Enrolments = BTreeMap<Uuid, (String, String, DateTime<Utc>, Option<DateTime<Utc>>)>;

async fn enrolments(world: &World) -> Enrolments {
    let sql = "select user_id, role, status, enrolled_at, completed_at
               from program_enrollments join users on users.id = user_id";
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let row = |row: Value| {
        let completed = Some(&row["completed_at"]).filter(|at| !at.is_null()).map(time);
        let person = text(&row["user_id"]).parse().expect("an id");
        (person, (text(&row["role"]), text(&row["status"]), time(&row["enrolled_at"]), completed))
    };
    world.rows(sql).await.into_iter().map(row).collect()
}

/// What it should say, straight from the definition.
fn recomputed(pairs: &BTreeMap<Uuid, Pair>) -> Enrolments {
    let people = pairs.values().flat_map(|pair| [pair.participant, pair.buddy]);
    let of_person = |person: Uuid| {
        let of = || pairs.values().filter(move |pair| person == pair.participant || person == pair.buddy);
        let completed = of().filter_map(|pair| pair.ended).filter(|(_, reason)| *reason == "completed");
        let completed = completed.map(|(at, _)| at).max();
        let (status, completed) = match (of().any(|pair| pair.ended.is_none()), completed) {
            (true, _) => ("active", None),
            (false, Some(at)) => ("completed", Some(at)),
            (false, None) => ("dropped", None),
        };
        let role = if of().any(|pair| pair.buddy == person) { "volunteer" } else { "participant" };
        let begin = of().map(|pair| pair.matched_at).min().expect("a match");
        (person, (role.to_owned(), status.to_owned(), begin, completed))
    };
    people.map(of_person).collect()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().and_then(|text| text.parse().ok()).expect("a time")
}
