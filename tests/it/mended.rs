//! What changes between two deliveries of the same message: contracts, spellings, what was wrong with it.

use async_nats::jetstream::stream::Stream;
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::support::{Csr, World, eventually};

/// Tries to make a month while others hold the event store for a moment.
const TRIES_MAX: usize = 1000;

/// A match with its people, and a check-in with these answers.
fn checkin(csr: &mut Csr, answers: Value) -> (Vec<Value>, Value) {
    let [participant, buddy, matched] = [csr.id(), csr.id(), csr.id()];
    let parents = vec![csr.person(participant), csr.person(buddy), csr.matched(matched, participant, buddy)];
    let mut child = csr.checkin(matched);
    child["data"]["questionResponses"] = answers;
    (parents, child)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_stays_a_duplicate_when_its_type_has_got_a_contract_meanwhile() {
    let world = World::with_setting("replicas = 1", "replicas = 1 ").await;
    let folder = world.streams.clone().expect("a folder of its own");
    let files = ["schema.json", "sql"].map(|ending| folder.join(format!("events/buddy.checkin.completed.{ending}")));
    let texts = files.each_ref().map(|file| std::fs::read_to_string(file).expect("a file of the domain"));
    for file in &files {
        std::fs::remove_file(file).expect("the contract is taken away");
    }
    // The rules and the imports speak of that type.
    std::fs::remove_file(folder.join("journey.toml")).expect("the rules are taken away");
    std::fs::remove_dir_all(folder.join("imports")).expect("the imports are taken away");
    let mut csr = Csr::new();
    let (mut events, mut child) = checkin(&mut csr, json!({"n": 100, "x": 0.5}));
    child["data"]["matchId"] = child["data"]["matchId"].as_str().expect("an id").to_uppercase().into();
    child["data"]["notes"] = Value::Null;
    events.push(child.clone());
    world.publish_events(&events).await;
    assert_eq!(world.drain(&[])["unrouted"], 1);

    for (file, text) in files.iter().zip(texts) {
        std::fs::write(file, text).expect("the contract is back");
    }
    let mut other = child.clone();
    other["data"]["mood"] = "difficult".into();
    world.publish_events(&[child.clone(), other, child]).await;
    let summary = world.drain(&[]);
    assert_eq!((&summary["duplicates"], &summary["dead_letters"]), (&2.into(), &1.into()), "{summary}");
    assert_eq!(world.dead_letters()[0]["reason"], "id_conflict");
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_have_one_spelling_whether_an_event_waited_or_not() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let raw =
        |event: &Value| ("buddy.checkin.completed".to_owned(), event.to_string().replace("\"N\"", "1e2").into_bytes());
    let (parents, direct) = checkin(&mut csr, json!({"n": "N", "deep": [1.0, -0.0]}));
    let (late_parents, waits) = checkin(&mut csr, json!({"n": "N", "deep": [1.0, -0.0]}));
    world.publish_events(&parents).await;
    world.publish(&[raw(&direct), raw(&waits)]).await;
    assert_eq!(world.drain(&[])["waiting"], 1);
    world.publish_events(&late_parents).await;
    assert_eq!(world.drain(&[])["released"], 1);
    let answers = world.rows("select distinct question_responses::text as text from buddy_checkins").await;
    assert_eq!(answers, [json!({"text": r#"{"n": 100, "deep": [1, 0]}"#})]);

    let (mut extra, mut respelled) = (direct.clone(), direct);
    extra["metadata"]["id"] = json!("00000000-0000-4000-8000-0000000000aa");
    respelled["metadata"]["id"] = extra["metadata"]["id"].clone();
    (extra["data"]["more"], respelled["data"]["more"]) = (json!(1), json!(1.0));
    world.publish(&[raw(&extra), raw(&respelled)]).await;
    let summary = world.drain(&[]);
    assert_eq!((&summary["applied"], &summary["duplicates"]), (&1.into(), &1.into()), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_in_a_batch_is_judged_by_what_is_stored() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let company = csr.id();
    let first =
        csr.event("company.synced", json!({"companyId": company, "name": "One", "syncedAt": "2026-01-01T00:00:00Z"}));
    let mut other = first.clone();
    other["data"]["name"] = "Two".into();
    world.publish_events(std::slice::from_ref(&first)).await;
    world.drain(&[]);
    world.publish_events(&[other.clone(), first.clone(), other, first]).await;
    let summary = world.drain(&[]);
    assert_eq!((&summary["duplicates"], &summary["dead_letters"]), (&2.into(), &2.into()), "{summary}");
    world.prove();
}

async fn stream(world: &World) -> Stream {
    world.jetstream().await.get_stream("CSR").await.expect("the stream")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_is_delivered_again_after_it_was_mended_takes_effect_and_the_books_follow() {
    let world = World::new().await;
    world.execute("alter table companies add constraint no_two check (name <> 'Two')").await;
    let mut csr = Csr::new();
    let company = csr.id();
    let event =
        csr.event("company.synced", json!({"companyId": company, "name": "Two", "syncedAt": "2026-01-01T00:00:00Z"}));
    world.publish_events(&[event.clone(), event]).await;
    assert_eq!(world.drain(&[])["dead_letters"], 2);
    world.execute("alter table companies drop constraint no_two").await;
    // A consumer that forgets delivers everything again.
    stream(&world).await.delete_consumer("milepost").await.expect("it is deleted");
    world.succeed(&["streams", "apply"]);
    world.drain(&[]);
    assert_eq!(world.number("select count(*) from companies where name = 'Two'").await, 1);
    let proof = world.prove();
    assert_eq!((&proof["received"], &proof["applied"]), (&2.into(), &1.into()), "{proof}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_reader_of_the_store_does_not_stop_events_of_a_new_month() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let mut reader = world.postgres().await;
    sqlx::raw_sql("begin; select count(*) from event_log").execute(&mut reader).await.expect("a long read begins");
    let mut events = vec![csr.person(csr.company)];
    for month in ["2003-01", "2004-02"] {
        let mut event = csr.person(csr.company);
        event["metadata"]["timestamp"] = format!("{month}-01T00:00:00Z").into();
        events.push(event);
    }
    world.publish_events(&events).await;
    assert_eq!(world.drain(&[])["applied"], 3);
    assert_eq!(world.number("select count(*) from event_log_default").await, 3);
    reader.close().await.expect("the reader ends");
    world.publish_events(&[csr.person(csr.company)]).await;
    world.drain(&[]);
    assert_eq!(world.number("select count(*) from event_log").await, 4);
}

/// The reader comes while they are being moved, and waits.
#[tokio::test(flavor = "multi_thread")]
async fn strays_that_get_their_month_are_missed_by_no_reader() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let mut long = world.postgres().await;
    sqlx::raw_sql("begin; select count(*) from event_log").execute(&mut long).await.expect("a long read begins");
    let mut event = csr.person(csr.company);
    event["metadata"]["timestamp"] = "2003-01-01T00:00:00Z".into();
    world.publish_events(&[event]).await;
    assert_eq!(world.drain(&[])["applied"], 1);
    assert_eq!(world.number("select count(*) from event_log_default").await, 1, "a stray");
    long.close().await.expect("the long read ends");

    let mut moving = world.postgres().await;
    // What others hold for a moment, the long reader or a vacuum, makes it give up.
    let mut is_made = false;
    for _ in 0..TRIES_MAX {
        sqlx::raw_sql("rollback; begin").execute(&mut moving).await.expect("a transaction begins");
        let ensure = "select event_log_ensure_months(array['2003-01-01'::date])";
        is_made =
            sqlx::query_scalar(ensure).fetch_one(&mut moving).await.expect("the month is made, and not committed");
        if is_made {
            break;
        }
    }
    assert!(is_made, "somebody holds the event store all the time");
    let mut reader = world.postgres().await;
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut reader).await.expect("a process");
    let reading = tokio::spawn(async move {
        let sql = "select count(*) from event_log where position > $1";
        sqlx::query_scalar::<_, i64>(sql).bind(0_i64).fetch_one(&mut reader).await
    });
    world.reaches(&format!("select cardinality(pg_blocking_pids({pid}))"), |blocking| blocking > 0);
    sqlx::raw_sql("commit").execute(&mut moving).await.expect("it is committed");
    assert_eq!(reading.await.expect("it ends").expect("a count"), 1);
    assert_eq!(world.number("select count(*) from event_log_default").await, 0, "it has moved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_made_anew_under_a_running_service_stops_it_with_an_explanation() {
    let world = World::new().await;
    let service = world.start(&[]);
    eventually("the service is ready", || (service.get("/readyz").0 == 200).then_some(()));
    world.jetstream().await.delete_stream("CSR").await.expect("it is deleted");
    world.succeed(&["streams", "apply"]);
    let log = world.folder.path().to_owned();
    let (code, _) = service.wait();
    assert_eq!(code, Some(1));
    let logs = std::fs::read_dir(log).expect("its folder").filter_map(Result::ok).map(|file| file.path());
    let text: String = logs.filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    assert!(text.contains("deleted and created again") && text.contains("hint: "), "{text}");
}
