//! Which events count: each once, only about what is known, and of each entity the first.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::event::{Event, What};

/// What must be there for an event to do anything.
#[derive(Default)]
struct References {
    people: Vec<Uuid>,
    matched: Option<Uuid>,
    session: Option<Uuid>,
}

/// The events that count, in the order of (timestamp, id), so that the first of several is the first in the list.
pub(super) fn what_counts(events: Vec<Event>) -> Vec<Event> {
    let mut repeated = BTreeSet::new();
    let mut events: Vec<Event> = events.into_iter().filter(|event| repeated.insert(event.id)).collect();
    events.sort_by_key(|event| (event.timestamp, event.id));

    let mut people = BTreeSet::new();
    for event in &events {
        if let What::Person { person } = event.what {
            people.insert(person);
        }
    }
    // A match or session that waits for its people is not there either.
    let (mut matches, mut sessions) = (BTreeSet::new(), BTreeSet::new());
    for event in &events {
        match event.what {
            What::Matched { matched, pair, .. } if pair.people().iter().all(|person| people.contains(person)) => {
                matches.insert(matched);
            }
            What::Scheduled { session, pair, .. } | What::Completed { session, pair, .. }
                if pair.people().iter().all(|person| people.contains(person)) =>
            {
                sessions.insert(session);
            }
            _ => {}
        }
    }
    let is_known = |event: &Event| {
        let needs = references(&event.what);
        needs.people.iter().all(|person| people.contains(person))
            && needs.matched.is_none_or(|matched| matches.contains(&matched))
            && needs.session.is_none_or(|session| sessions.contains(&session))
    };
    let mut told = BTreeSet::new();
    events.retain(|event| is_known(event) && entity(&event.what).is_none_or(|entity| told.insert(entity)));
    events
}

fn references(what: &What) -> References {
    let mut needs = References::default();
    match *what {
        What::Person { .. } => {}
        What::Matched { pair, .. } | What::Scheduled { pair, .. } | What::Completed { pair, .. } => {
            needs.people = pair.people();
        }
        What::SkillShare { pair, matched, .. } => (needs.people, needs.matched) = (pair.people(), matched),
        What::Attended { person, matched, .. } => (needs.people, needs.matched) = (vec![person], matched),
        What::Ended { matched, .. }
        | What::Logged { matched, .. }
        | What::CheckIn { matched, .. }
        | What::Feedback { matched, .. } => needs.matched = Some(matched),
        What::Rated { session, .. } => needs.session = Some(session),
        What::BuddyMilestone { person, .. }
        | What::Progress { person, .. }
        | What::CourseCompleted { person, .. }
        | What::Credential { person, .. }
        | What::LanguageScore { person, .. }
        | What::Volunteering { person, .. }
        | What::Enrolment { person, .. } => needs.people = vec![person],
    }
    needs
}

/// The entity that only one event creates (or ends); none where several events may speak of the same one.
fn entity(what: &What) -> Option<(&'static str, String)> {
    Some(match what {
        What::Matched { matched, .. } => ("match", matched.to_string()),
        What::Ended { matched, .. } => ("end of match", matched.to_string()),
        What::Logged { entry, .. } => ("logged", entry.to_string()),
        What::Attended { entry, person, .. } => ("attended", format!("{entry} {person}")),
        What::SkillShare { session, .. } => ("skill share", session.to_string()),
        What::CheckIn { checkin, .. } => ("check-in", checkin.to_string()),
        What::Feedback { feedback, .. } => ("feedback", feedback.to_string()),
        What::BuddyMilestone { number, person, .. } => ("milestone", format!("{number} {person}")),
        What::Completed { session, .. } => ("completed session", session.to_string()),
        What::Rated { rating, .. } => ("rating", rating.to_string()),
        What::LanguageScore { score, .. } => ("score", score.to_string()),
        What::Person { .. }
        | What::Scheduled { .. }
        | What::Progress { .. }
        | What::CourseCompleted { .. }
        | What::Credential { .. }
        | What::Volunteering { .. }
        | What::Enrolment { .. } => return None,
    })
}
