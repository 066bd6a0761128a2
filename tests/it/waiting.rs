//! Events that refer to what does not exist yet: stored, acknowledged, shown, and projected once it does.

mod listed;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Csr, World};

/// What is waited for, as `entity key`.
async fn waited_for(world: &World) -> Vec<String> {
    let rows = world.rows("select entity || ' ' || key as wanted from waiting_events order by 1").await;
    rows.iter().map(|row| row["wanted"].as_str().expect("a text").to_owned()).collect()
}

fn sorted(mut wanted: Vec<String>) -> Vec<String> {
    wanted.sort();
    wanted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_event_is_stored_and_acknowledged_and_stays_until_its_parent_comes() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (matched, participant, buddy) = (csr.id(), csr.id(), csr.id());
    world.publish_events(&[csr.person(participant), csr.person(buddy)]).await;
    let checkin = csr.checkin(matched);
    world.publish_events(std::slice::from_ref(&checkin)).await;
    for restart in 0..3 {
        let summary = world.drain(&[]);
        assert_eq!((&summary["waiting_total"], &summary["dead_letters"]), (&1.into(), &0.into()), "start {restart}");
        assert_eq!(waited_for(&world).await, [format!("match {matched}")]);
        assert_eq!(world.number("select count(*) from event_log where processed_at is null").await, 1);
        assert_eq!(world.number("select count(*) from buddy_checkins").await, 0);
        let consumer = world.consumer().await;
        assert_eq!((consumer.num_ack_pending, consumer.ack_floor.stream_sequence), (0, 3), "acknowledged");
    }
    let proof = world.prove();
    assert_eq!((&proof["waiting"], &proof["applied"], &proof["missing"]), (&1.into(), &2.into(), &0.into()));
    assert!(world.dead_letters().is_empty());

    let running = world.start(&["--only", "project"]);
    running.readiness(200); // what waits is no trouble
    // The same event again is a duplicate, of one that waits too.
    world.publish_events(std::slice::from_ref(&checkin)).await;
    world.publish_events(&[csr.matched(matched, participant, buddy)]).await;
    world.reaches("select count(*) from buddy_checkins", |checkins| checkins == 1);
    assert_eq!(world.number("select count(*) from waiting_events").await, 0);
    assert_eq!(world.number("select count(*) from event_log where processed_at is null").await, 0);
    running.kill();
    let proof = world.prove();
    assert_eq!((&proof["waiting"], &proof["applied"], &proof["duplicates"]), (&0.into(), &4.into(), &1.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_waiting_events_is_a_metric() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (matched, participant, buddy) = (csr.id(), csr.id(), csr.id());
    world.publish_events(&[csr.checkin(matched), csr.matched(matched, participant, buddy)]).await;
    let running = world.start(&[]);
    let metric = |name: &str, labels: &str, wanted: f64| {
        crate::support::eventually(name, || {
            ((running.metric(name, labels) - wanted).abs() < f64::EPSILON).then_some(())
        });
    };
    metric("milepost_waiting_events", "", 2.0);
    metric("milepost_events_total", "result=\"waiting\"", 2.0);
    world.publish_events(&[csr.person(participant), csr.person(buddy)]).await;
    metric("milepost_waiting_events", "", 0.0);
    metric("milepost_events_total", "result=\"released\"", 2.0);
    metric("milepost_events_total", "result=\"applied\"", 2.0);
    running.kill();
}

/// One event, what it waits for, and rows that it makes.
struct Case {
    event: Value,
    wants: Vec<String>,
    rows: &'static str,
}

/// What refers to people outside of the buddy programme.
fn elsewhere(csr: &mut Csr, [one, two]: [Uuid; 2]) -> Vec<Case> {
    let at = csr.tick();
    let learned = |more: Value| {
        let mut data = json!({"userId": one, "provider": "p", "courseId": one, "courseName": "c"});
        data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        data
    };
    let progress = learned(json!({"progressId": one, "progressPercent": 1, "status": "enrolled", "updatedAt": at}));
    let completion = learned(json!({"progressId": one, "completedAt": at}));
    let credential = learned(json!({"credentialId": one, "credentialType": "badge", "issuedAt": at}));
    let company = csr.company;
    let score = json!({"scoreId": csr.id(), "textId": csr.id(), "textType": "checkin_note", "userId": one,
                       "dimension": "belonging", "score": 0, "scoredAt": at});
    let enrollment = json!({"sourceSystem": "manual", "sourceId": one, "userId": one, "companyId": company,
                            "programType": "language_course", "programId": "p", "programName": "n",
                            "enrollmentDate": at, "status": "enrolled"});
    let hours = json!({"sourceSystem": "manual", "sourceId": one, "sourceTenantId": "t", "userId": one,
                       "externalUserId": "e", "companyId": company, "activityName": "n", "activityType": "other",
                       "hoursLogged": 1, "activityDate": at});
    let older = json!({"source": "workday", "externalId": one, "userId": one, "companyId": company,
                       "activityName": "n", "activityType": "other", "hours": 1, "activityDate": at});
    let (planned, held) = (csr.id(), csr.id());
    let of_both = |event| {
        let wants = vec![format!("person {one}"), format!("person {two}")];
        Case { event, wants, rows: "kintell_sessions" }
    };
    let mut cases = vec![of_both(csr.scheduled(planned, [one, two])), of_both(csr.completed(held, [one, two]))];
    let mut case = |event_type, data, rows| Case {
        event: csr.event(event_type, data),
        wants: vec![format!("person {one}")],
        rows,
    };
    cases.extend([
        case("upskilling.progress.updated", progress, "learning_progress"),
        case("upskilling.course.completed", completion, "learning_progress"),
        case("upskilling.credential.issued", credential, "learning_progress"),
        case("q2q.outcome.scored", score, "outcome_scores"),
        case("ingest.enrollment.created", enrollment, "enrollment_reports"),
        case("ingest.volunteer.logged", hours, "volunteering"),
        case("external.volunteer.logged", older, "volunteering"),
    ]);
    cases
}

/// Every kind of reference. People and matches are named, none exists.
fn cases(csr: &mut Csr, [one, two]: [Uuid; 2], matched: Uuid) -> Vec<Case> {
    let (person, pair) = (format!("person {one}"), format!("match {matched}"));
    let both = || vec![person.clone(), format!("person {two}")];
    let all = || [both(), vec![pair.clone()]].concat();
    let at = csr.tick();
    let mut share = |more: Value| {
        let mut data = json!({"sessionId": csr.id(), "skillId": 3, "skillName": "Baking", "teacherId": one,
                              "learnerId": two, "completedAt": at});
        data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        csr.event("buddy.skill_share.completed", data)
    };
    let shares = [
        share(json!({"matchId": matched, "format": "online"})),
        share(json!({"matchId": matched, "format": "in-person"})),
        share(json!({"matchId": matched})),
        share(json!({"format": "online"})),
    ];
    let mut attended = |more: Option<Uuid>| {
        let data = json!({"eventId": csr.id(), "userId": one, "matchId": more, "eventTitle": "A walk",
                          "eventType": "social", "eventFormat": "hybrid", "attendedAt": at});
        csr.event("buddy.event.attended", data)
    };
    let attendances = [attended(Some(matched)), attended(None)];
    let milestone = json!({"milestoneId": 7, "userId": one, "milestoneTitle": "First steps",
                           "milestoneCategory": "onboarding", "reachedAt": at, "points": 5});
    let feedback =
        json!({"feedbackId": csr.id(), "matchId": matched, "fromRole": "buddy", "rating": 0.5, "submittedAt": at});
    let [online, in_person, no_format, no_match] = shares;
    let [attended_in_match, attended_alone] = attendances;
    let case = |event, wants, rows| Case { event, wants, rows };
    let mut cases = elsewhere(csr, [one, two]);
    cases.extend([
        case(csr.matched(matched, one, two), both(), "buddy_matches"),
        case(csr.ended(matched, one, two, "other"), vec![pair.clone()], "buddy_matches where status = 'ended'"),
        case(csr.logged(matched), vec![pair.clone()], "buddy_events where event_type = 'hangout'"),
        case(csr.checkin(matched), vec![pair.clone()], "buddy_checkins"),
        case(csr.event("buddy.feedback.submitted", feedback), vec![pair.clone()], "buddy_feedback"),
        case(
            csr.event("buddy.milestone.reached", milestone),
            vec![person.clone()],
            "journey_milestones where milestone like 'buddy:%'",
        ),
        case(online, all(), "kintell_sessions"),
        case(in_person, both(), "kintell_sessions"),
        case(no_format, both(), "kintell_sessions"),
        case(no_match, both(), "kintell_sessions"),
        case(attended_in_match, vec![person.clone(), pair.clone()], "buddy_events where user_id is not null"),
        case(attended_alone, vec![person.clone()], "buddy_events where user_id is not null"),
    ]);
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_reference_is_waited_for_and_released_by_the_last_of_them() {
    let world = World::new().await;
    let mut csr = Csr::new();
    for number in 0..21 {
        let (people, matched) = ([csr.id(), csr.id()], csr.id());
        let case = cases(&mut csr, people, matched).remove(number);
        let name = case.event.to_string();
        let count = format!("select count(*) from {}", case.rows);
        let before = world.number(&count).await;
        world.publish_events(std::slice::from_ref(&case.event)).await;
        world.drain(&[]);
        assert_eq!(waited_for(&world).await, sorted(case.wants.clone()), "{name}");
        // One parent after the other: only what is still missing is waited for, and only the last one releases.
        let mut parents = vec![csr.person(people[0]), csr.person(people[1])];
        if case.event["type"] != "buddy.match.created" {
            parents.push(csr.matched(matched, people[0], people[1]));
        }
        for parent in parents {
            if !waited_for(&world).await.is_empty() {
                assert_eq!(world.number(&count).await, before, "not yet: {name}");
            }
            world.publish_events(&[parent]).await;
            world.drain(&[]);
        }
        assert_eq!(waited_for(&world).await, Vec::<String>::new(), "{name}");
        assert_eq!(world.number(&count).await, before + 1, "{name}");
        assert_eq!(world.number("select count(*) from event_log where processed_at is null").await, 0, "{name}");
    }
    assert!(world.dead_letters().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_arrives_backwards_is_projected_to_its_end() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (matched, participant, buddy) = (csr.id(), csr.id(), csr.id());
    let mut chain = vec![csr.person(participant), csr.person(buddy), csr.matched(matched, participant, buddy)];
    chain.extend([csr.checkin(matched), csr.ended(matched, participant, buddy, "completed")]);
    for event in chain.iter().rev() {
        world.publish_events(std::slice::from_ref(event)).await;
        world.drain(&[]);
    }
    assert_eq!(world.number("select count(*) from waiting_events").await, 0);
    assert_eq!(world.number("select count(*) from buddy_checkins").await, 1);
    assert_eq!(world.number("select count(*) from program_enrollments where status = 'completed'").await, 2);
    assert_eq!(world.prove()["applied"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_takes_their_csr_id_releases_what_waited_for_it() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (matched, participant, buddy) = (csr.id(), csr.id(), csr.id());
    let told = csr.person(participant);
    let company = csr.company;
    let at_first = json!({"externalId": "o-1", "source": "okta", "companyId": company, "action": "created",
        "user": {"externalUserId": "o-1", "email": told["data"]["email"], "firstName": "Ada", "lastName": "Byron"}});
    let by_mail = csr.event("external.user.synced", at_first);
    world.publish_events(&[by_mail, csr.person(buddy), csr.matched(matched, participant, buddy)]).await;
    world.drain(&[]);
    assert_eq!(waited_for(&world).await, [format!("person {participant}")], "the e-mail alone is no CSR id");
    world.publish_events(&[told]).await;
    assert_eq!(world.drain(&[])["released"], 1);
    assert_eq!(world.number("select count(*) from users").await, 2, "nobody was made twice");
    assert_eq!(world.number("select count(*) from buddy_matches").await, 1);
}
