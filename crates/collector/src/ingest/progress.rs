//! How far the log is written, and how far it is applied: what the two threads tell each other.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::store::Position;

/// Positions in the log that only move forward, and can be waited for.
#[derive(Debug, Default)]
pub struct Progress {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    synced: Position,
    applied: Position,
    stopped: bool,
}

impl Progress {
    /// Everything before `position` is durable.
    pub fn set_synced(&self, position: Position) {
        self.lock().synced = position;
        self.moved.notify_all();
    }

    /// Everything before `position` is in the store.
    pub fn set_applied(&self, position: Position) {
        self.lock().applied = position;
        self.moved.notify_all();
    }

    /// Nobody moves anything any more: ends all waiting.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.moved.notify_all();
    }

    /// Whether [`stop`](Self::stop) was called.
    pub fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Waits until something behind `position` is durable, at most for `timeout`.
    pub fn wait_synced_behind(&self, position: Position, timeout: Duration) {
        let waiting = |state: &mut State| state.synced <= position && !state.stopped;
        drop(self.moved.wait_timeout_while(self.lock(), timeout, waiting));
    }

    /// Waits until everything before `position` is in the store.
    pub fn wait_applied(&self, position: Position) {
        drop(self.moved.wait_while(self.lock(), |state| state.applied < position && !state.stopped));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
