//! What nodes have to do over TCP before their first chunk, and how often it is said that some are refused.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wire::SharedKey;

use super::Tls;
use crate::metrics::CloseReason;

/// How often the log says at most that senders are refused for one reason: each comes again every few seconds.
const SAID: Duration = Duration::from_secs(60);

/// What a node has to do over TCP before its first chunk.
#[derive(Default)]
pub struct Entrance {
    /// To speak TLS.
    pub tls: Option<Tls>,
    /// To show that it knows this key.
    pub shared_key: Option<SharedKey>,
}

/// Those who were refused, by reason: when that was said last, and how many were not since.
#[derive(Default)]
pub(super) struct Refused(Mutex<HashMap<CloseReason, (Instant, u64)>>);

impl Refused {
    /// Counts one. When it is to be said, gives how many others were not since the last time.
    pub(super) fn count(&self, reason: CloseReason, now: Instant) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&reason) {
            Some((said, others)) if now < *said + SAID => {
                *others += 1;
                None
            }
            before => {
                let others = before.map_or(0, |(_, others)| *others);
                all.insert(reason, (now, 0));
                Some(others)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_said_once_a_minute_with_the_number_of_those_that_were_not() {
        let (refused, now) = (Refused::default(), Instant::now());
        let after = |seconds| refused.count(CloseReason::Tls, now + Duration::from_secs(seconds));
        assert_eq!(
            [after(0), after(1), after(59), after(60), after(61), after(200)],
            [Some(0), None, None, Some(2), None, Some(1)]
        );
        assert_eq!(refused.count(CloseReason::SharedKey, now), Some(0), "another reason");
    }
}
