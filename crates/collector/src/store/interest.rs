//! Giving questions up: whoever asked has gone, or has waited long enough.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    static CURRENT: RefCell<Option<Interest>> = const { RefCell::new(None) };
}

/// Whether somebody still waits for an answer. A store looks at it while it works on the question.
#[derive(Clone, Debug, Default)]
pub struct Interest(Arc<AtomicBool>);

impl Interest {
    /// Asks a question on this thread, to be given up when the interest is lost.
    pub fn ask<T>(&self, question: impl FnOnce() -> T) -> T {
        let before = CURRENT.replace(Some(self.clone()));
        let answer = question();
        CURRENT.set(before);
        answer
    }

    /// Nobody waits any more.
    pub fn lose(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether nobody waits any more.
    pub fn is_lost(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// In the question that this thread works on. One that was asked without is never given up.
    pub fn current() -> Self {
        CURRENT.with_borrow(Clone::clone).unwrap_or_default()
    }
}
