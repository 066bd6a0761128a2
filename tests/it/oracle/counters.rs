//! `users.journey_flags`: keys present when not zero. Future dates count at once.

use std::collections::BTreeSet;

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use super::event::Side;
use super::history::History;

/// The counters of a person.
pub(super) fn of(history: &History) -> Map<String, Value> {
    let is_on = |side| history.matches.iter().any(|one| one.side == side).then_some(json!(true));
    // Somebody on both sides of a match has one match.
    let matches: BTreeSet<_> = history.matches.iter().map(|one| one.id).collect();
    let last = history.buddy_activities.iter().max();
    let all = [
        ("is_buddy_participant", is_on(Side::Participant)),
        ("is_buddy_volunteer", is_on(Side::Volunteer)),
        ("buddy_match_count", count(matches.len())),
        ("buddy_events_attended", count(history.gatherings.len())),
        ("buddy_milestones_count", count(history.buddy_milestones.len())),
        ("skill_shares_completed", count(history.skill_shares.len())),
        ("last_buddy_activity", last.map(|at| json!(at.to_rfc3339_opts(SecondsFormat::AutoSi, true)))),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

fn count(number: usize) -> Option<Value> {
    (number > 0).then(|| json!(number))
}
