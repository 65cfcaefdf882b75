//! Clients and servers of newer versions of the protocol: no session id, method and primitive in
//! headers.

use std::net::SocketAddr;

use axum::Json;
use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::{Value, json};

use crate::site::Site;

/// A server that fails every call of the tool `broken`, with status 200.
async fn server() -> SocketAddr {
    let answer = |Json(call): Json<Value>| async move {
        let broken = call["params"]["name"] == "broken";
        let outcome =
            if broken { ("error", json!({ "code": -32000, "message": "broken" })) } else { ("result", json!({})) };
        Json(json!({ "jsonrpc": "2.0", "id": call["id"], outcome.0: outcome.1 }))
    };
    let routes = Router::new().route("/mcp", post(answer));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, routes).into_future());
    address
}

#[tokio::test]
async fn without_a_session_id_headers_tell_the_call_and_other_built_in_keys_the_session() {
    let site = Site::open(server().await, |config| config).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    // {"sub":"agent-1"} and {"sub":"agent-2"}.
    for (token, tool) in [("eyJzdWIiOiJhZ2VudC0xIn0", "search"), ("eyJzdWIiOiJhZ2VudC0yIn0", "broken")] {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer e30.{token}.x").parse().unwrap());
        headers.insert("mcp-protocol-version", "2026-07-28".parse().unwrap());
        for (method, name) in [("tools/list", None), ("tools/call", Some(tool))] {
            headers.insert("mcp-method", method.parse().unwrap());
            if let Some(name) = name {
                headers.insert("mcp-name", name.parse().unwrap());
            }
            let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "name": name } });
            let request = http.post(format!("{}/mcp", site.nginx.url())).headers(headers.clone()).json(&call);
            assert!(request.send().await.unwrap().status().is_success());
        }
    }
    // Other traffic of the same server is no agent's.
    let plain = http.post(format!("{}/mcp", site.nginx.url())).json(&json!({ "id": 1 }));
    plain.send().await.unwrap();

    let sessions = site.stored().await;
    assert_eq!(sessions.len(), 3, "{sessions:#?}");
    let mut agents = site.rest.mcp_sessions().await.unwrap();
    agents.sort_by(|a, b| a.first_seen.cmp(&b.first_seen));
    let mut told = Vec::new();
    for session in &agents {
        assert_eq!(session.keys[0].source, "jwt", "{session:#?}");
        for request in site.rest.requests(&session.id).await.unwrap() {
            let mcp = request.mcp.unwrap();
            told.push([mcp.method, mcp.primitive, mcp.error.unwrap_or_default()]);
        }
    }
    let expected = [
        ["tools/list", "", ""],
        ["tools/call", "search", ""],
        ["tools/list", "", ""],
        ["tools/call", "broken", "-32000 broken"],
    ];
    assert_eq!(told, expected.map(|call| call.map(str::to_owned)));
    site.close();
}
