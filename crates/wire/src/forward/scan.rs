//! Finding where a MessagePack value ends, from bytes that come in pieces.

use rmp::Marker;

/// What is wrong with bytes that should be MessagePack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The one byte that MessagePack never uses.
    #[error("0xc1 is no type")]
    Reserved,
    /// The bytes end within a value.
    #[error("it ends within a value")]
    Truncated,
}

/// First part of a value: its type, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Nil,
    Uint(u64),
    /// Negative integers, floats, booleans.
    Other(&'static str),
    Str(usize),
    Bin(usize),
    Ext(i8, usize),
    Array(u64),
    Map(u64),
}

impl Head {
    /// Reads the head at the start of `bytes`, with its own size; `None` when it is not all there.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Broken> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        // Big-endian number of `n` bytes behind the marker.
        let number = |n: usize| rest.get(..n).map(|be| be.iter().fold(0u64, |sum, &b| sum << 8 | u64::from(b)));
        let with = |n: usize, head: fn(u64) -> Self| number(n).map(|value| (head(value), 1 + n));
        let ext = |n: usize, fixed: usize| {
            let length = if n == 0 { fixed } else { number(n)? as usize };
            rest.get(n).map(|&kind| (Self::Ext(kind as i8, length), 2 + n))
        };
        Ok(match Marker::from_u8(first) {
            Marker::Reserved => return Err(Broken::Reserved),
            Marker::Null => Some((Self::Nil, 1)),
            Marker::FixPos(n) => Some((Self::Uint(u64::from(n)), 1)),
            Marker::U8 => with(1, Self::Uint),
            Marker::U16 => with(2, Self::Uint),
            Marker::U32 => with(4, Self::Uint),
            Marker::U64 => with(8, Self::Uint),
            Marker::FixNeg(_) => Some((Self::Other("a negative integer"), 1)),
            Marker::I8 => with(1, signed::<0x80>),
            Marker::I16 => with(2, signed::<0x8000>),
            Marker::I32 => with(4, signed::<0x8000_0000>),
            Marker::I64 => with(8, signed::<0x8000_0000_0000_0000>),
            Marker::True | Marker::False => Some((Self::Other("a boolean"), 1)),
            Marker::F32 => with(4, |_| Self::Other("a float")),
            Marker::F64 => with(8, |_| Self::Other("a float")),
            Marker::FixStr(n) => Some((Self::Str(usize::from(n)), 1)),
            Marker::Str8 => with(1, |n| Self::Str(n as usize)),
            Marker::Str16 => with(2, |n| Self::Str(n as usize)),
            Marker::Str32 => with(4, |n| Self::Str(n as usize)),
            Marker::Bin8 => with(1, |n| Self::Bin(n as usize)),
            Marker::Bin16 => with(2, |n| Self::Bin(n as usize)),
            Marker::Bin32 => with(4, |n| Self::Bin(n as usize)),
            Marker::FixArray(n) => Some((Self::Array(u64::from(n)), 1)),
            Marker::Array16 => with(2, Self::Array),
            Marker::Array32 => with(4, Self::Array),
            Marker::FixMap(n) => Some((Self::Map(u64::from(n)), 1)),
            Marker::Map16 => with(2, Self::Map),
            Marker::Map32 => with(4, Self::Map),
            Marker::FixExt1 => ext(0, 1),
            Marker::FixExt2 => ext(0, 2),
            Marker::FixExt4 => ext(0, 4),
            Marker::FixExt8 => ext(0, 8),
            Marker::FixExt16 => ext(0, 16),
            Marker::Ext8 => ext(1, 0),
            Marker::Ext16 => ext(2, 0),
            Marker::Ext32 => ext(4, 0),
        })
    }

    /// Bytes that follow the head and belong to the value itself.
    pub(super) fn payload(self) -> usize {
        match self {
            Self::Str(n) | Self::Bin(n) | Self::Ext(_, n) => n,
            _ => 0,
        }
    }

    fn children(self) -> u64 {
        match self {
            Self::Array(n) => n,
            Self::Map(n) => 2 * n,
            _ => 0,
        }
    }

    /// What to call what `bytes` begin with, which nobody expected: other protocols, and other parts of this
    /// one, are told by their first bytes.
    pub(super) fn found(bytes: &[u8]) -> String {
        match bytes {
            // A record of type alert or handshake, version 3 (RFC 8446, 5.1).
            [0x15 | 0x16, 3, ..] => "TLS".into(),
            [0x92, 0xa4, b'H', b'E', b'L', b'O', ..] => "HELO, with which a server asks for a shared key".into(),
            [0x96, 0xa4, b'P', b'I', b'N', b'G', ..] => "PING, with which a client shows a shared key".into(),
            _ => match Self::read(bytes) {
                Ok(Some((head, _))) => head.name(),
                Ok(None) => "nothing whole".into(),
                Err(broken) => broken.to_string(),
            },
        }
    }

    /// What to call it in a message.
    pub(super) fn name(self) -> String {
        match self {
            Self::Nil => "nil".into(),
            Self::Uint(_) => "an integer".into(),
            Self::Other(name) => name.into(),
            Self::Str(_) => "a string".into(),
            Self::Bin(_) => "binary".into(),
            Self::Ext(kind, _) => format!("an extension of type {kind}"),
            Self::Array(n) => format!("an array of {n}"),
            Self::Map(_) => "a map".into(),
        }
    }
}

/// Some senders write positive numbers with signed types.
fn signed<const SIGN: u64>(value: u64) -> Head {
    if value & SIGN == 0 { Head::Uint(value) } else { Head::Other("a negative integer") }
}

/// Walks over one value, however deep, and remembers where it stopped when bytes are missing.
///
/// It counts the values still to come; each has at least one byte, so `needs` is a lower bound of
/// the whole value's size at any moment, known before the bytes are there.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    /// Values still to be read.
    pending: u64,
    /// Where the next head is; may lie behind the bytes that are there.
    at: usize,
    /// Values whose heads were read, those within others too.
    values: u64,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self { pending: 1, at: 0, values: 0 }
    }

    /// Goes on over `bytes`, which start where the value starts. The value's size, or `None` when
    /// more bytes are needed. Stops early once [`needs`](Self::needs) is above `limit`.
    pub(super) fn scan(&mut self, bytes: &[u8], limit: usize) -> Result<Option<usize>, Broken> {
        while self.pending > 0 && self.needs() <= limit as u64 {
            let Some(rest) = bytes.get(self.at..) else { return Ok(None) };
            let Some((head, size)) = Head::read(rest)? else { return Ok(None) };
            // At most 2^32 bytes and 2^33 children a step, and `needs` was below `limit` before it.
            self.at += size + head.payload();
            self.pending = self.pending - 1 + head.children();
            self.values += 1;
        }
        Ok((self.pending == 0 && self.at <= bytes.len()).then_some(self.at))
    }

    /// The value has at least so many bytes.
    pub(super) fn needs(&self) -> u64 {
        self.at as u64 + self.pending
    }

    /// Where the next head is expected.
    pub(super) fn at(&self) -> usize {
        self.at
    }
}

/// Takes one value off the front of `bytes`.
pub(super) fn take<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Broken> {
    take_counted(bytes).map(|(value, _)| value)
}

/// Likewise, and says of how many values it is made, itself counted.
pub(super) fn take_counted<'a>(bytes: &mut &'a [u8]) -> Result<(&'a [u8], u64), Broken> {
    let mut scanner = Scanner::new();
    let size = scanner.scan(bytes, bytes.len())?.ok_or(Broken::Truncated)?;
    let (value, rest) = bytes.split_at_checked(size).ok_or(Broken::Truncated)?;
    *bytes = rest;
    Ok((value, scanner.values))
}

/// Takes the head of a value off the front of `bytes`.
pub(super) fn take_head(bytes: &mut &[u8]) -> Result<Head, Broken> {
    let (head, size) = Head::read(bytes)?.ok_or(Broken::Truncated)?;
    *bytes = bytes.get(size..).ok_or(Broken::Truncated)?;
    Ok(head)
}
