//! Which types there are, how many of each, and whether their data is as the contracts have it.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{args, documents, kind};

/// The contracts of what is no buddy's business and no directory's; `?` marks what is optional.
const CONTRACTS: [(&str, &str); 10] = [
    (
        "kintell.session.scheduled",
        "sessionId uuid, externalSessionId? text, sessionType language|mentorship, participantId uuid, \
         volunteerId uuid, scheduledAt time",
    ),
    (
        "kintell.session.completed",
        "sessionId uuid, externalSessionId? text, sessionType language|mentorship, participantId uuid, \
         volunteerId uuid, scheduledAt time, completedAt time, durationMinutes int 1..100000, topics? texts, \
         languageLevel? text, programId? uuid, campaignId? uuid, beneficiaryGroupId? uuid",
    ),
    (
        "kintell.rating.created",
        "ratingId uuid, sessionId uuid, fromRole participant|volunteer, rating num 0..1, feedbackText? text, \
         createdAt time",
    ),
    (
        "upskilling.progress.updated",
        "progressId uuid, userId uuid, provider text, courseId text, courseName text, progressPercent int 0..100, \
         status enrolled|in_progress|completed|dropped, updatedAt time",
    ),
    (
        "upskilling.course.completed",
        "progressId uuid, userId uuid, provider text, courseId text, courseName text, completedAt time, \
         finalScore? num 0..100, credentialRef? text, programId? uuid, campaignId? uuid, beneficiaryGroupId? uuid",
    ),
    (
        "upskilling.credential.issued",
        "credentialId uuid, userId uuid, provider text, courseId text, courseName text, \
         credentialType certificate|badge|diploma|transcript, issuedAt time, expiresAt? time, credentialUrl? text, \
         verificationCode? text",
    ),
    (
        "q2q.outcome.scored",
        "scoreId uuid, textId uuid, textType buddy_feedback|kintell_feedback|checkin_note|skill_feedback, \
         userId? uuid, dimension confidence|belonging|lang_level_proxy|job_readiness|well_being, score num 0..1, \
         confidence? num 0..1, modelVersion? text, method? ai_classifier|rule_based|manual, \
         providerUsed? claude|openai|gemini, language? en|uk|no|unknown, topics? texts, snippets? snippets, \
         scoredAt time",
    ),
    (
        "ingest.enrollment.created",
        "sourceSystem kintell|upskilling|mentorship|manual, sourceId text, sourceTenantId? text, userId uuid, \
         companyId uuid, programType language_course|upskilling_course|mentorship_program|buddy_program|\
         certification_program|other, programId text, programName text, enrollmentDate time, \
         status enrolled|in_progress|completed|withdrawn|failed, completionDate? time, \
         completionPercentage? num 0..100, outcome? json, hoursCompleted? num 0..10000, \
         estimatedHours? num 0..10000, sdgGoals? goals, cohortId? text",
    ),
    (
        "ingest.volunteer.logged",
        "sourceSystem benevity|goodera|workday|manual, sourceId text, sourceTenantId text, userId uuid, \
         externalUserId text, companyId uuid, activityName text, activityType skills_volunteering|\
         hands_on_volunteering|virtual_volunteering|board_service|pro_bono|other, hoursLogged num 0..10000, \
         activityDate time, nonprofitName? text, causeArea? text, sdgGoals? goals, verified? bool, verifiedAt? time, \
         tags? texts, location? json",
    ),
    (
        "external.volunteer.logged",
        "externalId text, source benevity|goodera|workday, userId uuid, companyId uuid, activityName text, \
         activityType skills_based|general|mentorship|tutoring|event|other, hours num 0.25..10000, activityDate time",
    ),
];

fn is(kind: &str, value: &Value) -> bool {
    let text = value.as_str();
    let all = |one: fn(&Value) -> bool| value.as_array().is_some_and(|items| items.iter().all(one));
    let within = |range: &str, number: Option<f64>| {
        let (from, to) = range.split_once("..").expect("a range");
        let bound = |text: &str| text.parse::<f64>().expect("a number");
        number.is_some_and(|number| (bound(from)..=bound(to)).contains(&number))
    };
    match kind {
        "uuid" => text.is_some_and(|text| text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()),
        "time" => text.is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok()),
        "text" => text.is_some_and(|text| (1..=255).contains(&text.chars().count())),
        "texts" => all(Value::is_string),
        "goals" => all(|goal| goal.as_u64().is_some_and(|goal| (1..=17).contains(&goal))),
        "snippets" => all(|snippet| {
            let hash = snippet["snippetHash"].as_str();
            snippet["snippetText"].is_string() && hash.is_some_and(|hash| hash.len() == 64)
        }),
        "bool" => value.is_boolean(),
        "json" => value.is_object(),
        _ => match kind.split_once(' ') {
            Some(("int", range)) => within(range, value.as_i64().map(|number| number as f64)),
            Some((_, range)) => within(range, value.as_f64()),
            None => kind.split('|').any(|choice| Some(choice) == text),
        },
    }
}

#[test]
fn data_is_as_the_contracts_have_it() {
    let contracts = HashMap::from(CONTRACTS);
    // What some publishers send beyond the contract.
    let extras = ["clientVersion", "experiment"];
    let mut seen = HashSet::new();
    for document in documents(&args(20_000)) {
        let Some((name, contract)) = contracts.get_key_value(kind(&document)) else {
            continue;
        };
        let mut fields = document["data"].as_object().expect("an object").clone();
        for (key, kind) in contract.split(", ").map(|field| field.split_once(' ').expect("a kind")) {
            let is_optional = key.ends_with('?');
            let key = key.trim_end_matches('?');
            let value = fields.remove(key).unwrap_or(Value::Null);
            assert!(is(kind, &value) || is_optional && value.is_null(), "{key} is no {kind}: {document}");
            if !value.is_null() {
                seen.insert((*name, key));
            }
        }
        assert!(fields.keys().all(|key| extras.contains(&key.as_str())), "more than the contract knows: {document}");
    }
    for (name, contract) in CONTRACTS {
        for key in contract.split(", ").filter_map(|field| field.split([' ', '?']).next()) {
            assert!(seen.contains(&(name, key)), "no {name} has a {key}");
        }
    }
}

#[test]
fn every_type_has_its_share() {
    let mut counts: HashMap<String, u32> = HashMap::new();
    for document in documents(&args(20_000)) {
        *counts.entry(kind(&document).to_owned()).or_default() += 1;
    }
    assert_eq!(counts.len(), 42, "{counts:?}");
    assert!(counts.values().all(|count| *count >= 2), "{counts:?}");
    let percent = |prefix: &str| {
        let count: u32 = counts.iter().filter(|(kind, _)| kind.starts_with(prefix)).map(|(_, count)| count).sum();
        f64::from(count) / 200.0
    };
    let shares = [
        ("buddy.", 55.0..=62.0),
        ("kintell.", 12.0..=16.0),
        ("upskilling.", 8.0..=11.0),
        ("q2q.", 3.0..=4.0),
        ("ingest.enrollment.", 1.5..=2.5),
        ("ingest.volunteer.", 1.0..=1.6),
        ("external.volunteer.", 0.6..=1.0),
        ("program.", 0.6..=1.0),
        ("safety.", 0.4..=0.8),
        ("privacy.", 0.7..=1.2),
    ];
    for (prefix, share) in shares {
        assert!(share.contains(&percent(prefix)), "{} % {prefix}", percent(prefix));
    }
    let rare = ["kintell.rating.", "kintell.session.", "upskilling.course.", "upskilling.credential."];
    assert!(rare.into_iter().all(|prefix| percent(prefix) > 0.5), "{counts:?}");
}
