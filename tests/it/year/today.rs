//! One chapter more, of these days: some flags hold for a while only.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::story::{Year, id};
use crate::support::World;

/// Cleo gets another buddy forty days ago, and they talked yesterday. Whom nobody has heard of for fourteen days needs
/// somebody who asks: not these two. Both should say how it is going: the match is older than thirty days, and that can be
/// said for sixty. Bo has not talked to Fay since October 2025, whatever he did with Cleo.
pub(super) async fn today(world: &World, year: &mut Year) {
    let now = DateTime::from_timestamp_micros(Utc::now().timestamp_micros()).expect("a time");
    let ago = |days: i64| (now - TimeDelta::days(days)).to_rfc3339_opts(SecondsFormat::Micros, true);
    year.on(&ago(40), "buddy.match.created", "matchedAt").with(json!({
        "matchId": id("Cleo+Bo again"), "participantId": id("Cleo"), "buddyId": id("Bo")}));
    year.on(&ago(1), "buddy.checkin.completed", "checkinDate").with(json!({
        "checkinId": id("talk yesterday"), "matchId": id("Cleo+Bo again"), "mood": "good"}));
    world.publish_events(&year.take()).await;
    world.drain_all(&[]);

    let mut expected = vec![
        flag("Cleo", "buddy_match_active", ago(40), None),
        flag("Cleo", "buddy_active", ago(1), None),
        flag("Cleo", "buddy_feedback_pending", ago(10), Some(ago(-50))),
        flag("Cleo", "language_support_needed", "2025-11-06T10:00:00.000000Z".into(), None),
        flag("Bo", "buddy_match_active", "2025-10-08T10:00:00.000000Z".into(), None),
        flag("Bo", "buddy_checkin_due", "2025-10-16T10:00:00.000000Z".into(), None),
        flag("Bo", "buddy_active", ago(1), None),
        flag("Bo", "buddy_feedback_pending", ago(10), Some(ago(-50))),
    ];
    expected.sort_unstable_by_key(ToString::to_string);
    let written = "to_char({} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
    let (since, until) = (written.replace("{}", "set_at"), written.replace("{}", "expires_at"));
    let sql = format!(
        "select user_id, flag, {since} as since, {until} as until from journey_flags where user_id in ('{}', '{}')",
        id("Cleo"),
        id("Bo")
    );
    let mut flags = world.rows(&sql).await;
    flags.sort_unstable_by_key(ToString::to_string);
    assert_eq!(flags, expected);
}

fn flag(name: &str, flag: &str, since: String, until: Option<String>) -> Value {
    json!({"user_id": id(name), "flag": flag, "since": since, "until": until})
}
