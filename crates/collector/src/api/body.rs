//! What a request brings along: JSON, small, in time.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use super::Problem;

/// Bytes of a body.
pub(super) const LARGEST: usize = 128 << 10;
/// Time to send one.
const LONGEST: Duration = Duration::from_secs(10);

/// A body of JSON, read as `T`.
///
/// Its type must be named: pages of other sites can send forms and plain text without asking, JSON they
/// cannot (Fetch standard, "CORS-safelisted request-header").
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !request.headers().get(CONTENT_TYPE).is_some_and(|kind| is_json(kind.as_bytes())) {
            return Err(Problem::media_type("the body must be JSON, and Content-Type: application/json must say so"));
        }
        let body = match tokio::time::timeout(LONGEST, Bytes::from_request(request, state)).await {
            Ok(Ok(body)) => body,
            Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return Err(Problem::too_large(format!("a body has at most {LARGEST} bytes")));
            }
            Ok(Err(error)) => return Err(Problem::body(format!("the body cannot be read: {}", error.body_text()))),
            Err(_) => return Err(Problem::body(format!("the body did not come within {} s", LONGEST.as_secs()))),
        };
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Problem::body("the body must be a JSON object"));
        }
        // Its words name line, column and field.
        serde_json::from_slice(&body).map(Self).map_err(|error| Problem::body(format!("the body is wrong: {error}")))
    }
}

fn is_json(content_type: &[u8]) -> bool {
    let kind = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
}
