//! What is promised of requests that are pushed as they arrive.

use axum::body::BodyDataStream;
use futures_util::StreamExt;

use super::*;

struct Events(BodyDataStream, String);

impl Events {
    /// The next event behind `begin`.
    async fn next(&mut self) -> (String, Value, Option<String>) {
        loop {
            let event = self.any().await;
            if event.0 != "begin" {
                return event;
            }
        }
    }

    /// The next event as (name, data, id), heartbeats left out.
    async fn any(&mut self) -> (String, Value, Option<String>) {
        loop {
            if let Some((event, rest)) = self.1.split_once("\n\n") {
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
                };
                let told = (field("event").unwrap_or_default(), field("data").unwrap_or_default(), field("id"));
                self.1 = rest.to_owned();
                if !told.0.is_empty() {
                    return (told.0, serde_json::from_str(&told.1).unwrap(), told.2);
                }
                continue;
            }
            let piece = self.0.next().await.expect("the stream ended").unwrap();
            self.1.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}

impl Server {
    async fn stream(&self, last: Option<&str>) -> Events {
        self.stream_of("", last).await
    }

    async fn stream_of(&self, query: &str, last: Option<&str>) -> Events {
        let mut request = Request::get(format!("/api/v1/stream{query}")).header("host", "localhost");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Events(response.into_body().into_data_stream(), String::new())
    }
}

#[tokio::test]
async fn a_stream_with_a_filter_holds_what_meets_it() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    let mut events = server.stream_of("?filter=user%3Duser-3", None).await;
    server.put(&[(2, NOW)]);
    server.put(&[(3, NOW)]);
    let (_, request, id) = events.next().await;
    assert_eq!(request["session_id"], session(3).to_string());
    let other = Request::get("/api/v1/stream").header("host", "localhost").header("last-event-id", id.unwrap());
    assert_eq!(server.send(other.body(Body::empty()).unwrap()).await.0, StatusCode::BAD_REQUEST);
    server.problem("/stream?filter=any(status%3D500)", 400).await;
}

#[tokio::test]
async fn requests_are_pushed_as_they_arrive_and_a_stream_goes_on_where_it_broke_off() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    let mut events = server.stream(None).await;
    server.put(&[(2, NOW), (3, NOW - DAY)]);
    let mut ids = Vec::new();
    for n in [2, 3] {
        let (name, request, id) = events.next().await;
        assert_eq!((name.as_str(), &request["session_id"]), ("request", &Value::from(session(n).to_string())));
        ids.push(id);
    }
    drop(events);
    server.put(&[(4, NOW)]);
    let mut events = server.stream(ids[1].as_deref()).await;
    assert_eq!(events.next().await.1["session_id"], session(4).to_string());
}

#[tokio::test]
async fn a_stream_goes_on_behind_any_event_however_long_ago_it_was() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    let mut events = server.stream_of("?filter=user!%3Duser-2", None).await;
    let (name, data, begin) = events.any().await;
    assert_eq!((name.as_str(), &data["at"]), ("begin", &Micros(NOW).to_string().into()));
    server.put(&[(2, NOW), (3, NOW), (4, NOW), (5, NOW)]);
    let third = events.next().await;
    assert_eq!(third.1["session_id"], session(3).to_string());
    drop(events);
    server.clock.advance(Duration::from_secs(3600));
    for (from, expected) in [(begin, [3, 4, 5].as_slice()), (third.2, &[4, 5])] {
        let mut events = server.stream_of("?filter=user!%3Duser-2", from.as_deref()).await;
        for n in expected {
            assert_eq!(events.next().await.1["session_id"], session(*n).to_string());
        }
    }
}

#[tokio::test]
async fn a_reader_that_is_far_behind_is_told_and_goes_on_with_the_newest() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    let mut events = server.stream(None).await;
    for second in 1..=12 {
        server.put(&vec![(2, NOW + second * SECOND); 1000]);
    }
    let (name, missed, _) = events.next().await;
    assert_eq!(name, "missed");
    assert_eq!(missed["from"], Micros(NOW + SECOND).to_string());
    assert_eq!(missed["to"], Micros(NOW + 12 * SECOND).to_string());
    assert_eq!(events.next().await.1["ts"], missed["to"]);
}

#[tokio::test]
async fn a_reader_of_a_log_that_is_gone_is_told_and_goes_on_with_what_comes() {
    let before = Server::new();
    before.put(&[(1, NOW)]);
    let mut events = before.stream(None).await;
    before.put(&[(2, NOW)]);
    let id = events.next().await.2.unwrap();
    let token = before.ok("/requests?order_by=arrival").await["next_page_token"].clone();
    let next = format!("/requests?order_by=arrival&page_token={}", token.as_str().unwrap());

    let server = Server::new();
    server.put(&[(3, NOW)]);
    // What is in the log and not applied yet may have the place.
    server.shared.metrics.log_unapplied_bytes.set(1);
    server.ok(&next).await;
    server.shared.metrics.log_unapplied_bytes.set(0);
    assert!(server.problem(&next, 400).await["detail"].as_str().unwrap().contains("a log that was here before"));
    let mut events = server.stream(Some(&id)).await;
    let (name, missed, _) = events.next().await;
    assert_eq!((name.as_str(), missed), ("missed", serde_json::json!({ "from": null, "to": null })));
    server.put(&[(4, NOW)]);
    assert_eq!(events.next().await.1["session_id"], session(4).to_string());
}

#[tokio::test]
async fn so_many_read_the_stream_at_a_time_and_bad_input_is_refused() {
    let server = Server::new();
    let mut readers = Vec::new();
    for _ in 0..crate::api::stream::READERS {
        readers.push(server.stream(None).await);
    }
    server.problem("/stream", 503).await;
    readers.pop();
    drop(server.stream(None).await);
    assert_eq!(server.problem("/stream?x=1", 400).await["parameter"], "x");
    let request = Request::get("/api/v1/stream").header("host", "localhost").header("last-event-id", "abc");
    let (status, kind, _) = server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((status.as_u16(), kind.as_str()), (400, "application/problem+json"));
}
