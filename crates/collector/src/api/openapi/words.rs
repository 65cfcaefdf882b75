//! What parameters mean: one word for one thing, at every address that takes it.

use serde_json::{Value, json};

/// A parameter: its name, what it means, its schema, an example.
fn words() -> Vec<(&'static str, &'static str, Value, Value)> {
    let time = || json!({ "type": "string", "format": "date-time" });
    vec![
        ("id", "32 hex digits", json!({ "type": "string", "pattern": "^[0-9a-fA-F]{32}$" }), json!(ID)),
        ("number", "The id of a decision", json!({ "type": "integer", "minimum": 1 }), json!(1)),
        (
            "bundle",
            "The id of a bundle; to read it, .html or .ndjson follows",
            json!({ "type": "string", "pattern": "^[0-9a-fA-F]{32}(\\.html|\\.ndjson)?$" }),
            json!("0197f4a03e7c7b2a9c41d3a5b6e7f809.html"),
        ),
        ("label", "1 to 64 characters", json!({ "type": "string", "minLength": 1, "maxLength": 64 }), json!("checked")),
        ("from", "First moment of the window, RFC 3339", time(), json!("2026-03-10T00:00:00Z")),
        ("to", "First moment past the window, RFC 3339", time(), json!("2026-03-11T00:00:00Z")),
        ("day", "A UTC day: the part of a session", json!({ "type": "string", "format": "date" }), json!("2026-03-10")),
        (
            "noise",
            "Whether requests that rules call noise are hidden, shown, or shown alone; a filter that names the field \
             `noise` decides itself",
            json!({ "enum": super::super::narrow::NOISE, "default": "hide" }),
            json!("show"),
        ),
        ("mcp", "Those with calls of AI agents, or those without", json!({ "type": "boolean" }), json!(true)),
        (
            "page_size",
            "Rows of a page",
            json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 50 }),
            json!(50),
        ),
        (
            "page_token",
            "The next_page_token of the page before; the other parameters are repeated with it",
            json!({ "type": "string", "maxLength": 512 }),
            Value::Null,
        ),
        ("group_by", "Up to two names with a comma between them", json!({ "type": "string" }), json!("method,status")),
        (
            "metrics",
            "What is told of each group, names with commas between them",
            json!({ "type": "string" }),
            json!("sessions,errors,duration_us"),
        ),
        ("bucket", "Steps of time", json!({ "enum": super::super::stats::bucket_names() }), json!("1h")),
        (
            "top",
            "Groups told; all others are told together",
            json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 10 }),
            json!(10),
        ),
        ("order_by", "An order that the list has", json!({ "type": "string" }), Value::Null),
        ("values", "A field whose commonest values are wanted", json!({ "type": "string" }), json!("status")),
        (
            "timeout",
            "Seconds that the answer may take, waiting included",
            json!({ "type": "integer", "minimum": 1, "maximum": 30, "default": 10 }),
            json!(30),
        ),
        (
            "query_id",
            "An id for the question, by which /queries tells how far it is and cancels it",
            json!({ "type": "string", "pattern": "^[0-9A-Za-z_-]{1,64}$" }),
            Value::Null,
        ),
        (
            "filter",
            "What rows have to meet, in the language of filters",
            json!({ "type": "string" }),
            json!("status>=500"),
        ),
    ]
}

/// The id in examples.
pub(super) const ID: &str = "0197f4a03e7c7b2a9c41d3a5b6e7f809";

/// What the document says of a parameter; one without words is told without.
pub(super) fn parameter(name: &str, place: &str) -> Value {
    let mut parameter = json!({ "name": name, "in": place, "required": place == "path", "schema": {} });
    if let Some((_, meaning, schema, example)) = words().into_iter().find(|(known, ..)| *known == name) {
        parameter["description"] = meaning.into();
        parameter["schema"] = schema;
        if !example.is_null() {
            parameter["example"] = example;
        }
    }
    parameter
}
