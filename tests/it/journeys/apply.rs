//! `rules apply` while the service runs: events keep coming, it is killed and goes on, and in the end everything is as
//! if the new rules had been there from the beginning.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use milepost::derived_id::derived_id;
use rand::Rng as _;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::candidate::{KEPT, NOT_KEPT, REMOVED, THRESHOLDS, folder, journeys, said, succeed, with};
use super::told::{self, UNPUBLISHED};
use crate::support::{Csr, HANDLED, World, assert_same, chance, eventually, seeds};

type Messages = Vec<(String, Vec<u8>)>;

const LOG: [&str; 6] = ["--events", "2500", "--people", "300", "--shuffle", "0.3"];
const APPLYING: &str = "select count(*) from pg_stat_activity where datname = current_database()
    and application_name = 'milepost' and wait_event = 'advisory' and query like";
const WAITING: &str = "select count(*) from waiting_events";

/// Whoever begins to apply rules, or brings people over after the first 500 have been, waits for these locks.
const HALTS: &str = "create function halt_beginning() returns trigger language plpgsql as $$ begin
        perform pg_advisory_xact_lock_shared(4711); return new; end $$;
    create trigger halt_beginning before insert on journey_rules for each row execute function halt_beginning();
    create function halt_bringing_over() returns trigger language plpgsql set search_path = public as $$ begin
        if (select count(*) > 500 from journey_facts where epoch = (select max(epoch) from journey_rules)) then
            perform pg_advisory_xact_lock_shared(4712);
        end if; return null; end $$;
    create trigger halt_bringing_over before delete on journey_facts_staged
        for each statement execute function halt_bringing_over();";

/// Begins to apply, and halts it before it folds anything: until the returned connection is closed.
async fn halted_before_folding(world: &World, candidate: &Path) -> (Child, PgConnection) {
    let holder = lock(world, 4711).await;
    let applying = start_applying(world, candidate);
    world.reaches(&format!("{APPLYING} 'insert into journey_rules%'"), |applying| applying == 1);
    // Readers do not mind this lock. It is waited for now, so it comes before whatever applying does next.
    let mut halter = world.postgres().await;
    let halting = tokio::spawn(async move {
        let halt = sqlx::raw_sql("begin; lock table journey_rules in exclusive mode");
        halt.execute(&mut halter).await.expect("a lock");
        halter
    });
    // The number of a table is the same in the databases of other tests.
    let queued = "select count(*) from pg_locks where relation = 'journey_rules'::regclass and not granted
        and database = (select oid from pg_database where datname = current_database())";
    world.reaches(queued, |queued| queued == 1);
    holder.close().await.expect("the lock is let go");
    let halter = halting.await.expect("it is locked");
    world.reaches(queued, |queued| queued == 1);
    (applying, halter)
}

fn candidate(world: &World) -> PathBuf {
    let all: Vec<(&str, &str)> = THRESHOLDS.into_iter().chain(NOT_KEPT).chain(REMOVED).chain(KEPT).collect();
    folder(world.folder.path(), &all)
}

/// A log in parts, and what tells of some people, so that what refers to them waits until it comes.
fn parts(world: &World, seed: u64, count: usize) -> (Vec<Messages>, Messages) {
    let log = world.generate(&[&LOG[..], &["--seed", &seed.to_string()]].concat());
    let tells_late = |(subject, payload): &(String, Vec<u8>)| {
        let event: Value = serde_json::from_slice(payload).expect("JSON");
        let user = event["data"]["userId"].as_str().unwrap_or("x");
        subject == "ingest.directory.synced" && user.ends_with(['0', '7'])
    };
    let (late, log): (Messages, Messages) = log.into_iter().partition(tells_late);
    assert!(late.len() > 10, "{} people come late", late.len());
    let (first, rest) = log.split_at(log.len() * 7 / 10); // so that most people are there before the rules change
    let mut parts = vec![[&crowd()[..], first].concat()];
    parts.extend(rest.chunks(rest.len().div_ceil(count - 1)).map(<[_]>::to_vec));
    (parts, late)
}

/// The parts, and in them people who turn out to be one: some in each but the first.
fn with_accounts((mut parts, late): (Vec<Messages>, Messages)) -> (Vec<Messages>, Messages) {
    let (known, merging) = accounts();
    parts[0].extend(known);
    let some = merging.len().div_ceil(parts.len() - 1);
    for (part, some) in parts[1..].iter_mut().zip(merging.chunks(some)) {
        part.extend_from_slice(some);
    }
    (parts, late)
}

/// People with two accounts each, who are active in both, and snapshots by which the two turn out to be one person.
fn accounts() -> (Messages, Messages) {
    let mut csr = Csr::new();
    let (mut known, mut merging) = (Vec::new(), Vec::new());
    for number in 0..90 {
        let emails = ["a", "b"].map(|name| format!("{name}{number}@example.net"));
        let snapshot = |csr: &mut Csr, source: &str, email: &str| {
            let company = csr.company;
            let user = json!({"externalUserId": source, "email": email, "firstName": "A", "lastName": "B"});
            let external_id = format!("{source}-{number}");
            let mut data = json!({"externalId": external_id, "source": source, "companyId": company,
                                  "action": "updated", "user": user});
            data["user"]["externalUserId"] = json!(external_id);
            csr.event("external.user.synced", data)
        };
        let buddy = csr.id();
        known.push(csr.person(buddy));
        for (source, email) in ["okta", "azure_ad"].into_iter().zip(&emails) {
            let (matched, person) = (csr.id(), derived_id(&format!("milepost:user:{email}")));
            known.extend([snapshot(&mut csr, source, email), csr.matched(matched, person, buddy)]);
            known.extend([csr.logged(matched), csr.checkin(matched), csr.logged(matched)]);
        }
        merging.push(snapshot(&mut csr, "azure_ad", &emails[0]));
    }
    (messages(&known), messages(&merging))
}

/// Matches of more people than are brought over in one transaction.
fn crowd() -> Messages {
    let mut csr = Csr::new();
    let mut events = Vec::new();
    for _ in 0..280 {
        let (matched, one, two) = (csr.id(), csr.id(), csr.id());
        events.extend([csr.person(one), csr.person(two), csr.matched(matched, one, two)]);
    }
    messages(&events)
}

fn messages(events: &[Value]) -> Messages {
    let message = |event: &Value| (event["type"].as_str().expect("a type").to_owned(), event.to_string().into_bytes());
    events.iter().map(message).collect()
}

/// The tables of a world that had these rules from the beginning.
async fn from_the_beginning(candidate: &Path, log: &[Messages]) -> std::collections::BTreeMap<String, Vec<String>> {
    let fresh = World::new().await;
    for part in log {
        fresh.publish(part).await;
    }
    succeed(&fresh, candidate, &["run", "--until-idle", "--only", "project", "--workers", "2"]);
    assert_eq!(fresh.number(WAITING).await, 0);
    journeys(&fresh).await
}

fn start_applying(world: &World, candidate: &Path) -> Child {
    with(world, candidate, &["rules", "apply"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

async fn lock(world: &World, number: i64) -> PgConnection {
    let mut holder = world.postgres().await;
    sqlx::query("select pg_advisory_lock($1)").bind(number).execute(&mut holder).await.expect("a lock");
    holder
}

/// SIGKILL, and the statement that waits goes with it.
async fn kill(world: &World, mut applying: Child, holder: PgConnection) {
    applying.kill().expect("it can be killed");
    applying.wait().expect("it has ended");
    let waiting = "select count(pg_terminate_backend(pid)) from pg_stat_activity where wait_event_type = 'Lock'
                   and datname = current_database() and application_name = 'milepost'";
    world.number(waiting).await;
    holder.close().await.expect("the lock is let go");
}

/// Publishes, and waits until the service has handled all of it.
async fn handled(world: &World, messages: &Messages) {
    let before = world.number(TAKEN).await;
    world.publish(messages).await;
    let all = before + i64::try_from(messages.len()).expect("a number");
    world.reaches(TAKEN, |stored| stored == all);
}

/// Events that others published and that are stored.
const TAKEN: &str =
    "select count(*) from event_log where (payload #>> '{metadata,source}') is distinct from 'milepost'";

#[tokio::test(flavor = "multi_thread")]
async fn events_keep_coming_while_rules_are_applied_and_the_service_goes_on_by_the_new_ones() {
    let world = World::new().await;
    let candidate = candidate(&world);
    let (mut parts, late) = parts(&world, 1, 4);
    let running = world.start(&["--workers", "2", "--batch", "50"]);
    handled(&world, &parts[0]).await;
    assert!(world.number(WAITING).await > 20, "some events wait for people");
    let (code, stderr) = said(&with(&world, &candidate, &["run", "--until-idle"]).output().expect("it runs"));
    assert_eq!(code, Some(2), "other rules are not in force yet: {stderr}");

    world.execute(HALTS).await;
    let (mut applying, halter) = halted_before_folding(&world, &candidate).await;
    handled(&world, &parts[1]).await;
    halter.close().await.expect("it goes on");
    world.publish(&parts[2]).await; // all the while
    assert!(applying.wait().expect("it ends").success());
    handled_all(&world, parts[0].len() + parts[1].len() + parts[2].len());
    handled(&world, &parts[3]).await;
    handled(&world, &late).await;
    world.reaches(WAITING, |waiting| waiting == 0);
    world.reaches(UNPUBLISHED, |unpublished| unpublished == 0);
    running.signal("TERM"); // what it has not acknowledged would come back much later
    assert_eq!(running.wait().0, Some(0));

    parts.push(late);
    assert_same(&from_the_beginning(&candidate, &parts).await, &journeys(&world).await);
    assert!(succeed(&world, &candidate, &["rules", "apply"]).contains("in force already"));
    succeed(&world, &candidate, &["run", "--until-idle"]);
    let told = told::all(&world).await;
    told::same(&told::heard(&told), &told::flags(&world).await); // by the new rules
}

fn handled_all(world: &World, messages: usize) {
    let all = i64::try_from(messages).expect("a number");
    world.reaches(TAKEN, |stored| stored == all);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_several_moments_it_goes_on_where_it_was() {
    for seed in seeds(1) {
        let mut chance = chance(seed);
        let world = World::new().await;
        let candidate = candidate(&world);
        let (mut parts, late) = with_accounts(parts(&world, seed + 10, 4));
        let running = world.start(&["--workers", "2", "--batch", "50", "--only", "project,timers"]);
        handled(&world, &parts[0]).await;
        world.execute(HALTS).await;
        let bringing = format!("{APPLYING} 'delete from journey_facts_staged%'");

        // Before it folds what is stored; the service keeps facts for both.
        let (applying, halter) = halted_before_folding(&world, &candidate).await;
        handled(&world, &parts[1]).await;
        kill(&world, applying, halter).await;
        // At any moments.
        for _ in 0..4 {
            let holder = lock(&world, 4712).await;
            let applying = start_applying(&world, &candidate);
            let end = Instant::now() + Duration::from_millis(chance.random_range(0..150));
            eventually("a moment that has nothing to do with anything", || (Instant::now() >= end).then_some(()));
            kill(&world, applying, holder).await;
        }
        // When some people have been brought over and others have not: the service goes by both.
        let holder = lock(&world, 4712).await;
        let applying = start_applying(&world, &candidate);
        world.reaches(&bringing, |applying| applying == 1);
        kill(&world, applying, holder).await;
        let epochs = "select count(distinct epoch) from journey_facts";
        assert_eq!(world.number(epochs).await, 2, "some are there, others are not");
        handled(&world, &parts[2]).await;
        assert_eq!(world.number(epochs).await, 2);

        let (code, stderr) = said(&world.output(&["run", "--until-idle"]));
        assert_eq!(code, Some(0), "the old rules are still the applied ones: {stderr}");
        world.publish(&parts[3]).await;
        assert!(succeed(&world, &candidate, &["rules", "apply"]).starts_with("in force as epoch 2"));
        handled_all(&world, parts.iter().map(Vec::len).sum());
        handled(&world, &late).await;
        world.reaches(WAITING, |waiting| waiting == 0);
        running.kill();
        assert!(world.number(HANDLED).await > 3000);
        assert_eq!(
            world.number("select count(*) from identity_merges").await,
            90,
            "two accounts became one, each time"
        );
        parts.push(late);
        assert_same(&from_the_beginning(&candidate, &parts).await, &journeys(&world).await);
    }
}
