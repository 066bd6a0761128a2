//! Whether the log gives each flag and milestone something to decide.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::{args, documents, id_and_time, kind, micros, text_of};

const DAY: i64 = 86_400_000_000;

fn time_of(document: &Value, key: &str) -> i64 {
    document["data"][key].as_str().map(micros).expect("a required time")
}

fn of_type(documents: &[Value], wanted: &str) -> Vec<Value> {
    documents.iter().filter(|document| kind(document) == wanted).cloned().collect()
}

fn id(document: &Value, key: &str) -> String {
    text_of(document, key).expect("a required id")
}

/// How often a series changes from one side of a limit to the other.
fn crossings(sides: impl Iterator<Item = bool>) -> usize {
    let sides: Vec<_> = sides.collect();
    sides.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

#[test]
fn some_sessions_are_moved_some_not_held_some_never_announced() {
    let log = documents(&args(20_000));
    let mut planned: HashMap<String, Vec<i64>> = HashMap::new();
    for document in of_type(&log, "kintell.session.scheduled") {
        let at = time_of(&document, "scheduledAt");
        assert!(at > id_and_time(&document).1, "{document} plans the past");
        planned.entry(id(&document, "sessionId")).or_default().push(at);
    }
    let mut held = HashMap::new();
    for document in of_type(&log, "kintell.session.completed") {
        let completed_at = time_of(&document, "completedAt");
        assert!(completed_at > time_of(&document, "scheduledAt"));
        let id = id(&document, "sessionId");
        if let Some(plans) = planned.get(&id) {
            assert_eq!(
                plans.last(),
                Some(&time_of(&document, "scheduledAt")),
                "the last plan is the one that came true"
            );
        }
        held.insert(id, completed_at);
    }
    assert!(planned.values().filter(|plans| plans.len() > 1).count() > 50);
    assert!(planned.keys().filter(|id| !held.contains_key(*id)).count() > 50);
    assert!(held.keys().filter(|id| !planned.contains_key(*id)).count() > 50);
    let ratings = of_type(&log, "kintell.rating.created");
    let is_hasty = |rating: &&Value| {
        held.get(&id(rating, "sessionId")).is_some_and(|completed_at| time_of(rating, "createdAt") < *completed_at)
    };
    assert!(ratings.iter().filter(is_hasty).count() > 30);
    assert!(ratings.iter().any(|rating| !held.contains_key(&id(rating, "sessionId"))));
    for role in ["participant", "volunteer"] {
        assert!(ratings.iter().filter(|rating| rating["data"]["fromRole"] == role).count() > 200);
    }
}

#[test]
fn the_mean_of_ratings_comes_and_goes_around_the_limit() {
    let log = documents(&args(20_000));
    let mut learners = HashMap::new();
    let mut sessions: HashMap<String, HashSet<String>> = HashMap::new();
    for document in log.iter().filter(|document| kind(document).starts_with("kintell.session.")) {
        if document["data"]["sessionType"] == "language" {
            let learner = id(document, "participantId");
            learners.insert(id(document, "sessionId"), learner.clone());
            sessions.entry(learner).or_default().insert(id(document, "sessionId"));
        }
    }
    let (mut ratings, mut known): (HashMap<&String, Vec<i64>>, _) = (HashMap::new(), HashSet::new());
    for document in of_type(&log, "kintell.rating.created") {
        let hundredths = document["data"]["rating"].as_f64().expect("a number") * 100.0;
        assert!((hundredths - hundredths.round()).abs() < 1e-9, "{document} has more than two decimals");
        let is_new = known.insert(id(&document, "ratingId"));
        if let Some(learner) = learners.get(&id(&document, "sessionId")).filter(|_| is_new) {
            ratings.entry(learner).or_default().push(hundredths.round() as i64);
        }
    }
    let sums =
        |ratings: &[i64]| (1..=ratings.len()).map(|n| ratings[..n].iter().map(|r| r - 80).sum()).collect::<Vec<i64>>();
    let often: Vec<_> =
        ratings.iter().filter(|(learner, _)| sessions[**learner].len() >= 3).map(|(_, r)| sums(r)).collect();
    assert!(often.len() > 50, "{} people have three lessons", often.len());
    let wavering = often.iter().filter(|sums| crossings(sums.iter().skip(2).map(|sum| *sum >= 0)) > 0).count();
    assert!(wavering > 15, "{wavering} of {}", often.len());
    let exact = often.iter().filter(|sums| sums.iter().skip(2).any(|sum| *sum == 0)).count();
    assert!(exact > 5, "{exact} of {} hit the limit", often.len());
}

#[test]
fn language_levels_mostly_rise() {
    let mut levels: HashMap<String, Vec<String>> = HashMap::new();
    let (mut odd, mut absent) = (0, 0);
    for document in of_type(&documents(&args(20_000)), "kintell.session.completed") {
        match document["data"]["languageLevel"].as_str().map(str::to_uppercase) {
            Some(level) if ["A1", "A2", "B1", "B2", "C1", "C2"].contains(&level.as_str()) => {
                levels.entry(id(&document, "participantId")).or_default().push(level);
            }
            Some(_) => odd += 1,
            None => absent += 1,
        }
    }
    assert!(odd > 10 && absent > 10, "{odd} odd, {absent} absent");
    let series = || levels.values().filter(|levels| levels.len() > 2);
    let (risen, fallen) = (series().filter(|l| l.first() < l.last()), series().filter(|l| l.first() > l.last()));
    let (risen, fallen) = (risen.count(), fallen.count());
    assert!(risen > 20 && risen > 2 * fallen, "{risen} rose, {fallen} fell");
}

#[test]
fn courses_go_well_or_badly_and_are_not_always_told_in_full() {
    let log = documents(&args(20_000));
    let study = |document: &Value| (id(document, "userId"), id(document, "provider"), id(document, "courseId"));
    let mut told: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for document in log.iter().filter(|document| kind(document).starts_with("upskilling.")) {
        let told = told.entry(study(document)).or_default();
        told.push(text_of(document, "status").unwrap_or_else(|| kind(document).to_owned()));
    }
    let count = |wanted: &dyn Fn(&[String]) -> bool| told.values().filter(|told| wanted(told)).count();
    let has = |told: &[String], what: &str| told.iter().any(|telling| telling == what);
    let (done, paper) = ("upskilling.course.completed", "upskilling.credential.issued");
    assert!(count(&|told| has(told, "enrolled") && has(told, "in_progress") && has(told, "completed")) > 50);
    assert!(count(&|told| told.last().is_some_and(|last| last == "dropped")) > 20);
    assert!(count(&|told| told.last().is_some_and(|last| last == "in_progress")) > 20);
    assert!(count(&|told| told.iter().all(|telling| telling == paper)) > 5, "a credential alone");
    assert!(count(&|told| has(told, done) && !has(told, "enrolled")) > 5, "a completion out of the blue");
    assert!(count(&|told| has(told, "completed") && !has(told, done)) > 5, "a completion by progress alone");
    let mut courses: HashMap<_, usize> = HashMap::new();
    for (person, ..) in told.keys() {
        *courses.entry(person).or_default() += 1;
    }
    assert!(courses.values().filter(|count| **count > 1).count() > 50, "several courses");
}

#[test]
fn scores_of_language_come_and_go_around_one_half() {
    let mut levels: HashMap<String, Vec<f64>> = HashMap::new();
    let (mut dimensions, mut anonymous, mut hashes) = (HashSet::new(), 0, HashMap::new());
    for document in of_type(&documents(&args(20_000)), "q2q.outcome.scored") {
        let data = &document["data"];
        dimensions.insert(id(&document, "dimension"));
        match text_of(&document, "userId") {
            None => anonymous += 1,
            Some(person) if data["dimension"] == "lang_level_proxy" => {
                levels.entry(person).or_default().push(data["score"].as_f64().expect("a number"));
            }
            Some(_) => {}
        }
        for snippet in data["snippets"].as_array().into_iter().flatten() {
            let (text, hash) = (snippet["snippetText"].to_string(), snippet["snippetHash"].to_string());
            assert_eq!(*hashes.entry(hash).or_insert_with(|| text.clone()), text);
        }
    }
    assert_eq!(dimensions.len(), 5);
    assert!(anonymous > 50, "{anonymous} scores without a person");
    assert!(hashes.len() > 20, "{} snippets", hashes.len());
    let wavering = levels.values().filter(|scores| crossings(scores.iter().map(|score| *score < 0.5)) > 0).count();
    assert!(wavering > 15, "{wavering} of {}", levels.len());
    assert!(levels.values().flatten().any(|score| *score == 0.5), "the limit itself");
}

#[test]
fn people_go_quiet_and_matches_go_without_checkins_and_feedback() {
    let log = documents(&args(20_000));
    let (mut pairs, mut last, mut said) = (HashMap::new(), HashMap::new(), HashSet::new());
    for document in &log {
        let at = id_and_time(document).1;
        let mut people: Vec<_> = ["userId", "teacherId", "learnerId", "participantId", "volunteerId", "buddyId"]
            .into_iter()
            .filter_map(|key| text_of(document, key))
            .collect();
        if let Some(matched) = text_of(document, "matchId") {
            if kind(document) == "buddy.match.created" {
                pairs.insert(matched.clone(), people.clone());
            }
            people.extend(pairs[&matched].clone());
            said.insert((matched, kind(document)));
        }
        last.extend(people.into_iter().map(|person| (person, at)));
    }
    let end = id_and_time(&log[log.len() - 1]).1;
    let share = |count: usize, of: usize| count as f64 / of as f64;
    let quiet = last.values().filter(|last| end - **last > 14 * DAY).count();
    assert!((0.2..0.8).contains(&share(quiet, last.len())), "{quiet} of {} are quiet", last.len());
    for kind in ["buddy.checkin.completed", "buddy.feedback.submitted"] {
        let without = pairs.keys().filter(|matched| !said.contains(&((*matched).clone(), kind))).count();
        assert!((0.2..0.8).contains(&share(without, pairs.len())), "{without} of {} without {kind}", pairs.len());
    }
}
