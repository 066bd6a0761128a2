//! What is wrong with `journey.toml`, and where. All faults are reported together.

use rust_decimal::Decimal;
use toml::Spanned;

use super::condition::{Compare, Condition, Measure, Operand};
use super::declare;
use super::fact::Facts;
use super::interval::Micros;
use super::{FactKind, FactRule};

/// The faults found so far in one file.
pub(super) struct Faults<'t> {
    text: &'t str,
    found: Vec<String>,
}

/// A duration like "14d", in microseconds; a day is 24 hours.
pub(super) fn duration(text: &str) -> Result<Micros, String> {
    let parsed = humantime::parse_duration(text).map_err(|error| format!("{text:?}: {error}"))?;
    match i64::try_from(parsed.as_micros()) {
        Ok(0) | Err(_) => Err(format!("{text:?} is no usable time\n  hint: write a duration like \"12h\", \"14d\"")),
        Ok(micros) => Ok(micros),
    }
}

/// The decimal that was written: 0.8 is 0.8.
pub(super) fn number(written: f64) -> Result<Decimal, String> {
    written.to_string().parse().map_err(|_| format!("{written} is no usable number"))
}

impl<'t> Faults<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// What the parser says, which shows the place itself.
    pub(super) fn unreadable(&self, error: &toml::de::Error) -> String {
        let line = error.span().map_or(1, |span| self.line(span.start));
        format!("journey.toml:{line}: {}", error.to_string().trim())
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    pub(super) fn at<T>(&mut self, place: &Spanned<T>, fault: String) {
        let line = self.line(place.span().start);
        self.found.push(format!("journey.toml:{line}: {fault}"));
    }

    pub(super) fn try_at<T, V>(&mut self, place: &Spanned<T>, value: Result<V, String>) -> Option<V> {
        value.map_err(|fault| self.at(place, fault)).ok()
    }

    pub(super) fn ended(self) -> Result<(), Vec<String>> {
        if self.found.is_empty() { Ok(()) } else { Err(self.found) }
    }

    /// The kind of a condition, if it has exactly one and nothing that belongs to another.
    pub(super) fn only_kind(&mut self, written: &Spanned<declare::Condition>) -> Option<&'static str> {
        let (kinds, parts) = written.as_ref().keys();
        let [kind] = kinds.as_slice() else {
            let listed = if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") };
            self.at(written, format!("a condition is of one kind, this one of: {listed}"));
            return None;
        };
        let compared = ["at_least", "at_most", "above", "below"];
        let allowed: Vec<&str> = match *kind {
            "count" | "sum" | "mean" => compared.into_iter().chain(["within"]).collect(),
            "latest" => compared.into(),
            "quiet" => vec!["for", "for_more_than", "during"],
            "missing" => vec!["when_ended_or_after"],
            _ => Vec::new(),
        };
        let strange: Vec<&str> = parts.into_iter().filter(|part| !allowed.contains(part)).collect();
        if !strange.is_empty() {
            self.at(written, format!("{kind} has no {}", strange.join(", ")));
            return None;
        }
        Some(kind)
    }

    pub(super) fn compare(&mut self, written: &Spanned<declare::Condition>) -> Option<(Compare, Decimal)> {
        let raw = written.as_ref();
        let given = [
            (Compare::AtLeast, raw.at_least),
            (Compare::AtMost, raw.at_most),
            (Compare::Above, raw.above),
            (Compare::Below, raw.below),
        ];
        let mut given = given.into_iter().filter_map(|(compare, value)| Some((compare, value?)));
        match (given.next(), given.next()) {
            (Some((compare, value)), None) => Some((compare, self.try_at(written, number(value))?)),
            _ => {
                self.at(written, "give exactly one of at_least, at_most, above, below".into());
                None
            }
        }
    }

    /// `fact` or `fact.mark`.
    pub(super) fn operand<T>(&mut self, place: &Spanned<T>, name: &str, facts: &[FactRule]) -> Option<Operand> {
        let (fact, mark) = match name.split_once('.') {
            Some((fact, mark)) => (fact, Some(mark)),
            None => (name, None),
        };
        let Some(found) = facts.iter().find(|known| known.name == fact) else {
            let known: Vec<&str> = facts.iter().map(|fact| fact.name.as_str()).collect();
            self.at(place, format!("there is no fact {fact:?}; there are {}", known.join(", ")));
            return None;
        };
        let has_mark = |mark: &str| match &found.kind {
            FactKind::Episodes { marks, .. } => marks.iter().any(|(known, _)| known == mark),
            FactKind::Occurrences { .. } => false,
        };
        if let Some(mark) = mark.filter(|mark| !has_mark(mark)) {
            self.at(place, format!("the fact {fact:?} has no mark {mark:?}"));
            return None;
        }
        Some(Operand { fact: fact.to_owned(), mark: mark.map(str::to_owned) })
    }

    /// What has no values has no mean, no sum and no latest value.
    pub(super) fn with_values<T>(&mut self, place: &Spanned<T>, of: &Operand, facts: &[FactRule]) -> Option<()> {
        let fact = facts.iter().find(|known| known.name == of.fact)?;
        if of.mark.is_none() && matches!(fact.kind, FactKind::Episodes { .. }) {
            self.at(place, format!("{of} is made of episodes, which have no value\n  hint: name one of its marks"));
            return None;
        }
        Some(())
    }

    pub(super) fn episodes<T>(&mut self, place: &Spanned<T>, name: &str, facts: &[FactRule]) -> Option<()> {
        match facts.iter().find(|known| known.name == name) {
            Some(FactRule { kind: FactKind::Episodes { .. }, .. }) => Some(()),
            Some(_) => {
                self.at(place, format!("{name:?} is made of occurrences, which do not begin and end"));
                None
            }
            None => {
                self.at(place, format!("there is no fact {name:?} of episodes"));
                None
            }
        }
    }

    /// Rules that hold for everybody or for nobody, whatever happens.
    pub(super) fn check_rule<T>(&mut self, rule: &str, place: &Spanned<T>, condition: &Condition, facts: &[FactRule]) {
        let known = self.found.len();
        self.check_thresholds(rule, place, condition, facts);
        if self.found.len() == known && !condition.evaluate(&Facts::new()).list().is_empty() {
            let hint = "hint: combine it with something that must have happened, in all_of";
            self.at(place, format!("{rule} holds for everybody from the beginning, without any event\n  {hint}"));
        }
    }

    fn check_thresholds<T>(&mut self, rule: &str, place: &Spanned<T>, condition: &Condition, facts: &[FactRule]) {
        match condition {
            Condition::AllOf(list) => {
                list.iter().for_each(|one| self.check_thresholds(rule, place, one, facts));
                if let Some((one, another)) = contradiction(list) {
                    self.at(place, format!("{rule} can never hold: {one} contradicts {another}"));
                }
            }
            Condition::AnyOf(list) => list.iter().for_each(|one| self.check_thresholds(rule, place, one, facts)),
            Condition::Not(one) => self.check_thresholds(rule, place, one, facts),
            Condition::Aggregate { of, measure: Measure::Count, compare, threshold, .. } => {
                let (none, least) = (Decimal::ZERO, Decimal::NEGATIVE_ONE);
                let never = !compare.holds(none, *threshold) && matches!(compare, Compare::AtMost | Compare::Below);
                let always = compare.holds(none, *threshold) && matches!(compare, Compare::AtLeast | Compare::Above);
                let beyond = *threshold <= least || *threshold > Decimal::from(u32::MAX);
                if never || always || beyond || !threshold.fract().is_zero() {
                    self.at(place, format!("{rule}: no count of {of} can decide on {threshold}"));
                }
            }
            Condition::Aggregate { of, measure: Measure::Mean, compare, threshold, .. }
            | Condition::Latest { of, compare, threshold } => {
                let values = facts.iter().find(|fact| fact.name == of.fact).and_then(|fact| fact.values);
                if let Some([least, most]) = values
                    && compare.holds(least, *threshold) == compare.holds(most, *threshold)
                {
                    let outcome = if compare.holds(least, *threshold) { "always" } else { "never" };
                    self.at(place, format!("{rule}: with values of {of} from {least} to {most}, this {outcome} holds"));
                }
            }
            _ => {}
        }
    }

    /// A milestone is reached by an event. What comes true by the mere passing of time could be undone by an event
    /// that comes late.
    pub(super) fn check_milestone<T>(&mut self, rule: &str, place: &Spanned<T>, condition: &Condition) {
        let passes = match condition {
            Condition::Quiet { .. } => Some("quiet"),
            Condition::Missing { age: Some(_), .. } => Some("missing … when_ended_or_after"),
            Condition::Not(_) => Some("not"),
            Condition::Aggregate { within: Some(_), measure, compare, .. } => {
                let grows = *measure == Measure::Count && matches!(compare, Compare::AtLeast | Compare::Above);
                (!grows).then_some("within")
            }
            Condition::AllOf(list) | Condition::AnyOf(list) => {
                return list.iter().for_each(|one| self.check_milestone(rule, place, one));
            }
            _ => None,
        };
        if let Some(kind) = passes {
            let hint = "hint: declare it as a flag";
            self.at(place, format!("{rule}: {kind} comes true by the passing of time, not by an event\n  {hint}"));
        }
    }
}

/// Two conditions that never hold at the same moment, as far as can be seen without facts.
fn contradiction(list: &[Condition]) -> Option<(String, String)> {
    let said = |condition: &Condition| super::explain::describe(condition);
    for (index, one) in list.iter().enumerate() {
        for another in list.iter().skip(index + 1) {
            if contradict(one, another) || contradict(another, one) {
                return Some((said(one), said(another)));
            }
        }
    }
    None
}

fn contradict(one: &Condition, another: &Condition) -> bool {
    match (one, another) {
        (one, Condition::Not(another)) => one == another.as_ref(),
        (Condition::Open { of }, Condition::Closed { of: other }) => of == other,
        (
            Condition::Aggregate { of, measure, within, compare: least, threshold },
            Condition::Aggregate {
                of: other,
                measure: other_measure,
                within: other_within,
                compare: most,
                threshold: bound,
            },
        ) => (of, measure, within) == (other, other_measure, other_within) && apart(*least, *threshold, *most, *bound),
        (
            Condition::Latest { of, compare: least, threshold },
            Condition::Latest { of: other, compare: most, threshold: bound },
        ) => of == other && apart(*least, *threshold, *most, *bound),
        (
            Condition::Quiet { of, lasts, .. },
            Condition::Aggregate { of: other, measure: Measure::Count, within: Some(within), compare, threshold },
        ) => {
            // One episode may be quiet while a mark is set in another.
            let nothing = other.mark.is_none() && of.contains(other) && within <= lasts;
            nothing && !compare.holds(Decimal::ZERO, *threshold)
        }
        _ => false,
    }
}

/// Whether nothing is at once on this side of the one and on that side of the other.
fn apart(least: Compare, threshold: Decimal, most: Compare, bound: Decimal) -> bool {
    let from_below = matches!(least, Compare::AtLeast | Compare::Above);
    let from_above = matches!(most, Compare::AtMost | Compare::Below);
    let both_reach = least == Compare::AtLeast && most == Compare::AtMost;
    from_below && from_above && (threshold > bound || (threshold == bound && !both_reach))
}
