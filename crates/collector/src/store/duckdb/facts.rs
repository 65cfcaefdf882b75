//! What is known of a session as a whole: the columns of `s` that filters and orders speak of.
//!
//! Each fact is made in two steps: of rows for a piece (see `pieces`), then of pieces for the session.

/// A column of `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    /// Its name, in `s` and in `pieces`.
    pub(super) name: &'static str,
    /// The type of what a piece holds of it.
    pub(super) kind: &'static str,
    /// What a piece holds of it, of the rows `r`.
    pub(super) of_rows: &'static str,
    /// What it is, of the pieces `p`.
    pub(super) of_pieces: &'static str,
}

/// When the session of a row began.
pub(super) const FIRST_SEEN: Fact =
    Fact { name: "first_seen", kind: "BIGINT", of_rows: "min(r.ts)", of_pieces: "min(p.first_seen)" };
/// When its last request began.
pub(super) const LAST_SEEN: Fact =
    Fact { name: "last_seen", kind: "BIGINT", of_rows: "max(r.ts)", of_pieces: "max(p.last_seen)" };
/// How many requests it has.
pub(super) const REQUESTS: Fact =
    Fact { name: "requests", kind: "UBIGINT", of_rows: "count(*)", of_pieces: "sum(p.requests)::UBIGINT" };
/// How many of them are noise.
pub(super) const NOISE: Fact =
    Fact { name: "noise", kind: "UBIGINT", of_rows: "count(*) FILTER (r.noise)", of_pieces: "sum(p.noise)::UBIGINT" };
/// Bytes received; the sum stops at the largest number instead of failing.
pub(super) const BYTES_IN: Fact = Fact {
    name: "bytes_in",
    kind: "UBIGINT",
    of_rows: "least(sum(r.bytes_in), 18446744073709551615)::UBIGINT",
    of_pieces: "least(sum(p.bytes_in), 18446744073709551615)::UBIGINT",
};
/// Bytes sent, likewise.
pub(super) const BYTES_OUT: Fact = Fact {
    name: "bytes_out",
    kind: "UBIGINT",
    of_rows: "least(sum(r.bytes_out), 18446744073709551615)::UBIGINT",
    of_pieces: "least(sum(p.bytes_out), 18446744073709551615)::UBIGINT",
};
/// Whether calls of AI agents are in it.
pub(super) const MCP: Fact =
    Fact { name: "mcp", kind: "BOOLEAN", of_rows: "bool_or(r.mcp_method IS NOT NULL)", of_pieces: "bool_or(p.mcp)" };
/// How many users it has. Pieces hold hashes, so that values of several can be counted together.
pub(super) const USERS: Fact = Fact {
    name: "users",
    kind: "UBIGINT[]",
    of_rows: "list(DISTINCT hash(r.user_value, r.user_hashed)) FILTER (r.user_value IS NOT NULL)",
    of_pieces: "coalesce(len(list_distinct(flatten(list(p.users) FILTER (p.users IS NOT NULL)))), 0)",
};
/// How many addresses.
pub(super) const IPS: Fact = Fact {
    name: "ips",
    kind: "UBIGINT[]",
    of_rows: "list(DISTINCT hash(r.ip)) FILTER (r.ip <> '')",
    of_pieces: "coalesce(len(list_distinct(flatten(list(p.ips) FILTER (p.ips IS NOT NULL)))), 0)",
};
/// Its user that was seen last, of several the first by value: the least of (-ts, value, hashed).
pub(super) const LAST_USER: Fact = Fact {
    name: "last_user",
    kind: "STRUCT(ago BIGINT, value VARCHAR, hashed BOOLEAN)",
    of_rows: "min({'ago': -r.ts, 'value': r.user_value, 'hashed': r.user_hashed}) FILTER (r.user_value IS NOT NULL)",
    of_pieces: "min(p.last_user)",
};
/// Its role, likewise.
pub(super) const LAST_ROLE: Fact = Fact {
    name: "last_role",
    kind: "STRUCT(ago BIGINT, value VARCHAR, hashed BOOLEAN)",
    of_rows: "min({'ago': -r.ts, 'value': r.role_value, 'hashed': r.role_hashed}) FILTER (r.role_value IS NOT NULL)",
    of_pieces: "min(p.last_role)",
};

/// Where the first of its rows stands; a column of every piece.
pub(super) const FIRST_POS: Fact =
    Fact { name: "first_pos", kind: "UBIGINT", of_rows: "min(r.pos)", of_pieces: "min(p.first_pos)" };
/// Where the last one does.
pub(super) const LAST_POS: Fact =
    Fact { name: "last_pos", kind: "UBIGINT", of_rows: "max(r.pos)", of_pieces: "max(p.last_pos)" };

/// Those that pieces hold for filters and orders, in the order of their columns.
pub(super) const FACTS: [Fact; 11] =
    [FIRST_SEEN, LAST_SEEN, REQUESTS, NOISE, BYTES_IN, BYTES_OUT, MCP, USERS, IPS, LAST_USER, LAST_ROLE];
