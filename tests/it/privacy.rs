//! Erasing a person: what is left says what they did, and not who they were, in whatever order things are told.

use std::collections::BTreeSet;

use milepost::derived_id::derived_id;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Csr, World};

mod aliases; // people who are known by several ids
mod asked; // what the commands ask: what to erase, what to hand out
mod commands; // `milepost erase` and `milepost export`
mod keys; // what is stored under keys, and how these are exchanged
mod late; // what comes after the erasure, or before it, or beside it
mod life; // one person's life, with a word in it that must not be left

use life::Life;

/// Stands in everything that says who somebody was.
const CANARY: &str = "canary";

/// Where documents are kept as they came: there they are encrypted.
const DOCUMENTS: [&str; 2] = ["event_log", "dead_letters"];

fn subject(kind: &str, value: &str) -> Uuid {
    derived_id(&format!("milepost:subject:{kind}:{value}"))
}

/// The id that follows from an e-mail.
fn derived(email: &str) -> Uuid {
    derived_id(&format!("milepost:user:{email}"))
}

/// Somebody of these identities and e-mails is erased.
fn erased(csr: &mut Csr, user: Uuid, identities: &[&str], emails: &[&str]) -> Value {
    let (erasure, at) = (csr.id(), csr.tick());
    let company = csr.company;
    let identity = |name: &&str| {
        let (system, external_id) = name.split_once(' ').expect("a system and an id there");
        subject("identity", &format!("{system}:{company}:{external_id}"))
    };
    let subjects: Vec<Uuid> =
        identities.iter().map(identity).chain(emails.iter().map(|email| subject("email", email))).collect();
    let aliases: Vec<Uuid> = emails.iter().map(|email| derived(email)).collect();
    let data =
        json!({"erasureId": erasure, "userId": user, "identities": subjects, "aliases": aliases, "erasedAt": at});
    csr.event("privacy.person.erased", data)
}

impl World {
    /// Tables that have this word in some row. Those with documents as they came are left out.
    async fn tables_with(&self, word: &str) -> BTreeSet<String> {
        let tables =
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
                      and not relispartition order by 1";
        let mut found = BTreeSet::new();
        for table in self.rows(tables).await {
            let table = table["relname"].as_str().expect("a name").to_owned();
            let sql = format!("select count(*) from \"{table}\" as t where to_jsonb(t)::text ilike '%{word}%'");
            if !DOCUMENTS.contains(&table.as_str()) && self.number(&sql).await > 0 {
                found.insert(table);
            }
        }
        found
    }

    /// Tables of all schemas that have this word in some row, also as bytes; everything that a dump holds. The id that an
    /// outside system has for the person stays in what it told, by which nobody is found who has not that system's list.
    async fn everywhere_with(&self, word: &str) -> BTreeSet<String> {
        let tables = "select relnamespace::regnamespace::text as home, relname from pg_class
                      where relkind in ('r', 'p', 'm') and relnamespace::regnamespace::text !~ '^(pg_|information_schema)'";
        let bytes: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut found = BTreeSet::new();
        for table in self.rows(tables).await {
            let [home, table] = ["home", "relname"].map(|name| table[name].as_str().expect("a name"));
            let sql = format!(
                "select count(*) from \"{home}\".\"{table}\" as t
                 where replace(to_jsonb(t)::text, 'canary-1', '') ilike '%{word}%' or to_jsonb(t)::text like '%{bytes}%'"
            );
            if self.number(&sql).await > 0 {
                found.insert(table.to_owned());
            }
        }
        found
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_says_any_more_who_somebody_was_and_the_role_of_the_service_is_enough() {
    let mut world = World::new().await;
    let restricted = world.as_service().await;
    let owner = std::mem::replace(&mut world.database_url, restricted);
    let mut csr = Csr::new();
    let life = Life::new(&mut csr);
    world.publish_events(&life.events).await;
    world.drain(&[]);
    let expected = [
        "buddy_checkins",
        "buddy_events",
        "buddy_feedback",
        "external_id_mappings",
        "kintell_ratings",
        "kintell_sessions",
        "learning_progress",
        "learning_reports",
        "safety_flags",
        "safety_reviews",
        "user_emails",
        "user_external_ids",
        "users",
    ];
    assert_eq!(world.tables_with(CANARY).await, BTreeSet::from(expected.map(str::to_owned)));

    let (erasure, at) = (life.erased(&mut csr), csr.tick());
    world.publish_events(std::slice::from_ref(&erasure)).await;
    let summary = world.drain(&[]);
    assert_eq!((&summary["applied"], &summary["dead_letters"]), (&json!(1), &json!(0)), "{summary}");
    assert_eq!(world.tables_with(CANARY).await, BTreeSet::new());
    let told = "email, first_name, last_name, role, role_imported, id_derived";
    let left = format!("select {told}, updated_at < '{at}' as as_told from users where id = '{}'", life.ada);
    let nowhere = format!("{}@erased.invalid", life.ada);
    let expected = json!({"email": nowhere, "first_name": null, "last_name": null, "role": "volunteer",
        "role_imported": false, "id_derived": false, "as_told": true});
    assert_eq!(world.rows(&left).await, [expected]);
    // Of the other nothing is lost.
    let other = format!("select first_name, last_name from users where id = '{}'", life.bo);
    assert_eq!(world.rows(&other).await, [json!({"first_name": "Ada", "last_name": "Byron"})]);
    // What they did is there, and so is what was found in it.
    for table in ["buddy_checkins", "buddy_feedback", "kintell_ratings", "safety_reviews", "evidence_snippets"] {
        assert_eq!(world.number(&format!("select count(*) from {table}")).await, 1, "{table}");
    }
    // Its keys are destroyed, whether or not there were any.
    let destroyed = "select subject from subject_keys where destroyed_at is not null and wrapped_key is null
                     and person = ";
    let destroyed = world.rows(&format!("{destroyed}'{}'", life.ada)).await;
    let destroyed: BTreeSet<&str> = destroyed.iter().filter_map(|row| row["subject"].as_str()).collect();
    for subject in life.subjects() {
        assert!(destroyed.contains(subject.to_string().as_str()), "{subject}");
    }
    world.database_url = owner;
    world.prove();
    world.is_as_rebuilt();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_companies_people_did_counts_as_before() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let life = Life::new(&mut csr);
    world.publish_events(&life.events).await;
    world.drain(&[]);
    let counted = [
        "select to_jsonb(t) - 'version' as t from company_days as t where minutes > 0 or checkins > 0",
        "select to_jsonb(t) as t from company_people as t",
        "select to_jsonb(t) - '{id,created_at,updated_at}'::text[] as t from metrics_company_period as t",
        "select to_jsonb(t) - '{id,created_at}'::text[] as t from outcome_scores_quarterly as t",
        "select to_jsonb(t) - '{id,created_at}'::text[] as t from evidence_ledger as t",
        "select to_jsonb(t) as t from outcome_scores as t",
        "select to_jsonb(t) as t from journey_milestones as t",
        "select to_jsonb(t) as t from program_enrollments as t",
    ];
    let mut before = Vec::new();
    for sql in counted {
        let rows = world.rows(&format!("{sql} order by 1")).await;
        assert!(!rows.is_empty(), "{sql}");
        before.push(rows);
    }
    world.publish_events(&[life.erased(&mut csr)]).await;
    world.drain(&[]);
    for (sql, before) in counted.iter().zip(before) {
        assert_eq!(world.rows(&format!("{sql} order by 1")).await, before, "{sql}");
    }
    assert_eq!(world.tables_with(CANARY).await, BTreeSet::new());
    world.is_as_rebuilt(); // also when all of it is counted anew
}
