//! The lists that can be had as CSV and NDJSON, with the columns of the CSV.

/// A list that can be had as CSV and NDJSON.
pub(super) struct List {
    /// Its address.
    pub(super) path: &'static str,
    /// The field of its answers that holds the rows.
    pub(super) rows: &'static str,
    /// Whether it comes in pages.
    pub(super) paged: bool,
    /// Its errors beyond those of every address.
    pub(super) problems: &'static [u16],
    /// Columns of the CSV: fields of a row, `a.b` for a field in a field. `group` stands for one for each name that is
    /// grouped by.
    pub(super) columns: &'static [&'static str],
}

/// All of them.
pub(super) const LISTS: &[List] = &[
    List { path: "/sessions", rows: "sessions", paged: true, problems: &[], columns: SESSION },
    List { path: "/requests", rows: "requests", paged: true, problems: &[], columns: REQUEST },
    List { path: "/sessions/{id}/requests", rows: "requests", paged: true, problems: &[404, 410], columns: REQUEST },
    List { path: "/sessions/{id}/notes", rows: "notes", paged: false, problems: &[404, 410], columns: NOTE },
    List { path: "/requests/{id}/notes", rows: "notes", paged: false, problems: &[404, 410], columns: NOTE },
    List { path: "/sessions/{id}/related", rows: "related", paged: true, problems: &[404], columns: RELATED },
    List { path: "/sessions/{id}/labels", rows: "labels", paged: false, problems: &[404, 410], columns: GIVEN },
    List { path: "/requests/{id}/labels", rows: "labels", paged: false, problems: &[404, 410], columns: GIVEN },
    List { path: "/noise", rows: "rules", paged: false, problems: &[], columns: RULE },
    List { path: "/fields", rows: "fields", paged: false, problems: &[], columns: FIELD },
    List { path: "/labels", rows: "labels", paged: false, problems: &[], columns: LABEL },
    List { path: "/bundles", rows: "bundles", paged: false, problems: &[], columns: BUNDLE },
    List { path: "/audit", rows: "entries", paged: true, problems: &[], columns: AUDIT },
    List { path: "/endpoints", rows: "endpoints", paged: true, problems: &[], columns: ENDPOINT },
    List { path: "/endpoints/pins", rows: "pins", paged: false, problems: &[], columns: &["id", "host", "path"] },
    List { path: "/endpoints/merges", rows: "merges", paged: false, problems: &[], columns: &["id", "from", "into"] },
    List { path: "/stats", rows: "groups", paged: false, problems: &[], columns: STATS },
    List { path: "/sessions/{id}/stats", rows: "groups", paged: false, problems: &[404], columns: STATS },
    List { path: "/queries", rows: "queries", paged: false, problems: &[], columns: QUERY },
    List { path: "/nodes", rows: "nodes", paged: false, problems: &[], columns: NODE },
];

const SESSION: &[&str] = &[
    "id",
    "day",
    "first_seen",
    "last_seen",
    "duration_ms",
    "requests",
    "matched",
    "user.value",
    "user.hashed",
    "user_count",
    "role.value",
    "role.hashed",
    "ip_count",
    "endpoint_count",
    "bytes_in",
    "bytes_out",
    "mcp",
    "blocked",
    "applications",
    "keys",
    "users",
    "roles",
    "ips",
    "networks",
    "countries",
    "user_agents",
    "hosts",
    "top_endpoints",
    "statuses",
    "methods",
    "attacks",
    "labels",
    "noise",
    "network_labels",
    "counted",
];

const REQUEST: &[&str] = &[
    "id",
    "session_id",
    "ts",
    "node",
    "application",
    "method",
    "scheme",
    "host",
    "path",
    "proto",
    "endpoint",
    "status",
    "duration_us",
    "upstream_us",
    "bytes_in",
    "bytes_out",
    "ip",
    "country",
    "network",
    "user_agent",
    "key.source",
    "key.name",
    "key.value",
    "key.hashed",
    "mcp.method",
    "mcp.primitive",
    "mcp.arguments",
    "mcp.error",
    "gql.type",
    "gql.operation",
    "params",
    "attacks",
    "labels",
    "network_label",
    "noise",
    "usual.duration_us",
    "usual.bytes_out",
];

const ENDPOINT: &[&str] = &[
    "endpoint",
    "requests",
    "statuses",
    "duration_us.p50",
    "duration_us.p95",
    "bytes_out.p50",
    "bytes_out.p95",
    "days",
];

const NOTE: &[&str] = &["id", "session_id", "request_id", "text", "author", "at"];

const LABEL: &[&str] = &["label", "sessions", "requests"];

/// A label on something.
const GIVEN: &[&str] = &["label", "author", "at"];

const RELATED: &[&str] = &["id", "last_seen", "why"];

const RULE: &[&str] = &["name", "methods", "paths", "statuses"];

const FIELD: &[&str] = &["name", "also", "type", "of", "operators", "meaning", "values"];

const BUNDLE: &[&str] =
    &["id", "session_id", "author", "at", "requests", "requests_left_out", "bytes", "blake3.ndjson", "blake3.html"];

const AUDIT: &[&str] = &["n", "at", "who", "action", "kind", "subject", "before", "after"];

const STATS: &[&str] = &[
    "group",
    "filter",
    "requests",
    "sessions",
    "users",
    "errors",
    "client_errors",
    "bytes_in",
    "bytes_out",
    "duration_us.p50",
    "duration_us.p95",
    "duration_us.max",
    "series",
];

const NODE: &[&str] = &["name", "last_reported", "version", "nginx", "workers", "plans"];

const QUERY: &[&str] = &["query_id", "asked", "since", "days_done", "days", "rows"];
