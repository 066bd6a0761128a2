//! Data: numbers, times, texts and references at the edge of their contract, and beyond it.

use serde_json::{Value, json};

use super::case::{Corpus, Fate, replace};

const fn violation(field: &'static str) -> Fate {
    Fate::Dead("contract", Some(field))
}

pub(super) fn plant(corpus: &mut Corpus) {
    free_numbers(corpus);
    typed_values(corpus);
    of_types(corpus);
    programs(corpus);
    times(corpus);
    texts(corpus);
    references(corpus);
}

/// Numbers that no contract looks at: whatever a double can hold, in at most 40 digits.
fn free_numbers(corpus: &mut Corpus) {
    let digits = |count: usize| "1".repeat(count);
    for literal in [
        "-0",
        "1e-400",
        "1e-99999",
        "-1e-99999999999999999999",
        "0e99999",
        "9007199254740993",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "1.7976931348623157e308",
        "5e-324",
        "1E+2",
        &digits(40),
        &format!("0.{}", digits(39)),
        &format!("-{}", digits(40)),
    ] {
        corpus.literal(literal, Fate::Applied);
    }
    for literal in [
        "1e400",
        "-1e400",
        "1E131073",
        "1e99999999999999999999",
        &digits(41),
        &digits(400),
        &format!("0.{}", digits(40)),
    ] {
        corpus.literal(literal, Fate::Dead("bad_number", Some("/data/questionResponses/x")));
    }
}

/// A skill share whose data has this text in the place of a field.
fn share(corpus: &mut Corpus, field: &str, literal: &str, fate: Fate) {
    let session = corpus.id();
    let data = json!({"sessionId": session, "skillId": 7, "skillName": "knitting", "teacherId": corpus.people[0],
        "learnerId": corpus.people[1], "completedAt": "2026-01-01T00:00:00Z", "durationMinutes": 30,
        "feedback": {"teacherRating": 0.5, "learnerRating": 0.5}, "sdgGoals": [4]});
    let mut event = corpus.of_type("buddy.skill_share.completed", data);
    event["data"].as_object_mut().expect("an object").remove(field);
    let text = replace(&event.to_string(), "{\"data\":{", format!("{{\"data\":{{\"{field}\":{literal},").as_bytes());
    corpus.event(&format!("{field}: {}", literal.chars().take(40).collect::<String>()), &event, fate);
    corpus.cases.last_mut().expect("a case").bytes = text;
}

fn typed_values(corpus: &mut Corpus) {
    for literal in
        ["12.0", "1e2", "\"12\"", "true", "[]", "{}", "0", "-1", "100001", "2147483648", "18446744073709551616"]
    {
        share(corpus, "durationMinutes", literal, violation("/data/durationMinutes"));
    }
    for literal in ["1", "100000", "null"] {
        share(corpus, "durationMinutes", literal, Fate::Applied);
    }
    share(corpus, "skillId", "2147483647", Fate::Applied);
    share(corpus, "skillId", "2147483648", violation("/data/skillId"));
    share(corpus, "skillId", "null", violation("/data/skillId"));
    for literal in ["1.0000001", "-1e-9", "\"0.5\"", "1e308", "false"] {
        let literal = format!("{{\"teacherRating\":{literal}}}");
        share(corpus, "feedback", &literal, violation("/data/feedback/teacherRating"));
    }
    for literal in
        ["0", "1", "1.0", "1e0", "-0.0", "1e-320", "0.005", "0.1234567890123456789012345678901234567", "null"]
    {
        share(corpus, "feedback", &format!("{{\"teacherRating\":{literal}}}"), Fate::Applied);
    }
    share(corpus, "feedback", "[]", violation("/data/feedback"));
    share(corpus, "sdgGoals", "[17,18]", violation("/data/sdgGoals/1"));
    share(corpus, "sdgGoals", "[null]", violation("/data/sdgGoals/0"));
    share(corpus, "sdgGoals", "{}", violation("/data/sdgGoals"));
    share(corpus, "sdgGoals", "[]", Fate::Applied);
    share(corpus, "format", "\"Online\"", violation("/data/format"));
    share(corpus, "learnerId", "\"SECRET\"", violation("/data/learnerId"));
    corpus.changed(
        "answers that are no object",
        |event| event["data"]["questionResponses"] = json!([1]),
        violation("/data/questionResponses"),
    );
    corpus.changed("a mood in capitals", |event| event["data"]["mood"] = json!("GOOD"), violation("/data/mood"));
    corpus.changed(
        "a required field missing",
        |event| {
            event["data"].as_object_mut().expect("an object").remove("checkinId");
        },
        violation("/data/checkinId"),
    );
}

/// What other types ask of their values.
fn of_types(corpus: &mut Corpus) {
    let (one, two, session, at) = (corpus.people[0], corpus.people[1], corpus.id(), "2026-01-01T00:00:00Z");
    let completed = json!({"sessionId": session, "sessionType": "language", "participantId": one, "volunteerId": two,
        "scheduledAt": at, "completedAt": at, "durationMinutes": 1});
    let rating =
        json!({"ratingId": session, "sessionId": session, "fromRole": "volunteer", "rating": 1, "createdAt": at});
    let progress = json!({"progressId": session, "userId": one, "provider": "p", "courseId": "c", "courseName": "",
        "progressPercent": 100, "status": "enrolled", "updatedAt": at});
    let score = json!({"scoreId": session, "textId": session, "textType": "checkin_note", "dimension": "belonging",
        "score": 0, "scoredAt": at});
    let hours = json!({"externalId": "x", "source": "workday", "userId": one, "companyId": session,
        "activityName": "", "activityType": "event", "hours": 10000, "activityDate": at});
    let company = json!({"companyId": session, "name": "", "syncedAt": at});
    let snippet = |hash: &str| json!([{"snippetText": "SECRET", "snippetHash": hash}]);
    let long = "\u{1F600}".repeat(256);
    for (event_type, data, field, value, fate) in [
        ("kintell.session.completed", &completed, "languageLevel", json!("any words at all"), Fate::Applied),
        ("kintell.session.completed", &completed, "topics", json!([]), Fate::Applied),
        ("kintell.session.completed", &completed, "topics", json!([1]), violation("/data/topics/0")),
        ("kintell.session.completed", &completed, "sessionType", json!("skill_share"), violation("/data/sessionType")),
        ("kintell.session.completed", &completed, "durationMinutes", json!(0), violation("/data/durationMinutes")),
        ("kintell.session.completed", &completed, "scheduledAt", json!(null), violation("/data/scheduledAt")),
        (
            "kintell.session.completed",
            &completed,
            "externalSessionId",
            json!(long),
            violation("/data/externalSessionId"),
        ),
        ("kintell.rating.created", &rating, "rating", json!(1e-320), Fate::Applied),
        ("kintell.rating.created", &rating, "rating", json!(1.01), violation("/data/rating")),
        ("kintell.rating.created", &rating, "fromRole", json!("buddy"), violation("/data/fromRole")),
        ("kintell.rating.created", &rating, "feedbackText", json!("SECRET"), Fate::Applied),
        ("upskilling.progress.updated", &progress, "progressPercent", json!(101), violation("/data/progressPercent")),
        ("upskilling.progress.updated", &progress, "progressPercent", json!(0), Fate::Applied),
        ("upskilling.progress.updated", &progress, "courseId", json!(long), violation("/data/courseId")),
        ("upskilling.progress.updated", &progress, "courseName", json!(long.repeat(20)), Fate::Applied),
        ("q2q.outcome.scored", &score, "confidence", json!(1.5), violation("/data/confidence")),
        ("q2q.outcome.scored", &score, "snippets", snippet("a"), violation("/data/snippets/0/snippetHash")),
        ("q2q.outcome.scored", &score, "snippets", snippet(&"x".repeat(64)), violation("/data/snippets/0/snippetHash")),
        ("q2q.outcome.scored", &score, "snippets", snippet(&"F0".repeat(32)), Fate::Applied),
        ("company.synced", &company, "name", json!(long), violation("/data/name")),
        ("company.synced", &company, "industry", json!(long), Fate::Applied),
        ("external.volunteer.logged", &hours, "hours", json!(0), violation("/data/hours")),
        ("external.volunteer.logged", &hours, "hours", json!(1e-300), Fate::Applied),
        ("external.volunteer.logged", &hours, "hours", json!(10_000.5), violation("/data/hours")),
        ("external.volunteer.logged", &hours, "hours", json!(0.25), Fate::Applied),
        ("external.volunteer.logged", &hours, "externalId", json!(long), violation("/data/externalId")),
        ("external.volunteer.logged", &hours, "externalId", json!("\u{1F600}".repeat(255)), Fate::Applied),
    ] {
        let mut event = corpus.of_type(event_type, data.clone());
        event["data"][field] = value;
        if event_type == "q2q.outcome.scored" {
            event["data"]["scoreId"] = json!(corpus.id());
        }
        corpus.event(&format!("{event_type} with {field}"), &event, fate);
    }
    // The widest key of a course.
    let wide = json!("\u{1F600}".repeat(255));
    let mut event = corpus.of_type("upskilling.progress.updated", progress);
    (event["data"]["provider"], event["data"]["courseId"]) = (wide.clone(), wide);
    corpus.event("the widest course", &event, Fate::Applied);
}

/// What programs ask of their keys and days.
fn programs(corpus: &mut Corpus) {
    let (one, other, at) = (corpus.id(), corpus.id(), "2026-01-01T00:00:00Z");
    let program = json!({"programId": one, "programKey": "taken", "name": "", "programType": "buddy",
        "status": "draft", "syncedAt": at, "startDate": "2026-02-28"});
    for (name, id, field, value, fate) in [
        ("a program", one, "name", json!("One"), Fate::Applied),
        // What only the database can refuse: a key that another program has.
        ("the key of another program", other, "name", json!("Two"), Fate::Dead("database", None)),
        ("a day that is none", one, "startDate", json!("2026-02-29"), violation("/data/startDate")),
        ("a key that is too long", one, "programKey", json!("k".repeat(101)), violation("/data/programKey")),
    ] {
        let mut event = corpus.of_type("program.synced", program.clone());
        (event["data"]["programId"], event["data"][field]) = (json!(id), value);
        corpus.event(name, &event, fate);
    }
}

fn times(corpus: &mut Corpus) {
    let mut with =
        |text: Value, fate| corpus.changed(&format!("on {text}"), |event| event["data"]["checkinDate"] = text, fate);
    for text in [
        "2026-06-30T23:59:60Z",
        "2026-06-30T24:00:00Z",
        "2026-02-30T00:00:00Z",
        "1899-12-31T23:59:59Z",
        "2300-01-01T00:00:00Z",
        "294277-01-01T00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01",
        "+99:99",
    ] {
        with(json!(text), violation("/data/checkinDate"));
    }
    with(json!(1_767_225_600), violation("/data/checkinDate"));
    with(json!(null), violation("/data/checkinDate"));
    for text in ["1900-01-01T00:00:00Z", "2299-12-31T23:59:59.9999999999z", "2026-01-01T00:00:00.1+14:00"] {
        with(json!(text), Fate::Applied);
    }
}

/// Lengths count Unicode characters, not bytes.
fn texts(corpus: &mut Corpus) {
    for (filler, name) in [("x", "letters"), ("\u{1F600}", "emoji"), ("e\u{301}", "marks")] {
        let per = filler.chars().count();
        for (more, fate) in [(0, Fate::Applied), (per, violation("/data/eventTitle"))] {
            let title = filler.repeat((200 + more) / per);
            let data = json!({"eventId": corpus.id(), "userId": corpus.people[0], "eventTitle": title,
                "eventType": "other", "eventFormat": "online", "attendedAt": "2026-01-01T00:00:00Z"});
            let event = corpus.of_type("buddy.event.attended", data);
            corpus.event(&format!("{} characters of {name}", 200 + more), &event, fate);
        }
    }
    for (location, fate) in [(255, Fate::Applied), (256, violation("/data/location"))] {
        let data = json!({"eventId": corpus.id(), "matchId": corpus.match_id, "eventType": "\u{1F600}".repeat(100),
            "eventDate": "2026-01-01T00:00:00Z", "location": "\u{1F600}".repeat(location)});
        let event = corpus.of_type("buddy.event.logged", data);
        corpus.event(&format!("a location of {location} characters"), &event, fate);
    }
    // The widest keys that a contract lets through fit their indexes.
    let wide = "\u{1F600}".repeat(255);
    let person = |corpus: &mut Corpus, external: &str, email: String| {
        let data = json!({"externalId": "x", "source": "okta", "companyId": corpus.id(), "action": "created",
            "user": {"externalUserId": external, "email": email, "firstName": "\u{1F600}".repeat(100), "lastName": ""}});
        corpus.of_type("external.user.synced", data)
    };
    let email = format!("{}@b", "\u{1F600}".repeat(253));
    let widest = person(corpus, &wide, email.clone());
    corpus.event("the widest person", &widest, Fate::Applied);
    let longer = person(corpus, "e", format!("\u{1F600}{email}"));
    corpus.event("an e-mail of 256 characters", &longer, violation("/data/user/email"));
    for address in ["", "@", "a@b@c", "a b@c", "a@\u{a0}b"] {
        let event = person(corpus, "e", address.to_owned());
        corpus.event(&format!("the e-mail {address:?}"), &event, violation("/data/user/email"));
    }
}

fn references(corpus: &mut Corpus) {
    let nowhere = corpus.id();
    corpus.changed("a match that there is not", |event| event["data"]["matchId"] = json!(nowhere), Fate::Waiting);
    let (match_id, both) = (corpus.id(), corpus.people[0]);
    let alone =
        json!({"matchId": match_id, "participantId": both, "buddyId": both, "matchedAt": "2026-01-01T00:00:00Z"});
    let event = corpus.of_type("buddy.match.created", alone);
    corpus.event("a match with oneself", &event, Fate::Applied);
    let company = corpus.id();
    for name in ["first", "second"] {
        let data = json!({"companyId": company, "name": name, "syncedAt": "2026-01-01T00:00:00Z"});
        let event = corpus.of_type("company.synced", data);
        corpus.event("a company twice in one batch", &event, Fate::Applied);
    }
    let entity = corpus.id();
    for _ in 0..2 {
        corpus.changed(
            "an entity twice in one batch",
            |event| event["data"]["checkinId"] = json!(entity),
            Fate::Applied,
        );
    }
}
