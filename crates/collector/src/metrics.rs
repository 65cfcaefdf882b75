//! Counters and gauges of the server, and their text for Prometheus.
//!
//! Counters count since the server started. Reasons are fixed words, so that a sender cannot make
//! the text grow.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One number; goes up (counter) or is set (gauge).
#[derive(Debug, Default)]
pub struct Number(AtomicU64);

impl Number {
    /// Counts `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// Counts one less; for gauges of what is open.
    pub fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Relaxed);
    }

    /// Replaces the number.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word for it in metrics and logs.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

reasons! {
    /// Why a connection from a node was closed.
    CloseReason {
        /// Bytes that are no MessagePack, or no Forward message.
        Malformed = "malformed",
        /// A frame larger than allowed, compressed or inflated.
        TooLarge = "too_large",
        /// A frame of more entries than allowed.
        TooManyEntries = "too_many_entries",
        /// No TLS was agreed upon, or the certificate shown is not trusted.
        Tls = "tls",
        /// The shared key was not shown, or another one.
        SharedKey = "shared_key",
        /// Nothing came for too long, or a frame was not whole for too long.
        Silent = "silent",
        /// The connection ended within a frame.
        Truncated = "truncated",
        /// Too many connections already.
        TooMany = "too_many_connections",
        /// The log does not take records.
        Log = "log",
        /// The network failed, or the sender takes no acks.
        Network = "network",
    }
}

reasons! {
    /// Why a record was set aside.
    AsideReason {
        /// Wrong types, missing keys, broken MessagePack.
        Malformed = "malformed",
        /// Written by a newer sender.
        NewerVersion = "newer_version",
    }
}

/// Numbers by reason.
#[derive(Debug)]
pub struct ByReason<const N: usize>([Number; N]);

impl<const N: usize> Default for ByReason<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Number::default()))
    }
}

const CLOSE_REASONS: usize = CloseReason::ALL.len();
const ASIDE_REASONS: usize = AsideReason::ALL.len();

impl ByReason<CLOSE_REASONS> {
    /// The number of a reason.
    pub fn of(&self, reason: CloseReason) -> &Number {
        &self.0[reason as usize]
    }
}

impl ByReason<ASIDE_REASONS> {
    /// The number of a reason.
    pub fn of(&self, reason: AsideReason) -> &Number {
        &self.0[reason as usize]
    }
}

/// All numbers of the server.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Chunks received from nodes, duplicates included.
    pub chunks: Number,
    /// Events in the log records that were applied.
    pub events: Number,
    /// Chunks acknowledged.
    pub acked: Number,
    /// Chunks under tags that nothing here reads.
    pub unknown_tags: Number,
    /// Connections from nodes, now open.
    pub connections: Number,
    /// Connections from nodes closed because something was wrong.
    pub closed: ByReason<CLOSE_REASONS>,
    /// Bytes in the log.
    pub log_bytes: Number,
    /// Bytes of the log that are not applied yet.
    pub log_unapplied_bytes: Number,
    /// Times the log was synced to disk.
    pub fsyncs: Number,
    /// Bytes of an incomplete last record that were cut from the log at the start.
    pub log_cut_bytes: Number,
    /// Damaged stretches of the log that were passed over.
    pub log_damages: Number,
    /// Bytes in them.
    pub log_damaged_bytes: Number,
    /// Events that numbers show to be missing behind them.
    pub log_missing_events: Number,
    /// Bytes that the disk of the log still has room for.
    pub disk_free_bytes: Number,
    /// Free bytes below which nothing more is taken.
    pub disk_reserve_bytes: Number,
    /// Log records written.
    pub log_records: Number,
    /// Log records applied.
    pub applied_records: Number,
    /// Requests put into the store.
    pub stored: Number,
    /// Requests that were there already.
    pub duplicates: Number,
    /// Requests stored without `seq` and id, so that duplicates could not be told.
    pub untold: Number,
    /// Requests older than what is kept.
    pub discarded_old: Number,
    /// Requests that claimed to start in the future.
    pub clock_ahead: Number,
    /// Requests whose endpoint found no room and shares a name with others.
    pub endpoint_overflows: Number,
    /// Records set aside.
    pub set_aside: ByReason<ASIDE_REASONS>,
    /// Set-aside records that did not fit into their file.
    pub set_aside_lost: Number,
    /// Reports of workers.
    pub node_reports: Number,
    /// Requests in the store.
    pub store_rows: Number,
    /// Failures of the store.
    pub store_errors: Number,
    /// Times that the store's engine gave up and was started anew.
    pub store_engine_starts: Number,
    /// Times that session rows could not be made.
    pub store_pieces_unmade: Number,
    /// Damaged day files that were set aside and made anew from the log.
    pub store_files_made_anew: Number,
    /// Requests of them that the log no longer had.
    pub store_lost_requests: Number,
}

impl Metrics {
    /// The numbers as Prometheus text (exposition format 0.0.4).
    pub fn render(&self) -> String {
        let mut text = Text::default();
        text.head("build_info", "gauge", "The version that runs.");
        let _ = writeln!(text.0, "api_sessions_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        text.counter("ingest_chunks_total", "Chunks received from nodes, duplicates included.", &self.chunks);

        text.counter("ingest_acked_chunks_total", "Chunks acknowledged after fsync.", &self.acked);
        text.counter("ingest_unknown_tag_chunks_total", "Chunks under tags nothing here reads.", &self.unknown_tags);
        text.gauge("ingest_connections", "Connections from nodes.", &self.connections);
        text.head("ingest_closed_total", "counter", "Connections from nodes closed because something was wrong.");
        for &reason in CloseReason::ALL {
            text.by_reason("ingest_closed_total", reason.as_str(), self.closed.of(reason));
        }
        text.gauge("log_bytes", "Bytes in the log.", &self.log_bytes);
        text.gauge("log_unapplied_bytes", "Bytes of the log not applied yet.", &self.log_unapplied_bytes);
        text.counter("log_fsyncs_total", "Times the log was synced to disk.", &self.fsyncs);
        text.counter("log_records_total", "Records written to the log.", &self.log_records);
        text.gauge("log_cut_bytes", "Bytes of an incomplete last record cut at the start.", &self.log_cut_bytes);
        let help = "Damaged stretches of the log that were passed over.";
        text.counter("log_damages_total", help, &self.log_damages);
        let help = "Bytes of the log that were passed over.";
        text.counter("log_damaged_bytes_total", help, &self.log_damaged_bytes);
        let help = "Events that numbers show to be missing behind damage of the log.";
        text.counter("log_missing_events_total", help, &self.log_missing_events);
        text.gauge("disk_free_bytes", "Bytes that the disk of the log still has room for.", &self.disk_free_bytes);
        let help = "Free bytes below which nothing more is taken from nodes.";
        text.gauge("disk_reserve_bytes", help, &self.disk_reserve_bytes);
        text.counter("apply_records_total", "Log records applied since the start.", &self.applied_records);
        text.counter("apply_events_total", "Events in the log records applied.", &self.events);
        text.counter("apply_stored_requests_total", "Requests put into the store.", &self.stored);
        text.counter("apply_duplicates_total", "Requests that were there already.", &self.duplicates);
        text.counter("apply_untold_requests_total", "Requests stored without seq and id.", &self.untold);
        text.counter("apply_discarded_old_total", "Requests older than what is kept.", &self.discarded_old);
        text.counter("apply_clock_ahead_total", "Requests that claimed to start in the future.", &self.clock_ahead);
        let help = "Requests whose endpoint found no room and shares a name with others.";
        text.counter("apply_endpoint_overflows_total", help, &self.endpoint_overflows);
        text.head("apply_set_aside_total", "counter", "Records set aside.");
        for &reason in AsideReason::ALL {
            text.by_reason("apply_set_aside_total", reason.as_str(), self.set_aside.of(reason));
        }
        text.counter("apply_set_aside_lost_total", "Set-aside records that were not kept.", &self.set_aside_lost);
        text.counter("apply_node_reports_total", "Reports of workers.", &self.node_reports);
        text.gauge("store_requests", "Requests in the store.", &self.store_rows);
        text.counter("store_errors_total", "Failures of the store.", &self.store_errors);
        let help = "Times that the engine gave up and was started anew.";
        text.counter("store_engine_starts_total", help, &self.store_engine_starts);
        let help = "Times that session rows could not be made; lists are slower then.";
        text.counter("store_pieces_unmade_total", help, &self.store_pieces_unmade);
        let help = "Damaged day files that were set aside and made anew from the log.";
        text.counter("store_files_made_anew_total", help, &self.store_files_made_anew);
        let help = "Requests of damaged day files that the log no longer had.";
        text.counter("store_lost_requests_total", help, &self.store_lost_requests);
        text.0
    }
}

/// Prometheus text as it grows.
#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP api_sessions_{name} {help}\n# TYPE api_sessions_{name} {kind}");
    }

    fn counter(&mut self, name: &str, help: &str, number: &Number) {
        self.head(name, "counter", help);
        let _ = writeln!(self.0, "api_sessions_{name} {}", number.get());
    }

    fn gauge(&mut self, name: &str, help: &str, number: &Number) {
        self.head(name, "gauge", help);
        let _ = writeln!(self.0, "api_sessions_{name} {}", number.get());
    }

    fn by_reason(&mut self, name: &str, reason: &str, number: &Number) {
        let _ = writeln!(self.0, "api_sessions_{name}{{reason=\"{reason}\"}} {}", number.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_comment_or_a_prefixed_name_and_a_number() {
        let metrics = Metrics::default();
        metrics.closed.of(CloseReason::TooLarge).add(2);
        let text = metrics.render();
        assert!(text.contains("api_sessions_ingest_closed_total{reason=\"too_large\"} 2\n"));
        for line in text.lines().filter(|line| !line.starts_with("# ")) {
            let (name, number) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("api_sessions_"), "{line}");
            number.parse::<u64>().unwrap();
        }
    }

    #[test]
    fn every_number_is_in_the_document_for_operators() {
        let told = include_str!("../../../docs/operations.md");
        let text = Metrics::default().render();
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE api_sessions_")?.split(' ').next());
        let untold: Vec<_> = names.filter(|name| !told.contains(&format!("`{name}"))).collect();
        assert!(untold.is_empty(), "docs/operations.md does not tell {untold:?}");
    }
}
