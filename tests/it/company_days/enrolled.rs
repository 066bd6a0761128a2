//! When a person was first enrolled in anything, and by which campaign and program.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::naive::{Match, Session};
use super::told::{Time, Told};

/// What sorts enrolments, and then where they belong: begin, type, who reported it.
type Enrolment = (Time, String, Option<(String, String)>, Option<Uuid>, Option<Uuid>);

/// Begin, campaign and program of a person's first enrolment.
pub(super) fn first(
    person: Uuid,
    events: &[Told],
    matches: &BTreeMap<Uuid, Match>,
    sessions: &BTreeMap<Uuid, Session>,
) -> Option<(Time, Option<Uuid>, Option<Uuid>)> {
    let mut all: Vec<Enrolment> = Vec::new();
    let theirs = matches.iter().filter(|(_, pair)| pair.people.contains(&person));
    all.extend(earliest("buddy", theirs.map(|(id, pair)| ((pair.at, *id), pair.campaign, pair.program)).collect()));
    for kind in ["language", "mentorship"] {
        let theirs = sessions.iter().filter(|(_, session)| session.people[0] == person && session.kind == kind);
        let begun = theirs.map(|(id, session)| ((session.begun, *id), session.campaign, session.program));
        all.extend(earliest(kind, begun.collect()));
    }
    all.extend(upskilling(person, events));
    let reports: BTreeMap<(&str, &str), &Told> = events
        .iter()
        .filter(|told| told.is("ingest.enrollment.created"))
        .map(|told| ((told.text("sourceSystem"), told.text("sourceId")), told)) // the latest stays
        .collect();
    for ((system, id), told) in reports {
        let kind = match told.text("programType") {
            "language_course" => "language",
            "mentorship_program" => "mentorship",
            "buddy_program" => "buddy",
            "upskilling_course" | "certification_program" => "upskilling",
            _ => continue,
        };
        if told.id_of("userId") == person {
            let by = Some((system.to_owned(), id.to_owned()));
            all.push((told.time("enrollmentDate"), kind.to_owned(), by, None, None));
        }
    }
    let (at, _, _, campaign, program) = all.into_iter().min()?;
    Some((at, campaign, program))
}

type Begun = ((Time, Uuid), Option<Uuid>, Option<Uuid>);

/// Begin of the earliest; campaign and program of the earliest that names one.
fn earliest(kind: &str, mut begun: Vec<Begun>) -> Option<Enrolment> {
    begun.sort();
    let ((at, _), _, _) = *begun.first()?;
    let campaign = begun.iter().find_map(|(_, campaign, _)| *campaign);
    let program = begun.iter().find_map(|(_, _, program)| *program);
    Some((at, kind.to_owned(), None, campaign, program))
}

fn upskilling(person: Uuid, events: &[Told]) -> Option<Enrolment> {
    let times = |event_type: &str, field: &str, course: (&str, &str)| -> Option<Time> {
        let told = events.iter().filter(|told| told.is(event_type) && told.id_of("userId") == person);
        told.filter(|told| (told.text("provider"), told.text("courseId")) == course).map(|told| told.time(field)).min()
    };
    let theirs = events.iter().filter(|told| told.event_type.starts_with("upskilling."));
    let theirs: Vec<&Told> = theirs.filter(|told| told.given_id("userId") == Some(person)).collect();
    let begin = |told: &&Told| {
        let course = (told.text("provider"), told.text("courseId"));
        let progress = times("upskilling.progress.updated", "updatedAt", course);
        let completion = times("upskilling.course.completed", "completedAt", course);
        // A credential begins a course of which nothing else was told.
        [progress, completion]
            .into_iter()
            .flatten()
            .min()
            .or_else(|| times("upskilling.credential.issued", "issuedAt", course))
    };
    let at = theirs.iter().filter_map(begin).min()?;
    let mut completions: Vec<&&Told> = theirs.iter().filter(|told| told.is("upskilling.course.completed")).collect();
    completions.sort_by_key(|told| (told.time("completedAt"), told.timestamp, told.id));
    let named = |field: &str| completions.iter().find_map(|told| told.given_id(field));
    Some((at, "upskilling".to_owned(), None, named("campaignId"), named("programId")))
}
