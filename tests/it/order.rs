//! Promise 3: equal sets of events give equal tables, in whatever order, batches and number of workers they come.

use rand::Rng as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Csr, World, assert_same, chance, seeds};

const LOG: [&str; 4] = ["--events", "600", "--people", "12"];

#[tokio::test(flavor = "multi_thread")]
async fn any_order_of_the_same_events_gives_the_same_tables() {
    for seed in seeds(8) {
        let mut chance = chance(seed);
        let number = seed.to_string();
        let usual = World::new().await;
        let log = usual.generate(&[&LOG[..], &["--seed", &number]].concat());
        usual.publish(&log).await;
        let repeated = retellings();
        usual.publish(&repeated).await;
        let applied = json!(600 + repeated.len());
        let summary = usual.drain(&[]);
        assert_eq!((&summary["applied"], &summary["waiting"]), (&applied, &0.into()), "{summary}");
        let expected = usual.dump().await;
        assert!(expected["identity_conflicts"].is_empty(), "promise 3 does not speak of contradictions");

        let world = World::new().await;
        let mut log = world.generate(&[&LOG[..], &["--seed", &number, "--duplicates", "0.3"]].concat());
        assert_eq!(log.len(), 780, "600 events, 180 of them repeated, half of these in another spelling");
        log.extend(repeated);
        log.shuffle(&mut chance);
        let mut rest = &log[..];
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chance.random_range(1..=rest.len().min(500)));
            rest = after;
            world.publish(chunk).await;
            let workers = chance.random_range(1..=4).to_string();
            let batch = [1, 7, 100, 1000].choose(&mut chance).expect("a size").to_string();
            eprintln!("{} messages, {workers} workers, batches of {batch}", chunk.len());
            world.drain(&["--workers", &workers, "--batch", &batch]);
        }
        assert_same(&expected, &world.dump().await);
        let proof = world.prove();
        assert_eq!((&proof["applied"], &proof["duplicates"]), (&applied, &180.into()), "{proof}");
        assert_eq!((&proof["waiting"], &proof["dead_letters"]), (&0.into(), &0.into()), "{proof}");
    }
}

/// What a generated log does not have: the same thing told several times, by events that differ.
fn retellings() -> Vec<(String, Vec<u8>)> {
    let mut csr = Csr::new();
    let (company, matched, participant, buddy) = (csr.id(), csr.id(), csr.id(), csr.id());
    let mut events = vec![csr.person(participant), csr.person(buddy), csr.matched(matched, participant, buddy)];
    for reason in ["completed", "inactivity", "other"] {
        events.push(csr.ended(matched, participant, buddy, reason));
    }
    for (name, industry) in [("First", Some("ships")), ("Second", Some("trains")), ("Third", None)] {
        let at = csr.tick();
        let data = json!({"companyId": company, "name": name, "industry": industry, "syncedAt": at});
        events.push(csr.event("company.synced", data));
    }
    for points in [3, 2, 1] {
        let reached_at = csr.tick();
        let data = json!({"milestoneId": 7, "userId": buddy, "milestoneTitle": "Steps", "milestoneCategory": "impact",
                          "reachedAt": reached_at, "points": points});
        events.push(csr.event("buddy.milestone.reached", data));
    }
    events.extend(sessions(&mut csr, participant, buddy));
    events.extend(courses(&mut csr, buddy));
    events.extend(reports(&mut csr, participant, buddy));
    events.extend(platform(&mut csr, participant, buddy));
    let message = |event: &Value| (event["type"].as_str().expect("a type").to_owned(), event.to_string().into_bytes());
    events.iter().map(message).collect()
}

/// Sessions that are scheduled for one and held with another, before and after they were rated.
fn sessions(csr: &mut Csr, one: Uuid, two: Uuid) -> Vec<Value> {
    let mut events = Vec::new();
    for number in 0..4 {
        let session = csr.id();
        events.extend([csr.scheduled(session, [one, two]), csr.rated(session, "volunteer", 0.7)]);
        events.push(csr.scheduled(session, [two, one]));
        if number % 2 == 0 {
            events.push(csr.completed(session, [one, two]));
        }
        events.extend([csr.scheduled(session, [two, one]), csr.rated(session, "participant", 0.805)]);
    }
    // Some of them name the session in the outside system, others do not.
    for (place, event) in events.iter_mut().enumerate().filter(|(place, _)| place % 3 == 0) {
        if event["type"] != "kintell.rating.created" {
            event["data"]["externalSessionId"] = json!(format!("k-{place}"));
        }
    }
    events
}

/// A course that goes back and forth, and one of which only the credential is told.
fn courses(csr: &mut Csr, person: Uuid) -> Vec<Value> {
    let course = |csr: &mut Csr, course: &str, of: &str, more: Value| {
        let mut data = json!({"userId": person, "provider": "p", "courseId": course, "courseName": csr.tick()});
        data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        csr.event(of, data)
    };
    let mut events = Vec::new();
    for (percent, status) in [(0, "enrolled"), (50, "in_progress"), (100, "completed"), (70, "in_progress")] {
        let (progress, at) = (csr.id(), csr.tick());
        let more = json!({"progressId": progress, "progressPercent": percent, "status": status, "updatedAt": at});
        events.push(course(csr, "a", "upskilling.progress.updated", more));
    }
    for name in ["a", "b"] {
        let (id, at) = (csr.id(), csr.tick());
        let more = json!({"credentialId": id, "credentialType": "badge", "issuedAt": at});
        events.push(course(csr, name, "upskilling.credential.issued", more));
    }
    for score in [80, 90] {
        let (id, at) = (csr.id(), csr.tick());
        let more = json!({"progressId": id, "completedAt": at, "finalScore": score, "credentialRef": at});
        events.push(course(csr, "c", "upskilling.course.completed", more));
    }
    events
}

/// Snapshots of enrolments and volunteering, and scores that share snippets.
fn reports(csr: &mut Csr, one: Uuid, two: Uuid) -> Vec<Value> {
    let company = csr.company;
    let mut events = Vec::new();
    for (kind, person) in [("language_course", one), ("other", one), ("buddy_program", two), ("other", two)] {
        for entry in ["x", "y"] {
            let at = csr.tick();
            let data = json!({"sourceSystem": "manual", "sourceId": entry, "userId": person, "companyId": company,
                "programType": kind, "programId": "p", "programName": "P", "enrollmentDate": at, "status": "enrolled"});
            events.push(csr.event("ingest.enrollment.created", data));
        }
        let at = csr.tick();
        let data = json!({"sourceSystem": "goodera", "sourceId": "v", "sourceTenantId": "t", "userId": person,
            "externalUserId": "e", "companyId": company, "activityName": kind, "activityType": "other",
            "hoursLogged": 1.5, "activityDate": at});
        events.push(csr.event("ingest.volunteer.logged", data));
        let data = json!({"source": "goodera", "externalId": "v", "userId": person, "companyId": company,
            "activityName": kind, "activityType": "event", "hours": 2, "activityDate": at});
        events.push(csr.event("external.volunteer.logged", data));
        let (score, text) = (csr.id(), csr.id());
        let snippets = [json!({"snippetText": kind, "snippetHash": "a".repeat(64)})];
        let data = json!({"scoreId": score, "textId": text, "textType": "checkin_note", "userId": person,
            "dimension": "belonging", "score": 0.5, "scoredAt": at, "snippets": snippets});
        events.push(csr.event("q2q.outcome.scored", data));
    }
    // The last snapshot of one entry has a row, that of the other has none.
    let at = csr.tick();
    let data = json!({"sourceSystem": "manual", "sourceId": "x", "userId": one, "companyId": company,
        "programType": "upskilling_course", "programId": "p", "programName": "P", "enrollmentDate": at,
        "status": "completed"});
    events.push(csr.event("ingest.enrollment.created", data));
    events
}

/// Programs, campaigns and placements that change; flags, consents and requests that are told of again and again.
fn platform(csr: &mut Csr, one: Uuid, two: Uuid) -> Vec<Value> {
    let [program, campaign, flag, consent, request] = [0; 5].map(|_| csr.id());
    let (company, at) = (csr.company, csr.tick());
    let raised = json!({"flagId": flag, "contentId": one, "contentType": "message", "flagReason": "other",
        "confidence": 0.5, "requiresHumanReview": true, "raisedAt": at});
    let mut events = vec![csr.event("safety.flag.raised", raised)];
    for (number, person) in [one, two, one].into_iter().enumerate() {
        let (at, template) = (csr.tick(), csr.id());
        let status = ["active", "on_hold", "completed"][number];
        let answer = ["granted", "revoked", "granted"][number];
        let told = [
            (
                "program.synced",
                json!({"programId": program, "programKey": format!("key {number}"), "name": "P",
                "programType": "buddy", "status": "paused", "syncedAt": at, "templateId": template}),
            ),
            (
                "program.campaign.synced",
                json!({"campaignId": campaign, "campaignKey": "c", "programId": program,
                "companyId": company, "name": "C", "status": "paused", "syncedAt": at, "budgetSpent": number}),
            ),
            (
                "ingest.placement.created",
                json!({"sourceSystem": "manual", "sourceId": "z", "userId": person,
                "companyId": company, "placementType": "internship", "placementDate": at, "status": status}),
            ),
            (
                "privacy.consent.changed",
                json!({"consentId": consent, "userId": person, "consentType": at,
                "status": answer, "changedAt": at}),
            ),
            (
                "privacy.request.opened",
                json!({"requestId": request, "userId": person, "requestType": "access",
                "openedAt": at}),
            ),
            (
                "privacy.request.completed",
                json!({"requestId": request, "userId": person, "requestType": "deletion",
                "completedAt": at}),
            ),
        ];
        events.extend(told.map(|(of, data)| csr.event(of, data)));
        let (review, at) = (csr.id(), csr.tick());
        let data = json!({"reviewId": review, "flagId": flag, "reviewerId": person, "decision": "escalated",
            "notes": at, "completedAt": at});
        events.push(csr.event("safety.review.completed", data));
    }
    events
}
