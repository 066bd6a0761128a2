//! The `data` of what happens to a match, field by field as the contract has it.

use rand::Rng;
use serde_json::{Value, json};

use super::chance::{Kind, one_of};
use super::payload::{put_program, some_of};
use super::sheet::{Sheet, share_of_one};
use super::words::{FAREWELLS, INTERESTS, LANGUAGES, NOTES, OUTINGS, PLACES};
use super::world::{DAY, World};

fn put_pair(world: &World, pairing: u32, sheet: &mut Sheet) {
    let pair = &world.pairings[pairing as usize];
    sheet.put_id("matchId", world.chance.id(Kind::Match, pairing));
    sheet.put_id("participantId", world.chance.id(Kind::Person, pair.participant));
    sheet.put_id("buddyId", world.chance.id(Kind::Person, pair.buddy));
}

pub(super) fn matched(world: &World, pairing: u32, sheet: &mut Sheet) {
    put_pair(world, pairing, sheet);
    sheet.put_moment("matchedAt");
    sheet.maybe("matchingCriteria", 0.7, |rng| {
        json!({
            "language": one_of(rng, &LANGUAGES),
            "interests": some_of(rng, &INTERESTS),
            "location": one_of(rng, &PLACES),
        })
    });
    put_program(world, world.pairings[pairing as usize].buddy, sheet);
}

pub(super) fn ended(world: &World, pairing: u32, sheet: &mut Sheet) {
    const REASONS: [&str; 10] = [
        "completed",
        "completed",
        "completed",
        "participant_request",
        "buddy_request",
        "mutual_agreement",
        "inactivity",
        "violation",
        "program_ended",
        "other",
    ];
    put_pair(world, pairing, sheet);
    let ended_at = sheet.put_moment("endedAt");
    let lasted = ended_at - world.pairings[pairing as usize].matched_at;
    sheet.put("duration", (lasted / DAY).max(1));
    let reason = one_of(&mut sheet.rng, &REASONS);
    sheet.put("reason", reason);
    sheet.maybe("reasonDetails", 0.4, |rng| one_of(rng, &FAREWELLS));
    sheet.maybe("sessionsCompleted", 0.6, |rng| rng.random_range(0..40));
    sheet.maybe("eventsAttended", 0.6, |rng| rng.random_range(0..20));
    sheet.maybe("feedback", 0.5, |rng| {
        let (participant, buddy) = (share_of_one(rng, 30), share_of_one(rng, 30));
        json!({"participantSatisfaction": participant, "buddySatisfaction": buddy})
    });
}

pub(super) fn logged(world: &World, pairing: u32, sheet: &mut Sheet) {
    let pair = &world.pairings[pairing as usize];
    sheet.put_id("matchId", world.chance.id(Kind::Match, pairing));
    let outing = one_of(&mut sheet.rng, &OUTINGS);
    sheet.put("eventType", outing);
    sheet.put_moment("eventDate");
    sheet.maybe("description", 0.6, |rng| one_of(rng, &NOTES));
    sheet.maybe("location", 0.7, |rng| one_of(rng, &PLACES));
    let pen = sheet.pen;
    let both = [pair.participant, pair.buddy].map(|person| pen.id(world.chance.id(Kind::Person, person)));
    sheet.maybe("attendees", 0.5, |_| Value::from(both.to_vec()));
}

pub(super) fn checkin(world: &World, pairing: u32, sheet: &mut Sheet) {
    const MOODS: [&str; 7] = ["great", "great", "good", "good", "okay", "struggling", "difficult"];
    sheet.put_id("matchId", world.chance.id(Kind::Match, pairing));
    sheet.put_moment("checkinDate");
    sheet.maybe("mood", 0.85, |rng| one_of(rng, &MOODS));
    sheet.maybe("notes", 0.5, |rng| one_of(rng, &NOTES));
    sheet.maybe(
        "questionResponses",
        0.3,
        |rng| json!({"metThisWeek": rng.random_bool(0.8), "energy": rng.random_range(1..6)}),
    );
}

pub(super) fn feedback(world: &World, pairing: u32, by_buddy: bool, sheet: &mut Sheet) {
    sheet.put_id("matchId", world.chance.id(Kind::Match, pairing));
    let rating = share_of_one(&mut sheet.rng, 25);
    sheet.put("fromRole", if by_buddy { "buddy" } else { "participant" });
    sheet.put("rating", rating);
    sheet.maybe("feedbackText", 0.6, |rng| one_of(rng, &NOTES));
    sheet.put_moment("submittedAt");
    sheet.maybe("categories", 0.5, |rng| {
        let (communication, helpfulness) = (share_of_one(rng, 20), share_of_one(rng, 20));
        json!({"communication": communication, "helpfulness": helpfulness, "engagement": Value::Null})
    });
}
