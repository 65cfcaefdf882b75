//! Where in the log each day begins, so that the log forgets with the store.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::KEPT_DAYS;
use crate::data_dir::{load_json, save_json};
use crate::model::Day;
use crate::store::Position;

/// The end of the log when each day was first seen.
#[derive(Debug)]
pub struct LogDays {
    file: PathBuf,
    days: Days,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Days(BTreeMap<i32, Position>);

impl LogDays {
    /// Goes on with what `file` says.
    pub fn load(file: PathBuf) -> io::Result<Self> {
        let days = load_json(&file)?;
        Ok(Self { file, days })
    }

    /// Notes that it is `today` while the log ends at `end`; true when a day has ended there.
    pub fn see(&mut self, today: Day, end: Position) -> io::Result<bool> {
        if self.days.0.contains_key(&today.0) {
            return Ok(false);
        }
        let first_ever = self.days.0.is_empty();
        self.days.0.insert(today.0, end);
        // The last one before the week is what `forgotten` needs.
        let oldest = today.0 - KEPT_DAYS + 1;
        if let Some((&last, _)) = self.days.0.range(..=oldest).next_back() {
            self.days.0.retain(|&day, _| day >= last);
        }
        save_json(&self.file, &self.days)?;
        Ok(!first_ever)
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
            assert_eq!(days.see(Day(day), end).unwrap(), day > 0);
            assert!(!days.see(Day(day), end + 50).unwrap());
        }
        let days = LogDays::load(file).unwrap();
        // On day 9 the week begins with day 3; what came on day 2 ends where day 6 begins.
        assert_eq!(days.forgotten(Day(9)), 200);
        assert_eq!(days.forgotten(Day(12)), 300);
        assert_eq!(days.forgotten(Day(6)), 0);
    }
}
