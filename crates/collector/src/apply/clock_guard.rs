//! Which day it is, when that decides what is forgotten.
//!
//! A clock that jumps forward would make the whole week old at once. So retention stands still on
//! the last day that was believable when
//! - the wall clock moved by an hour more or less than the monotonic clock, or
//! - at a start, the wall clock is more than a day ahead of what was seen last,
//!
//! and stays so, over restarts too, until an operator says that the clock is right. A clock that
//! was set back may have been too far ahead before: then the earlier day counts, so that what
//! comes by the right clock is not taken for a week old. It counts on when the clock is set forward again: what came
//! meanwhile has that day.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Day, Micros};

/// How far the clocks may drift apart.
const DRIFT: i64 = 3_600_000_000;
/// How long the server may have been off without a question.
const GAP: i64 = 86_400_000_000;

/// What has to outlive the process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The last believable time, microseconds since the epoch.
    pub last: i64,
    /// Why the clock is not believed any more.
    pub stopped: Option<String>,
}

/// Watches the wall clock.
#[derive(Debug)]
pub struct ClockGuard {
    seen: Seen,
    /// Wall clock and monotonic clock at the last look.
    before: (Micros, Duration),
}

impl ClockGuard {
    /// Begins to watch. `seen` is what the process before left, `newest` the start of the newest
    /// request in the store, `confirmed` an operator's word that the clock is right.
    pub fn new(seen: Seen, newest: Option<Micros>, confirmed: bool, now: Micros, monotonic: Duration) -> Self {
        let mut guard = Self { seen, before: (now, monotonic) };
        if confirmed {
            guard.seen = Seen { last: now.0, stopped: None };
            return guard;
        }
        // Requests may be newer than a clock that was set back.
        let known = if guard.seen.last > 0 { guard.seen.last } else { newest.map_or(0, |newest| newest.0) };
        if known.saturating_sub(now.0) > DRIFT {
            guard.seen.last = now.0;
        }
        if known > 0 && now.0.saturating_sub(known) > GAP && guard.seen.stopped.is_none() {
            guard.seen.last = known;
            guard.seen.stopped =
                Some(format!("the clock says {now}, but the last that was seen is from {}", Micros(known)));
        }
        guard.look(now, monotonic);
        guard
    }

    /// Looks at the clocks again.
    pub fn look(&mut self, now: Micros, monotonic: Duration) {
        let (wall_before, monotonic_before) = std::mem::replace(&mut self.before, (now, monotonic));
        if self.seen.stopped.is_some() {
            self.seen.last = self.seen.last.min(now.0);
            return;
        }
        let passed = i64::try_from(monotonic.saturating_sub(monotonic_before).as_micros()).unwrap_or(i64::MAX);
        let expected = Micros(wall_before.0.saturating_add(passed));
        if now.0.saturating_sub(expected.0).saturating_abs() > DRIFT {
            self.seen.stopped = Some(format!("the clock was set to {now} where {expected} was expected"));
            self.seen.last = self.seen.last.min(now.0).min(expected.0);
            return;
        }
        // Small steps back are NTP at work; what was believed stays believed.
        self.seen.last = self.seen.last.max(now.0);
    }

    /// The day by which old days are told: never ahead of the clock, nor of what is believed.
    pub fn today(&self) -> Day {
        Micros(self.seen.last.min(self.before.0.0)).day()
    }

    /// Why nothing is forgotten any more, and what to do.
    pub fn stopped(&self) -> Option<String> {
        self.seen.stopped.as_ref().map(|reason| {
            format!("{reason}; nothing is forgotten until the clock is right and the server was started once with --clock-confirmed")
        })
    }

    /// What has to outlive the process.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;
    const START: i64 = 20_000 * DAY;

    fn guard(seen: Seen, newest: Option<i64>, now: i64) -> ClockGuard {
        ClockGuard::new(seen, newest.map(Micros), false, Micros(now), Duration::ZERO)
    }

    #[test]
    fn days_pass_while_both_clocks_agree() {
        let mut guard = guard(Seen::default(), None, START);
        for day in 1..30 {
            let passed = Duration::from_secs(86_400 * day);
            // An idle site, and a clock that is a little fast.
            guard.look(Micros(START + (86_400 + 3) * day as i64 * 1_000_000), passed);
            assert_eq!(guard.stopped(), None);
        }
        assert_eq!(guard.today(), Day(20_029));
    }

    #[test]
    fn a_clock_that_was_set_stops_forgetting_until_confirmed() {
        for jump in [-2 * DAY, 3 * DAY] {
            let mut guard = guard(Seen::default(), Some(START), START);
            guard.look(Micros(START + jump), Duration::from_secs(60));
            assert!(guard.stopped().is_some_and(|reason| reason.contains("--clock-confirmed")));
            assert_eq!(guard.today(), Micros(START + jump.min(0)).day());
            // A restart alone changes nothing, nor do events under the new clock.
            let now = Micros(START + jump);
            let seen = guard.seen().clone();
            let again = ClockGuard::new(seen.clone(), Some(now), false, now, Duration::ZERO);
            assert!(again.stopped().is_some());
            let confirmed = ClockGuard::new(seen, Some(now), true, now, Duration::ZERO);
            assert_eq!((confirmed.stopped(), confirmed.today()), (None, now.day()));
        }
    }

    #[test]
    fn a_clock_that_was_ahead_and_is_put_right_makes_nothing_old() {
        let right = START + 60_000_000;
        let mut put_right = guard(Seen::default(), None, START + 30 * DAY);
        put_right.look(Micros(right), Duration::from_secs(60));
        assert!(put_right.stopped().is_some());
        assert_eq!(put_right.today(), Day(20_000));
        // Put right while the server was off, it needs no word.
        let ahead = Seen { last: START + 30 * DAY, stopped: None };
        assert_eq!(guard(ahead, None, right).today(), Day(20_000));
        // What stopped before knew better than to wait for the wrong day.
        let stopped = Seen { last: START + 30 * DAY, stopped: Some("set back".into()) };
        assert_eq!(guard(stopped, None, right).today(), Day(20_000));
    }

    #[test]
    fn what_came_while_the_clock_was_behind_is_not_forgotten_when_it_is_right_again() {
        let (right, behind) = (START, START - 30 * DAY);
        // A machine that starts without a battery, until it asks for the time.
        let mut started = guard(Seen { last: right, stopped: None }, Some(right), behind);
        assert_eq!((started.stopped(), started.today()), (None, Day(19_970)));
        let seen = started.seen().clone();
        started.look(Micros(right), Duration::from_secs(1));
        assert_eq!((started.stopped().is_some(), started.today()), (true, Day(19_970)));
        // It is right only at the next start.
        let next = guard(seen, Some(right), right);
        assert_eq!((next.stopped().is_some(), next.today()), (true, Day(19_970)));
    }

    #[test]
    fn nothing_is_forgotten_while_stopped_however_time_goes_on() {
        let mut guard = guard(Seen::default(), None, START);
        guard.look(Micros(START - DAY), Duration::from_secs(60));
        guard.look(Micros(START + 9 * DAY), Duration::from_secs(10 * 86_400));
        assert_eq!(guard.today(), Day(19_999));
    }

    #[test]
    fn a_start_long_after_the_last_event_is_questioned_once_nothing_newer_was_seen() {
        assert!(guard(Seen::default(), Some(START), START + 2 * DAY).stopped().is_some());
        assert_eq!(guard(Seen::default(), Some(START), START + 2 * DAY).today(), Day(20_000));
        let seen = Seen { last: START + DAY, stopped: None };
        assert!(guard(seen, Some(START), START + 3 * DAY / 2).stopped().is_none());
        assert!(guard(Seen::default(), None, START).stopped().is_none());
    }
}
