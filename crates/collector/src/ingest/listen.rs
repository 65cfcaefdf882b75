//! The sockets that nodes connect to.
//!
//! One task for each connection reads bytes, hands whole frames to the journal thread and sends the
//! answers. Bounded: connections, frames being unpacked, bytes being unpacked or waiting for the log,
//! frames of one connection that wait for their answer, the time that a sender may be silent, take
//! for a frame, and take to read its answers.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use wire::Frame;

use super::entrance::Refused;
use super::greeting::greet;
use super::{Append, Closed, Connection, Entrance, Job};
use crate::metrics::{CloseReason, Metrics};
use crate::sockets::{Bound, Listener, Stream};

/// Bytes of frames that are unpacked or wait for the log, over all connections, in KiB.
const ROOM_KIB: u32 = 128 << 10;
/// Frames being unpacked at a time.
const UNPACKING: usize = 16;
/// Frames of one connection that wait for their answer.
const UNDER_WAY: usize = 64;
/// Bytes of incomplete frames, over all connections; past it, large ones are cut off.
const BUFFERED_MAX: usize = 256 << 20;
/// A connection that buffers less is left alone.
const BUFFERED_SMALL: usize = 64 << 10;
/// How much is read at a time.
const READ: usize = 64 << 10;
/// Frames that may take more are unpacked where waiting stops nobody else.
const UNPACKED_ASIDE: usize = 256 << 10;
/// Connections over TCP that have not shown yet that they are nodes.
const ENTERING: usize = 256;
/// What senders get: a node reports every 10 s, whatever its traffic.
const PATIENCE: Patience = Patience {
    greeting: Duration::from_secs(10),
    idle: Duration::from_secs(120),
    frame: Duration::from_secs(60),
    answer: Duration::from_secs(30),
};
/// The longest that connections may take to end when the server stops.
const STOP_TIME: Duration = Duration::from_secs(5);

/// How long a sender may take.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// To agree on TLS, and to show the shared key.
    greeting: Duration,
    /// Without a byte, while nothing is owed to it.
    idle: Duration,
    /// From a frame's first byte to its last.
    frame: Duration,
    /// To read an answer.
    answer: Duration,
}

/// What all connections share.
struct Door {
    entrance: Entrance,
    refused: Refused,
    patience: Patience,
    jobs: mpsc::Sender<Job>,
    metrics: Arc<Metrics>,
    connections: Semaphore,
    entering: Semaphore,
    room: Arc<Semaphore>,
    unpacking: Semaphore,
    buffered: AtomicUsize,
}

/// Takes connections until `stop` says so; then ends them, after what they sent is answered.
pub async fn serve(
    bound: Bound,
    entrance: Entrance,
    connections: usize,
    jobs: mpsc::Sender<Job>,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
) {
    let door = Arc::new(Door::new(entrance, jobs, metrics, connections, PATIENCE));
    let mut accepting = JoinSet::new();
    for listener in bound.into_listeners() {
        accepting.spawn(accept(listener, Arc::clone(&door), stop.clone()));
    }
    while accepting.join_next().await.is_some() {}
}

async fn accept(listener: Listener, door: Arc<Door>, mut stop: watch::Receiver<bool>) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
            () = stopped(&mut stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (door, stop) = (Arc::clone(&door), stop.clone());
                open.spawn(async move {
                    match stream {
                        Stream::Tcp(stream) => door.admit(&peer, door.enter(stream, stop)).await,
                        Stream::Unix(stream) => door.admit(&peer, door.converse(stream, stop, &[])).await,
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: it passes, and trying at once would spin.
                tracing::warn!(%error, "a node's connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let all_ended = async { while open.join_next().await.is_some() {} };
    if timeout(STOP_TIME, all_ended).await.is_err() {
        tracing::warn!("connections of nodes were cut when the server stopped; what was not acknowledged comes again");
    }
}

impl Door {
    fn new(
        entrance: Entrance,
        jobs: mpsc::Sender<Job>,
        metrics: Arc<Metrics>,
        connections: usize,
        patience: Patience,
    ) -> Self {
        Self {
            entrance,
            refused: Refused::default(),
            patience,
            jobs,
            metrics,
            connections: Semaphore::new(connections),
            entering: Semaphore::new(ENTERING),
            room: Arc::new(Semaphore::new(ROOM_KIB as usize)),
            unpacking: Semaphore::new(UNPACKING),
            buffered: AtomicUsize::new(0),
        }
    }

    /// Over TCP: TLS, the shared key, then the conversation.
    async fn enter<S>(&self, stream: S, mut stop: watch::Receiver<bool>) -> Result<(), Closed>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let entering = self.entering.try_acquire().map_err(|_| too_many("have not shown yet that they are nodes"))?;
        let Some(tls) = &self.entrance.tls else { return self.greet(stream, stop, entering).await };
        let accepted = tokio::select! {
            accepted = tls.accept(stream, self.patience.greeting) => accepted?,
            () = stopped(&mut stop) => None,
        };
        match accepted {
            Some(stream) => self.greet(stream, stop, entering).await,
            None => Ok(()),
        }
    }

    async fn greet<S>(
        &self,
        mut stream: S,
        mut stop: watch::Receiver<bool>,
        entering: SemaphorePermit<'_>,
    ) -> Result<(), Closed>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let first = match &self.entrance.shared_key {
            None => Some(Vec::new()),
            Some(key) => tokio::select! {
                first = greet(&mut stream, key, self.patience.greeting) => first?,
                () = stopped(&mut stop) => None,
            },
        };
        drop(entering);
        match first {
            Some(first) => self.converse(stream, stop, &first).await,
            None => Ok(()),
        }
    }

    /// Takes chunks; `first` bytes were read already.
    async fn converse<S>(&self, stream: S, stop: watch::Receiver<bool>, first: &[u8]) -> Result<(), Closed>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let _slot = self.connections.try_acquire().map_err(|_| too_many("are open"))?;
        let mut conversation = Conversation { door: self, connection: Connection::default(), counted: 0 };
        conversation.connection.receive(first);
        conversation.run(stream, stop).await
    }

    async fn admit(&self, peer: &str, conversation: impl Future<Output = Result<(), Closed>>) {
        self.metrics.connections.add(1);
        tracing::debug!(peer, "a node connected");
        let ended = conversation.await;
        self.metrics.connections.sub(1);
        match ended {
            Ok(()) => tracing::debug!(peer, "a node's connection ended"),
            Err(closed) => {
                self.metrics.closed.of(closed.reason).add(1);
                let reason = closed.reason.as_str();
                match closed.reason {
                    CloseReason::Tls | CloseReason::SharedKey | CloseReason::TooMany | CloseReason::Log => {
                        if let Some(others) = self.refused.count(&closed, Instant::now()) {
                            tracing::warn!(peer, reason, others, "a node was refused: {closed}");
                        }
                    }
                    // A worker that ended, most likely; what it did not see acknowledged comes again.
                    CloseReason::Network | CloseReason::Silent => {
                        tracing::info!(peer, reason, "a node's connection broke: {closed}")
                    }
                    _ => tracing::warn!(peer, reason, "a node's connection was closed: {closed}"),
                }
            }
        }
    }
}

/// One connection while it is open.
struct Conversation<'a> {
    door: &'a Door,
    connection: Connection,
    /// Bytes of it that are counted as buffered.
    counted: usize,
}

impl Drop for Conversation<'_> {
    fn drop(&mut self) {
        self.door.buffered.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

impl Conversation<'_> {
    async fn run<S>(&mut self, stream: S, mut stop: watch::Receiver<bool>) -> Result<(), Closed>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut from, mut to) = tokio::io::split(stream);
        let (done, mut durable) = mpsc::channel(UNDER_WAY);
        let mut buffer = vec![0; READ];
        let mut reading = true;
        // What came with the greeting may be a whole frame.
        self.submit(&done, &mut durable, &mut to).await?;
        let mut deadline = Instant::now() + self.patience();
        while reading || self.connection.waiting() > 0 {
            let may_read = reading && self.connection.waiting() < UNDER_WAY;
            let within = self.connection.buffered() > 0;
            // What was read is looked at before the clock, so that nobody is cut off for our slowness.
            tokio::select! {
                biased;
                Some(result) = durable.recv() => {
                    self.answer(result, &mut durable, &mut to).await?;
                    if !may_read || !within {
                        deadline = Instant::now() + self.patience();
                    }
                }
                () = stopped(&mut stop), if reading => reading = false,
                read = from.read(&mut buffer), if may_read => match read {
                    Ok(0) => {
                        reading = false;
                        self.connection.end()?;
                    }
                    Ok(count) => {
                        self.connection.receive(buffer.get(..count).unwrap_or_default());
                        let taken = self.submit(&done, &mut durable, &mut to).await?;
                        if taken || !within || self.connection.buffered() == 0 {
                            deadline = Instant::now() + self.patience();
                        }
                    }
                    // TLS that ends without its own word for it: a worker that is gone.
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof && !within => reading = false,
                    Err(error) => return Err(network("reading", &error)),
                },
                () = sleep_until(deadline), if may_read && (within || self.connection.waiting() == 0) => {
                    let what = if within { "the rest of a frame" } else { "another byte" };
                    let message = format!("{what} did not come within {} s", self.patience().as_secs());
                    return Err(Closed { reason: CloseReason::Silent, message });
                }
            }
        }
        Ok(())
    }

    /// How long the sender may take for what is to come next.
    fn patience(&self) -> Duration {
        let Patience { idle, frame, .. } = self.door.patience;
        if self.connection.buffered() > 0 { frame } else { idle }
    }

    /// Hands all whole frames to the journal; says whether there was one.
    async fn submit<W: AsyncWrite + Unpin>(
        &mut self,
        done: &mpsc::Sender<Result<(), Arc<str>>>,
        durable: &mut mpsc::Receiver<Result<(), Arc<str>>>,
        to: &mut W,
    ) -> Result<bool, Closed> {
        let mut taken = false;
        while let Some(size) = self.connection.next_size()? {
            // The semaphores are never closed.
            let _unpacking = self.door.unpacking.acquire().await;
            let room = Arc::clone(&self.door.room).acquire_many_owned(kib(size)).await;
            let Ok(mut room) = room else { return Err(no_log("the server stops")) };
            let Some(frame) = self.unpack(size).await? else { break };
            let spare = kib(size).saturating_sub(kib(frame.stream.len()));
            drop(room.split(spare as usize));
            taken = true;
            self.door.metrics.chunks.add(1);
            let job = Job::Append(Append { frame, done: done.clone(), room });
            self.door.jobs.send(job).await.map_err(|_| no_log("the server stops"))?;
            while self.connection.waiting() >= UNDER_WAY {
                let Some(result) = durable.recv().await else { break };
                self.answer(result, durable, to).await?;
            }
        }
        self.count_buffered()?;
        Ok(taken)
    }

    /// The next frame, which may take `size` bytes.
    async fn unpack(&mut self, size: usize) -> Result<Option<Frame>, Closed> {
        if size <= UNPACKED_ASIDE {
            return self.connection.next_frame();
        }
        let mut connection = std::mem::take(&mut self.connection);
        let unpacked = tokio::task::spawn_blocking(move || {
            let frame = connection.next_frame();
            (connection, frame)
        });
        let (connection, frame) = unpacked.await.map_err(|died| Closed {
            reason: CloseReason::Malformed,
            message: format!("a frame could not be unpacked: {died}"),
        })?;
        self.connection = connection;
        frame
    }

    fn count_buffered(&mut self) -> Result<(), Closed> {
        let buffered = self.connection.buffered();
        let before = self.door.buffered.fetch_add(buffered, Ordering::Relaxed);
        self.door.buffered.fetch_sub(self.counted, Ordering::Relaxed);
        self.counted = buffered;
        if buffered > BUFFERED_SMALL && before > BUFFERED_MAX {
            let message = format!("incomplete frames of all connections take more than {BUFFERED_MAX} bytes");
            return Err(Closed { reason: CloseReason::TooLarge, message });
        }
        Ok(())
    }

    /// Acknowledges what is durable, all that is known by now in one write.
    async fn answer<W: AsyncWrite + Unpin>(
        &mut self,
        first: Result<(), Arc<str>>,
        durable: &mut mpsc::Receiver<Result<(), Arc<str>>>,
        to: &mut W,
    ) -> Result<(), Closed> {
        let mut next = Some(first);
        while let Some(result) = next {
            result.map_err(|reason| no_log(&reason))?;
            self.connection.durable();
            next = durable.try_recv().ok();
        }
        let (answers, acks) = self.connection.take_answers();
        if answers.is_empty() {
            return Ok(());
        }
        let sent = async {
            to.write_all(&answers).await?;
            // TLS may have kept some of it.
            to.flush().await
        };
        match timeout(self.door.patience.answer, sent).await {
            Ok(Ok(())) => {
                self.door.metrics.acked.add(acks);
                Ok(())
            }
            Ok(Err(error)) => Err(network("writing", &error)),
            Err(_) => {
                Err(Closed { reason: CloseReason::Network, message: "the sender does not read its answers".into() })
            }
        }
    }
}

/// Returns when the server stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|&stop| stop).await;
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(ROOM_KIB)
}

fn network(doing: &str, error: &std::io::Error) -> Closed {
    Closed { reason: CloseReason::Network, message: format!("{doing}: {error}") }
}

fn too_many(which: &str) -> Closed {
    Closed { reason: CloseReason::TooMany, message: format!("too many connections {which}") }
}

fn no_log(reason: &str) -> Closed {
    Closed { reason: CloseReason::Log, message: format!("the log did not take a chunk: {reason}") }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(20);

    /// What becomes of a connection that sends `bytes`, then nothing, while nothing is acknowledged.
    async fn admitted(patience: Patience, bytes: &[u8]) -> (Arc<Metrics>, mpsc::Receiver<Job>) {
        let (jobs, queue) = mpsc::channel(9);
        let metrics = Arc::new(Metrics::default());
        let door = Door::new(Entrance::default(), jobs, Arc::clone(&metrics), 1, patience);
        let (_stop, stopped) = watch::channel(false);
        let (mut node, ours) = duplex(64 << 10);
        node.write_all(bytes).await.unwrap();
        door.admit("a node", door.enter(ours, stopped)).await;
        (metrics, queue)
    }

    #[tokio::test]
    async fn a_sender_that_is_silent_or_stops_within_a_frame_is_let_go() {
        let idle = Patience { greeting: LONG, idle: SHORT, frame: LONG, answer: LONG };
        let stalled = Patience { greeting: LONG, idle: LONG, frame: SHORT, answer: LONG };
        for (patience, bytes) in [(idle, &b""[..]), (idle, b"\xc0"), (stalled, b"\x92"), (stalled, b"\xc0\xc0\x92\xa1")]
        {
            let (metrics, _) = admitted(patience, bytes).await;
            assert_eq!(metrics.closed.of(CloseReason::Silent).get(), 1, "{patience:?} {bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_frame_that_would_inflate_to_much_waits_for_room_and_gives_back_what_it_does_not_need() {
        let (jobs, mut queue) = mpsc::channel(9);
        let door = Arc::new(Door::new(Entrance::default(), jobs, Arc::default(), 9, PATIENCE));
        let all = Arc::clone(&door.room).acquire_many_owned(ROOM_KIB).await.unwrap();
        let (_stop, stopped) = watch::channel(false);
        // One entry, gzipped with stored bytes: ["t", gzip of 07, {"compressed": "gzip"}].
        let mut gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01\x01\0\xfe\xff\x07".to_vec();
        gzip.extend(crc32fast::hash(&[7]).to_le_bytes());
        gzip.extend(1u32.to_le_bytes());
        let frame = [b"\x93\xa1t\xc4", &[gzip.len() as u8][..], &gzip, b"\x81\xaacompressed\xa4gzip"].concat();
        let (mut node, ours) = duplex(64 << 10);
        node.write_all(&frame).await.unwrap();
        let task = tokio::spawn({
            let door = Arc::clone(&door);
            async move { door.admit("a node", door.enter(ours, stopped)).await }
        });
        while door.unpacking.available_permits() == UNPACKING {
            tokio::task::yield_now().await;
        }
        assert_eq!(door.metrics.chunks.get(), 0);
        drop(all);
        let Some(Job::Append(append)) = queue.recv().await else { panic!("a frame was sent") };
        assert_eq!(append.frame.stream, [7]);
        assert_eq!(append.room.num_permits(), 1);
        task.abort();
    }
}
