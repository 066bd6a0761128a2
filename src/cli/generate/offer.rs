//! What companies offer: programmes and their campaigns, told anew as they go on, and their `data`.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;

use super::chance::{Kind, one_of};
use super::sheet::Sheet;
use super::world::{END, HOUR, MINUTE, START, What, World};

/// Each company has one programme, and this many campaigns of it.
pub(super) const CAMPAIGNS: u32 = 4;
/// How many groups there are for whom programmes are.
pub(super) const GROUPS: u32 = 5;
const TEMPLATES: u32 = 3;

/// Plans snapshots: first one of each, soon after the companies, then later ones of any.
pub(super) fn sync(world: &mut World, rng: &mut StdRng, programs: usize, campaigns: usize) {
    let companies = world.people.iter().map(|person| person.company + 1).max().unwrap_or(1);
    for (count, things) in [(programs, companies), (campaigns, companies * CAMPAIGNS)] {
        for number in 0..count as u32 {
            let (thing, version) = (number % things, number / things);
            let at = if version == 0 {
                START + HOUR + rng.random_range(0..30 * MINUTE)
            } else {
                rng.random_range(START + 2 * HOUR..END)
            };
            let what = if things == companies {
                What::Program { program: thing, version }
            } else {
                What::Campaign { campaign: thing, version }
            };
            world.push(rng, at, what);
        }
    }
}

fn status(rng: &mut StdRng, version: u32) -> &'static str {
    if version == 0 { "active" } else { one_of(rng, &["active", "active", "paused", "completed", "archived", "draft"]) }
}

pub(super) fn program(world: &World, number: u32, version: u32, sheet: &mut Sheet) {
    let kinds = ["buddy", "language", "mentorship", "upskilling"];
    let kind = kinds[number as usize % kinds.len()];
    sheet.put_id("programId", world.chance.id(Kind::Program, number));
    sheet.put("programKey", format!("{kind}-{number}"));
    sheet.put("name", format!("Together {}", number + 1));
    sheet.put("programType", kind);
    let status = status(&mut sheet.rng, version);
    sheet.put("status", status);
    sheet.put_time("syncedAt", sheet.at);
    sheet.maybe("description", 0.6, |_| "People who meet, learn and work together");
    let template = world.chance.id(Kind::Template, number % TEMPLATES);
    sheet.put_id("templateId", template);
    let group = sheet.rng.random_bool(0.7).then(|| world.chance.id(Kind::Group, number % GROUPS));
    sheet.put_id_if_any("beneficiaryGroupId", group);
    sheet.maybe("config", 0.8, |rng| json!({"weeks": rng.random_range(8..30), "remind": true}));
    sheet.maybe("configOverrides", 0.6, |_| json!({"remind": false}));
    sheet.maybe("startDate", 0.8, |_| "2025-07-01");
    sheet.maybe("endDate", 0.4, |_| "2026-06-30");
}

pub(super) fn campaign(world: &World, number: u32, version: u32, sheet: &mut Sheet) {
    let company = number / CAMPAIGNS;
    // Each is about a quarter of the year long.
    let (starts, ends) = [
        ("2025-07-01", "2025-09-30"),
        ("2025-09-15", "2025-12-31"),
        ("2026-01-01", "2026-03-31"),
        ("2026-03-15", "2026-06-30"),
    ][(number % CAMPAIGNS) as usize];
    sheet.put_id("campaignId", world.chance.id(Kind::Campaign, number));
    sheet.put("campaignKey", format!("together-{company}-{}", number % CAMPAIGNS + 1));
    sheet.put_id("programId", world.chance.id(Kind::Program, company));
    sheet.put_id("companyId", world.chance.id(Kind::Company, company));
    sheet.put("name", format!("Campaign {}", number % CAMPAIGNS + 1));
    let status = status(&mut sheet.rng, version);
    sheet.put("status", status);
    sheet.put_time("syncedAt", sheet.at);
    sheet.maybe("description", 0.3, |_| "A season together");
    // Few have no dates, or no end.
    sheet.maybe("startDate", 0.9, |_| starts);
    sheet.maybe("endDate", 0.9, |_| ends);
    sheet.maybe("targetEnrollment", 0.7, |rng| rng.random_range(10..200));
    sheet.maybe("maxEnrollment", 0.5, |_| 250);
    sheet.maybe("currentEnrollment", 0.6, |rng| rng.random_range(0..200));
    sheet.maybe("budgetAllocated", 0.8, |rng| rng.random_range(10_000..5_000_000_000_i64));
    sheet.maybe("budgetSpent", 0.8, |rng| rng.random_range(0..900_000));
    sheet.maybe("configOverrides", 0.2, |_| json!({"weeks": 10}));
}
