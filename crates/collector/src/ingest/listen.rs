//! The sockets that nodes connect to.
//!
//! One task for each connection reads bytes, hands whole frames to the journal thread and sends the
//! answers. Bounded: connections, frames being unpacked, bytes waiting for the log, frames of one
//! connection that wait for their answer, the time that a sender may take to read its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Append, Closed, Connection, Job};
use crate::metrics::{CloseReason, Metrics};
use crate::sockets::{Bound, Listener, Stream};

/// Bytes of frames that wait for the log, over all connections, in KiB.
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
/// The longest that a sender may take to read an answer.
const SEND_TIME: Duration = Duration::from_secs(30);
/// The longest that connections may take to end when the server stops.
const STOP_TIME: Duration = Duration::from_secs(5);

/// What all connections share.
struct Door {
    jobs: mpsc::Sender<Job>,
    metrics: Arc<Metrics>,
    connections: Semaphore,
    room: Arc<Semaphore>,
    unpacking: Semaphore,
    buffered: AtomicUsize,
}

/// Takes connections until `stop` says so; then ends them, after what they sent is answered.
pub async fn serve(
    bound: Bound,
    connections: usize,
    jobs: mpsc::Sender<Job>,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
) {
    let door = Arc::new(Door {
        jobs,
        metrics,
        connections: Semaphore::new(connections),
        room: Arc::new(Semaphore::new(ROOM_KIB as usize)),
        unpacking: Semaphore::new(UNPACKING),
        buffered: AtomicUsize::new(0),
    });
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
                        Stream::Tcp(stream) => door.admit(stream, &peer, stop).await,
                        Stream::Unix(stream) => door.admit(stream, &peer, stop).await,
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
    async fn admit<S>(&self, stream: S, peer: &str, stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Ok(_slot) = self.connections.try_acquire() else {
            self.metrics.closed.of(CloseReason::TooMany).add(1);
            tracing::warn!(peer, "a node's connection was refused: too many are open");
            return;
        };
        self.metrics.connections.add(1);
        tracing::debug!(peer, "a node connected");
        let mut conversation = Conversation { door: self, connection: Connection::default(), counted: 0 };
        let ended = conversation.run(stream, stop).await;
        drop(conversation);
        self.metrics.connections.sub(1);
        match ended {
            Ok(()) => tracing::debug!(peer, "a node's connection ended"),
            Err(closed) => {
                self.metrics.closed.of(closed.reason).add(1);
                let reason = closed.reason.as_str();
                match closed.reason {
                    // A worker that ended, most likely; what it did not see acknowledged comes again.
                    CloseReason::Network => tracing::info!(peer, reason, "a node's connection broke: {closed}"),
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
        while reading || self.connection.waiting() > 0 {
            let may_read = reading && self.connection.waiting() < UNDER_WAY;
            tokio::select! {
                Some(result) = durable.recv() => self.answer(result, &mut durable, &mut to).await?,
                read = from.read(&mut buffer), if may_read => match read {
                    Ok(0) => {
                        reading = false;
                        self.connection.end()?;
                    }
                    Ok(count) => {
                        self.connection.receive(buffer.get(..count).unwrap_or_default());
                        self.submit(&done, &mut durable, &mut to).await?;
                    }
                    Err(error) => return Err(network("reading", &error)),
                },
                () = stopped(&mut stop), if reading => reading = false,
            }
        }
        Ok(())
    }

    /// Hands all whole frames to the journal.
    async fn submit<W: AsyncWrite + Unpin>(
        &mut self,
        done: &mpsc::Sender<Result<(), Arc<str>>>,
        durable: &mut mpsc::Receiver<Result<(), Arc<str>>>,
        to: &mut W,
    ) -> Result<(), Closed> {
        // The semaphores are never closed.
        let _unpacking = self.door.unpacking.acquire().await;
        while let Some(frame) = self.connection.next_frame()? {
            let metrics = &self.door.metrics;
            metrics.chunks.add(1);
            let kib = u32::try_from(frame.stream.len() / 1024 + 1).unwrap_or(u32::MAX).min(ROOM_KIB);
            let room = Arc::clone(&self.door.room).acquire_many_owned(kib).await;
            let Ok(room) = room else { return Err(no_log("the server stops")) };
            let job = Job::Append(Append { frame, done: done.clone(), room });
            self.door.jobs.send(job).await.map_err(|_| no_log("the server stops"))?;
            while self.connection.waiting() >= UNDER_WAY {
                let Some(result) = durable.recv().await else { break };
                self.answer(result, durable, to).await?;
            }
        }
        self.count_buffered()
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
        match timeout(SEND_TIME, to.write_all(&answers)).await {
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

fn network(doing: &str, error: &std::io::Error) -> Closed {
    Closed { reason: CloseReason::Network, message: format!("{doing}: {error}") }
}

fn no_log(reason: &str) -> Closed {
    Closed { reason: CloseReason::Log, message: format!("the log did not take a chunk: {reason}") }
}
