//! `milepost generate`: a synthetic, causally sensible CSR log as NDJSON, one event per line.
//!
//! Equal arguments give equal bytes: every choice comes from the seed, none from the clock. The log is planned as small
//! structs first (who, what, when) and each line is written out only when its turn comes.

mod activity;
mod again;
mod care;
mod chance;
mod course;
mod desk;
mod giving;
mod identity;
mod lesson;
mod offer;
mod order;
mod pairing;
mod payload;
mod people;
mod poison;
mod pools;
mod report;
mod score;
mod sheet;
mod spelling;
mod words;
mod world;

use std::io::{BufWriter, ErrorKind, Write};

use anyhow::{Context, Result, ensure};

use self::order::{Extras, Source};
use self::world::World;

/// More than this would not fit the memory of an ordinary machine (about 70 bytes per event).
const EVENTS_MAX: i64 = 20_000_000;

/// What to generate.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Number of unique good events, 1 to 20,000,000; duplicates and broken lines come on top
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=EVENTS_MAX))]
    pub events: u32,
    /// Seed of all randomness; equal arguments give equal bytes
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// People in the log, at least 2 and never more than a quarter of the events [default: events / 20, at least 10]
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u32).range(2..))]
    pub people: Option<u32>,
    /// Share of events repeated up to 2,000 lines later, half of them in another spelling, 0 to 1
    #[arg(long, value_name = "F", default_value_t = 0.0)]
    pub duplicates: f64,
    /// Share of events delayed by up to 5,000 lines, so that effects may come before causes, 0 to 1
    #[arg(long, value_name = "F", default_value_t = 0.0)]
    pub shuffle: f64,
    /// Broken lines as a share of the events, 0 to 1
    #[arg(long, value_name = "F", default_value_t = 0.0)]
    pub poison: f64,
    /// Share of events that tell of an entity a second time, under an id of their own, 0 to 0.1
    #[arg(long, value_name = "F", default_value_t = 0.0)]
    pub retellings: f64,
}

impl Args {
    fn people(&self) -> u32 {
        let wanted = self.people.unwrap_or_else(|| (self.events / 20).max(10));
        wanted.min(self.events / 4).max(2)
    }

    fn retellings(&self) -> Result<f64> {
        ensure!(
            (0.0..=0.1).contains(&self.retellings),
            "--retellings {} is too much or too little\n  hint: give a share of the events from 0 to 0.1",
            self.retellings
        );
        Ok(self.retellings)
    }

    fn extras(&self) -> Result<Extras> {
        for (name, share) in [("duplicates", self.duplicates), ("shuffle", self.shuffle), ("poison", self.poison)] {
            ensure!(
                (0.0..=1.0).contains(&share),
                "--{name} {share} is not a share of the events\n  hint: give a number from 0 to 1, such as 0.05 for 5 %"
            );
        }
        Ok(Extras { duplicates: self.duplicates, shuffle: self.shuffle, poison: self.poison })
    }
}

/// Writes the log to `out`. A reader that goes away (`| head`) ends it quietly.
///
/// # Errors
/// When a share lies outside 0 to 1, or when `out` refuses a write for another reason than a closed pipe.
pub fn run(args: &Args, out: &mut impl Write) -> Result<()> {
    let extras = args.extras()?;
    let world = World::simulate(args.seed, args.events as usize, args.people(), args.retellings()?);
    match write_lines(&world, &extras, out) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("could not write the generated log"),
    }
}

fn write_lines(world: &World, extras: &Extras, out: &mut impl Write) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, out);
    for line in order::lines(world, extras) {
        let text = match line.source {
            Source::Event(event) => spelling::usual(world, &world.events[event as usize]),
            Source::Repeat { event, respelling } => match respelling {
                None => spelling::usual(world, &world.events[event as usize]),
                Some(number) => spelling::another(world, &world.events[event as usize], number),
            },
            Source::Poison { number, near } => poison::line(&world.chance, number, world.events[near as usize].at),
        };
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests;
