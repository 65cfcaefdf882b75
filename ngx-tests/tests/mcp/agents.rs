//! The SDK's client and the server that has everything.

use ngx_tests::nginx::Config;
use ngx_tests::rest::{Mcp, Request};

use crate::site::{Site, serve, visit};

/// What is told of the client's calls, in the order in which they begin.
const CALLS: [[&str; 3]; 11] = [
    ["initialize", "", ""],
    ["notifications/initialized", "", ""],
    ["tools/list", "", ""],
    ["tools/call", "echo", ""],
    ["tools/call", "nothing", "tool error"],
    ["tools/call", "get-sum", "tool error"],
    ["tools/call", "trigger-long-running-operation", ""],
    ["tools/call", "trigger-sampling-request", ""],
    ["resources/read", "demo://resource/static/document/features.md", ""],
    ["resources/read", "demo://nothing", "-32602 MCP error -32602: Resource demo://nothing not found"],
    ["prompts/get", "args-prompt", ""],
];

fn calls(requests: &[Request]) -> impl Iterator<Item = &Mcp> {
    requests.iter().filter_map(|request| request.mcp.as_ref())
}

/// Whether any byte of what the collector was told holds `text`.
fn holds(requests: &[Request], text: &str) -> bool {
    format!("{requests:?}").contains(text)
}

#[tokio::test]
async fn the_calls_of_a_client_are_one_session_and_tell_method_primitive_and_error() {
    let (node, _server, port) = serve();
    let site = Site::open(port.address(), |config| config.replace("wallarm_session_mcp arguments;", "").unwrap()).await;

    visit(&node, site.nginx.address());

    let (session, requests) = site.only_session().await;
    let told: Vec<[&str; 3]> = calls(&requests)
        .map(|mcp| [mcp.method.as_str(), &mcp.primitive, mcp.error.as_deref().unwrap_or_default()])
        .collect();
    assert_eq!(told, CALLS);
    assert!(session.mcp, "{session:#?}");
    assert_eq!((session.keys[0].source.as_str(), session.keys[0].hashed), ("header:mcp-session-id", true));
    // What fails in a call fails in no status.
    assert!(requests.iter().all(|request| request.status < 300), "{requests:#?}");
    // The stream that the client keeps open, its answer to what the server asked, and the session's end
    // are requests of the session too, but no calls.
    let others: Vec<&str> = requests.iter().filter(|r| r.mcp.is_none()).map(|r| r.method.as_str()).collect();
    for method in ["GET", "POST", "DELETE"] {
        assert!(others.contains(&method), "no {method} in {others:?}");
    }
    assert!(calls(&requests).all(|mcp| mcp.arguments.is_none()) && !holds(&requests, "hello"), "{requests:#?}");
    site.close();
}

#[tokio::test]
async fn arguments_leave_when_asked_for_and_their_secrets_only_as_pseudonyms() {
    let (node, _server, port) = serve();
    let site = Site::open(port.address(), |config| config).await;

    visit(&node, site.nginx.address());

    let (_, requests) = site.only_session().await;
    let arguments: Vec<&str> = calls(&requests).filter_map(|mcp| mcp.arguments.as_deref()).collect();
    assert_eq!(arguments.len(), 6, "{arguments:?}");
    let echo: serde_json::Value = serde_json::from_str(arguments[0]).unwrap();
    assert_eq!(echo["message"], "hello");
    for hidden in [&echo["access_token"], &echo["nested"][0]["password"]] {
        let hidden = hidden.as_str().unwrap();
        assert!(hidden.len() == 32 && hidden.bytes().all(|b| b.is_ascii_hexdigit()), "{hidden}");
    }
    assert_eq!(arguments[5], r#"{"city":"Paris"}"#);
    for secret in ["tok-5ecre7", "pa55-w0rd"] {
        assert!(!holds(&requests, secret), "{secret} left: {requests:#?}");
    }
    site.close();
}

#[tokio::test]
async fn off_tells_no_calls_and_the_client_gets_the_same_with_and_without_us() {
    let (node, _server, port) = serve();
    let directly = visit(&node, port.address());
    assert!(directly.contains("asked by the server") && directly.contains("Echo: hello"), "{directly}");
    let modes: [fn(Config) -> Config; 3] = [
        |config| config,
        |config| config.replace("wallarm_session_mcp arguments;", "wallarm_session_mcp off;").unwrap(),
        Config::without_module,
    ];
    for (number, mode) in modes.into_iter().enumerate() {
        let site = Site::open(port.address(), mode).await;
        assert_eq!(visit(&node, site.nginx.address()), directly);
        if number == 1 {
            let (session, requests) = site.only_session().await;
            assert!(!session.mcp && calls(&requests).next().is_none(), "{requests:#?}");
            assert_eq!(session.keys[0].source, "header:mcp-session-id");
        }
        site.close();
    }
}
