//! Who is meant by an event: one person, one row, whichever of their names it uses and whoever is told first.

use milepost::derived_id::derived_id;
use rand::seq::SliceRandom as _;
use serde_json::{Value, json};
use sqlx::Connection as _;
use uuid::Uuid;

use crate::support::{BLOCKED, Csr, World, chance, eventually, seeds};

mod guarded; // what a merge may touch
mod merging; // two rows that turn out to be one person
mod random; // random snapshots in random orders, against a naive union of names

/// A snapshot from a provider that knows no CSR ids.
fn external(csr: &mut Csr, source: &str, external_id: &str, email: &str, action: &str) -> Value {
    let company = csr.company;
    csr.event(
        "external.user.synced",
        json!({"externalId": external_id, "source": source, "companyId": company, "action": action,
               "user": {"externalUserId": external_id, "email": email, "firstName": "Ada", "lastName": "Byron",
                        "displayName": "Ada Byron", "jobTitle": "Countess"}}),
    )
}

/// A snapshot from a directory, with a CSR id where it knows one.
fn directory(csr: &mut Csr, system: &str, external_id: &str, email: &str, user_id: Option<Uuid>) -> Value {
    let (company, at) = (csr.company, csr.tick());
    csr.event(
        "ingest.directory.synced",
        json!({"sourceSystem": system, "sourceId": "s", "sourceTenantId": "t", "userId": user_id,
               "externalUserId": external_id, "companyId": company, "email": email, "firstName": "Ada",
               "lastName": "Byron", "managerEmail": "boss@example.org", "status": "active", "lastUpdated": at}),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn two_directories_that_tell_of_somebody_new_at_once_do_not_contradict_each_other() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let person = csr.id();
    let running = world.start(&["--only", "project", "--workers", "1"]);
    // As another worker that has projected the other directory's snapshot, and not committed yet.
    let mut other = world.postgres().await;
    let mut other = other.begin().await.expect("a transaction");
    for sql in [
        format!("insert into users (id, email) values ('{person}', 'ada@example.org')"),
        format!("insert into user_emails (email, user_id) values ('ada@example.org', '{person}')"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *other).await.expect("a statement");
    }
    world.publish_events(&[directory(&mut csr, "adp", "a-1", "ada@example.org", Some(person))]).await;
    world.reaches(BLOCKED, |blocked| blocked == 1);
    other.commit().await.expect("committed");
    world.reaches("select count(*) from company_memberships", |snapshots| snapshots == 1);
    assert_eq!(world.rows("select * from identity_conflicts").await, Vec::<Value>::new());
    running.kill();
}

/// Whoever read `users.id` may name it, before the e-mail is known from which that id follows.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_follows_from_an_email_is_no_csr_id_whoever_is_told_first() {
    let named = derived_id("milepost:user:first@example.org");
    let mut rows = Vec::new();
    for order in [[0, 1], [1, 0]] {
        for batch in ["1", "2"] {
            let world = World::new().await;
            let mut csr = Csr::new();
            let told = [
                external(&mut csr, "okta", "o-1", "first@example.org", "created"),
                directory(&mut csr, "adp", "a-1", "another@example.org", Some(named)),
            ];
            world.publish_events(&order.map(|index| told[index].clone())).await;
            let summary = world.drain(&["--batch", batch]);
            assert_eq!(summary["applied"], json!(2), "{summary}");
            rows.push(world.rows("select id, email, id_derived from users").await);
            assert_eq!(world.number("select count(*) from identity_conflicts").await, 0);
            world.is_as_rebuilt();
        }
    }
    let expected = json!({"id": named, "email": "another@example.org", "id_derived": true});
    assert!(rows.iter().all(|rows| *rows == [expected.clone()]), "{rows:?}");
}

/// An import by hand knows no company: that makes none, and takes nobody out of theirs.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_without_a_company_says_nothing_of_it() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let [person, stranger] = [csr.id(), csr.id()];
    let nobodys = |mut event: Value| {
        event["data"]["companyId"] = json!(Uuid::nil());
        event
    };
    let events = [
        directory(&mut csr, "adp", "a-1", "ada@example.org", Some(person)),
        nobodys(directory(&mut csr, "manual", "m-1", "ada@example.org", Some(person))),
        nobodys(directory(&mut csr, "manual", "m-2", "bob@example.org", Some(stranger))),
    ];
    world.publish_events(&events).await;
    world.drain(&[]);
    let now = "select company_at(id, now()) as company from users where id";
    assert_eq!(world.rows(&format!("{now} = '{person}'")).await, [json!({"company": csr.company})]);
    assert_eq!(world.rows(&format!("{now} = '{stranger}'")).await, Vec::<Value>::new());
    assert_eq!(world.rows("select id from companies").await, [json!({"id": csr.company})]);
    assert_eq!(world.rows("select user_id from company_users").await, [json!({"user_id": person})]);
    let mappings = world.rows("select external_id from external_id_mappings order by 1").await;
    assert_eq!(mappings.len(), 3);
    assert_eq!(mappings[1..], [json!({"external_id": "m-1"}), json!({"external_id": "m-2"})]);
    world.is_as_rebuilt();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_found_by_every_name_that_they_ever_had() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let person = csr.id();
    let running = world.start(&[]);
    let steps = [
        directory(&mut csr, "workday", "w-1", "ada@example.org", Some(person)), // somebody new
        external(&mut csr, "okta", "o-1", "Ada@Example.org ", "created"),       // the e-mail
        directory(&mut csr, "adp", "a-1", "lovelace@example.org", Some(person)), // the CSR id
        external(&mut csr, "okta", "o-1", "countess@example.org", "updated"),   // the external id
        external(&mut csr, "azure_ad", "z-1", "lovelace@example.org", "created"), // an e-mail of earlier
    ];
    let emails = ["ada", "ada", "lovelace", "countess", "lovelace"];
    for (number, (step, email)) in steps.iter().zip(emails).enumerate() {
        world.publish_events(std::slice::from_ref(step)).await;
        let done = i64::try_from(number).expect("a number") + 1;
        world.reaches("select count(*) from event_log where processed_at is not null", |applied| applied == done);
        let people = world.rows("select id, email, first_name, id_derived from users").await;
        let wanted =
            json!({"id": person, "email": format!("{email}@example.org"), "first_name": "Ada", "id_derived": false});
        assert_eq!(people, [wanted], "after {step}");
    }
    assert_eq!(world.number("select count(*) from user_emails").await, 3);
    assert_eq!(world.number("select count(*) from user_external_ids").await, 4);
    let in_step = "select count(*) from user_external_ids u join external_id_mappings m
                   on m.external_system = u.provider and m.external_id = u.scope || ':' || u.external_id
                   and m.user_id = u.profile_id";
    assert_eq!(world.number(in_step).await, 4);
    assert_eq!(world.number("select count(*) from identity_conflicts").await, 0);
    eventually("the changed e-mail is counted", || {
        (running.metric("milepost_identity_email_changes_total", "") >= 1.0).then_some(())
    });
    // What is kept of a snapshot besides has neither names nor e-mails.
    let kept = world.rows("select metadata from user_external_ids").await;
    assert!(kept.iter().any(|row| row.to_string().contains("Countess")), "the rest is kept: {kept:?}");
    for word in ["Ada", "Byron", "@"] {
        assert!(!kept.iter().any(|row| row.to_string().contains(word)), "{word} in {kept:?}");
    }
    running.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_meet_the_same_unknown_person_at_once_make_one_row() {
    let mut chance = chance(seeds(1)[0]);
    let world = World::new().await;
    let mut csr = Csr::new();
    let processes = [(); 2].map(|()| world.start(&["--workers", "2", "--batch", "1"]));
    world.pulls(4);
    let mut events = Vec::new();
    for number in 0..100 {
        let email = format!("p{number}@example.org");
        let mut meeting = [
            external(&mut csr, "okta", &format!("o-{number}"), &email, "created"),
            external(&mut csr, "azure_ad", &format!("z-{number}"), &email, "created"),
            external(&mut csr, "workday", &format!("w-{number}"), &email, "created"),
            directory(&mut csr, "adp", &format!("a-{number}"), &email, None),
        ];
        meeting.shuffle(&mut chance);
        events.extend(meeting);
    }
    world.publish_events(&events).await;
    world.reaches("select count(*) from event_log where processed_at is not null", |applied| applied == 400);
    let wrong = "select count(*) from users where id <> derived_id('milepost:user:' || email)";
    assert_eq!(world.number("select count(*) from users").await, 100);
    assert_eq!(world.number(wrong).await, 0);
    assert_eq!(world.number("select count(*) from user_external_ids").await, 400);
    assert_eq!(world.number("select count(*) from company_users").await, 100);
    assert_eq!(world.number("select count(*) from identity_conflicts").await, 0);
    assert!(world.dead_letters().is_empty());
    drop(processes);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_that_learn_the_same_csr_id_at_once_agree() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let csr_id = csr.id();
    let known = external(&mut csr, "okta", "o-1", "ada@example.org", "created");
    world.publish_events(&[known]).await;
    world.drain(&[]);
    let running = world.start(&["--workers", "2", "--batch", "1"]);
    world.pulls(2);
    let mut held = world.postgres().await;
    let mut held = held.begin().await.expect("a transaction");
    sqlx::query("lock table handled_sequences in share mode").execute(&mut *held).await.expect("a lock");
    let told = [(); 2].map(|()| directory(&mut csr, "workday", "w-1", "ada@example.org", Some(csr_id)));
    world.publish_events(&told).await;
    // One has given the person their id and stands before its commit, the other waits for it.
    world.reaches(BLOCKED, |blocked| blocked == 2);
    held.rollback().await.expect("the lock is let go");
    world.reaches("select count(*) from event_log where processed_at is not null", |applied| applied == 3);
    assert_eq!(world.rows("select id, id_derived from users").await, [json!({"id": csr_id, "id_derived": false})]);
    assert_eq!(world.rows("select * from identity_conflicts").await, Vec::<Value>::new());
    running.kill();
}

/// Every order of some things.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let inserted = |shorter: Vec<usize>| {
        (0..count).map(move |place| {
            let mut longer = shorter.clone();
            longer.insert(place, count - 1);
            longer
        })
    };
    permutations(count - 1).into_iter().flat_map(inserted).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_order_snapshots_arrive_in_the_person_is_the_same() {
    let world = World::new().await;
    let (mut rounds, mut outcomes) = (vec![Vec::new(); 4], Vec::new());
    let mut number = 0;
    let begin = Csr::new();
    for with_csr_id in [false, true] {
        for order in permutations(4) {
            // The same times and companies for everybody: only ids and addresses differ.
            let mut csr = begin.again();
            let (first, last) = (format!("p{number}@example.org"), format!("new-p{number}@example.org"));
            let (okta, adp, csr_id) = (format!("o-{number}"), format!("a-{number}"), Uuid::new_v4());
            let events = match with_csr_id {
                // One external id whose e-mail changes: the derived id is that of the earliest.
                false => [
                    external(&mut csr, "okta", &okta, &first, "created"),
                    external(&mut csr, "okta", &okta, &last, "updated"),
                    external(&mut csr, "okta", &okta, &first, "deactivated"),
                    external(&mut csr, "okta", &okta, &last, "deactivated"),
                ],
                // One e-mail in three providers, one of which knows the CSR id.
                true => [
                    external(&mut csr, "okta", &okta, &first, "created"),
                    directory(&mut csr, "adp", &adp, &first, Some(csr_id)),
                    external(&mut csr, "azure_ad", &okta, &first, "created"),
                    external(&mut csr, "okta", &okta, &first, "deactivated"),
                ],
            };
            for (round, index) in order.iter().enumerate() {
                let mut event = events[*index].clone();
                event["metadata"]["id"] = Uuid::new_v4().to_string().into();
                rounds[round].push(event);
            }
            let id = if with_csr_id { csr_id } else { derived_id(&format!("milepost:user:{first}")) };
            outcomes.push((id, if with_csr_id { first } else { last }, with_csr_id, order));
            number += 1;
        }
    }
    for round in rounds {
        world.publish_events(&round).await;
        world.drain(&["--batch", "7"]);
    }
    assert_eq!(world.number("select count(*) from users").await, 48);
    for (id, email, with_csr_id, order) in outcomes {
        let sql = format!(
            "select email, updated_at, joined_at, left_at, (select count(*) from user_emails where user_id = users.id),
                 (select count(*) from company_memberships where user_id = users.id) as seen,
                 (select min(first_at) from user_external_ids where profile_id = users.id) as first_at
             from users join company_users on user_id = users.id where users.id = '{id}'"
        );
        let minute = |minute: u32| format!("2026-01-05T08:{minute:02}:00+00:00");
        // A directory's snapshot takes one minute more to make.
        let last = if with_csr_id { 5 } else { 4 };
        let wanted = json!({"email": email, "updated_at": minute(last), "joined_at": minute(1), "left_at": minute(last),
                            "count": if with_csr_id { 1 } else { 2 }, "seen": 4, "first_at": minute(1)});
        assert_eq!(world.rows(&sql).await, [wanted], "arrived in the order {order:?}");
    }
    assert_eq!(world.number("select count(*) from identity_conflicts").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_takes_their_csr_id_takes_everything_along() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (csr_id, buddy, matched) = (csr.id(), csr.id(), csr.id());
    let derived = derived_id("milepost:user:ada@example.org");
    let known = external(&mut csr, "okta", "o-1", "ada@example.org", "created");
    world.publish_events(&[known, csr.person(buddy)]).await;
    let pair = [csr.matched(matched, derived, buddy), csr.checkin(matched)];
    world.publish_events(&pair).await;
    world.drain(&[]);
    let tables = [
        ("buddy_matches", "participant_id"),
        ("program_enrollments", "user_id"),
        ("user_external_ids", "profile_id"),
        ("external_id_mappings", "user_id"),
        ("user_emails", "user_id"),
        ("company_users", "user_id"),
        ("company_memberships", "user_id"),
        ("users", "id"),
    ];
    let count = async |table: &str, column: &str, id: Uuid| {
        world.number(&format!("select count(*) from {table} where {column} = '{id}'")).await
    };
    for (table, column) in tables {
        assert_eq!(count(table, column, derived).await, 1, "{table}");
    }
    let named = directory(&mut csr, "workday", "w-1", "ada@example.org", Some(csr_id));
    world.publish_events(&[named]).await;
    world.drain(&[]);
    for (table, column) in tables {
        assert_eq!(count(table, column, derived).await, 0, "{table}");
        assert!(count(table, column, csr_id).await >= 1, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contradictions_are_first_come_counted_and_listed_and_stop_nothing() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (first, second, third, matched) = (csr.id(), csr.id(), csr.id(), csr.id());
    let running = world.start(&["--batch", "1"]);
    let events = [
        directory(&mut csr, "workday", "w-1", "ada@example.org", Some(first)),
        directory(&mut csr, "adp", "a-1", "ada@example.org", Some(second)), // one e-mail under two CSR ids
        directory(&mut csr, "workday", "w-3", "bob@example.org", Some(third)),
        directory(&mut csr, "workday", "w-1", "bob@example.org", Some(third)), // an external id that moves
        csr.matched(matched, second, third),
        csr.person(buddy_of(third)),
    ];
    world.publish_events(&events).await;
    world.reaches("select count(*) from event_log", |stored| stored == 6);
    world.reaches("select count(*) from event_log where processed_at is not null", |applied| applied == 5);
    let conflicts = world.rows("select event_id, kind, user_id from identity_conflicts order by created_at").await;
    assert_eq!(conflicts.len(), 2, "{conflicts:?}");
    for (conflict, (event, kind)) in conflicts.iter().zip([(1, "second_csr_id"), (3, "external_id_moved")]) {
        assert_eq!(conflict["event_id"], events[event]["metadata"]["id"]);
        assert_eq!((&conflict["kind"], &conflict["user_id"]), (&kind.into(), &first.to_string().into()));
    }
    eventually("they are counted", || {
        ((running.metric("milepost_identity_conflicts_total", "") - 2.0).abs() < f64::EPSILON).then_some(())
    });
    assert_eq!(world.number(&format!("select count(*) from users where id = '{second}'")).await, 0);
    let waits = world.rows("select key from waiting_events").await;
    assert_eq!(waits, [json!({"key": second})], "what refers to the second id waits visibly");
    assert!(world.dead_letters().is_empty());
    running.kill();
    world.prove();
}

/// Somebody else.
fn buddy_of(person: Uuid) -> Uuid {
    Uuid::from_u128(person.as_u128().wrapping_add(1 << 64))
}
