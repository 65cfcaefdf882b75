//! What goes wrong: an outage of the API and an attack, on each day some time.

use fastrand::Rng;

use crate::model::{Day, Micros};

const MINUTE: i64 = 60_000_000;

/// When it happens.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    outages: Vec<(Micros, Micros)>,
    attacks: Vec<(Micros, Micros)>,
}

impl Incidents {
    /// One of each on each of the days.
    pub(super) fn on(rng: &mut Rng, days: impl Iterator<Item = Day>) -> Self {
        let mut incidents = Self::default();
        for day in days {
            let mut some = |minutes: i64| {
                let from = day.start().0 + rng.i64(0..24 * 60 - minutes) * MINUTE;
                (Micros(from), Micros(from + minutes * MINUTE))
            };
            incidents.outages.push(some(20));
            incidents.attacks.push(some(45));
        }
        incidents
    }

    /// Whether the API does not work.
    pub(super) fn outage(&self, at: Micros) -> bool {
        within(&self.outages, at)
    }

    /// Whether the site is attacked.
    pub(super) fn attacked(&self, at: Micros) -> bool {
        within(&self.attacks, at)
    }
}

fn within(times: &[(Micros, Micros)], at: Micros) -> bool {
    times.iter().any(|&(from, to)| from <= at && at < to)
}
