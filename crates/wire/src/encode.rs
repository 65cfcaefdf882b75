//! Writing an [`Event`]: a MessagePack map, key by key.
//!
//! Written by hand on top of `rmp`, as this runs for each request on the node: the generic
//! serializer takes three times the instructions.

use rmp::encode::{write_array_len, write_bin_len, write_bool, write_map_len, write_nil, write_str_len, write_uint};

use crate::event::{Event, Key, Param, VERSION, Who};

/// Writes the name of a field, with its length before it: all of it is known when this is compiled.
macro_rules! name {
    ($out:expr, $name:literal) => {{
        const { assert!($name.len() < 32) };
        const NAME: [u8; $name.len() + 1] = short_text($name);
        $out.extend_from_slice(&NAME);
    }};
}

/// Writes a field: its name, then its value in the given way.
macro_rules! field {
    ($out:expr, $name:literal, $way:ident($value:expr)) => {{
        name!($out, $name);
        $way($out, $value);
    }};
}

/// Text of less than 32 bytes (`fixstr`).
const fn short_text<const N: usize>(text: &str) -> [u8; N] {
    let mut out = [0xa0 | text.len() as u8; N];
    let (_, place) = out.split_at_mut(1);
    place.copy_from_slice(text.as_bytes());
    out
}

/// Writing into memory cannot fail; `rmp` says so with a type of its own.
fn infallible<T, E>(_: Result<T, E>) {}

impl Event<'_> {
    /// Appends the event to `out` as one MessagePack map.
    pub fn encode(&self, out: &mut Vec<u8>) {
        infallible(write_map_len(out, self.len()));
        field!(out, "v", number(VERSION));
        field!(out, "id", bytes(&self.id));
        if let Some(seq) = &self.seq {
            name!(out, "seq");
            infallible(write_array_len(out, 2));
            bytes(out, &seq.instance);
            number(out, seq.number);
        }
        field!(out, "node", text(&self.node));
        field!(out, "app", text(&self.app));
        field!(out, "kid", bytes(&self.kid));
        field!(out, "sid", bytes(&self.sid));
        self.key.encode(out);
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
        self.encode_lists(out);
        if let Some(full) = &self.full {
            field!(out, "full", bytes(full));
        }
        for (key, value) in &self.extra {
            text(out, key);
            infallible(rmpv::encode::write_value(out, value));
        }
    }

    /// Keys in the map: the ones that are always there, and those that are there this time.
    fn len(&self) -> u32 {
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
        length(ALWAYS + optional.into_iter().filter(|&present| present).count() + self.extra.len())
    }

    fn encode_lists(&self, out: &mut Vec<u8>) {
        if !self.ctx.is_empty() {
            name!(out, "ctx");
            infallible(write_array_len(out, length(self.ctx.len())));
            self.ctx.iter().for_each(|param| param.encode(out));
        }
        if let Some(mcp) = &self.mcp {
            name!(out, "mcp");
            infallible(write_array_len(out, 4));
            text(out, &mcp.method);
            text(out, &mcp.primitive);
            optional_text(out, mcp.arguments.as_deref());
            optional_text(out, mcp.error.as_deref());
        }
        if let Some(gql) = &self.gql {
            name!(out, "gql");
            infallible(write_array_len(out, 2));
            text(out, &gql.kind);
            text(out, &gql.operation);
        }
        if !self.attacks.is_empty() {
            name!(out, "attacks");
            infallible(write_array_len(out, length(self.attacks.len())));
            for attack in &self.attacks {
                infallible(write_array_len(out, 5));
                for part in [&attack.kind, &attack.point, &attack.payload, &attack.engine] {
                    text(out, part);
                }
                infallible(write_bool(out, attack.blocked));
            }
        }
    }
}

impl Key<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        name!(out, "key");
        infallible(write_array_len(out, 4));
        for part in [&self.source, &self.name, &self.value] {
            text(out, part);
        }
        infallible(write_bool(out, self.hashed));
    }
}

impl Param<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        infallible(write_array_len(out, 5));
        for part in [self.source.as_ref(), &self.name, self.kind.as_str(), &self.value] {
            text(out, part);
        }
        infallible(write_bool(out, self.hashed));
    }
}

// What is written so often is written in place: calls would cost as much as what they do.

#[inline(always)]
fn text(out: &mut Vec<u8>, value: &str) {
    match u8::try_from(value.len()) {
        // Most are that short (`fixstr`).
        Ok(length @ 0..32) => out.push(0xa0 | length),
        _ => infallible(write_str_len(out, length(value.len()))),
    }
    out.extend_from_slice(value.as_bytes());
}

#[inline(always)]
fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    infallible(write_bin_len(out, length(value.len())));
    out.extend_from_slice(value);
}

fn number(out: &mut Vec<u8>, value: u64) {
    infallible(write_uint(out, value));
}

fn who(out: &mut Vec<u8>, who: &Who) {
    infallible(write_array_len(out, 2));
    text(out, &who.value);
    infallible(write_bool(out, who.hashed));
}

fn optional_text(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        Some(value) => {
            text(out, value);
        }
        None => {
            infallible(write_nil(out));
        }
    }
}

/// A length as MessagePack has it; nothing in an event comes near 2^32.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
