//! The `data` of companies and people. A person's names, addresses and numbers follow from the person alone.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::chance::{Kind, one_of};
use super::sheet::Sheet;
use super::words::{COMPANIES, DEPARTMENTS, FIRST_NAMES, JOBS, LAST_NAMES, PLACES};
use super::world::{Change, DAY, START, Snapshot, World};

/// What a snapshot says about a person.
struct Profile {
    first: &'static str,
    last: &'static str,
    email: String,
    job: &'static str,
    department: &'static str,
    /// The directory that reports this person, always the same.
    system: &'static str,
}

impl Profile {
    fn of(world: &World, snapshot: Snapshot) -> Self {
        let dice = world.chance.number(Kind::Person, snapshot.person);
        let die = |shift: u32, list_length: usize| (dice >> shift) as usize % list_length;
        let (first, slug) = FIRST_NAMES[die(0, FIRST_NAMES.len())];
        let version = snapshot.version as usize;
        let company = world.people[snapshot.person as usize].company;
        let number = snapshot.person;
        let email = match snapshot.email {
            0 => format!("{slug}.{number}@company-{company}.example"),
            change => format!("{slug}.{number}.{change}@company-{company}.example"),
        };
        Self {
            first,
            last: LAST_NAMES[die(8, LAST_NAMES.len())],
            email,
            job: JOBS[(die(16, JOBS.len()) + version) % JOBS.len()],
            department: DEPARTMENTS[(die(24, DEPARTMENTS.len()) + version / 2) % DEPARTMENTS.len()],
            system: ["workday", "adp", "bamboohr", "manual"][die(32, 4)],
        }
    }

    /// Systems disagree about capitals; the address is the same.
    fn spelled_email(&self, rng: &mut StdRng) -> String {
        let email = self.email.clone();
        if rng.random_bool(0.05) { email.to_ascii_uppercase() } else { email }
    }
}

/// How a system numbers a person; Workday as provider and Workday as directory agree.
pub(super) fn external_number(world: &World, system: &str, person: u32) -> String {
    match system {
        "azure_ad" => world.chance.id(Kind::Account, person).to_string(),
        "okta" => format!("00u{person:08}"),
        "workday" => format!("WD-{person:07}"),
        _ => format!("EMP{person:06}"),
    }
}

pub(super) fn company(world: &World, company: u32, sheet: &mut Sheet) {
    let (name, industry, country, code) = COMPANIES[company as usize % COMPANIES.len()];
    sheet.put_id("companyId", world.chance.id(Kind::Company, company));
    sheet.put("name", name);
    sheet.maybe("industry", 0.9, |_| industry);
    sheet.maybe("country", 0.9, |_| country);
    sheet.maybe("countryCode", 0.8, |_| code);
    sheet.maybe(
        "settings",
        0.4,
        |rng| json!({"locale": "en", "reportDay": rng.random_range(1..29), "branding": {"dark": rng.random_bool(0.5)}}),
    );
    sheet.maybe("isActive", 0.7, |_| true);
    sheet.put_time("syncedAt", sheet.at);
}

pub(super) fn external(world: &World, snapshot: Snapshot, sheet: &mut Sheet) {
    let person = &world.people[snapshot.person as usize];
    let profile = Profile::of(world, snapshot);
    let source = person.provider.unwrap_or("okta");
    let number = external_number(world, source, snapshot.person);
    let action = match snapshot.change {
        _ if snapshot.left => "deactivated",
        Change::Entry => "created",
        _ => "updated",
    };
    sheet.put("externalId", format!("{source}:{number}"));
    sheet.put("source", source);
    sheet.put_id("companyId", world.chance.id(Kind::Company, person.company));
    sheet.put("action", action);
    let mut user = json!({
        "externalUserId": number,
        "email": profile.spelled_email(&mut sheet.rng),
        "firstName": profile.first,
        "lastName": profile.last,
        "jobTitle": profile.job,
        "department": profile.department,
        "employmentStatus": if snapshot.left { "terminated" } else { "active" },
    });
    put_user_options(sheet, &mut user, &profile);
    sheet.put("user", user);
    sheet.maybe(
        "orgStructure",
        0.2,
        |rng| json!({"level": rng.random_range(1..7), "path": ["HQ", profile.department]}),
    );
    sheet.maybe("metadata", 0.2, |rng| json!({"syncRun": rng.random_range(1..900)}));
}

fn put_user_options(sheet: &mut Sheet, user: &mut Value, profile: &Profile) {
    let pen = sheet.pen;
    let rng = &mut sheet.rng;
    if rng.random_bool(0.5) {
        user["displayName"] = json!(format!("{} {}", profile.first, profile.last));
    }
    if rng.random_bool(0.3) {
        user["location"] = json!(one_of(rng, &PLACES));
        user["timezone"] = json!("Europe/Oslo");
    }
    if rng.random_bool(0.4) {
        user["startDate"] = pen.time(START - rng.random_range(1..3_000) * DAY);
        user["employmentType"] = json!(one_of(rng, &["full_time", "part_time", "contractor", "intern"]));
    }
    if rng.random_bool(0.2) {
        user["managerId"] = Value::Null;
    }
}

pub(super) fn directory(world: &World, snapshot: Snapshot, sheet: &mut Sheet) {
    let person = &world.people[snapshot.person as usize];
    let profile = Profile::of(world, snapshot);
    let number = external_number(world, profile.system, snapshot.person);
    sheet.put("sourceSystem", profile.system);
    sheet.put("sourceId", format!("{}/{number}", profile.system));
    sheet.put("sourceTenantId", format!("tenant-{}", person.company));
    sheet.put_id("userId", world.chance.id(Kind::Person, snapshot.person));
    sheet.put("externalUserId", number);
    sheet.put_id("companyId", world.chance.id(Kind::Company, person.company));
    let email = profile.spelled_email(&mut sheet.rng);
    sheet.put("email", email);
    sheet.put("firstName", profile.first);
    sheet.put("lastName", profile.last);
    sheet.maybe("displayName", 0.4, |_| format!("{} {}", profile.first, profile.last));
    sheet.maybe("employeeNumber", 0.4, |_| format!("{}", 10_000 + snapshot.person));
    sheet.put("status", if snapshot.left { "terminated" } else { "active" });
    sheet.put("department", profile.department);
    sheet.put("jobTitle", profile.job);
    sheet.maybe("location", 0.3, |rng| json!({"city": "Oslo", "floor": rng.random_range(1..9)}));
    sheet.maybe("managerEmail", 0.2, |_| format!("head@company-{}.example", person.company));
    let (pen, at) = (sheet.pen, sheet.at);
    sheet.maybe("hireDate", 0.4, |rng| pen.time(START - rng.random_range(1..3_000) * DAY));
    if snapshot.left {
        sheet.put_time("terminationDate", at);
    }
    sheet.put_time("lastUpdated", at);
    sheet.maybe("customFields", 0.2, |rng| json!({"shift": one_of(rng, &["early", "late"])}));
}
