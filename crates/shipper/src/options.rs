//! How a shipper works.

use std::time::Duration;

use crate::Address;

/// Numbers and addresses that a shipper keeps to.
#[derive(Clone, Debug)]
pub struct Options {
    /// Collectors, tried in this order.
    pub addresses: Vec<Address>,
    /// Random for each life of a worker; part of each chunk id.
    pub instance: [u8; 8],
    /// Tag of the chunks.
    pub tag: String,
    /// A batch with so many events goes at once.
    pub batch_size: usize,
    /// A batch goes so long after its first event.
    pub batch_interval: Duration,
    /// A batch of so many bytes goes at once.
    pub batch_bytes: usize,
    /// Whether the entries of a chunk are compressed with zstd.
    pub zstd: bool,
    /// Nothing is pulled while so many bytes are held, in the open batch and in chunks without ack.
    pub max_held: usize,
    /// A connection that gave no ack for a chunk so long after it was sent is given up; likewise one
    /// that took no byte for so long.
    pub ack_timeout: Duration,
    /// A connection that is not there after so long is given up.
    pub connect_timeout: Duration,
    /// How long to wait when all addresses failed, at first; it doubles each time.
    pub backoff_min: Duration,
    /// How long to wait at most.
    pub backoff_max: Duration,
    /// How often the collectors before the one in use are tried.
    pub return_interval: Duration,
}

impl Options {
    /// The defaults of `wallarm_session_batch` and `wallarm_session_queue`.
    pub fn new(addresses: Vec<Address>, instance: [u8; 8]) -> Self {
        Self {
            addresses,
            instance,
            tag: wire::TAG_SESSIONS.to_owned(),
            batch_size: 500,
            batch_interval: Duration::from_secs(1),
            batch_bytes: 1 << 20,
            zstd: false,
            max_held: 64 << 20,
            ack_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            return_interval: Duration::from_secs(30),
        }
    }

    /// Nothing more is sent while chunks of so many bytes wait for their acks: a collector that is slow
    /// takes no memory that new events need.
    pub(crate) fn max_unacked(&self) -> usize {
        self.max_held / 2
    }
}
