//! Stands between a node and its collector: hands everything on and keeps what it saw. Told to, it is
//! slow, falls silent, cuts connections, answers wrongly, or loses one event in such a way that neither
//! side notices.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmpv::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::folder;
use crate::forward::{SESSIONS, bytes, text};

/// A relay on a `collector.sock` of its own; it ends when this goes.
#[derive(Debug)]
pub struct Relay {
    folder: TempDir,
    relaying: Relaying,
    manner: watch::Sender<Manner>,
    /// While it listens.
    task: Option<JoinHandle<()>>,
}

/// What it does with what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Hands on everything.
    Honest,
    /// Hands on everything but one event.
    DropsOne,
    /// Does not listen: connections are refused.
    Refuses,
    /// Takes connections and bytes, hands on nothing, answers nothing.
    Silent,
    /// Hands on one frame after the other, with pauses.
    Slow,
    /// Hands a frame on, and cuts the connection before its answer.
    Cuts,
    /// Answers for chunks that nobody sent, and twice for those that somebody did.
    WrongAcks,
    /// Hands on everything, and answers with something that is no acknowledgement.
    Garbage,
}

/// Between two frames, when it is slow.
const PAUSE: Duration = Duration::from_millis(200);

impl Relay {
    /// Listens, and connects to `collector` for each connection that it accepts.
    pub fn start(collector: &Path, manner: Manner) -> io::Result<Self> {
        let (sender, receiver) = watch::channel(manner);
        let relaying = Relaying {
            collector: collector.to_owned(),
            seen: Arc::default(),
            to_drop: Arc::new(AtomicBool::new(manner == Manner::DropsOne)),
            manner: receiver,
        };
        let mut relay = Self { folder: folder::temporary()?, relaying, manner: sender, task: None };
        relay.listen()?;
        Ok(relay)
    }

    /// From now on it behaves so. Connections that are open end.
    pub fn behave(&mut self, manner: Manner) -> io::Result<()> {
        self.manner.send_replace(manner);
        match (manner == Manner::Refuses, &self.task) {
            (true, _) => self.end(),
            (false, None) => self.listen()?,
            (false, Some(_)) => {}
        }
        Ok(())
    }

    fn listen(&mut self) -> io::Result<()> {
        let socket = self.folder.path().join("collector.sock");
        if socket.exists() {
            std::fs::remove_file(&socket)?;
        }
        let listener = UnixListener::bind(socket)?;
        let relaying = self.relaying.clone();
        self.task = Some(tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                let relaying = relaying.clone();
                tokio::spawn(async move {
                    // A connection that ends badly ends; the node comes again.
                    let _ = relaying.serve(node).await;
                });
            }
        }));
        Ok(())
    }

    fn end(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// The folder to give to a node as the collector's runtime directory.
    pub fn runtime(&self) -> &Path {
        self.folder.path()
    }

    /// Every byte of every frame that nodes sent, as it went over the wire.
    pub fn seen(&self) -> Vec<u8> {
        self.relaying.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end();
    }
}

#[derive(Clone, Debug)]
struct Relaying {
    collector: PathBuf,
    seen: Arc<Mutex<Vec<u8>>>,
    to_drop: Arc<AtomicBool>,
    manner: watch::Receiver<Manner>,
}

impl Relaying {
    async fn serve(mut self, node: UnixStream) -> io::Result<()> {
        let manner = *self.manner.borrow_and_update();
        let mut changes = self.manner.clone();
        let (from_node, to_node) = node.into_split();
        let conversation = async {
            if manner == Manner::Silent {
                return swallow(from_node).await;
            }
            let (from_collector, to_collector) = UnixStream::connect(&self.collector).await?.into_split();
            tokio::select! {
                done = self.forth(from_node, to_collector, manner) => done,
                done = back(from_collector, to_node, manner) => done,
            }
        };
        tokio::select! {
            done = conversation => done,
            _ = changes.changed() => Ok(()),
        }
    }

    async fn forth(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, manner: Manner) -> io::Result<()> {
        let mut pending = Vec::new();
        while from.read_buf(&mut pending).await? > 0 {
            loop {
                let mut rest = pending.as_slice();
                let Ok(frame) = rmpv::decode::read_value(&mut rest) else { break };
                let length = pending.len() - rest.len();
                self.seen.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&pending[..length]);
                pending.drain(..length);
                if manner == Manner::Slow {
                    tokio::time::sleep(PAUSE).await;
                }
                to.write_all(&bytes(&self.judge(frame))).await?;
            }
        }
        Ok(())
    }

    /// Takes the first event out of the first frame that holds one, if one is to be dropped.
    fn judge(&self, mut frame: Value) -> Value {
        let Value::Array(parts) = &mut frame else { return frame };
        let [tag, Value::Binary(entries), ..] = parts.as_mut_slice() else { return frame };
        if tag.as_str() != Some(SESSIONS) || entries.is_empty() || !self.to_drop.swap(false, Ordering::Relaxed) {
            return frame;
        }
        let mut rest = entries.as_slice();
        if rmpv::decode::read_value(&mut rest).is_ok() {
            *entries = rest.to_vec();
        }
        if let Some(Value::Map(options)) = parts.get_mut(2) {
            options.retain(|(name, _)| name.as_str() != Some("size"));
        }
        frame
    }
}

async fn swallow(mut from: OwnedReadHalf) -> io::Result<()> {
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await.map(drop)
}

/// Hands answers to the node, in the manner that was asked for.
async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, manner: Manner) -> io::Result<()> {
    let mut answer = Vec::new();
    while from.read_buf(&mut answer).await? > 0 {
        match manner {
            Manner::Cuts => return Ok(()),
            // Never a byte of MessagePack.
            Manner::Garbage => to.write_all(&[0xc1; 16]).await?,
            Manner::WrongAcks => {
                let wrong = Value::Map(vec![(text("ack"), text("a chunk that nobody sent"))]);
                to.write_all(&[bytes(&wrong), answer.clone(), answer.clone()].concat()).await?;
            }
            _ => to.write_all(&answer).await?,
        }
        answer.clear();
    }
    Ok(())
}
