//! What an event says, as far as a person's journey is concerned: who, to what it belongs, and when by its data.

use uuid::Uuid;

use super::Instant;
use super::decimal::Decimal;
use super::wire::Fields;

/// An event; (timestamp, id) is its place where the first or the last one counts.
pub(super) struct Event {
    pub(super) timestamp: Instant,
    pub(super) id: Uuid,
    pub(super) what: What,
}

/// The side of a match or session: a buddy is the volunteer of a match.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    Participant,
    Volunteer,
}

/// What kind of session or enrolment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Language,
    Mentorship,
}

/// Both people of a match or session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) participant: Uuid,
    pub(super) volunteer: Uuid,
}

impl Pair {
    pub(super) fn on(&self, side: Side) -> Uuid {
        match side {
            Side::Participant => self.participant,
            Side::Volunteer => self.volunteer,
        }
    }

    /// Both, or the one who is both.
    pub(super) fn people(&self) -> Vec<Uuid> {
        let mut people = vec![self.participant, self.volunteer];
        people.dedup();
        people
    }
}

/// Provider and course.
pub(super) type CourseKey = (String, String);
/// Type of event, system, and the system's own id.
pub(super) type ReportKey = (&'static str, String, String);

/// `at` is always the data's own time; `matched` names a match, `session` a session.
pub(super) enum What {
    Person { person: Uuid },
    Matched { matched: Uuid, pair: Pair, at: Instant },
    Ended { matched: Uuid, at: Instant },
    Logged { entry: Uuid, matched: Uuid, at: Instant },
    Attended { entry: Uuid, person: Uuid, matched: Option<Uuid>, at: Instant },
    SkillShare { session: Uuid, pair: Pair, matched: Option<Uuid>, at: Instant },
    CheckIn { checkin: Uuid, matched: Uuid, at: Instant },
    Feedback { feedback: Uuid, matched: Uuid, from: Side, at: Instant },
    BuddyMilestone { number: i64, person: Uuid, at: Instant },
    Scheduled { session: Uuid, kind: Kind, pair: Pair, at: Instant },
    Completed { session: Uuid, kind: Kind, pair: Pair, scheduled: Instant, at: Instant, level: Option<usize> },
    Rated { rating: Uuid, session: Uuid, from: Side, value: Decimal, at: Instant },
    Progress { person: Uuid, course: CourseKey, is_under_way: bool, is_completed: bool, at: Instant },
    CourseCompleted { person: Uuid, course: CourseKey, at: Instant },
    Credential { person: Uuid, at: Instant },
    LanguageScore { score: Uuid, person: Uuid, value: Decimal, at: Instant },
    Volunteering { key: ReportKey, person: Uuid, at: Instant },
    Enrolment { key: ReportKey, person: Uuid, is_active: bool, at: Instant },
}

/// Reads `data`; none if it does not fit or the type does nothing here.
pub(super) fn what(event_type: &str, data: &Fields<'_>) -> Option<What> {
    Some(match event_type {
        // No other event brings a person with a CSR id into being.
        "ingest.directory.synced" => What::Person { person: data.id("userId")? },
        "buddy.match.created" => {
            What::Matched { matched: data.id("matchId")?, pair: pair(data, "buddyId")?, at: data.time("matchedAt")? }
        }
        "buddy.match.ended" => What::Ended { matched: data.id("matchId")?, at: data.time("endedAt")? },
        "buddy.event.logged" => {
            What::Logged { entry: data.id("eventId")?, matched: data.id("matchId")?, at: data.time("eventDate")? }
        }
        "buddy.event.attended" => What::Attended {
            entry: data.id("eventId")?,
            person: data.id("userId")?,
            matched: data.optional_id("matchId")?,
            at: data.time("attendedAt")?,
        },
        "buddy.skill_share.completed" => {
            // Only an online one belongs to its match.
            let is_online = data.optional_text("format")? == Some("online");
            let pair = Pair { participant: data.id("learnerId")?, volunteer: data.id("teacherId")? };
            let matched = data.optional_id("matchId")?.filter(|_| is_online);
            What::SkillShare { session: data.id("sessionId")?, pair, matched, at: data.time("completedAt")? }
        }
        "buddy.checkin.completed" => What::CheckIn {
            checkin: data.id("checkinId")?,
            matched: data.id("matchId")?,
            at: data.time("checkinDate")?,
        },
        "buddy.feedback.submitted" => {
            data.share("rating")?;
            let (feedback, from) = (data.id("feedbackId")?, side(data, "buddy")?);
            What::Feedback { feedback, matched: data.id("matchId")?, from, at: data.time("submittedAt")? }
        }
        "buddy.milestone.reached" => What::BuddyMilestone {
            number: data.whole_number("milestoneId")?,
            person: data.id("userId")?,
            at: data.time("reachedAt")?,
        },
        _ => return learning(event_type, data),
    })
}

/// Sessions, courses, scores and what other systems report.
fn learning(event_type: &str, data: &Fields<'_>) -> Option<What> {
    let person = || data.id("userId");
    Some(match event_type {
        "kintell.session.scheduled" => {
            let pair = pair(data, "volunteerId")?;
            What::Scheduled { session: data.id("sessionId")?, kind: kind(data)?, pair, at: data.time("scheduledAt")? }
        }
        "kintell.session.completed" => What::Completed {
            session: data.id("sessionId")?,
            kind: kind(data)?,
            pair: pair(data, "volunteerId")?,
            scheduled: data.time("scheduledAt")?,
            at: data.time("completedAt")?,
            level: data.optional_text("languageLevel")?.and_then(level),
        },
        "kintell.rating.created" => What::Rated {
            rating: data.id("ratingId")?,
            session: data.id("sessionId")?,
            from: side(data, "volunteer")?,
            value: data.share("rating")?,
            at: data.time("createdAt")?,
        },
        "upskilling.progress.updated" => {
            let status = data.text("status")?;
            if !["enrolled", "in_progress", "completed", "dropped"].contains(&status) {
                return None;
            }
            let (is_under_way, is_completed) = (["enrolled", "in_progress"].contains(&status), status == "completed");
            let (course, at) = (course(data)?, data.time("updatedAt")?);
            What::Progress { person: person()?, course, is_under_way, is_completed, at }
        }
        "upskilling.course.completed" => {
            What::CourseCompleted { person: person()?, course: course(data)?, at: data.time("completedAt")? }
        }
        "upskilling.credential.issued" => What::Credential { person: person()?, at: data.time("issuedAt")? },
        "q2q.outcome.scored" => {
            if data.text("dimension")? != "lang_level_proxy" {
                return None;
            }
            let (score, value) = (data.id("scoreId")?, data.share("score")?);
            What::LanguageScore { score, person: person()?, value, at: data.time("scoredAt")? }
        }
        "ingest.volunteer.logged" => {
            let key = ("ingest", data.text("sourceSystem")?.to_owned(), data.text("sourceId")?.to_owned());
            What::Volunteering { key, person: person()?, at: data.time("activityDate")? }
        }
        "external.volunteer.logged" => {
            let key = ("external", data.text("source")?.to_owned(), data.text("externalId")?.to_owned());
            What::Volunteering { key, person: person()?, at: data.time("activityDate")? }
        }
        "ingest.enrollment.created" => {
            let key = ("ingest", data.text("sourceSystem")?.to_owned(), data.text("sourceId")?.to_owned());
            // `other` is heard of as an activity, but there is nothing to be enrolled in.
            let is_running = ["enrolled", "in_progress"].contains(&data.text("status")?);
            let is_active = is_running && data.text("programType")? != "other";
            What::Enrolment { key, person: person()?, is_active, at: data.time("enrollmentDate")? }
        }
        _ => return None,
    })
}

fn pair(data: &Fields<'_>, volunteer: &str) -> Option<Pair> {
    Some(Pair { participant: data.id("participantId")?, volunteer: data.id(volunteer)? })
}

fn side(data: &Fields<'_>, volunteer: &str) -> Option<Side> {
    match data.text("fromRole")? {
        "participant" => Some(Side::Participant),
        role if role == volunteer => Some(Side::Volunteer),
        _ => None,
    }
}

fn kind(data: &Fields<'_>) -> Option<Kind> {
    match data.text("sessionType")? {
        "language" => Some(Kind::Language),
        "mentorship" => Some(Kind::Mentorship),
        _ => None,
    }
}

fn course(data: &Fields<'_>) -> Option<CourseKey> {
    Some((data.text("provider")?.to_owned(), data.text("courseId")?.to_owned()))
}

/// The rank of a CEFR level, in any case; anything else is no level.
fn level(text: &str) -> Option<usize> {
    ["A1", "A2", "B1", "B2", "C1", "C2"].iter().position(|level| level.eq_ignore_ascii_case(text))
}
