//! Trouble of the database is no fault of an event: it is waited for, and nothing becomes a dead letter.

use super::with_a_match;
use crate::support::{Csr, World, eventually};

/// Every insert fails with this SQLSTATE until the trigger is gone.
fn failing(sqlstate: &str) -> String {
    format!(
        "create or replace function fail() returns trigger language plpgsql as $$
         begin raise exception 'out of order' using errcode = '{sqlstate}'; end $$;
         create trigger fail before insert on buddy_checkins execute function fail()"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_infrastructure_is_waited_for_and_makes_no_dead_letter() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let match_id = with_a_match(&world, &mut csr).await;
    let service = world.start(&[]);
    let applied = || service.metric("milepost_events_total", "applied");
    let mut expected = 0.0;
    // The last ones pass of themselves as a rule, so they are tried again without an alarm.
    for (sqlstate, is_lasting) in [
        ("53100", true),
        ("57014", true),
        ("25006", true),
        ("58030", true),
        ("XX000", true),
        ("40001", false),
        ("40P01", false),
    ] {
        world.execute(&failing(sqlstate)).await;
        world.publish_events(&[csr.checkin(match_id), csr.checkin(match_id)]).await;
        let cause = if is_lasting { "unavailable" } else { "contended" };
        let tried = service.metric("milepost_batch_retries_total", cause);
        eventually(sqlstate, || (service.metric("milepost_batch_retries_total", cause) >= tried + 2.0).then_some(()));
        if is_lasting {
            eventually("it is not ready", || (service.get("/readyz").0 == 503).then_some(()));
        }
        assert_eq!(service.get("/healthz").0, 200, "{sqlstate}: alive all the time");
        world.execute("drop trigger fail on buddy_checkins").await;
        expected += 2.0;
        eventually(sqlstate, || (applied() >= expected).then_some(()));
        eventually("it is ready again", || (service.get("/readyz").0 == 200).then_some(()));
    }
    drop(service);
    assert!(world.dead_letters().is_empty());
    assert_eq!(world.number("select count(*) from buddy_checkins").await, 14);
    assert_eq!(world.drain(&[])["dead_letters"], 0);
    assert_eq!(world.prove()["applied"], 17);
}
