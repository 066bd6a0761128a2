//! Changing the rules: what would change (`plan`), and doing it while the service runs (`apply`).
//!
//! A position of the event store separates old from new. Events up to it are folded here, for facts that the rules in
//! force do not keep; later events are folded by the service, which from then on keeps facts for both rule sets. Each
//! person is brought over in one transaction, and is evaluated by the new rules from then on.

pub mod apply;
pub mod plan;

use crate::journey::Journey;
use crate::journey::fact::Facts;
use crate::journey::fold::{Word, brought_over};
use crate::store::{Chapter, Error, Unit};

/// Stored events read at a time.
const EVENTS_MAX: i64 = 2000;
/// People looked at in one transaction.
const PEOPLE_MAX: i64 = 500;

/// Facts that have to be folded from the stored events, because the rules in force do not keep them.
#[derive(Debug)]
struct Lacking {
    /// The new rules with these facts only.
    journey: Journey,
    /// The signals that feed them.
    signals: Vec<usize>,
    /// The types of events that feed them.
    types: Vec<String>,
}

impl Lacking {
    fn between(in_force: &Journey, new: &Journey) -> Self {
        let journey = new.only(&in_force.lacks(new));
        let signals = journey.signals_used();
        let mut types: Vec<String> = signals.iter().map(|index| journey.signals[*index].event_type.clone()).collect();
        types.sort();
        types.dedup();
        Self { journey, signals, types }
    }

    fn is_empty(&self) -> bool {
        self.journey.facts.is_empty()
    }

    /// What stored events say for these facts.
    async fn words(&self, unit: &mut Unit<'_>, chapter: &Chapter) -> Result<Vec<Word>, Error> {
        let all: Vec<usize> = (0..chapter.batch.messages.len()).collect();
        let renamed = unit.renamed(&chapter.batch, &all).await?;
        let mut words = Vec::new();
        for signal in &self.signals {
            let contract = crate::event::Route::Contract(self.journey.signals[*signal].contract);
            let of: Vec<usize> =
                all.iter().copied().filter(|index| chapter.batch.event(*index).route == contract).collect();
            words.extend(unit.words_of(&self.journey, *signal, &chapter.batch, &of, &renamed).await?);
        }
        Ok(words)
    }

    /// A person's facts as the new rules keep them: what the rules in force keep already, and what was folded anew.
    fn brought_over(&self, new: &Journey, kept: Facts, folded: impl IntoIterator<Item = Facts>) -> Facts {
        brought_over(&self.journey, new, kept, folded)
    }
}
