//! Writing an [`Event`]: a MessagePack map, key by key.
//!
//! Written by hand on top of `rmp`, as this runs for each request on the node: the generic
//! serializer takes three times the instructions.

use rmp::encode::{write_array_len, write_bin, write_bool, write_map_len, write_nil, write_str, write_uint};

use crate::event::{Event, Key, Param, VERSION, Who};

/// Writing into memory cannot fail; `rmp` says so with a type of its own.
macro_rules! infallible {
    ($write:expr) => {
        let _ = $write;
    };
}

impl Event<'_> {
    /// Appends the event to `out` as one MessagePack map.
    pub fn encode(&self, out: &mut Vec<u8>) {
        infallible!(write_map_len(out, self.len()));
        number(out, "v", VERSION);
        bytes(out, "id", &self.id);
        if let Some(seq) = &self.seq {
            name(out, "seq");
            infallible!(write_array_len(out, 2));
            infallible!(write_bin(out, &seq.instance));
            infallible!(write_uint(out, seq.number));
        }
        text(out, "node", &self.node);
        text(out, "app", &self.app);
        bytes(out, "kid", &self.kid);
        bytes(out, "sid", &self.sid);
        self.key.encode(out);
        number(out, "conn", self.conn);
        number(out, "n", self.n);
        text(out, "host", &self.host);
        text(out, "method", &self.method);
        text(out, "path", &self.path);
        text(out, "proto", &self.proto);
        text(out, "scheme", &self.scheme);
        number(out, "status", self.status.into());
        number(out, "dur", self.dur);
        if let Some(up) = self.up {
            number(out, "up", up);
        }
        number(out, "in", self.bytes_in);
        number(out, "out", self.bytes_out);
        text(out, "ip", &self.ip);
        text(out, "ua", &self.ua);
        who(out, "user", self.user.as_ref());
        who(out, "role", self.role.as_ref());
        self.encode_lists(out);
        if let Some(full) = &self.full {
            bytes(out, "full", full);
        }
        for (key, value) in &self.extra {
            name(out, key);
            infallible!(rmpv::encode::write_value(out, value));
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
            name(out, "ctx");
            infallible!(write_array_len(out, length(self.ctx.len())));
            self.ctx.iter().for_each(|param| param.encode(out));
        }
        if let Some(mcp) = &self.mcp {
            name(out, "mcp");
            infallible!(write_array_len(out, 4));
            infallible!(write_str(out, &mcp.method));
            infallible!(write_str(out, &mcp.primitive));
            optional_text(out, mcp.arguments.as_deref());
            optional_text(out, mcp.error.as_deref());
        }
        if let Some(gql) = &self.gql {
            name(out, "gql");
            infallible!(write_array_len(out, 2));
            infallible!(write_str(out, &gql.kind));
            infallible!(write_str(out, &gql.operation));
        }
        if !self.attacks.is_empty() {
            name(out, "attacks");
            infallible!(write_array_len(out, length(self.attacks.len())));
            for attack in &self.attacks {
                infallible!(write_array_len(out, 5));
                for part in [&attack.kind, &attack.point, &attack.payload, &attack.engine] {
                    infallible!(write_str(out, part));
                }
                infallible!(write_bool(out, attack.blocked));
            }
        }
    }
}

impl Key<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        name(out, "key");
        infallible!(write_array_len(out, 4));
        for part in [&self.source, &self.name, &self.value] {
            infallible!(write_str(out, part));
        }
        infallible!(write_bool(out, self.hashed));
    }
}

impl Param<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        infallible!(write_array_len(out, 5));
        for part in [self.source.as_ref(), &self.name, self.kind.as_str(), &self.value] {
            infallible!(write_str(out, part));
        }
        infallible!(write_bool(out, self.hashed));
    }
}

fn name(out: &mut Vec<u8>, name: &str) {
    infallible!(write_str(out, name));
}

fn text(out: &mut Vec<u8>, key: &str, value: &str) {
    name(out, key);
    infallible!(write_str(out, value));
}

fn bytes(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    name(out, key);
    infallible!(write_bin(out, value));
}

fn number(out: &mut Vec<u8>, key: &str, value: u64) {
    name(out, key);
    infallible!(write_uint(out, value));
}

fn who(out: &mut Vec<u8>, key: &str, who: Option<&Who>) {
    if let Some(who) = who {
        name(out, key);
        infallible!(write_array_len(out, 2));
        infallible!(write_str(out, &who.value));
        infallible!(write_bool(out, who.hashed));
    }
}

fn optional_text(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        Some(value) => {
            infallible!(write_str(out, value));
        }
        None => {
            infallible!(write_nil(out));
        }
    }
}

/// A length as MessagePack has it; nothing in an event comes near 2^32.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
