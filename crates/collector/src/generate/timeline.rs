//! When visits begin: day and night, working days and weekends.

use crate::model::{Day, Micros};

const MINUTE: i64 = 60_000_000;

/// How busy the site is in each hour of a UTC day.
const HOURS: [f64; 24] = [
    0.25, 0.18, 0.14, 0.12, 0.13, 0.20, 0.38, 0.62, 0.85, 0.95, 1.00, 1.02, 0.98, 1.00, 1.02, 1.00, 0.97, 1.00, 1.08,
    1.15, 1.12, 0.92, 0.65, 0.40,
];

/// The minutes of a stretch of time, each with the visits that begin in it.
#[derive(Debug)]
pub(super) struct Timeline {
    from: Micros,
    to: Micros,
    visits: u64,
    whole: f64,
    /// What has passed.
    minute: i64,
    weight: f64,
    begun: u64,
}

/// One minute, or what the end left of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Minute {
    pub from: Micros,
    pub to: Micros,
    /// How many visits begin in it.
    pub visits: u64,
}

impl Timeline {
    pub(super) fn new(from: Micros, to: Micros, visits: u64) -> Self {
        let mut timeline = Self { from, to, visits, whole: 0.0, minute: 0, weight: 0.0, begun: 0 };
        timeline.whole = (0..).map_while(|minute| timeline.minute(minute)).map(|(from, to)| weight(from, to)).sum();
        timeline
    }

    fn minute(&self, minute: i64) -> Option<(Micros, Micros)> {
        let from = self.from.0 + minute * MINUTE;
        (from < self.to.0).then(|| (Micros(from), Micros((from + MINUTE).min(self.to.0))))
    }
}

impl Iterator for Timeline {
    type Item = Minute;

    fn next(&mut self) -> Option<Minute> {
        let (from, to) = self.minute(self.minute)?;
        self.minute += 1;
        self.weight += weight(from, to);
        // The last minute takes what rounding left.
        let until = if to == self.to { self.visits } else { (self.visits as f64 * self.weight / self.whole) as u64 };
        let visits = until.saturating_sub(self.begun);
        self.begun += visits;
        Some(Minute { from, to, visits })
    }
}

fn weight(from: Micros, to: Micros) -> f64 {
    let day = from.day();
    let hours = (from.0 - day.start().0) as f64 / 3_600_000_000.0;
    let at = |hour: usize| HOURS.get(hour % 24).copied().unwrap_or(1.0);
    let (hour, part) = (hours as usize, hours.fract());
    let busy = at(hour) * (1.0 - part) + at(hour + 1) * part;
    let week = if is_weekend(day) { 0.7 } else { 1.0 };
    busy * week * (to.0 - from.0) as f64 / MINUTE as f64
}

/// The first day of the epoch was a Thursday.
fn is_weekend(day: Day) -> bool {
    matches!(day.0.rem_euclid(7), 2 | 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_visits_begin_within_the_time_and_more_of_them_by_day() {
        let (from, to) = (Day(20_000).start(), Micros(Day(20_001).start().0 + 90_000_000));
        let minutes: Vec<_> = Timeline::new(from, to, 100_000).collect();
        assert_eq!(minutes.iter().map(|minute| minute.visits).sum::<u64>(), 100_000);
        assert_eq!((minutes[0].from, minutes[1441].to, minutes.len()), (from, to, 1442));
        let hour = |hour: usize| minutes[hour * 60..][..60].iter().map(|minute| minute.visits).sum::<u64>();
        assert!(hour(19) > 5 * hour(3), "{} {}", hour(19), hour(3));
    }

    #[test]
    fn a_weekend_is_quieter() {
        let saturday = Day::parse("2026-11-21").unwrap();
        assert!(is_weekend(saturday) && is_weekend(Day(saturday.0 + 1)) && !is_weekend(Day(saturday.0 + 2)));
    }
}
