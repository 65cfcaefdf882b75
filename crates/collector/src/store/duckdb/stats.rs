//! Statistics: one statement over all days of the window.
//!
//! `counted` has the requests that the question is about, `top` the groups with the most of them; what is in
//! none of those has rank 0. Each group is told as a whole and, where steps of time are asked for, for each.

use duckdb::types::Value;
use duckdb::{Connection, Row, params_from_iter};

use super::engine::failed;
use super::filter::{self, Compiled};
use super::pieces::{Extent, within};
use super::statement::Statement;
use super::{list, sql};
use crate::endpoints::Endpoints;
use crate::filter::Field;
use crate::model::{Day, Measures, Micros, Percentiles};
use crate::store::StoreError;
use crate::store::stats::{DAY, Dimension, Group, HOUR, Metric, Stats, StatsQuery};

/// Requests in the days of the window up to which distinct values and percentiles are exact.
pub(super) const EXACT: u64 = 1_000_000;

/// Between endpoints that are bound as one text; none has it in its name.
const SEPARATOR: char = '\u{1f}';

/// The statistics of the requests that a question is about.
pub(super) fn stats(
    connection: &Connection,
    days: &[Day],
    query: &StatsQuery,
    extent: impl Fn(Day) -> Extent,
    endpoints: &Endpoints,
    exact: bool,
) -> Result<Stats, StoreError> {
    let mut stats = Stats { exact, ..Stats::default() };
    if days.is_empty() {
        return Ok(stats);
    }
    let Statement { text, values } = statement(days, query, extent, endpoints, exact);
    let rows = || -> duckdb::Result<Vec<_>> {
        let mut prepared = connection.prepare(&text)?;
        prepared.query_map(params_from_iter(values), |row| read(row, query))?.collect()
    };
    for told in rows().map_err(failed("counting requests"))? {
        stats.group_count = stats.group_count.max(told.group_count);
        let group = match told.rank {
            0 => stats.other.get_or_insert_default(),
            // A group's whole comes before its steps.
            _ if told.step.is_none() => stats.groups.push_mut(Group { values: told.values, ..Group::default() }),
            rank => match stats.groups.get_mut(rank - 1) {
                Some(group) => group,
                None => continue,
            },
        };
        match told.step {
            Some(step) => group.series.push((Micros(step), told.measures)),
            None => group.measures = told.measures,
        }
    }
    Ok(stats)
}

fn statement(
    days: &[Day],
    query: &StatsQuery,
    extent: impl Fn(Day) -> Extent,
    endpoints: &Endpoints,
    exact: bool,
) -> Statement {
    let width = query.group_by.len();
    let names: Vec<String> = (0..width).map(|n| format!("g{n}")).collect();
    let listed = |each: &dyn Fn(&String) -> String| names.iter().map(each).collect::<String>();
    let same = listed(&|name| format!(" AND counted.{name} IS NOT DISTINCT FROM top.{name}"));
    let order = listed(&|name| format!(", {name} NULLS FIRST"));
    let columns = listed(&|name| format!(", {name}"));
    let (step, told, sets) = match query.bucket {
        Some(bucket) => (
            Statement::with(", counted.ts // ? * ? AS step", [bucket, bucket].map(Value::BigInt)),
            "CASE WHEN grouping(step) = 0 THEN step END",
            "GROUPING SETS ((rank), (rank, step))",
        ),
        None => (Statement::default(), "NULL::BIGINT", "rank"),
    };
    let top = match width {
        0 => Statement::of("SELECT 1 AS groups, 1 AS rank"),
        _ => Statement::of(&format!(
            "SELECT count(*) AS times{columns}, count(*) OVER () AS groups,
                    row_number() OVER (ORDER BY times DESC{order}) AS rank
             FROM counted GROUP BY {} QUALIFY rank <= ",
            names.join(", ")
        ))
        .add(Statement::with("?", [Value::BigInt(i64::try_from(query.top).unwrap_or(i64::MAX))])),
    };
    let (compiled, named) = (Compiled::of(query.filter.as_ref(), endpoints), named(query, endpoints));
    Statement::of("WITH counted AS NOT MATERIALIZED (")
        .add_joined(days.iter().map(|&day| counted(day, query, &extent(day), &compiled, &named)), " UNION ALL ")
        .add("), top AS (")
        .add(top)
        .add("), ranked AS (SELECT counted.*, coalesce(rank, 0)::UBIGINT AS rank, coalesce(groups, 0)::UBIGINT AS groups")
        .add(step)
        .add(format!(" FROM counted LEFT JOIN top ON true{same}) SELECT rank, {told} AS told, max(groups), count(*), ").as_str())
        .add(measures(query, exact).as_str())
        .add(listed(&|name| format!(", any_value({name})::VARCHAR")).as_str())
        .add(format!(" FROM ranked GROUP BY {sets} ORDER BY rank, told NULLS FIRST").as_str())
}

/// The requests of a day that count, with what they are grouped by as `g0` and `g1`.
fn counted(day: Day, query: &StatsQuery, extent: &Extent, compiled: &Compiled, named: &Statement) -> Statement {
    let scope = list::scope(query.as_of, query.session);
    let (with, join) = match compiled.speaks_of_session() {
        true => (list::sessions(compiled, extent, &scope, query.window, query.session.as_slice()), sql::WITH_SESSION),
        false => (Statement::default(), ""),
    };
    let groups: String = (0..).zip(&query.group_by).map(|(n, by)| format!(", {} AS g{n}", column(by))).collect();
    let mut statement = Statement::of("(")
        .add(with)
        .add(
            format!(
                " SELECT r.ts, r.sid_hi, r.sid_lo, r.user_value, r.user_hashed, r.status, r.bytes_in, r.bytes_out, r.duration{groups}
                  FROM {{day}}.requests AS r{join}"
            )
            .as_str(),
        )
        .add(named.clone())
        .add(" WHERE ")
        .add(scope)
        .add(within(query.window));
    for condition in compiled.conditions() {
        statement = statement.add(" AND ").add(condition);
    }
    let Statement { text, values } = statement.add(")");
    Statement::with(&sql::on(day, &text), values)
}

/// The endpoints of shapes as `named`, where they are asked for.
fn named(query: &StatsQuery, endpoints: &Endpoints) -> Statement {
    if !query.group_by.contains(&Dimension::Field(Field::Endpoint)) {
        return Statement::default();
    }
    let named = endpoints.named(|name| !name.contains(SEPARATOR));
    if named.is_empty() {
        return Statement::of(
            " LEFT JOIN (SELECT 0::UBIGINT AS shape, '' AS endpoint WHERE false) AS named ON r.shape = named.shape",
        );
    }
    let (shapes, names): (Vec<_>, Vec<_>) = named.into_iter().map(|(shape, name)| (shape.0.to_string(), name)).unzip();
    // There may be many: two values are bound, not two for each.
    Statement::with(
        " LEFT JOIN (SELECT unnest(string_split(?, ',')::UBIGINT[]) AS shape, unnest(string_split(?, chr(31))) AS endpoint)
          AS named ON r.shape = named.shape",
        [shapes.join(","), names.join(SEPARATOR.to_string().as_str())].map(Value::Text),
    )
}

/// The text of a dimension; what is empty is no value.
fn column(by: &Dimension) -> String {
    match by {
        Dimension::Class => "(r.status // 100)::VARCHAR || 'xx'".to_owned(),
        // Told as a time when it is read.
        Dimension::Hour => format!("r.ts // {HOUR} * {HOUR}"),
        Dimension::Day => format!("r.ts // {DAY} * {DAY}"),
        Dimension::Field(Field::Endpoint) => "coalesce(named.endpoint, r.method || ' ' || r.host || r.path)".to_owned(),
        Dimension::Field(Field::Status) => "r.status::VARCHAR".to_owned(),
        Dimension::Field(field) => format!("nullif({}, '')", filter::column(field).0),
    }
}

/// What is told of a group, in the order in which it is read; NULL where it was not asked for.
fn measures(query: &StatsQuery, exact: bool) -> String {
    let told = |metric: Metric, text: &str| match query.metrics.contains(&metric) {
        true => text.to_owned(),
        false => "NULL::UBIGINT".to_owned(),
    };
    let distinct = |what: &str| match exact {
        true => format!("count(DISTINCT {what})"),
        false => format!("approx_count_distinct({what})"),
    };
    let sum = |column: &str| format!("least(sum({column}), 18446744073709551615)::UBIGINT");
    let quantile = |part: &str| match exact {
        true => format!("quantile_disc(duration, {part})"),
        false => format!("approx_quantile(duration, {part})"),
    };
    [
        told(Metric::Sessions, &distinct("(sid_hi, sid_lo)")),
        told(Metric::Users, &format!("{} FILTER (user_value IS NOT NULL)", distinct("(user_value, user_hashed)"))),
        told(Metric::Errors, "count(*) FILTER (status // 100 = 5)"),
        told(Metric::ClientErrors, "count(*) FILTER (status // 100 = 4)"),
        told(Metric::BytesIn, &sum("bytes_in")),
        told(Metric::BytesOut, &sum("bytes_out")),
        told(Metric::Duration, &quantile("0.5")),
        told(Metric::Duration, &quantile("0.95")),
        told(Metric::Duration, "max(duration)"),
    ]
    .join(", ")
}

/// A row of the answer.
struct Told {
    rank: usize,
    step: Option<i64>,
    group_count: u64,
    measures: Measures,
    values: Vec<Option<String>>,
}

fn read(row: &Row, query: &StatsQuery) -> duckdb::Result<Told> {
    let number = |at: usize| row.get::<_, Option<u64>>(at);
    let duration_us = match query.metrics.contains(&Metric::Duration) {
        true => Some(Percentiles {
            p50: number(10)?.unwrap_or_default(),
            p95: number(11)?.unwrap_or_default(),
            max: number(12)?.unwrap_or_default(),
        }),
        false => None,
    };
    let measures = Measures {
        requests: row.get(3)?,
        sessions: number(4)?,
        users: number(5)?,
        errors: number(6)?,
        client_errors: number(7)?,
        bytes_in: number(8)?,
        bytes_out: number(9)?,
        duration_us,
    };
    let value = |(at, by): (usize, &Dimension)| -> duckdb::Result<Option<String>> {
        let text: Option<String> = row.get(at)?;
        Ok(match by {
            Dimension::Hour | Dimension::Day => {
                text.and_then(|micros| micros.parse().ok().map(|t| Micros(t).to_string()))
            }
            _ => text,
        })
    };
    let values = (13..).zip(&query.group_by).map(value).collect::<duckdb::Result<_>>()?;
    Ok(Told { rank: row.get::<_, u64>(0)? as usize, step: row.get(1)?, group_count: row.get(2)?, measures, values })
}
