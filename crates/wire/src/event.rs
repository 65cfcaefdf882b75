//! One request as it travels: the record of the tag `wallarm.sessions`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::lenient::{ByteId, Fields, Text};

/// Version of the record format that this crate writes and fully understands.
pub(crate) const VERSION: u64 = 1;

/// Request id: 16 bytes in the layout of a UUIDv7, so it tells the request's time.
pub type RequestId = [u8; 16];
/// First bytes of the keyed hash that names a secret.
pub type KeyId = [u8; 4];

/// A request's place in the stream of one worker: which worker life, and the how-manieth snapshot.
///
/// Numbers are taken when the snapshot is made, so whatever is dropped later leaves a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq {
    /// Random for each life of a worker process.
    pub instance: [u8; 8],
    /// Counts from 0 within the instance.
    pub number: u64,
}

/// The grouping key that decided the session: `[source, name, value, hashed]` on the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Key<'a> {
    /// The source as configured, or the namespace of a built-in key (`cookie:PHPSESSID`, `ip+ua`).
    pub source: Cow<'a, str>,
    /// What readers call it.
    pub name: Cow<'a, str>,
    /// The value, or its pseudonym.
    pub value: Cow<'a, str>,
    /// Whether `value` is a pseudonym.
    pub hashed: bool,
}

/// What a context parameter says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ParamKind {
    /// Something a reader wants to see.
    #[default]
    Context,
    /// Names the session's user.
    User,
    /// Names the session's role.
    Role,
}

impl ParamKind {
    /// The word used on the wire, in the configuration and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::User => "user",
            Self::Role => "role",
        }
    }
}

/// A context parameter: `[source, name, kind, value, hashed]` on the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Param<'a> {
    /// The source as configured.
    pub source: Cow<'a, str>,
    /// What readers call it.
    pub name: Cow<'a, str>,
    /// Whether it names a user, a role, or neither.
    pub kind: ParamKind,
    /// The value, or its pseudonym.
    pub value: Cow<'a, str>,
    /// Whether `value` is a pseudonym.
    pub hashed: bool,
}

/// A user or a role: `[value, hashed]` on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Who<'a> {
    /// The value, or its pseudonym.
    pub value: Cow<'a, str>,
    /// Whether `value` is a pseudonym.
    pub hashed: bool,
}

/// A call of an AI agent: `[method, primitive, arguments?, error?]` on the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mcp<'a> {
    /// JSON-RPC method.
    pub method: Cow<'a, str>,
    /// Name of the tool, prompt or resource; empty when the method has none.
    pub primitive: Cow<'a, str>,
    /// Arguments as JSON text, when the configuration asks for them.
    pub arguments: Option<Cow<'a, str>>,
    /// JSON-RPC error, when the answer held one.
    pub error: Option<Cow<'a, str>>,
}

/// A GraphQL operation: `[type, operation]` on the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graphql<'a> {
    /// `query`, `mutation` or `subscription`.
    pub kind: Cow<'a, str>,
    /// Its name; empty when anonymous.
    pub operation: Cow<'a, str>,
}

/// An attack in a request: `[type, point, payload, engine, blocked]` on the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attack<'a> {
    /// `sqli`, `xss`, ...
    pub kind: Cow<'a, str>,
    /// Where in the request.
    pub point: Cow<'a, str>,
    /// What was found there.
    pub payload: Cow<'a, str>,
    /// Who found it.
    pub engine: Cow<'a, str>,
    /// Whether the request was refused because of it.
    pub blocked: bool,
}

/// One request. Its start is the Forward entry's time, not a field.
///
/// Text borrows from the buffer it was decoded from, or from the snapshot it was made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event<'a> {
    /// Request id; all zero when a foreign sender gave none.
    pub id: RequestId,
    /// `None` only from foreign senders.
    pub seq: Option<Seq>,
    /// Node (one NGINX installation).
    pub node: Cow<'a, str>,
    /// Application, the name a location gives its traffic.
    pub app: Cow<'a, str>,
    /// Which secret made `sid` and the pseudonyms.
    pub kid: KeyId,
    /// Session id.
    pub sid: [u8; 16],
    /// The grouping key that decided.
    pub key: Key<'a>,
    /// Serial number of the client connection in its worker.
    pub conn: u64,
    /// Which request of the connection, from 1.
    pub n: u64,
    /// As `$host`.
    pub host: Cow<'a, str>,
    /// From the request line.
    pub method: Cow<'a, str>,
    /// Without query, decoded once, dots resolved, before any rewrite.
    pub path: Cow<'a, str>,
    /// `HTTP/1.1` and so on.
    pub proto: Cow<'a, str>,
    /// `http` or `https`.
    pub scheme: Cow<'a, str>,
    /// As `$status`.
    pub status: u16,
    /// Microseconds from the request's start to its end.
    pub dur: u64,
    /// Microseconds in upstreams, summed over tries; `None` when no upstream was asked.
    pub up: Option<u64>,
    /// `$request_length`.
    pub bytes_in: u64,
    /// `$bytes_sent`.
    pub bytes_out: u64,
    /// Client address as `wallarm_session_ip` lets it leave.
    pub ip: Cow<'a, str>,
    /// User-Agent.
    pub ua: Cow<'a, str>,
    /// User, when a parameter of that kind was found.
    pub user: Option<Who<'a>>,
    /// Role, likewise.
    pub role: Option<Who<'a>>,
    /// Context parameters in the order of the configuration.
    pub ctx: Vec<Param<'a>>,
    /// Set on MCP traffic.
    pub mcp: Option<Mcp<'a>>,
    /// Set on GraphQL traffic.
    pub gql: Option<Graphql<'a>>,
    /// Attacks found in it.
    pub attacks: Vec<Attack<'a>>,
    /// Head and body prefix, malicious requests only.
    pub full: Option<Cow<'a, [u8]>>,
    /// Keys that this version does not know, kept as they came.
    pub extra: Vec<(String, rmpv::Value)>,
}

/// Why a record was set aside.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Written by a newer sender whose format this version may misread.
    #[error("record format {0} is newer than {VERSION}, the newest this version reads")]
    NewerVersion(u64),
    /// Not an event: a wrong type, a missing key, broken MessagePack.
    #[error("{0}")]
    Malformed(String),
}

impl<'a> Event<'a> {
    /// Reads one event from the bytes of a MessagePack map.
    pub fn decode(record: &'a [u8]) -> Result<Self, RecordError> {
        let decoded: Decoded<'a> = rmp_serde::from_slice(record).map_err(|e| RecordError::Malformed(e.to_string()))?;
        match decoded {
            Decoded::Known(event) => Ok(*event),
            Decoded::Newer(v) => Err(RecordError::NewerVersion(v)),
        }
    }
}

enum Decoded<'a> {
    Known(Box<Event<'a>>),
    Newer(u64),
}

impl<'de: 'a, 'a> Deserialize<'de> for Decoded<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Decoded<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a map of event fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::new(map);
        let mut e = Box::<Event>::default();
        let mut version = 0;
        let mut seen_sid = false;
        while let Some(name) = fields.next_name()? {
            match name.as_ref() {
                "v" => version = fields.value("v")?,
                // A newer sender may have changed any other type: do not judge them.
                _ if version > VERSION => fields.skip()?,
                "id" => e.id = fields.value::<ByteId<16>>("id")?.0,
                "seq" => e.seq = fields.value("seq")?,
                "node" => e.node = fields.text("node")?,
                "app" => e.app = fields.text("app")?,
                "kid" => e.kid = fields.value::<ByteId<4>>("kid")?.0,
                "sid" => {
                    e.sid = fields.value::<ByteId<16>>("sid")?.0;
                    seen_sid = true;
                }
                "key" => e.key = fields.value("key")?,
                "conn" => e.conn = fields.value("conn")?,
                "n" => e.n = fields.value("n")?,
                "host" => e.host = fields.text("host")?,
                "method" => e.method = fields.text("method")?,
                "path" => e.path = fields.text("path")?,
                "proto" => e.proto = fields.text("proto")?,
                "scheme" => e.scheme = fields.text("scheme")?,
                "status" => e.status = fields.value("status")?,
                "dur" => e.dur = fields.value("dur")?,
                "up" => e.up = fields.value("up")?,
                "in" => e.bytes_in = fields.value("in")?,
                "out" => e.bytes_out = fields.value("out")?,
                "ip" => e.ip = fields.text("ip")?,
                "ua" => e.ua = fields.text("ua")?,
                "user" => e.user = fields.value("user")?,
                "role" => e.role = fields.value("role")?,
                "ctx" => e.ctx = fields.value("ctx")?,
                "mcp" => e.mcp = fields.value("mcp")?,
                "gql" => e.gql = fields.value("gql")?,
                "attacks" => e.attacks = fields.value("attacks")?,
                "full" => e.full = fields.bytes("full")?,
                _ => {
                    let value = fields.value("unknown key")?;
                    e.extra.push((name.into_owned(), value));
                }
            }
        }
        if version > VERSION {
            return Ok(Decoded::Newer(version));
        }
        if version == 0 {
            return Err(serde::de::Error::missing_field("v"));
        }
        if !seen_sid {
            return Err(serde::de::Error::missing_field("sid"));
        }
        Ok(Decoded::Known(e))
    }
}

impl Text<'_> {
    fn param_kind<E: serde::de::Error>(&self) -> Result<ParamKind, E> {
        match self.0.as_ref() {
            "context" => Ok(ParamKind::Context),
            "user" => Ok(ParamKind::User),
            "role" => Ok(ParamKind::Role),
            other => Err(E::custom(format_args!("kind is {other:?}, expected context, user or role"))),
        }
    }
}

/// Reads a fixed-form array into a struct: the named elements in order, then skips what newer
/// senders may have put behind them.
macro_rules! from_array {
    ($type:ident, $what:literal, |$seq:ident| $make:expr) => {
        impl<'de: 'a, 'a> Deserialize<'de> for $type<'a> {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct ArrayVisitor;
                impl<'de> Visitor<'de> for ArrayVisitor {
                    type Value = $type<'de>;
                    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                        f.write_str($what)
                    }
                    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                        let mut $seq = crate::lenient::Elements::new(seq, $what);
                        let made = $make;
                        $seq.skip_rest()?;
                        Ok(made)
                    }
                }
                d.deserialize_seq(ArrayVisitor)
            }
        }
    };
}

from_array!(Key, "[source, name, value, hashed]", |seq| Key {
    source: seq.text()?,
    name: seq.text()?,
    value: seq.text()?,
    hashed: seq.next()?,
});
from_array!(Who, "[value, hashed]", |seq| Who { value: seq.text()?, hashed: seq.next()? });
from_array!(Param, "[source, name, kind, value, hashed]", |seq| Param {
    source: seq.text()?,
    name: seq.text()?,
    kind: seq.next::<Text>()?.param_kind()?,
    value: seq.text()?,
    hashed: seq.next()?,
});
from_array!(Mcp, "[method, primitive, arguments?, error?]", |seq| Mcp {
    method: seq.text()?,
    primitive: seq.text()?,
    arguments: seq.optional_text()?,
    error: seq.optional_text()?,
});
from_array!(Graphql, "[type, operation]", |seq| Graphql { kind: seq.text()?, operation: seq.text()? });
from_array!(Attack, "[type, point, payload, engine, blocked]", |seq| Attack {
    kind: seq.text()?,
    point: seq.text()?,
    payload: seq.text()?,
    engine: seq.text()?,
    blocked: seq.next()?,
});

impl<'de> Deserialize<'de> for Seq {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(SeqVisitor)
    }
}

struct SeqVisitor;

impl<'de> Visitor<'de> for SeqVisitor {
    type Value = Seq;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("[instance of 8 bytes, number] or \"hex:number\"")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, seq: A) -> Result<Seq, A::Error> {
        let mut elements = crate::lenient::Elements::new(seq, "[instance, number]");
        let read = Seq { instance: elements.next::<ByteId<8>>()?.0, number: elements.next()? };
        elements.skip_rest()?;
        Ok(read)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Seq, E> {
        text.split_once(':')
            .and_then(|(instance, number)| {
                Some(Seq { instance: ByteId::from_hex(instance)?.0, number: number.parse().ok()? })
            })
            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full_event() -> Event<'static> {
        Event {
            id: [7; 16],
            seq: Some(Seq { instance: [9; 8], number: u64::MAX }),
            node: "edge-1".into(),
            app: "shop".into(),
            kid: [1, 2, 3, 4],
            sid: [5; 16],
            key: Key { source: "request.query.token".into(), name: "token".into(), value: "ab".into(), hashed: true },
            conn: 12,
            n: 3,
            host: "shop.test".into(),
            method: "GET".into(),
            path: "/a b".into(),
            proto: "HTTP/1.1".into(),
            scheme: "https".into(),
            status: 200,
            dur: 1234,
            up: Some(1000),
            bytes_in: 300,
            bytes_out: 4096,
            ip: "192.0.2.7".into(),
            ua: "curl/8".into(),
            user: Some(Who { value: "ann".into(), hashed: false }),
            role: Some(Who { value: "admin".into(), hashed: false }),
            ctx: vec![Param {
                source: "request.header.X-A".into(),
                name: "X-A".into(),
                kind: ParamKind::User,
                value: "1".into(),
                hashed: false,
            }],
            mcp: Some(Mcp { method: "tools/call".into(), primitive: "echo".into(), arguments: None, error: None }),
            gql: Some(Graphql { kind: "query".into(), operation: "Me".into() }),
            attacks: vec![Attack { kind: "sqli".into(), blocked: true, ..Attack::default() }],
            full: Some(Cow::Borrowed(b"GET / HTTP/1.1")),
            extra: vec![("new".into(), rmpv::Value::from(1))],
        }
    }

    fn encoded(event: &Event) -> Vec<u8> {
        let mut out = Vec::new();
        event.encode(&mut out);
        out
    }

    /// The event as a generic MessagePack map, to bend it as foreign senders do.
    fn as_map(event: &Event) -> Vec<(rmpv::Value, rmpv::Value)> {
        match rmpv::decode::read_value(&mut encoded(event).as_slice()).unwrap() {
            rmpv::Value::Map(map) => map,
            other => panic!("an event is a map, not {other}"),
        }
    }

    fn map_bytes(map: Vec<(rmpv::Value, rmpv::Value)>) -> Vec<u8> {
        let mut out = Vec::new();
        rmpv::encode::write_value(&mut out, &rmpv::Value::Map(map)).unwrap();
        out
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn set(map: &mut [(rmpv::Value, rmpv::Value)], name: &str, value: rmpv::Value) {
        let entry = map.iter_mut().find(|(k, _)| k.as_str() == Some(name)).expect(name);
        entry.1 = value;
    }

    #[test]
    fn what_is_encoded_is_decoded_equal() {
        for event in [full_event(), Event::default()] {
            assert_eq!(Event::decode(&encoded(&event)).unwrap(), event);
        }
    }

    #[test]
    fn an_event_of_any_size_is_written_as_the_generic_encoder_writes_it() {
        let sizes = [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536];
        let numbers = [0, 127, 128, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX];
        for (size, number) in sizes.into_iter().zip(numbers) {
            let text = "x".repeat(size);
            let event = Event {
                host: text.as_str().into(),
                scheme: text.as_str().into(),
                conn: number,
                full: Some(text.as_bytes().into()),
                ctx: vec![Param::default(); size],
                ..full_event()
            };
            let mut out = b"before".to_vec();
            event.encode(&mut out);
            let record = out.strip_prefix(b"before").unwrap();
            assert!(record == map_bytes(as_map(&event)), "{size}");
            assert!(Event::decode(record).unwrap() == event, "{size}");
        }
    }

    #[test]
    fn bytes_as_hex_and_seq_as_text_are_read_for_senders_that_only_have_json() {
        let mut map = as_map(&full_event());
        set(&mut map, "id", "07070707070707070707070707070707".into());
        set(&mut map, "kid", "01020304".into());
        set(&mut map, "full", hex(b"GET / HTTP/1.1").into());
        set(&mut map, "seq", "0909090909090909:18446744073709551615".into());
        assert_eq!(Event::decode(&map_bytes(map)).unwrap(), full_event());
    }

    #[test]
    fn longer_arrays_and_unknown_keys_of_newer_senders_are_read() {
        let mut map = as_map(&full_event());
        let key = ["request.query.token", "token", "ab"].map(rmpv::Value::from);
        let longer = key.into_iter().chain([true.into(), "later".into()]).collect();
        set(&mut map, "key", rmpv::Value::Array(longer));
        assert_eq!(Event::decode(&map_bytes(map)).unwrap(), full_event());
    }

    #[test]
    fn bytes_that_are_not_utf8_become_escapes() {
        let mut map = as_map(&full_event());
        set(&mut map, "path", rmpv::Value::Binary(b"/\xff\xfea".to_vec()));
        assert_eq!(Event::decode(&map_bytes(map)).unwrap().path, r"/\xFF\xFEa");
    }

    #[test]
    fn a_newer_version_is_told_apart_whatever_its_fields_look_like() {
        let mut map = as_map(&full_event());
        set(&mut map, "v", 2.into());
        set(&mut map, "status", "changed".into());
        assert!(matches!(Event::decode(&map_bytes(map)), Err(RecordError::NewerVersion(2))));
    }

    #[test]
    fn an_error_names_the_field_that_was_wrong() {
        for (name, wrong) in [
            ("status", rmpv::Value::from("200")),
            ("sid", rmpv::Value::Binary(vec![1; 15])),
            ("seq", "xx:1".into()),
            ("ctx", rmpv::Value::Array(vec![rmpv::Value::Array(vec!["only source".into()])])),
        ] {
            let mut map = as_map(&full_event());
            set(&mut map, name, wrong);
            let error = Event::decode(&map_bytes(map)).unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
    }

    #[test]
    fn a_record_without_version_or_session_is_no_event() {
        for name in ["v", "sid"] {
            let mut map = as_map(&full_event());
            map.retain(|(k, _)| k.as_str() != Some(name));
            let error = Event::decode(&map_bytes(map)).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Event::decode(&bytes);
        }
    }
}
