//! A client that sends bytes as they are: for what no HTTP library would send.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What hangs longer than this is an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client does, in order.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Reads until the answer holds a text.
    WaitFor(&'static str),
    /// Does nothing for a while.
    Pause(Duration),
    /// Says that no more comes, and goes on reading.
    Finish,
    /// Closes without reading on.
    Leave,
}

/// One connection.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
    /// So much of it was waited for.
    met: usize,
}

impl Raw {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = within(TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::new(), met: 0 })
    }

    /// Does what a client does, reads at the end until the server closes, unless it leaves, and returns
    /// all that was read.
    pub async fn play(address: SocketAddr, steps: &[Step]) -> io::Result<Vec<u8>> {
        let mut client = Self::connect(address).await?;
        for step in steps {
            match step {
                Step::Send(bytes) => client.send(bytes).await?,
                Step::WaitFor(text) => client.wait_for(text.as_bytes()).await?,
                Step::Pause(time) => tokio::time::sleep(*time).await,
                Step::Finish => client.finish().await?,
                Step::Leave => return Ok(client.read),
            }
        }
        client.read_to_end().await?;
        Ok(client.read)
    }

    /// Sends bytes. That the server closed meanwhile is no error: what it said before can still be read.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        within(self.stream.write_all(bytes)).await.or_else(unless_closed)
    }

    /// Says that no more comes.
    pub async fn finish(&mut self) -> io::Result<()> {
        within(self.stream.shutdown()).await.or_else(unless_closed)
    }

    /// Reads until the answer holds `text` after what was waited for before.
    pub async fn wait_for(&mut self, text: &[u8]) -> io::Result<()> {
        loop {
            if let Some(at) = self.read[self.met..].windows(text.len()).position(|part| part == text) {
                self.met += at + text.len();
                return Ok(());
            }
            if within(self.stream.read_buf(&mut self.read)).await? == 0 {
                let read = String::from_utf8_lossy(&self.read).into_owned();
                return Err(io::Error::other(format!("closed before {:?}: {read}", String::from_utf8_lossy(text))));
            }
        }
    }

    /// Reads until the server closes.
    pub async fn read_to_end(&mut self) -> io::Result<()> {
        within(self.stream.read_to_end(&mut self.read)).await.map(drop).or_else(unless_closed)
    }
}

fn unless_closed(error: io::Error) -> io::Result<()> {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    if matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected) { Ok(()) } else { Err(error) }
}

async fn within<T>(what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, what).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
