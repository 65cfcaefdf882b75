//! What a level inherits: each directive that may stand on many levels, said on all of them.
//!
//! Each level says a value of its own; each request tells which level it was recorded under.

use ngx_tests::rest::Request;
use reqwest::{Client, Method, Url};

use crate::site::{Site, quickstart};

const LEVELS: [&str; 6] = ["http", "server", "location", "nested", "if", "limit"];

/// A directive under test.
struct Directive {
    name: &'static str,
    /// What it says on each of the [`LEVELS`]; each level differs from those around it.
    says: [&'static str; 6],
    /// What of a record shows the value; `None` where the request is not recorded.
    shows: fn(Option<&Request>) -> String,
    /// What that is for each of the [`LEVELS`].
    shown: [&'static str; 6],
}

/// A request, and the level whose value must be in force for it.
struct Case(&'static str, Method, &'static str, &'static str);

fn cases() -> Vec<Case> {
    vec![
        Case("silent.test", Method::GET, "/", "http"),
        Case("other.test", Method::GET, "/own/", "http"),
        Case("said.test", Method::GET, "/silent/", "server"),
        Case("said.test", Method::GET, "/own/", "location"),
        Case("said.test", Method::GET, "/own/silent/", "location"),
        Case("said.test", Method::GET, "/own/nested/", "nested"),
        Case("said.test", Method::GET, "/own/nested/?deeper=1", "if"),
        Case("said.test", Method::GET, "/own/if/", "location"),
        Case("said.test", Method::GET, "/own/if/?yes=1", "if"),
        // The last block whose condition is true counts, and it inherits from the location alone.
        Case("said.test", Method::GET, "/own/if/?yes=1&empty=1", "location"),
        Case("said.test", Method::GET, "/own/limit/", "location"),
        Case("said.test", Method::POST, "/own/limit/", "limit"),
        // NGINX looks at the method first, and does not see the blocks `if` of the location then.
        Case("said.test", Method::GET, "/own/both/?yes=1", "if"),
        Case("said.test", Method::POST, "/own/both/?yes=1", "limit"),
        Case("said.test", Method::GET, "/own-too/", "server"),
    ]
}

const CREDENTIAL: &str = "0123456789abcdef0123456789abcdef";

fn tree(directive: &Directive) -> String {
    let [http, server, location, nested, in_if, limit] = directive
        .says
        .map(|value| value.split(';').map(|one| format!("{} {one};", directive.name)).collect::<String>());
    format!(
        r#"
    {http}
    log_not_found off;
    server {{ listen 127.0.0.1:8080; server_name silent.test; location / {{ }} }}
    server {{
        listen 127.0.0.1:8080;
        server_name said.test;
        location /silent/ {{ }}
        location /own/ {{
            location /own/silent/ {{ }}
            location /own/nested/ {{
                if ($arg_deeper) {{ {in_if} }}
                {nested}
            }}
            location /own/if/ {{
                if ($arg_yes) {{ {in_if} }}
                if ($arg_empty) {{ add_header X-If empty; }}
            }}
            location /own/limit/ {{ limit_except GET {{ {limit} }} }}
            location /own/both/ {{
                if ($arg_yes) {{ {in_if} }}
                limit_except GET {{ {limit} }}
            }}
            {location}
        }}
        location /own-too/ {{ }}
        {server}
    }}
    server {{ listen 127.0.0.1:8080; server_name other.test; location /own/ {{ }} }}
"#
    )
}

/// Sends each case's request and compares what is recorded of it.
async fn is_inherited(directive: Directive) {
    let mut config = quickstart(&tree(&directive));
    if directive.name == "wallarm_sessions" {
        config = config.replace("    wallarm_sessions on; ", "").unwrap();
    }
    let site = Site::of(config).await;
    let http = Client::builder().no_proxy().build().unwrap();
    let mut expected = Vec::new();
    for (number, Case(host, method, path, level)) in cases().into_iter().enumerate() {
        let mut url = Url::parse(&site.nginx.url()).unwrap().join(path).unwrap();
        url.set_path(&format!("{}{CREDENTIAL}", url.path()));
        let mut request = http.request(method.clone(), url).header("host", host);
        for level in LEVELS {
            request = request.header(format!("X-{level}"), level);
        }
        let agent = format!("case {number}");
        request.header("user-agent", &agent).header("cookie", "PHPSESSID=a").send().await.unwrap();
        let at = LEVELS.iter().position(|&l| l == level).unwrap();
        expected.push((agent, format!("{method} {host}{path}"), directive.shown[at]));
    }

    let not_recorded = expected.iter().filter(|(_, _, shown)| *shown == "-").count();
    site.stored((expected.len() - not_recorded) as u64).await;
    let stored = site.rest.everything().await.unwrap();
    for (agent, case, shown) in expected {
        let recorded = stored.iter().find(|request| request.user_agent == agent);
        assert_eq!((directive.shows)(recorded), shown, "{} for {case}: {recorded:#?}", directive.name);
    }
    site.close();
}

fn of(request: Option<&Request>) -> &Request {
    request.expect("every request is recorded")
}

#[tokio::test]
async fn sessions() {
    is_inherited(Directive {
        name: "wallarm_sessions",
        says: ["on", "off", "on", "off", "off", "off"],
        shows: |request| if request.is_some() { "recorded" } else { "-" }.to_owned(),
        shown: ["recorded", "-", "recorded", "-", "-", "-"],
    })
    .await;
}

#[tokio::test]
async fn the_application() {
    is_inherited(Directive {
        name: "wallarm_session_application",
        says: LEVELS,
        shows: |request| of(request).application.clone(),
        shown: LEVELS,
    })
    .await;
}

/// Every request has a header for every level: the key of a level further up would find something.
#[tokio::test]
async fn keys_as_a_list_that_replaces_the_one_above() {
    is_inherited(Directive {
        name: "wallarm_session_key",
        says: [
            "request.header.X-http show",
            "request.header.X-absent;request.header.X-server show",
            "request.header.X-location show",
            "request.header.X-nested show",
            "request.header.X-if show",
            "request.header.X-limit show",
        ],
        shows: |request| of(request).key.value.clone(),
        shown: LEVELS,
    })
    .await;
}

#[tokio::test]
async fn contexts_as_a_list_that_replaces_the_one_above() {
    is_inherited(Directive {
        name: "wallarm_session_context",
        says: [
            "request.header.X-http;request.header.X-if;request.header.X-absent",
            "request.header.X-server;request.header.X-http",
            "request.header.X-location",
            "request.header.X-nested",
            "request.header.X-if",
            "request.header.X-limit",
        ],
        shows: |request| of(request).params.iter().map(|param| param.value.as_str()).collect::<Vec<_>>().join("+"),
        shown: ["http+if", "server+http", "location", "nested", "if", "limit"],
    })
    .await;
}

#[tokio::test]
async fn whether_the_built_in_keys_are_tried() {
    const ON: &str = "cookie:PHPSESSID";
    const OFF: &str = "ip+ua";
    is_inherited(Directive {
        name: "wallarm_session_builtin_keys",
        says: ["off", "on", "off", "on", "on", "on"],
        shows: |request| of(request).key.source.clone(),
        shown: [OFF, ON, OFF, ON, ON, ON],
    })
    .await;
}

#[tokio::test]
async fn how_the_address_leaves() {
    fn mode(request: Option<&Request>) -> String {
        match of(request).ip.as_str() {
            "127.0.0.1" => "clear".into(),
            "127.0.0.0/24" => "prefix".into(),
            hash if hash.len() == 32 => "hash".into(),
            other => other.into(),
        }
    }
    let says = ["prefix", "hash", "clear", "prefix", "hash", "prefix"];
    is_inherited(Directive { name: "wallarm_session_ip", says, shows: mode, shown: says }).await;
}

#[tokio::test]
async fn how_the_path_leaves() {
    fn mode(request: Option<&Request>) -> String {
        if of(request).path.ends_with(CREDENTIAL) { "clear" } else { "mask" }.to_owned()
    }
    let says = ["clear", "mask", "clear", "mask", "mask", "mask"];
    is_inherited(Directive { name: "wallarm_session_path", says, shows: mode, shown: says }).await;
}

#[tokio::test]
async fn keys_and_contexts_are_lists_of_their_own_and_no_key_above_is_tried() {
    let config = quickstart(
        "    wallarm_session_key request.header.X-A;
    wallarm_session_key request.header.X-B;
    wallarm_session_context request.header.X-Page;",
    )
    .in_server("        location /own/ { wallarm_session_key request.header.X-C; return 200; }")
    .unwrap();
    let site = Site::of(config).await;
    let headers = [("x-b", "b"), ("x-page", "7"), ("user-agent", "one")];
    site.get("/", &headers).await;
    site.get("/own/", &headers).await;

    site.stored(2).await;
    let mut stored = site.rest.everything().await.unwrap();
    stored.sort_by(|a, b| a.path.cmp(&b.path));
    let found: Vec<_> = stored.iter().map(|r| (r.key.source.as_str(), r.params[0].value.as_str())).collect();
    assert_eq!(found, [("request.header.X-B", "7"), ("ip+ua", "7")]);
    site.close();
}

#[tokio::test]
async fn a_block_if_that_answers_itself_decides_what_is_recorded() {
    let config = quickstart("")
        .in_server(
            r#"        location /checked/ {
            if ($arg_health) { wallarm_sessions off; return 204; }
            if ($http_x_bot) { wallarm_session_application bots; return 403; }
            return 200;
        }"#,
        )
        .unwrap();
    let site = Site::of(config).await;
    assert_eq!(site.get("/checked/?health=1", &[]).await, 204);
    assert_eq!(site.get("/checked/", &[("x-bot", "yes")]).await, 403);
    assert_eq!(site.get("/checked/", &[]).await, 200);

    let requests = site.only_session(2).await;
    let seen: Vec<_> = requests.iter().map(|r| (r.status, r.application.as_str())).collect();
    assert_eq!(seen, [(403, "bots"), (200, "default")]);
    site.close();
}

#[tokio::test]
async fn a_request_that_limit_except_refuses_is_recorded_as_the_block_says() {
    let config = quickstart("")
        .in_server(
            r#"        location /limited/ {
            wallarm_session_application reads;
            limit_except GET { wallarm_session_application writes; deny all; }
        }"#,
        )
        .unwrap();
    let site = Site::of(config).await;
    let http = Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/limited/x", site.nginx.url());
    assert_eq!(http.delete(&url).send().await.unwrap().status(), 403);
    assert_eq!(http.get(&url).send().await.unwrap().status(), 404);

    let requests = site.only_session(2).await;
    let seen: Vec<_> = requests.iter().map(|r| (r.method.as_str(), r.application.as_str())).collect();
    assert_eq!(seen, [("DELETE", "writes"), ("GET", "reads")]);
    site.close();
}
