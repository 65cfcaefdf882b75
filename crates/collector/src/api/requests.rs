//! Requests: those of a session, one by its id, and all as they arrive.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::examples;
use super::page::Walk;
use super::params::{Asked, IdInPath, Params};
use super::{Api, Problem};
use crate::model::{Id, Micros, Request};
use crate::store::{Arrival, RequestsQuery, TailQuery};

#[derive(Serialize, JsonSchema)]
pub(super) struct Requests {
    requests: Vec<Request>,
    next_page_token: Option<String>,
}

impl Requests {
    pub(super) fn example() -> Self {
        Self { requests: vec![examples::request()], next_page_token: None }
    }
}

/// `GET /sessions/{id}/requests`: in the order in which they began.
pub(super) async fn of_session(
    State(api): State<Api>,
    IdInPath(id): IdInPath,
    params: Params,
) -> Result<Json<Requests>, Problem> {
    let params = params.only(&["from", "to", "day", "page_size", "page_token", "order_by"])?;
    params.order("ts")?;
    let size = params.page_size()?;
    let (walk, after) = api.walk::<(i64, u64, u64, [u8; 16])>(&params, format!("requests of {id}"))?;
    let day = walk.asked.day;
    if day.is_some_and(|day| day < api.oldest().day()) {
        return Err(api.no_session(id, day));
    }
    let first = after.is_none();
    let query = RequestsQuery {
        session: id,
        window: walk.asked.window(walk.oldest),
        as_of: walk.as_of,
        after: after.map(|(ts, conn, n, id)| (Micros(ts), conn, n, Id(id))),
        limit: size + 1,
    };
    let mut requests = api.ask(move |store| store.requests(&query)).await?;
    if requests.is_empty() && first {
        // Nothing in this window, or no such session?
        let as_of = walk.as_of;
        let parts = api.ask(move |store| store.parts(id, as_of)).await?;
        if !parts.iter().any(|part| day.is_none_or(|day| part.day == day)) {
            return Err(api.no_session(id, day));
        }
    }
    let more = requests.len() > size;
    requests.truncate(size);
    api.show_requests(&mut requests).await?;
    let next_page_token = match requests.last() {
        Some(last) if more => Some(walk.token((last.ts.0, last.conn, last.n, last.id.0))?),
        _ => None,
    };
    Ok(Json(Requests { requests, next_page_token }))
}

/// `GET /requests?order_by=arrival`: requests of all sessions as they arrive.
///
/// The first page holds the newest; each `next_page_token` leads to those that came after, of
/// which there may be none yet: the list has no end. It is null only while nothing ever arrived.
pub(super) async fn by_arrival(State(api): State<Api>, params: Params) -> Result<Json<Requests>, Problem> {
    let params = params.only(&["order_by", "page_size", "page_token"])?;
    if params.text("order_by").is_none() {
        return Err(Problem::parameter(
            "order_by",
            "across sessions there is only the order `arrival` so far: name it",
        ));
    }
    params.order("arrival")?;
    let size = params.page_size()?;
    let list = "requests by arrival";
    let after = match params.text("page_token") {
        Some(token) => {
            let now = api.shared.clock.now();
            let (_, (pos, ordinal)) = Walk::resume::<(u64, u32)>(token, list, Asked::default(), now)?;
            Some(Arrival { pos, ordinal })
        }
        None => None,
    };
    let mut tailed = api.ask(move |store| store.tail(&TailQuery { after, limit: size })).await?;
    api.show_requests(&mut tailed.requests).await?;
    // Nothing is frozen here, so each page begins its own ten minutes.
    let walk = Walk {
        list: list.to_owned(),
        asked: Asked::default(),
        issued: api.shared.clock.now(),
        oldest: api.oldest(),
        as_of: 0,
    };
    let next_page_token = match tailed.last {
        Some(last) => Some(walk.token((last.pos, last.ordinal))?),
        None => None,
    };
    Ok(Json(Requests { requests: tailed.requests, next_page_token }))
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
