//! Requests: those of a session, one by its id, and all as they arrive.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::narrow::Narrowed;
use super::openapi::examples;
use super::page::Walk;
use super::params::{Asked, IdInPath, Params};
use super::sessions::Count;
use super::{Api, Problem};
use crate::model::{Day, Id, Micros, Request};
use crate::store::{Arrival, Position, RequestPlace, RequestsPage, RequestsQuery, Store, StoreError, TailQuery};

#[derive(Serialize, JsonSchema)]
pub(super) struct Requests {
    requests: Vec<Request>,
    /// Requests left out between these and the page before, because they are noise; null where it is not counted.
    hidden: Option<u64>,
    next_page_token: Option<String>,
}

impl Requests {
    pub(super) fn example() -> Self {
        Self { requests: vec![examples::request()], hidden: Some(4), next_page_token: None }
    }
}

/// What the requests of a session take.
pub(super) const OF_SESSION: &[&str] =
    &["from", "to", "day", "filter", "noise", "page_size", "page_token", "order_by", "timeout", "query_id"];
/// What their count takes.
pub(super) const COUNTED_OF_SESSION: &[&str] = &["from", "to", "day", "filter", "noise", "timeout", "query_id"];
/// What requests of all sessions take.
pub(super) const LISTED: &[&str] =
    &["from", "to", "filter", "noise", "page_size", "page_token", "order_by", "timeout", "query_id"];
/// What the count of requests of all sessions takes.
pub(super) const COUNTED: &[&str] = &["from", "to", "filter", "noise", "timeout", "query_id"];

/// The orders by time, and whether the last comes first.
const BY_TIME: [(&str, bool); 3] = [("ts", false), ("ts asc", false), ("ts desc", true)];
/// Those across sessions; what arrives is answered by [`by_arrival`].
const ACROSS: [(&str, bool); 4] = [("ts desc", true), ("ts asc", false), ("ts", false), ("arrival", false)];

/// Where a page of requests by time ended: ts, conn, n, id, and place in the log.
type After = (i64, u64, u64, [u8; 16], u64, u32);

fn written(RequestPlace { ts, conn, n, id, arrival: Arrival { pos, ordinal } }: RequestPlace) -> After {
    (ts.0, conn, n, id.0, pos, ordinal)
}

fn read((ts, conn, n, id, pos, ordinal): After) -> RequestPlace {
    RequestPlace { ts: Micros(ts), conn, n, id: Id(id), arrival: Arrival { pos, ordinal } }
}

/// `GET /sessions/{id}/requests`: in the order in which they began.
pub(super) async fn of_session(
    State(api): State<Api>,
    IdInPath(id): IdInPath,
    params: Params,
) -> Result<Json<Requests>, Problem> {
    let params = params.only(OF_SESSION)?;
    let api = api.within(&params)?;
    let (order, descending) = params.order(&BY_TIME)?;
    let narrowed = api.narrowed(&params).await?;
    let list = format!("requests of {id} by {order}, {}", narrowed.fingerprint());
    let (walk, after) = api.walk::<After>(&params, list)?;
    let (day, as_of, first) = (walk.asked.day, walk.as_of, after.is_none());
    if day.is_some_and(|day| day < api.oldest().day()) {
        return Err(api.no_session(id, day));
    }
    let query = RequestsQuery { session: Some(id), descending, ..RequestsQuery::default() };
    let page = api.by_time(query, narrowed, walk, after, params.page_size()?).await?;
    if page.requests.is_empty() && first {
        api.is_session(id, day, as_of).await?;
    }
    Ok(Json(page))
}

/// `GET /sessions/{id}/requests/count`.
pub(super) async fn count_of_session(
    State(api): State<Api>,
    IdInPath(id): IdInPath,
    params: Params,
) -> Result<Json<Count>, Problem> {
    let params = params.only(COUNTED_OF_SESSION)?;
    let api = api.within(&params)?;
    let day = params.day()?;
    let Json(counted) = api.count_requests(Some(id), &params).await?;
    if counted.is_empty() {
        api.is_session(id, day, api.shared.store.position()).await?;
    }
    Ok(Json(counted))
}

/// `GET /requests/count`.
pub(super) async fn count(State(api): State<Api>, params: Params) -> Result<Json<Count>, Problem> {
    let params = params.only(COUNTED)?;
    api.within(&params)?.count_requests(None, &params).await
}

/// `GET /requests`: those of all sessions, the last first unless asked otherwise, or as they arrive.
pub(super) async fn list(State(api): State<Api>, params: Params) -> Result<Json<Requests>, Problem> {
    if params.text("order_by") == Some("arrival") {
        return by_arrival(api, params).await;
    }
    let params = params.only(LISTED)?;
    let api = api.within(&params)?;
    let (order, descending) = params.order(&ACROSS)?;
    let narrowed = api.narrowed(&params).await?;
    let list = format!("requests by {order}, {}", narrowed.fingerprint());
    let (walk, after) = api.walk::<After>(&params, list)?;
    let query = RequestsQuery { descending, ..RequestsQuery::default() };
    api.by_time(query, narrowed, walk, after, params.page_size()?).await.map(Json)
}

impl Api {
    /// A page of requests in the order in which they began.
    async fn by_time(
        &self,
        query: RequestsQuery,
        narrowed: Narrowed,
        walk: Walk,
        after: Option<After>,
        size: usize,
    ) -> Result<Requests, Problem> {
        let query = RequestsQuery {
            window: walk.asked.window(walk.oldest),
            filter: narrowed.filter(),
            as_of: walk.as_of,
            after: after.map(read),
            limit: size,
            ..query
        };
        let found = self.ask(move |store| {
            let RequestsPage { requests, next } = store.requests(&query)?;
            let hidden = hidden_requests(store, &RequestsQuery { until: next, ..query }, &narrowed)?;
            Ok((requests, hidden, next))
        });
        let (mut requests, hidden, next) = found.await?;
        self.show_requests(&mut requests).await?;
        let next_page_token = next.map(|next| walk.token(written(next))).transpose()?;
        Ok(Requests { requests, hidden: Some(hidden), next_page_token })
    }

    async fn count_requests(&self, session: Option<Id>, params: &Params) -> Result<Json<Count>, Problem> {
        let narrowed = self.narrowed(params).await?;
        let query = RequestsQuery {
            session,
            window: params.asked()?.window(self.oldest()),
            filter: narrowed.filter(),
            as_of: self.shared.store.position(),
            ..RequestsQuery::default()
        };
        let counted =
            self.ask(move |store| Ok((store.count_requests(&query)?, hidden_requests(store, &query, &narrowed)?)));
        let (count, hidden) = counted.await?;
        Ok(Json(Count::new(count, hidden)))
    }

    /// Whether there was such a session, or such a part of it, in a state: an answer about it is empty.
    async fn is_session(&self, id: Id, day: Option<Day>, as_of: Position) -> Result<(), Problem> {
        let parts = self.ask(move |store| store.parts(id, as_of)).await?;
        match parts.iter().any(|part| day.is_none_or(|day| part.day == day)) {
            true => Ok(()),
            false => Err(self.no_session(id, day)),
        }
    }
}

/// How many requests a list leaves out because they are noise.
pub(super) fn hidden_requests(
    store: &dyn Store,
    query: &RequestsQuery,
    narrowed: &Narrowed,
) -> Result<u64, StoreError> {
    match narrowed.hidden() {
        Some(filter) => store.count_requests(&RequestsQuery { filter: Some(filter), ..query.clone() }),
        None => Ok(0),
    }
}

/// `GET /requests?order_by=arrival`: requests of all sessions as they arrive.
///
/// The first page holds the newest; each `next_page_token` leads to those that came after, of
/// which there may be none yet: the list has no end. It is null only while nothing ever arrived.
async fn by_arrival(api: Api, params: Params) -> Result<Json<Requests>, Problem> {
    let params = params.only(&["order_by", "filter", "noise", "page_size", "page_token"])?;
    let size = params.page_size()?;
    let narrowed = api.narrowed_arrivals(&params).await?;
    let list = format!("requests by arrival, {}", narrowed.fingerprint());
    let after = match params.text("page_token") {
        Some(token) => {
            let now = api.shared.clock.now();
            let (_, (pos, ordinal)) = Walk::resume::<(u64, u32)>(token, &list, Asked::default(), Some(now))?;
            let after = Arrival { pos, ordinal };
            if api.is_of_another_log(after) {
                let detail = "it is a place in a log that was here before; begin with the first page";
                return Err(Problem::page_token(detail));
            }
            Some(after)
        }
        None => None,
    };
    let query = TailQuery { after, filter: narrowed.filter(), limit: size, ..TailQuery::default() };
    let mut tailed = api.ask(move |store| store.tail(&query)).await?;
    api.show_requests(&mut tailed.requests).await?;
    // Nothing is frozen here, so each page begins its own ten minutes.
    let walk = Walk { list, asked: Asked::default(), issued: api.shared.clock.now(), oldest: api.oldest(), as_of: 0 };
    let next_page_token = match tailed.last {
        Some(last) => Some(walk.token((last.pos, last.ordinal))?),
        None => None,
    };
    Ok(Json(Requests { requests: tailed.requests, hidden: None, next_page_token }))
}

/// `GET /requests/{id}`.
pub(super) async fn one(
    State(api): State<Api>,
    IdInPath(id): IdInPath,
    params: Params,
) -> Result<Json<Request>, Problem> {
    params.only(&[])?;
    let mut request = api.request(id).await?;
    api.show_requests(std::slice::from_mut(&mut request)).await?;
    Ok(Json(request))
}

impl Api {
    /// A request that is kept.
    pub(super) async fn request(&self, id: Id) -> Result<Request, Problem> {
        let oldest = self.oldest();
        let found = self.ask(move |store| store.request(id)).await?.filter(|request| request.ts >= oldest);
        match found {
            Some(request) => Ok(request),
            None if time_of(id).is_some_and(|time| time < oldest) => {
                Err(Problem::gone(format!("request {id} is no longer kept; the oldest day kept is {}", oldest.day())))
            }
            None => {
                Err(Problem::not_found(format!("there is no request {id} in the days kept, from {} on", oldest.day())))
            }
        }
    }

    /// Puts beside requests what the store does not hold: what is usual of them, and their labels.
    pub(super) async fn show_requests(&self, requests: &mut [Request]) -> Result<(), Problem> {
        for request in requests.iter_mut() {
            request.usual = self.shared.baselines.usual(request);
        }
        self.label_requests(requests).await
    }
}

/// The time that a UUIDv7 holds (RFC 9562, section 5.7): milliseconds in its first 48 bits.
fn time_of(id: Id) -> Option<Micros> {
    let id = u128::from_be_bytes(id.0);
    let version = (id >> 76) & 0xf;
    let variant = (id >> 62) & 0x3;
    let millis = i64::try_from(id >> 80).ok()?;
    (version == 7 && variant == 2).then(|| Micros(millis * 1000))
}
