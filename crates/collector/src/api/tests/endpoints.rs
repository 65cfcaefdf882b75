//! Endpoints, what people decide about them, and rules of noise.

use serde_json::json;

use super::*;

#[tokio::test]
async fn endpoints_are_listed_with_their_figures_and_requests_show_what_is_usual() {
    let server = Server::new();
    let endpoints = server.store.endpoints();
    let put = |count: u32, path: &str, ts: i64, took: u64| {
        let shape = endpoints.learn("GET", "shop", path, 200).0;
        let pos = server.store.position();
        server.put_rows((0..count).map(|ordinal| {
            let mut row = row(Arrival { pos, ordinal }, 1, ts);
            (row.request.path, row.request.duration_us, row.shape) = (path.to_owned(), took, Some(shape));
            row
        }));
    };
    put(30, "/users/7", NOW, 1234);
    put(10, "/users/8", NOW - DAY, 99);
    put(5, "/cart", NOW, 5);
    assert_eq!(server.ok("/endpoints").await["endpoints"], json!([]));
    server.shared.baselines.refresh(server.store.as_ref(), Duration::ZERO).unwrap();

    let first = server.ok("/endpoints?page_size=1").await;
    let users = &first["endpoints"][0];
    assert_eq!((users["endpoint"].as_str(), users["requests"].as_u64()), (Some("GET shop/users/{id}"), Some(40)));
    assert_eq!(users["statuses"]["2xx"], 40);
    assert_eq!(users["duration_us"], json!({ "p50": 1200, "p95": 1200 }));
    let days: Vec<_> = users["days"].as_array().unwrap().iter().map(|day| (&day["day"], &day["requests"])).collect();
    assert_eq!(json!(days), json!([["2026-03-10", 30], ["2026-03-09", 10]]));
    // What comes meanwhile moves nothing to another page.
    put(100, "/cart", NOW, 5);
    server.shared.baselines.refresh(server.store.as_ref(), Duration::ZERO).unwrap();
    let token = first["next_page_token"].as_str().unwrap();
    let second = server.ok(&format!("/endpoints?page_size=1&page_token={token}")).await;
    assert_eq!(
        (&second["endpoints"][0]["endpoint"], &second["endpoints"][0]["requests"]),
        (&"GET shop/cart".into(), &5.into())
    );
    assert_eq!(second["next_page_token"], Value::Null);
    let of_day = server.ok("/endpoints?day=2026-03-09").await;
    assert_eq!(of_day["endpoints"][0]["requests"], 10);

    let of_session = server.ok(&format!("/sessions/{}/requests?page_size=1", session(1))).await;
    // Of ten requests nothing is usual, and no day before tells.
    assert_eq!(of_session["requests"][0]["usual"], Value::Null);
    let arrived = server.ok("/requests?order_by=arrival&page_size=146").await;
    let usual = &arrived["requests"][0]["usual"];
    assert_eq!(arrived["requests"][0]["endpoint"], "GET shop/users/{id}");
    assert_eq!(usual, &json!({ "duration_us": { "p50": 1200, "p95": 1200 }, "bytes_out": { "p50": 0, "p95": 0 } }));
    let one = server.ok(&format!("/requests/{}", arrived["requests"][0]["id"].as_str().unwrap())).await;
    assert_eq!(&one["usual"], usual);
    assert_eq!(server.problem("/endpoints?order_by=endpoint", 400).await["parameter"], "order_by");
}

#[tokio::test]
async fn templates_are_pinned_and_endpoints_merged_and_both_undone_with_a_row_in_the_audit() {
    let server = Server::new();
    let learn = |host: &str, path: &str| server.store.endpoints().learn("GET", host, path, 200).0;
    let (me, www) = (learn("shop", "/users/me"), learn("www.shop", "/cart"));
    for n in 0..200 {
        learn("shop", &format!("/users/user-{n}"));
    }
    let name = |shape| server.store.endpoints().name(shape).unwrap();
    assert_eq!(name(me), "GET shop/users/{name}");

    let (status, pin) =
        server.change("POST", "/endpoints/pins", Some(json!({ "host": "shop", "path": "/users/me" }))).await;
    assert_eq!((status, &pin), (201, &json!({ "id": pin["id"], "host": "shop", "path": "/users/me" })));
    assert_eq!(name(me), "GET shop/users/me");
    let merge = json!({ "from": "GET www.shop/cart", "into": "GET shop/cart" });
    let (status, merge) = server.change("POST", "/endpoints/merges", Some(merge)).await;
    assert_eq!((status, name(www).as_str()), (201, "GET shop/cart"));
    assert_eq!(server.ok("/endpoints/pins").await["pins"], json!([pin]));
    assert_eq!(server.ok("/endpoints/merges").await["merges"], json!([merge]));

    for (path, id) in [("pins", &pin["id"]), ("merges", &merge["id"])] {
        assert_eq!(server.change("DELETE", &format!("/endpoints/{path}/{id}"), None).await.0, 204);
        assert_eq!(server.change("DELETE", &format!("/endpoints/{path}/{id}"), None).await.0, 404);
        let (status, problem) = server.change("DELETE", &format!("/endpoints/{path}/x"), None).await;
        assert_eq!((status, &problem["parameter"]), (400, &"number".into()));
    }
    assert_eq!((name(me).as_str(), name(www).as_str()), ("GET shop/users/{name}", "GET www.shop/cart"));
    let audit = server.ok("/audit").await;
    let actions: Vec<_> = audit["entries"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(json!(actions), json!(["merge.remove", "pin.remove", "merge.add", "pin.add"]));
}

#[tokio::test]
async fn rules_of_noise_are_shown_replaced_and_set_back() {
    let server = Server::new();
    let shipped = server.ok("/noise").await;
    assert_eq!(shipped["rules"][1]["name"], "health checks");
    let own = json!({ "rules": [{ "name": "probes", "methods": [], "paths": ["/probe/*"], "statuses": ["2xx"] }] });
    assert_eq!(server.change("PUT", "/noise", Some(own.clone())).await, (200, own.clone()));
    assert_eq!(server.ok("/noise").await, own);
    assert!(server.shared.noise.is_noise("GET", "/probe/1", 200));
    assert_eq!(server.change("DELETE", "/noise", None).await, (200, shipped.clone()));
    assert_eq!(server.ok("/audit").await["entries"][0]["action"], "noise.set");
}

#[tokio::test]
async fn what_the_audit_does_not_take_is_not_in_force() {
    let server = Server::new();
    let pin = json!({ "host": "shop", "path": "/users/me" });
    let (_, kept) = server.change("POST", "/endpoints/pins", Some(pin.clone())).await;
    let before = (server.ok("/endpoints/pins").await, server.ok("/noise").await, server.ok("/audit").await);
    for at_the_end in [false, true] {
        server.shared.desk.refuse_changes(at_the_end).await;
        let other = json!({ "host": "shop", "path": "/users/you" });
        assert_eq!(server.change("POST", "/endpoints/pins", Some(other)).await.0, 500);
        assert_eq!(server.change("DELETE", &format!("/endpoints/pins/{}", kept["id"]), None).await.0, 500);
        assert_eq!(server.change("PUT", "/noise", Some(json!({ "rules": [] }))).await.0, 500);
        let after = (server.ok("/endpoints/pins").await, server.ok("/noise").await, server.ok("/audit").await);
        assert_eq!(before, after);
    }
}

#[tokio::test]
async fn decisions_and_rules_that_cannot_be_right_are_refused_and_name_what_is_wrong() {
    let server = Server::new();
    for (method, path, body, parameter, needle) in [
        ("POST", "/endpoints/pins", json!({ "host": "shop", "path": "users" }), "path", "no path"),
        ("POST", "/endpoints/pins", json!({ "host": "", "path": "/" }), "host", "no host"),
        ("POST", "/endpoints/merges", json!({ "from": "GET a/b", "into": "GET a/b" }), "into", "itself"),
        ("POST", "/endpoints/merges", json!({ "from": "a", "into": "GET a/b" }), "from", "no endpoint"),
        ("PUT", "/noise", json!({ "rules": [{ "name": "a" }] }), "rules", "rule 1 (a)"),
        ("PUT", "/noise", json!({ "rules": [{ "name": "a", "paths": ["{"] }] }), "rules", "no glob"),
    ] {
        let (status, problem) = server.change(method, path, Some(body)).await;
        assert_eq!((status, &problem["parameter"]), (400, &parameter.into()), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(needle), "{problem}");
    }
    for (method, path) in [("POST", "/endpoints/pins"), ("POST", "/endpoints/merges"), ("PUT", "/noise")] {
        let (status, problem) = server.change(method, path, Some(json!({ "other": 1 }))).await;
        assert!(status == 400 && problem["detail"].as_str().unwrap().contains("unknown field `other`"), "{problem}");
        let request = Request::builder().method(method).uri(format!("/api/v1{path}")).header("host", "localhost");
        let from_elsewhere = request.header("origin", "http://evil.example").body(Body::from("{}")).unwrap();
        assert_eq!(server.answer(from_elsewhere).await.0, 403);
    }
    assert_eq!(server.ok("/audit").await["entries"], json!([]));
}
