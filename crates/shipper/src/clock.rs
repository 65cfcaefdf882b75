//! Time, for what has to wait.

use std::time::{Duration, Instant};

/// Tells the time and lets it pass.
pub trait Clock {
    /// Now.
    fn now(&self) -> Instant;

    /// Returns after `duration`, or earlier.
    fn sleep(&self, duration: Duration);
}

/// The machine's monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}
