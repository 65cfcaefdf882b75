//! What is promised of questions under way: told how far they are, and cancelled.

use super::*;

/// A server whose list of sessions is answered when `tell` says so.
fn slow() -> (Server, std::sync::mpsc::Sender<()>) {
    let (tell, told) = std::sync::mpsc::channel();
    let mut server = Server::new();
    server.shared.store = Arc::new(SlowStore(MemoryStore::default(), std::sync::Mutex::new(told)));
    server.router = router(server.shared.clone(), Limits::default());
    (server, tell)
}

async fn ask(server: &Server, path: &str) -> tokio::task::JoinHandle<axum::response::Response> {
    let request = Request::get(format!("/api/v1{path}")).header("host", "localhost").body(Body::empty()).unwrap();
    let asked = tokio::spawn(server.router.clone().oneshot(request));
    while server.ok("/queries").await["queries"].as_array().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    tokio::spawn(async { asked.await.unwrap().unwrap() })
}

#[tokio::test]
async fn a_question_under_way_is_told_until_it_is_answered() {
    let (server, tell) = slow();
    let asked = ask(&server, "/sessions?query_id=my-1&filter=status%3D200").await;
    let told = server.ok("/queries/my-1").await;
    assert_eq!(told, server.ok("/queries").await["queries"][0]);
    assert_eq!(told["asked"], "/sessions?query_id=my-1&filter=status%3D200");
    assert_eq!((&told["since"], &told["rows"]), (&Micros(NOW).to_string().into(), &0.into()));
    assert_eq!(server.problem("/requests?query_id=my-1", 409).await["parameter"], "query_id");
    tell.send(()).unwrap();
    assert_eq!(asked.await.unwrap().status(), 200);
    server.problem("/queries/my-1", 404).await;
    assert_eq!(server.ok("/queries").await["queries"], serde_json::json!([]));
}

#[tokio::test]
async fn a_question_that_somebody_cancels_is_answered_so_and_is_over() {
    let (server, tell) = slow();
    let asked = ask(&server, "/sessions?query_id=long").await;
    assert_eq!(server.change("DELETE", "/queries/long", None).await.0, 204);
    let answer = asked.await.unwrap();
    assert_eq!(answer.status(), 409);
    let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await.unwrap();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem["type"], "urn:api-sessions:problem:cancelled");
    assert_eq!(server.change("DELETE", "/queries/long", None).await.0, 404);
    drop(tell);
}

#[tokio::test]
async fn an_export_is_one_question_that_tells_its_rows() {
    let server = Server::new();
    server.put(&(0..5).map(|n| (n, NOW)).collect::<Vec<_>>());
    let request = Request::get("/api/v1/requests.csv?query_id=e").header("host", "localhost");
    let answer = server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let all = server.ok("/queries").await["queries"].take();
    assert_eq!((all.as_array().unwrap().len(), &all[0]["query_id"], &all[0]["rows"]), (1, &"e".into(), &5.into()));
    drop(answer);
    assert_eq!(server.ok("/queries").await["queries"], serde_json::json!([]));
}

#[tokio::test]
async fn ids_of_questions_are_short_and_plain() {
    let server = Server::new();
    for id in ["", "a%20b", "%2F", "%C3%A9", &"x".repeat(65)] {
        let problem = server.problem(&format!("/sessions?query_id={id}"), 400).await;
        assert_eq!(problem["parameter"], "query_id", "{id}");
    }
    server.problem("/queries/a%20b", 400).await;
    server.problem("/queries/unknown", 404).await;
    server.problem("/queries?x=1", 400).await;
    server.ok(&format!("/sessions?query_id={}", "x".repeat(64))).await;
}

#[tokio::test]
async fn a_query_string_that_cannot_be_decoded_is_refused_with_the_place() {
    let server = Server::new();
    for (query, parameter, detail) in [
        ("filter=a%zz", "filter", "at byte 1"),
        ("filter=ab%4", "filter", "at byte 2"),
        ("filter=%", "filter", "at byte 0"),
        ("filter=a%FF", "filter", "no UTF-8 from byte 1"),
        ("x%FFy=1", "x%FFy", "no UTF-8 from byte 1"),
        ("filter=%+1", "filter", "at byte 0"),
    ] {
        let problem = server.problem(&format!("/sessions?{query}"), 400).await;
        assert_eq!(problem["parameter"], parameter, "{query}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{query}: {problem}");
    }
    server.ok("/sessions?filter=user%3D%22%C3%A9+%25%22&").await;
}
