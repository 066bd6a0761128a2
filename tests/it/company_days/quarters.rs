//! The quarters of companies by counting: every event is looked at, none is remembered from before.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike as _, Months, NaiveDate};
use rust_decimal::{Decimal, RoundingStrategy::MidpointAwayFromZero};
use serde_json::Value;
use uuid::Uuid;

use super::campaigns::{self, Campaign};
use super::naive::{self, Match, Session, entity, matches, sessions};
use super::people::People;
use super::told::{Time, Told, in_order};
use super::{enrolled, naive::Days};

/// Company and period, with all columns as text, one after the other.
pub(super) type Quarters = BTreeMap<(Uuid, String), String>;

/// A person as a company counts them: since when, and until when at most.
struct Counted {
    company: Uuid,
    person: Uuid,
    since: NaiveDate,
    until: Option<NaiveDate>,
}

struct Log {
    events: Vec<Told>,
    people: People,
    matches: BTreeMap<Uuid, Match>,
    sessions: BTreeMap<Uuid, Session>,
    shares: Vec<[Uuid; 2]>,
}

pub(super) fn quarters(documents: &[Value]) -> Quarters {
    let events = in_order(documents);
    let people = People::of(&events);
    let (matches, sessions) = (matches(&events, &people), sessions(&events, &people));
    let shares = shares(&events, &people, &matches);
    let log = Log { events, people, matches, sessions, shares };
    let (enrolled, placed) = log.enrolled_and_placed();
    let stocks = [enrolled, placed, log.participants(), log.volunteers()];
    let (scores, campaigns) = (log.scores(), campaigns::of(&log.events));
    let sums = sums(&naive::days(documents));
    let periods = sums.keys().map(|(company, start)| {
        let quarter =
            Quarter { company: *company, start: *start, end: start.checked_add_months(Months::new(3)).expect("a day") };
        ((*company, name(*start)), quarter.columns(&sums, &stocks, &scores, &campaigns))
    });
    periods.filter_map(|(key, columns)| Some((key, columns?))).collect()
}

/// `2026-Q1`
pub(super) fn name(start: NaiveDate) -> String {
    format!("{:04}-Q{}", start.year(), start.month0() / 3 + 1)
}

pub(super) fn start_of(day: NaiveDate) -> NaiveDate {
    NaiveDate::from_ymd_opt(day.year(), day.month0() / 3 * 3 + 1, 1).expect("a day")
}

type Sums = BTreeMap<(Uuid, NaiveDate), BTreeMap<&'static str, Decimal>>;

fn sums(days: &Days) -> Sums {
    let mut sums = Sums::new();
    for ((company, day, _, _), values) in days {
        let sum = sums.entry((*company, start_of(*day))).or_default();
        for (column, value) in values {
            *sum.entry(column).or_default() += value;
        }
    }
    sums
}

/// Skill shares by learner and teacher, each once.
fn shares(events: &[Told], people: &People, matches: &BTreeMap<Uuid, Match>) -> Vec<[Uuid; 2]> {
    let mut seen = BTreeSet::new();
    let mut shares = Vec::new();
    for told in events.iter().filter(|told| told.is("buddy.skill_share.completed")) {
        let pair = [told.id_of("learnerId"), told.id_of("teacherId")];
        let matched = told.given_id("matchId").is_none_or(|id| matches.contains_key(&id));
        let is_there = people.know(&pair) && (told.text("format") != "online" || matched);
        if is_there && seen.insert(told.id_of("sessionId")) {
            shares.push(pair);
        }
    }
    shares
}

impl Log {
    fn persons(&self) -> BTreeSet<Uuid> {
        let named = self.events.iter().filter_map(|told| told.given_id("userId"));
        let named = named.chain(self.matches.values().flat_map(|pair| pair.people));
        let named = named.chain(self.sessions.values().flat_map(|session| session.people));
        named.filter(|person| self.people.know(&[*person])).collect()
    }

    fn counted(&self, person: Uuid, began: Time, since: NaiveDate, until: Option<NaiveDate>) -> Option<Counted> {
        let company = self.people.company(person, began)?;
        Some(Counted { company, person, since, until })
    }

    fn enrolled_and_placed(&self) -> (Vec<Counted>, Vec<Counted>) {
        let mut placements: BTreeMap<(&str, &str), &Told> = BTreeMap::new();
        for told in self.events.iter().filter(|told| told.is("ingest.placement.created")) {
            if self.people.know(&[told.id_of("userId")]) {
                placements.insert((told.text("sourceSystem"), told.text("sourceId")), told); // the latest stays
            }
        }
        let qualifies = |told: &&&Told| {
            ["job_placement", "internship", "apprenticeship"].contains(&told.text("placementType"))
                && ["active", "completed"].contains(&told.text("status"))
        };
        let (mut enrolled, mut placed) = (Vec::new(), Vec::new());
        for person in self.persons() {
            let Some((at, _, _)) = enrolled::first(person, &self.events, &self.matches, &self.sessions) else {
                continue;
            };
            enrolled.extend(self.counted(person, at, at.date_naive(), None));
            let theirs = placements.values().filter(|told| told.id_of("userId") == person).filter(qualifies);
            if let Some(first) = theirs.map(|told| told.time("placementDate").date_naive()).min() {
                placed.extend(self.counted(person, at, first.max(at.date_naive()), None));
            }
        }
        (enrolled, placed)
    }

    fn helps(&self, person: Uuid) -> bool {
        self.matches.values().any(|pair| pair.people[1] == person)
            || self.sessions.values().any(|session| session.people[1] == person)
            || self.shares.iter().any(|pair| pair[1] == person)
    }

    /// Of those who help nobody, whoever is helped by a buddy.
    fn participants(&self) -> Vec<Counted> {
        let first = |person: Uuid| {
            let theirs = self.matches.values().filter(|pair| pair.people[0] == person);
            let at = theirs.map(|pair| pair.at).min()?;
            self.counted(person, at, at.date_naive(), None)
        };
        self.persons().into_iter().filter(|person| !self.helps(*person)).filter_map(first).collect()
    }

    /// Each buddy, once for each match.
    fn volunteers(&self) -> Vec<Counted> {
        let ended = |id: &Uuid| {
            // The earliest telling counts.
            let mut endings =
                self.events.iter().filter(|told| told.is("buddy.match.ended") && told.id_of("matchId") == *id);
            endings.next().map(|told| told.time("endedAt").date_naive())
        };
        let counted =
            |(id, pair): (&Uuid, &Match)| self.counted(pair.people[1], pair.at, pair.at.date_naive(), ended(id));
        self.matches.iter().filter_map(counted).collect()
    }

    /// Company, day, dimension and value of each score.
    fn scores(&self) -> Vec<(Uuid, NaiveDate, String, Decimal)> {
        let mut seen = BTreeSet::new();
        let told = self.events.iter().filter(|told| told.is("q2q.outcome.scored") && seen.insert(entity(told)));
        let score = |told: &Told| {
            let (person, at) = (told.given_id("userId")?, told.time("scoredAt"));
            let company = self.people.company(person, at)?;
            Some((company, at.date_naive(), told.text("dimension").to_owned(), told.number("score", 3)))
        };
        told.filter_map(score).collect()
    }
}

struct Quarter {
    company: Uuid,
    start: NaiveDate,
    /// The day after the last one.
    end: NaiveDate,
}

impl Quarter {
    /// None where there is nothing that makes a row.
    fn columns(
        &self,
        sums: &Sums,
        [enrolled, placed, participants, volunteers]: &[Vec<Counted>; 4],
        scores: &[(Uuid, NaiveDate, String, Decimal)],
        campaigns: &[Campaign],
    ) -> Option<String> {
        let none = BTreeMap::new();
        let before = self.start.checked_sub_months(Months::new(3)).expect("a day");
        let now = &sums[&(self.company, self.start)];
        let before = sums.get(&(self.company, before)).unwrap_or(&none);
        let of = |column: &str| now.get(column).copied().unwrap_or_default();
        let weighed = ["matches", "events", "skill_shares", "feedbacks", "milestones", "checkins"];
        if ["minutes", "rating_count", "score_count"].iter().chain(&weighed).all(|column| of(column).is_zero()) {
            return None;
        }
        let hundred = Decimal::ONE_HUNDRED;
        let hours = of("minutes") / Decimal::from(60);
        let quality = quotient(of("rating_sum"), of("rating_count")).unwrap_or_default();
        let score = |of: &BTreeMap<&str, Decimal>| quotient(*of.get("score_sum")?, *of.get("score_count")?);
        let lift =
            score(now).zip(score(before)).map_or(Decimal::ZERO, |(now, before)| (now - before).max(Decimal::ZERO));
        let (enrolled, placed) = (self.people(enrolled).len(), self.people(placed).len());
        let placement = quotient(Decimal::from(placed), Decimal::from(enrolled)).unwrap_or_default();
        let shares =
            [(30, (hours / Decimal::from(1000)).min(Decimal::ONE)), (30, quality), (25, lift), (15, placement)];
        let vis: Decimal = shares.into_iter().map(|(points, share)| Decimal::from(points) * share).sum();
        let spent: Decimal =
            campaigns.iter().map(|campaign| campaign.cents_of(self.company, self.start, self.end)).sum();
        let cents = if spent.is_zero() { Decimal::from(1500 * 3 * 100) } else { spent };
        let mean = |dimensions: &[&str]| {
            let theirs = scores.iter().filter(|(company, day, dimension, _)| {
                *company == self.company
                    && (self.start..self.end).contains(day)
                    && dimensions.contains(&dimension.as_str())
            });
            let values: Vec<Decimal> = theirs.map(|(_, _, _, value)| *value).collect();
            let mean = quotient(values.iter().sum(), Decimal::from(values.len()));
            mean.map_or_else(|| "-".to_owned(), |mean| format!("{:.3}", rounded(mean, 3)))
        };
        Some(format!(
            "{} {} {} {} {} {} {:.2} {:.2} {} {}",
            self.people(participants).len(),
            self.people(volunteers).len(),
            of("skill_shares") + of("events"),
            mean(&["belonging", "well_being", "confidence"]),
            mean(&["lang_level_proxy"]),
            mean(&["job_readiness"]),
            rounded(of("sroi_weight") * hundred / cents, 2),
            rounded(vis, 2),
            rounded(hours, 0),
            rounded(cents, 0),
        ))
    }

    /// Who counts by the end and did not end before.
    fn people(&self, counted: &[Counted]) -> BTreeSet<Uuid> {
        let is_here = |one: &&Counted| {
            one.company == self.company && one.since < self.end && one.until.is_none_or(|until| until >= self.start)
        };
        counted.iter().filter(is_here).map(|one| one.person).collect()
    }
}

fn quotient(sum: Decimal, count: Decimal) -> Option<Decimal> {
    (!count.is_zero()).then(|| sum / count)
}

/// Half up, of what is a half after a division too.
pub(super) fn rounded(value: Decimal, places: u32) -> Decimal {
    value.round_dp_with_strategy(12, MidpointAwayFromZero).round_dp_with_strategy(places, MidpointAwayFromZero)
}
