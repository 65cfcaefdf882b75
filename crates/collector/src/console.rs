//! The web console: files that `scripts/setup` builds from `console/`, inside of the binary.
//!
//! Its pages ask the REST API like everybody else. What they may do is told to the browser: scripts and
//! styles from here only, none of them inline, and nothing from or to anywhere else. A server that was
//! built without the console says how to build one with it.

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{Embed, EmbeddedFile};

/// What was built; nothing when there was nothing at build time.
#[derive(Embed)]
#[folder = "../../build/console"]
#[allow_missing = true]
struct Built;

/// The pages: the same file, which shows what its address says. Other addresses are none, here as there.
const PAGES: [&str; 2] = ["/", "/sessions"];

/// What the page may do. Mantine's own inline styles are switched off in favour of a file, so that
/// styles need no exception; with `trusted-types` no script can write markup from texts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types";

const NOT_BUILT: &str = "This server was built without its web console.\n\n\
    Run scripts/setup, which needs Node.js, and build the server again; or use the REST API below /api/v1 and the commands.\n";

/// The addresses of the console.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let router = Router::new().route("/assets/{name}", get(asset));
    PAGES.into_iter().fold(router, |router, address| router.route(address, get(page)))
}

async fn page() -> Response {
    let guards = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    ];
    match Built::get("index.html") {
        Some(file) => (guards, content("index.html", file)).into_response(),
        None => (StatusCode::NOT_FOUND, guards, NOT_BUILT).into_response(),
    }
}

/// Scripts and styles, whose names hold a hash of what is in them: they never change.
async fn asset(Path(name): Path<String>) -> Response {
    let Some(file) = Built::get(&format!("assets/{name}")) else {
        return (StatusCode::NOT_FOUND, "The console has no such file; it may be one of an older server.\n")
            .into_response();
    };
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    ([(header::CACHE_CONTROL, kept)], content(&name, file)).into_response()
}

fn content(name: &str, file: EmbeddedFile) -> Response {
    let kind = match name.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], Bytes::from_owner(file.data)).into_response()
}

#[cfg(test)]
mod tests;
