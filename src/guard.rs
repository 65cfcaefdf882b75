//! No panic leaves for C: it would abort the worker and every request in it.
//!
//! Unwind safety: state that a panic may leave half-written is our own counters and the worker's
//! queue, which hold whole values at every step.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{counters, log};

/// What the first panic said. Panics after it are only counted.
static FIRST: OnceLock<String> = OnceLock::new();
static SAID: AtomicBool = AtomicBool::new(false);

/// Runs the body of an entry from C. A panic becomes `fallback`, is counted, and is logged once in
/// the life of the process.
pub(crate) fn guard<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        count(&*payload);
        say();
        fallback
    })
}

/// The same for the flusher thread, which must not write to the log: the worker's timer does.
pub(crate) fn guard_thread<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        count(&*payload);
        fallback
    })
}

/// Logs the first panic, once. On the event loop's thread.
pub(crate) fn say() {
    let Some(text) = FIRST.get() else { return };
    if !SAID.swap(true, Ordering::Relaxed) {
        let text = format!("wallarm sessions: a panic was caught ({text}); requests are served, please report it");
        log::cycle(log::Level::Alert, &text);
    }
}

fn count(payload: &(dyn Any + Send)) {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    FIRST.get_or_init(|| text.unwrap_or("no message").to_owned());
    counters::current().panics.add(1);
}
