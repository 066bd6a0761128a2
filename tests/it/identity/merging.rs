//! Two rows that turn out to be one person become one, with everything that either did.

use milepost::derived_id::derived_id;
use serde_json::{Value, json};
use sqlx::Connection as _;
use uuid::Uuid;

use super::{directory, external};
use crate::support::{BLOCKED, Csr, World, eventually};

pub(super) fn derived(email: &str) -> Uuid {
    derived_id(&format!("milepost:user:{email}@example.org"))
}

fn reached(csr: &mut Csr, person: Uuid, milestone: i64) -> Value {
    let at = csr.tick();
    let data = json!({"milestoneId": milestone, "userId": person, "milestoneTitle": at,
                      "milestoneCategory": "impact", "reachedAt": at, "points": 1});
    csr.event("buddy.milestone.reached", data)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_known_under_two_names_has_done_what_both_did() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (buddy, one, two) = (csr.id(), csr.id(), csr.id());
    let [ada, countess] = ["ada", "countess"].map(derived);
    let mut events = vec![
        external(&mut csr, "okta", "o-1", "ada@example.org", "created"),
        external(&mut csr, "azure_ad", "z-1", "countess@example.org", "created"),
        csr.person(buddy),
        csr.matched(one, ada, buddy),
        csr.matched(two, countess, buddy),
        reached(&mut csr, countess, 7),
        reached(&mut csr, ada, 7),
        reached(&mut csr, ada, 8),
    ];
    events.extend((0..4).map(|_| csr.logged(one)));
    events.extend((0..6).map(|_| csr.logged(two)));
    let tenth = events.last().expect("events")["data"]["eventDate"].clone();
    world.publish_events(&events).await;
    world.drain(&[]);
    let milestones = "select milestone, reached_at from journey_milestones where milestone not like 'first%'
                      and user_id in (select id from users where id_derived) order by user_id, milestone";
    assert_eq!(world.rows(milestones).await.len(), 3, "neither has been to ten events");

    let running = world.start(&[]);
    let known = external(&mut csr, "azure_ad", "z-1", "ada@example.org", "updated");
    let late = reached(&mut csr, countess, 9); // by the id that is no more
    world.publish_events(&[known, late]).await;
    world.reaches("select count(*) from event_log where processed_at is not null", |applied| applied == 20);
    let people = "select id, email, role, journey_flags -> 'buddy_events_attended' as attended,
                      journey_flags -> 'buddy_match_count' as matches from users where id_derived";
    let wanted = json!({"id": ada, "email": "ada@example.org", "role": "participant", "attended": 10, "matches": 2});
    assert_eq!(world.rows(people).await, [wanted]);
    let reached = world.rows(milestones).await;
    let names: Vec<&Value> = reached.iter().map(|row| &row["milestone"]).collect();
    assert_eq!(names, ["buddy:7", "buddy:8", "buddy:9", "buddy_10_events"]);
    assert_eq!(moment(&reached[0]["reached_at"]), moment(&events[5]["data"]["reachedAt"]), "the earlier of two");
    assert_eq!(moment(&reached[3]["reached_at"]), moment(&tenth));
    assert_eq!(world.number("select count(*) from company_users").await, 2, "once in the company");

    let merges = world.rows("select gone, stays from identity_merges").await;
    assert_eq!(merges, [json!({"gone": countess, "stays": ada})]);
    eventually("the merge is counted", || (running.metric("milepost_identity_merges_total", "") >= 1.0).then_some(()));
    assert!(running.log().contains("identity_merges"), "the merge is logged");
    assert_eq!(world.number("select count(*) from identity_conflicts").await, 0);
    assert_eq!(world.number("select count(*) from journey_facts_merged").await, 0);
    world.reaches("select count(*) from touched_later", |notes| notes == 0);
    let people = world.number("select sum(enrolled_people) from company_days").await;
    assert_eq!(people, 2, "who is enrolled counts once");
    running.kill();
    world.prove();
    world.is_as_rebuilt();
}

/// It may delete nobody by itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_the_service_is_enough_to_merge() {
    let world = World::new().await;
    let restricted = world.as_service().await;
    let mut csr = Csr::new();
    for (id, email) in [("o-1", "ada"), ("z-1", "countess"), ("z-1", "ada")] {
        let provider = if id == "o-1" { "okta" } else { "azure_ad" };
        let event = external(&mut csr, provider, id, &format!("{email}@example.org"), "updated");
        world.publish_events(&[event, reached(&mut csr, derived(email), 1)]).await;
        let mut run = world.milepost(&["run", "--until-idle"]);
        let output = run.env("DATABASE_URL", &restricted).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(world.number("select count(*) from identity_merges").await, 1);
    assert_eq!(world.number("select count(*) from users").await, 1);
}

fn moment(value: &Value) -> chrono::DateTime<chrono::Utc> {
    value.as_str().and_then(|text| text.parse().ok()).expect("a time")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_csr_id_stays_and_whatever_waits_for_it_goes_on() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let csr_id = csr.id();
    let events = [
        external(&mut csr, "okta", "o-1", "ada@example.org", "created"),
        reached(&mut csr, csr_id, 1),
        directory(&mut csr, "adp", "a-1", "countess@example.org", Some(csr_id)),
        directory(&mut csr, "adp", "a-1", "ada@example.org", None),
        reached(&mut csr, derived("ada"), 2),
        // An id that nobody ever had here: the e-mail was the second of them.
        reached(&mut csr, derived("countess"), 3),
    ];
    for event in &events {
        world.publish_events(std::slice::from_ref(event)).await;
        world.drain(&[]);
    }
    assert_eq!(world.rows("select id, id_derived from users").await, [json!({"id": csr_id, "id_derived": false})]);
    let reached = "select milestone from journey_milestones where milestone like 'buddy:%' order by milestone";
    let names = ["buddy:1", "buddy:2", "buddy:3"].map(|name| json!({"milestone": name}));
    assert_eq!(world.rows(reached).await, names);
    assert_eq!(world.number("select count(*) from waiting_events").await, 0);
    world.is_as_rebuilt();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_somebody_while_they_are_merged_is_told_of_who_stays() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let known = [
        external(&mut csr, "okta", "o-1", "ada@example.org", "created"),
        external(&mut csr, "azure_ad", "z-1", "countess@example.org", "created"),
    ];
    world.publish_events(&known).await;
    world.drain(&[]);
    let running = world.start(&["--workers", "2", "--batch", "1"]);
    world.pulls(2);
    let mut held = world.postgres().await;
    let mut held = held.begin().await.expect("a transaction");
    sqlx::query("lock table handled_sequences in share mode").execute(&mut *held).await.expect("a lock");
    world.publish_events(&[external(&mut csr, "azure_ad", "z-1", "ada@example.org", "updated")]).await;
    world.reaches(BLOCKED, |blocked| blocked == 1); // merged, and not committed
    world.publish_events(&[reached(&mut csr, derived("countess"), 7)]).await;
    world.reaches(BLOCKED, |blocked| blocked == 2); // waits for the person who is about to be gone
    held.rollback().await.expect("the lock is let go");
    world.reaches("select count(*) from event_log where processed_at is not null", |applied| applied == 4);
    let reached = world.rows("select user_id from journey_milestones where milestone = 'buddy:7'").await;
    assert_eq!(reached, [json!({"user_id": derived("ada")})]);
    assert_eq!(world.rows("select id from users").await, [json!({"id": derived("ada")})]);
    running.kill();
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_merge_the_same_people_at_once_make_one_row() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let mut rounds = vec![Vec::new(); 7];
    let ids: Vec<Uuid> = (0..40).map(|_| csr.id()).collect();
    for (number, id) in ids.iter().enumerate() {
        let email = |name: &str| format!("{name}{number}@example.org");
        let name = |name: &str| format!("{name}-{number}");
        // Three rows; each of the next four ties two of them together.
        rounds[0].push(external(&mut csr, "okta", &name("o"), &email("a"), "created"));
        rounds[1].push(external(&mut csr, "azure_ad", &name("z"), &email("b"), "created"));
        rounds[2].push(external(&mut csr, "workday", &name("w"), &email("c"), "created"));
        rounds[3].push(external(&mut csr, "okta", &name("o"), &email("b"), "updated"));
        rounds[4].push(external(&mut csr, "azure_ad", &name("z"), &email("c"), "updated"));
        rounds[5].push(external(&mut csr, "workday", &name("w"), &email("a"), "updated"));
        rounds[6].push(directory(&mut csr, "adp", &name("a"), &email("c"), Some(*id)));
    }
    world.publish_events(&rounds[..3].concat()).await;
    world.drain(&[]);
    assert_eq!(world.number("select count(*) from users").await, 120);
    let processes = [(); 2].map(|()| world.start(&["--workers", "2", "--batch", "1"]));
    world.pulls(4);
    // What belongs together comes together.
    let together = |number: usize| rounds[3..].iter().map(move |round| round[number].clone());
    world.publish_events(&(0..ids.len()).flat_map(together).collect::<Vec<_>>()).await;
    world.reaches("select count(*) from event_log where processed_at is not null", |applied| applied == 280);
    assert_eq!(world.number("select count(*) from users").await, 40);
    assert_eq!(world.number("select count(*) from users where id_derived").await, 0);
    for (table, rows) in [("user_external_ids", 160), ("external_id_mappings", 160), ("user_emails", 120)] {
        assert_eq!(world.number(&format!("select count(*) from {table}")).await, rows, "{table}");
    }
    assert_eq!(world.number("select count(*) from company_memberships").await, 280);
    assert_eq!(world.number("select count(*) from identity_conflicts").await, 0);
    assert_eq!(world.number("select count(*) from journey_facts_merged").await, 0);
    assert!(world.dead_letters().is_empty());
    drop(processes);
    world.prove();
}
