//! Errors as readers get them: problem JSON (RFC 9457).

use std::time::Duration;

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::desk::DeskError;
use crate::filter::BadFilter;

/// An answer that is an error.
#[derive(Clone, Debug)]
pub struct Problem(Box<Content>);

#[derive(Clone, Debug)]
struct Content {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    parameter: Option<String>,
    more: Map<String, Value>,
    header: Option<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    #[serde(flatten)]
    more: &'a Map<String, Value>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self(Box::new(Content { status, kind, title, detail, parameter: None, more: Map::new(), header: None }))
    }

    /// A parameter is wrong; `detail` says what would be right.
    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "bad-parameter", "A parameter is wrong", detail);
        problem.0.parameter = Some(name.to_owned());
        problem
    }

    /// The filter is wrong: where, and what would be right.
    pub(super) fn filter(bad: &BadFilter) -> Self {
        let mut problem = Self::parameter("filter", format!("at byte {}: {bad}", bad.offset));
        problem.0.more.insert("offset".to_owned(), bad.offset.into());
        problem.0.more.insert("length".to_owned(), bad.length.into());
        problem
    }

    /// A page token that cannot be continued from.
    pub(super) fn page_token(detail: impl Into<String>) -> Self {
        let title = "The page token cannot be used";
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "bad-page-token", title, detail);
        problem.0.parameter = Some("page_token".to_owned());
        problem
    }

    /// The body of a request is wrong; `detail` says where, and what would be right.
    pub(super) fn body(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-body", "The body is wrong", detail)
    }

    /// The body is of a kind that is not taken.
    pub(super) fn media_type(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body is no JSON", detail)
    }

    /// The body is too long.
    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too long", detail)
    }

    /// A page of another site asks for a change.
    pub(super) fn cross_site(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "cross-site", "Another site may not change anything here", detail)
    }

    /// There is as much of it as there may be.
    pub(super) fn full(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "full", "There cannot be more of it", detail)
    }

    /// It is there already.
    pub(super) fn exists(name: &str, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::CONFLICT, "exists", "It is there already", detail);
        problem.0.parameter = Some(name.to_owned());
        problem
    }

    /// The server does not know the secret of the nodes.
    pub(super) fn no_secret() -> Self {
        let detail = "the server has no secret to make pseudonyms with: name the file that the nodes' directive \
                      wallarm_session_secret names, as `secret` in the server's configuration, and start it anew";
        Self::new(StatusCode::CONFLICT, "no-secret", "The secret is not known", detail)
    }

    /// It was asked too often.
    pub(super) fn too_often(wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(1);
        let detail = format!("ten a second at most, twenty at once; ask again in {seconds} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-often", "That was too often", detail)
            .with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// There is no such thing, or not any more and nothing tells that it once was.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    /// It lies before the time that is kept.
    pub(super) fn gone(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "gone", "It is older than what is kept", detail)
    }

    /// The address does not take this method.
    pub(super) fn method_not_allowed() -> Self {
        let detail = "the header Allow names the methods that this address takes";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is wrong", detail)
    }

    /// The `Host` is none of this server's.
    pub(super) fn misdirected(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", "This server has no such name", detail)
    }

    /// All slots for questions are taken.
    pub(super) fn busy() -> Self {
        let detail = "too many questions at a time; ask again in a few seconds";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "The server is busy", detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("2"))
    }

    /// The store took longer than a question may.
    pub(super) fn timed_out(seconds: u64) -> Self {
        let detail = format!("no answer within {seconds} s; a shorter window of time or a smaller page takes less");
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timed-out", "The question took too long", detail)
    }

    /// Somebody has cancelled the question.
    pub(super) fn cancelled() -> Self {
        let detail = "somebody has cancelled this question, with DELETE /api/v1/queries/{query_id}";
        Self::new(StatusCode::CONFLICT, "cancelled", "The question was cancelled", detail)
    }

    /// Something that is no fault of the asker.
    pub(super) fn internal() -> Self {
        let detail = "the store could not answer; the server's log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server failed", detail)
    }

    /// The server should get no work, and why.
    pub(super) fn not_ready(reasons: Map<String, Value>) -> Self {
        let detail = reasons
            .iter()
            .map(|(part, why)| format!("{part}: {}", why.as_str().unwrap_or_default()))
            .collect::<Vec<_>>();
        let mut problem =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "The server is not ready", detail.join("; "));
        problem.0.more.insert("reasons".to_owned(), Value::Object(reasons));
        problem
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Full { .. } => Self::full(error.to_string()),
            _ => {
                tracing::error!(%error, "notes, labels and audit could not answer");
                Self::internal()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Content { status, kind, title, detail, parameter, more, header } = *self.0;
        let body = Body {
            r#type: format!("urn:api-sessions:problem:{kind}"),
            title,
            status: status.as_u16(),
            detail: &detail,
            parameter: parameter.as_deref(),
            more: &more,
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = header {
            headers.insert(name, value);
        }
        response
    }
}
