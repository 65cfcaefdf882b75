//! What is promised of noise: hidden unless somebody asks, and counted.

use futures_util::StreamExt;

use super::*;

/// Session 1 has a request, two of noise and another, session 2 two of noise, session 3 one request, in this order.
fn server() -> Server {
    let server = Server::new();
    let requests = [(1, false), (1, true), (1, true), (1, false), (2, true), (2, true), (3, false)];
    server.put_rows((0..).zip(requests).map(|(n, (session, noise))| {
        let mut row = row(Arrival { pos: 0, ordinal: n }, session, NOW - HOUR + i64::from(n) * SECOND);
        row.request.noise = noise;
        row
    }));
    server
}

/// Which rows a list has, by session, and how many it hides.
async fn shown(server: &Server, path: &str) -> (Vec<u8>, u64) {
    let list = server.ok(path).await;
    let rows = list["sessions"].as_array().or(list["requests"].as_array()).unwrap();
    let name = if list["sessions"].is_array() { "id" } else { "session_id" };
    let number = |row: &Value| row[name].as_str().unwrap().parse::<Id>().unwrap().0[0];
    (rows.iter().map(number).collect(), list["hidden"].as_u64().unwrap())
}

#[tokio::test]
async fn lists_hide_noise_and_sessions_of_noise_alone_and_tell_how_many() {
    let server = server();
    let of_one = format!("/sessions/{}/requests", session(1));
    let cases = [
        ("/sessions", "", vec![3, 1], 1),
        ("/sessions", "noise=hide", vec![3, 1], 1),
        ("/sessions", "noise=show", vec![3, 2, 1], 0),
        ("/sessions", "noise=only", vec![2, 1], 0),
        ("/sessions", "filter=host%3Dshop", vec![3, 1], 1),
        ("/sessions", "filter=session.requests%3D2", vec![], 1),
        ("/sessions", "filter=session.noise%3E1+AND+noise%3Dfalse", vec![1], 0),
        ("/sessions", "filter=none(noise%3Dfalse)", vec![2], 0),
        ("/sessions", "to=2026-03-10T11:00:01Z", vec![1], 0),
        ("/requests", "", vec![3, 1, 1], 4),
        ("/requests", "noise=show", vec![3, 2, 2, 1, 1, 1, 1], 0),
        ("/requests", "noise=only", vec![2, 2, 1, 1], 0),
        ("/requests", "filter=noise%3Dtrue", vec![2, 2, 1, 1], 0),
        ("/requests", "filter=noise%3Dtrue&noise=hide", vec![], 4),
        ("/requests", "filter=user%3Duser-1", vec![1, 1], 2),
        (&of_one, "", vec![1, 1], 2),
        (&of_one, "noise=show", vec![1, 1, 1, 1], 0),
        (&of_one, "noise=only&order_by=ts+desc", vec![1, 1], 0),
    ];
    for (path, query, rows, hidden) in cases {
        assert_eq!(shown(&server, &format!("{path}?{query}")).await, (rows.clone(), hidden), "{path}?{query}");
        let counted = server.ok(&format!("{path}/count?{}", query.replace("&order_by=ts+desc", ""))).await;
        let counts = ["count", "hidden"].map(|name| counted[name].as_u64().unwrap());
        assert_eq!(counts, [rows.len() as u64, hidden], "{path}/count?{query}");
    }
}

#[tokio::test]
async fn a_walk_through_pages_tells_of_each_hidden_row_once() {
    let server = server();
    for (list, size, expected) in [("/sessions", 1, 1), ("/requests", 1, 4), ("/requests", 2, 4)] {
        let (mut hidden, mut path) = (0, format!("{list}?page_size={size}"));
        loop {
            let page = server.ok(&path).await;
            hidden += page["hidden"].as_u64().unwrap();
            let Some(token) = page["next_page_token"].as_str() else { break };
            path = format!("{list}?page_size={size}&page_token={token}");
            let refused = server.problem(&format!("{path}&noise=show"), 400).await;
            assert_eq!(refused["parameter"], "page_token");
        }
        assert_eq!(hidden, expected, "{list}");
    }
}

#[tokio::test]
async fn a_session_that_is_asked_for_is_shown_and_its_counts_are_those_of_all_requests() {
    let server = server();
    let parts = server.ok(&format!("/sessions/{}", session(2))).await["parts"].take();
    assert_eq!((&parts[0]["requests"], &parts[0]["noise"]), (&2.into(), &2.into()));
    assert_eq!(shown(&server, &format!("/sessions/{}/requests", session(2))).await, (vec![], 2));
    for path in ["requests", "requests/count", "stats"] {
        server.problem(&format!("/sessions/{}/{path}", session(9)), 404).await;
    }
    let narrow = server.ok("/sessions?filter=host%3Dshop").await["sessions"][1].take();
    assert_eq!((&narrow["requests"], &narrow["matched"]), (&4.into(), &2.into()));
    let only = server.ok("/sessions?noise=only").await["sessions"][0].take();
    assert_eq!((&only["requests"], &only["matched"]), (&2.into(), &2.into()));
}

#[tokio::test]
async fn statistics_exports_and_streams_hide_noise_too() {
    let server = server();
    for (query, requests, hidden) in [("", 3, 4), ("?noise=show", 7, 0), ("?filter=user%3Duser-2&noise=only", 2, 0)] {
        let stats = server.ok(&format!("/stats{query}")).await;
        let told = [&stats["groups"][0]["requests"], &stats["hidden"]];
        assert_eq!(told, [&Value::from(requests), &hidden.into()], "{query}");
    }
    for (list, total, hidden) in [
        ("/sessions.csv?order_by=requests", "2", "1"),
        ("/requests.ndjson", "3", "4"),
        ("/requests.csv?noise=show", "7", "0"),
    ] {
        let request = Request::get(format!("/api/v1{list}")).header("host", "localhost");
        let response = server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let headers = response.headers();
        assert_eq!(
            (&headers["x-total-count"], &headers["x-hidden-count"]),
            (&total.parse().unwrap(), &hidden.parse().unwrap())
        );
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let lines = body.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines - usize::from(list.contains("csv")), total.parse::<usize>().unwrap(), "{list}");
    }
    let request = Request::get("/api/v1/stream").header("host", "localhost").body(Body::empty()).unwrap();
    let mut events = server.router.clone().oneshot(request).await.unwrap().into_body().into_data_stream();
    server.put_rows([true, false].map(|noise| {
        let mut row = row(Arrival { pos: 1, ordinal: u32::from(!noise) }, 5 + u8::from(noise), NOW);
        row.request.noise = noise;
        row
    }));
    let mut seen = String::new();
    while !seen.contains("event: request") {
        seen.push_str(std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(seen.contains(&session(5).to_string()) && !seen.contains(&session(6).to_string()), "{seen}");
    assert_eq!(shown_by_arrival(&server, "").await, 4);
    assert_eq!(shown_by_arrival(&server, "&noise=only").await, 5);
}

async fn shown_by_arrival(server: &Server, query: &str) -> usize {
    ids(&server.ok(&format!("/requests?order_by=arrival{query}")).await).len()
}

#[tokio::test]
async fn what_noise_may_be_is_told_where_it_is_something_else() {
    let server = server();
    for path in ["/sessions", "/sessions/count", "/requests", "/stats", "/stream", "/requests.csv"] {
        let problem = server.problem(&format!("{path}?noise=yes"), 400).await;
        assert_eq!(problem["parameter"], "noise");
        assert_eq!(problem["detail"], "`yes` is none of `hide`, `show` and `only`");
    }
}
