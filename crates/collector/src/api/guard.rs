//! What is true of every answer: who asks under which name and from where, and what browsers may do
//! with it.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Problem;

/// Marks requests that came over a unix socket: no browser can send those.
#[derive(Clone, Copy, Debug)]
pub(super) struct OverUnixSocket;

/// Refuses names that are not the loopback's: a page from elsewhere may have pointed its own name
/// at this machine to read what it should not (DNS rebinding).
pub(super) async fn check_host(request: Request, next: Next) -> Response {
    let mut response = match refusal(&request) {
        None => next.run(request).await,
        Some(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn refusal(request: &Request) -> Option<Problem> {
    if request.extensions().get::<OverUnixSocket>().is_some() {
        return None;
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Some(Problem::misdirected("one Host header would be right"));
    };
    let named = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    let fits = named.as_ref().is_some_and(is_loopback) && request.uri().authority().is_none_or(is_loopback);
    (!fits).then(|| {
        Problem::misdirected("until there is access control, it is reached as localhost, 127.0.0.1 or [::1] only")
    })
}

fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    !authority.as_str().contains('@')
        && (host.eq_ignore_ascii_case("localhost")
            || bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback()))
}

/// Refuses what a browser asks for on behalf of another site's page: changes, and questions that the page
/// could not read the answers of but could keep the server busy with. A link may lead here.
///
/// Browsers name the page in `Origin` with every request that is no GET or HEAD (Fetch standard,
/// section 3.2), and newer ones say in `Sec-Fetch-Site` how it stands to us; other clients send neither.
///
/// A change that has begun is finished, with its row in the audit, also when nobody waits for it any more.
pub(super) async fn check_site(request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let headers = request.headers();
    let refused = if changes { is_cross_site(headers) } else { is_embedded_elsewhere(headers) };
    if refused && request.extensions().get::<OverUnixSocket>().is_none() {
        let detail =
            "pages of other sites may ask for nothing here; ask from a page of this server, or not from a browser";
        return Problem::cross_site(detail).into_response();
    }
    if !changes {
        return next.run(request).await;
    }
    tokio::spawn(next.run(request)).await.unwrap_or_else(|died| {
        tracing::error!(error = %died, "a change died");
        Problem::internal().into_response()
    })
}

fn is_embedded_elsewhere(headers: &HeaderMap) -> bool {
    let says = |name: &str, word: &str| headers.get_all(name).iter().any(|value| value.as_bytes() == word.as_bytes());
    says("sec-fetch-site", "cross-site") && !says("sec-fetch-mode", "navigate")
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    let foreign = |site: &HeaderValue| !matches!(site.as_bytes(), b"same-origin" | b"none");
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let other = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        let named = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        !named.is_some_and(|named| named.eq_ignore_ascii_case(host))
    };
    headers.get_all("sec-fetch-site").iter().any(foreign) || headers.get_all(header::ORIGIN).iter().any(other)
}

/// The answer for addresses that are none.
pub(super) async fn no_such_address(request: Request) -> Problem {
    let shown: String = request.uri().path().chars().take(256).collect();
    Problem::not_found(format!("there is nothing at {shown}; /api/v1/openapi.json tells what there is"))
}

/// The answer for methods that an address does not take.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::method_not_allowed()
}
