//! Bad input and odd input: each message of the corpus ends as it should, alone and among healthy events, and
//! harms nothing but itself.

mod bytes;
mod case;
mod envelopes;
mod repeated;
mod transport;
mod values;

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{Csr, World};
use case::{Case, Corpus, Fate};

/// Everything that is planted, and the events that it refers to.
fn corpus() -> Corpus {
    let mut corpus = Corpus::new();
    bytes::plant(&mut corpus);
    envelopes::plant(&mut corpus);
    values::plant(&mut corpus);
    corpus
}

/// Publishes, runs until idle with this batch size, and checks that the fates are the only thing that happened.
async fn suffer(world: &World, corpus: &Corpus, good: &[Case], batch: &str) {
    let planted = &corpus.cases;
    let (front, back) = good.split_at(good.len() / 2);
    // One of the corpus is the first of all, another the last.
    let (first, rest) = planted.split_at(1);
    let (middle, last) = rest.split_at(rest.len() - 1);
    let published: Vec<&Case> = [first, front, middle, back, last].into_iter().flatten().collect();
    world.publish(&published.iter().map(|case| case.message()).collect::<Vec<_>>()).await;

    let summary = world.drain(&["--batch", batch]);
    let count = |fate: fn(&Fate) -> bool| published.iter().filter(|case| fate(&case.fate)).count();
    for (field, expected) in [
        ("received", published.len()),
        ("applied", count(|fate| matches!(fate, Fate::Applied))),
        ("unrouted", count(|fate| matches!(fate, Fate::Unrouted))),
        ("waiting", count(|fate| matches!(fate, Fate::Waiting))),
        ("own", count(|fate| matches!(fate, Fate::Own))),
        ("dead_letters", count(|fate| matches!(fate, Fate::Dead(..)))),
        ("duplicates", 0),
    ] {
        assert_eq!(summary[field], expected, "{field} of {summary}; {}", case::surprises(world, &published).await);
    }
    let surprises = case::surprises(world, &published).await;
    assert!(surprises.is_empty(), "{surprises}");
    assert_eq!(world.prove()["received"], published.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_message_alone_ends_as_it_should() {
    let world = World::new().await;
    let corpus = corpus();
    suffer(&world, &corpus, &corpus.foundations, "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn among_499_good_events_only_the_bad_ones_are_set_aside() {
    let world = World::new().await;
    let corpus = corpus();
    let mut csr = Csr::new();
    let mut good = corpus.foundations.clone();
    let match_id = corpus.match_id;
    good.extend((good.len()..499).map(|_| Case::applied("a good event", &csr.checkin(match_id))));
    suffer(&world, &corpus, &good, "1000").await;
    let checkins = world.number("select count(*) from buddy_checkins").await;

    // All of it once more: what was taken is a duplicate, what is dead is counted.
    let again: Vec<_> = good.iter().chain(&corpus.cases).map(Case::message).collect();
    world.publish(&again).await;
    let summary = world.drain(&["--batch", "1000"]);
    let dead = corpus.cases.iter().filter(|case| matches!(case.fate, Fate::Dead(..))).count();
    assert_eq!(summary["dead_letters"], dead, "{summary}");
    assert_eq!(summary["duplicates"], again.len() - dead, "{summary}");
    assert_eq!(world.number("select count(*) from dead_letters where count <> 2").await, 0);
    assert_eq!(world.number("select count(*) from buddy_checkins").await, checkins);
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_names_an_event_is_a_failed_claim_and_every_reason_is_counted() {
    let world = World::new().await;
    let corpus = corpus();
    world.publish(&corpus.cases.iter().map(Case::message).collect::<Vec<_>>()).await;
    let service = world.start(&[]);
    let handled = || (service.metric("milepost_lag_messages", "") == 0.0).then_some(());
    let ended = || service.metric("milepost_events_total", "");
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let published = corpus.cases.len() as f64;
    crate::support::eventually("all are handled", || (ended() >= published).then(handled).flatten());

    let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
    for case in &corpus.cases {
        if let Fate::Dead(reason, _) = case.fate {
            *expected.entry(reason).or_default() += 1;
        }
    }
    for letter in world.rows("select reason, count(*) as n from dead_letters group by reason").await {
        let reason = letter["reason"].as_str().expect("a reason");
        assert_eq!(letter["n"], json!(expected.get(reason)), "{reason}");
    }
    let unnamed = "select count(*) from dead_letters as l where event_id is not null and not exists (
        select from event_deduplication as d where d.event_id = l.event_id::text
        and not success and error_message = l.reason || ': ' || l.message)";
    assert_eq!(world.number(unnamed).await, 0);
    assert!(world.number("select count(*) from event_deduplication where not success").await > 30);
    // Messages never quote what stands in the payload: it may be personal.
    assert_eq!(world.number("select count(*) from dead_letters where message like '%SECRET%'").await, 0);
}
