//! Looking after people: texts that moderation raises and somebody reviews, consents, and requests of data subjects.

use rand::Rng;
use rand::rngs::StdRng;

use super::chance::{Kind, one_of};
use super::pools::Pools;
use super::sheet::{Sheet, share_of_one};
use super::words::NOTES;
use super::world::{DAY, END, HOUR, MINUTE, Record, What, World};

/// What somebody says to a consent.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    Pending,
    Granted,
    Revoked,
}

/// Plans `left` events of moderation: flags, most of them reviewed, a few twice.
pub(super) fn moderate(world: &mut World, rng: &mut StdRng, pools: &Pools, mut left: usize) {
    let mut flag = 0;
    while left > 0 {
        let mut at = pools.early_moment(rng);
        let reviewer = pools.volunteer(rng, at);
        let mut acts = vec![(at, What::Raised(flag))];
        if rng.random_bool(0.75) {
            at += rng.random_range(10 * MINUTE..3 * DAY);
            // Some who review are no people of the platform.
            let reviewer = rng.random_bool(0.85).then_some(reviewer);
            acts.push((at, What::Reviewed { flag, reviewer, again: false }));
            if rng.random_bool(0.2) {
                at += rng.random_range(HOUR..5 * DAY);
                acts.push((at, What::Reviewed { flag, reviewer, again: true }));
            }
        }
        acts.truncate(left);
        left -= acts.len();
        for (at, what) in acts {
            world.push(rng, at, what);
        }
        flag += 1;
    }
}

/// Plans `left` changes of consents.
pub(super) fn consent(world: &mut World, rng: &mut StdRng, pools: &Pools, mut left: usize) {
    while left > 0 {
        let mut at = pools.early_moment(rng);
        let person = pools.anybody(rng, at);
        let record = world.keep(Record { person, at });
        let mut acts = Vec::with_capacity(4);
        let mut tell = |at, answer| acts.push((at, What::Consent { record, answer }));
        if rng.random_bool(0.4) {
            tell(at, Answer::Pending);
            at += rng.random_range(MINUTE..3 * DAY);
        }
        tell(at, Answer::Granted);
        if rng.random_bool(0.3) {
            at += rng.random_range(DAY..90 * DAY);
            tell(at, Answer::Revoked);
            if rng.random_bool(0.3) {
                tell(at + rng.random_range(HOUR..30 * DAY), Answer::Granted);
            }
        }
        left -= world.push_acts(rng, person, &acts, left);
    }
}

/// Plans `left` events of requests: most are completed within a month, some only later than this log.
pub(super) fn request(world: &mut World, rng: &mut StdRng, pools: &Pools, mut left: usize) {
    while left > 0 {
        let at = pools.moment(rng);
        let person = pools.anybody(rng, at);
        let record = world.keep(Record { person, at });
        world.push(rng, at, What::Asked(record));
        left -= 1;
        let completed_at = at + rng.random_range(HOUR..30 * DAY);
        if left > 0 && completed_at < END && rng.random_bool(0.8) {
            world.push(rng, completed_at, What::Answered(record));
            left -= 1;
        }
    }
}

pub(super) fn raised(world: &World, flag: u32, sheet: &mut Sheet) {
    sheet.put_id("flagId", world.chance.id(Kind::Flag, flag));
    sheet.put_id("contentId", world.chance.id(Kind::Text, flag));
    let kind = one_of(&mut sheet.rng, &["feedback_text", "checkin_note", "message", "other"]);
    sheet.put("contentType", kind);
    let reason = one_of(&mut sheet.rng, &["profanity", "pii_leakage", "pii_leakage", "hate_speech", "other"]);
    sheet.put("flagReason", reason);
    let confidence = share_of_one(&mut sheet.rng, 40);
    sheet.put("confidence", confidence);
    sheet.put("requiresHumanReview", confidence < 0.9);
    sheet.put_moment("raisedAt");
}

pub(super) fn reviewed(world: &World, flag: u32, reviewer: Option<u32>, again: bool, sheet: &mut Sheet) {
    sheet.put_id("flagId", world.chance.id(Kind::Flag, flag));
    let reviewer = reviewer
        .map_or_else(|| world.chance.id(Kind::Moderator, flag % 3), |reviewer| world.chance.id(Kind::Person, reviewer));
    sheet.put_id("reviewerId", reviewer);
    let decisions = if again { ["approved", "rejected", "rejected"] } else { ["approved", "rejected", "escalated"] };
    let decision = one_of(&mut sheet.rng, &decisions);
    sheet.put("decision", decision);
    sheet.maybe("notes", 0.5, |rng| one_of(rng, &NOTES));
    sheet.put_moment("completedAt");
}

pub(super) fn consented(world: &World, number: u32, answer: Answer, sheet: &mut Sheet) {
    let Record { person, .. } = world.records[number as usize];
    let mut shared = world.chance.rng(Kind::Record, number);
    sheet.put_id("consentId", world.chance.id(Kind::Record, number));
    sheet.put_id("userId", world.chance.id(Kind::Person, person));
    sheet.put("consentType", one_of(&mut shared, &["analytics", "research", "newsletter", "photos"]));
    let status = match answer {
        Answer::Pending => "pending",
        Answer::Granted => "granted",
        Answer::Revoked => "revoked",
    };
    sheet.put("status", status);
    sheet.put_moment("changedAt");
}

pub(super) fn requested(world: &World, number: u32, when: &'static str, sheet: &mut Sheet) {
    let Record { person, .. } = world.records[number as usize];
    let mut shared = world.chance.rng(Kind::Record, number);
    sheet.put_id("requestId", world.chance.id(Kind::Record, number));
    sheet.put_id("userId", world.chance.id(Kind::Person, person));
    sheet.put("requestType", one_of(&mut shared, &["access", "access", "portability", "deletion"]));
    sheet.put_moment(when);
}
