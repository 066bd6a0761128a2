//! What the company did, at the end of the year.

use super::tables::Tables;

/// Programmes and campaigns, and what stands for those that nobody told of.
pub(super) async fn offers(tables: &mut Tables<'_>) {
    tables
        .show(
            "programs",
            "id | program_key | name | program_type | status | template_id | beneficiary_group_id | start_date",
            &[
                "Buddies | buddies | Buddies | buddy | active | Template | Newcomers | 01-01",
                "Norsk | norsk | Norsk | language | active | - | - | -",
                "Leaders | Leaders |  | - | draft | - | - | -",
            ],
        )
        .await;
    tables
        .show(
            "program_campaigns",
            "id | campaign_key | program_id | company_id | name | status | start_date | end_date | budget_allocated | \
             budget_spent",
            &[
                "Welcome | welcome | Buddies | Fjord | Welcome | active | 01-01 | 06-30 | 50000 | 36200",
                "Winter | winter | Buddies | Fjord | Winter | active | 12-01 | 2026-01-30 | 6100 | 6100",
            ],
        )
        .await;
    tables.show("program_templates", "id | name", &["Template | "]).await;
    tables.show("beneficiary_groups", "id | name", &["Newcomers | "]).await;
}

/// Volunteering and placements as other systems report them: the latest telling of each.
pub(super) async fn reports(tables: &mut Tables<'_>) {
    tables
        .show(
            "volunteering",
            "source | source_id | user_id | company_id | hours | activity_date",
            &[
                "workday | v-1 | Bo | Fjord | 8 | 01-28",
                "benevity | v-2 | Bo | Fjord | 2.5 | 05-26",
                "workday | v-3 | Bo | Fjord | 3 | 2026-01-01 00:30",
            ],
        )
        .await;
    tables
        .show(
            "placements",
            "source_id | user_id | company_id | placement_type | status | placement_date",
            &[
                "p-1 | Ada | Fjord | internship | active | 08-05",
                "p-2 | Fay | Fjord | internship | terminated | 10-20",
                "p-3 | Cleo | Fjord | job_placement | active | 12-15",
            ],
        )
        .await;
}

/// The quarters.
///
/// Fjord, first quarter
/// - Volunteered: 480 minutes of January, lesson 60, knitting 45, talk on work 90: 675 minutes, 11.25 hours.
/// - Participants Ada and Cleo, volunteer Bo; sessions: knitting and the coffee, not the row of the call.
/// - SROI: matches 2 × 10, coffee 5, talk 3, knitting 15, milestone 20: 63. Of Welcome's 36,200 cents for 181 days, 90
///   days: 18,000. 63 / 180 = 0.35.
/// - VIS: hours 30 × 0.01125 = 0.3375; quality 30 × (0.9 + 0.7) / 2 = 24, knitting is no Kintell session; no quarter
///   before, no lift; enrolled are Ada, Bo, Cleo, Fay, and none placed. 24.3375.
///
/// Second quarter
/// - Lesson 45, food bank 150: 195 minutes, 3.25 hours. Sessions: two at the museum.
/// - SROI: museum 2 × 5, feedback 2 × 8, talk 3: 29, by 91 days of Welcome, 182.00: 0.159.
/// - VIS: hours 0.0975; quality 30 × (1 + 0.8) / 2 = 27, without what Bo said of Ada; lift 25 × ((0.8 + 0.55 + 0.75) / 3 -
///   (0.6 + 0.45) / 2) = 25 × 0.175 = 4.375. 31.4725.
///
/// Third quarter
/// - Lesson 60: one hour. Bo's match with Cleo was active until August.
/// - SROI: nothing; and no campaign spent anything: 1500 a month.
/// - VIS: hours 0.03; quality 30 × 0.8 = 24; 0.65 after 0.7 is no lift; placed is Ada, one of four: 15 / 4 = 3.75. 27.78.
///
/// Fourth quarter
/// - Participants Ada, Cleo, Fay; sessions: the fair. Dan's lesson is Brook's.
/// - SROI: match 10, talk 3, fair 5, milestone 20: 38. Of Winter's 6,100 cents for 61 days, 31 days: 31.00. 1.226.
/// - VIS: 0.4 after 0.65 is no lift; placed are Ada and Cleo, Fay's came to nothing: 15 × 2 / 4 = 7.5.
///
/// The next year: 3 hours that were volunteered when it was 2026 in UTC already; 30 days of Winter. VIS 0.09 + 7.5.
///
/// Brook: half an hour, half up 1; 30 × 0.0005 + 30 × 0.5 = 15.015, half up 15.02.
pub(super) async fn quarters(tables: &mut Tables<'_>) {
    tables
        .show(
            "metrics_company_period",
            "company_id | period | period_start | period_end | participants_count | volunteers_count | sessions_count | avg_integration_score | avg_language_level | avg_job_readiness | \
             sroi_ratio | vis_score | total_volunteer_hours | total_investment_cents",
            &[
                "Fjord | Q1 | 01-01 | 03-31 | 2 | 1 | 2 | 0.600 | 0.450 | - | 0.35 | 24.34 | 11 | 18000",
                "Fjord | Q2 | 04-01 | 06-30 | 2 | 1 | 2 | 0.800 | 0.550 | 0.750 | 0.16 | 31.47 | 3 | 18200",
                "Fjord | Q3 | 07-01 | 09-30 | 2 | 1 | 0 | - | 0.650 | - | 0.00 | 27.78 | 1 | 450000",
                "Fjord | Q4 | 10-01 | 12-31 | 3 | 1 | 1 | - | 0.400 | - | 1.23 | 7.50 | 0 | 3100",
                "Fjord | 2026-Q1 | 2026-01-01 | 2026-03-31 | 3 | 1 | 0 | - | - | - | 0.00 | 7.59 | 3 | 3000",
                "Brook | Q4 | 10-01 | 12-31 | 0 | 0 | 0 | - | - | - | 0.00 | 15.02 | 1 | 450000",
            ],
        )
        .await;
}
