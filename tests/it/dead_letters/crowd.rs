//! A thousand dead letters of several reasons and types, after contracts and tables were mended.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use sqlx::Connection as _;
use uuid::Uuid;

use super::{ALLOW, FORBID, poison, with_a_match};
use crate::support::{BLOCKED, Csr, World};

/// Check-ins with a mood that nobody knows yet, and entries without their kind.
const MOODS: usize = 300;
const KINDS: usize = 200;
/// What the table refuses, what is no JSON, what waits for a match that comes later.
const REFUSED: usize = 200;
const BROKEN: usize = 200;
const EARLY: usize = 100;

/// A check-in with a mood that the contract does not know.
pub(super) fn ecstatic(csr: &mut Csr, match_id: Uuid) -> Value {
    let mut event = csr.checkin(match_id);
    event["data"]["mood"] = json!("ecstatic");
    event
}

/// A copy of the stream folder in which both contracts are mended.
pub(super) fn mended(world: &World) -> PathBuf {
    let folder = world.folder.path().join("mended");
    let mut copy = std::process::Command::new("cp");
    copy.args(["-R", concat!(env!("CARGO_MANIFEST_DIR"), "/streams/csr")]).arg(&folder);
    assert!(copy.status().expect("cp runs").success(), "the stream folder was copied");
    for (name, was, is) in [
        ("buddy.checkin.completed", "\"great\",", "\"great\", \"ecstatic\","),
        ("buddy.event.logged", "    \"eventType\",\n", ""),
    ] {
        let file = folder.join(format!("events/{name}.schema.json"));
        let text = std::fs::read_to_string(&file).expect("a contract");
        assert!(text.contains(was), "{name} says {was}");
        std::fs::write(&file, text.replacen(was, is, 1)).expect("a contract");
    }
    folder
}

pub(super) const KNOW_THE_MOOD: &str = "alter table buddy_checkins drop constraint buddy_checkins_mood_check";

/// A world in which a thousand are dead, and the match that some of them will wait for.
async fn crowd() -> (World, Csr, Uuid) {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (match_id, later) = (with_a_match(&world, &mut csr).await, csr.id());
    world.execute(FORBID).await;
    let message = |event: &Value| (event["type"].as_str().expect("a type").to_owned(), event.to_string().into_bytes());
    let mut messages = Vec::new();
    for number in 0..MOODS {
        messages.push(message(&ecstatic(&mut csr, match_id)));
        if number < KINDS {
            let mut event = csr.logged(match_id);
            event["data"].as_object_mut().expect("data").remove("eventType");
            messages.push(message(&event));
        }
    }
    messages.extend((0..REFUSED).map(|_| message(&poison(&mut csr, match_id))));
    messages.extend((0..BROKEN).map(|number| ("buddy.match.ended".to_owned(), format!("{{{number}").into_bytes())));
    messages.extend((0..EARLY).map(|_| message(&ecstatic(&mut csr, later))));
    world.publish(&messages).await;
    assert_eq!(world.drain(&["--batch", "200"])["dead_letters"], 1000);
    (world, csr, later)
}

/// Runs `dead-letters` with the mended folder; gives what it says.
#[track_caller]
fn with_mended(world: &World, folder: &std::path::Path, words: &[&str]) -> Value {
    let all: Vec<&str> = ["dead-letters"].iter().chain(words).copied().chain(["--json"]).collect();
    let output = world.milepost(&all).env("MILEPOST_STREAMS", folder).env("MILEPOST_ACTOR", "grace").output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// What became of a kind of letters: applied, waiting, refused.
fn fates(report: &Value, reason: &str, event_type: &str) -> [u64; 3] {
    let groups = report["groups"].as_array().expect("groups").iter();
    let mut of_kind = groups.filter(|group| group["reason"] == reason && group["type"] == event_type);
    let Some(group) = of_kind.next() else {
        return [0; 3];
    };
    ["applied", "waiting", "refused"].map(|name| group[name].as_u64().expect("a number"))
}

/// So many redriven letters there are in the table.
const REDRIVEN: &str = "select count(*) from dead_letters where resolution = 'redriven'";

/// Begins to redrive by reason and kills that while it waits for this lock of ours.
async fn killed_at(world: &World, folder: &std::path::Path, lock: &'static str) {
    let mut holder = world.postgres().await;
    sqlx::raw_sql(lock).execute(&mut holder).await.expect("a lock");
    let mut redrive = world.milepost(&["dead-letters", "redrive", "--reason", "contract"]);
    let redrive = redrive.env("MILEPOST_STREAMS", folder).stdout(Stdio::null()).stderr(Stdio::null());
    let mut redrive = redrive.spawn().expect("it runs");
    // The service beside it may wait for what it has locked.
    let halted = format!("{BLOCKED} and (query like '%dead_letters%' or query like '%audit_logs%')");
    world.reaches(&halted, |halted| halted == 1);
    redrive.kill().expect("it is killed");
    redrive.wait().expect("it has ended");
    holder.close().await.expect("the lock is let go");
    world.reaches(&halted, |halted| halted == 0);
}

/// All that a unit writes is one transaction: its last statement, which says so in the audit log, takes the rest with it.
async fn killed_at_the_end_of_a_unit(world: &World, folder: &std::path::Path) {
    let written = "select (select count(*) from event_log) + (select count(*) from dead_letter_verdicts)
        + (select count(*) from audit_logs) + (select count(*) from event_deduplication where success)
        + (select count(*) from buddy_events) + (select count(*) from buddy_checkins)";
    let before = (world.number(written).await, world.prove());
    killed_at(world, folder, "begin; lock table audit_logs in share mode").await;
    assert_eq!(world.number(REDRIVEN).await, 0, "it was the first of them");
    assert_eq!((world.number(written).await, world.prove()), before);
}

async fn killed_in_the_second_batch(world: &World, folder: &std::path::Path) {
    let last = "begin; select from dead_letters where reason = 'contract' order by first_seq desc limit 1 for update";
    killed_at(world, folder, last).await;
    let done = world.number(REDRIVEN).await;
    assert!(done > 0 && done < 600, "some are done, and what was being done is not: {done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_applied_once_beside_live_traffic_and_though_it_is_killed_on_the_way() {
    let (world, mut csr, later) = crowd().await;
    let folder = mended(&world);
    world.execute(KNOW_THE_MOOD).await;
    let before = world.dump().await;
    let rehearsed = with_mended(&world, &folder, &["redrive", "--all", "--dry-run"]);
    crate::support::assert_same(&before, &world.dump().await);
    assert_eq!(world.number("select count(*) from dead_letter_verdicts").await, 0, "nothing was said");
    let expected = [
        ("contract", "buddy.checkin.completed", [MOODS, EARLY, 0]),
        ("contract", "buddy.event.logged", [KINDS, 0, 0]),
        ("database", "buddy.event.logged", [0, 0, REFUSED]),
        ("not_json", "buddy.match.ended", [0, 0, BROKEN]),
    ];
    for (reason, event_type, counts) in expected {
        assert_eq!(fates(&rehearsed, reason, event_type), counts.map(|count| count as u64), "{reason} {event_type}");
    }
    assert_eq!((&rehearsed["redriven"], &rehearsed["refused"]), (&json!(600), &json!(400)));

    killed_at_the_end_of_a_unit(&world, &folder).await;

    // The service goes by the old contracts meanwhile.
    let service = world.start(&["--only", "project"]);
    let matched = csr.id();
    let (participant, buddy) = (csr.id(), csr.id());
    let live = [csr.person(participant), csr.person(buddy), csr.matched(matched, participant, buddy)];
    world.publish_events(&live).await;
    killed_in_the_second_batch(&world, &folder).await;
    let done = world.number(REDRIVEN).await;
    let checkins: Vec<Value> = (0..200).map(|_| csr.checkin(matched)).collect();
    world.publish_events(&checkins).await;
    let report = with_mended(&world, &folder, &["redrive", "--reason", "contract"]);
    assert_eq!((report["redriven"].as_i64(), &report["refused"]), (Some(600 - done), &json!(0)), "the rest of them");
    assert_eq!(world.number(REDRIVEN).await, 600);
    world.reaches("select count(*) from buddy_checkins", |rows| rows == i64::try_from(MOODS + 200).unwrap_or(0));
    assert_eq!(world.number("select count(*) from buddy_events").await, i64::try_from(KINDS).unwrap_or(0));
    service.kill();
    let mut world = world;
    world.streams = Some(folder.clone());
    let people = [csr.id(), csr.id()];
    world
        .publish_events(&[csr.person(people[0]), csr.person(people[1]), csr.matched(later, people[0], people[1])])
        .await;
    let summary = world.drain(&[]);
    assert_eq!((&summary["released"], &summary["waiting_total"]), (&json!(EARLY), &json!(0)), "{summary}");
    let proof = world.prove();
    assert_eq!((&proof["dead_letters"], &proof["duplicates"]), (&json!(400), &json!(0)), "{proof}");
    assert_eq!(world.number("select count(*) from event_log").await, 3 + 600 + 203 + 3);

    world.execute(ALLOW).await;
    let report = with_mended(&world, &folder, &["redrive", "--reason", "database", "--type", "buddy.*.logged"]);
    assert_eq!(fates(&report, "database", "buddy.event.logged"), [REFUSED as u64, 0, 0]);
    let given_up = with_mended(&world, &folder, &["discard", "--reason", "not_json", "--note", "a test of theirs"]);
    assert_eq!(given_up, json!({ "discarded": BROKEN }));
    assert_eq!(world.prove()["dead_letters"], json!(BROKEN), "given up, and still in the books");
    audited(&world).await;
}

/// Each transaction that changed something has its row: they add up to what was changed.
async fn audited(world: &World) {
    let sums = "select action, sum(coalesce((metadata->>'redriven')::int, (metadata->>'discarded')::int)) as letters,
                    bool_or(metadata->>'actor' = 'grace') as named, bool_and(metadata->>'database_user' = 'postgres') as known,
                    count(distinct metadata->>'run') as runs, bool_and(metadata->>'outcome' = 'done') as done
                from audit_logs where resource_type = 'dead_letters' group by action order by action";
    let expected = [
        json!({"action": "dead_letters.discard", "letters": BROKEN, "named": true, "known": true, "runs": 1, "done": true}),
        json!({"action": "dead_letters.redrive", "letters": 800, "named": true, "known": true, "runs": 3, "done": true}),
    ];
    assert_eq!(world.rows(sums).await, expected);
    let texts = world.rows("select metadata::text as text from audit_logs").await;
    assert!(texts.iter().all(|row| !row["text"].to_string().contains("ecstatic")), "no payload");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_and_only_those_since_then() {
    let (world, _, _) = crowd().await;
    let folder = mended(&world);
    world.execute(KNOW_THE_MOOD).await;
    let page = |words: &[&str]| -> Vec<i64> {
        let listed = with_mended(&world, &folder, &[&["list"], words].concat());
        listed.as_array().expect("a list").iter().map(|letter| letter["id"].as_i64().expect("a number")).collect()
    };
    let all = page(&[]);
    assert_eq!(all.len(), 1000);
    let after = all[699].to_string();
    assert_eq!(page(&["--after", &after, "--limit", "50"]), all[700..750], "pages in the order of the stream");
    assert_eq!(page(&["--since", "2100-01-01T00:00:00Z"]), [0_i64; 0]);
    assert_eq!(page(&["--type", "buddy.event.log?ed", "--reason", "database"]).len(), REFUSED);
    let lines = world.succeed(&["dead-letters", "list"]);
    assert!(lines.lines().count() == 102 && lines.contains(&format!("--after {}", all[99])), "{lines}");

    let report = with_mended(&world, &folder, &["redrive", "--reason", "contract", "--limit", "250"]);
    assert_eq!((&report["redriven"], &report["refused"]), (&json!(250), &json!(0)));
    let left = page(&["--reason", "contract"]);
    assert_eq!(left, all[250..500].iter().chain(&all[900..]).copied().collect::<Vec<_>>(), "those first in the stream");
    world.prove();
}
