//! Stands between a node and its collector: hands everything on, keeps what it saw, and can lose one
//! event in such a way that neither side notices.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rmpv::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::folder;
use crate::forward::{SESSIONS, bytes};

/// A relay on a `collector.sock` of its own; it ends when this goes.
#[derive(Debug)]
pub struct Relay {
    folder: TempDir,
    seen: Arc<Mutex<Vec<u8>>>,
    task: JoinHandle<()>,
}

/// What it does with events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Hands on everything.
    Honest,
    /// Hands on everything but one event.
    DropsOne,
}

impl Relay {
    /// Listens, and connects to `collector` for each connection that it accepts.
    pub fn start(collector: &Path, manner: Manner) -> io::Result<Self> {
        let folder = folder::temporary()?;
        let listener = UnixListener::bind(folder.path().join("collector.sock"))?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let relaying = Relaying {
            collector: collector.to_owned(),
            seen: seen.clone(),
            to_drop: Arc::new(AtomicBool::new(manner == Manner::DropsOne)),
        };
        let task = tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                let relaying = relaying.clone();
                tokio::spawn(async move {
                    // A connection that ends badly ends; the node comes again.
                    let _ = relaying.serve(node).await;
                });
            }
        });
        Ok(Self { folder, seen, task })
    }

    /// The folder to give to a node as the collector's runtime directory.
    pub fn runtime(&self) -> &Path {
        self.folder.path()
    }

    /// Every byte of every frame that nodes sent, as it went over the wire.
    pub fn seen(&self) -> Vec<u8> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Relaying {
    collector: PathBuf,
    seen: Arc<Mutex<Vec<u8>>>,
    to_drop: Arc<AtomicBool>,
}

impl Relaying {
    async fn serve(&self, node: UnixStream) -> io::Result<()> {
        let (from_node, to_node) = node.into_split();
        let (from_collector, to_collector) = UnixStream::connect(&self.collector).await?.into_split();
        tokio::select! {
            done = self.forth(from_node, to_collector) => done,
            done = back(from_collector, to_node) => done,
        }
    }

    async fn forth(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let mut pending = Vec::new();
        while from.read_buf(&mut pending).await? > 0 {
            loop {
                let mut rest = pending.as_slice();
                let Ok(frame) = rmpv::decode::read_value(&mut rest) else { break };
                let length = pending.len() - rest.len();
                self.seen.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&pending[..length]);
                pending.drain(..length);
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

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
    tokio::io::copy(&mut from, &mut to).await.map(drop)
}
