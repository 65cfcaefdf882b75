//! Writing an [`Event`]: a MessagePack map, key by key.
//!
//! Written by hand, as this runs for each request on the node: the generic serializer takes three
//! times the instructions, and `rmp` on a growing vector a third more. What is written goes into room that is
//! made before; an event that needs more of it is written again.

use crate::event::{Event, Key, Param, VERSION, Who};

/// Room for all of an event but its longer texts.
const FIXED: usize = 512;
/// The same for a parameter.
const PARAM: usize = 32;

/// There is no room left.
struct Full;

type Written = Result<(), Full>;

/// The room that is left.
type Room<'r> = &'r mut [u8];

/// Writes the name of a field, with its length before it: all of it is known when this is compiled.
macro_rules! name {
    ($out:expr, $name:literal) => {{
        const { assert!($name.len() < 32) };
        const NAME: [u8; $name.len() + 1] = short_text($name);
        put($out, &NAME)?;
    }};
}

/// Writes a field: its name, then its value in the given way.
macro_rules! field {
    ($out:expr, $name:literal, $way:ident($value:expr)) => {{
        name!($out, $name);
        $way($out, $value)?;
    }};
}

/// Text of less than 32 bytes (`fixstr`).
const fn short_text<const N: usize>(text: &str) -> [u8; N] {
    let mut out = [0xa0 | text.len() as u8; N];
    let (_, place) = out.split_at_mut(1);
    place.copy_from_slice(text.as_bytes());
    out
}

impl Event<'_> {
    /// Appends the event to `out` as one MessagePack map.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let mut room = self.estimate();
        loop {
            out.resize(start + room, 0);
            match self.write(out.get_mut(start..).unwrap_or_default()).map(|left| left.len()) {
                Ok(left) => {
                    out.truncate(out.len() - left);
                    break;
                }
                Err(Full) => room *= 2,
            }
        }
        for (key, value) in &self.extra {
            // Into a vector, which has room for everything.
            let _ = rmp::encode::write_str(out, key);
            let _ = rmpv::encode::write_value(out, value);
        }
    }

    /// Bytes that are enough for nearly all events.
    fn estimate(&self) -> usize {
        let param = |param: &Param| PARAM + param.source.len() + param.name.len() + param.value.len();
        let params: usize = self.ctx.iter().map(param).sum();
        FIXED + self.path.len() + self.ua.len() + self.key.value.len() + params
    }

    /// Gives back the room that is left. Not a part of the loop that calls it, in which the compiler would
    /// prepare all numbers for all lengths beforehand.
    #[inline(never)]
    fn write<'r>(&self, mut room: Room<'r>) -> Result<Room<'r>, Full> {
        let out = &mut room;
        map(out, self.len())?;
        field!(out, "v", number(VERSION));
        field!(out, "id", bytes(&self.id));
        if let Some(seq) = &self.seq {
            name!(out, "seq");
            array(out, 2)?;
            bytes(out, &seq.instance)?;
            number(out, seq.number)?;
        }
        field!(out, "node", text(&self.node));
        field!(out, "app", text(&self.app));
        field!(out, "kid", bytes(&self.kid));
        field!(out, "sid", bytes(&self.sid));
        self.key.write(out)?;
        field!(out, "conn", number(self.conn));
        field!(out, "n", number(self.n));
        field!(out, "host", text(&self.host));
        field!(out, "method", text(&self.method));
        field!(out, "path", text(&self.path));
        field!(out, "proto", text(&self.proto));
        field!(out, "scheme", text(&self.scheme));
        field!(out, "status", number(self.status.into()));
        field!(out, "dur", number(self.dur));
        if let Some(up) = self.up {
            field!(out, "up", number(up));
        }
        field!(out, "in", number(self.bytes_in));
        field!(out, "out", number(self.bytes_out));
        field!(out, "ip", text(&self.ip));
        field!(out, "ua", text(&self.ua));
        if let Some(user) = &self.user {
            field!(out, "user", who(user));
        }
        if let Some(role) = &self.role {
            field!(out, "role", who(role));
        }
        if !self.ctx.is_empty() {
            name!(out, "ctx");
            array(out, self.ctx.len())?;
            for param in &self.ctx {
                param.write(out)?;
            }
        }
        let rare = self.mcp.is_some() || self.gql.is_some() || !self.attacks.is_empty() || self.full.is_some();
        if rare { self.write_rare(room) } else { Ok(room) }
    }

    /// What most events do not have.
    #[inline(never)]
    fn write_rare<'r>(&self, mut room: Room<'r>) -> Result<Room<'r>, Full> {
        let out = &mut room;
        if let Some(mcp) = &self.mcp {
            name!(out, "mcp");
            array(out, 4)?;
            text(out, &mcp.method)?;
            text(out, &mcp.primitive)?;
            optional_text(out, mcp.arguments.as_deref())?;
            optional_text(out, mcp.error.as_deref())?;
        }
        if let Some(gql) = &self.gql {
            name!(out, "gql");
            array(out, 2)?;
            text(out, &gql.kind)?;
            text(out, &gql.operation)?;
        }
        if !self.attacks.is_empty() {
            name!(out, "attacks");
            array(out, self.attacks.len())?;
            for attack in &self.attacks {
                array(out, 5)?;
                for part in [&attack.kind, &attack.point, &attack.payload, &attack.engine] {
                    text(out, part)?;
                }
                boolean(out, attack.blocked)?;
            }
        }
        if let Some(full) = &self.full {
            field!(out, "full", bytes(full));
        }
        Ok(room)
    }

    /// Keys in the map: the ones that are always there, and those that are there this time.
    fn len(&self) -> usize {
        const ALWAYS: usize = 20;
        let optional = [
            self.seq.is_some(),
            self.up.is_some(),
            self.user.is_some(),
            self.role.is_some(),
            !self.ctx.is_empty(),
            self.mcp.is_some(),
            self.gql.is_some(),
            !self.attacks.is_empty(),
            self.full.is_some(),
        ];
        ALWAYS + optional.into_iter().filter(|&present| present).count() + self.extra.len()
    }
}

impl Key<'_> {
    #[inline(always)]
    fn write(&self, out: &mut Room) -> Written {
        name!(out, "key");
        array(out, 4)?;
        for part in [&self.source, &self.name, &self.value] {
            text(out, part)?;
        }
        boolean(out, self.hashed)
    }
}

impl Param<'_> {
    #[inline(always)]
    fn write(&self, out: &mut Room) -> Written {
        array(out, 5)?;
        for part in [self.source.as_ref(), &self.name, self.kind.as_str(), &self.value] {
            text(out, part)?;
        }
        boolean(out, self.hashed)
    }
}

// What is written so often is written in place: calls would cost as much as what they do.

#[inline(always)]
fn put(out: &mut Room, bytes: &[u8]) -> Written {
    let (place, left) = std::mem::take(out).split_at_mut_checked(bytes.len()).ok_or(Full)?;
    place.copy_from_slice(bytes);
    *out = left;
    Ok(())
}

#[inline(always)]
fn text(out: &mut Room, value: &str) -> Written {
    match value.len() {
        // Most are that short (`fixstr`).
        length @ 0..32 => put(out, &[0xa0 | length as u8])?,
        length => long_head(out, [0xd9, 0xda, 0xdb], length)?,
    }
    put(out, value.as_bytes())
}

#[inline(always)]
fn bytes(out: &mut Room, value: &[u8]) -> Written {
    long_head(out, [0xc4, 0xc5, 0xc6], value.len())?;
    put(out, value)
}

/// A length behind the one of three markers that has room for it: 8, 16 or 32 bits.
#[inline(always)]
fn long_head(out: &mut Room, markers: [u8; 3], length: usize) -> Written {
    let [of_8, of_16, of_32] = markers;
    match length {
        0..0x100 => put(out, &[of_8, length as u8]),
        0x100..0x1_0000 => {
            let [a, b] = (length as u16).to_be_bytes();
            put(out, &[of_16, a, b])
        }
        _ => {
            // Nothing in an event comes near 2^32.
            let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
            put(out, &[of_32, a, b, c, d])
        }
    }
}

#[inline(always)]
fn array(out: &mut Room, length: usize) -> Written {
    few(out, 0x90, [0xdc, 0xdd], length)
}

#[inline(always)]
fn map(out: &mut Room, length: usize) -> Written {
    few(out, 0x80, [0xde, 0xdf], length)
}

/// A number of elements: up to 15 of them in the marker itself.
#[inline(always)]
fn few(out: &mut Room, marker: u8, [of_16, of_32]: [u8; 2], length: usize) -> Written {
    match length {
        0..16 => put(out, &[marker | length as u8]),
        16..0x1_0000 => {
            let [a, b] = (length as u16).to_be_bytes();
            put(out, &[of_16, a, b])
        }
        _ => {
            let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
            put(out, &[of_32, a, b, c, d])
        }
    }
}

#[inline(always)]
fn number(out: &mut Room, value: u64) -> Written {
    match value {
        0..0x80 => put(out, &[value as u8]),
        0x80..0x100 => put(out, &[0xcc, value as u8]),
        0x100..0x1_0000 => {
            let [a, b] = (value as u16).to_be_bytes();
            put(out, &[0xcd, a, b])
        }
        0x1_0000..0x1_0000_0000 => {
            let [a, b, c, d] = (value as u32).to_be_bytes();
            put(out, &[0xce, a, b, c, d])
        }
        _ => {
            let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
            put(out, &[0xcf, a, b, c, d, e, f, g, h])
        }
    }
}

#[inline(always)]
fn boolean(out: &mut Room, value: bool) -> Written {
    put(out, &[0xc2 | u8::from(value)])
}

#[inline(always)]
fn who(out: &mut Room, who: &Who) -> Written {
    array(out, 2)?;
    text(out, &who.value)?;
    boolean(out, who.hashed)
}

fn optional_text(out: &mut Room, value: Option<&str>) -> Written {
    match value {
        Some(value) => text(out, value),
        None => put(out, &[0xc0]),
    }
}
