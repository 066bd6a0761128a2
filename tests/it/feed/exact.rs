//! What ClickHouse holds, against the event store and against sums that are computed naively here.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::support::World;

/// Hour, type, company and programme.
type Key = [String; 4];

/// What there is to know of a key.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    events: u64,
    people: usize,
    minutes: Decimal,
    rating_sum: Decimal,
    rating_count: u64,
}

/// Everything stored is in ClickHouse, once, in ranges without gaps; sums are those of a naive recomputation; and
/// `prove` says so too.
pub(super) async fn assert_exact(world: &World) {
    assert_fed(world).await;
    let proof = world.prove();
    assert_eq!(proof["ok"], true, "{proof}");
    assert_eq!(proof["analytics"]["rows"], world.raw_rows(), "{proof}");
}

/// The same where events were put into the store by hand, so that its books do not add up.
pub(super) async fn assert_fed(world: &World) {
    let stored: Vec<(i64, uuid::Uuid)> =
        sqlx::query_as(AssertSqlSafe("select position, event_id from event_log order by position"))
            .fetch_all(&mut world.postgres().await)
            .await
            .expect("the event store");
    let stored: Vec<String> = stored.iter().map(|(position, id)| format!("{position}\t{id}")).collect();
    let raw = world.analytics().lines("select position, event_id from events_raw order by position, event_id");
    assert_eq!(raw.len(), stored.len(), "rows in ClickHouse, and events in the store");
    assert_eq!(raw.iter().collect::<BTreeSet<_>>().len(), stored.len(), "each once");
    if let Some((there, here)) = raw.iter().zip(&stored).find(|(there, here)| there != here) {
        panic!("ClickHouse holds {there} where the store has {here}");
    }
    let gaps = "select count(*) from (
        select first_position - lag(last_position, 1, 0::int8) over (order by first_position) as step, fed_at
        from feed_ranges where generation = (select generation from feed_generations where state = 'current')) as ranges
        where step <> 1 or fed_at is null";
    assert_eq!(world.number(gaps).await, 0, "ranges follow one another, and are marked");
    assert_sums(world);
    let output = world.output(&["prove", "--json"]);
    let proof: Value = serde_json::from_slice(&output.stdout).expect("a proof");
    assert_eq!((&proof["analytics"]["problems"], &proof["analytics"]["unfed"]), (&Value::Array(vec![]), &0.into()));
}

fn assert_sums(world: &World) {
    let naive = naive(world);
    let kept: BTreeMap<Key, Sums> = world
        .analytics()
        .lines(
            "select toString(hour), event_type, ifNull(toString(company_id), '-'), ifNull(toString(program_id), '-'),
                 sum(events), uniqMerge(people), sum(minutes), sum(rating_sum), sum(rating_count)
             from events_aggregated group by hour, event_type, company_id, program_id",
        )
        .iter()
        .map(|line| {
            let [hour, kind, company, program, events, people, minutes, rating_sum, rating_count] = fields(line);
            let sums = Sums {
                events: events.parse().expect("a number"),
                people: people.parse().expect("a number"),
                minutes: decimal(minutes),
                rating_sum: decimal(rating_sum),
                rating_count: rating_count.parse().expect("a number"),
            };
            ([hour, kind, company, program].map(str::to_owned), sums)
        })
        .collect();
    assert_eq!(kept.len(), naive.len(), "keys of sums");
    for (key, sums) in &naive {
        assert_eq!(kept.get(key), Some(sums), "sums of {key:?}, and what its events add up to");
    }
}

/// Row by row, with nothing but additions.
fn naive(world: &World) -> BTreeMap<Key, Sums> {
    let mut sums: BTreeMap<Key, Sums> = BTreeMap::new();
    let mut people: BTreeSet<(Key, String)> = BTreeSet::new();
    let rows = world.analytics().lines(
        "select toString(event_time), event_type, ifNull(toString(company_id), '-'), ifNull(toString(program_id), '-'),
             ifNull(toString(user_id), '-'), ifNull(toString(minutes), '-'), ifNull(toString(rating), '-')
         from events_raw",
    );
    for row in &rows {
        let [time, kind, company, program, user, minutes, rating] = fields(row);
        let hour = format!("{}:00:00", time.split_at("2026-01-05 08".len()).0);
        let key = [&hour, kind, company, program].map(str::to_owned);
        let sum = sums.entry(key.clone()).or_default();
        sum.events += 1;
        sum.minutes += if minutes == "-" { Decimal::ZERO } else { decimal(minutes) };
        if rating != "-" {
            sum.rating_sum += decimal(rating);
            sum.rating_count += 1;
        }
        if user != "-" && people.insert((key, user.to_owned())) {
            sum.people += 1;
        }
    }
    sums
}

fn fields<const N: usize>(line: &str) -> [&str; N] {
    line.split('\t').collect::<Vec<_>>().try_into().expect("as many fields as were asked for")
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}
