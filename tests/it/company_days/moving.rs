//! What counted for one company or day counts for another one.

use milepost::derived_id::derived_id;
use serde_json::{Value, json};
use sqlx::Connection as _;
use uuid::Uuid;

use super::{assert_counted, enrollment, hours, rows_of, score, snapshot};
use crate::support::{BLOCKED, Csr, World};

/// Publishes these after those before, and compares with the count of all of them.
async fn tell(world: &World, told: &mut Vec<Value>, events: Vec<Value>) {
    world.publish_events(&events).await;
    world.drain(&[]);
    told.extend(events);
    assert_counted(world, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_snapshots_of_people_move_what_they_did() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let ([one, two], [a, b, c]) = ([csr.id(), csr.id()], [csr.id(), csr.id(), csr.id()]);
    let (mut told, at) = (Vec::new(), |day: u32| format!("2026-03-{day:02}T00:00:00Z"));
    let first = vec![snapshot(&mut csr, one, a, &at(10)), snapshot(&mut csr, two, a, &at(10))];
    tell(&world, &mut told, first).await;
    let scores = [1, 5, 10, 15, 20].map(|day| score(&mut csr, one, 0.5, &at(day)));
    tell(&world, &mut told, scores.to_vec()).await;
    assert_eq!(rows_of(&world, a).await.len(), 5, "before the first snapshot too");
    let event = snapshot(&mut csr, one, b, &at(15));
    tell(&world, &mut told, vec![event]).await;
    assert_eq!((rows_of(&world, a).await.len(), rows_of(&world, b).await.len()), (3, 2), "at the very moment too");
    // An earlier first one takes what was before all; then two of one company at once, in both orders.
    let events = vec![snapshot(&mut csr, one, c, &at(8)), snapshot(&mut csr, one, c, &at(5))];
    tell(&world, &mut told, events).await;
    assert_eq!((rows_of(&world, a).await.len(), rows_of(&world, c).await.len()), (1, 2));
    let events = vec![snapshot(&mut csr, one, b, &at(3)), snapshot(&mut csr, one, b, &at(4))];
    tell(&world, &mut told, events).await;
    assert_eq!((rows_of(&world, b).await.len(), rows_of(&world, c).await.len()), (3, 1));
    let event = snapshot(&mut csr, one, c, &at(10)); // of two at the same moment, the greater id
    tell(&world, &mut told, vec![event]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_anew_is_taken_away_where_it_counted() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let ([one, two], [a, b]) = ([csr.id(), csr.id()], [csr.id(), csr.id()]);
    let (mut told, at) = (Vec::new(), |day: u32| format!("2026-03-{day:02}T00:00:00Z"));
    let people = vec![snapshot(&mut csr, one, a, &at(1)), snapshot(&mut csr, two, b, &at(1))];
    tell(&world, &mut told, people).await;
    // A session that was rated is scheduled anew, and held, with others; the enrolment goes with it.
    let session = csr.id();
    for pair in [[one, two], [two, one], [one, two]] {
        let mut event = csr.scheduled(session, pair);
        event["data"]["scheduledAt"] = json!(at(2));
        let rated = csr.rated(session, "participant", 0.5);
        tell(&world, &mut told, vec![event, rated]).await;
    }
    let held = csr.completed(session, [two, one]);
    tell(&world, &mut told, vec![held]).await;
    // Entries that move to another company, day, person, kind.
    for (company, day) in [(a, 3), (b, 3), (b, 4), (a, 5)] {
        let event = hours(&mut csr, "h", one, company, 2.5, &at(day));
        tell(&world, &mut told, vec![event]).await;
    }
    for (person, kind) in [(one, "language_course"), (two, "buddy_program"), (two, "other"), (one, "upskilling_course")]
    {
        let event = enrollment(&mut csr, "e", person, kind, "2026-01-01T00:00:00Z");
        tell(&world, &mut told, vec![event]).await;
    }
    // A milestone that was reached earlier than was told first.
    for day in [9, 7, 8] {
        let data = json!({"milestoneId": 1, "userId": one, "milestoneTitle": "t", "milestoneCategory": "impact",
                          "reachedAt": at(day), "points": 5});
        let event = csr.event("buddy.milestone.reached", data);
        tell(&world, &mut told, vec![event]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_gets_another_id_keeps_their_days() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (company, person) = (csr.company, csr.id());
    let at = "2026-03-01T00:00:00Z";
    let user = json!({"externalUserId": "x", "email": "ada@example.org", "firstName": "Ada", "lastName": "Byron",
                      "displayName": "Ada Byron", "jobTitle": "Countess"});
    let data = json!({"externalId": "x", "source": "okta", "companyId": company, "action": "created", "user": user});
    let external = csr.event("external.user.synced", data);
    let earlier = derived_id("milepost:user:ada@example.org");
    let before = [external, score(&mut csr, earlier, 0.5, at), enrollment(&mut csr, "e", earlier, "buddy_program", at)];
    let mut directory = csr.person(person);
    directory["data"]["email"] = json!("ada@example.org");
    let after = [directory, score(&mut csr, person, 0.25, at), enrollment(&mut csr, "e", person, "buddy_program", at)];
    let expected = ["2026-03-01 -- enrolled_people=1 score_count=2 score_sum=0.75"];
    for between in [true, false] {
        let world = if between { &world } else { &World::new().await };
        world.publish_events(&before).await;
        if between {
            world.drain(&[]);
        }
        world.publish_events(&after).await;
        world.drain(&["--batch", "1"]);
        assert_eq!(rows_of(world, company).await, expected, "derived in between: {between}");
        assert_eq!(world.number("select count(*) from company_day_parts where person_id is not null").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_late_is_derived_late() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (person, company, other) = (csr.id(), csr.company, csr.id());
    world.publish_events(&[csr.person(person)]).await;
    let running = world.start(&["--only", "project"]);
    world.reaches("select count(*) from users", |people| people == 1);
    // As another worker would: its note comes before those of others, and its commit after they were derived.
    let mut slow = world.postgres().await;
    let mut slow = slow.begin().await.expect("a transaction");
    let snapshot = Uuid::from_u128(7);
    for sql in [
        format!("insert into companies (id) values ('{other}')"),
        format!(
            "insert into company_memberships (event_id, user_id, company_id, seen_at)
             values ('{snapshot}', '{person}', '{other}', '2026-02-01')"
        ),
        format!("insert into touched_later (name, key) values ('company_days', 'membership {snapshot}')"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *slow).await.expect("a statement");
    }
    world.publish_events(&[score(&mut csr, person, 0.5, "2026-03-01T00:00:00Z")]).await;
    world.reaches("select count(*) from company_days", |days| days == 1);
    assert_eq!(rows_of(&world, company).await.len(), 1);
    slow.commit().await.expect("committed");
    world.reaches("select count(*) from touched_later", |left| left == 0);
    world.reaches("select count(*) from company_days where score_count = 1", |days| days == 1);
    assert_eq!((rows_of(&world, company).await.len(), rows_of(&world, other).await.len()), (0, 1));
    running.kill();
}

/// As a batch does that finds out, while the days are computed, that the person is somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn what_gets_another_key_while_it_is_computed_is_taken_away_once() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (person, company, gone) = (csr.id(), csr.company, csr.id());
    let told = enrollment(&mut csr, "e", person, "buddy_program", "2026-03-01T00:00:00Z");
    world.publish_events(&[csr.person(person), told]).await;
    world.drain(&[]);
    assert_eq!(rows_of(&world, company).await, ["2026-03-01 -- enrolled_people=1"]);

    let mut other = world.postgres().await;
    let mut other = other.begin().await.expect("a transaction");
    for sql in [
        format!("update company_day_parts set entity_id = '{gone}', person_id = null where person_id = '{person}'"),
        format!("insert into touched_later (name, key) values ('company_days', 'gone {gone}')"),
    ] {
        let changed = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *other).await.expect("a statement");
        assert_eq!(changed.rows_affected(), 1);
    }
    let running = world.start(&["--only", "project"]);
    world.publish_events(&[enrollment(&mut csr, "e", person, "buddy_program", "2026-03-02T00:00:00Z")]).await;
    world.reaches(BLOCKED, |blocked| blocked == 1);
    other.commit().await.expect("committed");
    world.reaches("select count(*) from touched_later", |left| left == 0);
    assert_eq!(rows_of(&world, company).await, ["2026-03-02 -- enrolled_people=1"]);
    assert!(!running.log().contains("ERROR"), "{}", running.log());
    running.kill();
    world.is_as_rebuilt();
}
