//! Ratings and scores: 0.80 is 0.80, and a mean is compared as the sum it comes from.

use serde_json::Number;

/// A decimal with 18 digits behind the point, more than the shortest form of a double between 0.1 and 1 has.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Decimal(i128);

const DIGITS: usize = 18;
const ONE: i128 = 10_i128.pow(DIGITS as u32);

impl Decimal {
    pub(super) fn hundredths(count: i128) -> Self {
        Self(count * ONE / 100)
    }

    /// A share: a number from 0 to 1. The parser made a double of it; its shortest form is the text that was sent.
    pub(super) fn share(number: &Number) -> Option<Self> {
        let number = number.as_f64().filter(|number| (0.0..=1.0).contains(number))?;
        let text = format!("{}", number.abs()); // never with an exponent
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(DIGITS).collect();
        Some(Self(whole.parse::<i128>().ok()? * ONE + digits.parse::<i128>().ok()?))
    }

    /// Whether the mean of these is at least a limit; of none there is no mean.
    pub(super) fn mean_is_at_least(values: &[Self], limit: Self) -> bool {
        let sum: i128 = values.iter().map(|value| value.0).sum();
        let count = i128::try_from(values.len()).expect("few");
        count > 0 && sum >= limit.0 * count
    }
}
