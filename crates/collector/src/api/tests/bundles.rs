//! Evidence bundles.

use super::*;

#[tokio::test]
async fn a_bundle_outlives_the_week_of_its_session() {
    let server = Server::new();
    server.put(&[(1, NOW - HOUR), (1, NOW - DAY)]);
    let id = session(1);
    server.change("POST", &format!("/sessions/{id}/notes"), Some(serde_json::json!({"text": "see <b>here</b>"}))).await;
    server.change("PUT", &format!("/sessions/{id}/labels/fraud"), None).await;
    let (status, made) = server.change("POST", &format!("/sessions/{id}/bundles"), None).await;
    assert_eq!(status, 201);
    assert_eq!((&made["requests"], &made["requests_left_out"]), (&2.into(), &0.into()));
    assert_eq!((&made["author"], &made["at"]), (&"local".into(), &Micros(NOW).to_string().into()));

    server.store.forget_before(Day(Micros(NOW).day().0 + 30)).unwrap();
    server.problem(&format!("/sessions/{id}"), 404).await;
    assert_eq!(server.change("POST", &format!("/sessions/{id}/bundles"), None).await.0, 404);
    assert_eq!(server.ok("/bundles").await["bundles"], serde_json::json!([made]));

    let bundle = made["id"].as_str().unwrap();
    for (form, kind) in [("html", "text/html; charset=utf-8"), ("ndjson", "application/x-ndjson")] {
        let uri = format!("/api/v1/bundles/{bundle}.{form}");
        let request = Request::get(uri).header("host", "localhost").body(Body::empty()).unwrap();
        let response = server.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], kind);
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.starts_with("sandbox; default-src 'none'"), "{policy}");
        let body = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
        assert_eq!(made["blake3"][form], blake3::hash(&body).to_hex().as_str());
        let text = std::str::from_utf8(&body).unwrap();
        for needle in [&id.to_string(), "user-1", "fraud", "shop"] {
            assert!(text.contains(needle), "{form}: no {needle}");
        }
        assert_eq!(text.contains("see <b>here</b>"), form == "ndjson");
    }

    assert_eq!(server.change("DELETE", &format!("/bundles/{bundle}"), None).await.0, 204);
    assert_eq!(server.change("DELETE", &format!("/bundles/{bundle}"), None).await.0, 404);
    server.problem(&format!("/bundles/{bundle}.html"), 404).await;
    let audit = server.ok("/audit").await;
    let actions: Vec<_> = audit["entries"].as_array().unwrap().iter().map(|row| row["action"].clone()).collect();
    assert_eq!(actions, ["bundle.remove", "bundle.make", "label.add", "note.add"]);
}

#[tokio::test]
async fn what_is_no_bundle_is_told_so() {
    let server = Server::new();
    let id = session(7);
    for (path, status) in [
        (format!("/bundles/{id}.html"), 404),
        (format!("/bundles/{id}.ndjson"), 404),
        (format!("/bundles/{id}"), 404),
        (format!("/bundles/{id}.zip"), 404),
        ("/bundles/..%2fsettings.db.html".to_owned(), 400),
        ("/bundles/x.html".to_owned(), 400),
    ] {
        server.problem(&path, status).await;
    }
}
