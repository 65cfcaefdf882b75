//! No panic leaves for C: it would abort the worker and every request in it.
//!
//! Every entry from C is an exported function `wallarm_sessions_entry_NAME` whose body is one call of
//! [`guard`] with that name. So the built module tells which entries there are, and a backtrace of a
//! stripped one which of them was called. The suite `safety` lets each of them panic.
//!
//! Unwind safety: state that a panic may leave half-written is our own counters and the worker's
//! queue, which hold whole values at every step.

use std::any::Any;
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{counters, log};

/// What the first panic said. Panics after it are only counted.
static FIRST: OnceLock<String> = OnceLock::new();
static SAID: AtomicBool = AtomicBool::new(false);

/// Runs the body of an entry from C. A panic becomes `fallback`, is counted, and is logged once in
/// the life of the process.
#[inline(always)]
pub(crate) fn guard<T>(entry: &'static str, fallback: T, body: impl FnOnce() -> T) -> T {
    catch(entry, body).unwrap_or_else(|| {
        say();
        fallback
    })
}

/// The same for the flusher thread, which must not write to the log: the worker's timer does.
pub(crate) fn guard_thread<T>(entry: &'static str, fallback: T, body: impl FnOnce() -> T) -> T {
    catch(entry, body).unwrap_or(fallback)
}

#[inline(always)]
fn catch<T>(entry: &'static str, body: impl FnOnce() -> T) -> Option<T> {
    let body = || {
        planted(entry);
        body()
    };
    catch_unwind(AssertUnwindSafe(body))
        .inspect_err(|payload| {
            remember(&**payload, None);
            counters::current().panics.add(1);
        })
        .ok()
}

/// Keeps Rust from writing each panic to standard error, which NGINX makes its error log, and learns
/// where the first one happened. The Rust runtime in this module has its own hook.
pub(crate) fn take_panics_over() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo| remember(info.payload(), info.location())));
}

/// Logs the first panic, once. On the event loop's thread.
pub(crate) fn say() {
    let Some(text) = FIRST.get() else { return };
    if !SAID.swap(true, Ordering::Relaxed) {
        let text = format!("wallarm sessions: a panic was caught ({text}); NGINX goes on, please report it");
        log::cycle(log::Level::Alert, &text);
    }
}

fn remember(payload: &(dyn Any + Send), place: Option<&Location>) {
    // Not what was put together at run time: it may hold a part of a request.
    let text = payload.downcast_ref::<&str>().copied().unwrap_or("no fixed message");
    FIRST.get_or_init(|| match place {
        Some(place) => format!("{text}, {place}"),
        None => text.to_owned(),
    });
}

/// Where the suite `safety` lets something go wrong; nothing in a module that is shipped.
#[cfg(planted)]
pub(crate) use crate::plant::here as planted;
#[cfg(not(planted))]
#[inline(always)]
pub(crate) fn planted(_: &'static str) {}
