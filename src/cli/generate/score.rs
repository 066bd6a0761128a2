//! What a text-scoring service hears in what people write: series of scores per person, and their `data`.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::index::sample;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::chance::{Kind, one_of};
use super::payload::some_of;
use super::pools::Pools;
use super::sheet::{Sheet, share_of_one};
use super::words::{NOTES, PLACES, TAGS};
use super::world::{DAY, END, HOUR, MINUTE, What, World};

/// What a score is about.
#[derive(Clone, Copy)]
pub(super) enum Dimension {
    LanguageLevel,
    Confidence,
    Belonging,
    JobReadiness,
    WellBeing,
}

const OTHERS: [Dimension; 4] =
    [Dimension::Confidence, Dimension::Belonging, Dimension::JobReadiness, Dimension::WellBeing];

/// Plans `left` scores: of one person's texts over some weeks, each in one dimension or several.
pub(super) fn listen(world: &mut World, rng: &mut StdRng, pools: &Pools, mut left: usize) {
    let mut text = 0;
    while left > 0 {
        let mut at = pools.moment(rng);
        let person = pools.anybody(rng, at);
        for _ in 0..rng.random_range(2..=6) {
            // Some texts reach the service without a name on them.
            let named = rng.random_bool(0.85).then_some(person);
            let mut acts = Vec::with_capacity(4);
            for dimension in dimensions(rng) {
                let at = (at + rng.random_range(0..MINUTE)).min(END);
                acts.push((at, What::Scored { text, person: named, dimension }));
            }
            left -= world.push_acts(rng, person, &acts, left);
            text += 1;
            at += rng.random_range(HOUR..25 * DAY);
            if left == 0 || at >= END || !world.is_awake(person, at) {
                break;
            }
        }
    }
}

fn dimensions(rng: &mut StdRng) -> Vec<Dimension> {
    let speaks_of_language = rng.random_bool(0.75);
    let others = rng.random_range(u32::from(!speaks_of_language) as usize..=2);
    let others = sample(rng, OTHERS.len(), others).into_iter().map(|other| OTHERS[other]);
    speaks_of_language.then_some(Dimension::LanguageLevel).into_iter().chain(others).collect()
}

pub(super) fn scored(world: &World, text: u32, person: Option<u32>, dimension: Dimension, sheet: &mut Sheet) {
    const SOURCES: [&str; 4] = ["buddy_feedback", "kintell_feedback", "checkin_note", "skill_feedback"];
    // All scores of a text agree on what the text is.
    let mut shared = world.chance.rng(Kind::Text, text);
    sheet.put_id("textId", world.chance.id(Kind::Text, text));
    sheet.put("textType", one_of(&mut shared, &SOURCES));
    sheet.put_id_if_any("userId", person.map(|person| world.chance.id(Kind::Person, person)));
    let (name, score) = match dimension {
        Dimension::LanguageLevel => ("lang_level_proxy", language_level(&mut sheet.rng)),
        Dimension::Confidence => ("confidence", share_of_one(&mut sheet.rng, 20)),
        Dimension::Belonging => ("belonging", share_of_one(&mut sheet.rng, 30)),
        Dimension::JobReadiness => ("job_readiness", share_of_one(&mut sheet.rng, 0)),
        Dimension::WellBeing => ("well_being", share_of_one(&mut sheet.rng, 25)),
    };
    sheet.put("dimension", name);
    sheet.put("score", score);
    sheet.maybe("confidence", 0.8, |rng| share_of_one(rng, 50));
    sheet.maybe("modelVersion", 0.7, |_| "outcomes-2025-06");
    sheet.maybe("method", 0.6, |rng| one_of(rng, &["ai_classifier", "ai_classifier", "rule_based", "manual"]));
    sheet.maybe("providerUsed", 0.5, |rng| one_of(rng, &["claude", "openai", "gemini"]));
    sheet.maybe("language", 0.6, |_| one_of(&mut shared, &["en", "en", "no", "uk", "unknown"]));
    sheet.maybe("topics", 0.3, |rng| some_of(rng, &TAGS));
    sheet.maybe("snippets", 0.4, snippets);
    sheet.put_moment("scoredAt");
}

/// Around one half, where support is needed or not, and at times right on it.
fn language_level(rng: &mut StdRng) -> f64 {
    let thousandths = if rng.random_bool(0.1) { 500 } else { rng.random_range(300..=700) };
    f64::from(thousandths) / 1_000.0
}

/// Quotations, each with the digest of its text; the same words are quoted again and again.
fn snippets(rng: &mut StdRng) -> Value {
    let snippet = |rng: &mut StdRng| {
        let text = format!("{} ({})", one_of(rng, &NOTES), one_of(rng, &PLACES));
        let hash: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut snippet = json!({"snippetText": text, "snippetHash": hash});
        if rng.random_bool(0.4) {
            snippet["embeddingRef"] = json!(format!("vec-{}", rng.random_range(0..10_000)));
        }
        if rng.random_bool(0.4) {
            snippet["sourceRef"] = json!(format!("note#{}", rng.random_range(1..4)));
        }
        snippet
    };
    (0..rng.random_range(1..=2)).map(|_| snippet(rng)).collect()
}
