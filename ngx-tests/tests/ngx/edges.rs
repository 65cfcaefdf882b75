//! Where NGINX is not what one expects: subrequests, odd header names, deleted headers, circles.

use ngx_tests::nginx::Nginx;
use ngx_tests::rest::Session;

use crate::site::{Site, quickstart};

/// The text of an answer.
async fn text(site: &Site, path: &str) -> String {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(format!("{}{path}", site.nginx.url())).send().await.unwrap().text().await.unwrap()
}

/// What decided the sessions, in their order.
fn deciders(sessions: &[Session]) -> Vec<&str> {
    sessions.iter().flat_map(|session| &session.keys).map(|key| key.source.as_str()).collect()
}

#[tokio::test]
async fn the_status_page_can_be_included_in_another_page() {
    let config = quickstart("")
        .in_server(
            r#"
        location = /counters { wallarm_sessions off; wallarm_session_status; }
        location = /page { wallarm_sessions off; ssi on; default_type text/html; return 200 'head<!--#include virtual="/counters" -->tail'; }
"#,
        )
        .unwrap();
    let site = Site::of(config).await;

    let page = text(&site, "/page").await;

    assert!(page.starts_with("head") && page.ends_with("tail"), "{page}");
    assert!(page.contains("wallarm_sessions_requests_total 0"), "{page}");
    site.close();
}

#[tokio::test]
async fn the_target_of_a_redirect_is_a_source() {
    let config = quickstart("    wallarm_session_key response.header.Location;")
        .in_server("        location = /go { return 302 /elsewhere; }")
        .unwrap();
    let site = Site::of(config).await;
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    http.get(format!("{}/go", site.nginx.url())).send().await.unwrap();

    let sessions = site.stored(1).await;

    assert_eq!(deciders(&sessions), ["response.header.Location"]);
    site.close();
}

#[tokio::test]
async fn a_header_with_an_underscore_is_found_where_nginx_lets_it_pass() {
    let site = Site::of(quickstart(
        "    ignore_invalid_headers off;
    wallarm_session_key request.header.X_Token;
    wallarm_session_key request.header.X-Plain;",
    ))
    .await;
    site.get("/", &[("x_token", "a")]).await;
    site.get("/", &[("x-plain", "b")]).await;

    let sessions = site.stored(2).await;

    let mut found = deciders(&sessions);
    found.sort_unstable();
    assert_eq!(found, ["request.header.X-Plain", "request.header.X_Token"]);
    site.close();
}

#[tokio::test]
async fn a_cookie_that_an_answer_deletes_makes_no_session_of_strangers() {
    let config = quickstart("")
        .in_server(
            "        add_header Set-Cookie 'PHPSESSID=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0';",
        )
        .unwrap();
    let site = Site::of(config).await;
    site.get("/logout", &[("user-agent", "one")]).await;
    site.get("/logout", &[("user-agent", "another")]).await;

    assert_eq!(site.stored(2).await.len(), 2);
    site.close();
}

#[tokio::test]
async fn a_key_that_depends_on_the_session_ends_and_does_no_harm() {
    let config = quickstart(
        "    map $wallarm_session_id $circle { default 'x'; '' ''; }
    wallarm_session_key $circle;",
    );
    let site = Site::of(config).await;
    assert_eq!(site.get("/", &[]).await.as_u16(), 200);

    site.stored(1).await;
    site.close();
}

#[test]
fn a_switch_that_depends_on_the_session_is_refused() {
    let config = quickstart("").replace("wallarm_sessions on;", "wallarm_sessions $wallarm_session_id;").unwrap();

    let (good, said) = Nginx::check(&config).unwrap();

    assert!(!good && said.contains("which is computed from it"), "{said}");
}
