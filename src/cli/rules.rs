//! `milepost rules`: why a person's flags are as they are, what other rules would change, and changing them.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{Settings, print, verify_version};
use crate::error::Failure;
use crate::instant;
use crate::journey::explain::{Explanation, explain};
use crate::journey::interval::Micros;
use crate::journey::standing::Standing;
use crate::journey::verdict::{evaluate, explain_flag};
use crate::journey::{Journey, event::text};
use crate::rules::{apply, plan};

/// People shown per rule, unless all are asked for.
const PEOPLE_SHOWN: usize = 5;

/// What to do with the rules.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Why a person's flags and milestones are as they are
    Explain {
        /// The person's id
        user: Uuid,
        /// Only this flag or milestone
        flag: Option<String>,
        /// At this moment instead of now, such as 2026-03-01T00:00:00Z
        #[arg(long, value_name = "T", value_parser = moment)]
        as_of: Option<DateTime<Utc>>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Who would gain or lose what by the rules on disk; changes nothing
    Plan {
        /// At this moment instead of now, such as 2026-03-01T00:00:00Z
        #[arg(long, value_name = "T", value_parser = moment)]
        as_of: Option<DateTime<Utc>>,
        /// Show everybody, not only the first few per rule
        #[arg(long)]
        all: bool,
        /// As JSON, with everybody
        #[arg(long)]
        json: bool,
    },
    /// Bring everybody to the rules on disk; goes on where it was interrupted
    Apply,
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    instant::parse(text).ok_or_else(|| "write it like 2026-03-01T00:00:00Z".to_owned())
}

pub(super) async fn run(settings: &Settings, verb: &Verb) -> Result<ExitCode, Failure> {
    let micros = |as_of: &Option<DateTime<Utc>>| as_of.unwrap_or_else(Utc::now).timestamp_micros();
    match verb {
        Verb::Explain { user, flag, as_of, json } => {
            Box::pin(tell(settings, *user, flag.as_deref(), micros(as_of), *json)).await
        }
        Verb::Plan { as_of, all, json } => Box::pin(plan_changes(settings, micros(as_of), *all, *json)).await,
        Verb::Apply => Box::pin(apply_rules(settings)).await,
    }
}

/// What is told of one flag or milestone.
#[derive(Serialize)]
struct Story {
    kind: &'static str,
    name: String,
    rule: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(flatten)]
    explanation: Explanation,
}

async fn tell(
    settings: &Settings,
    user: Uuid,
    only: Option<&str>,
    now: Micros,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let mut connection = settings.connection().await?;
    verify_version(&mut connection).await?;
    let Some((rules, standing)) = connection.standing(user).await? else {
        let hint = "hint: give the id of users.id; people have facts once an event says something of them";
        return Err(anyhow::anyhow!("nothing is known of {user}\n  {hint}").into());
    };
    let stories = stories(&rules.journey, &standing, only, now);
    if stories.is_empty() {
        let name = only.unwrap_or_default();
        return Err(Failure::Configuration(vec![format!("there is no flag and no milestone {name:?} in the rules")]));
    }
    if as_json {
        let flags: Vec<&String> = standing.verdict.flags.keys().collect();
        let document = serde_json::json!({"user_id": user, "as_of": text(now), "rules_epoch": rules.epoch,
                                          "flags_shown": flags, "rules": stories});
        print(&serde_json::to_string_pretty(&document)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!("{user} at {}, by the rules of epoch {}", text(now), rules.epoch))?;
    for story in &stories {
        print("")?;
        let description = if story.description.is_empty() { String::new() } else { format!(": {}", story.description) };
        print(&format!("{} {}{description}", story.kind, story.rule))?;
        if let Some(expires) = &story.expires_at {
            print(&format!("  expires at {expires}"))?;
        }
        print_explanation(&story.explanation, 1)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn stories(journey: &Journey, standing: &Standing, only: Option<&str>, now: Micros) -> Vec<Story> {
    let is_wanted = |name: &str| only.is_none_or(|only| only == name);
    let verdict = evaluate(journey, &standing.facts, now);
    let flags = journey.flags.iter().filter(|flag| is_wanted(&flag.name)).map(|flag| Story {
        kind: "flag",
        name: flag.name.clone(),
        rule: flag.rule.clone(),
        description: flag.description.clone(),
        expires_at: verdict.flags.get(&flag.name).and_then(|held| held.expires).map(text),
        explanation: explain_flag(flag, &standing.facts, now),
    });
    let milestones = journey.milestones.iter().filter(|one| is_wanted(&one.name)).map(|milestone| {
        // A milestone is reached at the first moment that its condition holds, also one dated later than now.
        let at = verdict.milestones.get(&milestone.name).map_or(now, |reached| reached.at);
        Story {
            kind: "milestone",
            name: milestone.name.clone(),
            rule: milestone.rule.clone(),
            description: milestone.description.clone(),
            expires_at: None,
            explanation: explain(&milestone.reached, &standing.facts, at),
        }
    });
    flags.chain(milestones).collect()
}

fn print_explanation(explanation: &Explanation, depth: usize) -> Result<(), Failure> {
    let indent = "  ".repeat(depth);
    let since = explanation.since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default();
    let until = explanation.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
    let answer = if explanation.holds { "yes" } else { "no" };
    print(&format!("{indent}{answer}{since}{until}: {}", explanation.condition))?;
    for operand in &explanation.operands {
        print(&format!("{indent}  {}: {}", operand.name, operand.value))?;
        if !operand.events.is_empty() {
            let events: Vec<String> = operand.events.iter().map(ToString::to_string).collect();
            print(&format!("{indent}    events {}", events.join(" ")))?;
        }
    }
    for part in &explanation.parts {
        print_explanation(part, depth + 1)?;
    }
    if let Some(changes) = &explanation.changes {
        print(&format!("{indent}  changes when: {changes}"))?;
    }
    Ok(())
}

async fn plan_changes(settings: &Settings, as_of: Micros, all: bool, as_json: bool) -> Result<ExitCode, Failure> {
    let mut connection = settings.connection().await?;
    verify_version(&mut connection).await?;
    let faults = connection.check_domain().await;
    if !faults.is_empty() {
        return Err(Failure::Configuration(faults));
    }
    let Some(plan) = plan::plan(&mut connection, as_of).await? else {
        let hint = "hint: run `milepost rules apply` again with the stream folder of those rules";
        return Err(anyhow::anyhow!("rules are being applied: there is nothing fixed to compare with\n  {hint}").into());
    };
    if as_json {
        print(&serde_json::to_string(&plan)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if plan.is_in_force {
        print("the rules on disk are those in force")?;
    }
    if !plan.facts_folded.is_empty() {
        let facts = plan.facts_folded.join(", ");
        print(&format!("folded from {} stored events, as nothing keeps it yet: {facts}", plan.events_read))?;
    }
    if plan.unreadable > 0 {
        print(&format!("{} stored events no longer fit their contract and were left out", plan.unreadable))?;
    }
    print(&format!("{} people at {}: {} changes", plan.people, plan.as_of, plan.differences.len()))?;
    for (rule, counts) in &plan.counts {
        let counts: Vec<String> = counts.iter().map(|(change, count)| format!("{change} {count}")).collect();
        print(&format!("  {rule:<40} {}", counts.join(", ")))?;
    }
    for rule in plan.counts.keys() {
        let of_rule = |one: &&plan::Difference| format!("{} {}", one.kind, one.name) == *rule;
        let shown = if all { usize::MAX } else { PEOPLE_SHOWN };
        for difference in plan.differences.iter().filter(of_rule).take(shown) {
            print_difference(difference)?;
        }
        let rest = plan.differences.iter().filter(of_rule).count().saturating_sub(shown);
        if rest > 0 {
            print(&format!("… and {rest} more; --all shows everybody"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_difference(difference: &plan::Difference) -> Result<(), Failure> {
    let moment = |moment: &Option<String>| moment.clone().unwrap_or_else(|| "no".to_owned());
    let (before, after) = (moment(&difference.before), moment(&difference.after));
    print(&format!(
        "\n{} {} {} {}: {before} → {after}",
        difference.user_id, difference.change, difference.kind, difference.name
    ))?;
    match &difference.reason {
        Some(reason) => print_explanation(reason, 1),
        None => print("  the rule is gone"),
    }
}

async fn apply_rules(settings: &Settings) -> Result<ExitCode, Failure> {
    let mut connection = settings.connection().await?;
    verify_version(&mut connection).await?;
    let faults = connection.check_domain().await;
    if !faults.is_empty() {
        return Err(Failure::Configuration(faults));
    }
    let tell = |done: &apply::Applied| {
        tracing::info!(events = done.events, people = done.people, "applying the rules");
    };
    match Box::pin(apply::apply(&mut connection, &settings.operator(), tell)).await? {
        apply::Outcome::InForce => print("the rules on disk are in force already")?,
        apply::Outcome::GivenUp(epoch) => {
            print(&format!("the rules on disk are in force; those of epoch {epoch}, half applied, are given up"))?;
        }
        apply::Outcome::Others(epoch) => {
            let hint =
                "hint: run `milepost rules apply` with their stream folder first; journey_rules.source has the file";
            return Err(anyhow::anyhow!(
                "other rules are being applied (epoch {epoch}), and were interrupted\n  {hint}"
            )
            .into());
        }
        apply::Outcome::Applied(done) => {
            print(&format!(
                "in force as epoch {}: folded {} stored events, brought over {} people, {} of them changed",
                done.epoch, done.events, done.people, done.changed
            ))?;
            if done.unreadable > 0 {
                eprintln!("{} stored events no longer fit their contract and were left out", done.unreadable);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
