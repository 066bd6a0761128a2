//! Everything that happened to a person, in plain lists.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Instant;
use super::decimal::Decimal;
use super::event::{CourseKey, Event, Kind, Pair, Side, What};

/// All that is known of a person.
#[derive(Default)]
pub(super) struct History {
    pub(super) matches: Vec<Match>,
    pub(super) buddy_activities: Vec<Instant>,
    /// Activities that are none of a buddy's.
    pub(super) other_activities: Vec<Instant>,
    /// Events logged and attended, each entry.
    pub(super) gatherings: Vec<Instant>,
    /// On either side.
    pub(super) skill_shares: Vec<Instant>,
    pub(super) buddy_milestones: BTreeMap<i64, Instant>,
    /// As participant.
    pub(super) sessions: Vec<Session>,
    pub(super) courses: BTreeMap<CourseKey, Course>,
    pub(super) credentials: Vec<Instant>,
    /// Begins of reported enrolments that are active.
    pub(super) reported: Vec<Instant>,
    /// With scoredAt, in the order of (timestamp, event id).
    pub(super) language_scores: Vec<(Instant, Decimal)>,
}

/// A match, seen from one side.
#[derive(Clone)]
pub(super) struct Match {
    pub(super) id: Uuid,
    pub(super) side: Side,
    pub(super) begin: Instant,
    pub(super) end: Option<Instant>,
    pub(super) checkins: Vec<Instant>,
    /// Feedback that this side gave.
    pub(super) feedback: Vec<Instant>,
}

impl Match {
    pub(super) fn is_active(&self, t: Instant) -> bool {
        self.begin <= t && self.end.is_none_or(|end| t < end)
    }
}

#[derive(Clone)]
pub(super) struct Session {
    pub(super) kind: Kind,
    pub(super) scheduled: Instant,
    pub(super) completed: Option<Instant>,
    /// Rank of the CEFR level.
    pub(super) level: Option<usize>,
    /// Whoever gave them, with the time they were created.
    pub(super) ratings: Vec<(Instant, Decimal)>,
}

#[derive(Default)]
pub(super) struct Course {
    /// In the order of (timestamp, event id).
    pub(super) progress: Vec<Progress>,
    pub(super) completions: Vec<Instant>,
}

pub(super) struct Progress {
    pub(super) at: Instant,
    /// Enrolled or in progress.
    pub(super) is_under_way: bool,
    pub(super) is_completed: bool,
}

#[derive(Default)]
struct People(BTreeMap<Uuid, History>);

impl People {
    fn of(&mut self, person: Uuid) -> &mut History {
        self.0.entry(person).or_default()
    }

    fn buddy_activity(&mut self, people: &[Uuid], at: Instant) {
        people.iter().for_each(|person| self.of(*person).buddy_activities.push(at));
    }

    fn activity(&mut self, people: &[Uuid], at: Instant) {
        people.iter().for_each(|person| self.of(*person).other_activities.push(at));
    }
}

/// The histories of everybody to whom anything happened, from the events that count.
pub(super) fn of_everybody(events: &[Event]) -> BTreeMap<Uuid, History> {
    let mut people = People::default();
    matches(events, &mut people);
    sessions(events, &mut people);
    reports(events, &mut people);
    for event in events {
        alone(&event.what, &mut people);
    }
    people.0
}

/// Matches and what happened within them: those events name the match, the match names the people.
fn matches(events: &[Event], people: &mut People) {
    let pairs: BTreeMap<Uuid, (Pair, Instant)> = events
        .iter()
        .filter_map(|event| match event.what {
            What::Matched { matched, pair, at } => Some((matched, (pair, at))),
            _ => None,
        })
        .collect();
    let mut sides = BTreeMap::new();
    for (matched, (pair, begin)) in &pairs {
        people.activity(&pair.people(), *begin);
        let side = |side| {
            let (id, begin) = (*matched, *begin);
            Match { id, side, begin, end: None, checkins: Vec::new(), feedback: Vec::new() }
        };
        sides.insert(*matched, [Side::Participant, Side::Volunteer].map(side));
    }
    for event in events {
        match event.what {
            What::Ended { matched, at } => of(&mut sides, matched).iter_mut().for_each(|side| side.end = Some(at)),
            What::CheckIn { matched, at, .. } => {
                of(&mut sides, matched).iter_mut().for_each(|side| side.checkins.push(at));
                people.buddy_activity(&pairs[&matched].0.people(), at);
            }
            What::Feedback { matched, from, at, .. } => {
                let given = of(&mut sides, matched).iter_mut().filter(|side| side.side == from);
                given.for_each(|side| side.feedback.push(at));
                people.buddy_activity(&[pairs[&matched].0.on(from)], at);
            }
            What::Logged { matched, at, .. } => {
                let both = pairs[&matched].0.people();
                both.iter().for_each(|person| people.of(*person).gatherings.push(at));
                people.buddy_activity(&both, at);
            }
            _ => {}
        }
    }
    for (matched, sides) in sides {
        for side in sides {
            people.of(pairs[&matched].0.on(side.side)).matches.push(side);
        }
    }
}

fn of<T>(all: &mut BTreeMap<Uuid, T>, id: Uuid) -> &mut T {
    all.get_mut(&id).expect("events about what is unknown do not count")
}

/// Sessions: what completes one wins over what schedules it, the last schedule over those before. The ratings belong to
/// whatever the session is in the end.
fn sessions(events: &[Event], people: &mut People) {
    let mut sessions: BTreeMap<Uuid, (Pair, Session)> = BTreeMap::new();
    for event in events {
        if let What::Scheduled { session, kind, pair, at } = event.what {
            let told = Session { kind, scheduled: at, completed: None, level: None, ratings: Vec::new() };
            sessions.insert(session, (pair, told));
        }
    }
    for event in events {
        if let What::Completed { session, kind, pair, scheduled, at, level } = event.what {
            let told = Session { kind, scheduled, completed: Some(at), level, ratings: Vec::new() };
            sessions.insert(session, (pair, told));
            people.activity(&pair.people(), at);
        }
    }
    for event in events {
        if let What::Rated { session, from, value, at, .. } = event.what {
            let (pair, rated) = of(&mut sessions, session);
            rated.ratings.push((at, value));
            people.activity(&[pair.on(from)], at);
        }
    }
    for (pair, session) in sessions.into_values() {
        people.of(pair.participant).sessions.push(session);
    }
}

/// What other systems report: the latest report of a thing is all that is known of it.
fn reports(events: &[Event], people: &mut People) {
    let (mut volunteering, mut enrolments) = (BTreeMap::new(), BTreeMap::new());
    for event in events {
        match &event.what {
            What::Volunteering { key, person, at } => drop(volunteering.insert(key, (*person, *at))),
            What::Enrolment { key, person, is_active, at } => {
                enrolments.insert(key, (*person, *is_active, *at));
            }
            _ => {}
        }
    }
    for (person, at) in volunteering.into_values() {
        people.activity(&[person], at);
    }
    for (person, is_active, at) in enrolments.into_values() {
        people.activity(&[person], at);
        if is_active {
            people.of(person).reported.push(at);
        }
    }
}

/// What an event tells all by itself.
fn alone(what: &What, people: &mut People) {
    match what {
        What::Attended { person, at, .. } => {
            people.of(*person).gatherings.push(*at);
            people.buddy_activity(&[*person], *at);
        }
        What::SkillShare { pair, at, .. } => {
            pair.people().iter().for_each(|person| people.of(*person).skill_shares.push(*at));
            people.buddy_activity(&pair.people(), *at);
        }
        What::BuddyMilestone { number, person, at } => {
            people.of(*person).buddy_milestones.insert(*number, *at);
        }
        What::Progress { person, course, is_under_way, is_completed, at } => {
            let progress = Progress { at: *at, is_under_way: *is_under_way, is_completed: *is_completed };
            people.of(*person).courses.entry(course.clone()).or_default().progress.push(progress);
            people.activity(&[*person], *at);
        }
        What::CourseCompleted { person, course, at } => {
            people.of(*person).courses.entry(course.clone()).or_default().completions.push(*at);
            people.activity(&[*person], *at);
        }
        What::Credential { person, at } => {
            people.of(*person).credentials.push(*at);
            people.activity(&[*person], *at);
        }
        What::LanguageScore { person, value, at, .. } => people.of(*person).language_scores.push((*at, *value)),
        _ => {} // told above, together with what belongs to it
    }
}
