//! `milepost explain`: the life of an event of each verdict.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{ClickHouse, Csr, World};

fn id(event: &Value) -> String {
    event["metadata"]["id"].as_str().expect("an id").to_owned()
}

#[track_caller]
fn explained(world: &World, event: &str) -> Value {
    serde_json::from_str(&world.succeed(&["explain", event, "--json"])).expect("JSON")
}

/// Rows as `table key`, those that name the event with a star.
fn rows(life: &Value) -> Vec<String> {
    let row = |row: &Value| {
        let star = if row["names_event"] == true { "*" } else { "" };
        format!("{}{star} {}", row["table"].as_str().expect("a table"), row["key"].as_str().unwrap_or("-"))
    };
    life["traces"]["rows"].as_array().expect("rows").iter().map(row).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Two people and their match, applied as sequences 1 to 3.
async fn matched(world: &World, csr: &mut Csr) -> (Vec<Value>, [Uuid; 3]) {
    let [match_id, participant, buddy] = [csr.id(), csr.id(), csr.id()];
    let events = vec![csr.person(participant), csr.person(buddy), csr.matched(match_id, participant, buddy)];
    world.publish_events(&events).await;
    assert_eq!(world.drain(&[])["applied"], 3);
    (events, [match_id, participant, buddy])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_applied_event_with_its_rows_facts_rules_and_what_was_sent() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (events, [match_id, participant, buddy]) = matched(&world, &mut csr).await;
    let life = explained(&world, &id(&events[2]));
    assert_eq!((&life["verdict"], &life["stored"]["stream_sequence"]), (&json!("applied"), &json!(3)));
    assert_eq!(life["stored"]["type"], "buddy.match.created");
    let stored = "select to_jsonb(l) - 'payload' as row from event_log as l where event_type = 'buddy.match.created'";
    let row = world.rows(stored).await.remove(0)["row"].clone();
    assert_eq!(life["stored"]["position"], row["position"]);
    assert_eq!((&life["claims"][0]["success"], &life["claims"][0]["consumer_id"]), (&json!(true), &json!("milepost")));
    assert!(rows(&life).contains(&format!("buddy_matches* {match_id}")), "{:?}", rows(&life));
    assert_eq!(life["traces"]["derived"], json!(["people", "enrollments", "company_days"]));

    let people = life["people"].as_array().expect("people");
    let mut whom: Vec<String> = people.iter().map(|person| text(&person["user_id"])).collect();
    whom.sort();
    let mut both = [participant.to_string(), buddy.to_string()];
    both.sort();
    assert_eq!(whom, both);
    for person in people {
        let names: Vec<String> =
            person["facts"].as_array().expect("facts").iter().map(|fact| text(&fact["name"])).collect();
        assert!(names.contains(&"match".to_owned()), "{names:?}");
        let rule = |name: &str| {
            let mut rules = person["rules"].as_array().expect("rules").iter();
            rules.find(|rule| rule["rule"].as_str().is_some_and(|rule| rule.starts_with(name))).cloned()
        };
        let active = rule("buddy_match_active@").expect("the flag asks for matches");
        assert_eq!((&active["holds"], &active["names_event"]), (&json!(true), &json!(true)));
        assert_eq!(rule("first_buddy_match@").expect("so does the milestone")["names_event"], true);
        assert_eq!(rule("mentor_ready@"), None, "which asks for something else");
    }
    let sent = "select event_id::text as id from outbox order by 1";
    let written: Vec<String> = world.rows(sent).await.iter().map(|row| text(&row["id"])).collect();
    let unpublished = explained(&world, &written[0]);
    assert_eq!((&unpublished["verdict"], &unpublished["stored"]), (&json!("own"), &Value::Null));
    assert_eq!(unpublished["outgoing"]["published_at"], Value::Null);
    let mut told: Vec<String> =
        life["outbox"].as_array().expect("a list").iter().map(|sent| text(&sent["event_id"])).collect();
    told.sort();
    assert_eq!((&told, told.is_empty()), (&written, false), "written in the same transaction, about the same people");
    assert!(life["outbox"].as_array().into_iter().flatten().all(|sent| sent["published_at"].is_null()));
    assert_eq!((&life["range"], &life["in_clickhouse"]), (&Value::Null, &Value::Null));

    // Through a function that resolves identities, into tables that do not name the event.
    let person = explained(&world, &id(&events[0]));
    let tables = person["traces"]["tables"].to_string();
    for table in ["users", "user_external_ids", "company_memberships"] {
        assert!(tables.contains(&format!("\"{table}\"")), "{tables}");
    }
    assert!(rows(&person).contains(&format!("users {participant}")), "{:?}", rows(&person));
    let membership = rows(&person).iter().any(|row| row.starts_with("company_memberships*"));
    assert!(membership, "{:?}", rows(&person));

    let lines = world.succeed(&["explain", &id(&events[2])]);
    for part in ["  applied", "sequence 3 of the stream", "flag buddy_match_active@", "not sealed for ClickHouse yet"] {
        assert!(lines.contains(part), "{part}: {lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_are_known_by_their_sequences() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (_, [match_id, ..]) = matched(&world, &mut csr).await;
    let checkin = csr.checkin(match_id);
    let mut respelled = checkin.clone();
    respelled["data"]["matchId"] = text(&checkin["data"]["matchId"]).to_uppercase().into();
    // The second in the same batch as the first, the third later.
    world.publish_events(&[checkin.clone(), respelled]).await;
    assert_eq!(world.drain(&[])["duplicates"], 1);
    world.publish_events(std::slice::from_ref(&checkin)).await;
    assert_eq!(world.drain(&[])["duplicates"], 1);
    let life = explained(&world, &id(&checkin));
    assert_eq!((&life["verdict"], &life["stored"]["stream_sequence"]), (&json!("applied"), &json!(4)));
    let sequences: Vec<&Value> =
        life["duplicates"].as_array().expect("a list").iter().map(|one| &one["sequence"]).collect();
    assert_eq!((&life["duplicate_count"], sequences), (&json!(2), vec![&json!(5), &json!(6)]));
    let row = format!("buddy_checkins* {}", text(&checkin["data"]["checkinId"]));
    assert!(rows(&life).contains(&row), "{:?}", rows(&life));

    // A consumer that forgets delivers everything again: nothing is a duplicate because of that.
    let stream = world.jetstream().await.get_stream("CSR").await.expect("the stream");
    stream.delete_consumer("milepost").await.expect("it is deleted");
    world.succeed(&["streams", "apply"]);
    world.drain(&[]);
    assert_eq!(explained(&world, &id(&checkin))["duplicate_count"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_is_known_while_it_lasts_and_afterwards() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let [match_id, participant, buddy] = [csr.id(), csr.id(), csr.id()];
    let checkin = csr.checkin(match_id);
    world.publish_events(std::slice::from_ref(&checkin)).await;
    world.drain(&[]);
    let life = explained(&world, &id(&checkin));
    assert_eq!((&life["verdict"], &life["stored"]["projected_at"]), (&json!("waiting"), &Value::Null));
    let wait = &life["waits"][0];
    assert_eq!(
        (&wait["entity"], &wait["key"], &wait["released_at"]),
        (&json!("match"), &json!(match_id), &Value::Null)
    );
    let parents = [csr.person(participant), csr.person(buddy), csr.matched(match_id, participant, buddy)];
    world.publish_events(&parents).await;
    assert_eq!(world.drain(&[])["released"], 1);
    let life = explained(&world, &id(&checkin));
    assert_eq!((&life["verdict"], life["waits"].as_array().map(Vec::len)), (&json!("applied"), Some(1)));
    let released = &life["waits"][0];
    assert_eq!((&released["waiting_since"], &released["key"]), (&wait["waiting_since"], &json!(match_id)));
    assert_eq!(released["released_at"], life["stored"]["projected_at"], "by the transaction that projected it");
    assert_eq!(life["people"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_before_and_after_it_is_redriven_and_one_with_the_id_of_another_event() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (_, [match_id, ..]) = matched(&world, &mut csr).await;
    world.execute("alter table buddy_checkins add constraint calm check (mood <> 'great')").await;
    let mut checkin = csr.checkin(match_id);
    checkin["data"]["mood"] = "great".into();
    world.publish_events(std::slice::from_ref(&checkin)).await;
    assert_eq!(world.drain(&[])["dead_letters"], 1);
    let life = explained(&world, &id(&checkin));
    assert_eq!((&life["verdict"], &life["stored"]), (&json!("dead_letter"), &Value::Null));
    let letter = &life["dead_letters"][0];
    assert_eq!((&letter["reason"], &letter["first_seq"]), (&json!("database"), &json!(4)));
    assert_eq!(life["claims"][0]["success"], false);

    world.execute("alter table buddy_checkins drop constraint calm").await;
    world.succeed(&["dead-letters", "redrive", "--all"]);
    let mut other = checkin.clone();
    other["data"]["mood"] = "okay".into();
    world.publish_events(&[other]).await;
    world.drain(&[]);
    let life = explained(&world, &id(&checkin));
    assert_eq!((&life["verdict"], &life["stored"]["stream_sequence"]), (&json!("applied"), &json!(4)));
    let letters = life["dead_letters"].as_array().expect("letters").iter();
    let letters: Vec<Value> = letters.map(|one| json!([one["reason"], one["resolution"], one["first_seq"]])).collect();
    assert_eq!(letters, [json!(["database", "redriven", 4]), json!(["id_conflict", null, 5])]);
    let lines = world.succeed(&["explain", &id(&checkin)]);
    assert!(lines.contains("(redriven): database") && lines.contains("(open): id_conflict"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_one_without_a_contract_and_one_that_was_never_seen() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (events, _) = matched(&world, &mut csr).await;
    let stranger = csr.event("buddy.never.declared", json!({"n": 1}));
    world.publish_events(std::slice::from_ref(&stranger)).await;
    let summary = world.drain_all(&[]);
    assert!(summary["own"].as_u64().is_some_and(|own| own > 0), "{summary}");
    let life = explained(&world, &id(&stranger));
    assert_eq!((&life["verdict"], &life["traces"]["tables"]), (&json!("unrouted"), &json!([])));
    let sent = &explained(&world, &id(&events[2]))["outbox"][0];
    assert!(sent["published_at"].is_string(), "{sent}");
    let own = explained(&world, &text(&sent["event_id"]));
    assert_eq!((&own["verdict"], &own["stored"]["type"]), (&json!("own"), &sent["type"]));

    let unknown = world.output(&["explain", &Uuid::new_v4().to_string()]);
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(unknown.status.code() == Some(1) && said.contains("was never seen") && said.contains("hint: "), "{said}");
    assert_eq!(world.output(&["explain", "nonsense"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_into_clickhouse_with_the_range_and_whether_it_is_there() {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    let mut csr = Csr::new();
    let (events, [match_id, ..]) = matched(&world, &mut csr).await;
    world.drain_all(&[]);
    let late = csr.checkin(match_id);
    world.publish_events(std::slice::from_ref(&late)).await;
    world.drain(&[]);
    let life = explained(&world, &id(&events[2]));
    let range = "select generation, first_position, last_position, events from feed_ranges
                 where (select position from event_log where event_type = 'buddy.match.created')
                     between first_position and last_position";
    let mut told = life["range"].clone();
    assert!(told["fed_at"].is_string(), "{told}");
    told.as_object_mut().expect("a range").remove("fed_at");
    assert_eq!((world.rows(range).await, &life["in_clickhouse"]), (vec![told], &json!(true)));
    let late = explained(&world, &id(&late));
    assert_eq!((&late["range"], &late["in_clickhouse"]), (&Value::Null, &json!(false)));
    let lines = world.succeed(&["explain", &id(&events[2])]);
    assert!(lines.contains("; ClickHouse has it"), "{lines}");
}
