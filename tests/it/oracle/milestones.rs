//! What a person has reached, and when. Future dates count at once.

use super::Instant;
use super::event::Kind;
use super::flags::is_mentor_ready;
use super::history::History;

/// Milestones by name.
pub(super) fn reached(history: &History) -> Vec<(String, Instant)> {
    let courses = || history.courses.values();
    let progress = || courses().flat_map(|course| &course.progress);
    let completions = || courses().flat_map(|course| &course.completions).copied();
    let finished = progress().filter(|progress| progress.is_completed).map(|progress| progress.at);
    let first = [
        ("first_buddy_match", history.matches.iter().map(|one| one.begin).min()),
        ("buddy_10_events", tenth(&history.gatherings)),
        ("buddy_skill_share_completed", history.skill_shares.iter().copied().min()),
        ("first_language_session", first_session(history, Kind::Language)),
        ("first_mentorship_session", first_session(history, Kind::Mentorship)),
        ("language_level_up", level_up(history)),
        ("course_enrolled", progress().map(|progress| progress.at).chain(completions()).min()),
        ("course_completed", finished.chain(completions()).min()),
        ("credential_earned", history.credentials.iter().copied().min()),
        ("mentor_ready", first_mentor_ready(history)),
    ];
    let first = first.into_iter().filter_map(|(name, at)| Some((name.to_owned(), at?)));
    first.chain(history.buddy_milestones.iter().map(|(number, at)| (format!("buddy:{number}"), *at))).collect()
}

fn tenth(times: &[Instant]) -> Option<Instant> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(9).copied()
}

fn first_session(history: &History, kind: Kind) -> Option<Instant> {
    history.sessions.iter().filter(|session| session.kind == kind).filter_map(|session| session.completed).min()
}

/// The first session above all strictly earlier ones; before it there must be one with a level.
fn level_up(history: &History) -> Option<Instant> {
    let levels: Vec<(Instant, usize)> =
        history.sessions.iter().filter_map(|session| Some((session.completed?, session.level?))).collect();
    let is_above = |(at, level): &&(Instant, usize)| {
        let highest = levels.iter().filter(|(earlier, _)| earlier < at).map(|(_, level)| level).max();
        highest.is_some_and(|highest| level > highest)
    };
    levels.iter().filter(is_above).map(|(at, _)| *at).min()
}

/// The first instant of the whole history at which the flag's condition held: it can only begin with a completion or a rating.
fn first_mentor_ready(history: &History) -> Option<Instant> {
    let completions = history.sessions.iter().filter_map(|session| session.completed);
    let ratings = history.sessions.iter().flat_map(|session| &session.ratings).map(|(created_at, _)| *created_at);
    completions.chain(ratings).filter(|moment| is_mentor_ready(history, *moment)).min()
}
