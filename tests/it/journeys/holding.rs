//! Each flag in small histories around now, and what late and future events do to it.

use chrono::TimeDelta;

use super::life::{Life, ago, flag, reached};
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn readiness_for_a_mentor_comes_and_goes_with_ratings() {
    let world = World::new().await;
    let mut life = Life::new();
    let moments = [ago(40.0), ago(30.0), ago(20.0)];
    let sessions = moments.map(|moment| life.session(moment));
    life.judged(&world).await;
    assert_eq!(flag(&world, life.ada, "mentor_ready").await, None, "nobody has rated yet");
    let ready = ago(19.0);
    life.rated(sessions[0], 0.8, ready);
    life.judged(&world).await;
    assert_eq!(flag(&world, life.ada, "mentor_ready").await, Some((ready, None)), "0.80 is enough");
    assert_eq!(flag(&world, life.bob, "mentor_ready").await, None, "only participants are");

    life.rated(sessions[1], 0.79, ago(10.0));
    life.judged(&world).await;
    assert_eq!(flag(&world, life.ada, "mentor_ready").await, None, "the mean is below 0.80");
    assert_eq!(reached(&world, life.ada, "mentor_ready").await, Some(ready), "what was reached stays");

    let again = ago(5.0);
    life.rated(sessions[2], 0.81, again);
    life.judged(&world).await;
    assert_eq!(flag(&world, life.ada, "mentor_ready").await, Some((again, None)), "since it became true last");
    // Exactly 0.80 again, but told late: it was never below.
    life.rated(sessions[2], 0.99, ago(18.0));
    life.judged(&world).await;
    assert_eq!(flag(&world, life.ada, "mentor_ready").await, Some((ready, None)));
}

#[tokio::test(flavor = "multi_thread")]
async fn late_events_correct_the_past() {
    let world = World::new().await;
    let mut life = Life::new();
    life.matched(ago(100.0));
    let dates = [50.0, 49.0, 48.0, 47.0, 46.0, 45.0, 44.0, 3.0, 2.0, 1.0].map(ago);
    for date in dates {
        life.logged(date);
    }
    life.judged(&world).await;
    assert_eq!(reached(&world, life.ada, "buddy_10_events").await, Some(dates[9]));
    assert_eq!(flag(&world, life.ada, "buddy_active").await, Some((dates[7], None)));
    // An event between the two stretches of activity makes them one, and the tenth event is an earlier one.
    life.logged(ago(25.0));
    life.judged(&world).await;
    assert_eq!(reached(&world, life.bob, "buddy_10_events").await, Some(dates[8]));
    assert_eq!(flag(&world, life.ada, "buddy_active").await, Some((dates[0], None)));
    // Another match before and after: the first one is earlier now, and the person has had one without a gap.
    let (matched, first) = (std::mem::replace(&mut life.matched, uuid::Uuid::new_v4()), ago(200.0));
    life.matched(first).ended(ago(60.0));
    life.judged(&world).await;
    assert_eq!(flag(&world, life.bob, "buddy_match_active").await, Some((first, None)));
    assert_eq!(reached(&world, life.bob, "first_buddy_match").await, Some(first));
    life.matched = matched;
    life.ended(ago(0.5));
    life.judged(&world).await;
    assert_eq!(flag(&world, life.bob, "buddy_match_active").await, None);
    assert_eq!(flag(&world, life.bob, "buddy_active").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_is_pending_for_sixty_days_per_side() {
    let world = World::new().await;
    let mut life = Life::new();
    let (begin, day) = (ago(35.0), TimeDelta::days(1));
    life.matched(begin);
    life.judged(&world).await;
    let pending = Some((begin + day * 30, Some(begin + day * 90)));
    assert_eq!(flag(&world, life.ada, "buddy_feedback_pending").await, pending);
    // A second match that ended early: the earliest begin, the last expiry.
    let second = uuid::Uuid::new_v4();
    let first = std::mem::replace(&mut life.matched, second);
    let end = ago(2.0);
    life.matched(ago(10.0)).ended(end);
    life.judged(&world).await;
    let both = Some((begin + day * 30, Some(end + day * 60)));
    assert_eq!(flag(&world, life.bob, "buddy_feedback_pending").await, both);
    life.feedback("buddy", ago(1.0));
    life.judged(&world).await;
    assert_eq!(flag(&world, life.bob, "buddy_feedback_pending").await, pending, "one side, one match");
    assert_eq!(flag(&world, life.ada, "buddy_feedback_pending").await, both);
    life.matched = first;
    life.feedback("buddy", ago(20.0)).feedback("participant", ago(0.1));
    life.judged(&world).await;
    assert_eq!(flag(&world, life.bob, "buddy_feedback_pending").await, None, "given before it was pending");
    assert_eq!(flag(&world, life.ada, "buddy_feedback_pending").await, Some((end, Some(end + day * 60))));
    // 60 days are over.
    life.matched = uuid::Uuid::new_v4();
    life.matched(ago(200.0)).ended(ago(60.1));
    life.judged(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checkins_and_quiet_times_are_counted_from_what_happened_last() {
    let world = World::new().await;
    let mut life = Life::new();
    let begin = ago(6.9);
    life.matched(begin);
    life.judged(&world).await;
    assert_eq!(flag(&world, life.ada, "buddy_checkin_due").await, None);
    let second = uuid::Uuid::new_v4();
    let first = std::mem::replace(&mut life.matched, second);
    let begin = ago(30.0);
    life.matched(begin).checkin(ago(20.0));
    life.judged(&world).await;
    let due = flag(&world, life.ada, "buddy_checkin_due").await.expect("it is due");
    assert!(due.0 > begin + TimeDelta::days(16) && due.1.is_none(), "{due:?}");
    life.checkin(ago(7.1));
    life.judged(&world).await;
    life.checkin(ago(1.0));
    life.judged(&world).await;
    assert_eq!(flag(&world, life.bob, "buddy_checkin_due").await, None);
    // A check-in told late does not move what a later one says.
    life.checkin(ago(12.0));
    life.matched = first;
    life.ended(ago(0.1));
    life.judged(&world).await;

    // Quiet: a course begun 20 days ago; every activity counts, of whatever kind.
    let mut life = Life::new();
    let begin = ago(20.0);
    life.course("in_progress", begin);
    life.judge_alone().await;
    life.score(0.3, ago(10.0));
    life.judge_alone().await;
    life.course("dropped", ago(15.0));
    life.judge_alone().await;
    life.course("enrolled", ago(14.1)).score(0.5, ago(9.0));
    life.judge_alone().await;
    life.score(0.49, ago(9.5)).score(0.2, ago(-1.0));
    life.judge_alone().await;
}

impl Life {
    /// Judged in a world that has heard all of it at once.
    async fn judge_alone(&mut self) {
        let world = World::new().await;
        self.take();
        world.publish_events(self.told()).await;
        world.drain(&[]);
        self.judge(&world).await;
    }
}
