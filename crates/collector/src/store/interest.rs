//! Giving questions up, and telling how far they are: whoever asked may have gone, or want to know.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

thread_local! {
    static CURRENT: RefCell<Option<Interest>> = const { RefCell::new(None) };
}

/// Whether somebody still waits for an answer. A store looks at it while it works on the question, and tells how far it is.
#[derive(Clone, Debug, Default)]
pub struct Interest {
    lost: Arc<AtomicBool>,
    progress: Arc<Progress>,
}

/// How far the questions of somebody are: days that were looked at, of those that will be as far as that is known.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicUsize,
    days: AtomicUsize,
}

impl Progress {
    /// Days done, and days in all.
    pub fn days(&self) -> (usize, usize) {
        (self.done.load(Ordering::Relaxed), self.days.load(Ordering::Relaxed))
    }
}

impl Interest {
    /// That of somebody who wants to know how far it is.
    pub fn told(progress: Arc<Progress>) -> Self {
        Self { lost: Arc::default(), progress }
    }

    /// Asks a question on this thread, to be given up when the interest is lost.
    pub fn ask<T>(&self, question: impl FnOnce() -> T) -> T {
        let before = CURRENT.replace(Some(self.clone()));
        let answer = question();
        CURRENT.set(before);
        answer
    }

    /// Nobody waits any more.
    pub fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }

    /// Whether nobody waits any more.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// In the question that this thread works on. One that was asked without is never given up.
    pub fn current() -> Self {
        CURRENT.with_borrow(Clone::clone).unwrap_or_default()
    }

    /// The same days, each told as done when the next is wanted. Those that nobody wants any more are done too.
    pub fn through<T>(days: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
        let days: Vec<T> = days.into_iter().collect();
        let mut walk = Walk { progress: Self::current().progress, left: days.len(), begun: false };
        walk.progress.days.fetch_add(walk.left, Ordering::Relaxed);
        days.into_iter().map(Some).chain([None]).map_while(move |day| {
            walk.step();
            day
        })
    }
}

/// Days of a question that are not done yet.
struct Walk {
    progress: Arc<Progress>,
    left: usize,
    begun: bool,
}

impl Walk {
    /// The day before, if there was one, is done.
    fn step(&mut self) {
        if std::mem::replace(&mut self.begun, true) && self.left > 0 {
            self.left -= 1;
            self.progress.done.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        self.progress.done.fetch_add(self.left, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_told_of_each_day_that_is_done_and_of_those_that_need_not_be_looked_at() {
        let progress = Arc::new(Progress::default());
        Interest::told(Arc::clone(&progress)).ask(|| {
            let mut told = Vec::new();
            for _ in Interest::through(0..3) {
                told.push(progress.days());
            }
            assert_eq!(told, [(0, 3), (1, 3), (2, 3)]);
            assert_eq!(progress.days(), (3, 3));
            for day in Interest::through(0..4) {
                if day == 1 {
                    assert_eq!(progress.days(), (4, 7));
                    break;
                }
            }
            assert_eq!(progress.days(), (7, 7));
        });
        drop(Interest::through(0..3));
        assert_eq!(progress.days(), (7, 7));
    }
}
