//! What is asked, and how fast the answer should be.

use super::server::{Failure, Server};

/// A query, and the SQL that a person would write for it.
pub struct Figure {
    pub name: &'static str,
    /// Milliseconds that 95 of 100 answers may take.
    pub bar: f64,
    /// `{session}` stands for a session of 1,000 requests.
    path: &'static str,
    filter: &'static str,
    /// Only the last 24 hours.
    day: bool,
    more: &'static [(&'static str, &'static str)],
    /// Over views of all days; `{hi}` and `{lo}` are the session's.
    pub sql: &'static str,
}

const SESSIONS: &str = "SELECT sid_hi, sid_lo, max(ts) AS last, count(*) AS n FROM requests";

pub const FIGURES: [Figure; 7] = [
    Figure {
        name: "list",
        bar: 150.0,
        path: "sessions",
        filter: "",
        day: false,
        more: &[],
        sql: "GROUP BY ALL ORDER BY last DESC LIMIT 50",
    },
    Figure {
        name: "session_filter",
        bar: 300.0,
        path: "sessions",
        filter: "session.requests>100 AND session.duration>10m",
        day: false,
        more: &[],
        sql: "GROUP BY ALL HAVING n > 100 AND last - min(ts) > 600000000 ORDER BY last DESC LIMIT 50",
    },
    Figure {
        name: "session",
        bar: 150.0,
        path: "sessions/{session}/requests",
        filter: "",
        day: false,
        more: &[("page_size", "1000")],
        sql: "SELECT * FROM requests WHERE sid_hi = {hi} AND sid_lo = {lo} ORDER BY ts LIMIT 1000",
    },
    Figure {
        name: "request_filter_day",
        bar: 500.0,
        path: "sessions",
        filter: "status>=500 AND path=\"/v2/*\"",
        day: true,
        more: &[],
        sql: "WHERE status >= 500 AND path LIKE '/v2/%' AND ts > (SELECT max(ts) FROM requests) - 86400000000
              GROUP BY ALL ORDER BY last DESC LIMIT 50",
    },
    Figure {
        name: "request_filter_week",
        bar: 2000.0,
        path: "sessions",
        filter: "status>=500 AND path=\"/v2/*\"",
        day: false,
        more: &[("order_by", "requests desc")],
        sql: "WHERE status >= 500 AND path LIKE '/v2/%' GROUP BY ALL ORDER BY n DESC LIMIT 50",
    },
    Figure {
        name: "param_filter_week",
        bar: 3000.0,
        path: "sessions",
        filter: "param.user=\"user-00000*\" AND path=\"*/orders*\"",
        day: false,
        more: &[("order_by", "requests desc")],
        sql: "SEMI JOIN (SELECT pos, ordinal FROM params WHERE name = 'user' AND value LIKE 'user-00000%')
              USING (pos, ordinal) WHERE path LIKE '%/orders%' GROUP BY ALL ORDER BY n DESC LIMIT 50",
    },
    Figure {
        name: "stats",
        bar: 2000.0,
        path: "stats",
        filter: "",
        day: false,
        more: &[("group_by", "status"), ("bucket", "1h")],
        sql: "SELECT ts // 3600000000 AS hour, status, count(*) FROM requests GROUP BY ALL",
    },
];

impl Figure {
    pub fn url(&self, server: &Server, session: &str) -> Result<reqwest::Url, Failure> {
        let from = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(24))?.to_string();
        let mut parameters = self.more.to_vec();
        if !self.filter.is_empty() {
            parameters.push(("filter", self.filter));
        }
        if self.day {
            parameters.push(("from", &from));
        }
        server.url(&self.path.replace("{session}", session), &parameters)
    }

    /// The whole text of its SQL.
    pub fn sql(&self, session: &str) -> String {
        let [hi, lo] = [session.get(..16), session.get(16..)]
            .map(|half| u64::from_str_radix(half.unwrap_or_default(), 16).unwrap_or_default().to_string());
        let start = if self.sql.starts_with("SELECT") { "" } else { SESSIONS };
        format!("{start} {}", self.sql).replace("{hi}", &hi).replace("{lo}", &lo)
    }
}

/// The time that 95 of 100 do not exceed.
pub fn p95(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let place = (times.len() * 95).div_ceil(100).saturating_sub(1);
    times.get(place).copied().unwrap_or_default()
}
