//! Sessions and requests as readers see them: the rows that the store answers with and the JSON
//! that the REST API sends.
//!
//! Times are microseconds since the Unix epoch, UTC, inside; RFC 3339 with microseconds outside.
//! Ids are lower-case hex outside.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::endpoints::Usual;

/// Microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

/// A UTC day, counted in days since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// Sixteen bytes that name a session or a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; 16]);

impl Micros {
    /// The UTC day this moment lies in.
    pub fn day(self) -> Day {
        Day(self.0.div_euclid(86_400_000_000) as i32)
    }
}

impl Day {
    /// The first moment of the day.
    pub fn start(self) -> Micros {
        Micros(i64::from(self.0) * 86_400_000_000)
    }

    /// The day that a text like `2026-11-22` names.
    pub fn parse(text: &str) -> Option<Self> {
        let date: jiff::civil::Date = text.parse().ok()?;
        let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        let day = Micros(midnight.as_microsecond()).day();
        (day.to_string() == text).then_some(day)
    }
}

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let time = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::MIN);
        write!(f, "{time:.6}")
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let text = self.start().to_string();
        f.write_str(text.get(..10).unwrap_or(&text))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a text is no id.
#[derive(Debug, thiserror::Error)]
#[error("an id is 32 hex digits")]
pub struct BadId;

impl std::str::FromStr for Id {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(BadId);
        }
        u128::from_str_radix(text, 16).map(|n| Self(n.to_be_bytes())).map_err(|_| BadId)
    }
}

macro_rules! serialize_as_text {
    ($($type:ty),*) => { $(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
    )* };
}
serialize_as_text!(Micros, Day, Id);

macro_rules! told_as_text {
    ($($type:ty, $name:literal, $schema:tt);*) => { $(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )* };
}
told_as_text!(
    Micros, "Time", { "type": "string", "format": "date-time", "description": "RFC 3339, UTC, with microseconds" };
    Day, "Day", { "type": "string", "format": "date", "description": "UTC day" };
    Id, "Id", { "type": "string", "pattern": "^[0-9a-f]{32}$" }
);

/// A value that may be a pseudonym.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Who {
    /// The value, or its pseudonym.
    pub value: String,
    /// Whether `value` is a pseudonym.
    pub hashed: bool,
}

/// A grouping key and how many requests of the session it decided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct KeyCount {
    /// Source as configured, or the namespace of a built-in key.
    pub source: String,
    /// What readers call it.
    pub name: String,
    /// The value, or its pseudonym.
    pub value: String,
    /// Whether `value` is a pseudonym.
    pub hashed: bool,
    /// Requests decided by it; `None` where a single request is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
}

/// A value of a field, and how common it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct CommonValue {
    /// The value, or its pseudonym.
    pub value: String,
    /// Requests that have it.
    pub requests: u64,
}

/// An endpoint and its share of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct EndpointCount {
    /// Method, host and path template.
    pub endpoint: String,
    /// Requests to it.
    pub requests: u64,
}

/// One part of a session: a session's requests of one UTC day. `GET /sessions` lists these.
///
/// Counts are the whole part's; only `matched` is about window and filter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct SessionPart {
    /// Session id.
    pub id: Id,
    /// UTC day of the part.
    pub day: Day,
    /// At most 5, the busiest first.
    pub applications: Vec<String>,
    /// At most 5, the busiest first.
    pub keys: Vec<KeyCount>,
    /// The last seen; when no request of the part names one, who the session was on the days before, or
    /// else is on those after.
    pub user: Option<Who>,
    /// Those that requests of the part name: at most 5, the last seen first.
    pub users: Vec<Who>,
    /// Distinct users that requests of the part name.
    pub user_count: u64,
    /// As `user`.
    pub role: Option<Who>,
    /// As `users`.
    pub roles: Vec<Who>,
    /// Start of the earliest request.
    pub first_seen: Micros,
    /// Start of the latest request.
    pub last_seen: Micros,
    /// Milliseconds between them.
    pub duration_ms: u64,
    /// Requests in the part.
    pub requests: u64,
    /// Of them, those in which values were counted: all, or of a very long part about the newest 20,000. What is
    /// told of users, addresses, networks, endpoints, statuses and methods is told of these.
    pub counted: u64,
    /// Requests that rules call noise, of all.
    pub noise: u64,
    /// Requests that the window leaves; `None` without one.
    pub matched: Option<u64>,
    /// At most 10, the busiest first.
    pub ips: Vec<String>,
    /// Distinct addresses.
    pub ip_count: u64,
    /// At most 5, the busiest first; empty until network data is configured.
    pub networks: Vec<String>,
    /// What addresses of these networks are used for, where that is known: `hosting`, `crawler`.
    pub network_labels: BTreeSet<&'static str>,
    /// At most 5, the busiest first; empty until country data is configured.
    pub countries: Vec<String>,
    /// At most 5, the busiest first.
    pub user_agents: Vec<String>,
    /// At most 10, the busiest first.
    pub hosts: Vec<String>,
    /// At most 5, the busiest first.
    pub top_endpoints: Vec<EndpointCount>,
    /// Distinct endpoints.
    pub endpoint_count: u64,
    /// Requests by status class (`2xx`).
    pub statuses: BTreeMap<String, u64>,
    /// Requests by method, at most 20 methods, the busiest.
    pub methods: BTreeMap<String, u64>,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Whether an AI agent's MCP calls are in it.
    pub mcp: bool,
    /// Attacks by type, at most 20 types, the most frequent.
    pub attacks: BTreeMap<String, u64>,
    /// Labels given by readers, by name. The store knows none: whoever answers fills them in.
    pub labels: Vec<String>,
    /// Whether the session is on the denylist; never until there is one.
    pub blocked: bool,
}

/// Requests of a part without a long pause between them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Visit {
    /// Start of its first request.
    pub first_seen: Micros,
    /// Start of its last request.
    pub last_seen: Micros,
    /// Requests in it.
    pub requests: u64,
    /// Why it begins.
    pub reason: VisitReason,
    /// Milliseconds since the request before it; `None` when there is none.
    pub idle_ms: Option<u64>,
}

/// Why a visit begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VisitReason {
    /// With the session itself.
    #[default]
    Start,
    /// After a pause.
    Idle,
    /// A UTC day began during a visit, and with it a part.
    Midnight,
}

/// What of a request tells who sent it from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// Country of the address.
    Country,
    /// Client address.
    Ip,
    /// Network of the address.
    Network,
    /// User.
    User,
    /// User-Agent.
    UserAgent,
}

/// A value that a session had not shown before: told, not judged.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// `ip`, `user_agent`, `country` or `network`.
    pub what: Aspect,
    /// The new value.
    pub value: String,
    /// Start of the first request with it.
    pub ts: Micros,
    /// That request.
    pub request_id: Id,
}

/// A session that shares something with another.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Related {
    /// Its id.
    pub id: Id,
    /// Start of its last request that shares something.
    pub last_seen: Micros,
    /// What is shared: users first, then what most of its requests share.
    pub why: Vec<Reason>,
}

/// A value that two sessions share.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Reason {
    /// `user` or `ip`.
    pub what: Aspect,
    /// The value, or its pseudonym.
    pub value: String,
    /// Whether `value` is a pseudonym.
    pub hashed: bool,
    /// Requests of the other session with it.
    pub requests: u64,
}

/// What is told of a group of requests; what was not asked for is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Measures {
    /// Requests.
    pub requests: u64,
    /// Distinct sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// Distinct users that the requests name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<u64>,
    /// Requests with a status from 500 to 599.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<u64>,
    /// Requests with a status from 400 to 499.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_errors: Option<u64>,
    /// Bytes received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_in: Option<u64>,
    /// Bytes sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_out: Option<u64>,
    /// Microseconds from start to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<Percentiles>,
}

/// How a number is spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Percentiles {
    /// Half of all are not over it.
    pub p50: u64,
    /// 95 of 100 are not over it.
    pub p95: u64,
    /// None is over it.
    pub max: u64,
}

/// A context parameter of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Param {
    /// Source as configured.
    pub source: String,
    /// What readers call it.
    pub name: String,
    /// `context`, `user` or `role`.
    pub kind: String,
    /// The value, or its pseudonym.
    pub value: String,
    /// Whether `value` is a pseudonym.
    pub hashed: bool,
}

/// A call of an AI agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Mcp {
    /// JSON-RPC method.
    pub method: String,
    /// Name of the tool, prompt or resource; empty when the method has none.
    pub primitive: String,
    /// Arguments as JSON text, when the configuration asks for them.
    pub arguments: Option<String>,
    /// JSON-RPC error, when the answer held one.
    pub error: Option<String>,
}

/// A GraphQL operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Graphql {
    /// `query`, `mutation` or `subscription`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name; empty when anonymous.
    pub operation: String,
}

/// An attack in a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Attack {
    /// `sqli`, `xss`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Where in the request.
    pub point: String,
    /// What was found there.
    pub payload: String,
    /// Who found it.
    pub engine: String,
    /// Whether the request was refused because of it.
    pub blocked: bool,
}

/// One request of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Request {
    /// Request id, the `$wallarm_request_id` of the node's access log.
    pub id: Id,
    /// The session it belongs to.
    pub session_id: Id,
    /// Its start.
    pub ts: Micros,
    /// Node that served it.
    pub node: String,
    /// Application.
    pub application: String,
    /// Method as the client sent it.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// As `$host`.
    pub host: String,
    /// Without query.
    pub path: String,
    /// Protocol.
    pub proto: String,
    /// Method, host and path template, as they are called now.
    pub endpoint: String,
    /// Status.
    pub status: u16,
    /// Microseconds in all.
    pub duration_us: u64,
    /// Microseconds in upstreams.
    pub upstream_us: Option<u64>,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Client address.
    pub ip: String,
    /// `None` until country data is configured.
    pub country: Option<String>,
    /// `None` until network data is configured.
    pub network: Option<String>,
    /// What the network's addresses are used for, where that is known: `hosting`, `crawler`.
    pub network_label: Option<&'static str>,
    /// Whether rules call it noise: a static file, a health check, a preflight.
    pub noise: bool,
    /// User-Agent.
    pub user_agent: String,
    /// The grouping key that decided.
    pub key: KeyCount,
    /// Context parameters, users and roles included.
    pub params: Vec<Param>,
    /// Set on MCP calls.
    pub mcp: Option<Mcp>,
    /// Set on GraphQL requests.
    pub gql: Option<Graphql>,
    /// Attacks found in it.
    pub attacks: Vec<Attack>,
    /// As those of a session.
    pub labels: Vec<String>,
    /// What is usual of its endpoint; `None` in the store, and when too little is known.
    pub usual: Option<Usual>,
    /// Connection serial; orders requests of equal time.
    #[serde(skip)]
    pub conn: u64,
    /// Number within the connection; orders requests of equal time.
    #[serde(skip)]
    pub n: u64,
}
