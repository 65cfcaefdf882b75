//! HELO, PING and PONG: how both ends show that they know a shared key, without telling it.
//!
//! The server says HELO with a nonce, the client answers PING with a salt and the digest of salt, own host
//! name, nonce and key; the server answers PONG with the digest over its own host name. Digests are SHA-512
//! as 128 lower-case hex digits. They keep strangers out; they hide nothing and protect no byte that follows:
//! for that there is TLS around them.
//!
//! Names and passwords of users, which the protocol knows too, are not asked for.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

use super::ack::whole;
use super::scan::Head;
use super::{FrameError, write_str};

/// Bytes of a nonce or salt that is made here.
pub const NONCE: usize = 16;

/// What both ends know.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedKey(Vec<u8>);

impl SharedKey {
    /// A key of these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    fn digest(&self, salt: &[u8], host: &[u8], nonce: &[u8]) -> String {
        use fmt::Write;
        let mut hasher = Sha512::new();
        [salt, host, nonce, &self.0].iter().for_each(|part| hasher.update(part));
        hasher.finalize().iter().fold(String::with_capacity(128), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// In a time that tells nothing of how much of it is right.
    fn made(&self, digest: &[u8], salt: &[u8], host: &[u8], nonce: &[u8]) -> bool {
        self.digest(salt, host, nonce).as_bytes().ct_eq(digest).into()
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("SharedKey")
    }
}

/// The server's first word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helo {
    /// What makes the digests of this connection its own.
    pub nonce: Vec<u8>,
    /// Whether a user's name and password are asked for.
    pub wants_user: bool,
}

/// The client's answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// What the client calls itself.
    pub host: Vec<u8>,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

/// The server's last word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pong {
    /// Whether the client may send.
    pub accepted: bool,
    /// Why not.
    pub reason: String,
    host: Vec<u8>,
    digest: Vec<u8>,
}

impl Ping {
    /// Whether the client knows `key`.
    pub fn proves(&self, key: &SharedKey, nonce: &[u8]) -> bool {
        key.made(&self.digest, &self.salt, &self.host, nonce)
    }
}

impl Pong {
    /// Whether the server knows `key`; `salt` and `host` are the PING's, whose digest sent back proves nothing.
    pub fn proves(&self, key: &SharedKey, salt: &[u8], host: &str, nonce: &[u8]) -> bool {
        self.host != host.as_bytes() && key.made(&self.digest, salt, &self.host, nonce)
    }
}

/// Appends the server's HELO.
pub fn write_helo(out: &mut Vec<u8>, nonce: &[u8]) {
    out.push(0x92);
    write_str(out, "HELO");
    out.push(0x83);
    write_str(out, "nonce");
    write_bin(out, nonce);
    write_str(out, "auth");
    write_str(out, "");
    write_str(out, "keepalive");
    out.push(0xc3);
}

/// Appends the client's PING. `salt` is random, and new for each connection.
pub fn write_ping(out: &mut Vec<u8>, key: &SharedKey, nonce: &[u8], host: &str, salt: &[u8]) {
    out.push(0x96);
    write_str(out, "PING");
    write_str(out, host);
    write_bin(out, salt);
    write_str(out, &key.digest(salt, host.as_bytes(), nonce));
    write_str(out, "");
    write_str(out, "");
}

/// Appends the server's PONG to a client that knows the key.
pub fn write_pong(out: &mut Vec<u8>, key: &SharedKey, nonce: &[u8], host: &str, ping: &Ping) {
    pong(out, true, "", host, &key.digest(&ping.salt, host.as_bytes(), nonce));
}

/// Appends the server's PONG to a client that is refused.
pub fn write_refusal(out: &mut Vec<u8>, reason: &str) {
    pong(out, false, reason, "", "");
}

fn pong(out: &mut Vec<u8>, accepted: bool, reason: &str, host: &str, digest: &str) {
    out.push(0x95);
    write_str(out, "PONG");
    out.push(0xc2 + u8::from(accepted));
    [reason, host, digest].iter().for_each(|text| write_str(out, text));
}

fn write_bin(out: &mut Vec<u8>, bytes: &[u8]) {
    // Writing to a Vec cannot fail.
    let _ = rmp::encode::write_bin(out, bytes);
}

/// Reads a HELO from the front of `bytes`, and tells how many it took; `None` when it is not all there yet.
///
/// # Errors
/// When it is something else.
pub fn read_helo(bytes: &[u8]) -> Result<Option<(Helo, usize)>, FrameError> {
    #[derive(Deserialize)]
    struct Options {
        #[serde(default)]
        nonce: ByteBuf,
        #[serde(default)]
        auth: ByteBuf,
    }
    let read = read::<(String, Options)>(bytes, "HELO")?;
    Ok(read.map(|((_, options), size)| {
        (Helo { nonce: options.nonce.into_vec(), wants_user: !options.auth.is_empty() }, size)
    }))
}

/// Reads a PING, likewise.
///
/// # Errors
/// When it is something else.
pub fn read_ping(bytes: &[u8]) -> Result<Option<(Ping, usize)>, FrameError> {
    let read = read::<(String, ByteBuf, ByteBuf, ByteBuf, ByteBuf, ByteBuf)>(bytes, "PING")?;
    Ok(read.map(|((_, host, salt, digest, _, _), size)| {
        (Ping { host: host.into_vec(), salt: salt.into_vec(), digest: digest.into_vec() }, size)
    }))
}

/// Reads a PONG, likewise.
///
/// # Errors
/// When it is something else.
pub fn read_pong(bytes: &[u8]) -> Result<Option<(Pong, usize)>, FrameError> {
    let read = read::<(String, bool, ByteBuf, ByteBuf, ByteBuf)>(bytes, "PONG")?;
    Ok(read.map(|((_, accepted, reason, host, digest), size)| {
        let reason = crate::escape(&reason).into_owned();
        (Pong { accepted, reason, host: host.into_vec(), digest: digest.into_vec() }, size)
    }))
}

/// One message that begins with the word `expected`.
fn read<T: DeserializeOwned>(bytes: &[u8], expected: &'static str) -> Result<Option<(T, usize)>, FrameError> {
    // As soon as that can be told: what speaks otherwise may wait for us.
    let word = bytes.get(1..6);
    if word.is_some_and(|word| word.first() != Some(&0xa4) || word.get(1..) != Some(expected.as_bytes())) {
        return Err(unexpected(bytes, expected));
    }
    let Some(end) = whole(bytes)? else { return Ok(None) };
    let message = bytes.get(..end).unwrap_or_default();
    match rmp_serde::from_slice(message) {
        Ok(read) => Ok(Some((read, end))),
        Err(_) => Err(unexpected(bytes, expected)),
    }
}

fn unexpected(bytes: &[u8], expected: &'static str) -> FrameError {
    let found = Head::found(bytes);
    FrameError::UnexpectedShape { place: "the greeting", found, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> SharedKey {
        SharedKey::new(text.as_bytes().to_vec())
    }

    /// With digests that `sha512sum` made.
    #[test]
    fn the_digests_are_those_of_the_specification() {
        let mut out = Vec::new();
        write_ping(&mut out, &key("shared secret key"), b"nonce-nonce-1234", "node-1", b"salt-salt-123456");
        let (ping, size) = read_ping(&out).unwrap().unwrap();
        assert_eq!(size, out.len());
        assert_eq!(ping.host, b"node-1");
        assert_eq!(
            String::from_utf8(ping.digest).unwrap(),
            "70740e0cee5a9e8929a77d8bd3e5d582c341146473726f6e88f9a39f2b8be03a8b0c068814f6e231c62e8c2f90c7e8e581517a759809f222ed0dd30cd189631b"
        );
        assert!(out.starts_with(b"\x96\xa4PING\xa6node-1"));
        assert!(out.ends_with(b"\xa0\xa0"));
    }

    #[test]
    fn both_ends_know_of_each_other_that_they_have_the_key_and_no_other_key_does() {
        let (right, wrong, nonce, salt) = (key("right"), key("wrong"), [1; NONCE], [2; NONCE]);
        let mut out = Vec::new();
        write_helo(&mut out, &nonce);
        let (helo, _) = read_helo(&out).unwrap().unwrap();
        assert_eq!(helo, Helo { nonce: nonce.to_vec(), wants_user: false });
        out.clear();
        write_ping(&mut out, &right, &helo.nonce, "node", &salt);
        let (ping, _) = read_ping(&out).unwrap().unwrap();
        assert!(ping.proves(&right, &nonce) && !ping.proves(&wrong, &nonce) && !ping.proves(&right, &[3; NONCE]));
        out.clear();
        write_pong(&mut out, &right, &nonce, "collector", &ping);
        let (pong, _) = read_pong(&out).unwrap().unwrap();
        assert!(pong.accepted && pong.proves(&right, &salt, "node", &nonce));
        assert!(!pong.proves(&wrong, &salt, "node", &nonce) && !pong.proves(&right, &[3; NONCE], "node", &nonce));
        // What the client has said itself, sent back.
        let echo = Pong { host: ping.host.clone(), digest: ping.digest.clone(), ..pong };
        assert!(!echo.proves(&right, &salt, "node", &nonce));
        out.clear();
        write_refusal(&mut out, "shared_key mismatch");
        let (pong, _) = read_pong(&out).unwrap().unwrap();
        assert!(!pong.accepted && !pong.proves(&right, &salt, "node", &nonce));
        assert_eq!(pong.reason, "shared_key mismatch");
        assert_eq!(format!("{right:?}"), "SharedKey");
    }

    /// Fluentd writes binary where Fluent Bit writes text, and may add options.
    #[test]
    fn text_and_binary_are_the_same_and_more_options_are_passed_over() {
        let nonce = |form: &[u8]| [b"\x92\xa4HELO\x82\xa5nonce", form, b"\xa3new\x90"].concat();
        for form in [&b"\xa3abc"[..], b"\xc4\x03abc"] {
            assert_eq!(read_helo(&nonce(form)).unwrap().unwrap().0.nonce, b"abc");
        }
        let helo = b"\x92\xa4HELO\x81\xa4auth\xc4\x02ab";
        assert!(read_helo(helo).unwrap().unwrap().0.wants_user);
        for cut in 0..helo.len() {
            assert_eq!(read_helo(&helo[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn what_is_no_greeting_is_told_as_soon_as_possible() {
        for bytes in [
            &b"\x93\xa4wallarm"[..],
            b"\x95\xa4PONG",
            b"GET / HTTP/1.1\r\n",
            b"\x92\xa4HELO\xc0",
            b"\x92\xa4HELO\x81\xa5nonce\x01",
            b"\xc1\xa4HELO\x80",
            b"\x15\x03\x03\0\x02\x02",
        ] {
            assert!(
                matches!(read_helo(bytes), Err(FrameError::UnexpectedShape { .. } | FrameError::Malformed { .. })),
                "{bytes:?}"
            );
        }
        let announced = b"\x92\xa4HELO\xc6\x7f\xff\xff\xff";
        assert!(matches!(read_helo(announced), Err(FrameError::Oversized { .. })));
        let deep = [&b"\x92\xa4HELO"[..], &[0x91; 15_000], b"\xc0"].concat();
        assert!(read_helo(&deep).is_err());
    }
}
