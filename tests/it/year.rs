//! One company's year through every table: told month by month, and then what each table holds, worked out by hand from
//! what the domain says.
//!
//! Fjord, in Norway, helps newcomers to feel at home. Ada and Cleo are newcomers, Bo is a buddy, Dan teaches Norwegian,
//! Fay takes courses, and Eve sees to it all. Begin with [`spring`].

mod analytics; // what ClickHouse holds
mod autumn; // July to December
mod buddies; // tables of the buddy programme, and enrolments
mod company; // tables of what a company offers and did
mod journeys; // flags, milestones, and what the outside was told
mod learning; // tables of sessions, courses and scores
mod people; // tables of who there is
mod spring; // January to June
mod story; // how it is told
mod tables; // how tables are compared with what is written here
mod today; // flags that hold for a while only

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{World, event_types};
use autumn::{august, december, july, november, october, september};
use spring::{april, february, january, june, march, may};
use story::Year;
use tables::Tables;

/// What a month adds to the story.
type Month = fn(&mut Year);

/// Each with what is unusual in it: events that wait at its end, duplicates and dead letters. Cleo's match waits until she is
/// known; in March February's talk is sent again; in June somebody sends a mood that there is not.
const MONTHS: [(&str, Month, [u64; 3]); 12] = [
    ("January", january, [0, 0, 0]),
    ("February", february, [1, 0, 0]),
    ("March", march, [1, 1, 0]),
    ("April", april, [0, 0, 0]),
    ("May", may, [0, 0, 0]),
    ("June", june, [0, 0, 1]),
    ("July", july, [0, 0, 0]),
    ("August", august, [0, 0, 0]),
    ("September", september, [0, 0, 0]),
    ("October", october, [0, 0, 0]),
    ("November", november, [0, 0, 0]),
    ("December", december, [0, 0, 0]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_a_company() {
    let world = World::fed().await;
    let mut year = Year::default();
    for (name, month, unusual) in MONTHS {
        month(&mut year);
        world.publish_events(&year.take()).await;
        let summary = world.drain_all(&[]);
        let found = ["waiting_total", "duplicates", "dead_letters"].map(|count| summary[count].clone());
        assert_eq!(found, unusual.map(|count| json!(count)), "{name}: {summary}");
    }
    let told: BTreeSet<String> = year.types().map(str::to_owned).collect();
    let published = event_types().into_iter().filter(|name| name != "privacy.person.erased").collect();
    assert_eq!(told, published, "every type that is published is in the story");
    // The talk of June cannot be mended: nobody remembers the mood.
    let letter = world.dead_letters()[0]["id"].to_string();
    world.succeed(&["dead-letters", "discard", &letter]);

    let mut tables = Tables::of(&world);
    people::people(&mut tables).await;
    people::care(&mut tables).await;
    buddies::buddies(&mut tables).await;
    buddies::stored(&mut tables).await;
    buddies::enrollments(&mut tables).await;
    learning::sessions(&mut tables).await;
    learning::scores(&mut tables).await;
    learning::evidence(&mut tables).await;
    company::offers(&mut tables).await;
    company::reports(&mut tables).await;
    company::quarters(&mut tables).await;
    journeys::flags(&mut tables).await;
    journeys::milestones(&mut tables).await;
    journeys::outbox(&mut tables).await;
    books(&mut tables).await;
    analytics::raw(&mut tables);
    analytics::aggregated(&mut tables);
    analytics::daily(&mut tables);
    analytics::monthly(&mut tables);
    analytics::benchmarks(&mut tables);
    tables.are_as_told().await;

    all_adds_up(&world).await;
    today::today(&world, &mut year).await;
    all_adds_up(&world).await;
}

/// What was handled and by whom: 96 events once each, the talk of June not; and what operators changed.
async fn books(tables: &mut Tables<'_>) {
    let claims = "event_deduplication where event_id not in (select event_id::text from outbox) group by success";
    tables.show(claims, "success | count(*)", &["true | 96", "false | 1"]).await;
    tables
        .show(
            "audit_logs",
            "action | resource_type",
            &["streams.apply | stream", "dead_letters.discard | dead_letters"],
        )
        .await;
}

/// The books are those of the stream, ClickHouse holds what is stored, and the tables are a function of the events.
async fn all_adds_up(world: &World) {
    assert_eq!(world.prove()["ok"], true);
    world.is_all_there().await;
    world.is_as_rebuilt();
}
