//! A small language for cases: `given("matched@0d checkin@7d").flag("buddy_checkin_due").at("14d").is_not()`.

use std::sync::LazyLock;

use uuid::Uuid;

use milepost::contract::Contract;
use milepost::domain::{Domain, Source};
use milepost::instant;
use milepost::journey::fact::Facts;
use milepost::journey::fold::{Word, fold, from_bytes, to_bytes};
use milepost::journey::interval::Micros;
use milepost::journey::verdict::{Reached, Shown, evaluate, when_held};
use milepost::journey::{Flag, Journey};

/// Day 0 of the cases.
pub(super) const DAY_0: &str = "2026-01-01T00:00:00Z";

static CSR: LazyLock<Domain> = LazyLock::new(|| Domain::load(&Source::BuiltIn).expect("the built-in folder is valid"));

/// What happened to one person, under some rules.
pub(super) struct Given<'r> {
    pub(super) journey: &'r Journey,
    pub(super) facts: Facts,
}

/// One flag of one person.
pub(super) struct OfFlag<'r> {
    flag: &'r Flag,
    facts: Facts,
}

/// One flag of one person at one moment.
pub(super) struct FlagAt<'r> {
    of: OfFlag<'r>,
    now: Micros,
}

/// A milestone of one person.
pub(super) struct OfMilestone(Option<Reached>);

/// The rules of the built-in folder.
pub(super) fn csr() -> &'static Journey {
    &CSR.journey
}

/// The built-in folder.
pub(super) fn domain() -> &'static Domain {
    &CSR
}

/// What happened to a person of the built-in folder.
#[track_caller]
pub(super) fn given(words: &str) -> Given<'static> {
    given_by(csr(), words)
}

/// Words of signals, folded in this order and the other way round, which must not matter.
#[track_caller]
pub(super) fn given_by<'r>(journey: &'r Journey, words: &str) -> Given<'r> {
    let words: Vec<Word> =
        words.split_whitespace().enumerate().map(|(index, text)| word(journey, index, text)).collect();
    let mut facts = Facts::new();
    words.iter().for_each(|word| fold(journey, &mut facts, word));
    let mut backwards = Facts::new();
    words.iter().rev().for_each(|word| fold(journey, &mut backwards, word));
    assert_eq!(facts, backwards, "the order in which words are folded makes a difference");
    let stored: Facts = from_bytes(&to_bytes(&facts)).expect("what was written can be read");
    assert_eq!(facts, stored);
    Given { journey, facts }
}

/// `name[:label][/key][=value][#rank]@at[..until][~told_at]`; the key is `k` and the telling at `at` if not given.
/// The number of a word makes its event's id: of equal times the later word counts as the later event.
fn word(journey: &Journey, number: usize, text: &str) -> Word {
    let (head, times) = text.split_once('@').expect("a word is name@time");
    let (times, told_at) = times.split_once('~').map_or((times, None), |(times, told)| (times, Some(told)));
    let (at, until) = times.split_once("..").map_or((times, None), |(at, until)| (at, Some(until)));
    let (head, rank) = head.split_once('#').unwrap_or((head, "0"));
    let (head, value) = head.split_once('=').map_or((head, None), |(head, value)| (head, Some(value)));
    let (head, key) = head.split_once('/').unwrap_or((head, "k"));
    let (name, label) = head.split_once(':').map_or((head, None), |(name, label)| (name, Some(label)));
    let rank: i32 = rank.parse().expect("a rank is a number");
    let signals: Vec<usize> = (0..journey.signals.len()).filter(|index| journey.signals[*index].name == name).collect();
    // A higher rank is that of a later signal of the name, if there are several.
    let nth = usize::try_from(rank).unwrap_or_default().min(signals.len().saturating_sub(1));
    Word {
        person: Uuid::nil(),
        signal: *signals.get(nth).unwrap_or_else(|| panic!("there is no signal {name:?}")),
        label: label.map(str::to_owned),
        key: Some(key.to_owned()),
        at: moment(at),
        until: until.map(moment),
        value: value.map(|value| value.parse().expect("a value is a decimal")),
        rank,
        told_at: moment(told_at.unwrap_or(at)),
        event: event(number),
    }
}

/// The id of the event of the nth word.
pub(super) fn event(number: usize) -> Uuid {
    Uuid::from_u128(0xe000 + number as u128)
}

/// `7d`, `7d+1us`, `7d-1us` since day 0, or an instant in any zone.
#[track_caller]
pub(super) fn moment(text: &str) -> Micros {
    if let Some(instant) = instant::parse(text) {
        return instant.timestamp_micros();
    }
    let (days, shift) = match text.split_at_checked(text.find(['+', '-']).unwrap_or(text.len())) {
        Some((days, "")) => (days, 0),
        Some((days, shift)) if shift.starts_with('-') => (days, -micros(&shift.replace('-', ""))),
        Some((days, shift)) => (days, micros(&shift.replace('+', ""))),
        None => unreachable!("a found character is at a boundary"),
    };
    instant::parse(DAY_0).expect("day 0 is an instant").timestamp_micros() + micros(days) + shift
}

#[track_caller]
fn micros(duration: &str) -> Micros {
    let duration = humantime::parse_duration(duration).unwrap_or_else(|error| panic!("{duration:?}: {error}"));
    i64::try_from(duration.as_micros()).expect("a short time")
}

/// Contracts that cases of their own are compiled against.
pub(super) fn contracts() -> Vec<Contract> {
    let of = |name: &str, version: &str| {
        let text = format!(r#"{{"title": "{name}", "x-version": "{version}", "type": "object", "properties": {{}}}}"#);
        Contract::compile(&text).expect("the contract is valid")
    };
    vec![of("one.done", "v1"), of("other.done", "v1"), of("one.done", "v2")]
}

/// Compiles rules of a case's own.
pub(super) fn compile(text: &str) -> Result<Journey, Vec<String>> {
    Journey::compile(text, &contracts(), &["person", "thing"])
}

/// Signals and facts of every kind, which the cases and the random rules share.
pub(super) const FACTS: &str = r#"
person = "person"
signals = [
  { name = "ping", event = "one.done", sql = "select 'ping' from batch" },
  { name = "pong", event = "one.done", labels = ["x"], sql = "select 'pong' from batch" },
  { name = "grade", event = "one.done", sql = "select 'grade' from batch" },
  { name = "begin", event = "one.done", sql = "select 'begin' from batch" },
  { name = "end", event = "one.done", labels = ["x"], sql = "select 'end' from batch" },
  { name = "snapshot", event = "one.done", sql = "select 'snapshot' from batch" },
  { name = "snapshot", event = "other.done", sql = "select 'snapshot' from batch" },
  { name = "state", event = "one.done", sql = "select 'state' from batch" },
  { name = "stop", event = "one.done", sql = "select 'stop' from batch" },
  { name = "note", event = "one.done", labels = ["x", "y"], sql = "select 'note' from batch" },
]
[facts]
pings = { occurrences = ["ping", "pong:x"] }
grades = { occurrences = ["grade"], values = [0, 1] }
match = { begin = "begin", end = "end", marks = { note = "note", grade = "grade" } }
snap = { begin = "snapshot", begin_told = "last", end = "stop", marks = { note = "note" } }
early = { begin = "begin", begin_told = "earliest", end = "end:x", end_told = "earliest", marks = { note = "note:x" } }
course = { states = "state", end = "stop", end_told = "earliest", marks = { note = "note" } }
"#;

/// The shared facts with these rules.
#[track_caller]
pub(super) fn rules(rules: &str) -> Journey {
    compile(&format!("{FACTS}{rules}")).unwrap_or_else(|faults| panic!("{}", faults.join("\n")))
}

/// The shared facts with one flag, `flag`.
#[track_caller]
pub(super) fn flag(holds: &str) -> Journey {
    rules(&format!("[flags]\nflag = {{ version = 1, holds = {holds} }}"))
}

impl<'r> Given<'r> {
    #[track_caller]
    pub(super) fn flag(self, name: &str) -> OfFlag<'r> {
        let flag = self.journey.flags.iter().find(|flag| flag.name == name);
        OfFlag { flag: flag.unwrap_or_else(|| panic!("there is no flag {name:?}")), facts: self.facts }
    }

    /// Milestones do not depend on the clock: they are the same long before and long after.
    #[track_caller]
    pub(super) fn milestone(self, name: &str) -> OfMilestone {
        assert!(self.journey.milestones.iter().any(|known| known.name == name), "there is no milestone {name:?}");
        let early = evaluate(self.journey, &self.facts, moment("1970-01-01T00:00:00Z"));
        let late = evaluate(self.journey, &self.facts, moment("2199-01-01T00:00:00Z"));
        assert_eq!((&early.milestones, &early.summary), (&late.milestones, &late.summary));
        OfMilestone(late.milestones.get(name).cloned())
    }

    /// The summary's key; it does not depend on the clock either.
    pub(super) fn shows(self, name: &str) -> Option<Shown> {
        evaluate(self.journey, &self.facts, moment("0d")).summary.get(name).cloned()
    }
}

impl<'r> OfFlag<'r> {
    pub(super) fn at(self, now: &str) -> FlagAt<'r> {
        FlagAt { now: moment(now), of: self }
    }

    fn holds(&self, now: Micros) -> bool {
        when_held(self.flag, &self.facts).at(now).is_some()
    }

    /// Begins to hold at this very moment, and says so.
    #[track_caller]
    pub(super) fn begins(self, moment_text: &str) {
        let at = moment(moment_text);
        assert_eq!((self.holds(at - 1), self.holds(at)), (false, true), "just before, and at {moment_text}");
        self.at(moment_text).since(moment_text);
    }

    /// Does not hold at that moment, but a microsecond later, since that moment.
    #[track_caller]
    pub(super) fn begins_after(self, moment_text: &str) {
        let at = moment(moment_text);
        assert_eq!((self.holds(at), self.holds(at + 1)), (false, true), "at {moment_text}, and just after");
        FlagAt { now: at + 1, of: self }.since(moment_text);
    }

    /// Holds until just before that moment.
    #[track_caller]
    pub(super) fn ends(self, moment_text: &str) {
        let at = moment(moment_text);
        assert_eq!((self.holds(at - 1), self.holds(at)), (true, false), "just before, and at {moment_text}");
    }

    /// Holds at no moment of all time.
    #[track_caller]
    pub(super) fn never(self) {
        let held = when_held(self.flag, &self.facts);
        assert!(held.list().is_empty(), "{held:?}");
    }
}

impl FlagAt<'_> {
    fn held(&self) -> Option<(Micros, Micros)> {
        when_held(self.of.flag, &self.of.facts).at(self.now).map(|holding| (holding.since, holding.until))
    }

    #[track_caller]
    pub(super) fn is(&self) -> &Self {
        assert!(self.held().is_some(), "does not hold");
        self
    }

    #[track_caller]
    pub(super) fn is_not(&self) -> &Self {
        assert!(self.held().is_none(), "holds");
        self
    }

    #[track_caller]
    pub(super) fn since(&self, since: &str) -> &Self {
        assert_eq!(self.held().map(|held| held.0), Some(moment(since)), "since {since}");
        self
    }

    /// When it ends as far as is known; for flags that expire, what is shown as `expires_at`.
    #[track_caller]
    pub(super) fn until(&self, until: &str) -> &Self {
        assert_eq!(self.held().map(|held| held.1), Some(moment(until)), "until {until}");
        self
    }

    /// When it changes next by itself.
    #[track_caller]
    pub(super) fn next(&self, next: &str) -> &Self {
        let change = when_held(self.of.flag, &self.of.facts).next_change(self.now);
        assert_eq!(change, Some(moment(next)), "next change at {next}");
        self
    }

    /// Nothing changes it but an event.
    #[track_caller]
    pub(super) fn stays(&self) {
        assert_eq!(when_held(self.of.flag, &self.of.facts).next_change(self.now), None);
    }
}

impl OfMilestone {
    #[track_caller]
    pub(super) fn at(self, at: &str) {
        assert_eq!(self.0.map(|reached| reached.at), Some(moment(at)), "reached at {at}");
    }

    #[track_caller]
    pub(super) fn not_reached(self) {
        assert_eq!(self.0, None);
    }
}
