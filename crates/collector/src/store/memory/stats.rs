//! Statistics, counted plainly.

use std::collections::{BTreeMap, HashSet};

use crate::endpoints::Endpoints;
use crate::filter::Field;
use crate::model::{Measures, Micros, Percentiles};
use crate::store::Row;
use crate::store::parts;
use crate::store::stats::{self, Dimension, Group, Metric, Stats, StatsQuery};

/// The statistics of the requests that a question is about.
pub(super) fn stats(rows: &[&Row], query: &StatsQuery, endpoints: &Endpoints) -> Stats {
    let mut grouped: BTreeMap<Vec<Option<String>>, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        grouped.entry(query.group_by.iter().map(|by| value(row, by, endpoints)).collect()).or_default().push(row);
    }
    let mut groups: Vec<_> = grouped.into_iter().map(|(values, rows)| (group(values, &rows, query), rows)).collect();
    groups.sort_by_key(|(group, _)| stats::rank(group));
    let group_count = groups.len() as u64;
    let rest: Vec<&Row> = groups.iter().skip(query.top).flat_map(|(_, rows)| rows.iter().copied()).collect();
    groups.truncate(query.top);
    let other = (!rest.is_empty()).then(|| group(Vec::new(), &rest, query));
    Stats { groups: groups.into_iter().map(|(group, _)| group).collect(), other, group_count, exact: true }
}

fn group(values: Vec<Option<String>>, rows: &[&Row], query: &StatsQuery) -> Group {
    let mut steps: BTreeMap<Micros, Vec<&Row>> = BTreeMap::new();
    if let Some(bucket) = query.bucket {
        rows.iter().for_each(|row| steps.entry(stats::step(row.request.ts, bucket)).or_default().push(row));
    }
    let series = steps.into_iter().map(|(step, rows)| (step, measures(&rows, &query.metrics))).collect();
    Group { values, measures: measures(rows, &query.metrics), series }
}

fn measures(rows: &[&Row], metrics: &[Metric]) -> Measures {
    let mut measures = Measures { requests: rows.len() as u64, ..Measures::default() };
    let sum = |of: fn(&Row) -> u64| Some(rows.iter().fold(0u64, |sum, row| sum.saturating_add(of(row))));
    let errors = |class: u16| Some(rows.iter().filter(|row| row.request.status / 100 == class).count() as u64);
    for metric in metrics {
        match metric {
            Metric::Sessions => {
                let sessions: HashSet<_> = rows.iter().map(|row| row.request.session_id).collect();
                measures.sessions = Some(sessions.len() as u64);
            }
            Metric::Users => {
                let users: HashSet<_> = rows.iter().filter_map(|row| row.user.as_ref()).collect();
                measures.users = Some(users.len() as u64);
            }
            Metric::Errors => measures.errors = errors(5),
            Metric::ClientErrors => measures.client_errors = errors(4),
            Metric::BytesIn => measures.bytes_in = sum(|row| row.request.bytes_in),
            Metric::BytesOut => measures.bytes_out = sum(|row| row.request.bytes_out),
            Metric::Duration => measures.duration_us = Some(percentiles(rows)),
        }
    }
    measures
}

fn percentiles(rows: &[&Row]) -> Percentiles {
    let mut durations: Vec<_> = rows.iter().map(|row| row.request.duration_us).collect();
    durations.sort_unstable();
    // The smallest value that so many hundredths of all do not exceed.
    let at = |hundredths: usize| {
        let place = (durations.len() * hundredths).div_ceil(100).max(1) - 1;
        durations.get(place).copied().unwrap_or_default()
    };
    Percentiles { p50: at(50), p95: at(95), max: at(100) }
}

fn value(row: &Row, by: &Dimension, endpoints: &Endpoints) -> Option<String> {
    let request = &row.request;
    let text = match by {
        Dimension::Class => format!("{}xx", request.status / 100),
        Dimension::Hour => stats::step(request.ts, stats::HOUR).to_string(),
        Dimension::Day => request.ts.day().start().to_string(),
        Dimension::Field(Field::Endpoint) => parts::endpoint(endpoints, row.shape, request),
        Dimension::Field(field) => field_of(row, field)?,
    };
    Some(text).filter(|text| !text.is_empty())
}

fn field_of(row: &Row, field: &Field) -> Option<String> {
    let request = &row.request;
    let mcp = request.mcp.as_ref();
    let gql = request.gql.as_ref();
    match field {
        Field::Node => Some(request.node.clone()),
        Field::Application => Some(request.application.clone()),
        Field::Method => Some(request.method.clone()),
        Field::Scheme => Some(request.scheme.clone()),
        Field::Host => Some(request.host.clone()),
        Field::Path => Some(request.path.clone()),
        Field::Proto => Some(request.proto.clone()),
        Field::Status => Some(request.status.to_string()),
        Field::Ip => Some(request.ip.clone()),
        Field::Country => request.country.clone(),
        Field::Network => request.network.clone(),
        Field::UserAgent => Some(request.user_agent.clone()),
        Field::User => row.user.as_ref().map(|who| who.value.clone()),
        Field::Role => row.role.as_ref().map(|who| who.value.clone()),
        Field::KeySource => Some(request.key.source.clone()),
        Field::KeyName => Some(request.key.name.clone()),
        Field::McpMethod => mcp.map(|mcp| mcp.method.clone()),
        Field::McpPrimitive => mcp.map(|mcp| mcp.primitive.clone()),
        Field::McpServer => mcp.map(|_| format!("{}{}", request.host, request.path)),
        Field::GqlType => gql.map(|gql| gql.kind.clone()),
        Field::GqlOperation => gql.map(|gql| gql.operation.clone()),
        _ => None,
    }
}
