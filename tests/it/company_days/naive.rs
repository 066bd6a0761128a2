//! The days of companies by counting: every event is looked at, none is remembered from before. What refers to somebody or
//! something that no event has told of counts nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::enrolled;
use super::people::People;
use super::told::{Time, Told, in_order};

/// Company, day, campaign, program.
pub(super) type Place = (Uuid, NaiveDate, Option<Uuid>, Option<Uuid>);
/// Columns that are not zero.
pub(super) type Days = BTreeMap<Place, BTreeMap<&'static str, Decimal>>;

pub(super) struct Match {
    pub(super) people: [Uuid; 2],
    pub(super) at: Time,
    pub(super) campaign: Option<Uuid>,
    pub(super) program: Option<Uuid>,
}

pub(super) struct Session {
    pub(super) kind: String,
    /// Participant, volunteer.
    pub(super) people: [Uuid; 2],
    /// The earlier of scheduled and completed.
    pub(super) begun: Time,
    pub(super) campaign: Option<Uuid>,
    pub(super) program: Option<Uuid>,
}

struct Count<'e> {
    people: &'e People,
    days: Days,
}

pub(super) fn days(documents: &[Value]) -> Days {
    let events = in_order(documents);
    let people = People::of(&events);
    let matches = matches(&events, &people);
    let sessions = sessions(&events, &people);
    let mut count = Count { people: &people, days: Days::new() };
    let mut entities = BTreeSet::new();
    for told in &events {
        // A second event about one entity counts nothing.
        if entity(told).is_none_or(|entity| entities.insert((told.event_type.clone(), entity))) {
            count.buddy(told, &matches);
            count.others(told, &sessions);
        }
    }
    count.volunteering(&events);
    let persons: BTreeSet<Uuid> = events.iter().filter_map(|told| told.given_id("userId")).collect();
    let persons = persons.into_iter().chain(matches.values().flat_map(|pair| pair.people));
    let persons: BTreeSet<Uuid> = persons.chain(sessions.values().flat_map(|session| session.people)).collect();
    for person in persons.into_iter().filter(|person| people.know(&[*person])) {
        if let Some((at, campaign, program)) = enrolled::first(person, &events, &matches, &sessions) {
            count.of(&[person], at, (campaign, program), &[("enrolled_people", Decimal::ONE)]);
        }
    }
    let mut days = count.days;
    days.values_mut().for_each(|row| row.retain(|_, value| !value.is_zero()));
    days.retain(|_, row| !row.is_empty());
    days
}

/// The ids by which an entity has one creating event.
pub(super) fn entity(told: &Told) -> Option<String> {
    let fields: &[&str] = match told.event_type.as_str() {
        "buddy.match.created" => &["matchId"],
        "buddy.event.logged" => &["eventId"],
        "buddy.event.attended" => &["eventId", "userId"],
        "buddy.checkin.completed" => &["checkinId"],
        "buddy.feedback.submitted" => &["feedbackId"],
        "buddy.skill_share.completed" | "kintell.session.completed" => &["sessionId"],
        "kintell.rating.created" => &["ratingId"],
        "q2q.outcome.scored" => &["scoreId"],
        _ => return None,
    };
    Some(fields.iter().map(|field| told.id_of(field).to_string()).collect())
}

pub(super) fn matches(events: &[Told], people: &People) -> BTreeMap<Uuid, Match> {
    let mut matches = BTreeMap::new();
    for told in events.iter().filter(|told| told.is("buddy.match.created")) {
        let pair = Match {
            people: [told.id_of("participantId"), told.id_of("buddyId")],
            at: told.time("matchedAt"),
            campaign: told.given_id("campaignId"),
            program: told.given_id("programId"),
        };
        if people.know(&pair.people) {
            matches.entry(told.id_of("matchId")).or_insert(pair);
        }
    }
    matches
}

/// Completed as it was completed, else as it was scheduled last.
pub(super) fn sessions(events: &[Told], people: &People) -> BTreeMap<Uuid, Session> {
    let mut sessions = BTreeMap::new();
    for event_type in ["kintell.session.scheduled", "kintell.session.completed"] {
        for told in events.iter().filter(|told| told.is(event_type)) {
            let completed = told.is("kintell.session.completed").then(|| told.time("completedAt"));
            let scheduled = told.time("scheduledAt");
            let session = Session {
                kind: told.text("sessionType").to_owned(),
                people: [told.id_of("participantId"), told.id_of("volunteerId")],
                begun: completed.map_or(scheduled, |completed| completed.min(scheduled)),
                campaign: told.given_id("campaignId"),
                program: told.given_id("programId"),
            };
            if people.know(&session.people) {
                sessions.insert(told.id_of("sessionId"), session);
            }
        }
    }
    sessions
}

impl Count<'_> {
    /// Adds to the day of each company that one of the people belongs to, once for each.
    fn of(
        &mut self,
        people: &[Uuid],
        at: Time,
        (campaign, program): (Option<Uuid>, Option<Uuid>),
        columns: &[(&'static str, Decimal)],
    ) {
        let companies: BTreeSet<Uuid> = people.iter().filter_map(|person| self.people.company(*person, at)).collect();
        for company in companies {
            let row = self.days.entry((company, at.date_naive(), campaign, program)).or_default();
            for (column, value) in columns {
                *row.entry(column).or_default() += value;
            }
        }
    }

    fn buddy(&mut self, told: &Told, matches: &BTreeMap<Uuid, Match>) {
        let pair = told.given_id("matchId").and_then(|id| matches.get(&id));
        let place = pair.map_or((None, None), |pair| (pair.campaign, pair.program));
        let weighed = |column, weight: i64| [(column, Decimal::ONE), ("sroi_weight", Decimal::from(weight))];
        match (told.event_type.as_str(), pair) {
            ("buddy.match.created", Some(pair)) => self.of(&pair.people, pair.at, place, &weighed("matches", 10)),
            ("buddy.event.logged", Some(pair)) => {
                self.of(&pair.people, told.time("eventDate"), place, &weighed("events", 5));
            }
            ("buddy.checkin.completed", Some(pair)) => {
                self.of(&pair.people, told.time("checkinDate"), place, &weighed("checkins", 3));
            }
            ("buddy.feedback.submitted", Some(pair)) => {
                let (at, rating) = (told.time("submittedAt"), told.number("rating", 2));
                let is_participant = told.text("fromRole") == "participant";
                let giver = pair.people[usize::from(!is_participant)];
                self.of(&[giver], at, place, &weighed("feedbacks", 8));
                if is_participant {
                    let given = [("rating_sum", rating), ("rating_count", Decimal::ONE)];
                    self.of(&[pair.people[1]], at, place, &given);
                }
            }
            ("buddy.event.attended", pair) => {
                let person = told.id_of("userId");
                if self.people.know(&[person]) && (pair.is_some() || told.given_id("matchId").is_none()) {
                    self.of(&[person], told.time("attendedAt"), place, &weighed("events", 5));
                }
            }
            ("buddy.skill_share.completed", pair) => {
                let people = [told.id_of("learnerId"), told.id_of("teacherId")];
                let waits = told.text("format") == "online" && told.given_id("matchId").is_some() && pair.is_none();
                if self.people.know(&people) && !waits {
                    let at = told.time("completedAt");
                    self.of(&people, at, (None, None), &weighed("skill_shares", 15));
                    if told.has("durationMinutes") {
                        let minutes = told.number("durationMinutes", 6);
                        self.of(&[people[1]], at, (None, None), &[("minutes", minutes)]);
                    }
                }
            }
            _ => {}
        }
    }

    fn others(&mut self, told: &Told, sessions: &BTreeMap<Uuid, Session>) {
        let session = told.given_id("sessionId").and_then(|id| sessions.get(&id));
        let none = (None, None);
        match (told.event_type.as_str(), session) {
            ("kintell.session.completed", _) => {
                // Without its own people it waits, even if the session was scheduled with others.
                let people = [told.id_of("participantId"), told.id_of("volunteerId")];
                if self.people.know(&people) {
                    let minutes = [("minutes", told.number("durationMinutes", 6))];
                    let place = (told.given_id("campaignId"), told.given_id("programId"));
                    self.of(&people[1..], told.time("completedAt"), place, &minutes);
                }
            }
            ("kintell.rating.created", Some(session)) => {
                let given = [("rating_sum", told.number("rating", 6)), ("rating_count", Decimal::ONE)];
                self.of(&[session.people[1]], told.time("createdAt"), (session.campaign, session.program), &given);
            }
            ("q2q.outcome.scored", _) => {
                let given = [("score_sum", told.number("score", 3)), ("score_count", Decimal::ONE)];
                let person: Vec<Uuid> = told.given_id("userId").into_iter().collect();
                self.of(&person, told.time("scoredAt"), none, &given);
            }
            _ => {}
        }
    }

    /// The latest of each entry, in whichever form it is told; and of each milestone the earliest.
    fn volunteering(&mut self, events: &[Told]) {
        let mut entries = BTreeMap::new();
        let mut milestones: BTreeMap<(Uuid, String), Time> = BTreeMap::new();
        for told in events.iter().filter(|told| told.given_id("userId").is_some_and(|id| self.people.know(&[id]))) {
            match told.event_type.as_str() {
                "ingest.volunteer.logged" => {
                    entries.insert((told.text("sourceSystem"), told.text("sourceId")), (told, "hoursLogged"));
                }
                "external.volunteer.logged" => {
                    entries.insert((told.text("source"), told.text("externalId")), (told, "hours"));
                }
                "buddy.milestone.reached" => {
                    let key = (told.id_of("userId"), told.number("milestoneId", 0).to_string());
                    let at = told.time("reachedAt");
                    milestones.entry(key).and_modify(|known| *known = at.min(*known)).or_insert(at);
                }
                _ => {}
            }
        }
        for (told, hours) in entries.into_values() {
            let place = (told.id_of("companyId"), told.time("activityDate").date_naive(), None, None);
            let minutes = (told.number(hours, 15) * Decimal::from(60))
                .round_dp_with_strategy(6, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
            *self.days.entry(place).or_default().entry("minutes").or_default() += minutes;
        }
        for ((person, _), at) in milestones {
            let columns = [("milestones", Decimal::ONE), ("sroi_weight", Decimal::from(20))];
            self.of(&[person], at, (None, None), &columns);
        }
    }
}
