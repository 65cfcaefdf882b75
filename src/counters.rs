//! Counters of all workers, in shared memory, so that the status page of any worker tells of all,
//! dead ones included.
//!
//! One slot for each worker number; a respawned worker goes on counting in the slot of the dead
//! one, and during a reload old and new workers share it. Plain atomics, no lock: after a crash
//! NGINX frees only locks of its own.
//!
//! The memory is the master's for its whole life, and no zone of NGINX: it would unmap a zone as soon
//! as a configuration does without it, under a flusher thread that still counts (without a master
//! process a reload ends no process).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use capture::Undecoded;
use nginx_sys::ngx_worker;

use crate::lives::{self, Lives};

/// Workers beyond this share slots.
const SLOTS: usize = 128;

/// A number that many may add to.
#[derive(Default)]
#[repr(transparent)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// For gauges, which one worker owns.
    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// Sets it and tells what it was.
    pub(crate) fn swap(&self, n: u64) -> u64 {
        self.0.swap(n, Ordering::Relaxed)
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether a number only rises.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
}

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $kind:ident $field:ident = $name:literal $({ reason = $reason:literal })?),* $(,)?) => {
        /// The numbers of one worker slot.
        #[repr(C)]
        pub(crate) struct Counters {
            $($(#[doc = $help])+ pub(crate) $field: Count,)*
            /// What could not be read, in the order of [`Undecoded::each`].
            pub(crate) undecoded: [Count; Undecoded::COUNTS],
        }

        impl Counters {
            const fn new() -> Self {
                Self { $($field: Count::new(),)* undecoded: [const { Count::new() }; Undecoded::COUNTS] }
            }

            /// All of them, in a fixed order.
            pub(crate) fn each(&self) -> impl Iterator<Item = Metric> {
                [$(Metric {
                    name: $name,
                    decoder: "",
                    reason: [$($reason,)? ""][0],
                    help: concat!($($help),+),
                    kind: Kind::$kind,
                    value: self.$field.get(),
                },)*].into_iter().chain(self.each_undecoded())
            }
        }
    };
}

/// A number as the status page shows it.
#[derive(Clone, Copy)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    /// Empty without one.
    pub(crate) decoder: &'static str,
    /// Empty without one.
    pub(crate) reason: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    pub(crate) value: u64,
}

counters! {
    /// Requests that the log phase saw where sessions are on.
    Counter seen = "requests_total",
    /// Requests that no session record will tell of, by reason.
    Counter dropped_queue_full = "dropped_total" { reason = "queue_full" },
    /// Requests that no session record will tell of, by reason.
    Counter dropped_memory_full = "dropped_total" { reason = "memory_full" },
    /// Requests that no session record will tell of, by reason.
    Counter dropped_no_flusher = "dropped_total" { reason = "no_flusher" },
    /// Requests that no session record will tell of, by reason.
    Counter dropped_unsent_at_exit = "dropped_total" { reason = "unsent_at_exit" },
    /// Requests that no session record will tell of, by reason.
    Counter dropped_worker_killed = "dropped_total" { reason = "worker_killed" },
    /// Requests that no session record will tell of, by reason.
    Counter dropped_spool_full = "dropped_total" { reason = "spool_full" },
    /// Requests that no session record will tell of, by reason.
    Counter dropped_spool_damaged = "dropped_total" { reason = "spool_damaged" },
    /// Requests that no session record will tell of, by reason.
    Counter dropped_failed = "dropped_total" { reason = "failed" },
    /// Events sent to a collector, repeated ones repeatedly.
    Counter sent_events = "sent_events_total",
    /// Events that a collector has acknowledged as durable.
    Counter acked_events = "acknowledged_events_total",
    /// Events that went to the spool on disk.
    Counter spooled_events = "spooled_events_total",
    /// Events that came from the spool and were acknowledged; among the acknowledged ones.
    Counter fetched_events = "spool_acknowledged_events_total",
    /// Chunks sent again because no acknowledgement came.
    Counter resent_chunks = "resent_chunks_total",
    /// Connections given up because acknowledgements were missing.
    Counter ack_timeouts = "acknowledgement_timeouts_total",
    /// Connections made to a collector.
    Counter connects = "collector_connections_total",
    /// Attempts to connect that failed.
    Counter connect_failures = "collector_connection_failures_total",
    /// Connections to a collector that were lost after they were made.
    Counter disconnects = "collector_disconnections_total",
    /// Bodies that were not looked at, as there was no memory for them.
    Counter bodies_given_up = "bodies_given_up_total",
    /// Values that were too long to copy.
    Counter oversized = "oversized_values_total",
    /// Panics caught; every one is a bug.
    Counter panics = "panics_total",
    /// Requests waiting for the flusher.
    Gauge queue_length = "queue_length",
    /// Bytes in the queue and in chunks that are not acknowledged.
    Gauge memory = "memory_bytes",
    /// Events sent or about to be sent, not acknowledged yet.
    Gauge unacked_events = "unacknowledged_events",
    /// Whether the worker is connected to a collector.
    Gauge connected = "connected",
}

/// What all workers share.
#[repr(C)]
pub(crate) struct Shared {
    slots: [Counters; SLOTS],
    /// 1 while the log has said that the collector is out of reach and not yet that it is back:
    /// all workers notice, one says it.
    pub(crate) unreachable_said: Count,
    /// 1 while the log has said that events go to another collector than the first.
    pub(crate) failover_said: Count,
    /// The same as of the collector, of the spool and its disk.
    pub(crate) spool_fails_said: Count,
    /// Which cycle of this master has begun last.
    pub(crate) cycle: Count,
    /// Bytes on disk, of all workers together.
    pub(crate) spool_bytes: Count,
    /// The second in which a worker has last said that it records nothing of some requests.
    pub(crate) drops_said: Count,
    pub(crate) lives: Lives,
}

/// Which cycle of the master has begun last: another one than at the start of a process tells it that
/// it will soon be asked to end.
pub(crate) fn newest_cycle() -> u64 {
    shared().map_or(0, |shared| shared.cycle.get())
}

/// Of this process alone: its drops, which its reports tell, and everything while nothing is shared.
static LOCAL: Counters = Counters::new();
static SHARED: AtomicPtr<Shared> = AtomicPtr::new(std::ptr::null_mut());

/// What all workers share, when there is any.
pub(crate) fn shared() -> Option<&'static Shared> {
    // SAFETY: set once to zeroed memory of that type, which all-zero bytes are valid for, and which is
    // never unmapped.
    unsafe { SHARED.load(Ordering::Acquire).as_ref() }
}

/// The counters of this worker.
pub(crate) fn current() -> &'static Counters {
    // SAFETY: `ngx_worker` is set before modules start in a worker (src/os/unix/ngx_process_cycle.c).
    let number = unsafe { ngx_worker };
    shared().and_then(|shared| shared.slots.get(number % SLOTS)).unwrap_or(&LOCAL)
}

/// Why a request that was seen leaves no record.
#[derive(Clone, Copy)]
pub(crate) enum Dropped {
    QueueFull,
    MemoryFull,
    NoFlusher,
    UnsentAtExit,
    /// Of another process, which was killed.
    WorkerKilled,
    /// Of any process, from the spool.
    SpoolFull,
    SpoolDamaged,
    Failed,
}

/// Counts requests that leave no record.
pub(crate) fn dropped(reason: Dropped, n: u64) {
    let count = |counters: &Counters| {
        let place = match reason {
            Dropped::QueueFull => &counters.dropped_queue_full,
            Dropped::MemoryFull => &counters.dropped_memory_full,
            Dropped::NoFlusher => &counters.dropped_no_flusher,
            Dropped::UnsentAtExit => &counters.dropped_unsent_at_exit,
            Dropped::WorkerKilled => &counters.dropped_worker_killed,
            Dropped::SpoolFull => &counters.dropped_spool_full,
            Dropped::SpoolDamaged => &counters.dropped_spool_damaged,
            Dropped::Failed => &counters.dropped_failed,
        };
        place.add(n);
    };
    if !matches!(reason, Dropped::WorkerKilled | Dropped::SpoolFull | Dropped::SpoolDamaged) {
        lives::settled(n);
    }
    count(&LOCAL);
    if shared().is_some() {
        count(current());
    }
}

impl Counters {
    fn each_undecoded(&self) -> impl Iterator<Item = Metric> {
        let labels = Undecoded::default();
        labels.each().collect::<Vec<_>>().into_iter().zip(&self.undecoded).map(|((decoder, reason, _), count)| Metric {
            name: "undecoded_values_total",
            decoder: decoder.as_str(),
            reason: reason.as_str(),
            help: "Values and bodies that a decoder could not read, by decoder and reason; those that are zero are left out.",
            kind: Kind::Counter,
            value: count.get(),
        })
    }

    fn each_drop(&self) -> [&Count; 8] {
        [
            &self.dropped_queue_full,
            &self.dropped_memory_full,
            &self.dropped_no_flusher,
            &self.dropped_unsent_at_exit,
            &self.dropped_worker_killed,
            &self.dropped_spool_full,
            &self.dropped_spool_damaged,
            &self.dropped_failed,
        ]
    }
}

/// What this instance alone has dropped, by reason.
pub(crate) fn drops_of_this_instance() -> BTreeMap<String, u64> {
    let drops = LOCAL.each().filter(|metric| metric.name == "dropped_total");
    drops.map(|metric| (metric.reason.to_owned(), metric.value)).collect()
}

/// The numbers of all workers, added up.
pub(crate) fn totals() -> Vec<Metric> {
    let Some(shared) = shared() else { return LOCAL.each().collect() };
    let mut totals: Vec<Metric> = Counters::new().each().collect();
    for slot in &shared.slots {
        for (total, metric) in totals.iter_mut().zip(slot.each()) {
            total.value += metric.value;
        }
    }
    let help = "Bytes in the spool on disk, of all workers.";
    let value = shared.spool_bytes.get();
    totals.push(Metric { name: "spool_bytes", decoder: "", reason: "", help, kind: Kind::Gauge, value });
    totals
}

/// Prepares for a configuration that is about to run: makes the memory that workers to come inherit,
/// once in the life of a master. Without it each process counts for itself.
pub(crate) fn begin_cycle() -> std::io::Result<()> {
    if let Some(shared) = shared() {
        // A new configuration may name another collector, and its log begins anew.
        shared.unreachable_said.set(0);
        shared.failover_said.set(0);
        shared.spool_fails_said.set(0);
        shared.spool_bytes.set(0);
        shared.cycle.add(1);
        return Ok(());
    }
    let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, which nobody else knows.
    let memory = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<Shared>(), access, flags, -1, 0) };
    if memory == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error());
    }
    SHARED.store(memory.cast(), Ordering::Release);
    Ok(())
}

/// A new instance begins in this process: its reports tell of its own drops alone.
pub(crate) fn begin_instance() {
    if shared().is_some() {
        LOCAL.each_drop().into_iter().for_each(|count| count.set(0));
    }
}
