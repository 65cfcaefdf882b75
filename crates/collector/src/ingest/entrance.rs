//! What nodes have to do over TCP before their first chunk, and how often it is said that some are refused.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wire::SharedKey;

use super::Tls;
use super::connection::Closed;
use crate::metrics::CloseReason;

/// How often the log says at most that senders are refused for one cause: each comes again every few seconds.
const SAID: Duration = Duration::from_secs(60);
/// Causes that are told apart; what is refused for further ones counts together.
const CAUSES: usize = 64;

/// What a node has to do over TCP before its first chunk.
#[derive(Default)]
pub struct Entrance {
    /// To speak TLS.
    pub tls: Option<Tls>,
    /// To show that it knows this key.
    pub shared_key: Option<SharedKey>,
}

/// Those who were refused, by cause, which is the reason with its words: a node that is mended in one thing may still be
/// refused for another. When each was said last, and how many were not since.
#[derive(Default)]
pub(super) struct Refused(Mutex<HashMap<(CloseReason, String), (Instant, u64)>>);

impl Refused {
    /// Counts one. When it is to be said, gives how many others were not since the last time.
    pub(super) fn count(&self, closed: &Closed, now: Instant) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cause = (closed.reason, closed.message.clone());
        if !all.contains_key(&cause) && all.len() >= CAUSES {
            all.retain(|_, (said, _)| now < *said + SAID);
            if all.len() >= CAUSES {
                cause.1.clear();
            }
        }
        match all.get_mut(&cause) {
            Some((said, others)) if now < *said + SAID => {
                *others += 1;
                None
            }
            before => {
                let others = before.map_or(0, |(_, others)| *others);
                all.insert(cause, (now, 0));
                Some(others)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(reason: CloseReason, message: &str) -> Closed {
        Closed { reason, message: message.to_owned() }
    }

    #[test]
    fn refusals_are_said_once_a_minute_with_the_number_of_those_that_were_not() {
        let (refused, now) = (Refused::default(), Instant::now());
        let unknown = closed(CloseReason::Tls, "an unknown authority");
        let after = |seconds| refused.count(&unknown, now + Duration::from_secs(seconds));
        assert_eq!(
            [after(0), after(1), after(59), after(60), after(61), after(200)],
            [Some(0), None, None, Some(2), None, Some(1)]
        );
        assert_eq!(refused.count(&closed(CloseReason::Tls, "no certificate"), now), Some(0), "another cause");
        assert_eq!(refused.count(&closed(CloseReason::SharedKey, "another key"), now), Some(0), "another reason");
    }

    #[test]
    fn causes_without_end_take_no_memory_without_end_and_are_said_together() {
        let (refused, now) = (Refused::default(), Instant::now());
        let said =
            (0..1000).filter(|n| refused.count(&closed(CloseReason::Tls, &n.to_string()), now).is_some()).count();
        assert_eq!(said, CAUSES + 1);
        assert_eq!(refused.0.lock().unwrap().len(), CAUSES + 1);
    }
}
