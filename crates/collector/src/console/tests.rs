//! With and without a console in the binary: which of both a test binary is, is the build's affair.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use tower::ServiceExt;

use super::*;

async fn ask(address: &str) -> (StatusCode, axum::http::HeaderMap, String) {
    let request = Request::get(address).body(Body::empty()).unwrap();
    let (head, body) = routes::<()>().oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (head.status, head.headers, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn each_page_is_the_console_or_says_how_to_build_it() {
    for address in PAGES {
        let (status, headers, body) = ask(address).await;
        if Built::get("index.html").is_some() {
            assert_eq!((status, body.contains("<div id=\"root\">")), (StatusCode::OK, true), "{address}");
        } else {
            assert_eq!((status, body.contains("scripts/setup")), (StatusCode::NOT_FOUND, true), "{address}");
        }
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], POLICY);
    }
}

#[tokio::test]
async fn files_that_the_page_names_are_there_and_may_be_kept_for_ever() {
    for name in Built::iter().filter_map(|path| path.strip_prefix("assets/").map(ToOwned::to_owned)) {
        let (status, headers, _) = ask(&format!("/assets/{name}")).await;
        assert_eq!(status, StatusCode::OK, "{name}");
        assert_eq!(headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_ne!(headers[header::CONTENT_TYPE], "application/octet-stream", "{name}");
    }
}

#[tokio::test]
async fn what_is_no_file_of_the_console_is_not_found() {
    for address in
        ["/assets/none.js", "/assets/..%2findex.html", "/assets/%2e%2e", "/index.html", "/session", "/api/v2"]
    {
        let (status, _, body) = ask(address).await;
        assert_eq!((status, body.contains("<div")), (StatusCode::NOT_FOUND, false), "{address}");
    }
}

/// The policy would stop them, and the page with them.
#[tokio::test]
async fn the_page_has_no_inline_script_or_style_and_names_no_other_site() {
    let Some(file) = Built::get("index.html") else { return };
    let page = String::from_utf8_lossy(&file.data).into_owned();
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("://"), "{page}");
    assert!(
        page.matches("<script").count() == page.matches("<script type=\"module\" crossorigin src=\"/assets/").count()
    );
}
