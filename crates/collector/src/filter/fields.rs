//! The fields of a filter: one table, from which parser, evaluation, `/fields` and messages work.

use std::mem::discriminant;

/// What a filter can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table tells what each means")]
pub enum Field {
    Ts,
    Id,
    SessionId,
    Node,
    Application,
    Method,
    Scheme,
    Host,
    Path,
    Proto,
    Endpoint,
    Status,
    Duration,
    Upstream,
    BytesIn,
    BytesOut,
    Ip,
    Country,
    Network,
    UserAgent,
    User,
    Role,
    KeySource,
    KeyName,
    KeyValue,
    Param(String),
    Attack,
    Label,
    Noise,
    McpMethod,
    McpPrimitive,
    McpServer,
    McpError,
    GqlType,
    GqlOperation,
    SessionRequests,
    SessionNoise,
    SessionDuration,
    SessionFirstSeen,
    SessionLastSeen,
    SessionBytesIn,
    SessionBytesOut,
    SessionUsers,
    SessionIps,
    SessionMcp,
}

/// What values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text; values may have globs.
    Text,
    /// A status, or a class of them: `5xx`.
    Status,
    /// A number.
    Number,
    /// Bytes: `500`, `64k`, `2m`, `1g`.
    Size,
    /// A time with its unit: `500ms`, `10m`.
    Duration,
    /// A moment, RFC 3339.
    Time,
    /// 32 hex digits.
    Id,
    /// An address, a range such as `10.0.0.0/8`, or a pseudonym.
    Ip,
    /// `true` or `false`.
    Flag,
}

/// What a field speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// One request.
    Request,
    /// The part of a session.
    Session,
}

/// A line of the table.
#[derive(Debug)]
pub struct FieldInfo {
    /// The field; a parameter's without its name.
    pub field: Field,
    /// Its name: that of the REST answers, where there is one.
    pub name: &'static str,
    /// Other names that filters may use.
    pub also: &'static [&'static str],
    /// What values it has.
    pub kind: Kind,
    /// What it speaks of.
    pub level: Level,
    /// What it means.
    pub meaning: &'static str,
}

impl Kind {
    /// Its name in `/fields`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Status => "status",
            Self::Number => "number",
            Self::Size => "size",
            Self::Duration => "duration",
            Self::Time => "time",
            Self::Id => "id",
            Self::Ip => "ip",
            Self::Flag => "flag",
        }
    }

    /// The operators it takes; `:*` is presence, `:` alone contains.
    pub fn operators(self) -> &'static [&'static str] {
        match self {
            Self::Text | Self::Ip => &["=", "!=", "IN", "NOT IN", ":", ":*"],
            Self::Id => &["=", "!=", "IN", "NOT IN", ":*"],
            Self::Flag => &["=", "!="],
            _ => &["=", "!=", "<", "<=", ">", ">=", "IN", "NOT IN", ":*"],
        }
    }

    /// The operators as a message tells them.
    pub(super) fn operators_text(self) -> &'static str {
        match self {
            Self::Text | Self::Ip => "=, !=, IN, NOT IN, `:` (contains) and `:*` (has a value)",
            Self::Id => "=, !=, IN, NOT IN and `:*` (has a value)",
            Self::Flag => "= and !=",
            _ => "=, !=, <, <=, >, >=, IN, NOT IN and `:*` (has a value)",
        }
    }
}

impl FieldInfo {
    /// Whether its commonest values can be told: those of texts, addresses and statuses.
    pub fn has_values(&self) -> bool {
        self.level == Level::Request && matches!(self.kind, Kind::Text | Kind::Ip | Kind::Status)
    }
}

impl Field {
    /// Its line of the table.
    pub fn info(&self) -> &'static FieldInfo {
        let own = |info: &&FieldInfo| discriminant(&info.field) == discriminant(self);
        // A test finds each field in the table.
        FIELDS.iter().find(own).unwrap_or(&FIELDS[0])
    }

    /// The field of a name in a filter.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if let Some(parameter) = name.strip_prefix(PARAM).filter(|name| !name.is_empty()) {
            return Some(Self::Param(parameter.to_owned()));
        }
        let known = |info: &&FieldInfo| info.name == name || info.also.contains(&name);
        FIELDS.iter().find(known).map(|info| info.field.clone()).filter(|field| !matches!(field, Self::Param(_)))
    }
}

/// What the names of parameters begin with.
pub(super) const PARAM: &str = "param.";

/// Names like `name`, the nearest first; at most three.
pub(super) fn nearest(name: &str) -> Vec<&'static str> {
    let likeness = |known: &str| {
        let last = known.rsplit('.').next().unwrap_or(known);
        strsim::normalized_damerau_levenshtein(name, known)
            .max(strsim::normalized_damerau_levenshtein(name, last) - 0.01)
    };
    let mut names: Vec<_> = FIELDS.iter().map(|info| (likeness(info.name), info.name)).collect();
    names.retain(|(likeness, _)| *likeness > 0.5);
    names.sort_by(|a, b| b.0.total_cmp(&a.0));
    names.into_iter().take(3).map(|(_, name)| name).collect()
}

const fn request(field: Field, name: &'static str, kind: Kind, meaning: &'static str) -> FieldInfo {
    FieldInfo { field, name, also: &[], kind, level: Level::Request, meaning }
}

const fn session(field: Field, name: &'static str, kind: Kind, meaning: &'static str) -> FieldInfo {
    FieldInfo { field, name, also: &[], kind, level: Level::Session, meaning }
}

/// Likewise, with shorter names.
const fn short(
    field: Field,
    name: &'static str,
    also: &'static [&'static str],
    kind: Kind,
    meaning: &'static str,
) -> FieldInfo {
    FieldInfo { field, name, also, kind, level: Level::Request, meaning }
}

/// All fields, in the order in which they are shown.
pub static FIELDS: &[FieldInfo] = &[
    request(Field::Ts, "ts", Kind::Time, "start of the request"),
    request(Field::Id, "id", Kind::Id, "id of the request"),
    request(Field::SessionId, "session_id", Kind::Id, "id of its session"),
    request(Field::Node, "node", Kind::Text, "node that served it"),
    short(Field::Application, "application", &["app"], Kind::Text, "application"),
    request(Field::Method, "method", Kind::Text, "method as the client sent it"),
    request(Field::Scheme, "scheme", Kind::Text, "http or https"),
    request(Field::Host, "host", Kind::Text, "host"),
    request(Field::Path, "path", Kind::Text, "path without query"),
    request(Field::Proto, "proto", Kind::Text, "protocol, such as HTTP/1.1"),
    request(
        Field::Endpoint,
        "endpoint",
        Kind::Text,
        "method, host and path template, such as GET shop.example/users/{id}",
    ),
    request(Field::Status, "status", Kind::Status, "status of the answer"),
    short(Field::Duration, "duration_us", &["duration"], Kind::Duration, "time from start to end"),
    short(Field::Upstream, "upstream_us", &["upstream"], Kind::Duration, "time in upstreams"),
    request(Field::BytesIn, "bytes_in", Kind::Size, "bytes received"),
    request(Field::BytesOut, "bytes_out", Kind::Size, "bytes sent"),
    request(Field::Ip, "ip", Kind::Ip, "client address"),
    request(Field::Country, "country", Kind::Text, "country of the address"),
    request(Field::Network, "network", Kind::Text, "network of the address"),
    short(Field::UserAgent, "user_agent", &["ua"], Kind::Text, "User-Agent"),
    request(Field::User, "user", Kind::Text, "user that the request names, or the pseudonym"),
    request(Field::Role, "role", Kind::Text, "role that the request names, or the pseudonym"),
    request(Field::KeySource, "key.source", Kind::Text, "source of the grouping key that decided"),
    request(Field::KeyName, "key.name", Kind::Text, "name of the grouping key that decided"),
    request(Field::KeyValue, "key.value", Kind::Text, "value of the grouping key that decided, or its pseudonym"),
    request(
        Field::Param(String::new()),
        "param.NAME",
        Kind::Text,
        "value of the context parameter NAME; other names in quotes: param.\"a b\"",
    ),
    request(Field::Attack, "attack", Kind::Text, "types of the attacks in the request, such as sqli"),
    request(Field::Label, "label", Kind::Text, "labels that people gave the request or its session"),
    request(Field::Noise, "noise", Kind::Flag, "whether rules call the request noise"),
    request(Field::McpMethod, "mcp.method", Kind::Text, "method of an AI agent's call"),
    request(Field::McpPrimitive, "mcp.primitive", Kind::Text, "tool, prompt or resource of the call"),
    request(Field::McpServer, "mcp.server", Kind::Text, "host and path of the server that was called"),
    request(Field::McpError, "mcp.error", Kind::Text, "error that the call was answered with"),
    request(Field::GqlType, "gql.type", Kind::Text, "query, mutation or subscription"),
    request(Field::GqlOperation, "gql.operation", Kind::Text, "name of the GraphQL operation"),
    session(Field::SessionRequests, "session.requests", Kind::Number, "requests of the part"),
    session(Field::SessionNoise, "session.noise", Kind::Number, "requests of the part that rules call noise"),
    session(Field::SessionDuration, "session.duration", Kind::Duration, "from its first to its last request"),
    session(Field::SessionFirstSeen, "session.first_seen", Kind::Time, "start of its first request"),
    session(Field::SessionLastSeen, "session.last_seen", Kind::Time, "start of its last request"),
    session(Field::SessionBytesIn, "session.bytes_in", Kind::Size, "bytes received in all"),
    session(Field::SessionBytesOut, "session.bytes_out", Kind::Size, "bytes sent in all"),
    session(Field::SessionUsers, "session.users", Kind::Number, "different users that its requests name"),
    session(Field::SessionIps, "session.ips", Kind::Number, "different addresses"),
    session(Field::SessionMcp, "session.mcp", Kind::Flag, "whether calls of AI agents are in it"),
];
