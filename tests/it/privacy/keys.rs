//! Stored documents under keys: nothing personal is in the clear, everything works as before, and keys can be exchanged.

use serde_json::{Value, json};

use super::CANARY;
use super::life::Life;
use crate::support::{Csr, World};

/// Stored documents and dead letters in which this word can be read, but for an id in an outside system.
const READABLE: &str =
    "select payload::text as text from event_log where replace(payload::text, 'canary-1', '') ilike '%canary%'
    union all select encode(payload, 'escape') from dead_letters where encode(payload, 'escape') ilike '%canary%'";

impl World {
    /// A key, and what was there before it.
    fn new_key(&self) -> String {
        self.succeed(&["keys", "generate"]).trim().to_owned()
    }

    /// A world whose personal fields are encrypted.
    pub(super) async fn with_keys() -> Self {
        let world = Self::new().await;
        let key = world.new_key();
        Self { keys: Some(key), ..world }
    }

    async fn readable(&self) -> Vec<Value> {
        self.rows(READABLE).await
    }

    /// How many keys each key-encryption key has wrapped, destroyed ones apart.
    async fn wrapped(&self) -> Vec<i64> {
        let sql =
            "select count(*) as keys from subject_keys where wrapped_by is not null group by wrapped_by order by 1";
        self.rows(sql).await.iter().filter_map(|row| row["keys"].as_i64()).collect()
    }
}

/// A life whose match comes last, so that what was said in it waits; and letters that nobody can read.
async fn told_out_of_order(world: &World, csr: &mut Csr) -> Life {
    let life = Life::new(csr);
    let mut events = life.events.clone();
    events.reverse();
    world.publish_events(&events).await;
    let mut broken = csr.checkin(life.matched);
    broken["data"]["notes"] = json!(CANARY);
    broken["data"]["mood"] = json!("sunny");
    world.publish_events(&[broken]).await;
    world.publish(&[("buddy.checkin.completed".to_owned(), format!("{{\"notes\": \"{CANARY}").into_bytes())]).await;
    life
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key_nothing_personal_is_stored_in_the_clear_and_the_tables_are_the_same() {
    let world = World::with_keys().await;
    let plain = World::new().await;
    let mut csr = Csr::new();
    let mut again = csr.again();
    let mut once_more = csr.again();
    for (world, csr) in [(&world, &mut csr), (&plain, &mut again)] {
        told_out_of_order(world, csr).await;
        let summary = world.drain(&["--batch", "3"]);
        assert_eq!((&summary["waiting_total"], &summary["dead_letters"]), (&json!(0), &json!(2)), "{summary}");
    }
    assert!(plain.readable().await.len() > 2, "what is looked for can be found");
    assert_eq!(world.readable().await, Vec::<Value>::new());
    // Waiting events were released, and read; nothing but documents is encrypted.
    let tables = plain.tables_with(CANARY).await;
    assert_eq!(world.tables_with(CANARY).await, tables);
    assert_eq!(world.tables_with("encrypted:1:").await, [].into());
    assert!(world.number("select count(*) from event_log where payload::text like '%\"encrypted:1:%'").await > 5);
    world.is_as_rebuilt();
    world.prove();
    // What comes again is known, also where its claim is gone and only the stored document can say it.
    let before = world.number("select count(*) from dead_letters").await;
    world.execute("update event_deduplication set content_hash = gen_random_uuid()").await;
    told_out_of_order(&world, &mut once_more).await;
    world.drain(&[]);
    assert_eq!(world.number("select count(*) from dead_letters").await, before, "no conflicts");
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_read_and_redriven_with_their_key() {
    let world = World::with_keys().await;
    let mut csr = Csr::new();
    let life = Life::new(&mut csr);
    world.publish_events(&life.events).await;
    world.drain(&[]);
    world.execute("alter table buddy_checkins add constraint nothing check (notes <> 'canary nothing')").await;
    let mut said = csr.checkin(life.matched);
    said["data"]["notes"] = json!("canary nothing");
    world.publish_events(&[said]).await;
    assert_eq!(world.drain(&[])["dead_letters"], 1);
    assert_eq!(world.readable().await, Vec::<Value>::new());
    let letter = world.dead_letters()[0]["id"].to_string();
    assert!(world.succeed(&["dead-letters", "show", &letter]).contains("canary nothing"));
    world.execute("alter table buddy_checkins drop constraint nothing").await;
    world.succeed(&["dead-letters", "redrive", "--all"]);
    assert_eq!(world.number("select count(*) from buddy_checkins where notes = 'canary nothing'").await, 1);
    assert_eq!(world.readable().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_before_there_were_keys_is_encrypted_by_a_command() {
    let mut world = World::new().await;
    let mut csr = Csr::new();
    told_out_of_order(&world, &mut csr).await;
    world.drain(&[]);
    assert!(world.readable().await.len() > 2);
    world.keys = Some(world.new_key());
    let done = world.succeed(&["keys", "encrypt"]);
    let encrypted = world.number("select count(*) from event_log where payload::text like '%\"encrypted:1:%'").await;
    assert!(encrypted > 5);
    assert_eq!(done.trim(), json!({"events": encrypted, "dead_letters": 2}).to_string());
    assert_eq!(world.readable().await, Vec::<Value>::new());
    assert_eq!(world.succeed(&["keys", "encrypt"]).trim(), json!({"events": 0, "dead_letters": 0}).to_string());
    world.is_as_rebuilt();
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn key_encryption_keys_are_exchanged_and_without_them_nothing_runs() {
    let mut world = World::with_keys().await;
    let mut csr = Csr::new();
    told_out_of_order(&world, &mut csr).await;
    world.drain(&[]);
    let old = world.keys.clone().expect("a key");
    let all = world.wrapped().await;
    assert!(all.len() == 1 && all[0] > 3, "{all:?}");
    let new = world.new_key();
    for keys in [None, Some(new.clone())] {
        world.keys = keys;
        let output = world.output(&["run", "--until-idle"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("hint: ") && said.contains("MILEPOST_KEY"), "{said}");
    }
    // Both are there while keys are wrapped anew; what is new is wrapped by the one in force.
    world.keys = Some(format!("{new}\n{old}"));
    let unknown = csr.id();
    world.publish_events(&[csr.checkin(unknown)]).await;
    world.succeed(&["keys", "rotate"]);
    assert_eq!(world.wrapped().await, all);
    world.keys = Some(new);
    world.is_as_rebuilt();
    assert!(world.succeed(&["keys", "status"]).contains("\"wrapped_by\""));
    world.keys = Some("secret".to_owned());
    let output = world.output(&["keys", "status"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("line 1") && !said.contains("secret"), "{said}");
}
