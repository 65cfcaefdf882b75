//! Which requests make a session.

use std::collections::BTreeMap;

use axum::Router;
use axum::routing::get;
use ngx_tests::clients::{self, Kind, Label};
use ngx_tests::nginx::Config;
use ngx_tests::rest::{Request, Who};
use ngx_tests::shop;
use reqwest::StatusCode;
use serde_json::json;

use crate::site::{Site, origin, quickstart};

#[tokio::test]
async fn every_request_of_the_demos_clients_is_in_the_session_of_the_credential_held() {
    let site = Site::shop().await;
    let scene = site.scene();

    clients::everybody(&scene, 0).await.unwrap();

    site.stored(scene.ledger.requests()).await;
    let stored = site.rest.everything().await.unwrap();
    let truth = scene.ledger.by_request_id();
    assert_eq!(truth.len(), stored.len(), "each answer told its request id");
    assert_same_partition(&truth, &stored);
    site.close();
}

/// Two requests are in one session exactly when their labels are equal.
fn assert_same_partition(truth: &BTreeMap<String, Label>, stored: &[Request]) {
    let (mut session_of, mut label_of) = (BTreeMap::new(), BTreeMap::new());
    for request in stored {
        let label = truth.get(&request.id).unwrap_or_else(|| panic!("no client made {request:#?}"));
        let session = session_of.entry(label).or_insert(&request.session_id);
        assert_eq!(*session, &request.session_id, "{label:?} has two sessions: {request:#?}");
        let other = label_of.entry(&request.session_id).or_insert(label);
        assert_eq!(*other, label, "session {} mixes two clients", request.session_id);
    }
}

#[tokio::test]
async fn two_users_behind_one_address_have_two_sessions() {
    let site = Site::shop().await;
    let scene = site.scene();
    for user in ["ada", "bela"] {
        let mut person = scene.person(Kind::Browser, clients::address(7), Some("Office")).unwrap();
        person.sign_in(user, &shop::password_of(user)).await.unwrap().expect(StatusCode::OK).unwrap();
        person.get("/api/profile").await.unwrap().expect(StatusCode::OK).unwrap();
    }

    let sessions = site.stored(4).await;

    let mut users: Vec<&str> = sessions.iter().map(|s| s.user.as_ref().unwrap().value.as_str()).collect();
    users.sort();
    assert_eq!(users, ["ada", "bela"]);
    assert!(sessions.iter().all(|session| session.requests == 2 && session.ips == ["127.0.0.7"]));
    site.close();
}

#[tokio::test]
async fn one_user_on_two_addresses_has_one_session() {
    let site = Site::shop().await;
    let mut person = site.scene().person(Kind::Browser, clients::address(2), Some("Laptop")).unwrap();
    person.sign_in("hugo", &shop::password_of("hugo")).await.unwrap().expect(StatusCode::OK).unwrap();
    person.move_to(clients::address(3)).unwrap();
    person.get("/api/profile").await.unwrap().expect(StatusCode::OK).unwrap();

    let requests = site.only_session(2).await;

    let addresses: Vec<&str> = requests.iter().map(|request| request.ip.as_str()).collect();
    assert_eq!(addresses, ["127.0.0.2", "127.0.0.3"]);
    site.close();
}

#[tokio::test]
async fn an_app_whose_token_is_refreshed_keeps_its_session() {
    let site = Site::shop().await;
    let mut app = site.scene().person(Kind::App, clients::address(8), Some("App")).unwrap();
    app.sign_in("dina", &shop::password_of("dina")).await.unwrap().expect(StatusCode::OK).unwrap();
    app.post("/api/refresh", json!({})).await.unwrap().expect(StatusCode::OK).unwrap();
    app.get("/api/profile").await.unwrap().expect(StatusCode::OK).unwrap();

    site.only_session(3).await;
    site.close();
}

#[tokio::test]
async fn a_user_and_roles_named_by_a_login_answer_name_the_requests_before_and_after_it() {
    let login = r#"{"user":{"name":"ada"},"roles":["admin","buyer"]}"#;
    let routes = Router::new()
        .route("/login", get(move || async move { ([("content-type", "application/json")], login) }))
        .fallback(get(|| async { "shop" }));
    let parameters = "    wallarm_session_context response.body.json.user.name type=user;
    wallarm_session_context response.body.json.roles.* type=role;";
    let config = Config::file("response-token.conf").unwrap().shop(origin(routes).await).unwrap();
    let site = Site::of(config.in_http(parameters).unwrap()).await;

    for path in ["/cart", "/login", "/orders"] {
        site.get(path, &[("cookie", "sid=s1")]).await;
    }

    let sessions = site.stored(3).await;
    assert_eq!(sessions.len(), 1, "{sessions:#?}");
    let named = |who: &Option<Who>| who.as_ref().map(|who| who.value.clone()).unwrap_or_default();
    assert_eq!((named(&sessions[0].user), named(&sessions[0].role)), ("ada".into(), "admin,buyer".into()));
    assert_eq!(sessions[0].users.len(), 1);
    site.close();
}

#[tokio::test]
async fn the_same_user_id_in_two_worlds_is_two_sessions_when_the_group_says_so() {
    let site = Site::of(quickstart("    wallarm_session_key request.header.X-User-Id group=$host;")).await;
    for host in ["one.example", "two.example", "one.example"] {
        site.get("/", &[("host", host), ("x-user-id", "17")]).await;
    }

    let sessions = site.stored(3).await;

    let mut counts: Vec<u64> = sessions.iter().map(|session| session.requests).collect();
    counts.sort();
    assert_eq!(counts, [1, 2]);
    site.close();

    let site = Site::of(quickstart("    wallarm_session_key request.header.X-User-Id;")).await;
    for host in ["one.example", "two.example"] {
        site.get("/", &[("host", host), ("x-user-id", "17")]).await;
    }
    site.only_session(2).await;
    site.close();
}

#[tokio::test]
async fn a_key_of_empty_variables_does_not_put_everybody_into_one_session() {
    let site = Site::of(quickstart("    wallarm_session_key $arg_a:$arg_b;")).await;
    for path in ["/", "/?a=1", "/?b=2"] {
        site.get(path, &[("user-agent", "first")]).await;
        site.get(path, &[("user-agent", "second")]).await;
    }
    site.get("/?a=1&b=2", &[("user-agent", "first")]).await;
    site.get("/?a=1&b=2", &[("user-agent", "second")]).await;

    let sessions = site.stored(8).await;

    let mut found: Vec<(u64, &str)> = sessions.iter().map(|s| (s.requests, s.keys[0].source.as_str())).collect();
    found.sort();
    assert_eq!(found, [(2, "$arg_a:$arg_b"), (3, "ip+ua"), (3, "ip+ua")]);
    site.close();
}

#[tokio::test]
async fn the_built_in_keys_find_well_known_cookies_headers_and_tokens() {
    let site = Site::of(quickstart("")).await;
    let pairs: [&[(&'static str, &str)]; 4] = [
        &[("cookie", "a=b; PHPSESSID=one")],
        &[("x-session-id", "two")],
        &[("authorization", "Basic YWRhOng=")],
        &[("authorization", "opaque three")],
    ];
    for headers in pairs {
        for agent in ["first", "second"] {
            let headers: Vec<_> = headers.iter().copied().chain([("user-agent", agent)]).collect();
            site.get("/", &headers).await;
        }
    }

    let sessions = site.stored(8).await;

    assert_eq!(sessions.len(), 4);
    assert!(sessions.iter().all(|session| session.requests == 2 && session.user_agents.len() == 2));
    site.close();
}

#[tokio::test]
async fn a_location_with_keys_of_its_own_does_not_use_those_above() {
    let config = quickstart("    wallarm_session_key request.header.X-User;");
    let own = r#"
        location /own { wallarm_session_key request.header.X-Device; return 204; }
        location /none { wallarm_session_builtin_keys off; return 204; }"#;
    let site = Site::of(config.in_server(own).unwrap()).await;
    let (user, device, agent) = (("x-user", "ada"), ("x-device", "phone"), ("user-agent", "one"));
    let cookie = ("cookie", "PHPSESSID=abc");
    site.get("/", &[user, device, agent]).await;
    site.get("/own", &[user, device, agent]).await;
    site.get("/own", &[user, agent, cookie]).await;
    site.get("/none", &[agent, cookie]).await;

    site.stored(4).await;

    let mut stored = site.rest.everything().await.unwrap();
    stored.sort_by(|a, b| a.ts.cmp(&b.ts));
    let keys: Vec<&str> = stored.iter().map(|request| request.key.source.as_str()).collect();
    assert_eq!(keys, ["request.header.X-User", "request.header.X-Device", "cookie:PHPSESSID", "ip+ua"]);
    site.close();
}
