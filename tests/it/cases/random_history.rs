//! Random histories, dense with equal moments and exact gaps.

use proptest::prelude::*;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::given::moment;
use milepost::journey::fold::Word;
use milepost::journey::interval::Micros;

/// A day. Moments and durations are whole days, or a microsecond beside.
const DAY: Micros = 86_400_000_000;

/// Every duration that a random rule can name.
pub(super) const DURATIONS: [Micros; 3] = [DAY, 2 * DAY, 3 * DAY];

/// Names of signals, as the shared facts declare them.
const SIGNALS: [&str; 9] = ["ping", "pong", "grade", "begin", "end", "snapshot", "state", "stop", "note"];

/// A moment on a small grid: whole days from day 0 on, or a microsecond beside.
pub(super) fn any_moment() -> impl Strategy<Value = Micros> {
    let day_0 = moment("0d");
    (0..7i64, prop_oneof![6 => Just(0), 1 => Just(-1i64), 1 => Just(1i64)])
        .prop_map(move |(day, beside)| day_0 + day * DAY + beside)
}

/// One of the durations.
pub(super) fn any_duration() -> impl Strategy<Value = Micros> {
    prop::sample::select(DURATIONS.to_vec())
}

fn any_value() -> impl Strategy<Value = Option<Decimal>> {
    let values = [None, Some(0), Some(50), Some(79), Some(80), Some(81), Some(100)];
    prop::sample::select(values.to_vec()).prop_map(|value| value.map(|hundredths| Decimal::new(hundredths, 2)))
}

fn any_word() -> impl Strategy<Value = (Word, u8)> {
    let label = prop_oneof![3 => Just(Some("x")), 1 => Just(Some("y")), 1 => Just(None)];
    let key = prop_oneof![6 => Just(Some("k")), 3 => Just(Some("l")), 1 => Just(None)];
    let until = prop::option::weighted(0.3, any_moment());
    let told = (any_moment(), any::<u8>(), 0..2i32, 0..2usize);
    let tells = (any_moment(), label, key, any_value(), until);
    (prop::sample::select(SIGNALS.to_vec()), tells, told).prop_map(|(name, tells, told)| {
        let (at, label, key, value, until) = tells;
        let (told_at, order, rank, other) = told;
        // Signals are numbered as they are declared; the snapshot's name is declared twice.
        let number = SIGNALS.iter().position(|known| *known == name).unwrap_or_default();
        let signal = if number > 5 || (number == 5 && other == 1) { number + 1 } else { number };
        let snapshot = name == "snapshot";
        let word = Word {
            person: Uuid::nil(),
            signal,
            label: label.map(str::to_owned),
            key: key.map(str::to_owned),
            at,
            until: until.filter(|_| snapshot),
            value,
            rank: if snapshot { rank } else { 0 },
            told_at,
            event: Uuid::nil(),
        };
        (word, order)
    })
}

/// What happened to one person: words of different events, whose ids are in any order.
pub(super) fn any_history(words: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Word>> {
    prop::collection::vec(any_word(), words).prop_map(|words| {
        let numbered = words.into_iter().enumerate();
        numbered
            .map(|(index, (word, order))| Word {
                event: Uuid::from_u128((u128::from(order) << 64) + index as u128),
                ..word
            })
            .collect()
    })
}
