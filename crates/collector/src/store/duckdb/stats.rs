//! Statistics: one statement over all days of the window. Each group is told as a whole and, where steps of time are
//! asked for, for each.
//!
//! `counted` has the requests that the question is about, `top` the groups with the most of them; what is in none of
//! those has rank 0. Where there can only be few groups all are counted in one go, and only what is in none of the
//! top is read again. Where there may be any number of them, what each is told is counted for the top alone.

use duckdb::types::Value;
use duckdb::{Connection, Row, params_from_iter};

use super::engine::failed;
use super::filter::{self, Compiled};
use super::pieces::{Extent, among, within};
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
    let (compiled, named) = (Compiled::of(query.filter.as_ref(), endpoints), named(query, endpoints));
    let step = match query.bucket {
        Some(bucket) => Statement::with("ts // ? * ?", [bucket, bucket].map(Value::BigInt)),
        None => Statement::of("NULL::BIGINT"),
    };
    let counted = Statement::of("WITH counted AS NOT MATERIALIZED (SELECT *, ")
        .add(step)
        .add(" AS step FROM (")
        .add_joined(days.iter().map(|&day| counted(day, query, &extent(day), &compiled, &named)), " UNION ALL ")
        .add("))");
    let groups = Groups::of(query);
    match query.group_by.iter().all(is_few) {
        true => counted.add(all_at_once(query, &groups, exact)),
        false => counted.add(top_first(query, &groups, exact)),
    }
}

/// Whether there are few values of a dimension, whatever clients send.
fn is_few(by: &Dimension) -> bool {
    match by {
        Dimension::Class | Dimension::Hour | Dimension::Day => true,
        Dimension::Field(field) => matches!(
            field,
            Field::Status
                | Field::Method
                | Field::Scheme
                | Field::Proto
                | Field::Application
                | Field::Node
                | Field::Country
                | Field::KeySource
                | Field::KeyName
                | Field::McpMethod
                | Field::GqlType
        ),
    }
}

/// What requests are grouped by, as text of statements.
struct Groups {
    /// `g0, g1`
    columns: String,
    /// A row of `counted` is of a group of `top`.
    same: String,
    /// What decides between groups with as many requests.
    ties: String,
    /// Their values as texts.
    texts: Vec<String>,
}

impl Groups {
    fn of(query: &StatsQuery) -> Self {
        let names: Vec<String> = (0..query.group_by.len().max(1)).map(|n| format!("g{n}")).collect();
        let texts: Vec<String> = names.iter().zip(&query.group_by).map(|(name, by)| text(by, name)).collect();
        let same = |name: &String| format!("counted.{name} IS NOT DISTINCT FROM top.{name}");
        Self {
            columns: names.join(", "),
            same: names.iter().map(same).collect::<Vec<_>>().join(" AND "),
            ties: texts.iter().map(|text| format!(", {text} NULLS FIRST")).collect(),
            texts,
        }
    }

    /// The texts behind other columns, each as a function of them.
    fn told(&self, as_told: impl Fn(&String) -> String) -> String {
        self.texts.iter().map(|text| format!(", {}", as_told(text))).collect()
    }
}

/// Counts all groups, ranks them, and counts what is in none of the top.
fn all_at_once(query: &StatsQuery, groups: &Groups, exact: bool) -> Statement {
    let Groups { columns, same, ties, .. } = groups;
    let measures = measures(query, exact);
    let named: String = (0..).zip(&measures).map(|(n, measure)| format!(", {measure} AS m{n}")).collect();
    let names: String = (0..measures.len()).map(|n| format!(", m{n}")).collect();
    let (sets, rest_sets) = match query.bucket {
        Some(_) => (format!("(({columns}), ({columns}, step))"), "((), (step))"),
        None => (format!("(({columns}))"), "(())"),
    };
    let (texts, none) = (groups.told(String::clone), groups.told(|_| "NULL".to_owned()));
    let whole = format!(
        ", told AS MATERIALIZED (
             SELECT {columns}, {step} AS step, count(*) AS times{named} FROM counted GROUP BY GROUPING SETS {sets}
         ), top AS (
             SELECT {columns}, row_number() OVER (ORDER BY times DESC{ties})::UBIGINT AS rank, count(*) OVER () AS groups
             FROM told WHERE step IS NULL
         )
         SELECT rank, step AS told, groups, times{names}{texts}
         FROM (SELECT counted.*, rank, groups FROM told AS counted JOIN top ON {same}) WHERE rank <= ",
        step = if query.bucket.is_some() { "step" } else { "NULL::BIGINT" },
    );
    let rest = format!(
        " UNION ALL SELECT 0::UBIGINT, {step}, 0, count(*){measures}{none}
          FROM counted SEMI JOIN (SELECT * FROM top WHERE rank > ",
        step = if query.bucket.is_some() { "step" } else { "NULL::BIGINT" },
        measures = measures.iter().map(|measure| format!(", {measure}")).collect::<String>(),
    );
    let end = format!(
        ") AS top ON {same} GROUP BY GROUPING SETS {rest_sets} HAVING count(*) > 0 ORDER BY rank, told NULLS FIRST"
    );
    Statement::of(&whole).add(most(query)).add(rest.as_str()).add(most(query)).add(end.as_str())
}

/// Finds the top groups, then counts each and what is in none of them.
fn top_first(query: &StatsQuery, groups: &Groups, exact: bool) -> Statement {
    let Groups { columns, same, ties, .. } = groups;
    let (told, sets) = match query.bucket {
        Some(_) => ("CASE WHEN grouping(step) = 0 THEN step END", "GROUPING SETS ((rank), (rank, step))"),
        None => ("NULL::BIGINT", "rank"),
    };
    let top = format!(
        ", top AS (
             SELECT count(*) AS times, {columns}, count(*) OVER () AS groups,
                    row_number() OVER (ORDER BY times DESC{ties}) AS rank
             FROM counted GROUP BY {columns} QUALIFY rank <= "
    );
    let ranked = format!(
        "), ranked AS (
             SELECT counted.*, coalesce(rank, 0)::UBIGINT AS rank, coalesce(groups, 0)::UBIGINT AS groups
             FROM counted LEFT JOIN top ON {same}
         )
         SELECT rank, {told} AS told, max(groups), count(*), {}{} FROM ranked GROUP BY {sets} ORDER BY rank, told NULLS FIRST",
        measures(query, exact).join(", "),
        groups.told(|text| format!("any_value({text})")),
    );
    Statement::of(&top).add(most(query)).add(ranked.as_str())
}

/// How many groups are told.
fn most(query: &StatsQuery) -> Statement {
    Statement::with("?", [Value::BigInt(i64::try_from(query.top).unwrap_or(i64::MAX))])
}

/// The requests of a day that count, with what they are grouped by as `g0` and `g1`.
fn counted(day: Day, query: &StatsQuery, extent: &Extent, compiled: &Compiled, named: &Statement) -> Statement {
    let scope = list::scope(query.as_of, query.session);
    let (with, join) = match compiled.speaks_of_session() {
        true => (
            list::sessions(compiled, extent, &scope, query.window, &among(query.session.as_slice())),
            sql::WITH_SESSION,
        ),
        false => (Statement::default(), ""),
    };
    let groups: String = match query.group_by.as_slice() {
        [] => ", 0 AS g0".to_owned(),
        all => (0..).zip(all).map(|(n, by)| format!(", {} AS g{n}", column(by))).collect(),
    };
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

/// What a dimension groups by; what is empty is no value.
fn column(by: &Dimension) -> String {
    match by {
        Dimension::Class => "r.status // 100".to_owned(),
        // Told as a time when it is read.
        Dimension::Hour => format!("r.ts // {HOUR} * {HOUR}"),
        Dimension::Day => format!("r.ts // {DAY} * {DAY}"),
        Dimension::Field(Field::Endpoint) => "coalesce(named.endpoint, r.method || ' ' || r.host || r.path)".to_owned(),
        Dimension::Field(Field::Status) => "r.status".to_owned(),
        Dimension::Field(field) => format!("nullif({}, '')", filter::column(field).0),
    }
}

/// The text of a value that [`column`] gave.
fn text(by: &Dimension, name: &str) -> String {
    match by {
        Dimension::Class => format!("{name}::VARCHAR || 'xx'"),
        _ => format!("{name}::VARCHAR"),
    }
}

/// What is told of a group, in the order in which it is read; NULL where it was not asked for.
fn measures(query: &StatsQuery, exact: bool) -> [String; 9] {
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
        // Ids are hashes: one half of them estimates as well as both.
        told(Metric::Sessions, &distinct(if exact { "(sid_hi, sid_lo)" } else { "sid_hi" })),
        told(Metric::Users, &format!("{} FILTER (user_value IS NOT NULL)", distinct("(user_value, user_hashed)"))),
        told(Metric::Errors, "count(*) FILTER (status // 100 = 5)"),
        told(Metric::ClientErrors, "count(*) FILTER (status // 100 = 4)"),
        told(Metric::BytesIn, &sum("bytes_in")),
        told(Metric::BytesOut, &sum("bytes_out")),
        told(Metric::Duration, &quantile("0.5")),
        told(Metric::Duration, &quantile("0.95")),
        told(Metric::Duration, "max(duration)"),
    ]
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
