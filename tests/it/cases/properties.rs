//! Laws for random histories under random rules.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use super::naive::Naive;
use super::random_history::{any_history, any_moment};
use super::random_rules::{Rules, alike, any_rules, compiled, ever, simple_rules, written};
use milepost::journey::Journey;
use milepost::journey::condition::Condition;
use milepost::journey::explain::explain;
use milepost::journey::fact::{Fact, Facts};
use milepost::journey::fold::{Word, fold, from_bytes, merge, narrowed, to_bytes};
use milepost::journey::interval::Micros;
use milepost::journey::standing::Standing;
use milepost::journey::verdict::{Verdict, evaluate, explain_flag};

#[track_caller]
fn check<S: Strategy>(cases: u32, any: S, law: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    if let Err(error) = TestRunner::new(crate::support::cases(cases)).run(&any, law) {
        panic!("{error}");
    }
}

fn folded<'w>(journey: &Journey, words: impl IntoIterator<Item = &'w Word>) -> Facts {
    let mut facts = Facts::new();
    words.into_iter().for_each(|word| fold(journey, &mut facts, word));
    facts
}

fn merged(journey: &Journey, one: &Facts, another: &Facts) -> Facts {
    let mut merged = one.clone();
    merge(journey, &mut merged, another.clone());
    merged
}

/// Without plain counts, which rely on events being deduplicated before they are folded.
fn uncounted(mut facts: Facts) -> Facts {
    for fact in facts.values_mut() {
        match fact {
            Fact::Occurrences(occurrences) => occurrences.count = 0,
            Fact::Episodes(episodes) => {
                let marks = episodes.values_mut().flat_map(|episode| episode.marks.values_mut());
                marks.for_each(|marks| marks.count = 0);
            }
        }
    }
    facts
}

#[test]
fn merging_is_associative_commutative_and_idempotent() {
    let histories = (any_history(0..8), any_history(0..8), any_history(0..8));
    check(128, (any_rules(), histories), |(rules, (mut one, mut two, mut three))| {
        for (number, words) in [&mut one, &mut two, &mut three].into_iter().enumerate() {
            *words = rules.concern(std::mem::take(words));
            // Events of one history are none of another.
            words.iter_mut().for_each(|word| word.event = Uuid::from_u128(word.event.as_u128() * 3 + number as u128));
        }
        let journey = &*rules.journey;
        let [a, b, c] = [&one, &two, &three].map(|words| folded(journey, words));
        let together = |a: &Facts, b: &Facts| merged(journey, a, b);
        prop_assert_eq!(together(&together(&a, &b), &c), together(&a, &together(&b, &c)));
        prop_assert_eq!(together(&a, &b), together(&b, &a));
        prop_assert_eq!(&together(&a, &Facts::new()), &a);
        prop_assert_eq!(&narrowed(journey, a.clone()), &a);
        prop_assert_eq!(uncounted(together(&a, &a)), uncounted(a.clone()));
        let both = together(&a, &b);
        prop_assert_eq!(uncounted(together(&together(&both, &a), &b)), uncounted(both.clone()));
        let stored: Facts = from_bytes(&to_bytes(&both)).expect("what was written can be read");
        prop_assert_eq!(stored, both);
        Ok(())
    });
}

#[test]
fn any_order_batching_and_duplication_gives_the_same() {
    let shuffled = any_history(0..15).prop_flat_map(|words| (Just(words.clone()), Just(words).prop_shuffle()));
    let batches = prop::collection::vec(0..4usize, 14);
    check(128, (any_rules(), shuffled, batches, any_moment()), |(rules, (words, shuffled), batches, now)| {
        let (words, shuffled) = (rules.concern(words), rules.concern(shuffled));
        let journey = &*rules.journey;
        let facts = folded(journey, &words);
        let verdict = evaluate(journey, &facts, now);
        let mut parts = vec![Facts::new(); 4];
        for (word, batch) in shuffled.iter().zip(&batches) {
            fold(journey, &mut parts[*batch], word);
        }
        let batched = parts.iter().rev().fold(Facts::new(), |all, part| merged(journey, part, &all));
        prop_assert_eq!(&batched, &facts);
        prop_assert_eq!(&evaluate(journey, &batched, now), &verdict);
        let again = folded(journey, words.iter().chain(&shuffled));
        prop_assert_eq!(uncounted(again.clone()), uncounted(facts));
        let Verdict { flags, milestones, next_change, .. } = evaluate(journey, &again, now);
        prop_assert_eq!((flags, milestones, next_change), (verdict.flags, verdict.milestones, verdict.next_change));
        Ok(())
    });
}

#[test]
fn firing_timers_is_as_good_as_looking() {
    let arrivals = any_history(0..10).prop_flat_map(|words| {
        let moments = prop::collection::vec(any_moment(), words.len());
        (Just(words), moments)
    });
    check(192, (any_rules(), arrivals, any_moment()), |(rules, (words, mut moments), end)| {
        let words = rules.concern(words);
        let journey = &*rules.journey;
        moments.sort_unstable();
        let (mut standing, mut outgoing) = (Standing::default(), 0);
        let mut fire_until = |standing: Standing, until: Micros| {
            let mut standing = standing;
            while let Some(due) = standing.verdict.next_change.filter(|due| *due <= until) {
                let update = standing.evaluate(journey, "test", Uuid::nil(), due);
                outgoing += update.outgoing.len();
                standing = update.after;
            }
            standing
        };
        for (word, now) in words.iter().zip(&moments).filter(|(_, now)| **now <= end) {
            standing = fire_until(standing, *now);
            fold(journey, &mut standing.facts, word);
            standing = standing.evaluate(journey, "test", Uuid::nil(), *now).after;
        }
        let standing = fire_until(standing, end);
        // Nobody evaluates at `end`: what the last event or timer left is what is true then.
        prop_assert_eq!(&standing.verdict, &evaluate(journey, &standing.facts, end));
        Ok(())
    });
}

/// Random cases in which nothing ever changes would prove nothing.
#[track_caller]
fn assert_is_eventful([cases, eventful]: [u32; 2]) {
    assert!(eventful * 5 > cases, "of {cases} cases, something changed in {eventful}");
}

/// The naive evaluator says the same of everything at every moment at which something can change, and beside it.
fn agrees(rules: &Rules, words: &[Word], seen: &Cell<[u32; 2]>) -> Result<(), TestCaseError> {
    let journey = &*rules.journey;
    let facts = folded(journey, words);
    let naive = Naive::new(journey, words);
    let mut moments: Vec<Micros> = naive.moments.iter().flat_map(|moment| [moment - 1, *moment, moment + 1]).collect();
    moments.sort_unstable();
    moments.dedup();
    for (flag, (meant, _)) in journey.flags.iter().zip(&rules.flags) {
        prop_assert_eq!(&flag.holds, meant, "written as {}", written(meant));
    }
    let (mut before, mut changes): (Option<Verdict>, usize) = (None, 0);
    for now in moments {
        let verdict = evaluate(journey, &facts, now);
        for (flag, (holds, lasts)) in journey.flags.iter().zip(&rules.flags) {
            let found = verdict.flags.get(&flag.name).map(|held| (held.since, held.expires));
            prop_assert_eq!(found, naive.flag(holds, *lasts, now), "{} at {}", written(holds), now);
            prop_assert_eq!(explain_flag(flag, &facts, now).holds, found.is_some());
            prop_assert_eq!(explain(holds, &facts, now).holds, naive.holds(holds, now));
        }
        // What changed since the moment before was announced there.
        if let Some(before) = before.filter(|before| before.flags != verdict.flags) {
            prop_assert!(before.next_change.is_some_and(|next| next <= now), "{before:?} to {verdict:?} at {now}");
            changes += 1;
        }
        before = Some(verdict);
    }
    let verdict = evaluate(journey, &facts, 0);
    for (milestone, reached) in journey.milestones.iter().zip(&rules.milestones) {
        let at = verdict.milestones.get(&milestone.name).map(|reached| reached.at);
        prop_assert_eq!(at, naive.first(reached), "{}", written(reached));
        changes += usize::from(at.is_some());
    }
    let [cases, eventful] = seen.get();
    seen.set([cases + 1, eventful + u32::from(changes > 0)]);
    Ok(())
}

#[test]
fn a_naive_evaluator_agrees() {
    let seen = Cell::new([0; 2]);
    check(800, (any_rules(), any_history(0..16)), |(rules, words)| agrees(&rules, &rules.concern(words), &seen));
    assert_is_eventful(seen.get());
}

#[test]
fn a_naive_evaluator_agrees_on_each_kind_alone() {
    let seen = Cell::new([0; 2]);
    check(800, (simple_rules(), any_history(0..20)), |(rules, words)| agrees(&rules, &rules.concern(words), &seen));
    assert_is_eventful(seen.get());
}

#[test]
fn what_is_said_to_contradict_never_holds_together() {
    let seen = Cell::new([0; 2]);
    check(800, (alike(), any_history(0..16)), |(pair, words)| {
        let all_of = Condition::AllOf(pair.to_vec());
        let refused = compiled(vec![(all_of.clone(), None)], Vec::new()).err().unwrap_or_default();
        let [cases, contradictions] = seen.get();
        seen.set([cases + 1, contradictions]);
        if refused.iter().any(|fault| fault.contains("can never hold")) {
            seen.set([cases + 1, contradictions + 1]);
            let rules = compiled(vec![(pair[0].clone(), None)], Vec::new());
            let rules = rules.or_else(|_| compiled(vec![(ever("pings"), None)], Vec::new())).expect("one is enough");
            let words = rules.concern(words);
            let naive = Naive::new(&rules.journey, &words);
            let together = naive.moments.iter().find(|moment| naive.holds(&all_of, **moment));
            prop_assert_eq!(together, None, "{}", written(&all_of));
        }
        Ok(())
    });
    assert_is_eventful(seen.get());
}

#[test]
fn what_is_kept_for_many_rules_serves_each_of_them() {
    check(256, (any_rules(), any_rules(), any_history(0..16), any_moment()), |(one, another, words, now)| {
        let flags = one.flags.iter().chain(&another.flags).cloned().collect();
        let milestones = one.milestones.iter().chain(&another.milestones).cloned().collect();
        let both = compiled(flags, milestones).expect("neither of them is refused");
        let words = one.concern(words);
        let [wide, narrow] = [&both, &one].map(|rules| folded(&rules.journey, &words));
        for fact in &one.journey.facts {
            prop_assert!(both.journey.serves(&one.journey, &fact.name), "{}", fact.name);
        }
        prop_assert_eq!(evaluate(&one.journey, &wide, now), evaluate(&one.journey, &narrow, now));
        prop_assert_eq!(narrowed(&one.journey, wide), narrow);
        Ok(())
    });
}
