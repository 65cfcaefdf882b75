mod bundles;
mod endpoints;
mod export;
mod labels;
mod noise;
mod notes;
mod openapi;
mod pseudonym;
mod queries;
mod stats;
mod story;
mod stream;

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;
use wire::NodeReport;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::desk::Desk;
use crate::model::{Id, Who};
use crate::store::memory::MemoryStore;
use crate::store::{Arrival, Batch, DayBatch, Position, Row, Store};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;
/// 2026-03-10T12:00:00Z
const NOW: i64 = 1_773_144_000 * SECOND;

struct Server {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    shared: Shared,
    router: Router,
    _folder: tempfile::TempDir,
}

/// On a thread of its own: the runtime of a test is busy with whoever asks.
fn open_desk(folder: &std::path::Path) -> Desk {
    let open =
        || tokio::runtime::Runtime::new().unwrap().block_on(Desk::open(&folder.join("settings.db"), folder)).unwrap();
    std::thread::scope(|scope| scope.spawn(open).join().unwrap())
}

impl Server {
    fn new() -> Self {
        let store = Arc::new(MemoryStore::default());
        let clock = Arc::new(ManualClock::new(Micros(NOW)));
        let folder = tempfile::tempdir().unwrap();
        let shared = Shared {
            store: store.clone(),
            desk: open_desk(folder.path()),
            secret: None,
            baselines: Arc::default(),
            noise: Arc::default(),
            nodes: Arc::default(),
            metrics: Arc::default(),
            readiness: Arc::default(),
            clock: clock.clone(),
        };
        let router = router(shared.clone(), Limits::default());
        Self { store, clock, shared, router, _folder: folder }
    }

    /// Puts requests of sessions in, `(session, start)` each, as one log record.
    fn put(&self, requests: &[(u8, i64)]) {
        let pos = self.store.position();
        let rows = (0..).zip(requests);
        self.put_rows(rows.map(|(ordinal, &(session, ts))| row(Arrival { pos, ordinal }, session, ts)));
    }

    /// Puts rows in, as one log record.
    fn put_rows(&self, rows: impl IntoIterator<Item = Row>) {
        let pos = self.store.position();
        let mut batch = Batch { from: pos, to: pos + 1, ..Batch::default() };
        for row in rows {
            let day: &mut DayBatch = batch.days.entry(row.request.ts.day()).or_default();
            day.rows.push(row);
        }
        self.store.apply(&batch).unwrap();
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, String, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let body = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        (status, kind, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Asks for a change; status and answer.
    async fn change(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}")).header("host", "localhost");
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
        self.answer(request.body(body).unwrap()).await
    }

    async fn answer(&self, request: Request<Body>) -> (u16, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> (StatusCode, String, Value) {
        let uri = if path.starts_with("//") { path[1..].to_owned() } else { format!("/api/v1{path}") };
        self.send(Request::get(uri).header("host", "localhost:8484").body(Body::empty()).unwrap()).await
    }

    async fn ok(&self, path: &str) -> Value {
        let (status, kind, body) = self.get(path).await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/json"), "{path}: {body}");
        body
    }

    async fn problem(&self, path: &str, status: u16) -> Value {
        let (got, kind, body) = self.get(path).await;
        assert_eq!((got.as_u16(), kind.as_str()), (status, "application/problem+json"), "{path}: {body}");
        assert_eq!(body["status"], status);
        for field in ["type", "title", "detail"] {
            assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "{path}: no {field} in {body}");
        }
        body
    }
}

fn session(n: u8) -> Id {
    Id([n; 16])
}

/// A UUIDv7 of the request's time.
fn request_id(at: Arrival, ts: i64) -> Id {
    let random = u128::from(at.pos) << 8 | u128::from(at.ordinal);
    Id((((ts / 1000) as u128) << 80 | 7 << 76 | 2 << 62 | random).to_be_bytes())
}

fn row(arrival: Arrival, n: u8, ts: i64) -> Row {
    let request = crate::model::Request {
        id: request_id(arrival, ts),
        session_id: session(n),
        ts: Micros(ts),
        method: "GET".to_owned(),
        host: "shop".to_owned(),
        path: "/cart".to_owned(),
        status: 200,
        user_agent: "agent".to_owned(),
        conn: 1,
        n: u64::from(arrival.ordinal),
        ..Default::default()
    };
    Row { arrival, request, user: Some(Who { value: format!("user-{n}"), hashed: false }), ..Row::default() }
}

fn ids(list: &Value) -> Vec<String> {
    let rows = list["sessions"].as_array().or(list["requests"].as_array()).unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn sessions_are_listed_the_last_seen_first() {
    let server = Server::new();
    server.put(&[(1, NOW - HOUR), (2, NOW - 2 * HOUR), (3, NOW - SECOND), (1, NOW - 3 * HOUR)]);
    let list = server.ok("/sessions?order_by=last_seen+desc").await;
    assert_eq!(ids(&list), [3, 1, 2].map(|n| session(n).to_string()));
    assert_eq!(list["next_page_token"], Value::Null);
    let first = &list["sessions"][1];
    assert_eq!(first["requests"], 2);
    assert_eq!(first["matched"], Value::Null);
    assert_eq!(first["last_seen"], "2026-03-10T11:00:00.000000Z");
    assert_eq!(first["user"]["value"], "user-1");
}

#[tokio::test]
async fn a_user_names_the_session_for_its_requests_before_and_after_and_the_last_seen_leads() {
    let server = Server::new();
    let named = [None, Some("ada"), None, Some("bela"), Some("ada"), Some("bela"), None];
    server.put_rows((0..).zip(named).map(|(n, user)| {
        let who = user.map(|user| Who { value: user.to_owned(), hashed: false });
        let role = who.clone().map(|who| Who { value: format!("role of {}", who.value), ..who });
        Row { user: who, role, ..row(Arrival { pos: 0, ordinal: n }, 1, NOW - HOUR + i64::from(n)) }
    }));
    let session = &server.ok("/sessions").await["sessions"][0];
    assert_eq!((&session["requests"], &session["user_count"]), (&7.into(), &2.into()));
    assert_eq!((&session["user"]["value"], &session["role"]["value"]), (&"bela".into(), &"role of bela".into()));
    let values =
        |name: &str| session[name].as_array().unwrap().iter().map(|who| who["value"].clone()).collect::<Vec<_>>();
    assert_eq!(values("users"), ["bela", "ada"]);
    assert_eq!(values("roles"), ["role of bela", "role of ada"]);
}

#[tokio::test]
async fn sessions_of_ai_agents_are_listed_apart() {
    let server = Server::new();
    let call =
        crate::model::Mcp { method: "tools/call".to_owned(), primitive: "search".to_owned(), ..Default::default() };
    server.put_rows((0..9).map(|n| {
        let mut row = row(Arrival { pos: 0, ordinal: n }, (n % 3) as u8, NOW - HOUR + i64::from(n));
        // Of the first two sessions one request each.
        row.request.mcp = Some(call.clone()).filter(|_| n < 2);
        row
    }));
    let with = server.ok("/sessions?mcp=true").await;
    assert_eq!(ids(&with), [1, 0].map(|n| session(n).to_string()));
    assert_eq!((&with["sessions"][0]["mcp"], &with["sessions"][0]["matched"]), (&true.into(), &3.into()));
    assert_eq!(ids(&server.ok("/sessions?mcp=false").await), [session(2).to_string()]);
    let requests = server.ok(&format!("/sessions/{}/requests", session(1))).await;
    let calls = requests["requests"].as_array().unwrap().iter().map(|request| &request["mcp"]["primitive"]);
    assert_eq!(calls.collect::<Vec<_>>(), [&Value::from("search"), &Value::Null, &Value::Null]);

    let page = server.ok("/sessions?mcp=true&page_size=1").await;
    let token = page["next_page_token"].as_str().unwrap();
    let next = server.ok(&format!("/sessions?mcp=true&page_size=1&page_token={token}")).await;
    assert_eq!(ids(&next), [session(0).to_string()]);
    for other in ["", "mcp=false&"] {
        server.problem(&format!("/sessions?{other}page_token={token}"), 400).await;
    }
    assert_eq!(server.problem("/sessions?mcp=yes", 400).await["parameter"], "mcp");
}

#[tokio::test]
async fn a_window_leaves_sessions_with_a_request_in_it_and_counts_those() {
    let server = Server::new();
    server.put(&[(1, NOW - HOUR), (1, NOW - 3 * HOUR), (2, NOW - 3 * HOUR)]);
    let list = server.ok("/sessions?from=2026-03-10T10:30:00Z&to=2026-03-10T12:30:00%2B01:00").await;
    assert_eq!(ids(&list), [session(1).to_string()]);
    assert_eq!((&list["sessions"][0]["requests"], &list["sessions"][0]["matched"]), (&2.into(), &1.into()));
}

#[tokio::test]
async fn nothing_older_than_seven_days_is_shown() {
    let server = Server::new();
    let oldest = Micros(NOW).day().start().0 - 6 * DAY;
    server.put(&[(1, oldest - 1), (2, oldest), (3, NOW), (3, oldest - 1)]);
    assert_eq!(ids(&server.ok("/sessions").await), [3, 2].map(|n| session(n).to_string()));
    assert_eq!(ids(&server.ok("/sessions?from=2020-01-01T00:00:00Z").await).len(), 2);
    assert_eq!(server.ok(&format!("/sessions/{}", session(3))).await["parts"].as_array().unwrap().len(), 1);
    assert_eq!(ids(&server.ok(&format!("/sessions/{}/requests", session(3))).await).len(), 1);
    server.problem(&format!("/sessions/{}", session(1)), 404).await;
    let old = request_id(Arrival { pos: 0, ordinal: 0 }, oldest - 1);
    server.problem(&format!("/requests/{old}"), 410).await;
}

#[tokio::test]
async fn a_walk_through_pages_gives_each_session_once_while_requests_arrive() {
    let server = Server::new();
    for n in 0..30 {
        server.put(&[(n, NOW - DAY - i64::from(n % 5) * SECOND), (n, NOW - 2 * DAY)]);
    }
    let before: HashSet<(String, String)> = parts_of(&server.ok("/sessions?page_size=1000").await).collect();
    assert_eq!(before.len(), 60);
    let (mut seen, mut path, mut more) = (Vec::new(), "/sessions?page_size=7".to_owned(), 0);
    loop {
        let page = server.ok(&path).await;
        seen.extend(parts_of(&page));
        // Sessions come to the top of the list, others appear, and a part of another day grows.
        server.put(&[(more % 30, NOW + i64::from(more)), (100 + more, NOW), (more % 30, NOW - DAY)]);
        more += 1;
        let Some(token) = page["next_page_token"].as_str() else { break };
        path = format!("/sessions?page_size=7&page_token={token}");
    }
    assert_eq!(seen.len(), 60);
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), before);
}

fn parts_of(list: &Value) -> impl Iterator<Item = (String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(move |s| (text(&s["id"]), text(&s["day"])))
        .collect::<Vec<_>>()
        .into_iter()
}

#[tokio::test]
async fn a_session_has_all_its_parts_and_all_its_requests_in_order() {
    let server = Server::new();
    server.put(&[(1, NOW), (1, NOW - DAY), (1, NOW - DAY - HOUR), (2, NOW)]);
    server.put(&[(1, NOW - HOUR)]);
    let id = session(1);
    let whole = server.ok(&format!("/sessions/{id}")).await;
    assert_eq!(whole["id"], id.to_string());
    assert_eq!(whole["parts"].as_array().unwrap().len(), 2);
    assert_eq!(server.ok(&format!("/sessions/{id}?day=2026-03-09")).await["parts"][0]["day"], "2026-03-09");
    assert_eq!(ids(&server.ok(&format!("/sessions/{id}/requests?day=2026-03-09")).await).len(), 2);

    let (mut starts, mut path) = (Vec::new(), format!("/sessions/{id}/requests?page_size=1"));
    while let Some(page) = Some(server.ok(&path).await) {
        starts.extend(page["requests"].as_array().unwrap().iter().map(|r| r["ts"].as_str().unwrap().to_owned()));
        server.put(&[(1, NOW + HOUR)]);
        let Some(token) = page["next_page_token"].as_str() else { break };
        path = format!("/sessions/{id}/requests?page_size=1&page_token={token}");
    }
    let expected = [-DAY - HOUR, -DAY, -HOUR, 0].map(|ago| Micros(NOW + ago).to_string());
    assert_eq!(starts, expected);
}

#[tokio::test]
async fn a_window_without_requests_is_empty_but_an_unknown_session_is_not_found() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    let path = |n| format!("/sessions/{}/requests?to=2026-03-10T00:00:00Z", session(n));
    assert!(ids(&server.ok(&path(1)).await).is_empty());
    server.problem(&path(2), 404).await;
    server.problem(&format!("/sessions/{}/requests?day=2026-03-09", session(1)), 404).await;
}

#[tokio::test]
async fn what_is_past_its_week_is_gone_and_what_never_was_is_not_found() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    let at = Arrival { pos: 9, ordinal: 9 };
    let detail = server.problem(&format!("/requests/{}", request_id(at, NOW - 8 * DAY)), 410).await;
    assert!(detail["detail"].as_str().unwrap().contains("2026-03-04"), "{detail}");
    server.problem(&format!("/requests/{}", request_id(at, NOW)), 404).await;
    // Not in UUIDv7 layout: it tells no time.
    server.problem(&format!("/requests/{}", Id([1; 16])), 404).await;
    server.problem(&format!("/sessions/{}?day=2026-03-03", session(1)), 410).await;
    server.problem(&format!("/sessions/{}/requests?day=2026-03-03", session(1)), 410).await;
    server.problem(&format!("/sessions/{}?day=2026-03-04", session(1)), 404).await;
    server.problem(&format!("/sessions/{}", session(7)), 404).await;
}

#[tokio::test]
async fn one_request_is_found_by_its_id() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    let id = request_id(Arrival { pos: 0, ordinal: 0 }, NOW);
    let found = server.ok(&format!("/requests/{id}")).await;
    assert_eq!((found["id"].as_str(), found["path"].as_str()), (Some(id.to_string().as_str()), Some("/cart")));
}

#[tokio::test]
async fn requests_can_be_followed_as_they_arrive() {
    let server = Server::new();
    assert_eq!(server.ok("/requests?order_by=arrival").await["next_page_token"], Value::Null);
    server.put(&[(1, NOW), (2, NOW - HOUR)]);
    server.put(&[(3, NOW)]);
    let newest = server.ok("/requests?order_by=arrival&page_size=2").await;
    let sessions = |page: &Value| {
        let rows = page["requests"].as_array().unwrap().iter();
        rows.map(|r| r["session_id"].as_str().unwrap()[..2].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(sessions(&newest), ["02", "03"]);
    let mut token = newest["next_page_token"].as_str().unwrap().to_owned();
    for n in 4..7 {
        // A late one, that began long before those already shown.
        server.put(&[(n, NOW - DAY)]);
        server.clock.advance(Duration::from_secs(500));
        let page = server.ok(&format!("/requests?order_by=arrival&page_token={token}")).await;
        assert_eq!(sessions(&page), [format!("0{n}")]);
        token = page["next_page_token"].as_str().unwrap().to_owned();
    }
    assert!(sessions(&server.ok(&format!("/requests?order_by=arrival&page_token={token}")).await).is_empty());
}

#[tokio::test]
async fn bad_input_gets_a_problem_that_names_the_parameter() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    let id = session(1);
    let cases = [
        ("/sessions?form=2026-03-10T00:00:00Z", "form", "those here are from, to"),
        ("/sessions?page_size=5&page_size=6", "page_size", "more than once"),
        ("/sessions?page_size=0", "page_size", "1 to 1000"),
        ("/sessions?page_size=1001", "page_size", "1 to 1000"),
        ("/sessions?page_size=many", "page_size", "1 to 1000"),
        ("/sessions?order_by=path", "order_by", "those are `last_seen desc`, `last_seen asc`"),
        ("/sessions?order_by=last_seen+down", "order_by", "those are `last_seen desc`, `last_seen asc`"),
        ("/requests?order_by=status", "order_by", "those are `ts desc`, `ts asc`, `ts`, `arrival`"),
        ("/requests?order_by=arrival&from=2026-03-10T00:00:00Z", "from", "those here are order_by, filter"),
        ("/requests?order_by=arrival&filter=session.requests%3E5", "filter", "nothing is known of their sessions"),
        ("/sessions?timeout=31", "timeout", "no number of seconds from 1 to 30"),
        ("/fields?timeout=0", "timeout", "no number of seconds from 1 to 30"),
        ("/sessions/count?page_size=5", "page_size", "those here are from, to, filter, noise, mcp"),
        ("/sessions?from=yesterday", "from", "RFC 3339"),
        ("/sessions?from=2026-03-10", "from", "RFC 3339"),
        ("/sessions?from=2026-03-10T00:00:00", "from", "RFC 3339"),
        ("/sessions?from=2026-03-10T00:00:00Z[UTC]", "from", "RFC 3339"),
        ("/sessions?to=2026-03-10T00:00:00+01:00", "to", "%2B"),
        ("/sessions?from=2026-03-10T00:00:00Z&to=2026-03-10T00:00:00Z", "to", "after `from`"),
        ("/sessions?page_token=", "page_token", "damaged"),
        ("/sessions?page_token=abc", "page_token", "damaged"),
        ("/sessions?page_token=%00", "page_token", "damaged"),
        ("/sessions?day=2026-03-10", "day", "no parameter is called"),
        ("/sessions/123", "id", "32 hex digits"),
        ("/sessions/zz000000000000000000000000000000", "id", "32 hex digits"),
        ("/requests/%20", "id", "32 hex digits"),
        ("/sessions/123/requests", "id", "32 hex digits"),
        ("/sessions/%ff", "id", "32 hex digits"),
        ("/sessions/%ff/requests", "id", "32 hex digits"),
        ("/requests/%ff", "id", "32 hex digits"),
        ("/nodes?x=1", "x", "there are none here"),
        ("/healthz?x=1", "x", "there are none here"),
    ];
    for (path, parameter, needle) in cases {
        let problem = server.problem(path, 400).await;
        assert_eq!(problem["parameter"], parameter, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(needle), "{path}: {problem}");
    }
    for day in ["2026-3-10", "2026-02-30", "today"] {
        let problem = server.problem(&format!("/sessions/{id}/requests?day={day}"), 400).await;
        assert_eq!(problem["parameter"], "day", "{problem}");
    }
    server.problem("/nothing", 404).await;
    server.problem("//openapi.json", 404).await;
}

#[tokio::test]
async fn a_bad_filter_is_told_with_its_place() {
    let server = Server::new();
    let list = format!("/sessions/{}/requests", session(1));
    for address in ["/sessions", "/sessions/count", "/requests", &list] {
        let problem = server.problem(&format!("{address}?filter=%C3%A9+AND+status%3E%3D700"), 400).await;
        assert_eq!(problem["parameter"], "filter");
        assert_eq!((problem["offset"].as_u64(), problem["length"].as_u64()), (Some(15), Some(3)));
        assert_eq!(problem["detail"].as_str().unwrap().split(';').next(), Some("at byte 15: `700` is no status"));
    }
    let long = server.problem(&format!("/sessions?filter=user%3D{}", "x".repeat(50_000)), 400).await;
    assert!(long["detail"].as_str().unwrap().contains("a filter may have 8192"), "{long}");
}

#[tokio::test]
async fn a_filter_leaves_the_same_requests_in_every_list() {
    let server = Server::new();
    server.put(&[(1, NOW), (1, NOW - SECOND), (2, NOW), (3, NOW - DAY)]);
    let at = Arrival { pos: server.store.position(), ordinal: 0 };
    let mut failed = row(at, 1, NOW - HOUR);
    failed.request.status = 500;
    server.put_rows([failed]);

    let found = server.ok("/sessions?filter=status%3D5xx").await;
    assert_eq!(ids(&found), [session(1).to_string()]);
    assert_eq!(
        (found["sessions"][0]["matched"].as_u64(), found["sessions"][0]["requests"].as_u64()),
        (Some(1), Some(3))
    );
    assert_eq!(server.ok("/sessions/count?filter=status%3D5xx").await["count"], 1);
    assert_eq!(server.ok("/sessions/count?filter=none(status%3D5xx)").await["count"], 2);
    assert_eq!(server.ok("/sessions/count").await["count"], 3);
    assert_eq!(ids(&server.ok("/requests?filter=status%3D5xx").await), [request_id(at, NOW - HOUR).to_string()]);
    assert_eq!(ids(&server.ok("/requests?filter=session.requests%3E1+AND+status%3C500").await).len(), 2);
    assert_eq!(ids(&server.ok("/requests?order_by=arrival&filter=status%3D500").await).len(), 1);
    let of = |n: u8, filter: &str| format!("/sessions/{}/requests?filter={filter}", session(n));
    assert_eq!(ids(&server.ok(&of(1, "status%3D5xx")).await).len(), 1);
    assert!(ids(&server.ok(&of(2, "status%3D5xx")).await).is_empty());
    assert_eq!(ids(&server.ok("/sessions?filter=++").await).len(), 3);
}

#[tokio::test]
async fn fields_are_told_with_their_operators_and_their_commonest_values() {
    let server = Server::new();
    let all = server.ok("/fields").await;
    let fields = all["fields"].as_array().unwrap();
    let status = fields.iter().find(|field| field["name"] == "status").unwrap();
    assert_eq!((status["type"].as_str(), status["of"].as_str()), (Some("status"), Some("request")));
    assert!(status["operators"].as_array().unwrap().contains(&">=".into()) && status["values"].is_null());
    assert!(fields.iter().any(|field| field["name"] == "session.requests" && field["of"] == "session"));

    server.put(&[(1, NOW), (1, NOW), (2, NOW), (3, NOW - DAY)]);
    let users = server.ok("/fields?values=user&from=2026-03-10T00:00:00Z").await;
    let expected = serde_json::json!([{ "value": "user-1", "requests": 2 }, { "value": "user-2", "requests": 1 }]);
    assert_eq!(users["fields"][0]["values"], expected);
    for field in ["nothing", "ts", "session.requests", "param."] {
        let problem = server.problem(&format!("/fields?values={field}"), 400).await;
        assert_eq!(problem["parameter"], "values");
        assert!(problem["detail"].as_str().unwrap().contains("node, application, method"), "{problem}");
    }
}

#[tokio::test]
async fn requests_across_sessions_are_listed_by_time_either_way() {
    let server = Server::new();
    server.put(&[(1, NOW), (2, NOW - SECOND), (1, NOW - DAY), (3, NOW - 2 * DAY)]);
    for (order, expected) in [("ts+desc", [1, 2, 1, 3]), ("ts", [3, 1, 2, 1])] {
        let (mut seen, mut path) = (Vec::new(), format!("/requests?order_by={order}&page_size=1"));
        loop {
            let page = server.ok(&path).await;
            let rows = page["requests"].as_array().unwrap().iter();
            seen.extend(rows.map(|r| r["session_id"].as_str().unwrap().to_owned()));
            server.put(&[(9, NOW), (9, NOW - DAY)]);
            let Some(token) = page["next_page_token"].as_str() else { break };
            path = format!("/requests?order_by={order}&page_size=1&page_token={token}");
        }
        assert_eq!(seen, expected.map(|n| session(n).to_string()));
        server.store.forget_before(Micros(NOW + 9 * DAY).day()).unwrap();
        server.put(&[(1, NOW), (2, NOW - SECOND), (1, NOW - DAY), (3, NOW - 2 * DAY)]);
    }
}

#[tokio::test]
async fn sessions_are_listed_in_the_order_asked_for() {
    let server = Server::new();
    server.put(&[
        (1, NOW),
        (2, NOW - HOUR),
        (2, NOW - 3 * HOUR),
        (3, NOW - DAY),
        (3, NOW - DAY - 1),
        (3, NOW - DAY - 2),
    ]);
    for (order, expected) in [
        ("last_seen+desc", [1, 2, 3]),
        ("last_seen", [3, 2, 1]),
        ("first_seen+asc", [3, 2, 1]),
        ("requests+desc", [3, 2, 1]),
        ("duration+desc", [2, 3, 1]),
        ("bytes_out", [1, 2, 3]),
    ] {
        let (mut seen, mut path) = (Vec::new(), format!("/sessions?order_by={order}&page_size=1"));
        loop {
            let page = server.ok(&path).await;
            seen.extend(ids(&page));
            let Some(token) = page["next_page_token"].as_str() else { break };
            path = format!("/sessions?order_by={order}&page_size=1&page_token={token}");
        }
        assert_eq!(seen, expected.map(|n| session(n).to_string()), "{order}");
    }
}

#[tokio::test]
async fn a_page_token_is_good_for_its_list_its_window_and_ten_minutes() {
    let server = Server::new();
    server.put(&[(1, NOW), (1, NOW - 1), (2, NOW), (3, NOW)]);
    let window = "from=2026-03-10T00:00:00Z";
    let page = server.ok(&format!("/sessions?{window}&page_size=1")).await;
    let token = page["next_page_token"].as_str().unwrap().to_owned();
    let with = |path: &str| format!("{path}page_token={token}");
    server.ok(&with(&format!("/sessions?{window}&page_size=2&"))).await;

    let id = session(1);
    let filtered = format!("/sessions?{window}&filter=status%3D200&");
    let ordered = format!("/sessions?{window}&order_by=requests&");
    for other in [
        &filtered,
        &ordered,
        "/sessions?",
        "/sessions?from=2026-03-10T00:00:01Z&",
        &format!("/sessions/{id}/requests?{window}&"),
    ] {
        let problem = server.problem(&with(other), 400).await;
        assert!(problem["detail"].as_str().unwrap().contains("another list, filter or window"), "{problem}");
    }
    for index in 0..token.len() {
        let mut damaged = token.clone().into_bytes();
        damaged[index] = if damaged[index] == b'A' { b'B' } else { b'A' };
        let damaged = String::from_utf8(damaged).unwrap();
        server.problem(&format!("/sessions?{window}&page_token={damaged}"), 400).await;
    }
    // NTP sets the clock back a little.
    server.clock.set(Micros(NOW - 5000));
    server.ok(&with(&format!("/sessions?{window}&"))).await;
    server.clock.set(Micros(NOW));
    server.clock.advance(Duration::from_secs(600));
    server.ok(&with(&format!("/sessions?{window}&"))).await;
    server.clock.advance(Duration::from_secs(1));
    let problem = server.problem(&with(&format!("/sessions?{window}&")), 400).await;
    assert!(problem["detail"].as_str().unwrap().contains("10 minutes"), "{problem}");
}

#[tokio::test]
async fn a_walk_ends_when_a_day_that_it_began_with_is_no_longer_kept() {
    let server = Server::new();
    server.put(&[(1, NOW), (2, NOW - DAY), (3, NOW - 2 * DAY)]);
    let token = async |list: &str| {
        server.ok(&format!("{list}page_size=1")).await["next_page_token"].as_str().unwrap().to_owned()
    };
    let newer = format!("/sessions?from={}&", Micros(NOW - DAY));
    let requests = format!("/requests?from={}&", Micros(NOW - 2 * DAY));
    let lists = ["/sessions?", &requests, &newer];
    let mut tokens = Vec::new();
    for list in lists {
        tokens.push(token(list).await);
    }
    server.store.forget_before(Micros(NOW - DAY).day()).unwrap();
    for (list, token) in lists.into_iter().zip(tokens) {
        let next = format!("{list}page_size=1&page_token={token}");
        if list == newer {
            server.ok(&next).await;
            continue;
        }
        let problem = server.problem(&next, 400).await;
        assert!(problem["detail"].as_str().unwrap().contains("no longer kept"), "{problem}");
    }
}

#[tokio::test]
async fn only_loopback_names_are_answered_to() {
    let server = Server::new();
    let ask = async |host: Option<&str>, uri: &str| {
        let mut request = Request::get(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        server.send(request.body(Body::empty()).unwrap()).await.0
    };
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8484", "127.9.9.9", "[::1]:8484", "[::1]"] {
        assert_eq!(ask(Some(host), "/healthz").await, StatusCode::OK, "{host}");
    }
    let evil =
        ["evil.example", "localhost.evil.example", "192.0.2.1", "127.0.0.1.evil.example", "x@localhost", "", "a b"];
    for host in evil {
        assert_eq!(ask(Some(host), "/healthz").await, StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    assert_eq!(ask(None, "/healthz").await, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(ask(Some("localhost"), "http://evil.example/healthz").await, StatusCode::MISDIRECTED_REQUEST);
    let over_socket = Request::get("/healthz").extension(guard::OverUnixSocket).body(Body::empty()).unwrap();
    assert_eq!(server.send(over_socket).await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_is_only_read_refuses_writes_and_names_its_methods() {
    let server = Server::new();
    let request = Request::post("/api/v1/sessions").header("host", "localhost").body(Body::from("x")).unwrap();
    let (status, kind, _) = server.send(request).await;
    assert_eq!((status.as_u16(), kind.as_str()), (405, "application/problem+json"));
    let request = Request::put("/api/v1/sessions").header("host", "localhost").body(Body::empty()).unwrap();
    let response = server.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[header::ALLOW], "GET,HEAD");
}

#[tokio::test]
async fn probes_answer_at_the_root_too_and_say_what_is_wrong() {
    let server = Server::new();
    for path in ["/healthz", "/readyz", "//healthz", "//readyz"] {
        server.ok(path).await;
    }
    for path in ["/metrics", "//metrics"] {
        let (status, kind, body) = server.get(path).await;
        assert_eq!(status, StatusCode::OK);
        assert!(kind.starts_with("text/plain"), "{kind}");
        assert!(body.as_str().unwrap().contains("# TYPE api_sessions_"), "{body}");
    }
    server.shared.readiness.fail("retention", "the clock jumped");
    let problem = server.problem("//readyz", 503).await;
    assert_eq!(problem["reasons"]["retention"], "the clock jumped");
    server.ok("/healthz").await;
}

#[tokio::test]
async fn nodes_are_shown_with_their_workers() {
    let server = Server::new();
    let now = server.clock.now();
    let report = |node: &str, instance, pid| NodeReport {
        node: node.to_owned(),
        instance: [instance; 8],
        pid,
        version: "0.1.0".to_owned(),
        ..NodeReport::default()
    };
    server.shared.nodes.record(now, report("a", 1, 11));
    server.shared.nodes.record(Micros(now.0 - 5 * SECOND), report("a", 2, 12));
    server.shared.nodes.record(now, report("b", 3, 13));
    let lacks = crate::store::Holes { missing: 4, ranges: 2 };
    server.shared.nodes.note_gaps(now, |instance| if instance == [2; 8] { lacks } else { Default::default() });
    let nodes = server.ok("/nodes").await;
    let nodes = nodes["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 2);
    assert_eq!(nodes[0]["workers"][1]["age_ms"], 5000);
    assert_eq!(nodes[0]["workers"][0]["instance"], "0101010101010101");
    assert_eq!(nodes[0]["last_reported"], now.to_string());
    let gaps = serde_json::json!({"missing": 4, "ranges": 2, "since": now.to_string()});
    assert_eq!(nodes[0]["workers"][1]["gaps"], gaps);
    assert_eq!(nodes[1]["workers"][0]["gaps"], serde_json::json!({"missing": 0, "ranges": 0, "since": null}));
}

/// A store that answers when it is told to.
struct SlowStore(MemoryStore, std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

macro_rules! as_the_inner {
    ($($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&self, $($arg: $type),*) -> $result { self.0.$name($($arg),*) })*
    };
}

impl Store for SlowStore {
    as_the_inner! {
        resume() -> Result<crate::store::Resume, crate::store::StoreError>;
        apply(batch: &Batch) -> Result<(), crate::store::StoreError>;
        checkpoint() -> Result<Position, crate::store::StoreError>;
        position() -> Position;
        forget_before(day: Day) -> Result<Vec<Day>, crate::store::StoreError>;
        newest() -> Option<Micros>;
        rows() -> u64;
        common_values(query: &crate::store::CommonQuery) -> Result<Vec<crate::model::CommonValue>, crate::store::StoreError>;
        count_sessions(query: &crate::store::SessionsQuery) -> Result<crate::store::SessionsCount, crate::store::StoreError>;
        count_requests(query: &crate::store::RequestsQuery) -> Result<u64, crate::store::StoreError>;
        parts(session: Id, as_of: Position) -> Result<Vec<crate::model::SessionPart>, crate::store::StoreError>;
        requests(query: &crate::store::RequestsQuery) -> Result<crate::store::RequestsPage, crate::store::StoreError>;
        known(ids: &[Id]) -> Result<HashSet<Id>, crate::store::StoreError>;
        request(id: Id) -> Result<Option<crate::model::Request>, crate::store::StoreError>;
        stats(query: &crate::store::StatsQuery) -> Result<crate::store::Stats, crate::store::StoreError>;
        stories(query: &crate::store::StoryQuery) -> Result<crate::store::Stories, crate::store::StoreError>;
        related(query: &crate::store::RelatedQuery) -> Result<Vec<crate::model::Related>, crate::store::StoreError>;
        tail(query: &crate::store::TailQuery) -> Result<crate::store::Tailed, crate::store::StoreError>;
        behind(query: &crate::store::TailQuery) -> Result<usize, crate::store::StoreError>;
        rows_by_day() -> std::collections::BTreeMap<Day, u64>;
        figures(day: Day, from: Position) -> Result<crate::store::Stretch, crate::store::StoreError>;
        endpoints() -> Arc<crate::endpoints::Endpoints>;
        check() -> Result<(), crate::store::StoreError>;
    }

    fn sessions(
        &self,
        query: &crate::store::SessionsQuery,
    ) -> Result<crate::store::SessionsPage, crate::store::StoreError> {
        let _ = self.1.lock().unwrap().recv();
        self.0.sessions(query)
    }
}

#[tokio::test]
async fn a_question_is_given_up_when_its_asker_goes_away() {
    let server = Server::new();
    let api = Api::new(server.shared.clone(), Limits::default());
    let (asked, begun) = tokio::sync::oneshot::channel();
    let (told, given_up) = tokio::sync::oneshot::channel();
    let asking = api.ask(move |_| {
        asked.send(()).unwrap();
        let interest = crate::store::Interest::current();
        while !interest.is_lost() {
            std::thread::yield_now();
        }
        told.send(()).unwrap();
        Ok(())
    });
    tokio::select! {
        answer = asking => panic!("{answer:?}"),
        begun = begun => begun.unwrap(),
    }
    given_up.await.unwrap();
}

#[tokio::test]
async fn a_question_has_a_deadline_and_keeps_its_slot_until_the_store_is_done() {
    let mut server = Server::new();
    let (go_on, wait) = std::sync::mpsc::channel();
    server.shared.store = Arc::new(SlowStore(MemoryStore::default(), std::sync::Mutex::new(wait)));
    let limits = Limits { queries: 1, deadline: Duration::from_millis(50), ..Limits::default() };
    server.router = router(server.shared.clone(), limits);
    server.problem("/sessions", 504).await;
    server.problem("/sessions", 503).await;
    go_on.send(()).unwrap();
    drop(go_on);
    // The slot comes back once the first question has ended, whenever that is.
    while server.get("/sessions").await.0 != StatusCode::OK {}
}
