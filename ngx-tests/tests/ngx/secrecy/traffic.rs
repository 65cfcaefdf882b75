//! Requests and answers with secrets in every place that has room for one.

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::search::Secrets;
use super::site::Watched;

/// Headers that carry credentials and traces of people, as their names are and as they are misspelt.
const HEADERS: [&str; 34] = [
    "Referer",
    "referer",
    "REFERER",
    "Referrer",
    "Origin",
    "From",
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Real-IP",
    "X-Api-Key",
    "Api_Key",
    "api_key",
    "X_API_KEY",
    "Api.Key",
    "apikey",
    "X-Auth-Token",
    "X-Access-Token",
    "X-Csrf-Token",
    "Proxy-Authorization",
    "X-Amz-Security-Token",
    "If-None-Match",
    "If-Match",
    "Sec-WebSocket-Protocol",
    "X-Key",
    "X-Mail",
    "X-Raw",
    "X-Session-Id",
    "Session-Id",
    "Mcp-Session-Id",
    "X-Unknown",
    "Accept-Language",
    "Content-Disposition",
    "Last-Event-ID",
];

fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

fn percent(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn jwt(secrets: &mut Secrets) -> String {
    let claims = json!({
        "iss": secrets.plant("iss of a JWT"), "sub": secrets.plant("sub of a JWT"), "email": secrets.plant("claim of a JWT"),
    });
    let [head, claims] = [json!({"alg": "none"}), claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signature = secrets.plant("signature of a JWT");
    secrets.keep("JWT", format!("{head}.{claims}.{signature}"))
}

async fn quiet() -> Watched {
    Watched::answering(HeaderMap::new(), "{}".to_owned()).await
}

#[tokio::test]
async fn no_header_leaves_the_node() {
    let (mut site, mut secrets) = (quiet().await, Secrets::default());
    for name in HEADERS {
        site.send(&request("GET", "/", &[(name, &secrets.plant(name))], b"")).await;
    }
    let all: Vec<(&str, String)> = HEADERS.map(|name| (name, secrets.plant(&format!("{name} beside others")))).into();
    let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
    site.send(&request("GET", "/", &all, b"")).await;

    let link = format!("https://shop.example/reset?token={}", secrets.plant("query of a Referer"));
    let state = STANDARD.encode(json!({"who": secrets.plant_odd("JSON in base64")}).to_string());
    site.send(&request("GET", "/", &[("Referer", &link), ("X-State", &state)], b"")).await;
    site.tells_none_of(&secrets).await;
}

#[tokio::test]
async fn no_credential_leaves_the_node_whatever_its_scheme() {
    let (mut site, mut secrets) = (quiet().await, Secrets::default());
    let basic = format!("{}:{}", secrets.plant("user of Basic"), secrets.plant("password of Basic"));
    for value in [
        format!("Bearer {}", secrets.plant("Bearer")),
        format!("bearer {}", jwt(&mut secrets)),
        jwt(&mut secrets),
        format!("Basic {}", STANDARD.encode(&basic)),
        format!("Digest username=\"{}\", response=\"{}\"", secrets.plant("user of Digest"), secrets.plant("Digest")),
        format!("AWS4-HMAC-SHA256 Credential={}/x", secrets.plant("AWS")),
        secrets.plant("Authorization without a scheme"),
    ] {
        site.send(&request("GET", "/", &[("Authorization", &value)], b"")).await;
    }
    for name in ["PHPSESSID", "JSESSIONID", "sid", "basket", "unknown", "__Host-id"] {
        let cookies = format!("theme=dark; {name}={}; lang=en", secrets.plant(&format!("cookie {name}")));
        site.send(&request("GET", "/", &[("Cookie", &cookies)], b"")).await;
    }
    let bare = secrets.plant("cookie without a name");
    site.send(&request("GET", "/", &[("Cookie", &bare)], b"")).await;
    site.tells_none_of(&secrets).await;
}

#[tokio::test]
async fn no_query_and_no_credential_in_a_path_leaves_the_node() {
    let (mut site, mut secrets) = (quiet().await, Secrets::default());
    let mut targets = Vec::new();
    for name in ["mail", "api_key", "token", "q", "a.b", "x[y]"] {
        targets.push(format!(
            "/search?a=1&{}={}",
            percent(name),
            percent(&secrets.plant_odd(&format!("query {name}")))
        ));
    }
    targets.push(format!("/search?{}", secrets.plant("query without a name")));
    targets.push(format!("/search?{}=1", secrets.plant("name in a query")));
    targets.push(format!("/search#{}", secrets.plant("fragment")));
    targets.push(format!("/a?b?c={}", secrets.plant("query with two question marks")));
    targets.push(format!("http://shop.example/a?b={}", secrets.plant("query of a whole URL")));
    let everywhere: String = secrets.plant("path, all encoded").bytes().map(|byte| format!("%{byte:02x}")).collect();
    targets.push(format!("/reset/{}/now", secrets.plant("path")));
    targets.push(format!("/reset/{everywhere}"));
    targets.push(format!("/a/../reset//{};x=1", secrets.plant("path with dots")));
    targets.push(format!("/page.jsp;jsessionid={}", secrets.plant("path parameter")));
    targets.push(format!("/t/{}", jwt(&mut secrets)));
    for target in &targets {
        site.send(&request("GET", target, &[], b"")).await;
    }
    site.tells_none_of(&secrets).await;
}

#[tokio::test]
async fn no_field_of_a_request_body_leaves_the_node() {
    let (mut site, mut secrets) = (quiet().await, Secrets::default());
    let mut field = |place: &str| secrets.plant_odd(place);
    let json = json!({
        "session": field("JSON that is a key"), "password": field("JSON named password"), "other": field("JSON"),
        "card": {"number": field("JSON that is hashed"), "cvc": field("JSON beside it")}, "list": [field("JSON in a list")],
    });
    let form = ["pin", "password", "other"].map(|name| format!("{name}={}", percent(&field(&format!("form {name}")))));
    let form = form.join("&");
    let part =
        |name: &str, value: String| format!("--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n");
    let parts = [
        part("\"note\"", field("multipart field that is hashed")),
        part("\"other\"", field("multipart field")),
        part(&format!("\"file\"; filename=\"{}\"", letters(&field("name of a file"))), field("file")),
    ];
    let multipart = parts.concat() + "--b--\r\n";
    let xml = |text: String| text.replace('&', "&amp;");
    let xml = format!(
        "<order id=\"{}\"><card>{}</card><note>{}</note><!--{}--></order>",
        xml(field("XML attribute")),
        xml(field("XML that is hashed")),
        xml(field("XML element")),
        xml(field("XML comment")),
    );
    let graphql = json!({
        "query": format!("mutation M($e: String) {{ login(email: $e, password: \"{}\") {{ id }} }}", field("GraphQL argument")),
        "variables": {"e": field("GraphQL variable that is hashed"), "f": field("GraphQL variable")},
    });
    let json = json.to_string();
    let bodies = [
        ("application/json", json.clone()),
        ("application/x-www-form-urlencoded", form),
        ("multipart/form-data; boundary=b", multipart),
        ("application/xml", xml),
        ("application/json", graphql.to_string()),
        ("text/plain", field("text")),
        ("", field("body without a type")),
        // What is broken is not shown to say so.
        ("application/json", json.replace('}', "")),
    ];
    for (content_type, body) in bodies {
        let headers = [("Content-Type", content_type)];
        let headers = if content_type.is_empty() { &headers[..0] } else { &headers[..] };
        site.send(&request("POST", "/", headers, body.as_bytes())).await;
    }
    site.tells_none_of(&secrets).await;
}

/// What may stand in quotes as it is.
fn letters(text: &str) -> String {
    text.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

#[tokio::test]
async fn nothing_of_an_answer_leaves_the_node() {
    let mut secrets = Secrets::default();
    let mut headers = HeaderMap::new();
    for name in ["x-token", "x-balance", "x-session-id", "session-id", "etag", "www-authenticate", "x-unknown"] {
        headers.append(name, secrets.plant(&format!("header {name} of an answer")).parse().unwrap());
    }
    let location = format!("https://shop.example/callback?code={}", secrets.plant("Location"));
    headers.append("location", location.parse().unwrap());
    for name in ["PHPSESSID", "basket", "unknown"] {
        let cookie = format!(
            "{name}={}; Path=/{}; HttpOnly",
            secrets.plant(&format!("Set-Cookie {name}")),
            secrets.plant("Path")
        );
        headers.append("set-cookie", cookie.parse().unwrap());
    }
    headers.append("content-type", HeaderValue::from_static("application/json"));
    let body = json!({
        "session": secrets.plant_odd("JSON of an answer that is a key"), "balance": secrets.plant_odd("JSON that is hashed"),
        "other": secrets.plant_odd("JSON of an answer"),
    });
    let mut site = Watched::answering(headers, body.to_string()).await;
    site.send(&request("GET", "/", &[], b"")).await;
    site.send(&request("HEAD", "/", &[], b"")).await;
    site.tells_none_of(&secrets).await;
}

#[tokio::test]
async fn no_argument_and_no_result_of_an_agents_call_leaves_the_node() {
    let mut secrets = Secrets::default();
    let mut headers = HeaderMap::new();
    headers.append("content-type", HeaderValue::from_static("application/json"));
    let answer = json!({
        "jsonrpc": "2.0", "id": 1, "result": {"content": [{"text": secrets.plant_odd("result")}], "isError": true},
    });
    let mut site = Watched::answering(headers, answer.to_string()).await;
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "search", "arguments": {"q": secrets.plant_odd("argument")}, "_meta": {"t": secrets.plant_odd("meta")}},
    });
    let session = secrets.plant("Mcp-Session-Id");
    let agent = [("Mcp-Session-Id", session.as_str()), ("Content-Type", "application/json")];
    site.send(&request("POST", "/mcp", &agent, call.to_string().as_bytes())).await;
    site.tells_none_of(&secrets).await;
}

#[tokio::test]
async fn what_is_no_request_leaves_the_node_without_what_it_carried() {
    let (mut site, mut secrets) = (quiet().await, Secrets::default());
    // NGINX writes some of these into its own log at `info`; what it says there is not ours.
    let lines = [
        format!("{} {}\r\n\r\n", secrets.plant("a word"), secrets.plant("another")),
        format!("password={}&a=b c\r\n\r\n", secrets.plant("the rest of a form")),
        format!("{{\"password\": \"{}\"}}\r\n\r\n", secrets.plant("the rest of JSON")),
        format!("Authorization: Bearer {}\r\n\r\n", secrets.plant("the rest of a head")),
        format!("GET http://user:{}@shop.example/ HTTP/1.1\r\nHost: a\r\n\r\n", secrets.plant("user of a URL")),
        format!("GET /?x={} HTTP/7.7\r\nHost: a\r\n\r\n", secrets.plant("query of an unknown version")),
        format!("get /a?x={} HTTP/1.1\r\nHost: a\r\n\r\n", secrets.plant("query of a bad method")),
    ];
    for line in &lines {
        site.send(line.as_bytes()).await;
    }
    let seen = site.seen().await;
    let ours = seen.iter().filter(|(place, _)| *place != "error log");
    let leaks: Vec<String> = ours.flat_map(|(_, text)| secrets.found_in(text)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    site.close();
}

#[tokio::test]
async fn what_is_to_be_shown_is_found_on_the_wire() {
    let mut secrets = Secrets::default();
    let mut headers = HeaderMap::new();
    headers.append("content-type", HeaderValue::from_static("application/json"));
    let body = json!({"shown": secrets.plant_odd("answer")});
    let mut site = Watched::answering(headers, body.to_string()).await;
    let (header, body) = (secrets.plant("header"), json!({"shown": secrets.plant_odd("body")}));
    let headers = [("X-Shown", header.as_str()), ("Content-Type", "application/json")];
    site.send(&request("POST", "/", &headers, body.to_string().as_bytes())).await;

    let mut found = Vec::new();
    for (place, text) in site.seen().await {
        found.extend(secrets.found_in(&text).into_iter().map(|told| format!("{place}: {told}")));
    }

    found.sort();
    assert_eq!(found, ["wire: answer (as it is)", "wire: body (as it is)", "wire: header (as it is)"]);
    site.close();
}
