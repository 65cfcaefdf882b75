//! What is promised of lists as CSV and NDJSON.

use axum::body::BodyDataStream;
use futures_util::StreamExt;
use proptest::prelude::*;

use super::*;
use crate::model::{Attack, Graphql, KeyCount, Mcp, Param};

impl Server {
    /// The answer of an export, its body unread.
    async fn export(&self, path: &str) -> (String, BodyDataStream) {
        let request = Request::get(format!("/api/v1{path}")).header("host", "localhost").body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        (kind, response.into_body().into_data_stream())
    }

    async fn whole(&self, path: &str) -> String {
        rest(self.export(path).await.1).await.unwrap()
    }
}

async fn rest(mut body: BodyDataStream) -> Result<String, axum::Error> {
    let mut text = Vec::new();
    while let Some(piece) = body.next().await {
        text.extend(piece?);
    }
    Ok(String::from_utf8(text).unwrap())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The records of a CSV, the head first.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// More requests of session 1 than an export asks for at a time.
fn with_pages() -> Server {
    let server = Server::new();
    for second in 0..11 {
        server.put(&(0..200).map(|n| (1, NOW + second * SECOND + n)).collect::<Vec<_>>());
    }
    server
}

#[tokio::test]
async fn an_export_holds_all_rows_of_its_list_whatever_arrives_meanwhile() {
    let server = with_pages();
    let list = format!("/sessions/{}/requests", session(1));
    let before = lines(&server.whole(&format!("{list}.ndjson")).await);
    assert_eq!(before.len(), 2200);
    assert_eq!(&before[..1000], server.ok(&format!("{list}?page_size=1000")).await["requests"].as_array().unwrap());
    for (suffix, kind) in [("ndjson", "application/x-ndjson"), ("csv", "text/csv; charset=utf-8; header=present")] {
        let (got, mut body) = server.export(&format!("{list}.{suffix}")).await;
        assert_eq!(got, kind);
        let first = body.next().await.unwrap().unwrap();
        server.put(&[(1, NOW), (1, NOW + 20 * SECOND)]);
        let text = String::from_utf8(first.to_vec()).unwrap() + &rest(body).await.unwrap();
        let ids: Vec<_> = match suffix {
            "csv" => records(&text).into_iter().skip(1).map(|record| Value::from(record[0].clone())).collect(),
            _ => lines(&text).iter().map(|row| row["id"].clone()).collect(),
        };
        let expected: Vec<_> = before.iter().map(|row| row["id"].clone()).collect();
        // What the format before put in came before this export.
        assert!(ids.len() < 2203 && expected.iter().all(|id| ids.contains(id)), "{} rows", ids.len());
    }
    let narrowed = format!("{list}.csv?from=2026-03-10T12:00:05Z&to=2026-03-10T12:00:06Z");
    assert_eq!(records(&server.whole(&narrowed).await).len(), 201);
}

#[tokio::test]
async fn an_export_is_cut_off_when_a_day_of_it_is_no_longer_kept() {
    let server = with_pages();
    server.put(&[(1, NOW - DAY)]);
    let (_, mut body) = server.export("/requests.ndjson").await;
    body.next().await.unwrap().unwrap();
    server.store.forget_before(Micros(NOW).day()).unwrap();
    assert!(rest(body).await.is_err());
}

#[tokio::test]
async fn an_export_of_sessions_tells_how_many_there_are() {
    let server = with_pages();
    server.put(&[(2, NOW)]);
    let request = Request::get("/api/v1/sessions.csv?from=2026-03-10T00:00:00Z").header("host", "localhost");
    let response = server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()["x-total-count"], "2");
}

#[tokio::test]
async fn what_fails_on_the_way_cuts_an_export_off() {
    let server = with_pages();
    let path = format!("/sessions/{}/requests.ndjson?query_id=mine", session(1));
    let (_, mut body) = server.export(&path).await;
    body.next().await.unwrap().unwrap();
    assert_eq!(server.change("DELETE", "/queries/mine", None).await.0, 204);
    rest(body).await.unwrap_err();
}

#[tokio::test]
async fn an_export_takes_as_long_as_its_reader_does() {
    let server = with_pages();
    let (_, mut body) = server.export(&format!("/sessions/{}/requests.ndjson", session(1))).await;
    let first = body.next().await.unwrap().unwrap();
    server.clock.advance(Duration::from_secs(3600));
    let text = String::from_utf8(first.to_vec()).unwrap() + &rest(body).await.unwrap();
    assert_eq!(lines(&text).len(), 2200);
}

#[tokio::test]
async fn so_many_exports_run_at_a_time() {
    let server = with_pages();
    let path = format!("/sessions/{}/requests.ndjson", session(1));
    let mut running = Vec::new();
    for _ in 0..4 {
        running.push(server.export(&path).await);
    }
    server.problem(&path, 503).await;
    running.pop();
    drop(server.export(&path).await);
}

#[tokio::test]
async fn an_export_is_refused_as_its_list_is() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    let cases = [
        ("/sessions.csv?form=x", "form", "those here are from, to"),
        ("/sessions.ndjson?from=now", "from", "RFC 3339"),
        ("/sessions.csv?page_size=5", "page_size", "holds all rows"),
        ("/sessions.csv?page_token=", "page_token", "holds all rows"),
        ("/sessions/123/requests.csv", "id", "32 hex digits"),
        ("/sessions/%ff/requests.csv", "id", "32 hex digits"),
        ("/requests.csv?order_by=arrival", "order_by", "have no end"),
        ("/nodes.csv?x=1", "x", "no parameter"),
    ];
    for (path, parameter, needle) in cases {
        let problem = server.problem(path, 400).await;
        assert_eq!(problem["parameter"], parameter, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(needle), "{path}: {problem}");
    }
    server.problem(&format!("/sessions/{}/requests.csv", session(2)), 404).await;
    server.problem(&format!("/sessions/{}/requests.csv?day=2026-03-03", session(1)), 410).await;
    server.problem("/sessions.xml", 404).await;
    server.problem("/healthz.csv", 404).await;
}

/// A request that has all there is.
pub(super) fn full_row() -> Row {
    let mut row = row(Arrival::default(), 1, NOW);
    row.role = Some(Who { value: "admin".to_owned(), hashed: true });
    let request = &mut row.request;
    request.key = KeyCount { source: "cookie:sid".to_owned(), name: "sid".to_owned(), ..KeyCount::default() };
    request.params = vec![Param { name: "email".to_owned(), ..Param::default() }];
    request.mcp = Some(Mcp { arguments: Some("{}".to_owned()), error: Some("no".to_owned()), ..Mcp::default() });
    request.gql = Some(Graphql::default());
    request.attacks = vec![Attack { kind: "sqli".to_owned(), ..Attack::default() }];
    row
}

#[tokio::test]
async fn every_field_of_a_row_is_in_a_column() {
    let server = Server::new();
    let shape = server.store.endpoints().learn("GET", "shop", "/cart", 200).0;
    server.put_rows((0..20).map(|_| Row { shape: Some(shape), ..full_row() }));
    server.shared.baselines.refresh(server.store.as_ref(), Duration::ZERO).unwrap();
    server.shared.nodes.record(Micros(NOW), NodeReport { node: "edge".to_owned(), ..NodeReport::default() });
    let requests = format!("/sessions/{}/requests", session(1));
    let mut other = full_row();
    other.request.session_id = session(2);
    other.arrival.pos = 1;
    server.put_rows([other]);
    let labels = format!("/sessions/{}/labels", session(1));
    assert_eq!(server.change("PUT", &format!("{labels}/checked"), None).await.0, 201);
    let related = format!("/sessions/{}/related", session(1));
    let named =
        ["/sessions", "/endpoints", "/nodes", "/noise", "/fields", "/stats?group_by=key.source,status", "/stats"];
    for list in named.map(str::to_owned).into_iter().chain([requests, labels, related]) {
        let (list, query) = list.split_once('?').unwrap_or((&list, ""));
        let head = records(&server.whole(&format!("{list}.csv?{query}")).await).remove(0);
        let rows = lines(&server.whole(&format!("{list}.ndjson?{query}")).await);
        let row = rows.first().unwrap_or_else(|| panic!("{list} is empty"));
        for (name, value) in row.as_object().unwrap() {
            let parts = value.as_object().into_iter().flatten().map(|(part, _)| format!("{name}.{part}"));
            let covered = head.contains(name) || (value.is_object() && parts.clone().all(|part| head.contains(&part)));
            assert!(covered, "{list}.csv has no column for {name}: {value}");
        }
        let distinct: HashSet<_> = head.iter().collect();
        assert_eq!(distinct.len(), head.len());
    }
}

#[tokio::test]
async fn statistics_are_a_row_a_group_with_a_column_for_each_name() {
    let server = Server::new();
    server.put(&[(1, NOW), (1, NOW), (2, NOW)]);
    let rows = records(&server.whole("/stats.csv?group_by=user,status&metrics=requests").await);
    assert_eq!(rows[0][..4], ["group.user", "group.status", "filter", "requests"].map(str::to_owned));
    assert_eq!(rows[1][..2], ["user-1", "200"].map(str::to_owned));
    assert_eq!((rows[2][0].as_str(), rows.len()), ("user-2", 3));
    assert_eq!(records(&server.whole("/stats.csv").await)[0][0], "filter");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_cell_is_a_formula_and_each_is_read_back_as_it_was(
        path in r#"[=+@\t\r\n-]?[ -~\n\r,;"'\t\u{80}-\u{10FFFF}]{0,40}"#,
    ) {
        let server = Server::new();
        let mut row = full_row();
        row.request.path = path.clone();
        server.put_rows([row]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let text = runtime.block_on(server.whole(&format!("/sessions/{}/requests.csv", session(1))));
        let rows = records(&text);
        let at = rows[0].iter().position(|name| name == "path").unwrap();
        prop_assert_eq!(rows.len(), 2);
        prop_assert!(!rows[1].iter().any(|cell| cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])));
        let cell = &rows[1][at];
        prop_assert!(*cell == path || *cell == format!("'{path}"), "{:?} became {:?}", path, cell);
    }
}
