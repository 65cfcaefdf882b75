//! What the files of `nginx-conf/` promise in their first lines.

use std::net::SocketAddr;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::Json;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ngx_tests::fastcgi::{Responder, Script};
use ngx_tests::nginx::Config;
use ngx_tests::rest::Request;
use serde_json::{Value, json};

use crate::site::{Site, origin};

async fn example(file: &str, routes: Router) -> Site {
    at(file, origin(routes).await).await
}

async fn at(file: &str, origin: SocketAddr) -> Site {
    Site::of(Config::file(file).unwrap().shop(origin).unwrap()).await
}

/// A request to the site, by a client of its own address and agent, so that nothing but keys joins it
/// to others.
fn client(site: &Site, method: &str, path: &str) -> reqwest::RequestBuilder {
    let http = reqwest::Client::builder().no_proxy().user_agent(format!("client {}", fastrand::u64(..)));
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    http.build().unwrap().request(method, format!("{}{path}", site.nginx.url()))
}

/// The body that a form sends.
fn form(request: reqwest::RequestBuilder, fields: &'static str) -> reqwest::RequestBuilder {
    request.header("content-type", "application/x-www-form-urlencoded").body(fields)
}

async fn sent(request: reqwest::RequestBuilder) {
    assert_eq!(request.send().await.unwrap().status(), 200);
}

fn jwt(claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.c2ln", part(&json!({"alg": "none", "kid": "k1"})), part(claims))
}

/// What a request shows under a name, and whether that is the value itself.
fn shown<'a>(request: &'a Request, name: &str) -> Option<(&'a str, bool)> {
    let param = request.params.iter().find(|param| param.name == name)?;
    Some((&param.value, !param.hashed))
}

const USER: &str = "ann@example.com";

#[tokio::test]
async fn response_token_a_login_and_whoever_sends_its_token_are_one_session() {
    let login = post(|| async { Json(json!({"ok": true, "token": "a+b/c="})) });
    let site = example("response-token.conf", Router::new().route("/login", login).fallback(async || "orders")).await;

    sent(client(&site, "POST", "/login")).await;
    sent(client(&site, "GET", "/orders?token=a%2Bb%2Fc%3D")).await;
    sent(client(&site, "GET", "/orders?page=2&token=a%2bb/c%3d&x=1")).await;
    sent(client(&site, "GET", "/orders").bearer_auth("a+b/c=")).await;

    let requests = site.only_session(4).await;
    let found: Vec<&str> = requests.iter().map(|request| request.key.source.as_str()).collect();
    let (query, header) = ("request.query.token", "request.header.Authorization.bearer");
    assert_eq!(found, ["response.body.json.token", query, query, header]);
    assert!(requests.iter().all(|r| r.key.hashed && r.key.value != "a+b/c="), "a token left in clear: {requests:#?}");
    site.close();
}

/// A visitor has a session, and gets another id for it when signing in.
fn php(script: &Script) -> String {
    let cookie = match script.params.get("REQUEST_METHOD").map(String::as_str) {
        Some("POST") => "Set-Cookie: PHPSESSID=signed-in; path=/; HttpOnly\r\n",
        _ if script.params.contains_key("HTTP_COOKIE") => "",
        _ => "Set-Cookie: PHPSESSID=visitor; path=/; HttpOnly\r\n",
    };
    format!("Content-Type: text/html\r\n{cookie}\r\n<p>{}</p>", script.body.len())
}

#[tokio::test]
async fn php_a_login_that_takes_a_new_session_id_is_a_part_of_the_session_it_begins() {
    let fpm = Responder::start(php).await.unwrap();
    let site = at("php.conf", fpm.address()).await;

    sent(client(&site, "GET", "/")).await;
    let login = client(&site, "POST", "/login.php").header("cookie", "PHPSESSID=visitor");
    sent(form(login, "action=login&username=ann%40example.com&password=hunter2")).await;
    sent(client(&site, "GET", "/account").header("cookie", "lang=en; PHPSESSID=signed-in")).await;

    let sessions = site.stored(3).await;
    let session = sessions.iter().find(|session| session.requests == 2).expect("a session of two requests");
    assert_eq!(session.user.as_ref().unwrap().value, USER);
    let requests = site.rest.requests(&session.id).await.unwrap();
    let paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/login.php", "/account"]);
    assert_eq!(shown(&requests[0], "action"), Some(("login", true)));
    site.close();
}

#[tokio::test]
async fn spring_pages_are_grouped_by_cookie_and_calls_by_subject_probes_by_nothing() {
    let login = post(|| async { ([("set-cookie", "JSESSIONID=0A1B; Path=/; HttpOnly")], "in") });
    let site = example("spring.conf", Router::new().route("/login", login).fallback(async || "page")).await;
    let token = |jti: u8| {
        jwt(&json!({"sub": "7", "jti": jti, "preferred_username": "bert", "scope": "orders:read orders:write"}))
    };

    sent(form(client(&site, "POST", "/login"), "username=ann%40example.com&password=hunter2")).await;
    sent(client(&site, "GET", "/").header("cookie", "JSESSIONID=0A1B")).await;
    sent(client(&site, "GET", "/api/orders").bearer_auth(token(1))).await;
    sent(client(&site, "GET", "/api/orders").bearer_auth(token(2))).await;
    sent(client(&site, "GET", "/actuator/health")).await;

    let mut sessions = site.stored(4).await;
    sessions.sort_by(|a, b| a.keys[0].name.cmp(&b.keys[0].name));
    let told = |n: usize| (sessions[n].keys[0].name.as_str(), sessions[n].requests);
    assert_eq!((told(0), told(1), sessions.len()), (("JSESSIONID", 2), ("subject", 2), 2));
    assert_eq!(sessions[0].user.as_ref().unwrap().value, USER);
    assert_eq!(sessions[1].user.as_ref().unwrap().value, "bert");
    assert_eq!(sessions[1].role.as_ref().unwrap().value, "orders:read orders:write");
    site.close();
}

#[tokio::test]
async fn rails_the_application_names_the_session_and_clients_do_not_see_it() {
    // As Rails does, another text in the cookie each time.
    let page = || async {
        let cookie = format!("_shop_session={:x}; path=/; HttpOnly", fastrand::u64(..));
        ([("x-session-ref", "2::77".to_owned()), ("set-cookie", cookie), ("x-request-id", "r-1".to_owned())], "page")
    };
    let site = example("rails.conf", Router::new().fallback(page)).await;

    sent(form(client(&site, "POST", "/users/sign_in"), "user%5Bemail%5D=ann%40example.com&user%5Bpassword%5D=hunter2"))
        .await;
    sent(client(&site, "PATCH", "/api/user").json(&json!({"user": {"email": "bert@example.com"}}))).await;
    let answer = client(&site, "GET", "/").send().await.unwrap();

    assert!(!answer.headers().contains_key("x-session-ref"), "{answer:?}");
    let requests = site.only_session(3).await;
    let users: Vec<_> = requests.iter().map(|request| shown(request, "user")).collect();
    assert_eq!(users, [Some((USER, true)), Some(("bert@example.com", true)), None]);
    assert_eq!(shown(&requests[0], "request"), Some(("r-1", true)));
    site.close();
}

#[tokio::test]
async fn jwt_api_tokens_of_one_subject_are_one_session_from_the_answer_that_hands_them_out() {
    let token = |jti: u8| jwt(&json!({"sub": "7", "jti": jti, "email": USER, "role": "admin", "azp": "shop-app"}));
    let refresh = {
        let answer = json!({"access_token": token(2), "token_type": "Bearer"});
        move |form: String| async move {
            if form.starts_with("grant_type=refresh_token&") {
                return Json(answer);
            }
            Json(json!({"error": "unsupported_grant_type"}))
        }
    };
    let site = example("jwt-api.conf", Router::new().route("/token", post(refresh)).fallback(async || "data")).await;

    sent(client(&site, "GET", "/v1/orders").bearer_auth(token(1))).await;
    sent(form(client(&site, "POST", "/token"), "grant_type=refresh_token&refresh_token=r")).await;
    sent(client(&site, "GET", "/v1/orders").bearer_auth(token(2))).await;
    sent(form(client(&site, "POST", "/token"), "grant_type=magic")).await;

    let sessions = site.stored(4).await;
    let own = sessions.iter().find(|session| session.requests == 3).expect("a session of three requests");
    assert_eq!((own.user.as_ref().unwrap().value.as_str(), own.role.as_ref().unwrap().value.as_str()), (USER, "admin"));
    let requests = site.rest.requests(&own.id).await.unwrap();
    assert_eq!(requests[1].key.source, "response.body.json.access_token.jwt.payload.sub");
    assert!(requests.iter().all(|request| request.key.hashed), "{requests:#?}");
    assert_eq!(shown(&requests[0], "client"), Some(("shop-app", true)));
    assert_eq!(shown(&requests[0], "kid"), Some(("k1", true)));
    let other = sessions.iter().find(|session| session.requests == 1).unwrap();
    let refused = &site.rest.requests(&other.id).await.unwrap()[0];
    assert_eq!(shown(refused, "error"), Some(("unsupported_grant_type", true)));
    site.close();
}

#[tokio::test]
async fn graphql_tells_operations_arguments_and_errors_of_requests_to_one_path() {
    async fn answer(Json(asked): Json<Value>) -> Json<Value> {
        let query = asked["query"].as_str().unwrap_or_default();
        if query.contains("login") {
            return Json(json!({"data": {"login": {"token": "t-1"}}}));
        }
        Json(json!({"data": null, "errors": [{"message": "sold out"}]}))
    }
    let site = example("graphql.conf", Router::new().route("/graphql", post(answer).get(async || "{}"))).await;
    let login = json!({
        "query": "mutation SignIn($e: String!) { login(email: $e, password: \"hunter2\") { token } }",
        "variables": {"e": USER},
    });
    let order = json!({
        "query": "mutation Order($i: OrderInput!) { mine: createOrder(input: $i) { id } }",
        "variables": {"i": {"product": 7, "card": "4111"}},
    });

    sent(client(&site, "POST", "/graphql").json(&login)).await;
    sent(client(&site, "POST", "/graphql").json(&order).bearer_auth("t-1")).await;
    sent(client(&site, "GET", "/graphql?query=query+Menu+%7B+menu+%7B+name+%7D+%7D").bearer_auth("t-1")).await;

    let requests = site.only_session(3).await;
    let named = |name| requests.iter().map(|request| shown(request, name)).collect::<Vec<_>>();
    assert_eq!(named("operation"), [Some(("SignIn", true)), Some(("Order", true)), Some(("Menu", true))]);
    assert_eq!(named("user"), [Some((USER, true)), None, None]);
    assert_eq!(named("product"), [None, Some(("7", true)), None]);
    assert_eq!(named("error"), [None, Some(("sold out", true)), None]);
    site.close();
}

#[tokio::test]
async fn demo_a_login_is_known_by_the_token_in_its_json_though_no_header_tells_it() {
    let login = post(|headers: HeaderMap| async move {
        let token = if headers.contains_key("x-app") { jwt(&json!({"sub": "dina"})) } else { "a+b/c=".to_owned() };
        Json(json!({"token": token}))
    });
    let shop = Router::new().route("/api/login", login).route("/api/profile", get(async || "you"));
    let site = example("demo.conf", shop).await;

    sent(client(&site, "POST", "/api/login")).await;
    sent(client(&site, "GET", "/api/profile").header("cookie", "sid=a+b/c=")).await;
    sent(client(&site, "POST", "/api/login").header("x-app", "1")).await;
    sent(client(&site, "GET", "/api/profile").bearer_auth(jwt(&json!({"sub": "dina", "jti": 2})))).await;

    let mut told: Vec<_> = site.stored(4).await.into_iter().map(|s| (s.keys[0].name.clone(), s.requests)).collect();
    told.sort();
    assert_eq!(told, [("customer".to_owned(), 2), ("token".to_owned(), 2)]);
    site.close();
}
