//! A quarter calculated by hand.

use serde_json::{Value, json};
use uuid::Uuid;

use super::periods::{assert_periods, campaign, found, placement};
use super::{dated, feedback, hours, milestone, score, skill_share, snapshot};
use crate::support::{Csr, World};

/// What two people of one company do in the first quarter of 2026, and one score in the quarter before.
fn events(csr: &mut Csr, [one, two]: [Uuid; 2], company: Uuid) -> Vec<Value> {
    let (matched, session) = (csr.id(), csr.id());
    let mut events = vec![
        snapshot(csr, one, company, "2025-01-01T00:00:00Z"),
        snapshot(csr, two, company, "2025-01-01T00:00:00Z"),
        dated(csr.matched(matched, one, two), "matchedAt", "2026-01-10T00:00:00Z"),
        dated(csr.logged(matched), "eventDate", "2026-01-11T00:00:00Z"),
        dated(csr.checkin(matched), "checkinDate", "2026-01-12T00:00:00Z"),
        feedback(csr, matched, "participant", 0.8, "2026-01-13T00:00:00Z"),
        feedback(csr, matched, "buddy", 0.1, "2026-01-14T00:00:00Z"),
        dated(csr.completed(session, [one, two]), "completedAt", "2026-02-02T00:00:00Z"),
        dated(csr.rated(session, "participant", 0.6), "createdAt", "2026-02-03T00:00:00Z"),
        hours(csr, "h", one, company, 248.5, "2026-03-31T23:59:59Z"),
        score(csr, one, 0.4, "2025-12-31T23:59:59Z"),
        score(csr, one, 0.5, "2026-01-01T00:00:00Z"),
        score(csr, one, 0.7, "2026-03-01T00:00:00Z"),
        placement(csr, "p", one, ["job_placement", "active"], "2026-03-15T00:00:00Z"),
    ];
    events[7]["data"]["durationMinutes"] = json!(75);
    events[12]["data"]["dimension"] = json!("lang_level_proxy");
    events.push(skill_share(csr, [two, one], matched, "2026-02-01T00:00:00Z"));
    events.push(milestone(csr, one, "2026-02-05T00:00:00Z"));
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarter_is_what_one_gets_by_hand() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let ([one, two], company) = ([csr.id(), csr.id()], csr.company);
    let mut told = events(&mut csr, [one, two], company);
    let tell = async |told: &mut Vec<Value>, events: Vec<Value>| {
        world.publish_events(&events).await;
        world.drain(&[]);
        told.extend(events);
        assert_periods(&world, told).await;
        found(&world).await.into_iter().filter(|(key, _)| key.0 == company).map(|(key, row)| (key.1, row)).collect()
    };
    let expected = |rows: &[(&str, &str)]| -> Vec<(String, String)> {
        rows.iter().map(|(period, row)| ((*period).to_owned(), (*row).to_owned())).collect()
    };
    let events = std::mem::take(&mut told);
    let rows: Vec<(String, String)> = tell(&mut told, events).await;
    // Participants 1, volunteers 1; sessions: the skill share and the event logged, not the row of the call.
    // Hours: (75 + 45) / 60 + 248.5 = 250.5, half up 251.
    // VIS: hours 30 × 0.2505 = 7.515; quality 30 × (0.8 + 0.6) / 2 = 21, without what the buddy said; lift
    //   25 × ((0.5 + 0.7) / 2 − 0.4) = 5; placement 15 × 1 of 2 people enrolled = 7.5; together 41.015, half up 41.02.
    // SROI: match 10 + event 5 + check-in 3 + feedback 8 + 8 + skill share 15 + milestone 20 = 69, by 3 × 1500: 0.0153.
    let before = ("2025-Q4", "0 0 0 0.400 - - 0.00 0.00 0 450000");
    assert_eq!(rows, expected(&[before, ("2026-Q1", "1 1 2 0.500 0.700 - 0.02 41.02 251 450000")]));

    // 276.00 between 2 March and 30 April, 60 days, of which 30 are in March: 138.00, and 69 / 138 = 0.50. A campaign
    // without dates spent nothing.
    let spring = csr.id();
    let undated = csr.id();
    let campaigns = vec![
        campaign(&mut csr, spring, company, 27_600, Some(["2026-03-02", "2026-04-30"])),
        campaign(&mut csr, undated, company, 1_000_000, None),
    ];
    let rows = tell(&mut told, campaigns).await;
    assert_eq!(rows, expected(&[before, ("2026-Q1", "1 1 2 0.500 0.700 - 0.50 41.02 251 13800")]));

    // Told anew: it was in April only. And then the placement came to nothing: 7.5 points less.
    let corrected = vec![campaign(&mut csr, spring, company, 27_600, Some(["2026-04-01", "2026-04-30"]))];
    let rows = tell(&mut told, corrected).await;
    assert_eq!(rows, expected(&[before, ("2026-Q1", "1 1 2 0.500 0.700 - 0.02 41.02 251 450000")]));
    let corrected = vec![placement(&mut csr, "p", one, ["job_placement", "terminated"], "2026-03-15T00:00:00Z")];
    let rows = tell(&mut told, corrected).await;
    assert_eq!(rows, expected(&[before, ("2026-Q1", "1 1 2 0.500 0.700 - 0.02 33.52 251 450000")]));

    // A late score raises the quarter before, (0.4 + 0.9) / 2 = 0.65, above this one: no lift, 5 points less.
    let late = vec![score(&mut csr, two, 0.9, "2025-10-01T00:00:00Z")];
    let rows = tell(&mut told, late).await;
    let before = ("2025-Q4", "0 0 0 0.650 - - 0.00 0.00 0 450000");
    assert_eq!(rows, expected(&[before, ("2026-Q1", "1 1 2 0.500 0.700 - 0.02 28.52 251 450000")]));

    // And the buddy was of another company all the time: sessions of theirs, and what they gave, is that one's. Left are
    // 248.5 hours, half up 249: 7.455 points. Whatever concerns the participant is still here: 69 − 8 = 61 by 4500.
    let other = csr.id();
    let moved = vec![
        snapshot(&mut csr, two, other, "2024-01-01T00:00:00Z"),
        snapshot(&mut csr, two, other, "2025-02-01T00:00:00Z"),
    ];
    let rows = tell(&mut told, moved).await;
    // Lift again 5 points: the late score is the other company's, too.
    let before = ("2025-Q4", "0 0 0 0.400 - - 0.00 0.00 0 450000");
    assert_eq!(rows, expected(&[before, ("2026-Q1", "1 0 2 0.500 0.700 - 0.01 12.46 249 450000")]));
}
