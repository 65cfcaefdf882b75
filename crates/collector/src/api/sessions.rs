//! The list of sessions, and one session.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::narrow::Narrowed;
use super::openapi::examples;
use super::page::Walk;
use super::params::{IdInPath, Params};
use super::{Api, Problem};
use crate::model::{Aspect, Change, Day, Id, Micros, Reason, Related, SessionPart, Visit};
use crate::store::{
    Place, RelatedQuery, SessionsBy, SessionsCount, SessionsOrder, SessionsPage, SessionsQuery, Story, StoryQuery,
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Sessions {
    sessions: Vec<SessionPart>,
    /// Parts left out between these and the page before, because nothing but noise is left of them.
    hidden: u64,
    next_page_token: Option<String>,
}

impl Sessions {
    pub(super) fn example() -> Self {
        Self { sessions: vec![examples::part()], hidden: 4, next_page_token: None }
    }
}

/// What the list takes.
pub(super) const LISTED: &[&str] =
    &["from", "to", "filter", "noise", "mcp", "page_size", "page_token", "order_by", "timeout", "query_id"];
/// What its count takes.
pub(super) const COUNTED: &[&str] = &["from", "to", "filter", "noise", "mcp", "timeout", "query_id"];

/// The orders of the list; the first is the usual one.
const ORDERS: [(&str, SessionsOrder); 15] = {
    const fn order(by: SessionsBy, ascending: bool) -> SessionsOrder {
        SessionsOrder { by, ascending }
    }
    [
        ("last_seen desc", order(SessionsBy::LastSeen, false)),
        ("last_seen asc", order(SessionsBy::LastSeen, true)),
        ("last_seen", order(SessionsBy::LastSeen, true)),
        ("first_seen desc", order(SessionsBy::FirstSeen, false)),
        ("first_seen asc", order(SessionsBy::FirstSeen, true)),
        ("first_seen", order(SessionsBy::FirstSeen, true)),
        ("requests desc", order(SessionsBy::Requests, false)),
        ("requests asc", order(SessionsBy::Requests, true)),
        ("requests", order(SessionsBy::Requests, true)),
        ("duration desc", order(SessionsBy::Duration, false)),
        ("duration asc", order(SessionsBy::Duration, true)),
        ("duration", order(SessionsBy::Duration, true)),
        ("bytes_out desc", order(SessionsBy::BytesOut, false)),
        ("bytes_out asc", order(SessionsBy::BytesOut, true)),
        ("bytes_out", order(SessionsBy::BytesOut, true)),
    ]
};

/// `GET /sessions`: parts of sessions, the last seen first unless asked otherwise.
pub(super) async fn list(State(api): State<Api>, params: Params) -> Result<Json<Sessions>, Problem> {
    let params = params.only(LISTED)?;
    let api = api.within(&params)?;
    let (order_name, order) = params.order(&ORDERS)?;
    let size = params.page_size()?;
    let narrowed = api.narrowed(&params).await?;
    let query = sessions_query(&params, &narrowed)?;
    let list = format!("sessions by {order_name}, mcp {:?}, {}", query.mcp, narrowed.fingerprint());
    let (walk, after) = api.walk::<([u8; 16], [u8; 16], i32)>(&params, list)?;
    let query = SessionsQuery {
        window: walk.asked.window(walk.oldest),
        order,
        as_of: walk.as_of,
        after: after.map(|(key, id, day)| Place { key: i128::from_be_bytes(key), id: Id(id), day: Day(day) }),
        limit: size,
        ..query
    };
    let SessionsPage { parts: mut sessions, more, hidden } = api.ask(move |store| store.sessions(&query)).await?;
    api.label_sessions(&mut sessions).await?;
    let next_page_token = match sessions.last().filter(|_| more).map(|last| order.place(last)) {
        Some(Place { key, id, day }) => Some(walk.token((key.to_be_bytes(), id.0, day.0))?),
        None => None,
    };
    Ok(Json(Sessions { sessions, hidden, next_page_token }))
}

/// What narrows a list of sessions, the window aside.
fn sessions_query(params: &Params, narrowed: &Narrowed) -> Result<SessionsQuery, Problem> {
    let (mcp, asked) = (params.flag("mcp")?, params.asked()?);
    let is_narrow = narrowed.is_narrow() || mcp.is_some() || asked.from.is_some() || asked.to.is_some();
    let count_hidden = narrowed.hidden().is_some();
    Ok(SessionsQuery { mcp, filter: narrowed.filter(), narrowed: is_narrow, count_hidden, ..SessionsQuery::default() })
}

/// How many rows a list has.
#[derive(Serialize, JsonSchema)]
pub(super) struct Count {
    count: u64,
    /// Always, so far.
    exact: bool,
    /// Those that the list leaves out because they are noise.
    hidden: u64,
}

impl Count {
    pub(super) fn new(count: u64, hidden: u64) -> Self {
        Self { count, exact: true, hidden }
    }

    /// Whether there is nothing, hidden or not.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0 && self.hidden == 0
    }

    pub(super) fn example() -> Self {
        Self::new(1204, 312)
    }
}

/// `GET /sessions/count`: how many parts the list has.
pub(super) async fn count(State(api): State<Api>, params: Params) -> Result<Json<Count>, Problem> {
    let params = params.only(COUNTED)?;
    let api = api.within(&params)?;
    let narrowed = api.narrowed(&params).await?;
    let query = SessionsQuery {
        window: params.asked()?.window(api.oldest()),
        as_of: api.shared.store.position(),
        ..sessions_query(&params, &narrowed)?
    };
    let SessionsCount { shown, hidden } = api.ask(move |store| store.count_sessions(&query)).await?;
    Ok(Json(Count::new(shown, hidden)))
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Session {
    id: Id,
    parts: Vec<ToldPart>,
}

/// A part, and what happened in it.
#[derive(Serialize, JsonSchema)]
struct ToldPart {
    #[serde(flatten)]
    part: SessionPart,
    #[serde(flatten)]
    story: Story,
}

impl Session {
    pub(super) fn example() -> Self {
        let part = examples::part();
        let (first_seen, last_seen, requests) = (part.first_seen, part.last_seen, part.requests);
        let visit = Visit { first_seen, last_seen, requests, ..Visit::default() };
        let change =
            Change { what: Aspect::Ip, value: "192.0.2.8".to_owned(), ts: last_seen, request_id: examples::id() };
        let story = Story { visits: vec![visit], visit_count: 1, changes: vec![change], change_count: 1 };
        Self { id: part.id, parts: vec![ToldPart { part, story }] }
    }
}

/// `GET /sessions/{id}`: all parts of the week, the newest first; with `day` that day's.
pub(super) async fn one(
    State(api): State<Api>,
    IdInPath(id): IdInPath,
    params: Params,
) -> Result<Json<Session>, Problem> {
    let day = params.only(&["day"])?.day()?;
    let visit_gap = i64::try_from(api.limits.visit_gap.as_micros()).unwrap_or(i64::MAX);
    let mut parts = api.parts(id, day).await?;
    api.label_sessions(&mut parts).await?;
    let stories = api.ask(move |store| store.stories(&StoryQuery { session: id, as_of: store.position(), visit_gap }));
    let mut stories = stories.await?;
    let told = |part: SessionPart| ToldPart { story: stories.remove(&part.day).unwrap_or_default(), part };
    Ok(Json(Session { id, parts: parts.into_iter().map(told).collect() }))
}

#[derive(Serialize, JsonSchema)]
pub(super) struct RelatedSessions {
    related: Vec<Related>,
    /// Whether there are more than `page_size`.
    more: bool,
}

impl RelatedSessions {
    pub(super) fn example() -> Self {
        let why = Reason { what: Aspect::Ip, value: "192.0.2.7".to_owned(), hashed: false, requests: 3 };
        let related = Related { id: examples::id(), last_seen: examples::time(), why: vec![why] };
        Self { related: vec![related], more: false }
    }
}

/// `GET /sessions/{id}/related`: sessions that share a user or an address with it.
pub(super) async fn related(
    State(api): State<Api>,
    IdInPath(session): IdInPath,
    params: Params,
) -> Result<Json<RelatedSessions>, Problem> {
    let size = params.only(&["page_size"])?.page_size()?;
    let found = api.ask(move |store| {
        let as_of = store.position();
        if store.parts(session, as_of)?.is_empty() {
            return Ok(None);
        }
        store.related(&RelatedQuery { session, as_of, limit: size + 1 }).map(Some)
    });
    let mut related = found.await?.ok_or_else(|| api.no_session(session, None))?;
    let more = related.len() > size;
    related.truncate(size);
    Ok(Json(RelatedSessions { related, more }))
}

impl Api {
    /// The parts of a session that are kept, at least one, the newest first; with `day` that day's.
    pub(super) async fn parts(&self, id: Id, day: Option<Day>) -> Result<Vec<SessionPart>, Problem> {
        let mut parts = self.ask(move |store| store.parts(id, store.position())).await?;
        let oldest = self.oldest().day();
        parts.retain(|part| part.day >= oldest && day.is_none_or(|day| part.day == day));
        if parts.is_empty() { Err(self.no_session(id, day)) } else { Ok(parts) }
    }

    /// The answer when nothing is known of a session, or of its part of a day.
    pub(super) fn no_session(&self, id: Id, day: Option<Day>) -> Problem {
        let oldest = self.oldest().day();
        match day {
            Some(day) if day < oldest => {
                Problem::gone(format!("day {day} of session {id} is no longer kept; the oldest day kept is {oldest}"))
            }
            Some(day) => Problem::not_found(format!("there is no session {id} on {day}")),
            None => Problem::not_found(format!("there is no session {id} in the days kept, from {oldest} on")),
        }
    }

    /// The walk over days that a request for a page begins or continues. One that crosses midnight ends when a day
    /// that it began with is no longer kept: its pages would lack what was in it.
    pub(super) fn walk<C: serde::de::DeserializeOwned>(
        &self,
        params: &Params,
        list: String,
    ) -> Result<(Walk, Option<C>), Problem> {
        let (mut walk, after) = self.walk_at(params, list, || self.shared.store.position())?;
        let first = self.shared.store.rows_by_day().into_keys().next();
        let kept = first.map_or(Micros(i64::MAX), Day::start);
        if after.is_none() && first.is_some() {
            walk.oldest = walk.oldest.max(kept);
        }
        if after.is_some() && kept > walk.asked.window(walk.oldest).from {
            let detail = "a day that it began with is no longer kept; begin with the first page";
            return Err(Problem::page_token(detail));
        }
        Ok((walk, after))
    }

    /// Likewise; `state` tells which state a walk that begins looks at.
    pub(super) fn walk_at<C: serde::de::DeserializeOwned>(
        &self,
        params: &Params,
        list: String,
        state: impl FnOnce() -> u64,
    ) -> Result<(Walk, Option<C>), Problem> {
        let asked = params.asked()?;
        let now = self.shared.clock.now();
        // An export goes on as long as it makes progress.
        let limited = params.query().is_none().then_some(now);
        match params.text("page_token") {
            Some(token) => Walk::resume(token, &list, asked, limited).map(|(walk, after)| (walk, Some(after))),
            None => Ok((Walk { list, asked, issued: now, oldest: self.oldest(), as_of: state() }, None)),
        }
    }
}
