//! Months as files: read back, published again, dropped.

use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::{again_changes_nothing, spellings};
use crate::support::{BLOCKED, ClickHouse, Csr, World, assert_same};

/// The lines of all archives in a folder, as whoever publishes them reads them.
fn lines(folder: &Path) -> String {
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("the folder").filter_map(Result::ok).collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    let mut lines = String::new();
    for file in files.iter().filter(|file| file.path().extension().is_some_and(|ending| ending == "zst")) {
        let file = std::fs::File::open(file.path()).expect("an archive");
        zstd::Decoder::new(file).expect("zstd").read_to_string(&mut lines).expect("its lines");
    }
    lines
}

/// Names of the files in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|file| file.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_published_into_an_empty_database_gives_the_same_tables() {
    let [world, other] = [World::new().await, World::new().await];
    world.publish_lines(&world.lines(&["--events", "1500", "--shuffle", "0.2", "--duplicates", "0.1"]));
    world.drain(&[]);
    let folder = world.folder.path().join("archive");
    let archive = ["archive", "--before", "2026-11", "--to", folder.to_str().expect("a path")];
    world.succeed(&archive);
    let file = other.folder.path().join("again.ndjson");
    let lines = lines(&folder);
    assert_eq!(
        i64::try_from(lines.lines().count()).expect("a number"),
        world.number("select count(*) from event_log").await
    );
    std::fs::write(&file, &lines).expect("a file");
    other.succeed(&["publish", file.to_str().expect("a path")]);
    other.drain(&[]);
    assert_same(&world.dump().await, &other.dump().await);
    // A second time it finds what is there, and does not take what was changed for it.
    let before = names(&folder);
    world.succeed(&archive);
    assert_eq!(names(&folder), before);
    let manifest = before.iter().find(|name| name.ends_with(".json")).expect("a manifest");
    let text = std::fs::read_to_string(folder.join(manifest)).expect("a manifest");
    let events = serde_json::from_str::<Value>(&text).expect("JSON")["events"].to_string();
    std::fs::write(folder.join(manifest), text.replace(&format!("\"events\": {events}"), "\"events\": 7"))
        .expect("a manifest");
    let output = world.output(&archive);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("not what its manifest says"), "{said}");
}

/// The file of the same name stays: it may be the only copy of what was withdrawn.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_lost_an_event_since_it_was_archived_gets_a_file_of_its_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new().await;
    let mut csr = Csr::new();
    world.publish_events(&csr.people(3)).await;
    world.drain(&[]);
    let folder = world.folder.path().join("archive");
    let archive = ["archive", "--before", "2026-02", "--to", folder.to_str().expect("a path")];
    world.succeed(&archive);
    world.execute("delete from event_log where position = 2").await;
    world.succeed(&[&archive[..], &["--drop"]].concat());
    assert_eq!(world.number("select count(*) from event_log").await, 0);
    assert_eq!((lines(&folder).lines().count(), names(&folder).len()), (3 + 2, 4));
    for name in names(&folder).iter().filter(|name| name.ends_with(".zst")) {
        let mode = std::fs::metadata(folder.join(name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_archived_and_dropped_is_known_when_it_comes_again() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let [one, two, matched] = [csr.id(), csr.id(), csr.id()];
    let events = [csr.person(one), csr.person(two), csr.matched(matched, one, two), csr.checkin(matched)];
    world.publish_events(&events).await;
    world.drain(&[]);
    let folder = world.folder.path().join("archive");
    let to = folder.to_str().expect("a path");
    world.succeed(&["archive", "--before", "2026-02", "--to", to, "--drop"]);
    assert_eq!(world.number("select count(*) from event_log").await, 0);
    assert_eq!(lines(&folder).lines().count(), 4);
    assert_eq!(world.prove()["applied"], 4);
    // Not even when the claims are gone too.
    world.execute("delete from event_deduplication").await;
    again_changes_nothing(&world, &events).await;
    // The month lives on: what is new in it is stored, and archived on its own.
    world.publish_events(&[csr.checkin(matched)]).await;
    assert_eq!(world.drain(&[])["applied"], 1);
    world.succeed(&["archive", "--before", "2026-02", "--to", to, "--drop"]);
    assert_eq!((lines(&folder).lines().count(), names(&folder).len()), (5, 4));
    assert_eq!(world.prove()["applied"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn clickhouse_keeps_what_was_archived_and_is_not_rebuilt_without_it() {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    let mut csr = Csr::new();
    let people = csr.people(30);
    world.publish_events(&people).await;
    world.drain_all(&[]);
    let folder = world.folder.path().join("archive");
    world.succeed(&["archive", "--before", "2026-02", "--to", folder.to_str().expect("a path"), "--drop"]);
    world.publish_events(&people.iter().flat_map(spellings).collect::<Vec<_>>()).await;
    world.publish_events(&csr.people(5)).await;
    world.drain_all(&[]);
    let clickhouse = world.clickhouse.as_ref().expect("a ClickHouse");
    assert_eq!(clickhouse.number("select count() from events_raw where event_type = 'ingest.directory.synced'"), 35);
    world.prove();
    for refused in [
        &["rebuild", "analytics"][..],
        &["rebuild", "analytics", "--since", "2026-01-01T00:00:00Z"],
        &["prove", "--repair"],
    ] {
        let output = world.output(refused);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains("archived and dropped"), "{refused:?}: {said}");
    }
    assert_eq!(clickhouse.number("select count() from events_raw where event_type = 'ingest.directory.synced'"), 35);
}

#[tokio::test(flavor = "multi_thread")]
async fn archiving_that_is_killed_leaves_nothing_half() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let mut events = csr.people(20);
    for (index, event) in events.iter_mut().enumerate() {
        event["metadata"]["timestamp"] = format!("2026-0{}-01T00:00:00Z", index % 2 + 1).into();
    }
    world.publish_events(&events).await;
    world.drain(&[]);
    let folder = world.folder.path().join("archive");
    let archive = ["archive", "--before", "2026-03", "--to", folder.to_str().expect("a path"), "--drop"];
    let mut held = world.postgres().await;
    sqlx::raw_sql("begin; lock table event_ids in share mode").execute(&mut held).await.expect("a lock");
    // The file is written, nothing is dropped yet.
    let mut killed = world.milepost(&archive).spawn().expect("it starts");
    world.reaches(BLOCKED, |blocked| blocked == 1);
    killed.kill().expect("it can be killed");
    killed.wait().expect("it has ended");
    sqlx::Connection::close(held).await.expect("the lock is let go");
    assert_eq!(world.number("select count(*) from event_log").await, 20);
    let first = names(&folder);
    assert!(first.len() == 2 && first[1] == format!("{}.json", first[0]), "{first:?}");
    // As if killed while it wrote: what is under a temporary name is no archive, and a file without a manifest neither.
    std::fs::remove_file(folder.join(&first[1])).expect("the manifest");
    std::fs::write(folder.join(&first[0]), b"half").expect("a file");
    std::fs::write(folder.join(format!("{}.partial", first[0])), b"half").expect("a file");
    world.succeed(&archive);
    assert_eq!(world.number("select count(*) from event_log").await, 0);
    let all = names(&folder);
    assert!(all.len() == 4 && !all.iter().any(|name| name.ends_with(".partial")), "{all:?}");
    assert_eq!(lines(&folder).lines().count(), 20);
    assert_eq!(world.number("select sum(events) from event_archives").await, 20);
    world.prove();
}

/// A file that was damaged since: its month is not dropped, whatever its manifest says.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_whose_file_was_damaged_is_not_dropped() {
    let world = World::new().await;
    world.publish_events(&Csr::new().people(20)).await;
    world.drain(&[]);
    let folder = world.folder.path().join("archive");
    let archive = ["archive", "--before", "2026-02", "--to", folder.to_str().expect("a path")];
    world.succeed(&archive);
    let before = world.dump().await;
    let file = folder.join(&names(&folder)[0]);
    let whole = std::fs::read(&file).expect("an archive");
    let lines = lines(&folder);
    let (last, _) = lines.trim_end().rsplit_once('\n').expect("several lines");
    let fewer = zstd::encode_all(format!("{last}\n").as_bytes(), 1).expect("it is packed");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for (damaged, told) in
        [(&whole[..whole.len() - 5], "cannot read"), (&fewer, "not what its manifest says"), (&flipped, "cannot read")]
    {
        std::fs::write(&file, damaged).expect("the file is damaged");
        let output = world.output(&[&archive[..], &["--drop"]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(told), "{told}: {said}");
        assert_same(&before, &world.dump().await);
        assert_eq!(world.number("select count(*) from event_archives").await, 0);
        assert_eq!(std::fs::read(&file).expect("an archive"), damaged, "it is left as evidence");
    }
    std::fs::write(&file, whole).expect("it is mended");
    world.succeed(&[&archive[..], &["--drop"]].concat());
    assert_eq!(world.number("select count(*) from event_log").await, 0);
}
