//! Questions about one session and all days at once: `{own}` stands for its rows.

use super::{on, values};
use crate::model::Day;

/// A session's rows of a day. Bound: hi, lo, as_of.
const OWN: &str = "
SELECT ts, conn, n, id_hi, id_lo, ip, ua, country, network, user_value, user_hashed
FROM {day}.requests WHERE sid_hi = ? AND sid_lo = ? AND pos < ?";

/// A question with the session's rows of all days put in; without any day there are none.
pub(in crate::store::duckdb) fn on_all(days: &[Day], text: &str) -> String {
    let own = match days {
        [] => "SELECT * FROM (SELECT 0 AS ts, 0 AS conn, 0 AS n, 0 AS id_hi, 0 AS id_lo, '' AS ip, '' AS ua, '' AS country, '' AS network,
                                     '' AS user_value, false AS user_hashed) WHERE false"
            .to_owned(),
        _ => union(days, OWN),
    };
    text.replace("{own}", &own)
}

fn union(days: &[Day], text: &str) -> String {
    days.iter().map(|&day| on(day, text)).collect::<Vec<_>>().join(" UNION ALL ")
}

/// Visits: first and last start, requests, time since the request before, visits of the day.
/// Bound: the rows, microseconds without a request, most of a day.
pub(in crate::store::duckdb) const VISITS: &str = "
WITH own AS ({own}),
gaps AS (SELECT ts, ts // 86400000000 AS day, ts - lag(ts) OVER (ORDER BY ts) AS idle FROM own),
begun AS (SELECT *, idle IS NULL OR idle >= ? OR (ts - idle) // 86400000000 < day AS begins FROM gaps),
numbered AS (SELECT *, count(*) FILTER (begins) OVER (ORDER BY ts) AS visit FROM begun),
visits AS (
    SELECT visit, any_value(day) AS day, min(ts) AS first, max(ts) AS last, count(*) AS requests,
           max(idle) FILTER (begins) AS idle
    FROM numbered GROUP BY visit
)
SELECT first, last, requests, idle, count(*) OVER (PARTITION BY day)
FROM visits QUALIFY row_number() OVER (PARTITION BY day ORDER BY first) <= ? ORDER BY first";

/// Values that came after the first of their kind: kind, value, start and id of the request, changes
/// of the day. Bound: the rows, most of a day.
pub(in crate::store::duckdb) const CHANGES: &str = "
WITH own AS ({own}),
told AS (SELECT struct_pack(ts, conn, n, id_hi, id_lo) AS place, ip, ua, country, network FROM own),
firsts AS (
    SELECT 'ip' AS what, ip AS value, min(place) AS place FROM told WHERE ip <> '' GROUP BY ip
    UNION ALL
    SELECT 'user_agent', ua, min(place) FROM told WHERE ua <> '' GROUP BY ua
    UNION ALL
    SELECT 'country', country, min(place) FROM told WHERE country <> '' GROUP BY country
    UNION ALL
    SELECT 'network', network, min(place) FROM told WHERE network <> '' GROUP BY network
),
changes AS (
    SELECT *, place.ts // 86400000000 AS day FROM firsts
    QUALIFY row_number() OVER (PARTITION BY what ORDER BY place, value) > 1
)
SELECT what, value, place.ts, place.id_hi, place.id_lo, count(*) OVER (PARTITION BY day)
FROM changes QUALIFY row_number() OVER (PARTITION BY day ORDER BY place, what, value) <= ? ORDER BY place, what, value";

/// The busiest addresses of a session. Bound: the rows, how many.
pub(in crate::store::duckdb) const OWN_IPS: &str =
    "SELECT ip FROM ({own}) WHERE ip <> '' GROUP BY ip ORDER BY count(*) DESC, ip LIMIT ?";

/// Its busiest users. Bound: the rows, how many.
pub(in crate::store::duckdb) const OWN_USERS: &str = "
SELECT user_value, user_hashed FROM ({own}) WHERE user_value IS NOT NULL
GROUP BY ALL ORDER BY count(*) DESC, user_value, user_hashed LIMIT ?";

/// Sessions that share some addresses and users, with what and how many requests of it: those that share a
/// user first. Bound for each day: hi, lo, as_of, the addresses, hi, lo, as_of, the users; then how many.
pub(in crate::store::duckdb) fn related(days: &[Day], ips: usize, users: usize) -> String {
    let others = "FROM {day}.requests WHERE NOT (sid_hi = ? AND sid_lo = ?) AND pos < ?";
    let by_ip = match ips {
        0 => format!("SELECT sid_hi, sid_lo, ts, 'ip' AS what, ip AS value, false AS hashed {others} AND false"),
        _ => format!(
            "SELECT sid_hi, sid_lo, ts, 'ip' AS what, ip AS value, false AS hashed {others} AND ip IN {}",
            values(1, ips)
        ),
    };
    let by_user = match users {
        0 => format!("SELECT sid_hi, sid_lo, ts, 'user', user_value, user_hashed {others} AND false"),
        _ => format!(
            "SELECT sid_hi, sid_lo, ts, 'user', user_value, user_hashed {others}
             AND (user_value, user_hashed) IN (VALUES {})",
            values(users, 2)
        ),
    };
    let shared = union(days, &format!("{by_ip} UNION ALL {by_user}"));
    format!(
        "WITH shared AS ({shared}),
         reasons AS (
             SELECT sid_hi, sid_lo, what, value, hashed, count(*) AS requests, max(ts) AS last
             FROM shared GROUP BY ALL
         ),
         weighed AS (
             SELECT *, bool_or(what = 'user') OVER w AS of_user, sum(requests) OVER w AS total
             FROM reasons WINDOW w AS (PARTITION BY sid_hi, sid_lo)
         )
         SELECT sid_hi, sid_lo, what, value, hashed, requests, last FROM weighed
         QUALIFY dense_rank() OVER (ORDER BY of_user DESC, total DESC, sid_hi, sid_lo) <= ?
         ORDER BY of_user DESC, total DESC, sid_hi, sid_lo"
    )
}
