//! Requests as they arrive, pushed to the reader: `GET /stream`, server-sent events.
//!
//! Each reader has a place in the order of arrival and is sent what comes after it, a page at a time,
//! the next when it has taken this one. So a slow one holds nothing but its place. Who falls behind by
//! more than [`BEHIND`] requests goes on with the newest and is told from when to when it missed some.
//! An event's id continues the stream where it broke off, however long ago: an event `begin` has the first.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::narrow::Narrowed;
use super::page::Walk;
use super::params::{Asked, Params};
use super::{Api, Problem};
use crate::model::Micros;
use crate::store::{Arrival, TailQuery, Tailed};

/// Readers at a time.
pub(super) const READERS: usize = 16;
/// Requests asked for at a time.
const PAGE: usize = 1000;
/// Requests that a reader may be behind.
const BEHIND: usize = 10_000;
/// Between looks, when nothing new is there.
const PAUSE: Duration = Duration::from_millis(500);
/// Between signs of life.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Tells streams that the server stops: they have no end of their own.
#[derive(Clone, Debug)]
pub(super) struct Stopping(pub(super) watch::Receiver<bool>);

/// `GET /stream`: requests of all sessions from now on, or from the event on that `Last-Event-ID` names.
pub(super) async fn stream(
    State(api): State<Api>,
    stopping: Option<Extension<Stopping>>,
    headers: HeaderMap,
    params: Params,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let params = params.only(&["filter", "noise"])?;
    let narrowed = api.narrowed_arrivals(&params).await?;
    let list = format!("stream, {}", narrowed.fingerprint());
    let slot = Arc::clone(&api.streams).try_acquire_owned().map_err(|_| Problem::busy())?;
    let last = match headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default()) {
        Some(id) => {
            let (_, (pos, ordinal)) = Walk::resume(id, &list, Asked::default(), None)?;
            Some(Arrival { pos, ordinal })
        }
        None => None,
    };
    let known = last.filter(|&last| !api.is_of_another_log(last));
    let missed = (known != last).then(|| missed(None, None));
    let after = match known {
        Some(_) => known,
        None => api.tail(&TailQuery { limit: 1, ..TailQuery::default() }).await?.last,
    };
    let reader =
        Reader { api, stopping: stopping.map(|Extension(stopping)| stopping), narrowed, list, after, _slot: slot };
    let begin = reader.begin()?;
    let events = stream::unfold(reader, Reader::next).flat_map(|events| stream::iter(events.into_iter().map(Ok)));
    let events = stream::iter(begin.into_iter().chain(missed).map(Ok)).chain(events);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// Requests were left out: when the first of them began, and the first behind them, where that is known.
fn missed(from: Option<Micros>, to: Option<Micros>) -> Event {
    Event::default().event("missed").data(json!({ "from": from, "to": to }).to_string())
}

/// A reader of the stream.
struct Reader {
    api: Api,
    stopping: Option<Stopping>,
    narrowed: Narrowed,
    /// What ids of events are tokens for.
    list: String,
    after: Option<Arrival>,
    _slot: OwnedSemaphorePermit,
}

impl Reader {
    /// Tells the place to go on from before the first request has one.
    fn begin(&self) -> Result<Option<Event>, Problem> {
        let Some(after) = self.after else { return Ok(None) };
        let data = json!({ "at": self.api.shared.clock.now() });
        Ok(Some(Event::default().event("begin").data(data.to_string()).id(self.place(after)?)))
    }

    /// The next events; none after a failure, and when the server stops.
    async fn next(mut self) -> Option<(Vec<Event>, Self)> {
        loop {
            let events = match self.look().await {
                Ok(events) => events,
                Err(problem) => {
                    tracing::warn!(?problem, "a stream ended");
                    return None;
                }
            };
            if !events.is_empty() {
                return Some((events, self));
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stopped(self.stopping.as_mut()) => return None,
            }
        }
    }

    async fn look(&mut self) -> Result<Vec<Event>, Problem> {
        let mut events = Vec::new();
        // Labels may have been given meanwhile.
        self.narrowed = self.api.looked_up(self.narrowed.clone()).await?;
        let mut page = self.tail(self.after, PAGE).await?;
        let left = BEHIND.saturating_sub(page.requests.len());
        if page.more && self.behind(page.last, left).await? >= left {
            let from = page.requests.first().map(|request| request.ts);
            page = self.tail(None, PAGE).await?;
            events.push(missed(from, page.requests.first().map(|request| request.ts)));
        }
        let Tailed { requests, arrivals, last, .. } = page;
        for (request, arrival) in requests.into_iter().zip(arrivals) {
            let data = serde_json::to_string(&request).map_err(|_| Problem::internal())?;
            events.push(Event::default().event("request").data(data).id(self.place(arrival)?));
        }
        self.after = last.or(self.after);
        Ok(events)
    }
}

async fn stopped(stopping: Option<&mut Stopping>) {
    match stopping {
        Some(Stopping(stopping)) => {
            // An error means that the server is gone.
            let _ = stopping.wait_for(|&stopped| stopped).await;
        }
        None => std::future::pending().await,
    }
}

impl Reader {
    async fn tail(&self, after: Option<Arrival>, limit: usize) -> Result<Tailed, Problem> {
        self.api.tail(&self.query(after, limit)).await
    }

    /// How many requests there are behind a place, at most so many.
    async fn behind(&self, after: Option<Arrival>, most: usize) -> Result<usize, Problem> {
        let query = self.query(after, most);
        self.api.ask(move |store| store.behind(&query)).await
    }

    fn query(&self, after: Option<Arrival>, limit: usize) -> TailQuery {
        TailQuery { after, filter: self.narrowed.filter(), limit, ..TailQuery::default() }
    }

    /// The id of an event, from which the stream goes on.
    fn place(&self, last: Arrival) -> Result<String, Problem> {
        let (issued, oldest) = (self.api.shared.clock.now(), Micros(0));
        let walk = Walk { list: self.list.clone(), asked: Asked::default(), issued, oldest, as_of: 0 };
        walk.token((last.pos, last.ordinal))
    }
}

impl Api {
    async fn tail(&self, query: &TailQuery) -> Result<Tailed, Problem> {
        let query = query.clone();
        self.ask(move |store| store.tail(&query)).await
    }
}
