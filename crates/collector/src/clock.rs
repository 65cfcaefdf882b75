//! Time comes from outside, so that a simulation can hold it still, jump it or turn it back.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::Micros;

/// The two clocks that the collector reads.
pub trait Clock: Send + Sync + 'static {
    /// Wall clock.
    fn now(&self) -> Micros;
    /// Time since some fixed moment; never goes back, whoever sets the wall clock.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Clocks that stand still until they are moved.
#[derive(Debug, Default)]
pub struct ManualClock {
    at: Mutex<(Micros, Duration)>,
}

impl ManualClock {
    /// Clocks that show `now`.
    pub fn new(now: Micros) -> Self {
        Self { at: Mutex::new((now, Duration::ZERO)) }
    }

    /// Lets time pass on both clocks.
    pub fn advance(&self, by: Duration) {
        let mut at = self.lock();
        at.0.0 += i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        at.1 += by;
    }

    /// Sets the wall clock, as an operator or NTP does.
    pub fn set(&self, now: Micros) {
        self.lock().0 = now;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Micros, Duration)> {
        self.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Micros {
        self.lock().0
    }

    fn monotonic(&self) -> Duration {
        self.lock().1
    }
}
