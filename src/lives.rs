//! What a worker that was killed held in memory, told by a living one.
//!
//! Each process writes into shared memory how many requests it saw and of how many it knows what became: they were
//! dropped and counted, acknowledged, or stored on disk. The rest is in its memory. When the process is there
//! no more, somebody counts the rest as dropped. For a process that ended in order nothing is left to count.
//!
//! An ack or a write of its very last moment may be unknown: then an event counts as lost that is not.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::counters;

/// Processes of a master at the same time, old ones that are ending included. Beyond that they are not told of.
const LIVES: usize = 256;
/// In the place of a process id: somebody tells of that process.
const TELLING: u64 = u64::MAX;

/// One process. All zeroes is a free place.
#[repr(C)]
struct Life {
    process: AtomicU64,
    seen: AtomicU64,
    settled: AtomicU64,
}

/// In memory that all processes of a master share. Zeroes are valid.
#[repr(C)]
pub(crate) struct Lives([Life; LIVES]);

/// The one of this process; null without.
static OWN: AtomicPtr<Life> = AtomicPtr::new(std::ptr::null_mut());

fn own() -> Option<&'static Life> {
    // SAFETY: null, or a place in shared memory that is never unmapped.
    unsafe { OWN.load(Ordering::Relaxed).as_ref() }
}

/// Gives this process a place, once; one that goes on with another configuration keeps it.
pub(crate) fn begin() {
    let Some(Lives(lives)) = counters::shared().map(|shared| &shared.lives) else { return };
    let id = u64::from(std::process::id());
    let takes = |life: &&Life| life.process.compare_exchange(0, id, Ordering::AcqRel, Ordering::Relaxed).is_ok();
    let place =
        lives.iter().find(|life| life.process.load(Ordering::Acquire) == id).or_else(|| lives.iter().find(takes));
    OWN.store(place.map_or(std::ptr::null_mut(), |life| std::ptr::from_ref(life).cast_mut()), Ordering::Relaxed);
}

/// A request was seen.
pub(crate) fn seen() {
    if let Some(life) = own() {
        life.seen.fetch_add(1, Ordering::Relaxed);
    }
}

/// Of so many requests of this process it is known what became.
pub(crate) fn settled(events: u64) {
    if let Some(life) = own() {
        life.settled.fetch_add(events, Ordering::Relaxed);
    }
}

/// Frees the places of processes that are there no more. Gives what they held.
pub(crate) fn take_lost() -> u64 {
    let Some(Lives(lives)) = counters::shared().map(|shared| &shared.lives) else { return 0 };
    let mut lost = 0;
    for life in lives {
        let process = life.process.load(Ordering::Acquire);
        let free = process == 0 || process == TELLING;
        if free || is_there(process) {
            continue;
        }
        // Of several that notice, one counts.
        if life.process.compare_exchange(process, TELLING, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            let (seen, settled) = (life.seen.swap(0, Ordering::Relaxed), life.settled.swap(0, Ordering::Relaxed));
            lost += seen.saturating_sub(settled);
            life.process.store(0, Ordering::Release);
        }
    }
    lost
}

fn is_there(process: u64) -> bool {
    let Ok(id) = libc::pid_t::try_from(process) else { return false };
    // SAFETY: signal 0 only asks whether there is such a process.
    let outcome = unsafe { libc::kill(id, 0) };
    outcome == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}
