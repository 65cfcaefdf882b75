//! Statistics: requests counted by what they have in common, and in steps of time.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::examples;
use super::params::{IdInPath, Params};
use super::requests::hidden_requests;
use super::{Api, Problem};
use crate::filter::Filter;
use crate::model::{Id, Measures, Micros};
use crate::store::{Dimension, Group, Metric, RequestsQuery, StatsQuery};

/// Most dimensions of a question.
const DIMENSIONS: usize = 2;
/// Groups told, unless asked for more or fewer.
const TOP: usize = 10;
/// Most groups.
const MAX_TOP: usize = 100;
/// Most steps of time in the window.
const STEPS: i64 = 1000;
/// Steps of all groups together.
const ALL_STEPS: i64 = 20_000;
/// Steps of time that there are, in microseconds.
const BUCKETS: [(&str, i64); 10] = [
    ("1m", 60_000_000),
    ("5m", 300_000_000),
    ("10m", 600_000_000),
    ("15m", 900_000_000),
    ("30m", 1_800_000_000),
    ("1h", 3_600_000_000),
    ("3h", 10_800_000_000),
    ("6h", 21_600_000_000),
    ("12h", 43_200_000_000),
    ("1d", 86_400_000_000),
];

/// What `/stats` takes.
pub(super) const PARAMETERS: &[&str] =
    &["from", "to", "filter", "noise", "group_by", "metrics", "bucket", "top", "timeout", "query_id"];

#[derive(Serialize, JsonSchema)]
pub(super) struct Stats {
    /// Those with the most requests first.
    groups: Vec<ToldGroup>,
    /// What is in none of them, together; null when nothing is.
    other: Option<Other>,
    /// Groups in all.
    group_count: u64,
    /// Whether distinct sessions, distinct users and percentiles are exact.
    exact: bool,
    /// Requests that were not counted because they are noise.
    hidden: u64,
}

#[derive(Serialize, JsonSchema)]
struct ToldGroup {
    /// The value of each name in `group_by`; null for none.
    group: BTreeMap<&'static str, Option<String>>,
    /// Shows these requests; null when no filter can.
    filter: Option<String>,
    #[serde(flatten)]
    measures: Measures,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<Vec<Step>>,
}

#[derive(Serialize, JsonSchema)]
struct Other {
    #[serde(flatten)]
    measures: Measures,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<Vec<Step>>,
}

/// A step of time that has requests.
#[derive(Serialize, JsonSchema)]
struct Step {
    /// Its first moment.
    from: Micros,
    #[serde(flatten)]
    measures: Measures,
}

impl Stats {
    pub(super) fn example() -> Self {
        let measures = Measures { requests: 12, sessions: Some(3), errors: Some(1), ..Measures::default() };
        let step = Step { from: examples::time(), measures: measures.clone() };
        let group = ToldGroup {
            group: [("method", Some("GET".to_owned()))].into(),
            filter: Some("method=\"GET\"".to_owned()),
            measures,
            series: Some(vec![step]),
        };
        Self { groups: vec![group], other: None, group_count: 1, exact: true, hidden: 4 }
    }
}

/// The steps of time that there are.
pub(super) fn bucket_names() -> Vec<&'static str> {
    BUCKETS.iter().map(|(name, _)| *name).collect()
}

/// `GET /stats`: of all requests.
pub(super) async fn of_all(State(api): State<Api>, params: Params) -> Result<Json<Stats>, Problem> {
    api.stats(None, params).await
}

/// `GET /sessions/{id}/stats`: of the requests of a session.
pub(super) async fn of_session(
    State(api): State<Api>,
    IdInPath(id): IdInPath,
    params: Params,
) -> Result<Json<Stats>, Problem> {
    api.stats(Some(id), params).await
}

impl Api {
    async fn stats(&self, session: Option<Id>, params: Params) -> Result<Json<Stats>, Problem> {
        let params = params.only(PARAMETERS)?;
        let api = self.clone().within(&params)?;
        let (asked, narrowed) = (params.asked()?, self.narrowed(&params).await?);
        let filter = narrowed.asked().cloned();
        let query = StatsQuery {
            session,
            window: asked.window(self.oldest()),
            filter: narrowed.filter(),
            as_of: self.shared.store.position(),
            group_by: dimensions(&params)?,
            top: top(&params)?,
            metrics: metrics(&params)?,
            bucket: None,
        };
        let bucket = self.bucket(&params, &query)?;
        let query = StatsQuery { bucket, ..query };
        let group_by = query.group_by.clone();
        let found = api.ask(move |store| {
            let stats = store.stats(&query)?;
            let unknown = match session {
                Some(id) if stats.groups.is_empty() => store.parts(id, query.as_of)?.is_empty(),
                _ => false,
            };
            let StatsQuery { session, window, as_of, .. } = query;
            let counted = RequestsQuery { session, window, as_of, ..RequestsQuery::default() };
            let hidden = hidden_requests(store, &counted, &narrowed)?;
            Ok((!unknown).then_some((stats, hidden)))
        });
        let (found, hidden) = match (found.await?, session) {
            (Some(found), _) => found,
            (None, session) => return Err(self.no_session(session.unwrap_or_default(), None)),
        };
        let groups = found.groups.into_iter().map(|group| told(group, &group_by, filter.as_ref(), bucket)).collect();
        let other = found.other.map(|other| Other { series: series(&other, bucket), measures: other.measures });
        Ok(Json(Stats { groups, other, group_count: found.group_count, exact: found.exact, hidden }))
    }

    /// The step of time, when the window has not too many of it.
    fn bucket(&self, params: &Params, query: &StatsQuery) -> Result<Option<i64>, Problem> {
        let Some(text) = params.text("bucket") else { return Ok(None) };
        let Some((_, bucket)) = BUCKETS.iter().find(|(name, _)| *name == text) else {
            let names = bucket_names().join(", ");
            return Err(Problem::parameter("bucket", format!("`{text}` is no step of time; there are {names}")));
        };
        let now = self.shared.clock.now().0;
        let long = query.window.to.0.min(now.saturating_add(BUCKETS[9].1)).saturating_sub(query.window.from.0);
        let groups = if query.group_by.is_empty() { 1 } else { i64::try_from(query.top).unwrap_or(i64::MAX) };
        let steps = long / bucket + 1;
        if steps > STEPS || steps.saturating_mul(groups) > ALL_STEPS {
            let detail = format!(
                "the window has {steps} steps of {text}, for each of up to {groups} groups; \
                 {STEPS} steps and {ALL_STEPS} in all groups are the limit: a shorter window or longer steps would be right"
            );
            return Err(Problem::parameter("bucket", detail));
        }
        Ok(Some(*bucket))
    }
}

fn told(group: Group, by: &[Dimension], asked: Option<&Filter>, bucket: Option<i64>) -> ToldGroup {
    let terms = by.iter().zip(&group.values).map(|(by, value)| by.filter(value.as_deref()));
    let all = asked.cloned().map(Some).into_iter().chain(terms);
    let filter = all.reduce(|one, other| Some(one?.and(other?))).flatten();
    ToldGroup {
        filter: filter.map(|filter| filter.to_string()),
        series: series(&group, bucket),
        group: by.iter().map(Dimension::name).zip(group.values).collect(),
        measures: group.measures,
    }
}

fn series(group: &Group, bucket: Option<i64>) -> Option<Vec<Step>> {
    let steps = group.series.iter().map(|(from, measures)| Step { from: *from, measures: measures.clone() });
    bucket.map(|_| steps.collect())
}

/// `group_by`: names with commas between them.
fn dimensions(params: &Params) -> Result<Vec<Dimension>, Problem> {
    let wrong = |what: String| {
        let names: Vec<_> = Dimension::all().map(|by| by.name()).collect();
        Problem::parameter("group_by", format!("{what}; up to {DIMENSIONS} of {}", names.join(", ")))
    };
    let mut found: Vec<Dimension> = Vec::new();
    for name in params.text("group_by").into_iter().flat_map(|text| text.split(',')) {
        let by = Dimension::all().find(|by| by.name() == name);
        let by = by.ok_or_else(|| wrong(format!("`{name}` is nothing to group by")))?;
        if found.contains(&by) {
            return Err(wrong(format!("`{name}` is given twice")));
        }
        found.push(by);
    }
    if found.len() > DIMENSIONS { Err(wrong(format!("{} are too many", found.len()))) } else { Ok(found) }
}

/// `metrics`: names with commas between them; sessions and errors unless given.
fn metrics(params: &Params) -> Result<Vec<Metric>, Problem> {
    let Some(text) = params.text("metrics") else { return Ok(vec![Metric::Sessions, Metric::Errors]) };
    let metric = |name: &str| {
        let known = Metric::ALL.iter().find(|(known, _)| *known == name).map(|(_, metric)| Some(*metric));
        known.or((name == "requests").then_some(None)).ok_or_else(|| {
            let names = Metric::ALL.map(|(name, _)| name).join(", ");
            Problem::parameter("metrics", format!("`{name}` is no metric; there are requests, {names}"))
        })
    };
    let found: Vec<Option<Metric>> = text.split(',').map(metric).collect::<Result<_, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

fn top(params: &Params) -> Result<usize, Problem> {
    let Some(text) = params.text("top") else { return Ok(TOP) };
    match text.parse() {
        Ok(top @ 1..=MAX_TOP) => Ok(top),
        _ => Err(Problem::parameter("top", format!("`{text}` is no number from 1 to {MAX_TOP}"))),
    }
}
