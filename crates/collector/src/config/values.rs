//! What the values of keys look like.

use std::net::AddrParseError;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::settings::Address;

/// Longest path that fits a unix socket's address, its ending zero not counted (unix(7)).
const MAX_SOCKET_PATH: usize = 107;

/// Why a text is no address to listen on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadAddress {
    /// Not an address.
    #[error("127.0.0.1:PORT, [::1]:PORT or unix:/PATH would be right")]
    Form,
    /// Others could reach it.
    #[error(
        "it is no loopback address: other machines could reach it, and there is no access control yet; \
         127.0.0.1:PORT, [::1]:PORT or unix:/PATH would be right"
    )]
    NotLoopback,
    /// The path cannot be a socket's.
    #[error("an absolute path of at most {MAX_SOCKET_PATH} bytes would be right")]
    Path,
}

/// An address to listen on: an IP address with a port, or a unix socket.
pub(super) fn address(text: &str) -> Result<Address, BadAddress> {
    if let Some(path) = text.strip_prefix("unix:") {
        if !path.starts_with('/') || path.len() > MAX_SOCKET_PATH || path.ends_with('/') {
            return Err(BadAddress::Path);
        }
        return Ok(Address::Unix(path.into()));
    }
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numeric.parse().map(Address::Tcp).map_err(|_: AddrParseError| BadAddress::Form)
}

/// The same, where only this machine may reach it.
pub(super) fn local_address(text: &str) -> Result<Address, BadAddress> {
    address(text).and_then(|address| if is_local(&address) { Ok(address) } else { Err(BadAddress::NotLoopback) })
}

/// Whether only this machine can reach it.
pub(super) fn is_local(address: &Address) -> bool {
    match address {
        Address::Unix(_) => true,
        Address::Tcp(address) => address.ip().to_canonical().is_loopback(),
    }
}

/// Bytes; written as a number with `k`, `m` or `g`, as in nginx.conf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Why a text is no size.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a number of bytes such as 512m or 2g would be right")]
pub struct BadSize;

impl FromStr for Size {
    type Err = BadSize;

    fn from_str(text: &str) -> Result<Self, BadSize> {
        let (digits, shift) = match text.as_bytes().last() {
            Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
            Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
            Some(b'g' | b'G') => (&text[..text.len() - 1], 30),
            _ => (text, 0),
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadSize);
        }
        let number: u64 = digits.parse().map_err(|_| BadSize)?;
        number.checked_mul(1 << shift).map(Self).ok_or(BadSize)
    }
}

/// A time such as `30m`, from a minute to a day.
pub(super) fn pause(text: &str) -> Result<Duration, &'static str> {
    let units = [('s', 1), ('m', 60), ('h', 3600)];
    let in_unit =
        |(unit, seconds): (char, u64)| Some(u64::from(text.strip_suffix(unit)?.parse::<u32>().ok()?) * seconds);
    let seconds = units.into_iter().find_map(in_unit);
    match seconds {
        Some(seconds @ 60..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("a time from 60s to 24h such as 30m would be right"),
    }
}

/// Form of the server's own log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("text or json would be right"),
        }
    }
}

pub(super) fn level(text: &str) -> Result<tracing::Level, &'static str> {
    match text {
        "error" => Ok(tracing::Level::ERROR),
        "warn" => Ok(tracing::Level::WARN),
        "info" => Ok(tracing::Level::INFO),
        "debug" => Ok(tracing::Level::DEBUG),
        "trace" => Ok(tracing::Level::TRACE),
        _ => Err("error, warn, info, debug or trace would be right"),
    }
}

pub(super) fn absolute(text: &str) -> Result<PathBuf, &'static str> {
    if text.starts_with('/') && !text.contains('\0') { Ok(text.into()) } else { Err("an absolute path would be right") }
}
