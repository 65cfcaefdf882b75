//! Questions about the parts of some sessions: what each has in all, then what is counted in its rows, which are read
//! once for all that is asked of them, into the table `picked`.

/// What sessions have in all, and from where to where their newest rows stand, of the relation `pieces`; `{facts}` are
/// columns. Bound: how many rows, three times.
pub(in crate::store::duckdb) const WHOLES: &str = ", newest AS (
    SELECT *, sum(requests) OVER (PARTITION BY sid_hi, sid_lo ORDER BY last_pos DESC, first_pos DESC) AS so_far
    FROM pieces
)
SELECT p.sid_hi, p.sid_lo{facts},
       min(CASE WHEN so_far <= ? THEN first_pos
                ELSE last_pos - floor((last_pos - first_pos) * (greatest(? - (so_far - requests), 0) / requests))::UBIGINT
           END) FILTER (so_far - requests < ?),
       max(last_pos)
FROM newest AS p GROUP BY p.sid_hi, p.sid_lo";

/// Before [`PICK`] of the first day, and of the others.
pub(in crate::store::duckdb) const BEGIN_PICKED: &str = "CREATE OR REPLACE TEMP TABLE picked AS";
pub(in crate::store::duckdb) const ADD_PICKED: &str = "INSERT INTO temp.picked";
/// The rows of some sessions, alike ones as one. `{stretches}` are hi, lo, first, last of each.
/// Bound: day, those, first and last of all.
pub(in crate::store::duckdb) const PICK: &str = "
SELECT ?::INTEGER AS day, r.sid_hi, r.sid_lo, app, host, method, CASE WHEN shape IS NULL THEN path ELSE '' END AS path,
       status, ip, ua, key_source, key_name, key_value, key_hashed, user_value, user_hashed, role_value, role_hashed,
       shape, country, network, count(*) AS requests, max(ts) AS ts
FROM {day}.requests AS r JOIN (VALUES {stretches}) AS wanted(hi, lo, first, last)
  ON r.sid_hi = wanted.hi AND r.sid_lo = wanted.lo AND r.pos >= wanted.first AND r.pos <= wanted.last
WHERE r.pos >= ? AND r.pos <= ? GROUP BY ALL";

/// Forgets what [`PICK`] read.
pub(in crate::store::duckdb) const UNPICK: &str = "DROP TABLE IF EXISTS temp.picked";

/// How many requests of each picked session were read.
pub(in crate::store::duckdb) const COUNTED: &str = "
SELECT day, sid_hi, sid_lo, sum(requests)::UBIGINT FROM picked GROUP BY day, sid_hi, sid_lo";

/// The first values of a column or several for each picked session, how often each occurs, and how
/// many there are in all.
pub(in crate::store::duckdb) fn top(columns: &str, condition: &str, order: &str, limit: usize) -> String {
    format!(
        "SELECT day, sid_hi, sid_lo, sum(requests)::UBIGINT AS times, count(*) OVER (PARTITION BY day, sid_hi, sid_lo),
                {columns}
         FROM picked WHERE {condition} GROUP BY day, sid_hi, sid_lo, {columns}
         QUALIFY row_number() OVER (PARTITION BY day, sid_hi, sid_lo ORDER BY {order}, {columns}) <= {limit}
         ORDER BY day, sid_hi, sid_lo, {order}, {columns}"
    )
}

/// How often each picked session used what an endpoint is told by: a shape, or without one the request.
pub(in crate::store::duckdb) const PICKED_ENDPOINTS: &str = "
SELECT day, sid_hi, sid_lo, sum(requests)::UBIGINT, shape, own_host, own_method, path
FROM (SELECT *, CASE WHEN shape IS NULL THEN host ELSE '' END AS own_host,
                CASE WHEN shape IS NULL THEN method ELSE '' END AS own_method FROM picked)
GROUP BY day, sid_hi, sid_lo, shape, own_host, own_method, path";

/// Attacks of the picked sessions by type. Bound: day, the ids, as_of.
pub(in crate::store::duckdb) const ATTACK_KINDS: &str = "
SELECT ?::INTEGER, sid_hi, sid_lo, count(*) AS times, 0::BIGINT, kind
FROM {day}.attacks SEMI JOIN (VALUES {ids}) AS wanted(hi, lo) ON sid_hi = hi AND sid_lo = lo
WHERE pos < ? GROUP BY sid_hi, sid_lo, kind
QUALIFY row_number() OVER (PARTITION BY sid_hi, sid_lo ORDER BY times DESC, kind) <= {limit}
ORDER BY sid_hi, sid_lo, times DESC, kind";
