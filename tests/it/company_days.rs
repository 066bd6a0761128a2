//! The days and quarters of companies: what the tables say after any history is what a count of all its events says.

mod analytics;
mod campaigns;
mod enrolled;
mod evidence;
mod golden;
mod moving;
mod naive;
mod people;
mod periods;
mod quarters;
mod random;
mod told;
mod what_counts;

use std::collections::BTreeMap;
use std::str::FromStr as _;

use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Csr, World};
use naive::{Days, Place};

const COLUMNS: [&str; 13] = [
    "minutes",
    "rating_sum",
    "rating_count",
    "score_sum",
    "score_count",
    "enrolled_people",
    "matches",
    "events",
    "skill_shares",
    "feedbacks",
    "milestones",
    "checkins",
    "sroi_weight",
];

/// What the table says, without zeros.
async fn found(world: &World) -> Days {
    let columns = COLUMNS.map(|column| format!("{column}::text")).join(", ");
    let rows =
        world.rows(&format!("select company_id, day, campaign_id, program_id, {columns} from company_days")).await;
    let mut days = Days::new();
    for row in rows {
        let number = |column: &&str| Decimal::from_str(row[*column].as_str().expect("a number")).expect("a number");
        let values = COLUMNS.iter().map(|column| (*column, number(column))).filter(|(_, value)| !value.is_zero());
        let values: BTreeMap<_, _> = values.collect();
        if !values.is_empty() {
            let known = days.insert(place(&row), values);
            assert!(known.is_none(), "two rows for {:?}", place(&row));
        }
    }
    days
}

fn place(row: &Value) -> Place {
    let id = |column: &str| row[column].as_str().map(|id| id.parse::<Uuid>().expect("an id"));
    let day = row["day"].as_str().expect("a day").parse().expect("a day");
    (id("company_id").expect("a company"), day, id("campaign_id"), id("program_id"))
}

/// Table and count must agree, and nothing may be left to derive.
async fn assert_counted(world: &World, events: &[Value]) {
    assert_eq!(world.number("select count(*) from touched_later").await, 0);
    let (expected, found) = (naive::days(events), found(world).await);
    let places = expected.keys().chain(found.keys());
    let differing: Vec<_> = places.filter(|place| expected.get(*place) != found.get(*place)).collect();
    let show =
        |place: &&Place| format!("{place:?}: expected {:?}, found {:?}", expected.get(*place), found.get(*place));
    let shown: Vec<String> = differing.iter().take(6).map(show).collect();
    assert!(differing.is_empty(), "{} days differ, such as\n{}", differing.len(), shown.join("\n"));
}

/// Each company's row of a day as text, without zeros, one line for each row: `day [campaign] column=value …`.
async fn rows_of(world: &World, company: Uuid) -> Vec<String> {
    let text = |(place, values): (&Place, &BTreeMap<&str, Decimal>)| {
        let ids: String = [place.2, place.3].iter().map(|id| if id.is_some() { "+" } else { "-" }).collect();
        let values = values.iter().map(|(column, value)| format!(" {column}={}", value.normalize()));
        format!("{} {ids}{}", place.1, values.collect::<String>())
    };
    found(world).await.iter().filter(|(place, _)| place.0 == company).map(text).collect()
}

/// A snapshot of a person in another company, dated as given.
fn snapshot(csr: &mut Csr, person: Uuid, company: Uuid, at: &str) -> Value {
    let mut event = csr.person(person);
    event["data"]["companyId"] = json!(company);
    event["metadata"]["timestamp"] = json!(at);
    event
}

/// An event of which the data's own time is given.
fn dated(mut event: Value, field: &str, at: &str) -> Value {
    event["data"][field] = json!(at);
    event
}

fn score(csr: &mut Csr, person: Uuid, value: f64, at: &str) -> Value {
    let data = json!({"scoreId": csr.id(), "textId": csr.id(), "textType": "checkin_note", "userId": person,
                      "dimension": "belonging", "score": value, "scoredAt": at});
    csr.event("q2q.outcome.scored", data)
}

fn hours(csr: &mut Csr, entry: &str, person: Uuid, company: Uuid, hours: f64, at: &str) -> Value {
    let data = json!({"sourceSystem": "benevity", "sourceId": entry, "sourceTenantId": "t", "userId": person,
        "externalUserId": "e", "companyId": company, "activityName": "n", "activityType": "other",
        "hoursLogged": hours, "activityDate": at});
    csr.event("ingest.volunteer.logged", data)
}

fn enrollment(csr: &mut Csr, entry: &str, person: Uuid, kind: &str, at: &str) -> Value {
    let data = json!({"sourceSystem": "manual", "sourceId": entry, "userId": person, "companyId": csr.company,
        "programType": kind, "programId": "p", "programName": "P", "enrollmentDate": at, "status": "enrolled"});
    csr.event("ingest.enrollment.created", data)
}

fn feedback(csr: &mut Csr, matched: Uuid, from_role: &str, rating: f64, at: &str) -> Value {
    let data = json!({"feedbackId": csr.id(), "matchId": matched, "fromRole": from_role, "rating": rating,
                      "submittedAt": at});
    csr.event("buddy.feedback.submitted", data)
}

/// Three quarters of an hour, online, of a teacher and a learner.
fn skill_share(csr: &mut Csr, [teacher, learner]: [Uuid; 2], matched: Uuid, at: &str) -> Value {
    let data = json!({"sessionId": csr.id(), "skillId": 1, "skillName": "s", "teacherId": teacher,
        "learnerId": learner, "matchId": matched, "format": "online", "durationMinutes": 45, "completedAt": at});
    csr.event("buddy.skill_share.completed", data)
}

fn milestone(csr: &mut Csr, person: Uuid, at: &str) -> Value {
    let data = json!({"milestoneId": 1, "userId": person, "milestoneTitle": "t", "milestoneCategory": "impact",
        "reachedAt": at, "points": 5});
    csr.event("buddy.milestone.reached", data)
}
