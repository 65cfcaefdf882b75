//! How often something may be asked for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often in the long run.
const EVERY: Duration = Duration::from_millis(100);
/// How many at once, after a pause.
const BURST: u32 = 20;

/// Ten a second, twenty at once: what a person pastes, not what tries all values there are.
#[derive(Debug)]
pub(super) struct Throttle {
    /// Until when what was asked for is paid for; earlier than now when there was a pause.
    paid: Mutex<Duration>,
}

impl Throttle {
    pub(super) fn new(now: Duration) -> Self {
        Self { paid: Mutex::new(now) }
    }

    /// Takes one, or says how long to wait for it.
    pub(super) fn take(&self, now: Duration) -> Result<(), Duration> {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let next = (*paid).max(now) + EVERY;
        let most = now + EVERY * BURST;
        if next > most {
            return Err(next - most);
        }
        *paid = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_pass_at_once_and_ten_a_second_after_that() {
        let throttle = Throttle::new(Duration::ZERO);
        let pass = |now: Duration| (0..100).filter(|_| throttle.take(now).is_ok()).count();
        assert_eq!(pass(Duration::ZERO), 20);
        assert_eq!(throttle.take(Duration::ZERO), Err(EVERY));
        assert_eq!(pass(Duration::from_millis(99)), 0);
        assert_eq!(pass(Duration::from_secs(1)), 10);
        assert_eq!(pass(Duration::from_secs(3600)), 20);
    }
}
