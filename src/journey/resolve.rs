//! From what is written to what is meant: names looked up, and what each fact has to keep.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use toml::Spanned;

use super::condition::{Compare, Condition, Measure, Operand};
use super::declare::{self, File, Summary};
use super::fact::Keep;
use super::faults::{Faults, duration, number};
use super::interval::Micros;
use super::{FactKind, FactRule, Flag, From, Journey, Milestone, Shows, Signal, SummaryKey, hash, sweep};
use crate::contract::Contract;
use crate::projection::Projection;

/// Compiles the file.
pub(super) fn resolve(text: &str, contracts: &[Contract], entities: &[&str]) -> Result<Journey, Vec<String>> {
    let mut faults = Faults::of(text);
    let file: File = toml::from_str(text).map_err(|error| vec![faults.unreadable(&error)])?;
    if !entities.contains(&file.person.as_ref().as_str()) {
        let known = entities.join(", ");
        faults.at(&file.person, format!("person: no entity {:?}; stream.toml has {known}", file.person.as_ref()));
    }
    if let Some(column) = file.summary_column.as_ref().filter(|column| !is_identifier(column.as_ref())) {
        faults.at(column, "summary_column must be made of a-z, 0-9 and _".into());
    }
    let signals = signals(&file, contracts, &mut faults);
    let mut facts = facts(&file, &signals, &mut faults);
    let (flags, milestones) = rules(&file, &facts, &mut faults);
    let summary = summary(&file, &facts, &mut faults);
    let keeps = keeps(flags.iter().map(|flag| &flag.holds), milestones.iter().map(|rule| &rule.reached));
    for fact in &mut facts {
        keep(fact, &keeps);
    }
    faults.ended()?;
    let mut journey = Journey {
        person: file.person.into_inner(),
        summary_column: file.summary_column.map(Spanned::into_inner),
        signals,
        facts,
        flags,
        milestones,
        summary,
        published: file.publish,
        source: text.to_owned(),
        hash: String::new(),
    };
    journey.hash = hash(&normal_form(&journey));
    Ok(journey)
}

/// Everything that has an effect; comments, descriptions and the order of tables have none.
fn normal_form(journey: &Journey) -> String {
    let mut signals: Vec<String> =
        journey.signals.iter().map(|signal| format!("{} {}", signal.name, signal.definition())).collect();
    signals.sort();
    let flag = |flag: &Flag| format!("{} {:?} {:?}", flag.rule, flag.holds, flag.expires_after);
    let milestone = |rule: &Milestone| format!("{} {:?} {:?}", rule.rule, rule.reached, rule.published_as);
    let fact = |fact: &FactRule| format!("{} {:?} {:?}", fact.name, journey.definition(&fact.name), fact.kind.keeps());
    let mut parts = vec![journey.person.clone(), format!("{:?} {:?}", journey.summary_column, journey.published)];
    parts.append(&mut signals);
    parts.extend(journey.facts.iter().map(fact));
    parts.extend(journey.flags.iter().map(flag));
    parts.extend(journey.milestones.iter().map(milestone));
    parts.extend(journey.summary.iter().map(|key| format!("{} {:?} {}", key.name, key.shows, key.fact)));
    parts.join("\n")
}

fn is_identifier(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.bytes().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn signals(file: &File, contracts: &[Contract], faults: &mut Faults<'_>) -> Vec<Signal> {
    let mut signals: Vec<Signal> = Vec::new();
    for written in &file.signals {
        let declare::Signal { name, event, version, labels, sql } = written.as_ref();
        if !is_identifier(name) {
            faults.at(written, format!("signal {name:?}: the name must be made of a-z, 0-9 and _"));
        }
        let found = contracts.iter().position(|one| one.event_type == *event && one.version == *version);
        let Some(contract) = found else {
            faults.at(written, format!("signal {name:?}: there is no contract of {event} {version}"));
            continue;
        };
        if signals.iter().any(|signal| signal.name == *name && signal.contract == contract) {
            faults.at(written, format!("signal {name:?} is declared twice for {event}"));
        }
        match Projection::compile(&format!("journey.toml: signal {name:?}"), sql, &contracts[contract]) {
            Ok(mut projection) if projection.statements.len() == 1 => {
                let statement = projection.statements.swap_remove(0);
                signals.push(Signal {
                    name: name.clone(),
                    contract,
                    event_type: event.clone(),
                    version: version.clone(),
                    labels: labels.clone(),
                    statement,
                });
            }
            Ok(_) => faults.at(written, format!("signal {name:?}: sql must be one statement")),
            Err(fault) => faults.at(written, fault),
        }
    }
    signals
}

fn facts(file: &File, signals: &[Signal], faults: &mut Faults<'_>) -> Vec<FactRule> {
    let mut facts = Vec::new();
    for (name, written) in &file.facts {
        let mut from = |reference: &Spanned<String>| from(reference, signals, faults);
        let occurrences: Option<Vec<From>> =
            written.occurrences.as_ref().map(|list| list.iter().filter_map(&mut from).collect());
        let begin = written.begin.as_ref().and_then(&mut from).map(|from| (from, written.begin_told));
        let end = written.end.as_ref().and_then(&mut from).map(|from| (from, written.end_told));
        let states = written.states.as_ref().and_then(&mut from);
        let marks: Vec<(String, From)> =
            written.marks.iter().filter_map(|(name, reference)| Some((name.clone(), from(reference)?))).collect();
        let is_episodes = written.begin.is_some() || written.states.is_some();
        let kind = match (occurrences, is_episodes) {
            (Some(from), false) if written.end.is_none() && written.marks.is_empty() => {
                FactKind::Occurrences { from, keep: Keep::default() }
            }
            (None, true) => {
                let keeps = marks.iter().map(|(name, _)| (name.clone(), Keep::default())).collect();
                FactKind::Episodes { begin, end, states, marks, keeps }
            }
            _ => {
                let hint = "hint: give `occurrences`, or `begin` or `states` (with `end`, `marks`) for episodes";
                faults.at(name, format!("fact {:?} is neither occurrences nor episodes\n  {hint}", name.as_ref()));
                continue;
            }
        };
        let values = written.values.and_then(|[least, most]| {
            let bounds = number(least).and_then(|least| Ok([least, number(most)?]));
            faults.try_at(name, bounds)
        });
        if values.is_some_and(|[least, most]| least >= most) || !is_identifier(name.as_ref()) {
            faults.at(name, format!("fact {:?}: the values have no range, or the name is not plain", name.as_ref()));
        }
        facts.push(FactRule { name: name.as_ref().clone(), kind, values });
    }
    facts
}

/// `signal` or `signal:label`.
fn from(reference: &Spanned<String>, signals: &[Signal], faults: &mut Faults<'_>) -> Option<From> {
    let (name, label) = match reference.as_ref().split_once(':') {
        Some((name, label)) => (name, Some(label.to_owned())),
        None => (reference.as_ref().as_str(), None),
    };
    let found: Vec<usize> = (0..signals.len()).filter(|index| signals[*index].name == name).collect();
    if found.is_empty() {
        faults.at(reference, format!("there is no signal {name:?}"));
        return None;
    }
    if let Some(label) = &label
        && !found.iter().any(|index| signals[*index].labels.contains(label))
    {
        faults.at(reference, format!("the signal {name:?} declares no label {label:?}"));
    }
    Some(From { signals: found, label })
}

fn rules(file: &File, facts: &[FactRule], faults: &mut Faults<'_>) -> (Vec<Flag>, Vec<Milestone>) {
    let mut flags = Vec::new();
    for (name, flag) in &file.flags {
        let place = format!("flag {:?}", name.as_ref());
        check_name(name, flag.version, faults);
        let expires_after = flag.expires_after.as_ref().and_then(|text| faults.try_at(text, duration(text.as_ref())));
        if let Some(holds) = condition(&flag.holds, facts, faults) {
            faults.check_rule(&place, &flag.holds, &holds, facts);
            let (name, rule) = (name.as_ref().clone(), format!("{}@{}", name.as_ref(), flag.version));
            flags.push(Flag { name, rule, description: flag.description.clone(), holds, expires_after });
        }
    }
    let mut milestones = Vec::new();
    for (name, milestone) in &file.milestones {
        let place = format!("milestone {:?}", name.as_ref());
        check_name(name, milestone.version, faults);
        if let Some(reached) = condition(&milestone.reached, facts, faults) {
            faults.check_rule(&place, &milestone.reached, &reached, facts);
            faults.check_milestone(&place, &milestone.reached, &reached);
            milestones.push(Milestone {
                name: name.as_ref().clone(),
                rule: format!("{}@{}", name.as_ref(), milestone.version),
                description: milestone.description.clone(),
                reached,
                published_as: milestone.published_as.clone(),
            });
        }
    }
    (flags, milestones)
}

/// `<name>@<version>` must fit the columns that show it.
fn check_name(name: &Spanned<String>, version: u32, faults: &mut Faults<'_>) {
    if !is_identifier(name.as_ref()) || name.as_ref().len() > 80 || version == 0 {
        let hint = "a name is made of a-z, 0-9 and _, at most 80 characters; versions begin with 1";
        faults.at(name, format!("{:?}, version {version}: {hint}", name.as_ref()));
    }
}

fn summary(file: &File, facts: &[FactRule], faults: &mut Faults<'_>) -> Vec<SummaryKey> {
    let mut keys = Vec::new();
    for (name, shown) in &file.summary {
        let (shows, fact) = match shown.as_ref() {
            Summary::Ever(fact) => (Shows::Ever, fact),
            Summary::Count(fact) => (Shows::Count, fact),
            Summary::Last(fact) => (Shows::Last, fact),
        };
        match facts.iter().any(|known| known.name == *fact) {
            true => keys.push(SummaryKey { name: name.clone(), shows, fact: fact.clone() }),
            false => faults.at(shown, format!("summary {name:?}: there is no fact {fact:?}")),
        }
    }
    keys
}

/// One condition, looked up.
fn condition(written: &Spanned<declare::Condition>, facts: &[FactRule], faults: &mut Faults<'_>) -> Option<Condition> {
    let raw = written.as_ref();
    let kind = faults.only_kind(written)?;
    let list = |list: &[Spanned<declare::Condition>], faults: &mut Faults<'_>| -> Option<Vec<Condition>> {
        if list.is_empty() {
            faults.at(written, format!("{kind} names no condition"));
            return None;
        }
        let all: Vec<Option<Condition>> = list.iter().map(|one| condition(one, facts, faults)).collect();
        all.into_iter().collect()
    };
    match kind {
        "all_of" => return Some(Condition::AllOf(list(raw.all_of.as_deref().unwrap_or_default(), faults)?)),
        "any_of" => return Some(Condition::AnyOf(list(raw.any_of.as_deref().unwrap_or_default(), faults)?)),
        "not" => return Some(Condition::Not(Box::new(condition(raw.not.as_deref()?, facts, faults)?))),
        "quiet" => return quiet(written, facts, faults),
        _ => {}
    }
    let name = [&raw.count, &raw.ever, &raw.sum, &raw.mean, &raw.latest, &raw.rises, &raw.open, &raw.closed]
        .into_iter()
        .chain([&raw.missing])
        .find_map(Option::as_ref)?;
    let of = faults.operand(written, name, facts)?;
    let compared = |faults: &mut Faults<'_>| faults.compare(written);
    let measured = |measure, faults: &mut Faults<'_>| {
        let (compare, threshold) = compared(faults)?;
        let within = match &raw.within {
            Some(text) => Some(faults.try_at(written, duration(text))?),
            None => None,
        };
        Some(Condition::Aggregate { of: of.clone(), measure, within, compare, threshold })
    };
    match kind {
        "count" => measured(Measure::Count, faults),
        "ever" => {
            let (compare, threshold) = (Compare::AtLeast, Decimal::ONE);
            Some(Condition::Aggregate { of, measure: Measure::Count, within: None, compare, threshold })
        }
        "sum" => faults.with_values(written, &of, facts).and_then(|()| measured(Measure::Sum, faults)),
        "mean" => faults.with_values(written, &of, facts).and_then(|()| measured(Measure::Mean, faults)),
        "latest" => {
            faults.with_values(written, &of, facts)?;
            let (compare, threshold) = compared(faults)?;
            Some(Condition::Latest { of, compare, threshold })
        }
        "rises" => faults.with_values(written, &of, facts).map(|()| Condition::Rises { of }),
        "open" => faults.episodes(written, &of.fact, facts).map(|()| Condition::Open { of: of.fact }),
        "closed" => faults.episodes(written, &of.fact, facts).map(|()| Condition::Closed { of: of.fact }),
        _ => missing(written, of, faults),
    }
}

fn missing(written: &Spanned<declare::Condition>, of: Operand, faults: &mut Faults<'_>) -> Option<Condition> {
    let age = match &written.as_ref().when_ended_or_after {
        Some(text) => Some(faults.try_at(written, duration(text))?),
        None => None,
    };
    let Some(mark) = of.mark else {
        faults.at(written, format!("missing needs a mark, as in \"{}.mark\"", of.fact));
        return None;
    };
    Some(Condition::Missing { fact: of.fact, mark, age })
}

fn quiet(written: &Spanned<declare::Condition>, facts: &[FactRule], faults: &mut Faults<'_>) -> Option<Condition> {
    let raw = written.as_ref();
    let names = raw.quiet.as_ref().map(declare::OneOrMore::list).unwrap_or_default();
    let found: Vec<Option<Operand>> = names.iter().map(|name| faults.operand(written, name, facts)).collect();
    let of: Vec<Operand> = found.into_iter().collect::<Option<_>>()?;
    let during = raw.during.as_ref().map(declare::OneOrMore::list).unwrap_or_default();
    let foreign = |operand: &&Operand| operand.mark.is_some() && during != [operand.fact.clone()];
    if let Some(foreign) = of.iter().find(foreign) {
        faults.at(written, format!("quiet of the mark {foreign} needs during = {:?}", foreign.fact));
    }
    if of.is_empty() {
        faults.at(written, "quiet names no fact".into());
    }
    for fact in during {
        faults.episodes(written, fact, facts)?;
    }
    let (text, longer) = match (&raw.lasts, &raw.lasts_longer) {
        (Some(text), None) => (text, false),
        (None, Some(text)) => (text, true),
        _ => {
            faults.at(written, "quiet needs either `for` or `for_more_than`".into());
            return None;
        }
    };
    let lasts = faults.try_at(written, duration(text))?;
    Some(Condition::Quiet { of, lasts, longer, during: during.to_vec() })
}

/// What the conditions ask of each fact and mark.
fn keeps<'c>(
    flags: impl Iterator<Item = &'c Condition>,
    milestones: impl Iterator<Item = &'c Condition>,
) -> BTreeMap<Operand, Keep> {
    let mut keeps = BTreeMap::new();
    for condition in flags.chain(milestones) {
        asks(condition, &mut keeps);
    }
    keeps
}

fn asks(condition: &Condition, keeps: &mut BTreeMap<Operand, Keep>) {
    let mut ask = |of: &Operand, keep: Keep| {
        let known = keeps.entry(of.clone()).or_default();
        *known = known.and(keep);
    };
    let series = Keep { series: true, ..Keep::default() };
    let gap = |gap: Micros| Keep { gap: Some(gap), ..Keep::default() };
    match condition {
        Condition::Aggregate { of, measure: Measure::Count, within, compare, threshold } if of.mark.is_none() => {
            let least = sweep::least(*compare, *threshold);
            match (within, least) {
                (None, Some(least)) => ask(of, Keep { first: least, ..Keep::default() }),
                (None, None) => {
                    ask(of, Keep { first: sweep::most(*compare, *threshold) + 1, ..Keep::default() });
                }
                (Some(within), Some(1)) => ask(of, gap(*within)),
                (Some(_), _) => ask(of, series),
            }
        }
        Condition::Aggregate { of, .. } | Condition::Latest { of, .. } | Condition::Rises { of } => ask(of, series),
        Condition::Quiet { of, lasts, .. } => of.iter().for_each(|of| ask(of, gap(*lasts))),
        Condition::Missing { fact, mark, .. } => {
            let of = Operand { fact: fact.clone(), mark: Some(mark.clone()) };
            ask(&of, Keep { first: 1, ..Keep::default() });
        }
        Condition::Open { .. } | Condition::Closed { .. } => {}
        Condition::AllOf(list) | Condition::AnyOf(list) => list.iter().for_each(|one| asks(one, keeps)),
        Condition::Not(one) => asks(one, keeps),
    }
}

fn keep(fact: &mut FactRule, keeps: &BTreeMap<Operand, Keep>) {
    let asked = |mark: Option<&String>| {
        keeps.get(&Operand { fact: fact.name.clone(), mark: mark.cloned() }).copied().unwrap_or_default()
    };
    match &mut fact.kind {
        FactKind::Occurrences { keep, .. } => *keep = asked(None),
        FactKind::Episodes { keeps, .. } => {
            for (name, keep) in keeps {
                *keep = asked(Some(name));
            }
        }
    }
}
