//! What a shipper did, for the status page and the node's reports.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters since the shipper began, and gauges of now. Read them from any thread.
#[derive(Debug, Default)]
pub struct Counters {
    /// Chunks sent, each time they were.
    pub sent_chunks: AtomicU64,
    /// Events in them.
    pub sent_events: AtomicU64,
    /// Chunks sent again after a connection was lost.
    pub resent_chunks: AtomicU64,
    /// Chunks acknowledged.
    pub acked_chunks: AtomicU64,
    /// Events in them.
    pub acked_events: AtomicU64,
    /// Node reports acknowledged.
    pub acked_reports: AtomicU64,
    /// Acks of chunks that were not sent on the connection, or were acknowledged before.
    pub unknown_acks: AtomicU64,
    /// Connections that came up.
    pub connects: AtomicU64,
    /// Connections that did not.
    pub connect_failures: AtomicU64,
    /// Connections that were lost after they came up.
    pub disconnects: AtomicU64,
    /// Connections given up because acks were missing; among `disconnects`.
    pub ack_timeouts: AtomicU64,
    /// Events that were refused because no frame could hold one.
    pub oversized_events: AtomicU64,
    /// Events that went to the spool.
    pub spooled_events: AtomicU64,
    /// Events that came from the spool, whoever stored them, and were acknowledged; among `acked_events`.
    pub fetched_events: AtomicU64,
    /// Events removed from the spool, unsent, as it was full.
    pub spool_full_events: AtomicU64,
    /// Events that a damaged part of the spool no longer held, as far as can be told.
    pub spool_damaged_events: AtomicU64,
    /// Gauge: parts in the spool, those of other workers included.
    pub spool_parts: AtomicU64,
    /// Gauge: bytes in them.
    pub spool_bytes: AtomicU64,
    /// Gauge: chunks that are not acknowledged, those in the spool left out.
    pub unacked_chunks: AtomicU64,
    /// Gauge: events in them.
    pub unacked_events: AtomicU64,
    /// Gauge: events in the batch that is still open.
    pub open_events: AtomicU64,
    /// Gauge: bytes in the open batch and in chunks without ack.
    pub held_bytes: AtomicU64,
    /// Gauge: whether a connection is up.
    pub connected: AtomicBool,
}

impl Counters {
    /// One thread writes, so that no read-modify-write has to be atomic.
    pub(crate) fn add(counter: &AtomicU64, by: usize) {
        set(counter, counter.load(Ordering::Relaxed).wrapping_add(by as u64));
    }

    pub(crate) fn gauge(gauge: &AtomicU64, value: usize) {
        set(gauge, value as u64);
    }
}

fn set(counter: &AtomicU64, value: u64) {
    counter.store(value, Ordering::Relaxed);
}
