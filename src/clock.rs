//! The time, and when a request began: to the microsecond where it can be told, and in the order of its connection.
//!
//! NGINX notes a start by its cached clock: in milliseconds, and as of the beginning of the event
//! loop's turn, which may be long ago. The system's clock is read when a request reaches the first
//! phase, and tells better unless the request's head was slow to come. To mix the two would let a
//! request seem to have begun before one that stands before it in the same connection; so no request
//! begins before the one before.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nginx_sys::{ngx_cached_time, ngx_http_request_t};

use crate::request;

/// A head that took less than this did not come slowly.
const PROMPT: u64 = 5_000;

/// What a turn of the event loop may take; a start further ahead is from before the clock was put back.
const TURN: u64 = 1_000_000;

/// Connections whose last start is remembered, each in the place that its number gives. Two that share
/// one forget each other's; all that is lost is the order of requests of one turn.
const REMEMBERED: usize = 4096;

struct Last {
    connection: AtomicU64,
    start: AtomicU64,
}

/// Of this worker; nobody but its event loop looks here.
static LAST: [Last; REMEMBERED] =
    [const { Last { connection: AtomicU64::new(0), start: AtomicU64::new(0) } }; REMEMBERED];

/// Microseconds since the Unix epoch. Asked twice for each request, hence without what makes
/// `SystemTime` cost twice as much.
pub(crate) fn now_micros() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one `timespec`; Linux always has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    part(now.tv_sec) * 1_000_000 + part(now.tv_nsec) / 1_000
}

/// When the request's first byte came, in microseconds since the Unix epoch; as exact as can be
/// told when asked in the first phase. To be asked once for each request.
///
/// # Safety
/// `r` is a live request, on the event loop's thread.
pub(crate) unsafe fn start_micros(r: *const ngx_http_request_t) -> u64 {
    // SAFETY: upheld by the caller; the cached time is set before any request (src/core/ngx_times.c).
    let (seconds, millis, turn) = unsafe { ((*r).start_sec, (*r).start_msec, &*ngx_cached_time) };
    let noted = u64::try_from(seconds).unwrap_or(0) * 1_000_000 + millis as u64 * 1_000;
    let now = now_micros();
    let in_this_turn = turn.sec == seconds && turn.msec == millis;
    let start = if in_this_turn || now.abs_diff(noted) < PROMPT { now } else { noted };
    // SAFETY: upheld by the caller.
    match unsafe { (*r).connection.as_ref() } {
        Some(connection) => in_order(request::connection_number(connection), start),
        None => start,
    }
}

fn in_order(connection: u64, start: u64) -> u64 {
    let Some(last) = LAST.get(connection as usize % REMEMBERED) else { return start };
    let before = last.start.load(Relaxed);
    let follows = last.connection.load(Relaxed) == connection && before > start && before - start < TURN;
    let start = if follows { before } else { start };
    last.connection.store(connection, Relaxed);
    last.start.store(start, Relaxed);
    start
}
