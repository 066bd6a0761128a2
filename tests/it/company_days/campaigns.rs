//! What campaigns spent, by counting.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::told::Told;

/// A campaign with dates; the last day counts.
pub(super) struct Campaign {
    company: Uuid,
    days: (NaiveDate, NaiveDate),
    cents: Decimal,
}

/// The latest of each.
pub(super) fn of(events: &[Told]) -> Vec<Campaign> {
    let told = events.iter().filter(|told| told.is("program.campaign.synced"));
    let latest: BTreeMap<Uuid, &Told> = told.map(|told| (told.id_of("campaignId"), told)).collect();
    let campaign = |told: &Told| {
        let day = |field: &str| told.text(field).parse::<NaiveDate>().ok();
        let days = day("startDate").zip(day("endDate")).filter(|(start, end)| start <= end)?;
        let cents = if told.has("budgetSpent") { told.number("budgetSpent", 0) } else { Decimal::ZERO };
        Some(Campaign { company: told.id_of("companyId"), days, cents })
    };
    latest.into_values().filter_map(campaign).collect()
}

impl Campaign {
    /// By days, of those from `start` on and before `end`.
    pub(super) fn cents_of(&self, company: Uuid, start: NaiveDate, end: NaiveDate) -> Decimal {
        let all: Vec<NaiveDate> = self.days.0.iter_days().take_while(|day| *day <= self.days.1).collect();
        let within = all.iter().filter(|day| (start..end).contains(*day)).count();
        match company == self.company {
            true => self.cents * Decimal::from(within) / Decimal::from(all.len()),
            false => Decimal::ZERO,
        }
    }
}
