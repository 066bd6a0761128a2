//! What the outside hears: the events of our own that are in the stream, and what follows from them.

use std::collections::{BTreeMap, BTreeSet};

use async_nats::jetstream::consumer::{AckPolicy, pull};
use futures_util::StreamExt as _;
use serde_json::Value;
use uuid::Uuid;

use crate::support::World;

pub(crate) const MILESTONE: &str = "orchestration.journey.milestone.reached";
pub(super) const PROFILE: &str = "orchestration.profile.updated";
pub(super) const UNPUBLISHED: &str = "select count(*) from outbox where published_at is null";

/// A message of our own in the stream.
#[derive(Debug)]
pub(crate) struct Told {
    /// Its `Nats-Msg-Id`.
    pub(crate) id: Uuid,
    pub(crate) subject: String,
    pub(crate) document: Value,
}

/// All of them, in the order of the stream.
pub(super) async fn all(world: &World) -> Vec<Told> {
    let stream = world.jetstream().await.get_stream("CSR").await.expect("the stream");
    let config = pull::Config {
        filter_subject: "orchestration.>".into(),
        ack_policy: AckPolicy::None,
        ..pull::Config::default()
    };
    let mut consumer = stream.create_consumer(config).await.expect("a consumer of the test's own");
    let mut left = consumer.info().await.expect("its state").num_pending;
    let mut all = Vec::new();
    while left > 0 {
        let mut messages = consumer.fetch().max_messages(500).messages().await.expect("messages");
        while let Some(message) = messages.next().await {
            let message = message.expect("a message");
            left -= 1;
            let document: Value = serde_json::from_slice(&message.payload).expect("JSON");
            // Others may tell such things too.
            if document["metadata"]["source"] != "milepost" {
                continue;
            }
            let id = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id")).expect("an id");
            assert_eq!(document["id"], id.as_str(), "the message's id is the event's");
            let id = id.as_str().parse().expect("an id");
            all.push(Told { id, subject: message.subject.to_string(), document });
        }
    }
    all
}

/// Every row of the outbox has exactly one message, in which there is what the row holds; and nothing else was told.
/// The last that was told of a person's flag is what the table says.
pub(crate) async fn all_told_once(world: &World) -> Vec<Told> {
    let told = all(world).await;
    let mut rows = BTreeMap::new();
    for row in world.rows("select event_id, subject, payload, published_at from outbox").await {
        assert!(!row["published_at"].is_null(), "{row} was published");
        let id: Uuid = row["event_id"].as_str().expect("an id").parse().expect("an id");
        rows.insert(id, row);
    }
    let mut times: BTreeMap<Uuid, usize> = BTreeMap::new();
    for one in &told {
        *times.entry(one.id).or_default() += 1;
        let row = rows.get(&one.id).unwrap_or_else(|| panic!("{one:?} has no row"));
        let payload: Value = serde_json::from_str(row["payload"].as_str().expect("a text")).expect("JSON");
        assert_eq!((&one.document, one.subject.as_str()), (&payload, row["subject"].as_str().expect("a subject")));
    }
    let several: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(several.is_empty(), "{} of {} were told several times: {several:?}", several.len(), rows.len());
    assert_eq!(told.len(), rows.len(), "every row has a message");
    same(&heard(&told), &flags(world).await);
    let (heard, table) = (heard_milestones(&told), milestones(world).await);
    let unheard: Vec<_> = table.difference(&heard).collect();
    assert!(unheard.is_empty(), "milestones that were reached and not told: {unheard:#?}");
    told
}

pub(super) type Flags = BTreeMap<(String, String), Value>;

/// Whoever listens knows what the tables say.
#[track_caller]
pub(super) fn same(heard: &Flags, table: &Flags) {
    let keys: BTreeSet<_> = heard.keys().chain(table.keys()).collect();
    let differing = keys.into_iter().filter(|key| heard.get(*key) != table.get(*key));
    let differing: Vec<_> = differing.map(|key| (key, heard.get(key), table.get(key))).collect();
    assert!(differing.is_empty(), "what is heard and what the table says: {differing:#?}");
}

/// What somebody knows of the flags who has listened from the beginning.
pub(super) fn heard(told: &[Told]) -> Flags {
    let mut known = Flags::new();
    for one in told.iter().filter(|one| one.subject == PROFILE) {
        let data = &one.document["data"];
        let user = data["userId"].as_str().expect("a person").to_owned();
        let named: BTreeSet<String> = data["updatedFields"]
            .as_array()
            .expect("fields")
            .iter()
            .map(|name| name.as_str().expect("a name").into())
            .collect();
        let flags = data["flags"].as_object().expect("flags");
        assert_eq!(named, flags.keys().map(|name| format!("flags.{name}")).collect());
        for (name, flag) in flags {
            match flag["value"] == true {
                true => known.insert((user.clone(), name.clone()), spelled(flag)),
                false => known.remove(&(user.clone(), name.clone())),
            };
        }
    }
    known
}

/// Times as Postgres spells them.
fn spelled(flag: &Value) -> Value {
    let time =
        |value: &Value| value.as_str().map(|text| text.parse::<chrono::DateTime<chrono::Utc>>().expect("a time"));
    serde_json::json!([time(&flag["setAt"]), time(&flag["expiresAt"]), flag["setByRule"]])
}

pub(super) async fn flags(world: &World) -> Flags {
    let rows = world.rows("select user_id, flag, set_at, expires_at, set_by_rule from journey_flags").await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let flag = |row: &Value| {
        let (since, until) = (&row["set_at"], &row["expires_at"]);
        spelled(&serde_json::json!({"setAt": since, "expiresAt": until, "setByRule": row["set_by_rule"]}))
    };
    rows.iter().map(|row| ((text(&row["user_id"]), text(&row["flag"])), flag(row))).collect()
}

/// Person, rule and moment.
type Milestones = BTreeSet<(String, String, String)>;

/// All that was ever told. One that moves away and back again is not told a second time: it has one id. One that
/// vanishes is not taken back.
fn heard_milestones(told: &[Told]) -> Milestones {
    let of = |one: &Told| {
        let (data, rule) = (&one.document["data"], &one.document["metadata"]["rule"]);
        milestone(&data["userId"], rule, &data["reachedAt"])
    };
    told.iter().filter(|one| one.subject == MILESTONE).map(of).collect()
}

async fn milestones(world: &World) -> Milestones {
    // Milestones that an event names are not of our making.
    let sql =
        "select user_id, triggered_by_rule, reached_at from journey_milestones where milestone not like 'buddy:%'";
    let of = |row: &Value| milestone(&row["user_id"], &row["triggered_by_rule"], &row["reached_at"]);
    world.rows(sql).await.iter().map(of).collect()
}

fn milestone(person: &Value, rule: &Value, moment: &Value) -> (String, String, String) {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let moment: chrono::DateTime<chrono::Utc> = text(moment).parse().expect("a time");
    (text(person), text(rule), moment.to_rfc3339())
}
