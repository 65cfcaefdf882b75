//! What schedules met.

use std::collections::BTreeMap;
use std::fmt;

/// Counts of one schedule, or of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    counts: BTreeMap<&'static str, u64>,
    /// Steps of the shortest schedule, and faults of the calmest.
    least: Option<Least>,
    /// Differs when anything in it does.
    pub fingerprint: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Least {
    pub steps: u64,
    pub faults: u64,
}

impl Report {
    pub fn count(&mut self, what: &'static str, times: u64) {
        *self.counts.entry(what).or_default() += times;
    }

    pub fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }

    /// The end of a schedule.
    pub fn end(&mut self, least: Least, fingerprint: u64) {
        self.count("schedules", 1);
        self.count("steps", least.steps);
        self.count("faults", least.faults);
        (self.least, self.fingerprint) = (Some(least), fingerprint);
    }

    pub fn add(&mut self, other: &Self) {
        other.counts.iter().for_each(|(what, times)| self.count(what, *times));
        self.fingerprint = self.fingerprint.wrapping_add(other.fingerprint);
        let both = self.least.into_iter().chain(other.least);
        self.least = both.reduce(|a, b| Least { steps: a.steps.min(b.steps), faults: a.faults.min(b.faults) });
    }

    /// What the schedule with the fewest of them had.
    pub fn least(&self) -> Least {
        self.least.unwrap_or(Least { steps: 0, faults: 0 })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (what, times) in &self.counts {
            writeln!(f, "{times:>14} {what}")?;
        }
        let Least { steps, faults } = self.least();
        writeln!(f, "at least {steps} steps and {faults} faults a schedule; fingerprint {:016x}", self.fingerprint)
    }
}
