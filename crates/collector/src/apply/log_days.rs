//! Where in the log each day begins, so that the log forgets with the store.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::KEPT_DAYS;
use crate::data_dir::{load_json, save_json};
use crate::model::Day;
use crate::store::Position;

/// The first segment of the log that was begun on each day.
#[derive(Debug)]
pub struct LogDays {
    file: PathBuf,
    days: Days,
    /// The day that has none yet, and where the log ended when it began.
    began: Option<(Day, Position)>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Days(BTreeMap<i32, Position>);

impl LogDays {
    /// Goes on with what `file` says.
    pub fn load(file: PathBuf) -> io::Result<Self> {
        let days = load_json(&file)?;
        Ok(Self { file, days, began: None })
    }

    /// Notes that it is `today` while the log ends at `end`; `segment` finds the first segment from
    /// a position on. True while the log has yet to begin a segment for the day.
    pub fn see(
        &mut self,
        today: Day,
        end: Position,
        segment: impl FnOnce(Position) -> Option<Position>,
    ) -> io::Result<bool> {
        if self.days.0.contains_key(&today.0) {
            return Ok(false);
        }
        let began = self.began.filter(|(day, _)| *day == today).map_or(end, |(_, end)| end);
        self.began = Some((today, began));
        // Before the first day that is noted nothing has to be kept apart.
        let first_ever = self.days.0.is_empty();
        let Some(position) = segment(began).or(first_ever.then_some(began)) else { return Ok(true) };
        let mut days = self.days.0.clone();
        // Days that had not come yet were the clock's error.
        days.split_off(&today.0);
        days.insert(today.0, position);
        // The last one before the week is what `forgotten` needs.
        let oldest = today.0 - KEPT_DAYS + 1;
        if let Some((&last, _)) = days.range(..=oldest).next_back() {
            days.retain(|&day, _| day >= last);
        }
        let days = Days(days);
        save_json(&self.file, &days)?;
        self.days = days;
        self.began = None;
        Ok(false)
    }

    /// The position before which everything came earlier than what is kept `today`.
    pub fn forgotten(&self, today: Day) -> Position {
        let oldest = today.0 - KEPT_DAYS + 1;
        self.days.0.range(..=oldest).next_back().map_or(0, |(_, &position)| position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_the_week_is_forgotten_whenever_the_server_ran() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log-days.json");
        // It was off on days 3 to 5.
        for (day, end) in [(0, 0), (1, 100), (2, 200), (6, 300), (7, 400), (8, 500), (9, 600)] {
            let mut days = LogDays::load(file.clone()).unwrap();
            assert!(!days.see(Day(day), end, Some).unwrap());
            assert!(!days.see(Day(day), end + 50, Some).unwrap());
        }
        let days = LogDays::load(file).unwrap();
        // On day 9 the week begins with day 3; what came on day 2 ends where day 6 begins.
        assert_eq!(days.forgotten(Day(9)), 200);
        assert_eq!(days.forgotten(Day(12)), 300);
        assert_eq!(days.forgotten(Day(6)), 0);
    }

    #[test]
    fn a_day_is_asked_for_until_the_log_has_a_segment_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut days = LogDays::load(dir.path().join("log-days.json")).unwrap();
        assert!(!days.see(Day(0), 50, |_| None).unwrap());
        assert!(days.see(Day(1), 100, |_| None).unwrap());
        // What came until the segment began belongs to what is before it.
        let asked = |position| (position == 100).then_some(130);
        assert!(!days.see(Day(1), 170, asked).unwrap());
        assert_eq!(days.forgotten(Day(7)), 130);
        // As the file cannot be written now, the next look asks again.
        let mut lost = LogDays::load(dir.path().join("gone/log-days.json")).unwrap();
        lost.see(Day(1), 100, Some).unwrap_err();
        assert_eq!(lost.forgotten(Day(7)), 0);
    }
}
