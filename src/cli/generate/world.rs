//! The simulated world: who exists, what happens when. Contents are written elsewhere, from these facts.
//!
//! Guarantee: in the order of `World::events` a cause always precedes its effects.

use rand::Rng;
use rand::rngs::StdRng;

use super::care::Answer;
use super::chance::{Chance, Kind};
use super::course::{Status, Study};
use super::desk::{Step, Work};
use super::giving::Standing;
use super::lesson::Lesson;
use super::report::{Deed, Enrolment, Stage};
use super::score::Dimension;
use super::{activity, again, people};

/// Microseconds since 1970, as everything here that ends in `_at` or is called `at`.
pub(super) type Micros = i64;

pub(super) const SECOND: Micros = 1_000_000;
pub(super) const MINUTE: Micros = 60 * SECOND;
pub(super) const HOUR: Micros = 60 * MINUTE;
pub(super) const DAY: Micros = 24 * HOUR;
/// 2025-07-01T00:00:00Z
pub(super) const START: Micros = 1_751_328_000 * SECOND;
/// 2026-06-30T23:59:59Z
pub(super) const END: Micros = START + 365 * DAY - SECOND;

/// Somebody who takes part.
pub(super) struct Person {
    pub(super) company: u32,
    /// When the CSR id was first named; nothing refers to a person before.
    pub(super) known_at: Micros,
    /// The provider that reported them before the directory did.
    pub(super) provider: Option<&'static str>,
    pub(super) quiet: Quiet,
}

/// A time in which somebody does nothing, unless there is nobody else to do it.
#[derive(Clone, Copy)]
pub(super) struct Quiet {
    pub(super) from: Micros,
    pub(super) until: Micros,
}

impl Quiet {
    pub(super) fn covers(self, at: Micros) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// A participant and a buddy, matched.
pub(super) struct Pairing {
    pub(super) participant: u32,
    pub(super) buddy: u32,
    pub(super) matched_at: Micros,
    pub(super) ended_at: Option<Micros>,
}

/// Something of a person that is told of, once or several times: a gift, a placement, a consent, a request, a question.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) person: u32,
    /// When it began, before anybody told of it.
    pub(super) at: Micros,
}

/// What a re-sync of a person brings.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Change {
    Entry,
    Job,
    Email,
    Leave,
}

/// A person as a directory reports them at some moment.
#[derive(Clone, Copy)]
pub(super) struct Snapshot {
    pub(super) person: u32,
    pub(super) change: Change,
    /// How many changes came before, of all kinds and of the e-mail.
    pub(super) version: u16,
    pub(super) email: u16,
    pub(super) left: bool,
}

/// What happens. Numbers are indices into the lists of `World`; a pairing that is `Some` is named in the event.
#[derive(Clone, Copy)]
pub(super) enum What {
    Company {
        company: u32,
    },
    External(Snapshot),
    Directory(Snapshot),
    Matched(u32),
    Ended(u32),
    Logged(u32),
    Attended {
        gathering: u32,
        person: u32,
        pairing: Option<u32>,
    },
    SkillShare {
        teacher: u32,
        learner: u32,
        pairing: Option<u32>,
    },
    CheckIn(u32),
    Feedback {
        pairing: u32,
        by_buddy: bool,
    },
    Milestone {
        person: u32,
        step: u32,
    },
    Import,
    /// Planned for so many hours later than the lesson comes to be.
    Scheduled {
        lesson: u32,
        shift: i32,
    },
    Held(u32),
    Rated {
        lesson: u32,
        by_volunteer: bool,
    },
    Progress {
        study: u32,
        percent: u8,
        status: Status,
    },
    CourseDone(u32),
    Credential(u32),
    Scored {
        text: u32,
        person: Option<u32>,
        dimension: Dimension,
    },
    Enrolled {
        enrolment: u32,
        stage: Stage,
    },
    Volunteered {
        deed: u32,
        corrected: bool,
    },
    /// The older form of the same.
    VolunteeredElsewhere {
        deed: u32,
        corrected: bool,
    },
    Program {
        program: u32,
        version: u32,
    },
    Campaign {
        campaign: u32,
        version: u32,
    },
    Donated {
        record: u32,
        corrected: bool,
    },
    /// The older form of the same.
    DonatedElsewhere {
        record: u32,
        corrected: bool,
    },
    Placed {
        record: u32,
        standing: Standing,
    },
    Raised(u32),
    Reviewed {
        flag: u32,
        reviewer: Option<u32>,
        again: bool,
    },
    Consent {
        record: u32,
        answer: Answer,
    },
    Asked(u32),
    Answered(u32),
    Query {
        record: u32,
        step: Step,
    },
    Uncached(u32),
    Report {
        record: u32,
        work: Work,
    },
    Journey(u32),
    Profile(u32),
}

/// One event of the log.
#[derive(Clone, Copy)]
pub(super) struct Event {
    pub(super) at: Micros,
    /// Names its id and its envelope.
    pub(super) number: u32,
    /// Names its `data`: the number of the event that tells this first, usually itself.
    pub(super) contents: u32,
    /// How long ago it was told first.
    pub(super) delay: u32,
    pub(super) what: What,
}

impl Event {
    /// When this was told first.
    pub(super) fn told_at(&self) -> Micros {
        self.at - Micros::from(self.delay)
    }
}

/// Everything there is to write about.
pub(super) struct World {
    pub(super) chance: Chance,
    pub(super) people: Vec<Person>,
    pub(super) pairings: Vec<Pairing>,
    pub(super) lessons: Vec<Lesson>,
    pub(super) studies: Vec<Study>,
    pub(super) enrolments: Vec<Enrolment>,
    pub(super) deeds: Vec<Deed>,
    pub(super) records: Vec<Record>,
    pub(super) events: Vec<Event>,
}

impl World {
    /// Exactly `event_count` events in the order of time.
    pub(super) fn simulate(seed: u64, event_count: usize, person_count: u32, retellings: f64) -> Self {
        let chance = Chance::new(seed);
        let mut rng = chance.rng(Kind::Plan, 0);
        let mut world = Self {
            chance,
            people: Vec::with_capacity(person_count as usize),
            pairings: Vec::new(),
            lessons: Vec::new(),
            studies: Vec::new(),
            enrolments: Vec::new(),
            deeds: Vec::new(),
            records: Vec::new(),
            events: Vec::with_capacity(event_count),
        };
        people::settle(&mut world, &mut rng, event_count, person_count);
        let left = event_count.saturating_sub(world.events.len());
        let retold = again::count(left, retellings);
        activity::live(&mut world, &mut rng, left - retold);
        world.sort();
        // Only logs of a few events are cut: there the entries alone are more than asked for.
        world.events.truncate(event_count);
        world.number_changes();
        again::tell(&mut world, &mut rng, retold);
        world.sort();
        world
    }

    /// Plans an event. Publishers write microseconds, milliseconds or whole seconds.
    pub(super) fn push(&mut self, rng: &mut StdRng, at: Micros, what: What) {
        let number = self.next_number();
        self.events.push(Event { at: coarsen(rng, at), number, contents: number, delay: 0, what });
    }

    /// Keeps a record and gives its number.
    pub(super) fn keep(&mut self, record: Record) -> u32 {
        self.records.push(record);
        u32::try_from(self.records.len() - 1).expect("there are fewer records than events")
    }

    /// Plans what somebody does or lives through: the first for certain, what follows from it until they go quiet, the
    /// year is over, or `left` events are planned. Gives how many.
    pub(super) fn push_acts(&mut self, rng: &mut StdRng, person: u32, acts: &[(Micros, What)], left: usize) -> usize {
        let goes_on = |(at, _): &&(Micros, What)| *at < END && self.is_awake(person, *at);
        let following = acts.iter().skip(1).take_while(goes_on).count();
        let count = left.min(acts.len()).min(1 + following);
        for (at, what) in &acts[..count] {
            self.push(rng, *at, *what);
        }
        count
    }

    pub(super) fn is_awake(&self, person: u32, at: Micros) -> bool {
        !self.people[person as usize].quiet.covers(at)
    }

    pub(super) fn next_number(&self) -> u32 {
        u32::try_from(self.events.len()).expect("the number of events is limited")
    }

    fn sort(&mut self) {
        self.events.sort_unstable_by_key(|event| (event.at, event.number));
    }

    /// What depends on what came before in time: versions of a person, steps of milestones.
    fn number_changes(&mut self) {
        let mut snapshots = vec![(0, 0, false); self.people.len()];
        let mut steps = vec![0; self.people.len()];
        for event in &mut self.events {
            match &mut event.what {
                What::External(snapshot) | What::Directory(snapshot) => {
                    let (version, email, left) = &mut snapshots[snapshot.person as usize];
                    *version += u16::from(snapshot.change == Change::Job);
                    *email += u16::from(snapshot.change == Change::Email);
                    *left |= snapshot.change == Change::Leave;
                    (snapshot.version, snapshot.email, snapshot.left) = (*version, *email, *left);
                }
                What::Milestone { person, step } => {
                    *step = steps[*person as usize];
                    steps[*person as usize] += 1;
                }
                _ => {}
            }
        }
    }
}

/// Cuts a time to one of the precisions that publishers use.
pub(super) fn coarsen(rng: &mut StdRng, at: Micros) -> Micros {
    let unit = [1, 1_000, SECOND][rng.random_range(0..3)];
    at - at.rem_euclid(unit)
}
