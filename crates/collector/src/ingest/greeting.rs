//! HELO, PING, PONG with a node that has to show the shared key before its first chunk.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use wire::{NONCE, SharedKey};

use super::Closed;
use crate::metrics::CloseReason;

/// What this end calls itself.
const HOST: &str = "api-sessions";
/// As Fluentd says it.
const MISMATCH: &str = "shared_key mismatch";

/// Greets a node, within `patience`. What it sent behind its PING is given back; `None` for one that leaves
/// without a word, as a check of the port does.
pub async fn greet<S>(stream: &mut S, key: &SharedKey, patience: Duration) -> Result<Option<Vec<u8>>, Closed>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let late = |_| refused(format!("no shared key was shown within {} s", patience.as_secs()));
    timeout(patience, converse(stream, key)).await.map_err(late)?
}

async fn converse<S>(stream: &mut S, key: &SharedKey) -> Result<Option<Vec<u8>>, Closed>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut nonce = [0; NONCE];
    // So few bytes come whole or not at all.
    rustix::rand::getrandom(&mut nonce[..], rustix::rand::GetRandomFlags::empty())
        .map_err(|error| refused(format!("no random bytes: {error}")))?;
    let mut answer = Vec::new();
    wire::write_helo(&mut answer, &nonce);
    send(stream, &answer).await?;
    let mut inbox = Vec::new();
    let (ping, size) = loop {
        let mut piece = [0; 1024];
        match stream.read(&mut piece).await {
            Ok(0) if inbox.is_empty() => return Ok(None),
            Ok(0) => {
                return Err(refused("the sender closed the connection when it was asked for the shared key".into()));
            }
            Ok(count) => inbox.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(error) => return Err(refused(format!("reading: {error}"))),
        }
        let ping =
            wire::read_ping(&inbox).map_err(|error| refused(format!("the sender shows no shared key: {error}")))?;
        if let Some(ping) = ping {
            break ping;
        }
    };
    answer.clear();
    if !ping.proves(key, &nonce) {
        wire::write_refusal(&mut answer, MISMATCH);
        send(stream, &answer).await?;
        // With TLS around it the word is not out yet.
        let _ = stream.shutdown().await;
        let host: String = wire::escape(&ping.host).chars().take(64).collect();
        return Err(refused(format!("the sender, which calls itself {host:?}, has another shared key")));
    }
    wire::write_pong(&mut answer, key, &nonce, HOST, &ping);
    send(stream, &answer).await?;
    inbox.drain(..size);
    Ok(Some(inbox))
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> Result<(), Closed> {
    let failed = |error| refused(format!("writing: {error}"));
    stream.write_all(bytes).await.map_err(failed)?;
    stream.flush().await.map_err(failed)
}

fn refused(message: String) -> Closed {
    Closed { reason: CloseReason::SharedKey, message }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    /// What becomes of a node that answers HELO with what `answer` makes of the nonce, and what it is told.
    async fn greeted(answer: impl FnOnce(&[u8]) -> Vec<u8>) -> (Result<Option<Vec<u8>>, Closed>, Vec<u8>) {
        let key = SharedKey::new(b"0123456789abcdef".to_vec());
        let (mut node, mut ours) = duplex(64 << 10);
        let server = tokio::spawn(async move { greet(&mut ours, &key, LONG).await });
        let mut inbox = Vec::new();
        let helo = loop {
            node.read_buf(&mut inbox).await.unwrap();
            if let Some((helo, _)) = wire::read_helo(&inbox).unwrap() {
                break helo;
            }
        };
        assert_eq!(helo.nonce.len(), NONCE);
        node.write_all(&answer(&helo.nonce)).await.unwrap();
        node.shutdown().await.unwrap();
        let mut told = Vec::new();
        node.read_to_end(&mut told).await.unwrap();
        (server.await.unwrap(), told)
    }

    fn ping(key: &str, nonce: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        wire::write_ping(&mut out, &SharedKey::new(key.into()), nonce, "node-1", b"salt");
        out
    }

    #[tokio::test]
    async fn a_node_with_the_key_is_let_in_and_what_it_said_behind_is_kept() {
        let (result, told) = greeted(|nonce| [ping("0123456789abcdef", nonce), b"\xc0\xc0".to_vec()].concat()).await;
        assert_eq!(result.unwrap().unwrap(), b"\xc0\xc0");
        assert!(wire::read_pong(&told).unwrap().unwrap().0.accepted);
    }

    #[tokio::test]
    async fn a_node_without_the_key_is_told_so_and_nothing_it_says_counts() {
        let (result, told) = greeted(|nonce| ping("another key", nonce)).await;
        let closed = result.unwrap_err();
        assert_eq!(closed.reason, CloseReason::SharedKey);
        assert_eq!(closed.message, "the sender, which calls itself \"node-1\", has another shared key");
        let (pong, _) = wire::read_pong(&told).unwrap().unwrap();
        assert_eq!((pong.accepted, pong.reason.as_str()), (false, MISMATCH));
        // The digest of another connection.
        let (result, _) = greeted(|_| ping("0123456789abcdef", b"another nonce")).await;
        assert_eq!(result.unwrap_err().reason, CloseReason::SharedKey);
    }

    #[tokio::test]
    async fn a_node_that_knows_no_greeting_is_refused_with_what_it_said_instead() {
        for (answer, needle) in [
            (&b"\x93\xa8wallarm.sessions"[..], "the greeting is an array of 3, expected PING"),
            (b"\x16\x03\x01\x02\x00\x01", "the greeting is TLS"),
            (b"\x96\xa4PING\xc6\x7f\xff\xff\xff", "over the limit"),
            (b"\x96\xa4PI", "closed the connection when it was asked"),
        ] {
            let (result, _) = greeted(|_| answer.to_vec()).await;
            let closed = result.unwrap_err();
            assert!(closed.reason == CloseReason::SharedKey && closed.message.contains(needle), "{closed}");
        }
    }

    #[tokio::test]
    async fn a_check_of_the_port_is_no_node_that_was_refused() {
        assert!(greeted(|_| Vec::new()).await.0.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_node_that_says_nothing_is_let_go() {
        let key = SharedKey::new(b"0123456789abcdef".to_vec());
        let (_node, mut ours) = duplex(64 << 10);
        let closed = greet(&mut ours, &key, Duration::from_millis(20)).await.unwrap_err();
        assert!(closed.message.contains("no shared key was shown"), "{closed}");
    }
}
