//! What outside systems report: the latest snapshot wins, in whatever order the snapshots come.

use serde_json::{Value, json};
use uuid::Uuid;

use super::orders;
use crate::support::{Csr, World};

fn enrollment(csr: &mut Csr, person: Uuid, source_id: &str, program_type: &str, status: &str) -> Value {
    let data = json!({"sourceSystem": "manual", "sourceId": source_id, "userId": person, "companyId": csr.company,
        "programType": program_type, "programId": "p", "programName": "P", "enrollmentDate": "2026-01-02T00:00:00Z",
        "completionDate": "2026-01-03T00:00:00Z", "status": status});
    csr.event("ingest.enrollment.created", data)
}

#[tokio::test(flavor = "multi_thread")]
async fn types_and_statuses_of_reported_enrolments_are_mapped() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let person = csr.id();
    let mut events = vec![csr.person(person)];
    let types = [
        ("buddy_program", json!("buddy")),
        ("certification_program", json!("upskilling")),
        ("language_course", json!("language")),
        ("mentorship_program", json!("mentorship")),
        ("other", json!(null)),
        ("upskilling_course", json!("upskilling")),
    ];
    let statuses = [
        ("enrolled", "active"),
        ("in_progress", "active"),
        ("completed", "completed"),
        ("withdrawn", "dropped"),
        ("failed", "dropped"),
    ];
    for (program_type, _) in &types {
        events.push(enrollment(&mut csr, person, program_type, program_type, "enrolled"));
    }
    for (status, _) in &statuses {
        events.push(enrollment(&mut csr, person, status, "buddy_program", status));
    }
    world.publish_events(&events).await;
    assert_eq!(world.drain(&[])["applied"], events.len());
    for (program_type, expected) in &types {
        let sql = format!("select program_type from program_enrollments where source_id = '{program_type}'");
        let rows: Vec<Value> = world.rows(&sql).await.iter().map(|row| row["program_type"].clone()).collect();
        assert_eq!(rows, expected.as_str().map(|name| json!(name)).into_iter().collect::<Vec<_>>(), "{program_type}");
    }
    for (status, expected) in statuses {
        let sql = format!(
            "select status, completed_at is not null as ended from program_enrollments where source_id = '{status}'"
        );
        let expected = json!({"status": expected, "ended": expected == "completed"});
        assert_eq!(world.rows(&sql).await, [expected], "{status}");
    }
    assert_eq!(world.number("select count(*) from program_enrollments").await, 10, "nothing is derived from a report");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_every_order_the_latest_snapshot_of_an_enrolment_wins_also_when_it_has_no_row() {
    for run in [&["--batch", "1"][..], &["--batch", "1000"], &["--workers", "4", "--batch", "5"]] {
        let world = World::new().await;
        let mut csr = Csr::new();
        let (person, other) = (csr.id(), csr.id());
        let mut events = vec![csr.person(person), csr.person(other)];
        for order in orders(3) {
            let name = format!("{order:?}");
            let (gone, stays) = (format!("gone {name}"), format!("stays {name}"));
            let snapshots = [
                [("language_course", "enrolled"), ("buddy_program", "completed"), ("other", "enrolled")],
                [("language_course", "enrolled"), ("other", "completed"), ("upskilling_course", "failed")],
            ];
            for (source_id, snapshots) in [gone, stays].iter().zip(snapshots) {
                let told: Vec<Value> = snapshots
                    .iter()
                    .zip([person, person, other])
                    .map(|((of, status), person)| enrollment(&mut csr, person, source_id, of, status))
                    .collect();
                events.extend(order.iter().map(|place| told[*place].clone()));
            }
        }
        world.publish_events(&events).await;
        assert_eq!(world.drain(run)["applied"], events.len());
        let rows =
            "select distinct user_id, program_type, status, completed_at, split_part(source_id, ' ', 1) as source
            from program_enrollments";
        let expected = json!({"user_id": other, "program_type": "upskilling", "status": "dropped", "completed_at": null,
            "source": "stays"});
        assert_eq!(world.rows(rows).await, [expected], "{run:?}");
        assert_eq!(world.number("select count(*) from program_enrollments").await, 6, "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_volunteering_is_one_in_whichever_form_it_is_told() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (person, company) = (csr.id(), csr.company);
    let mut events = vec![csr.person(person)];
    for order in orders(3) {
        let id = format!("{order:?}");
        let new = |hours: f64| {
            json!({"sourceSystem": "benevity", "sourceId": id, "sourceTenantId": "t", "userId": person,
                "externalUserId": "x", "companyId": company, "activityName": "n", "activityType": "other",
                "hoursLogged": hours, "activityDate": "2026-01-02T00:00:00Z", "verified": true})
        };
        let old = json!({"source": "benevity", "externalId": id, "userId": person, "companyId": company,
            "activityName": "n", "activityType": "event", "hours": 2, "activityDate": "2026-01-02T00:00:00Z"});
        let told = [
            csr.event("ingest.volunteer.logged", new(1.0)),
            csr.event("external.volunteer.logged", old),
            csr.event("ingest.volunteer.logged", new(0.0)),
        ];
        events.extend(order.iter().map(|place| told[*place].clone()));
    }
    world.publish_events(&events).await;
    assert_eq!(world.drain(&["--batch", "1"])["applied"], events.len());
    let rows = world.rows("select distinct hours, activity_type, verified from volunteering").await;
    assert_eq!(rows, [json!({"hours": 0, "activity_type": "other", "verified": true})]);
    assert_eq!(world.number("select count(*) from volunteering").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_every_order_the_latest_snapshot_of_a_placement_wins_and_all_whom_it_named_are_known() {
    for run in [&["--batch", "1"][..], &["--batch", "1000"], &["--workers", "4", "--batch", "5"]] {
        let world = World::new().await;
        let mut csr = Csr::new();
        let (person, other) = (csr.id(), csr.id());
        let mut events = vec![csr.person(person), csr.person(other)];
        for order in orders(3) {
            let id = format!("{order:?}");
            let told: Vec<Value> = [(person, "active"), (person, "on_hold"), (other, "completed")]
                .iter()
                .map(|(person, status)| {
                    let data = json!({"sourceSystem": "job_board", "sourceId": id, "userId": person,
                        "companyId": csr.company, "placementType": "job_placement",
                        "placementDate": "2026-01-02T00:00:00Z", "status": status, "mentorId": csr.company});
                    csr.event("ingest.placement.created", data)
                })
                .collect();
            events.extend(order.iter().map(|place| told[*place].clone()));
        }
        world.publish_events(&events).await;
        assert_eq!(world.drain(run)["applied"], events.len(), "{run:?}");
        let rows = world.rows("select distinct user_id, status, placement_type from placements").await;
        let expected = json!({"user_id": other, "status": "completed", "placement_type": "job_placement"});
        assert_eq!(rows, [expected], "{run:?}");
        assert_eq!(world.number("select count(*) from placements").await, 6, "{run:?}");
        assert_eq!(world.number("select count(*) from placement_people").await, 12, "{run:?}");
    }
}
