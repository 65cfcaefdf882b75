//! Notes and labels, and what may change them.

use super::*;
use serde_json::json;

#[tokio::test]
async fn notes_on_a_session_and_its_requests_are_told_together_the_oldest_first() {
    let server = Server::new();
    server.put(&[(1, NOW - HOUR)]);
    let id = session(1);
    let request = request_id(Arrival { pos: 0, ordinal: 0 }, NOW - HOUR);
    let (status, first) =
        server.change("POST", &format!("/sessions/{id}/notes"), Some(json!({"text": "a robot?\nyes"}))).await;
    assert_eq!(status, 201);
    assert_eq!((&first["author"], &first["request_id"]), (&"local".into(), &Value::Null));
    assert_eq!(first["at"], Micros(NOW).to_string());
    server.clock.advance(Duration::from_secs(1));
    let (status, second) =
        server.change("POST", &format!("/requests/{request}/notes"), Some(json!({"text": "here"}))).await;
    assert_eq!((status, &second["session_id"]), (201, &id.to_string().into()));
    let told = server.ok(&format!("/sessions/{id}/notes")).await;
    assert_eq!(told["notes"], json!([first, second]));
    assert_eq!(server.ok(&format!("/requests/{request}/notes")).await["notes"], json!([second]));

    let note = first["id"].as_str().unwrap();
    assert_eq!(server.change("DELETE", &format!("/notes/{note}"), None).await.0, 204);
    assert_eq!(server.change("DELETE", &format!("/notes/{note}"), None).await.0, 404);
    assert_eq!(server.ok(&format!("/sessions/{id}/notes")).await["notes"], json!([second]));
}

#[tokio::test]
async fn labels_are_given_and_taken_and_shown_where_sessions_and_requests_are() {
    let server = Server::new();
    server.put(&[(1, NOW - HOUR), (2, NOW - HOUR)]);
    let (one, two) = (session(1), session(2));
    let request = request_id(Arrival { pos: 0, ordinal: 0 }, NOW - HOUR);
    for path in [format!("/sessions/{one}"), format!("/sessions/{two}"), format!("/requests/{request}")] {
        assert_eq!(server.change("PUT", &format!("{path}/labels/to%20check"), None).await.0, 201);
        assert_eq!(server.change("PUT", &format!("{path}/labels/to%20check"), None).await.0, 204);
        assert_eq!(server.ok(&format!("{path}/labels")).await["labels"][0]["label"], "to check");
        assert_eq!(server.ok(&format!("{path}/labels/to%20check")).await["author"], "local");
    }
    assert_eq!(server.change("PUT", &format!("/sessions/{one}/labels/a"), None).await.0, 201);
    let counts = server.ok("/labels").await;
    let right = [
        json!({"label": "a", "sessions": 1, "requests": 0}),
        json!({"label": "to check", "sessions": 2, "requests": 1}),
    ];
    assert_eq!(counts["labels"].as_array().unwrap(), &right);
    for part in server.ok("/sessions").await["sessions"].as_array().unwrap() {
        let right = if part["id"] == one.to_string() { json!(["a", "to check"]) } else { json!(["to check"]) };
        assert_eq!(part["labels"], right);
    }
    assert_eq!(server.ok(&format!("/sessions/{one}")).await["parts"][0]["labels"], json!(["a", "to check"]));
    assert_eq!(server.ok(&format!("/requests/{request}")).await["labels"], json!(["to check"]));
    for list in [format!("/sessions/{one}/requests"), "/requests?order_by=arrival".to_owned()] {
        assert_eq!(server.ok(&list).await["requests"][0]["labels"], json!(["to check"]), "{list}");
    }

    assert_eq!(server.change("DELETE", &format!("/sessions/{one}/labels/a"), None).await.0, 204);
    assert_eq!(server.change("DELETE", &format!("/sessions/{one}/labels/a"), None).await.0, 404);
    server.problem(&format!("/sessions/{one}/labels/a"), 404).await;
}

#[tokio::test]
async fn what_is_not_kept_takes_no_notes_and_no_labels() {
    let server = Server::new();
    let old = request_id(Arrival { pos: 0, ordinal: 0 }, NOW - 20 * DAY);
    for (path, right) in [(format!("/sessions/{}", session(9)), 404), (format!("/requests/{old}"), 410)] {
        assert_eq!(server.change("POST", &format!("{path}/notes"), Some(json!({"text": "x"}))).await.0, right);
        assert_eq!(server.change("PUT", &format!("{path}/labels/x"), None).await.0, right);
        for list in ["notes", "labels", "labels/x"] {
            server.problem(&format!("{path}/{list}"), right).await;
        }
    }
    assert_eq!(server.shared.desk.audit(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_refused_note_or_label_is_told_what_would_be_right() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    let id = session(1);
    let long = "x".repeat(10_001);
    let bodies = [
        (json!({"text": ""}), 400, "1 to 10000 characters"),
        (json!({"text": " \n "}), 400, "more than blanks"),
        (json!({ "text": long }), 400, "not 10001"),
        (json!({"text": "a\u{1b}[2J"}), 400, "U+001B"),
        (json!({"text": "a\0"}), 400, "U+0000"),
        (json!({"text": 7}), 400, "line 1 column"),
        (json!({"txt": "a"}), 400, "unknown field `txt`"),
        (json!({}), 400, "missing field `text`"),
        (json!(["a"]), 400, "JSON object"),
        (json!({"text": "x".repeat(200_000)}), 413, "131072 bytes"),
    ];
    for (body, right, needle) in bodies {
        let (status, problem) = server.change("POST", &format!("/sessions/{id}/notes"), Some(body.clone())).await;
        let shown = body.to_string().chars().take(80).collect::<String>();
        assert_eq!(status, right, "{shown}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(needle), "{shown}: {problem}");
    }
    for label in ["%0a", "%e2%80%ae", "%ff", "%20x", "x%20", &"x".repeat(65)] {
        let (status, problem) = server.change("PUT", &format!("/sessions/{id}/labels/{label}"), None).await;
        assert_eq!((status, &problem["parameter"]), (400, &"label".into()), "{label}: {problem}");
    }
    assert_eq!(server.change("PUT", "/sessions/123/labels/x", None).await.1["parameter"], "id");
    assert_eq!(server.change("PUT", &format!("/sessions/{id}/labels/x?y=1"), None).await.1["parameter"], "y");
    let arabic = "%d9%85%d8%b1%d8%ad%d8%a8%d8%a7%20%27%22%25";
    assert_eq!(server.change("PUT", &format!("/sessions/{id}/labels/{arabic}"), None).await.0, 201);
    assert_eq!(server.ok("/sessions").await["sessions"][0]["labels"], json!(["مرحبا '\"%"]));
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    let post = |kind: Option<&str>| {
        let request = Request::post(format!("/api/v1/sessions/{}/notes", session(1))).header("host", "localhost");
        let request = kind.into_iter().fold(request, |request, kind| request.header("content-type", kind));
        request.body(Body::from(r#"{"text":"x"}"#)).unwrap()
    };
    for kind in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("text/plain; application/json")]
    {
        assert_eq!(server.answer(post(kind)).await.0, 415, "{kind:?}");
    }
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        assert_eq!(server.answer(post(Some(kind))).await.0, 201, "{kind}");
    }
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    let path = format!("/api/v1/sessions/{}/labels/x", session(1));
    let ask = async |headers: &[(&str, &str)], over_socket: bool| {
        let request = Request::put(&path).header("host", "localhost:8484");
        let mut request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .body(Body::empty())
            .unwrap();
        if over_socket {
            request.extensions_mut().insert(guard::OverUnixSocket);
        }
        server.answer(request).await.0
    };
    let foreign: [&[(&str, &str)]; 8] = [
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://localhost:8485")],
        &[("origin", "http://localhost:8484.evil.example")],
        &[("origin", "ftp://localhost:8484")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", "http://localhost:8484")],
        &[("origin", "http://localhost:8484"), ("origin", "https://evil.example")],
    ];
    for headers in foreign {
        assert_eq!(ask(headers, false).await, 403, "{headers:?}");
        assert_ne!(ask(headers, true).await, 403, "{headers:?}");
    }
    let own: [&[(&str, &str)]; 4] = [
        &[],
        &[("origin", "http://localhost:8484")],
        &[("origin", "http://LOCALHOST:8484"), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
    ];
    for headers in own {
        assert_eq!(ask(headers, false).await, 204, "{headers:?}");
    }
    // A link may lead here, but no page of another site may keep the server busy.
    for (mode, status) in [("navigate", 200), ("no-cors", 403), ("cors", 403)] {
        let get = Request::get("/api/v1/labels").header("host", "localhost");
        let get = get.header("sec-fetch-site", "cross-site").header("sec-fetch-mode", mode);
        assert_eq!(server.answer(get.body(Body::empty()).unwrap()).await.0, status, "{mode}");
    }
}

#[tokio::test]
async fn the_audit_tells_each_change_page_by_page_the_newest_first() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    for label in ["a", "b", "c"] {
        assert_eq!(server.change("PUT", &format!("/sessions/{}/labels/{label}", session(1)), None).await.0, 201);
    }
    let page = server.ok("/audit?page_size=2").await;
    let told = |page: &Value| {
        let rows = page["entries"].as_array().unwrap().iter();
        rows.map(|row| row["after"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told(&page), ["c", "b"]);
    let first = &page["entries"][0];
    assert_eq!(
        (&first["who"], &first["action"], &first["kind"]),
        (&"local".into(), &"label.add".into(), &"session".into())
    );
    assert_eq!(first["subject"], session(1).to_string());
    let token = page["next_page_token"].as_str().unwrap();
    let rest = server.ok(&format!("/audit?page_size=2&page_token={token}")).await;
    assert_eq!((told(&rest), &rest["next_page_token"]), (vec!["a".to_owned()], &Value::Null));
    server.problem(&format!("/sessions?page_token={token}"), 400).await;
}

#[tokio::test]
async fn notes_labels_and_the_audit_can_be_had_whole_as_every_list() {
    let server = Server::new();
    server.put(&[(1, NOW)]);
    let session = format!("/sessions/{}", session(1));
    server.change("POST", &format!("{session}/notes"), Some(json!({"text": "=1+1"}))).await;
    server.change("PUT", &format!("{session}/labels/odd"), None).await;
    for (list, rows) in
        [(format!("{session}/notes"), "notes"), ("/labels".into(), "labels"), ("/audit".into(), "entries")]
    {
        let right = server.ok(&list).await[rows].clone();
        let (_, _, ndjson) = server.get(&format!("{list}.ndjson")).await;
        let told: Vec<Value> = match ndjson {
            Value::String(lines) => lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            one => vec![one],
        };
        assert_eq!(Value::from(told), right, "{list}");
        let (_, _, csv) = server.get(&format!("{list}.csv")).await;
        let csv = csv.as_str().unwrap().to_owned();
        for name in right[0].as_object().unwrap().keys() {
            assert!(csv.lines().next().unwrap().split(',').any(|column| column == name), "{list}: {name} in {csv}");
        }
    }
}
