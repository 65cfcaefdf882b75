//! The errors that addresses answer with.

use axum::http::Method;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// An error: problem JSON (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct ProblemBody {
    /// A URN that names the kind of error.
    r#type: String,
    /// The kind of error in words.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What was wrong, where, and what would be right.
    detail: String,
    /// The parameter that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// Where in a filter it is wrong, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    /// How many bytes of a filter are wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
}

/// Errors: status, end of the type, title, an example of a detail, the parameter in it.
const PROBLEMS: &[(u16, &str, &str, &str, &str)] = &[
    (400, "bad-parameter", "A parameter is wrong", "`0` is no number from 1 to 1000", "page_size"),
    (
        403,
        "cross-site",
        "Another site may not change anything here",
        "pages of other sites may not change anything",
        "",
    ),
    (404, "not-found", "There is no such thing", "there is no session 00 in the days kept, from 2026-03-04 on", ""),
    (410, "gone", "It is older than what is kept", "day 2026-03-01 of session 00 is no longer kept", ""),
    (409, "full", "There cannot be more of it", "1000 notes are on it", ""),
    (413, "too-large", "The body is too long", "a body has at most 131072 bytes", ""),
    (415, "unsupported-media-type", "The body is no JSON", "the body must be JSON", ""),
    (421, "misdirected", "This server has no such name", "one Host header would be right", ""),
    (429, "too-often", "That was too often", "ten a second at most, twenty at once; ask again in 1 s", ""),
    (500, "internal", "The server failed", "the store could not answer; the server's log says why", ""),
    (503, "busy", "The server is busy", "too many questions at a time; ask again in a few seconds", ""),
    (504, "timed-out", "The question took too long", "no answer within 10 s", ""),
];

/// What every address may answer with.
const EVERYWHERE: [u16; 5] = [400, 421, 500, 503, 504];

/// What every address that changes something may answer with too.
const WRITES: [u16; 2] = [403, 409];
/// What every address that takes a body may answer with too.
const BODIES: [u16; 2] = [413, 415];

/// The errors of an operation.
pub(super) fn responses(method: &Method, takes_body: bool, more: &[u16]) -> Map<String, Value> {
    let writes = WRITES.iter().filter(|_| *method != Method::GET);
    let bodies = BODIES.iter().filter(|_| takes_body);
    let of = |status: &u16| (status.to_string(), json!({ "$ref": format!("#/components/responses/{status}") }));
    EVERYWHERE.iter().chain(writes).chain(bodies).chain(more).map(of).collect()
}

/// All errors, for the document's components.
pub(super) fn components(schema: &Schema) -> Map<String, Value> {
    let told = |(status, kind, title, detail, parameter): &(u16, &str, &str, &str, &str)| {
        let parameter = Some(*parameter).filter(|name| !name.is_empty()).map(str::to_owned);
        let (title, detail) = ((*title).to_owned(), (*detail).to_owned());
        let r#type = format!("urn:api-sessions:problem:{kind}");
        let example = ProblemBody { r#type, title, status: *status, detail, parameter, offset: None, length: None };
        let content = json!({ "application/problem+json": { "schema": schema, "example": example } });
        (status.to_string(), json!({ "description": example.title, "content": content }))
    };
    PROBLEMS.iter().map(told).collect()
}
