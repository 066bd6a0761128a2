//! Outcome scores: with and without a person, and whose snippet it is.

use serde_json::{Value, json};
use uuid::Uuid;

use super::orders;
use crate::support::{Csr, World};

/// A score with snippets, each by the digit that its hash is made of.
fn score(csr: &mut Csr, person: Option<Uuid>, snippets: &[(&str, &str)]) -> Value {
    let snippet = |(digit, text): &(&str, &str)| json!({"snippetText": text, "snippetHash": digit.repeat(64)});
    let (id, text) = (csr.id(), csr.id());
    let data = json!({"scoreId": id, "textId": text, "textType": "checkin_note", "userId": person, "dimension": "belonging",
        "score": 0.5, "scoredAt": csr.tick(), "snippets": snippets.iter().map(snippet).collect::<Vec<_>>()});
    csr.event("q2q.outcome.scored", data)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_score_of_a_person_waits_for_them_and_one_of_nobody_does_not() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let person = csr.id();
    let events = [score(&mut csr, Some(person), &[("a", "1")]), score(&mut csr, None, &[])];
    world.publish_events(&events).await;
    let summary = world.drain(&[]);
    assert_eq!((&summary["applied"], &summary["waiting"]), (&json!(1), &json!(1)), "{summary}");
    assert_eq!(world.rows("select user_id from outcome_scores").await, [json!({"user_id": null})]);
    world.publish_events(&[csr.person(person)]).await;
    assert_eq!(world.drain(&[])["released"], 1);
    assert_eq!(world.number("select count(*) from outcome_scores where user_id is not null").await, 1);
    assert_eq!(world.number("select count(*) from evidence_snippets").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snippet_belongs_to_the_earliest_score_that_rests_on_it() {
    for run in [&["--batch", "1"][..], &["--batch", "1000"], &["--workers", "4", "--batch", "2"]] {
        for order in orders(3) {
            let world = World::new().await;
            let mut csr = Csr::new();
            let scores = [
                score(&mut csr, None, &[("b", "first"), ("b", "repeated")]),
                score(&mut csr, None, &[("a", "second"), ("B", "second")]),
                score(&mut csr, None, &[("c", "third"), ("A", "third"), ("b", "third")]),
            ];
            world.publish_events(&order.iter().map(|place| scores[*place].clone()).collect::<Vec<_>>()).await;
            assert_eq!(world.drain(run)["applied"], 3);
            let sql = "select outcome_score_id, snippet_text, left(snippet_hash, 1) as hash from evidence_snippets order by 3";
            let row = |place: usize, text: &str, hash: &str| json!({"outcome_score_id": scores[place]["data"]["scoreId"], "snippet_text": text, "hash": hash});
            let expected = [row(1, "second", "a"), row(0, "first", "b"), row(2, "third", "c")];
            assert_eq!(world.rows(sql).await, expected, "{order:?} {run:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_that_is_none_makes_a_dead_letter() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let events = [("a", 0), ("ab", 0), ("x", 1)].map(|(text, _)| score(&mut csr, None, &[(text, "t")]));
    world.publish_events(&events).await;
    let summary = world.drain(&[]);
    assert_eq!((&summary["applied"], &summary["dead_letters"]), (&json!(1), &json!(2)), "{summary}");
    let reasons: Vec<Value> = world.rows("select reason from dead_letters order by 1").await;
    assert_eq!(reasons, [json!({"reason": "contract"}), json!({"reason": "contract"})]);
}
