//! How long and how large the answers of an endpoint usually are.
//!
//! Values are counted rounded down to two digits (1,234 µs counts as 1,200), so that a day of any
//! traffic takes little room, figures of shapes can be added up when they become one endpoint, and
//! every store finds the same. A percentile is therefore at most a tenth too low.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// How often each value occurred, rounded down to two digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<u64, u64>);

/// A value as a histogram has it: its first two digits.
pub fn two_digits(value: u64) -> u64 {
    let unit = 10u64.pow(value.checked_ilog10().unwrap_or_default().saturating_sub(1));
    value / unit * unit
}

impl Histogram {
    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        self.add_rounded(two_digits(value), 1);
    }

    /// Counts a value that is rounded already.
    pub fn add_rounded(&mut self, value: u64, times: u64) {
        *self.0.entry(value).or_default() += times;
    }

    fn unite(&mut self, other: &Self) {
        other.0.iter().for_each(|(&value, &times)| self.add_rounded(value, times));
    }

    /// The smallest value that so many percent of all reach at most; `None` without values.
    fn percentile(&self, percent: u64) -> Option<u64> {
        let all: u64 = self.0.values().sum();
        let rank = (u128::from(all) * u128::from(percent)).div_ceil(100);
        let mut seen = 0;
        let reached = |(_, times): &(&u64, &u64)| {
            seen += u128::from(**times);
            seen >= rank
        };
        self.0.iter().find(reached).map(|(&value, _)| value)
    }

    fn percentiles(&self) -> Option<Percentiles> {
        Some(Percentiles { p50: self.percentile(50)?, p95: self.percentile(95)? })
    }
}

/// What half of the requests, and 19 of 20, stay at or below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Percentiles {
    /// Of half of them.
    pub p50: u64,
    /// Of 95 of 100.
    pub p95: u64,
}

/// What was counted of a shape or endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Requests by status class (`2xx`).
    pub statuses: BTreeMap<String, u64>,
    /// Microseconds that they took.
    pub duration_us: Histogram,
    /// Bytes sent.
    pub bytes_out: Histogram,
}

impl Figures {
    /// Requests.
    pub fn requests(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Adds up.
    pub fn unite(&mut self, other: &Self) {
        for (class, times) in &other.statuses {
            *self.statuses.entry(class.clone()).or_default() += times;
        }
        self.duration_us.unite(&other.duration_us);
        self.bytes_out.unite(&other.bytes_out);
    }

    /// What is usual; `None` when nothing is known of either.
    pub fn usual(&self) -> Option<Usual> {
        Some(Usual { duration_us: self.duration_us.percentiles()?, bytes_out: self.bytes_out.percentiles()? })
    }
}

/// What is usual of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Usual {
    /// Microseconds.
    pub duration_us: Percentiles,
    /// Bytes sent.
    pub bytes_out: Percentiles,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_keep_two_digits() {
        for (value, rounded) in [(0, 0), (9, 9), (99, 99), (100, 100), (109, 100), (1234, 1200), (99_999, 99_000)] {
            assert_eq!(two_digits(value), rounded);
        }
        assert_eq!(two_digits(u64::MAX), 18_000_000_000_000_000_000);
        assert_eq!(Figures::default().usual(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_percentile_is_that_of_the_sorted_values_at_most_a_tenth_too_low(
            mut values in prop::collection::vec(0u64..5_000_000, 1..200),
            cut in 0usize..200,
        ) {
            let (mut one, mut other) = (Histogram::default(), Histogram::default());
            let cut = cut.min(values.len());
            values[..cut].iter().for_each(|&value| one.add(value));
            values[cut..].iter().for_each(|&value| other.add(value));
            one.unite(&other);
            values.sort_unstable();
            let found = one.percentiles().unwrap();
            for (percent, found) in [(50, found.p50), (95, found.p95)] {
                let exact = values[(values.len() * percent).div_ceil(100) - 1];
                prop_assert_eq!(found, two_digits(exact));
                prop_assert!(found <= exact && exact - found <= exact / 10);
            }
        }
    }
}
