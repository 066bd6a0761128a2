//! Random rules over the shared facts, as they are meant and as they are written.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::given::{FACTS, compile};
use super::random_history::any_duration;
use milepost::journey::Journey;
use milepost::journey::condition::{Compare, Condition, Measure, Operand};
use milepost::journey::fold::Word;
use milepost::journey::interval::Micros;

/// Rules as they are meant and as they are written.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) flags: Vec<(Condition, Option<Micros>)>,
    pub(super) milestones: Vec<Condition>,
    pub(super) journey: Box<Journey>,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.journey.source.trim_start_matches(FACTS))
    }
}

impl Rules {
    /// The history with most of its words about something that these rules ask for.
    pub(super) fn concern(&self, mut words: Vec<Word>) -> Vec<Word> {
        let text = self.journey.source.trim_start_matches(FACTS);
        let asked = self.journey.facts.iter().filter(|fact| text.contains(&fact.name));
        let signals: Vec<usize> = asked.flat_map(|fact| fact.kind.signals()).collect();
        for word in words.iter_mut().filter(|word| word.event.as_u128() % 5 > 0) {
            word.signal = signals[word.signal % signals.len()];
        }
        words
    }
}

fn operand(name: &str) -> Operand {
    match name.split_once('.') {
        Some((fact, mark)) => Operand { fact: fact.to_owned(), mark: Some(mark.to_owned()) },
        None => Operand { fact: name.to_owned(), mark: None },
    }
}

fn one_of(names: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(names)
}

fn any_compare() -> impl Strategy<Value = Compare> {
    prop::sample::select(vec![Compare::AtLeast, Compare::Above, Compare::AtMost, Compare::Below])
}

fn count() -> impl Strategy<Value = Condition> {
    let names = &["pings", "grades", "match", "snap", "early", "course", "match.note", "early.note", "course.note"];
    (one_of(names), prop::option::of(any_duration()), any_compare(), 0..4i64).prop_map(
        |(name, within, compare, number)| {
            // Comparisons that decide nothing are refused: they have tests of their own.
            let number = number + i64::from(number == 0 && matches!(compare, Compare::AtLeast | Compare::Below));
            let threshold = Decimal::from(number);
            Condition::Aggregate { of: operand(name), measure: Measure::Count, within, compare, threshold }
        },
    )
}

fn of_values() -> impl Strategy<Value = Condition> {
    let names = &["grades", "match.grade"];
    let thresholds = prop::sample::select(vec![50, 79, 80, 81, 90]);
    (one_of(names), 0..4usize, prop::option::of(any_duration()), any_compare(), thresholds).prop_map(
        |(name, kind, within, compare, hundredths)| {
            let (of, threshold) = (operand(name), Decimal::new(hundredths, 2));
            match kind {
                0 => Condition::Latest { of, compare, threshold },
                1 => Condition::Rises { of },
                2 => Condition::Aggregate { of, measure: Measure::Mean, within, compare, threshold },
                _ => {
                    let threshold = threshold + threshold;
                    Condition::Aggregate { of, measure: Measure::Sum, within, compare, threshold }
                }
            }
        },
    )
}

const EPISODES: [&str; 4] = ["match", "snap", "early", "course"];

fn of_episodes() -> impl Strategy<Value = Condition> {
    let marks = &["match.note", "match.grade", "snap.note", "early.note", "course.note"];
    let age = prop::option::of(any_duration());
    prop_oneof![
        (one_of(&EPISODES), any::<bool>()).prop_map(|(name, open)| match open {
            true => Condition::Open { of: name.to_owned() },
            false => Condition::Closed { of: name.to_owned() },
        }),
        (one_of(marks), age).prop_map(|(name, age)| {
            let Operand { fact, mark } = operand(name);
            Condition::Missing { fact, mark: mark.unwrap_or_default(), age }
        }),
    ]
}

fn quiet() -> impl Strategy<Value = Condition> {
    let common = prop::sample::subsequence(vec!["pings", "grades", "snap", "course"], 1..=2);
    let during = prop::sample::subsequence(EPISODES.to_vec(), 0..=2);
    (common, during, any::<bool>(), any_duration(), any::<bool>()).prop_map(|(common, during, mark, lasts, longer)| {
        let mut of: Vec<Operand> = common.into_iter().map(operand).collect();
        if let (true, [one]) = (mark, during.as_slice()) {
            of.push(operand(&format!("{one}.note")));
            of.remove(0);
        }
        Condition::Quiet { of, lasts, longer, during: during.into_iter().map(str::to_owned).collect() }
    })
}

/// A condition of one of the kinds that are not made of others.
pub(super) fn simple() -> impl Strategy<Value = Condition> {
    prop_oneof![count(), of_values(), of_episodes(), quiet()]
}

/// Any condition.
fn any_condition() -> impl Strategy<Value = Condition> {
    simple().prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..=3).prop_map(Condition::AllOf),
            prop::collection::vec(inner.clone(), 2..=3).prop_map(Condition::AnyOf),
            inner.prop_map(|one| Condition::Not(Box::new(one))),
        ]
    })
}

/// What holds for everybody is refused: it is bound to something that must have happened.
fn bound(condition: Condition, to: &str) -> Condition {
    match condition.evaluate(&std::collections::BTreeMap::new()).list().is_empty() {
        true => condition,
        false => Condition::AllOf(vec![ever(to), condition]),
    }
}

/// Something happened at all.
pub(super) fn ever(name: &str) -> Condition {
    let (measure, compare, threshold) = (Measure::Count, Compare::AtLeast, Decimal::ONE);
    Condition::Aggregate { of: operand(name), measure, within: None, compare, threshold }
}

/// One flag and, if it can be one, one milestone of a kind that is not made of others.
pub(super) fn simple_rules() -> impl Strategy<Value = Rules> {
    (simple(), prop::option::weighted(0.2, any_duration())).prop_filter_map(
        "the rule is refused",
        |(holds, expires)| {
            let holds = bound(holds, "pings");
            let flags = vec![(holds.clone(), expires)];
            compiled(flags.clone(), vec![holds]).or_else(|_| compiled(flags, Vec::new())).ok()
        },
    )
}

/// Two conditions about the same, which may contradict each other.
pub(super) fn alike() -> impl Strategy<Value = [Condition; 2]> {
    let not = simple().prop_map(|one| [one.clone(), Condition::Not(Box::new(one))]);
    let compared = (prop_oneof![count(), of_values()], any_compare(), 0..4i64).prop_map(|(one, other, number)| {
        let mut another = one.clone();
        match &mut another {
            Condition::Aggregate { compare, threshold, measure, .. } => {
                *compare = other;
                *threshold = if *measure == Measure::Count { Decimal::from(number) } else { *threshold };
            }
            Condition::Latest { compare, .. } => *compare = other,
            _ => {}
        }
        [one, another]
    });
    let quiet_and_count = (quiet(), count()).prop_map(|(quiet, mut count)| {
        if let (Condition::Quiet { of: silent, .. }, Condition::Aggregate { of, .. }) = (&quiet, &mut count) {
            of.clone_from(&silent[0]);
        }
        [quiet, count]
    });
    let open_and_closed = (of_episodes(), of_episodes()).prop_map(|(one, another)| [one, another]);
    prop_oneof![not, compared, quiet_and_count, open_and_closed]
}

/// Rules that are not refused.
pub(super) fn any_rules() -> impl Strategy<Value = Rules> {
    let names = one_of(&["pings", "grades", "match", "note"]).prop_map(|name| name.replace("note", "match.note"));
    let flags = prop::collection::vec((any_condition(), prop::option::weighted(0.3, any_duration())), 1..=2);
    let milestones = prop::collection::vec(any_condition(), 0..=1);
    (flags, milestones, names).prop_filter_map("the rules are refused", |(flags, milestones, to)| {
        let flags: Vec<_> = flags.into_iter().map(|(holds, expires)| (bound(holds, &to), expires)).collect();
        let milestones: Vec<Condition> = milestones.into_iter().map(|reached| bound(reached, &to)).collect();
        // What comes true by the passing of time is no milestone.
        compiled(Vec::clone(&flags), milestones).or_else(|_| compiled(flags, Vec::new())).ok()
    })
}

/// Writes the rules down and compiles them.
pub(super) fn compiled(
    flags: Vec<(Condition, Option<Micros>)>,
    milestones: Vec<Condition>,
) -> Result<Rules, Vec<String>> {
    let mut text = FACTS.to_owned();
    for (index, (holds, expires)) in flags.iter().enumerate() {
        let expires = expires.map(|lasts| format!("expires_after = '{lasts}us'\n")).unwrap_or_default();
        text += &format!("[flags.f{index}]\nversion = 1\nholds = {}\n{expires}", written(holds));
    }
    for (index, reached) in milestones.iter().enumerate() {
        text += &format!("[milestones.m{index}]\nversion = 1\nreached = {}\n", written(reached));
    }
    Ok(Rules { journey: Box::new(compile(&text)?), flags, milestones })
}

/// A condition as it is written in `journey.toml`.
pub(super) fn written(condition: &Condition) -> String {
    let time = |key: &str, lasts: Option<Micros>| lasts.map_or(String::new(), |lasts| format!(", {key} = '{lasts}us'"));
    let list = |list: &[Condition]| list.iter().map(written).collect::<Vec<_>>().join(", ");
    match condition {
        Condition::Aggregate { of, measure, within, compare, threshold } => {
            let kind = format!("{measure:?}").to_lowercase();
            format!("{{ {kind} = '{of}', {} = {threshold}{} }}", sign(*compare), time("within", *within))
        }
        Condition::Latest { of, compare, threshold } => {
            format!("{{ latest = '{of}', {} = {threshold} }}", sign(*compare))
        }
        Condition::Rises { of } => format!("{{ rises = '{of}' }}"),
        Condition::Open { of } => format!("{{ open = '{of}' }}"),
        Condition::Closed { of } => format!("{{ closed = '{of}' }}"),
        Condition::Quiet { of, lasts, longer, during } => {
            let of: Vec<String> = of.iter().map(ToString::to_string).collect();
            let key = if *longer { "for_more_than" } else { "for" };
            format!("{{ quiet = {of:?}{}, during = {during:?} }}", time(key, Some(*lasts)))
        }
        Condition::Missing { fact, mark, age } => {
            format!("{{ missing = '{fact}.{mark}'{} }}", time("when_ended_or_after", *age))
        }
        Condition::AllOf(all) => format!("{{ all_of = [{}] }}", list(all)),
        Condition::AnyOf(any) => format!("{{ any_of = [{}] }}", list(any)),
        Condition::Not(one) => format!("{{ not = {} }}", written(one)),
    }
}

const fn sign(compare: Compare) -> &'static str {
    match compare {
        Compare::AtLeast => "at_least",
        Compare::AtMost => "at_most",
        Compare::Above => "above",
        Compare::Below => "below",
    }
}
