//! What counts for which company and day, spelled out.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    assert_counted, dated, enrollment, feedback, found, hours, milestone, rows_of, score, skill_share, snapshot,
};
use crate::support::{Csr, World};

/// Events, and the rows of the two companies that they make.
fn events(csr: &mut Csr, [one, two]: [Uuid; 2], [first, second]: [Uuid; 2]) -> Vec<Value> {
    let (matched, session, day) = (csr.id(), csr.id(), |hour: u32| format!("2026-03-02T{hour:02}:00:00Z"));
    let (campaign, program) = (csr.id(), csr.id());
    let mut events = vec![
        snapshot(csr, one, first, "2026-01-01T00:00:00Z"),
        snapshot(csr, two, second, "2026-01-01T00:00:00Z"),
        dated(csr.matched(matched, one, two), "matchedAt", &day(8)),
        dated(csr.logged(matched), "eventDate", &day(9)),
        dated(csr.checkin(matched), "checkinDate", &day(10)),
        feedback(csr, matched, "participant", 0.8, &day(11)),
        feedback(csr, matched, "buddy", 0.1, &day(12)),
        score(csr, one, 0.25, "2026-03-03T01:00:00+02:00"),
        hours(csr, "a b", one, second, 1.1, "2026-03-04T00:00:00Z"),
        // The day is UTC's.
        dated(csr.completed(session, [one, two]), "completedAt", "2026-03-03T23:30:00-01:00"),
        dated(csr.rated(session, "volunteer", 0.333_333_4), "createdAt", "2026-03-05T00:00:00Z"),
    ];
    (events[2]["data"]["campaignId"], events[2]["data"]["programId"]) = (json!(campaign), json!(program));
    (events[9]["data"]["campaignId"], events[9]["data"]["scheduledAt"]) = (json!(campaign), json!(day(23)));
    // A call that was logged is an event, the row of an online skill share below is none.
    events[3]["data"]["eventType"] = json!("video_call");
    let attended = json!({"eventId": csr.id(), "userId": two, "eventTitle": "t", "eventType": "social",
        "eventFormat": "online", "attendedAt": "2026-03-06T00:00:00Z"});
    events.push(csr.event("buddy.event.attended", attended));
    events.push(skill_share(csr, [one, two], matched, "2026-03-07T00:00:00Z"));
    events.push(milestone(csr, one, "2026-03-08T00:00:00Z"));
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn each_measure_counts_for_the_companies_whose_people_it_concerns() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let ([one, two], [first, second]) = ([csr.id(), csr.id()], [csr.id(), csr.id()]);
    let mut events = events(&mut csr, [one, two], [first, second]);
    world.publish_events(&events).await;
    let summary = world.drain(&[]);
    assert_eq!(summary["applied"], events.len(), "{summary} {:?}", world.dead_letters());
    assert_eq!(
        rows_of(&world, first).await,
        [
            "2026-03-02 -- score_count=1 score_sum=0.25",
            "2026-03-02 ++ checkins=1 enrolled_people=1 events=1 feedbacks=1 matches=1 sroi_weight=26",
            "2026-03-07 -- minutes=45 skill_shares=1 sroi_weight=15",
            "2026-03-08 -- milestones=1 sroi_weight=20",
        ]
    );
    assert_eq!(
        rows_of(&world, second).await,
        [
            "2026-03-02 ++ checkins=1 enrolled_people=1 events=1 feedbacks=1 matches=1 rating_count=1 rating_sum=0.8 \
             sroi_weight=26",
            "2026-03-04 -- minutes=66",
            "2026-03-04 +- minutes=60",
            "2026-03-05 +- rating_count=1 rating_sum=0.333333",
            "2026-03-06 -- events=1 sroi_weight=5",
            "2026-03-07 -- skill_shares=1 sroi_weight=15",
        ]
    );
    assert_counted(&world, &events).await;

    // Now both are of one company, for which each counts once.
    events.push(snapshot(&mut csr, one, second, "2026-02-01T00:00:00Z"));
    world.publish_events(&events[events.len() - 1..]).await;
    world.drain(&[]);
    assert_eq!(rows_of(&world, first).await, Vec::<String>::new());
    let both = "2026-03-02 ++ checkins=1 enrolled_people=2 events=1 feedbacks=2 matches=1 rating_count=1 \
                rating_sum=0.8 sroi_weight=34";
    assert_eq!(rows_of(&world, second).await[1], both);
    assert_counted(&world, &events).await;
    assert_eq!(world.number("select count(*) from company_days where sroi_weight = 0 and minutes = 0").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_counts_whatever_is_known_first_and_once() {
    let mut csr = Csr::new();
    let ([one, two], [first, second]) = ([csr.id(), csr.id()], [csr.id(), csr.id()]);
    let mut events = events(&mut csr, [one, two], [first, second]);
    events.push(enrollment(&mut csr, "x", one, "language_course", "1950-01-01T00:00:00Z"));
    events.push(hours(&mut csr, "late", two, first, 10_000.0, "2250-12-31T23:59:59Z"));
    let usual = World::new().await;
    usual.publish_events(&events).await;
    usual.drain(&[]);
    assert_counted(&usual, &events).await;
    let expected = found(&usual).await;

    // Children before parents, one after the other, and all of it twice.
    let world = World::new().await;
    for event in events.iter().rev().chain(&events) {
        world.publish_events(std::slice::from_ref(event)).await;
    }
    let summary = world.drain(&["--batch", "1", "--workers", "3"]);
    assert_eq!((&summary["applied"], &summary["duplicates"]), (&json!(events.len()), &json!(events.len())));
    assert_eq!(found(&world).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_has_a_new_version_when_it_differs_and_only_then() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (person, company) = (csr.id(), csr.company);
    let versions = async || {
        let rows = world.rows("select day, minutes::text as minutes, version from company_days order by version").await;
        let text = |row: &Value| format!("{} {} {}", row["day"], row["minutes"], row["version"]).replace('"', "");
        rows.iter().map(text).collect::<Vec<_>>()
    };
    let tell = async |event: Value| {
        world.publish_events(&[event]).await;
        world.drain(&[]);
    };
    tell(csr.person(person)).await;
    tell(hours(&mut csr, "e", person, company, 1.0, "2026-03-01T00:00:00Z")).await;
    assert_eq!(versions().await, ["2026-03-01 60.000000 1"]);
    tell(hours(&mut csr, "e", person, company, 1.0, "2026-03-01T12:00:00Z")).await;
    assert_eq!(versions().await, ["2026-03-01 60.000000 1"], "the same day");
    tell(hours(&mut csr, "e", person, company, 0.000_001, "2026-03-02T00:00:00Z")).await;
    let moved = versions().await;
    assert_eq!(moved.len(), 2);
    assert!(moved.contains(&"2026-03-02 0.000060 3".to_owned()) || moved.contains(&"2026-03-02 0.000060 2".to_owned()));
    assert!(moved.iter().any(|row| row.starts_with("2026-03-01 0.000000 ")), "emptied, and not deleted: {moved:?}");
    tell(csr.person(person)).await;
    assert_eq!(versions().await, moved, "another snapshot of the same company");
    tell(hours(&mut csr, "zero", person, company, 0.0, "2026-03-09T00:00:00Z")).await;
    assert_eq!(versions().await, moved, "nothing is no row");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_has_a_new_version_when_what_is_compared_by_differs() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (person, company) = (csr.id(), csr.company);
    let mut synced = |name: &str, industry: Option<&str>| {
        let at = csr.tick();
        csr.event("company.synced", json!({"companyId": company, "name": name, "industry": industry, "syncedAt": at}))
    };
    let late = synced("Late", Some("trains"));
    let told = [synced("A", None), synced("B", None), synced("B", Some("ships")), synced("C", Some("ships"))];
    let version = async || world.number("select version from companies").await;
    world.publish_events(&[csr.person(person)]).await;
    world.drain(&[]);
    let stub = version().await;
    let mut versions = Vec::new();
    for event in told.iter().chain([&late]) {
        world.publish_events(std::slice::from_ref(event)).await;
        world.drain(&[]);
        versions.push(version().await);
    }
    assert_eq!(versions[..2], [stub, stub], "the name is none of it");
    assert!(versions[2] > stub);
    assert_eq!(versions[3..], [versions[2], versions[2]], "the same again, and one that comes late");
}
