//! What a store takes: rows by day, and the `seq` numbers that go with them.

use std::collections::BTreeMap;

use super::Position;
use crate::endpoints::ShapeId;
use crate::model::{Day, Request, Who};

/// A request's place in the log. Rows of equal arrival are one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arrival {
    /// Which log record.
    pub pos: Position,
    /// Which entry in it.
    pub ordinal: u32,
}

/// A request as it is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Its place in the log.
    pub arrival: Arrival,
    /// What readers see of it. Its `endpoint` is that of `shape`, if it has one.
    pub request: Request,
    /// What its endpoint is told by.
    pub shape: Option<ShapeId>,
    /// Whether its id, for want of a `seq`, is what tells duplicates.
    pub told_by_id: bool,
    /// Whether it claimed to start in the future, and `ts` is the time of its arrival instead.
    pub clock_ahead: bool,
    /// Names the secret that made session id and pseudonyms.
    pub kid: [u8; 4],
    /// Its user.
    pub user: Option<Who>,
    /// Its role.
    pub role: Option<Who>,
    /// Head and body prefix, malicious requests only.
    pub full: Option<Vec<u8>>,
    /// Keys that this version does not know, as a MessagePack map.
    pub extra: Option<Vec<u8>>,
}

/// Log records `from..to`, decoded, without duplicates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The first log record in it. Everything before has been applied.
    pub from: Position,
    /// The first log record after it.
    pub to: Position,
    /// What goes to which day.
    pub days: BTreeMap<Day, DayBatch>,
}

/// What goes to one day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DayBatch {
    /// Requests that started on it, in the order of their arrival.
    pub rows: Vec<Row>,
    /// `seq` numbers taken by rows, discarded and set-aside records.
    pub seqs: Vec<SeqRange>,
}

impl DayBatch {
    /// What is not in a day that got as far as `applied`.
    pub fn after(&self, applied: Position) -> Self {
        let rows = self.rows.iter().filter(|row| row.arrival.pos >= applied).cloned().collect();
        Self { rows, seqs: self.seqs.clone() }
    }
}

/// Consecutive `seq` numbers of one worker life, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeqRange {
    /// Which worker life.
    pub instance: [u8; 8],
    /// First number.
    pub first: u64,
    /// Last number.
    pub last: u64,
}

/// A set of `seq` numbers, kept as ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeqSet {
    instances: BTreeMap<[u8; 8], Numbers>,
}

/// The numbers of one worker life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Numbers {
    /// First number of a range to its last. Ranges neither touch nor overlap.
    ranges: BTreeMap<u64, u64>,
    /// How many there are, modulo 2^64: all of them are one more than that.
    count: u64,
}

impl Numbers {
    fn put(&mut self, first: u64, last: u64) {
        self.count = self.count.wrapping_add(last - first).wrapping_add(1);
        self.ranges.insert(first, last);
    }

    fn take(&mut self, first: u64) {
        if let Some(last) = self.ranges.remove(&first) {
            self.count = self.count.wrapping_sub(last - first).wrapping_sub(1);
        }
    }
}

/// Numbers that are not in a set, between some that are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holes {
    /// How many numbers.
    pub missing: u64,
    /// How many ranges they make.
    pub ranges: u64,
}

impl SeqSet {
    /// Puts a number in; false when it was there.
    pub fn insert(&mut self, instance: [u8; 8], number: u64) -> bool {
        if self.contains(instance, number) {
            return false;
        }
        self.insert_range(SeqRange { instance, first: number, last: number });
        true
    }

    /// Whether a number is in.
    pub fn contains(&self, instance: [u8; 8], number: u64) -> bool {
        self.instances
            .get(&instance)
            .and_then(|numbers| numbers.ranges.range(..=number).next_back())
            .is_some_and(|(_, &last)| number <= last)
    }

    /// Puts a range in.
    pub fn insert_range(&mut self, range: SeqRange) {
        let SeqRange { instance, mut first, mut last } = range;
        let numbers = self.instances.entry(instance).or_default();
        if let Some((&before, &end)) = numbers.ranges.range(..=first).next_back()
            && end.saturating_add(1) >= first
        {
            first = before;
            last = last.max(end);
            numbers.take(before);
        }
        while let Some((&next, &end)) = numbers.ranges.range(first..).next()
            && next <= last.saturating_add(1)
        {
            last = last.max(end);
            numbers.take(next);
        }
        numbers.put(first, last);
    }

    /// What is missing between the lowest and the highest number of an instance.
    pub fn holes(&self, instance: [u8; 8]) -> Holes {
        let Some(Numbers { ranges, count }) = self.instances.get(&instance) else { return Holes::default() };
        let (Some((first, _)), Some((_, last))) = (ranges.first_key_value(), ranges.last_key_value()) else {
            return Holes::default();
        };
        let missing = (last - first).wrapping_add(1).wrapping_sub(*count);
        Holes { missing, ranges: ranges.len().saturating_sub(1) as u64 }
    }

    /// Puts all of another set in.
    pub fn union(&mut self, other: impl IntoIterator<Item = SeqRange>) {
        other.into_iter().for_each(|range| self.insert_range(range));
    }

    /// All ranges, by instance and number.
    pub fn ranges(&self) -> impl Iterator<Item = SeqRange> + '_ {
        self.instances.iter().flat_map(|(&instance, numbers)| {
            numbers.ranges.iter().map(move |(&first, &last)| SeqRange { instance, first, last })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_of_ranges_holds_what_a_plain_set_holds(
            ranges in prop::collection::vec((0u8..2, 0u64..60, 0u64..8), 0..40),
        ) {
            let mut set = SeqSet::default();
            let mut plain = BTreeSet::new();
            for (instance, first, more) in ranges {
                if more == 0 {
                    prop_assert_eq!(set.insert([instance; 8], first), plain.insert((instance, first)));
                } else {
                    set.insert_range(SeqRange { instance: [instance; 8], first, last: first + more });
                    plain.extend((first..=first + more).map(|n| (instance, n)));
                }
            }
            let held = set.ranges().flat_map(|r| (r.first..=r.last).map(move |n| (r.instance[0], n)));
            prop_assert_eq!(held.collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
            for (one, next) in set.ranges().zip(set.ranges().skip(1)) {
                prop_assert!(one.instance != next.instance || one.last + 1 < next.first);
            }
            for instance in 0..2 {
                let numbers: Vec<_> = plain.iter().filter(|(of, _)| *of == instance).map(|(_, n)| *n).collect();
                let ends = numbers.first().zip(numbers.last());
                let missing = ends.map_or(0, |(first, last)| last - first + 1 - numbers.len() as u64);
                let ranges = numbers.windows(2).filter(|pair| pair[0] + 1 < pair[1]).count() as u64;
                prop_assert_eq!(set.holes([instance; 8]), Holes { missing, ranges });
            }
        }
    }

    #[test]
    fn the_largest_number_can_be_held() {
        let mut set = SeqSet::default();
        assert!(set.insert([0; 8], u64::MAX));
        assert!(!set.insert([0; 8], u64::MAX));
        assert!(set.insert([0; 8], u64::MAX - 1));
        assert_eq!(set.ranges().count(), 1);
        assert!(set.insert([0; 8], 0));
        assert_eq!(set.holes([0; 8]), Holes { missing: u64::MAX - 2, ranges: 1 });
        set.insert_range(SeqRange { instance: [0; 8], first: 0, last: u64::MAX });
        assert_eq!(set.holes([0; 8]), Holes::default());
    }
}
