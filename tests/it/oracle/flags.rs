//! Which flags hold at an instant, and since when. What is dated after an instant is not known at that instant.

use super::decimal::Decimal;
use super::event::Kind;
use super::history::{Course, History, Match};
use super::{Flag, Instant, days};

/// The flags that hold now.
pub(super) fn that_hold(history: &History, now: Instant) -> Vec<(&'static str, Flag)> {
    let moments = moments(history);
    let lasting = |holds: fn(&History, Instant) -> bool| begin_of_stretch(history, &moments, now, holds);
    let plain = [
        ("buddy_match_active", lasting(has_active_match)),
        ("buddy_active", lasting(is_buddy_active)),
        ("buddy_checkin_due", checkins_due(history, now).into_iter().min()),
        ("mentor_ready", lasting(is_mentor_ready)),
        ("followup_needed", followups_due(history, now).into_iter().min()),
        ("language_support_needed", low_language_score(history, now)),
    ];
    let plain = plain.into_iter().filter_map(|(name, set_at)| Some((name, Flag { set_at: set_at?, expires_at: None })));
    plain.chain(feedback_pending(history, now).map(|flag| ("buddy_feedback_pending", flag))).collect()
}

/// All instants at which anything can change: when something happened, and when a time since then is over.
fn moments(history: &History) -> Vec<Instant> {
    let mut moments = Vec::new();
    for one in &history.matches {
        moments.extend([one.begin].into_iter().chain(one.end));
    }
    for session in &history.sessions {
        moments.extend(session.completed);
        moments.extend(session.ratings.iter().map(|(created_at, _)| *created_at));
    }
    moments.extend(history.buddy_activities.iter().chain(&history.other_activities));
    let mut moments: Vec<Instant> =
        moments.iter().flat_map(|moment| [0, 7, 14, 30, 60].map(|count| *moment + days(count))).collect();
    moments.sort_unstable();
    moments.dedup();
    moments
}

/// If a condition holds now: the moment since which it has held without a gap, found by going back from moment to moment.
/// Between two moments nothing changes, so one at which it holds and the next leave no gap between them.
fn begin_of_stretch(
    history: &History,
    moments: &[Instant],
    now: Instant,
    holds: fn(&History, Instant) -> bool,
) -> Option<Instant> {
    if !holds(history, now) {
        return None;
    }
    let back = moments.iter().rev().copied().skip_while(|moment| *moment > now);
    let begin = back.take_while(|moment| holds(history, *moment)).last();
    Some(begin.expect("what holds now began at some moment"))
}

fn has_active_match(history: &History, t: Instant) -> bool {
    history.matches.iter().any(|one| one.is_active(t))
}

/// A buddy activity counts for [its time, 30 days later).
fn is_buddy_active(history: &History, t: Instant) -> bool {
    let is_recent = |at: &Instant| *at <= t && t < *at + days(30);
    has_active_match(history, t) && history.buddy_activities.iter().any(is_recent)
}

/// For each active match that is due for a check-in: 7 days after its start or its last check-in. Exactly then it is not yet.
fn checkins_due(history: &History, t: Instant) -> Vec<Instant> {
    let due = |one: &Match| {
        let last = one.checkins.iter().copied().filter(|checkin| *checkin <= t).max();
        last.map_or(one.begin, |last| last.max(one.begin)) + days(7)
    };
    let active = history.matches.iter().filter(|one| one.is_active(t));
    active.map(due).filter(|due| t > *due).collect()
}

/// A match awaits this side's feedback from its end, or from its 30th day on, for 60 days.
fn feedback_pending(history: &History, t: Instant) -> Option<Flag> {
    let begin = |one: &Match| {
        let month_over = one.begin + days(30);
        one.end.map_or(month_over, |end| end.min(month_over))
    };
    let is_silent = |one: &Match| !one.feedback.iter().any(|submitted_at| *submitted_at <= t);
    let is_pending = |one: &&Match| begin(one) <= t && t < begin(one) + days(60) && is_silent(one);
    let begins: Vec<Instant> = history.matches.iter().filter(is_pending).map(begin).collect();
    Some(Flag { set_at: *begins.iter().min()?, expires_at: begins.iter().max().map(|last| *last + days(60)) })
}

/// Three language sessions completed as participant, and a mean of 0.80 over all ratings on them.
///
/// A rating on a session that is not completed yet does not count yet: only completed ones are looked at.
pub(super) fn is_mentor_ready(history: &History, t: Instant) -> bool {
    let is_completed = |completed: Option<Instant>| completed.is_some_and(|at| at <= t);
    let language = history.sessions.iter().filter(|session| session.kind == Kind::Language);
    let completed: Vec<_> = language.filter(|session| is_completed(session.completed)).collect();
    let ratings = completed.iter().flat_map(|session| &session.ratings);
    let given: Vec<Decimal> = ratings.filter(|(created_at, _)| *created_at <= t).map(|(_, value)| *value).collect();
    completed.len() >= 3 && Decimal::mean_is_at_least(&given, Decimal::hundredths(80))
}

/// For each active enrolment that has been quiet: 14 days after it began or after the last activity of any kind.
fn followups_due(history: &History, t: Instant) -> Vec<Instant> {
    let activities = history.buddy_activities.iter().chain(&history.other_activities);
    let last = activities.copied().filter(|at| *at <= t).max();
    let due = |begin: Instant| last.map_or(begin, |last| last.max(begin)) + days(14);
    begins_of_enrolments(history, t).into_iter().map(due).filter(|due| *due <= t).collect()
}

/// When the enrolments that are active began.
fn begins_of_enrolments(history: &History, t: Instant) -> Vec<Instant> {
    let buddy = history.matches.iter().filter(|one| one.is_active(t)).map(|one| one.begin);
    let courses = history.courses.values().filter_map(|course| begin_of_course(course, t));
    // Who had or will have a session is enrolled for good.
    let sessions = history.sessions.iter();
    let sessions = sessions.map(|one| one.completed.map_or(one.scheduled, |completed| completed.min(one.scheduled)));
    let all = buddy.chain(courses).chain(sessions).chain(history.reported.iter().copied());
    all.filter(|begin| *begin <= t).collect()
}

/// A course is active while the latest that was heard of it is enrolled or in progress, and it is not completed.
fn begin_of_course(course: &Course, t: Instant) -> Option<Instant> {
    let heard = || course.progress.iter().filter(|progress| progress.at <= t);
    // Of several at the same time, the last in the list has the latest (timestamp, event id).
    let latest = heard().max_by_key(|progress| progress.at)?;
    let is_completed = course.completions.iter().any(|at| *at <= t);
    let begin = heard().map(|progress| progress.at).min();
    begin.filter(|_| latest.is_under_way && !is_completed)
}

/// The time of the latest score, if that is below 0.50.
fn low_language_score(history: &History, t: Instant) -> Option<Instant> {
    let known = history.language_scores.iter().filter(|(scored_at, _)| *scored_at <= t);
    // Of several at the same time, the last in the list has the latest (timestamp, event id).
    let (scored_at, score) = known.max_by_key(|(scored_at, _)| *scored_at)?;
    (*score < Decimal::hundredths(50)).then_some(*scored_at)
}
