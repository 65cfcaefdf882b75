//! Questions about the parts of some sessions: what each has in all, then the rows in which values are counted.

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

/// The rows of some sessions, alike ones as one. `{stretches}` are hi, lo, first, last of each, `{spans}` where
/// any of them are, `{own_path}` is [`OWN_PATH`] or nothing. Bound: both.
pub(in crate::store::duckdb) const PICK: &str = "
SELECT r.sid_hi, r.sid_lo, app, host, method, {own_path} AS own_path,
       status, ip, ua, key_source, key_name, key_value, key_hashed, user_value, user_hashed, role_value, role_hashed,
       shape, country, network, count(*), max(ts)
FROM {day}.requests AS r JOIN {stretches} AS wanted
  ON r.sid_hi = wanted.hi AND r.sid_lo = wanted.lo AND r.pos >= wanted.first AND r.pos <= wanted.last
WHERE {spans} GROUP BY ALL";

/// The path of a row that has no shape. Not read where each has one: to unpack paths takes a third of the question.
pub(in crate::store::duckdb) const OWN_PATH: &str = "CASE WHEN shape IS NULL THEN path ELSE '' END";

/// Attacks of some sessions by type. `{ids}` are hi and lo of each. Bound: those, as_of.
pub(in crate::store::duckdb) const ATTACK_KINDS: &str = "
SELECT sid_hi, sid_lo, kind, count(*) AS times
FROM {day}.attacks SEMI JOIN {ids} AS wanted ON sid_hi = hi AND sid_lo = lo
WHERE pos < ? GROUP BY sid_hi, sid_lo, kind
QUALIFY row_number() OVER (PARTITION BY sid_hi, sid_lo ORDER BY times DESC, kind) <= {limit}";
