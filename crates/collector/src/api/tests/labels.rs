//! What is promised of labels in filters.

use futures_util::StreamExt;

use super::*;

/// Sessions 1 to 3 with two requests each. Session 1 is `checked`, the second request of session 2 is `to check`,
/// the first of session 3 has both.
async fn server() -> Server {
    let server = Server::new();
    server.put(&[(1, NOW - 6), (1, NOW - 5), (2, NOW - 4), (2, NOW - 3), (3, NOW - 2), (3, NOW - 1)]);
    for on in [
        format!("sessions/{}/labels/checked", session(1)),
        format!("requests/{}/labels/to%20check", request(3, 3)),
        format!("requests/{}/labels/to%20check", request(4, 2)),
        format!("requests/{}/labels/checked", request(4, 2)),
    ] {
        assert_eq!(server.change("PUT", &format!("/{on}"), None).await.0, 201, "{on}");
    }
    server
}

fn request(ordinal: u32, ago: i64) -> Id {
    request_id(Arrival { pos: 0, ordinal }, NOW - ago)
}

async fn of_sessions(server: &Server, path: &str) -> Vec<u8> {
    let list = server.ok(path).await;
    let rows = list["sessions"].as_array().or(list["requests"].as_array()).unwrap();
    let name = if list["sessions"].is_array() { "id" } else { "session_id" };
    rows.iter().map(|row| row[name].as_str().unwrap().parse::<Id>().unwrap().0[0]).collect()
}

#[tokio::test]
async fn labels_find_what_has_them_and_the_requests_of_sessions_that_have_them() {
    let server = server().await;
    for (filter, requests, sessions) in [
        ("label=checked", vec![3, 1, 1], vec![3, 1]),
        ("label=\"to check\"", vec![3, 2], vec![3, 2]),
        ("label IN (checked,\"to check\")", vec![3, 2, 1, 1], vec![3, 2, 1]),
        ("label:CHECK", vec![3, 2, 1, 1], vec![3, 2, 1]),
        ("label=\"to*\" AND label=checked", vec![3], vec![3]),
        ("label:*", vec![3, 2, 1, 1], vec![3, 2, 1]),
        ("label!=checked", vec![3, 2, 2], vec![3, 2]),
        ("none(label:*)", vec![], vec![]),
        ("count(label=checked)=2", vec![1, 1], vec![1]),
        ("label=other", vec![], vec![]),
        ("label!=other AND user=user-2", vec![2, 2], vec![2]),
    ] {
        let query = format!("filter={}", filter.replace('"', "%22").replace(' ', "+"));
        assert_eq!(of_sessions(&server, &format!("/requests?{query}")).await, requests, "{filter}");
        assert_eq!(of_sessions(&server, &format!("/sessions?{query}")).await, sessions, "{filter}");
        let stats = server.ok(&format!("/stats?{query}")).await;
        let counted = stats["groups"].as_array().unwrap().iter().map(|group| group["requests"].as_u64().unwrap());
        assert_eq!(counted.sum::<u64>(), requests.len() as u64, "{filter}");
    }
}

#[tokio::test]
async fn fields_tell_of_labels_with_the_commonest() {
    let server = server().await;
    let fields = server.ok("/fields?values=label").await["fields"].take();
    assert_eq!((&fields[0]["name"], &fields[0]["type"]), (&"label".into(), &"text".into()));
    let values = fields[0]["values"].as_array().unwrap().iter();
    let values: Vec<_> = values.map(|v| (v["value"].as_str().unwrap(), v["requests"].as_u64().unwrap())).collect();
    assert_eq!(values, [("checked", 2), ("to check", 2)]);
    let group = server.ok("/stats?filter=label%3Dchecked&group_by=user").await["groups"][0].take();
    assert_eq!(group["filter"], "label=\"checked\" AND user=\"user-1\"");
}

#[tokio::test]
async fn a_stream_follows_labels_that_are_given_while_it_runs() {
    let server = server().await;
    let request = Request::get("/api/v1/stream?filter=label%3Dchecked").header("host", "localhost");
    let answer = server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let mut events = answer.into_body().into_data_stream();
    let labelled = format!("/sessions/{}/labels/checked", session(2));
    assert_eq!(server.change("PUT", &labelled, None).await.0, 201);
    server.put(&[(3, NOW), (2, NOW)]);
    let mut seen = String::new();
    while !seen.contains("event: request") {
        seen.push_str(std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(seen.contains(&session(2).to_string()) && !seen.contains(&session(3).to_string()), "{seen}");
}

#[tokio::test]
async fn a_label_that_too_much_has_is_refused() {
    let server = server().await;
    let router = router(server.shared.clone(), Limits { labelled: 2, ..Limits::default() });
    let server = Server { router, ..server };
    for (list, filter) in [("/sessions", "label:*"), ("/stats", "label!=%22*%22"), ("/stream", "label=%22*c*%22")] {
        let problem = server.problem(&format!("{list}?filter={filter}"), 400).await;
        assert_eq!(problem["parameter"], "filter");
        assert!(problem["detail"].as_str().unwrap().contains("more than 2 sessions"), "{problem}");
    }
    assert_eq!(of_sessions(&server, "/sessions?filter=label%3Dchecked").await, [3, 1]);
}
