//! Files of other systems: every entity in every format, whole or in part, again and again, broken in every way.

mod broken;
mod files;
mod killed;
mod partial;
mod rows;

use serde_json::{Value, json};

use crate::support::{World, assert_same};
use files::{Format, write_all};

/// `import`, with its summary.
fn import(world: &World, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let output = world.output(&[&["import"], arguments].concat());
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output.status.code(), serde_json::from_str(&stdout).unwrap_or(Value::Null), stderr)
}

/// Everything but the events about files, whose ids and times are those of the files.
async fn dump(world: &World) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut dump = world.dump().await;
    dump.values_mut().for_each(|rows| rows.retain(|row| !row.contains("buddy.import.batch")));
    dump
}

async fn messages(world: &World) -> u64 {
    let mut stream = world.jetstream().await.get_stream("CSR").await.expect("the stream");
    stream.info().await.expect("its state").state.messages
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entity_lands_in_its_tables_alike_from_every_format_and_twice_changes_nothing() {
    let mut first = None;
    for format in [Format::Csv, Format::Json, Format::Ndjson] {
        let world = World::new().await;
        let files = write_all(&world, format);
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let (code, summary, said) = import(&world, &files);
        assert_eq!(code, Some(0), "{said}{summary}");
        assert_eq!((&summary["rows"], &summary["refused"]), (&json!(11), &json!(0)), "{summary}");
        assert_eq!((&summary["events"], &summary["published"]), (&json!(12), &json!(12)), "{summary}");
        assert_eq!(messages(&world).await, 12 + 6);
        assert_eq!(world.drain(&[])["applied"], 18);
        assert!(world.dead_letters().is_empty());
        files::assert_landed(&world).await;

        let (before, written) = (world.dump().await, world.rows("select * from audit_logs").await);
        let reversed: Vec<&str> = files.iter().rev().copied().collect();
        let (code, summary, said) = import(&world, &reversed);
        assert_eq!(
            (code, &summary["published"], &summary["known"]),
            (Some(0), &json!(0), &json!(12)),
            "{said}{summary}"
        );
        assert_eq!(messages(&world).await, 18);
        world.drain(&[]);
        assert_same(&before, &world.dump().await);
        assert_eq!(world.rows("select * from audit_logs").await, written, "nothing changed");
        match &first {
            None => first = Some(dump(&world).await),
            Some(first) => assert_same(first, &dump(&world).await),
        }
        assert_eq!(world.prove()["ok"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_says_who_made_it_and_each_file_once_when_it_was_first_imported() {
    let world = World::new().await;
    let files = write_all(&world, Format::Csv);
    let users = files[0].as_str();
    // Nothing has handled the first import when the second one publishes the same.
    for _ in 0..2 {
        let (code, summary, said) = import(&world, &[users, "--actor", "ada", "--source", "old system"]);
        assert_eq!((code, &summary["published"]), (Some(0), &json!(2)), "{said}");
    }
    world.drain(&[]);
    assert!(world.dead_letters().is_empty(), "the file's event says the same");
    let told = "select payload->'data'->>'source' as source, payload->'data'->>'entity' as entity,
                    (payload->'data'->>'rowCount')::int as rows,
                    payload->'data'->>'batchId' = (select distinct payload->'metadata'->>'importBatchId' from event_log
                        where event_type = 'ingest.directory.synced') as is_named
                from event_log where event_type = 'buddy.import.batch'";
    let expected = json!({"source": "old system", "entity": "users", "rows": 2, "is_named": true});
    assert_eq!(world.rows(told).await, [expected]);
    let audit =
        "select metadata->>'outcome' as outcome, metadata->>'actor' as actor, metadata->'published' as published
                 from audit_logs where action = 'import' order by created_at";
    let row = |outcome, published| json!({"outcome": outcome, "actor": "ada", "published": published});
    let both = [row("begun", json!(null)), row("done", json!(2))];
    assert_eq!(world.rows(audit).await, [both.clone(), both].concat());
    assert!(!world.rows("select * from audit_logs").await.iter().any(|row| row.to_string().contains("example.org")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_corrected_before_it_was_handled_is_a_conflict_that_can_be_seen() {
    let world = World::new().await;
    for (name, published) in [("Ada", 2), ("Adah", 4)] {
        let row = json!({"id": files::ADA, "email": "ada@example.org", "firstName": name,
            "updatedAt": "2025-11-01T00:00:00Z"});
        let file = files::write(&world, "people.jsonl", row.to_string().as_bytes());
        let (code, summary, said) = import(&world, &[&file]);
        assert_eq!((code, &summary["published"]), (Some(0), &json!(1)), "{said}");
        assert_eq!(messages(&world).await, published, "the row and the file");
    }
    assert_eq!(world.drain(&[])["applied"], 3);
    let letters: Vec<Value> = world.dead_letters().into_iter().map(|letter| letter["reason"].clone()).collect();
    assert_eq!(letters, ["id_conflict"]);
    assert_eq!(world.rows("select first_name from users").await, [json!({"first_name": "Ada"})]);
    world.prove();
}

/// The audit log is a table of the platform: others write into it, and it may not be that of the first import.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_told_of_once_whatever_the_audit_log_says() {
    let world = World::new().await;
    let files = write_all(&world, Format::Csv);
    let users = files[0].as_str();
    world
        .execute(
            "insert into audit_logs (action, resource_type, metadata) values
                 ('import', 'holidays', '{\"batches\": {\"spring\": \"2026\", \"10000000-0000-4000-8000-000000000001\": 7}}'),
                 ('import', 'holidays', '{\"batches\": [1]}')",
        )
        .await;
    let (code, _, said) = import(&world, &[users]);
    assert_eq!(code, Some(0), "{said}");
    world.drain(&[]);
    let before = messages(&world).await;
    world.execute("delete from audit_logs where resource_type <> 'holidays'").await;
    let again = |why: &str| {
        let (code, summary, said) = import(&world, &[users]);
        assert_eq!((code, &summary["published"]), (Some(0), &json!(0)), "{why}: {said}");
    };
    again("the event store says when");
    assert_eq!(messages(&world).await, before);
    // As if its month had been archived and dropped: the id is all that is left.
    world.execute("delete from event_log where event_type = 'buddy.import.batch'").await;
    again("nobody says when, and it was told");
    assert_eq!(messages(&world).await, before);
    world.drain(&[]);
    assert!(world.dead_letters().is_empty());
}
