//! All SQL there is. `{day}` stands for a day file's schema; values are always bound.

pub(super) mod picked;
pub(super) mod story;

use duckdb::types::Value;

use super::statement::Statement;
use crate::model::Day;

/// The name under which a day's file is attached.
pub(super) fn schema(day: Day) -> String {
    format!("\"{day}\"")
}

/// `text` with the day's schema put in.
pub(super) fn on(day: Day, text: &str) -> String {
    text.replace("{day}", &schema(day))
}

/// Groups of placeholders, each of `width`, for a list of `rows` rows.
pub(super) fn values(rows: usize, width: usize) -> String {
    let row = format!("({})", vec!["?"; width].join(","));
    vec![row; rows].join(",")
}

/// A relation of whole numbers with so many columns. Each column is bound as one text, see [`column`]: planning a
/// placeholder for each number takes longer than what is asked.
pub(super) fn numbers(columns: &[&str]) -> String {
    let columns: Vec<_> =
        columns.iter().map(|name| format!("unnest(string_split(?, ',')::UBIGINT[]) AS {name}")).collect();
    format!("(SELECT {})", columns.join(", "))
}

/// What is bound for a column of [`numbers`], at least one.
pub(super) fn column(numbers: impl IntoIterator<Item = u64>) -> Value {
    Value::Text(numbers.into_iter().map(|number| number.to_string()).collect::<Vec<_>>().join(","))
}

/// Tables of a day file. No keys and no indexes: nothing in it ever changes. Columns that came later
/// are added, as files of an earlier version do not have them.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS {day}.requests (
    pos UBIGINT NOT NULL, ordinal UINTEGER NOT NULL, ts BIGINT NOT NULL,
    sid_hi UBIGINT NOT NULL, sid_lo UBIGINT NOT NULL, id_hi UBIGINT NOT NULL, id_lo UBIGINT NOT NULL,
    conn UBIGINT NOT NULL, n UBIGINT NOT NULL,
    node VARCHAR NOT NULL, app VARCHAR NOT NULL, kid UINTEGER NOT NULL,
    host VARCHAR NOT NULL, method VARCHAR NOT NULL, scheme VARCHAR NOT NULL, path VARCHAR NOT NULL,
    proto VARCHAR NOT NULL, status USMALLINT NOT NULL,
    duration UBIGINT NOT NULL, upstream UBIGINT, bytes_in UBIGINT NOT NULL, bytes_out UBIGINT NOT NULL,
    ip VARCHAR NOT NULL, ua VARCHAR NOT NULL,
    key_source VARCHAR NOT NULL, key_name VARCHAR NOT NULL, key_value VARCHAR NOT NULL, key_hashed BOOLEAN NOT NULL,
    user_value VARCHAR, user_hashed BOOLEAN, role_value VARCHAR, role_hashed BOOLEAN,
    mcp_method VARCHAR, mcp_primitive VARCHAR, mcp_arguments VARCHAR, mcp_error VARCHAR,
    gql_kind VARCHAR, gql_operation VARCHAR,
    told_by_id BOOLEAN NOT NULL, clock_ahead BOOLEAN NOT NULL, content BLOB, extra BLOB
);
CREATE TABLE IF NOT EXISTS {day}.params (
    pos UBIGINT NOT NULL, ordinal UINTEGER NOT NULL, idx UINTEGER NOT NULL,
    source VARCHAR NOT NULL, name VARCHAR NOT NULL, kind VARCHAR NOT NULL, value VARCHAR NOT NULL,
    hashed BOOLEAN NOT NULL
);
CREATE TABLE IF NOT EXISTS {day}.attacks (
    pos UBIGINT NOT NULL, ordinal UINTEGER NOT NULL, idx UINTEGER NOT NULL,
    sid_hi UBIGINT NOT NULL, sid_lo UBIGINT NOT NULL,
    kind VARCHAR NOT NULL, point VARCHAR NOT NULL, payload VARCHAR NOT NULL, engine VARCHAR NOT NULL,
    blocked BOOLEAN NOT NULL
);
CREATE TABLE IF NOT EXISTS {day}.seqs (instance UBIGINT NOT NULL, first UBIGINT NOT NULL, last UBIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS {day}.applied (pos UBIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS {day}.shapes (
    id UBIGINT NOT NULL, method VARCHAR NOT NULL, host VARCHAR NOT NULL, path VARCHAR NOT NULL, learned BOOLEAN NOT NULL
);
ALTER TABLE {day}.requests ADD COLUMN IF NOT EXISTS shape UBIGINT;
ALTER TABLE {day}.requests ADD COLUMN IF NOT EXISTS country VARCHAR;
ALTER TABLE {day}.requests ADD COLUMN IF NOT EXISTS network VARCHAR;
ALTER TABLE {day}.requests ADD COLUMN IF NOT EXISTS noise BOOLEAN;
";

/// Tables of the sessions of a day, made of its requests; see `pieces`.
pub(super) const PIECES_TABLES: &str = "
CREATE TABLE IF NOT EXISTS {day}.pieces (
    chunk UBIGINT NOT NULL, first_pos UBIGINT NOT NULL, last_pos UBIGINT NOT NULL,
    sid_hi UBIGINT NOT NULL, sid_lo UBIGINT NOT NULL{facts}
);
CREATE TABLE IF NOT EXISTS {day}.chunks (
    chunk UBIGINT NOT NULL, rows UBIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL, form UBIGINT NOT NULL
);
";
/// The columns of pieces that are no facts.
pub(super) const PIECES_KEYS: [&str; 5] = ["chunk", "first_pos", "last_pos", "sid_hi", "sid_lo"];
/// The names of the columns of pieces, and whether there are any. Bound: the day.
pub(super) const LOOK_AT_PIECES: &str = "
SELECT coalesce(string_agg(column_name, ' ' ORDER BY column_index), ''), EXISTS (FROM {day}.pieces)
FROM duckdb_columns() WHERE database_name = ? AND table_name = 'pieces'";
/// Lets them be made anew.
pub(super) const DROP_PIECES: &str = "DROP TABLE {day}.pieces; DROP TABLE {day}.chunks";
/// The chunks of a day, and whether they are of this form, made with hashes that this engine makes. Bound: form.
pub(super) const CHUNKS: &str =
    "SELECT chunk, rows, first, last, form = hash(?::VARCHAR) FROM {day}.chunks ORDER BY chunk";
/// Makes the pieces of a chunk. Bound: to, from, to.
pub(super) const MAKE_PIECES: &str = "
INSERT INTO {day}.pieces
SELECT ?, min(r.pos), max(r.pos), r.sid_hi, r.sid_lo{facts}
FROM {day}.requests AS r WHERE r.pos >= ? AND r.pos < ? GROUP BY r.sid_hi, r.sid_lo";
/// The position of a row by its number from a position on. Bound: from, rows before it.
pub(super) const NTH_POSITION: &str = "SELECT pos FROM {day}.requests WHERE pos >= ? ORDER BY pos LIMIT 1 OFFSET ?";
/// What a chunk holds. Bound: from, to.
pub(super) const LOOK_AT_CHUNK: &str = "
SELECT count(*), coalesce(min(ts), 0), coalesce(max(ts), 0) FROM {day}.requests WHERE pos >= ? AND pos < ?";
/// Notes a chunk. Bound: to, rows, first, last, form.
pub(super) const NOTE_CHUNK: &str = "INSERT INTO {day}.chunks VALUES (?, ?, ?, ?, hash(?::VARCHAR))";
/// Between which rows requests of some sessions are.
pub(super) const REACH: &str = "SELECT min(first_pos), max(last_pos) FROM {day}.pieces";

/// What a day file says of itself.
pub(super) const STATE: &str = "
SELECT (SELECT count(*) FROM {day}.requests),
       (SELECT coalesce(max(ts), 0) FROM {day}.requests),
       (SELECT coalesce(max(pos), 0) FROM {day}.applied),
       EXISTS (FROM {day}.requests WHERE shape IS NULL)";

/// A table of the connection's own for the parts that a list finds on its days.
pub(super) const MAKE_FOUND: &str = "CREATE OR REPLACE TEMP TABLE found
(day INTEGER NOT NULL, sid_hi UBIGINT NOT NULL, sid_lo UBIGINT NOT NULL, matched UBIGINT NOT NULL, key HUGEINT NOT NULL)";
/// Lets it go.
pub(super) const DROP_FOUND: &str = "DROP TABLE temp.found";
/// What is put into it. Bound: the day.
pub(super) const FOUND: &str = "SELECT ?::INTEGER, sid_hi, sid_lo, matched, key";
/// How many parts of it are shown.
pub(super) const FOUND_SHOWN: &str = "SELECT count(*) FROM temp.found WHERE matched > 0";
/// How many are hidden; [`before`] may follow.
pub(super) const FOUND_HIDDEN: &str = "SELECT count(*) FROM temp.found WHERE matched = 0";

/// The parts that are shown, in their order, `ASC` or `DESC`. Bound: how many.
pub(super) fn found_page(direction: &str) -> String {
    format!(
        "SELECT day, sid_hi, sid_lo, matched, key FROM temp.found WHERE matched > 0
         ORDER BY key {direction}, sid_hi, sid_lo, day LIMIT ?"
    )
}

/// And stand before a place, where keys before it are `<` or `>`. Bound: key, key, hi, hi, lo, lo, day.
pub(super) fn before(sign: &str) -> String {
    format!(
        " AND (key {sign} ? OR (key = ? AND (sid_hi < ? OR (sid_hi = ? AND (sid_lo < ? OR (sid_lo = ? AND day < ?))))))"
    )
}

/// How many requests of a day lie in the log before a position. Bound: the position.
pub(super) const ROWS_BEFORE: &str = "SELECT count(*) FROM {day}.requests WHERE pos < ?";

/// All `seq` ranges of a day.
pub(super) const SEQS: &str = "SELECT instance, first, last FROM {day}.seqs";

/// The shapes of a day's rows.
pub(super) const SHAPES: &str = "SELECT method, host, path, learned FROM {day}.shapes";

/// Notes how far a day got.
pub(super) const APPLIED: &str = "INSERT INTO {day}.applied VALUES (?)";

/// Which ids are there of requests that are told by their id; `{ids}` are pairs.
pub(super) const KNOWN: &str = "
SELECT DISTINCT id_hi, id_lo FROM {day}.requests
WHERE told_by_id AND (id_hi, id_lo) IN (VALUES {ids})";

/// The shapes that most requests of some rows have, and how often each has a status class (3), a duration (5) and a
/// size (6). Bound: from, to, how many shapes, how many rows of the answer.
pub(super) fn figures() -> String {
    format!(
        "WITH told AS MATERIALIZED (
             SELECT shape, (status // 100)::UBIGINT AS class, {} AS duration, {} AS size
             FROM {{day}}.requests WHERE pos >= ? AND pos < ? AND shape IS NOT NULL
         ), busiest AS (SELECT shape FROM told GROUP BY shape ORDER BY count(*) DESC, shape LIMIT ?)
         SELECT shape, grouping(class, duration, size) AS what, coalesce(class, duration, size), count(*)
         FROM told SEMI JOIN busiest USING (shape)
         GROUP BY GROUPING SETS ((shape, class), (shape, duration), (shape, size)) ORDER BY shape LIMIT ?",
        two_digits("duration"),
        two_digits("bytes_out")
    )
}

/// A number of a column rounded down to its first two digits, as `endpoints::two_digits` does.
fn two_digits(column: &str) -> String {
    let power = |n: usize| format!("1{}::UBIGINT", "0".repeat(n));
    let units = (1..19).map(|n| format!(" WHEN {column} < {} THEN {}", power(n + 1), power(n - 1)));
    let unit = format!("CASE{} ELSE {} END", units.collect::<String>(), power(18));
    format!("({column} // ({unit})) * ({unit})")
}

/// The last seen user and role of each session, of the relation `pieces`.
pub(super) const NAMED: &str = "
 SELECT sid_hi, sid_lo, user.value, user.hashed, role.value, role.hashed
 FROM (SELECT sid_hi, sid_lo, min(last_user) AS user, min(last_role) AS role FROM pieces GROUP BY sid_hi, sid_lo)";

/// Columns of a request, in the order in which they are read.
const REQUEST_COLUMNS: &str = "pos, ordinal, ts, sid_hi, sid_lo, id_hi, id_lo, conn, n, node, app, host, method,
 scheme, path, proto, status, duration, upstream, bytes_in, bytes_out, ip, ua,
 key_source, key_name, key_value, key_hashed,
 mcp_method, mcp_primitive, mcp_arguments, mcp_error, gql_kind, gql_operation, shape, country, network, noise";

/// Bytes of the texts of a request, its parameters and attacks aside.
const REQUEST_BYTES: &str = "strlen(concat(node, app, host, method, scheme, path, proto, ip, ua, key_source, key_name,
 key_value, mcp_method, mcp_primitive, mcp_arguments, mcp_error, gql_kind, gql_operation, country, network))";

/// Requests, as [`from_requests`] tells which: the first of so many rows until their texts have so many bytes; the
/// last column is how many rows there were. Bound behind them: rows, bytes.
pub(super) fn requests(from: Statement, order: &str) -> Statement {
    let select = format!(
        "SELECT {REQUEST_COLUMNS}, there
         FROM (SELECT *, count(*) OVER () AS there,
                      sum({REQUEST_BYTES}) OVER (ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
               FROM (SELECT * FROM (SELECT r.*"
    );
    let rest = format!(") ORDER BY {order} LIMIT ?)) WHERE coalesce(before, 0) < ? ORDER BY {order}");
    Statement::of(&select).add(from).add(rest.as_str())
}

/// From the rows `r`, and what is joined with them, that meet a condition.
pub(super) fn from_requests(join: &str, condition: Statement) -> Statement {
    Statement::of(&format!(" FROM {{day}}.requests AS r{join} WHERE ")).add(condition)
}

/// How many requests meet a condition over `r`, at most so many. Bound behind the condition: how many.
pub(super) fn at_most(condition: Statement) -> Statement {
    let from = Statement::of("SELECT count(*) FROM (SELECT 1 FROM {day}.requests AS r WHERE ");
    from.add(condition).add(" LIMIT ?)")
}

/// Joins the sessions of the requests.
pub(super) const WITH_SESSION: &str = " JOIN s USING (sid_hi, sid_lo)";
/// The order of lists of requests.
pub(super) const BY_TIME: &str = "ts, conn, n, id_hi, id_lo, pos, ordinal";
/// The same, the last first.
pub(super) const BY_TIME_DESCENDING: &str =
    "ts DESC, conn DESC, n DESC, id_hi DESC, id_lo DESC, pos DESC, ordinal DESC";
/// What follows the end of the page before. Bound: ts, ts, conn, conn, n, n, id hi, id hi, id lo, id lo, pos,
/// pos, ordinal.
pub(super) const BY_TIME_AFTER: &str = "
 AND (r.ts > ? OR (r.ts = ? AND (r.conn > ? OR (r.conn = ? AND (r.n > ? OR (r.n = ?
 AND (r.id_hi > ? OR (r.id_hi = ? AND (r.id_lo > ? OR (r.id_lo = ?
 AND (r.pos > ? OR (r.pos = ? AND r.ordinal > ?))))))))))))";
/// The same, the last first.
pub(super) const BY_TIME_BEFORE: &str = "
 AND (r.ts < ? OR (r.ts = ? AND (r.conn < ? OR (r.conn = ? AND (r.n < ? OR (r.n = ?
 AND (r.id_hi < ? OR (r.id_hi = ? AND (r.id_lo < ? OR (r.id_lo = ?
 AND (r.pos < ? OR (r.pos = ? AND r.ordinal < ?))))))))))))";

/// The request with an id. Bound: hi, lo, as_of.
pub(super) const WITH_ID: &str = "id_hi = ? AND id_lo = ? AND pos < ?";

/// What arrived. Bound: as_of.
pub(super) const ARRIVED: &str = "pos < ?";
/// What arrived after something. Bound: pos, pos, ordinal.
pub(super) const ARRIVED_AFTER: &str = " AND (pos > ? OR (pos = ? AND ordinal > ?))";

/// Parameters of requests until they have so many bytes; the last column is how many all of them have.
/// `{arrivals}` are pos and ordinal of each. Bound: those, bytes.
pub(super) const PARAMS: &str = "
SELECT * EXCLUDE (idx, before) FROM (
    SELECT *, (sum(bytes) OVER ())::UBIGINT AS all_bytes, sum(bytes) OVER (ORDER BY pos, ordinal, idx) - bytes AS before
    FROM (SELECT p.pos, p.ordinal, idx, source, name, kind, value, hashed,
                 strlen(concat(source, name, kind, value)) AS bytes
          FROM {day}.params AS p SEMI JOIN {arrivals} AS wanted
            ON p.pos = wanted.pos AND p.ordinal = wanted.ordinal)
) WHERE before < ? ORDER BY pos, ordinal, idx";

/// Attacks of requests, likewise.
pub(super) const ATTACKS: &str = "
SELECT * EXCLUDE (idx, before) FROM (
    SELECT *, (sum(bytes) OVER ())::UBIGINT AS all_bytes, sum(bytes) OVER (ORDER BY pos, ordinal, idx) - bytes AS before
    FROM (SELECT a.pos, a.ordinal, idx, kind, point, payload, engine, blocked,
                 strlen(concat(kind, point, payload, engine)) AS bytes
          FROM {day}.attacks AS a SEMI JOIN {arrivals} AS wanted
            ON a.pos = wanted.pos AND a.ordinal = wanted.ordinal)
) WHERE before < ? ORDER BY pos, ordinal, idx";
