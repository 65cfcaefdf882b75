//! What is promised of the OpenAPI document: it says what the server does.

use std::collections::BTreeSet;

use serde_json::json;

use super::export::full_row;
use super::*;

/// A server with something behind every address, and its document.
async fn told() -> (Server, Value, Body) {
    let server = Server::new();
    let mut after_a_pause = full_row();
    after_a_pause.arrival.ordinal = 1;
    after_a_pause.request.id = Id([3; 16]);
    after_a_pause.request.ts = Micros(NOW - HOUR);
    after_a_pause.request.ip = "192.0.2.9".to_owned();
    let mut other = full_row();
    other.arrival.ordinal = 2;
    other.request.session_id = session(2);
    server.put_rows([full_row(), after_a_pause, other]);
    let report = NodeReport {
        node: "edge".to_owned(),
        drops: [("queue".to_owned(), 1)].into(),
        spool: Some([("bytes".to_owned(), 1)].into()),
        plans: vec![wire::PlanReport {
            keys: vec![wire::PlanKey::default()],
            contexts: vec![wire::PlanContext::default()],
            ..Default::default()
        }],
        ..NodeReport::default()
    };
    server.shared.nodes.record(Micros(NOW), report);
    for on in [format!("sessions/{}", session(1)), format!("requests/{}", request_id(Arrival::default(), NOW))] {
        let put = Request::put(format!("/api/v1/{on}/labels/checked")).header("host", "localhost");
        let post = Request::post(format!("/api/v1/{on}/notes")).header("host", "localhost");
        let post = post.header("content-type", "application/json");
        let note = Body::from(json!({ "text": "seen" }).to_string());
        for request in [put.body(Body::empty()).unwrap(), post.body(note).unwrap()] {
            let status = server.router.clone().oneshot(request).await.unwrap().status();
            assert_eq!(status, StatusCode::CREATED);
        }
    }
    let document = server.ok("/openapi.json").await;
    // Under way as long as nobody reads it.
    let export = Request::get("/api/v1/sessions.csv?query_id=running").header("host", "localhost");
    let export = server.router.clone().oneshot(export.body(Body::empty()).unwrap()).await.unwrap();
    (server, document, export.into_body())
}

/// The addresses that are read, and what is told of them.
fn reads(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.filter(|(_, methods)| methods["get"].is_object()).map(|(path, methods)| {
        let id = match path.starts_with("/requests") {
            true => request_id(Arrival::default(), NOW),
            false => session(1),
        };
        (
            path.replace("{id}", &id.to_string()).replace("{label}", "checked").replace("{query_id}", "running"),
            &methods["get"],
        )
    })
}

fn is_export(path: &str) -> bool {
    path.ends_with(".csv") || path.ends_with(".ndjson")
}

#[tokio::test]
async fn every_address_tells_the_parameters_that_it_takes_and_no_others() {
    let (server, document, _running) = told().await;
    for (path, operation) in reads(&document) {
        let parameters = operation["parameters"].as_array().unwrap();
        let told: BTreeSet<_> =
            parameters.iter().filter(|p| p["in"] == "query").map(|p| p["name"].as_str().unwrap()).collect();
        assert!(parameters.iter().all(|p| p["description"].is_string()), "{path} has a parameter without words");
        let problem = server.problem(&format!("{path}?no_such_parameter=1"), 400).await;
        let detail = problem["detail"].as_str().unwrap();
        let mut taken: BTreeSet<_> = match detail.split_once("those here are ") {
            Some((_, names)) => names.split(", ").collect(),
            None => BTreeSet::new(),
        };
        if is_export(&path) {
            taken.retain(|name| !["page_size", "page_token"].contains(name));
        }
        assert_eq!(told, taken, "{path}: {detail}");
    }
}

#[tokio::test]
async fn answers_and_examples_have_the_fields_that_are_told_and_no_others() {
    let (server, document, _running) = told().await;
    for (path, operation) in reads(&document) {
        for (kind, media) in operation["responses"]["200"]["content"].as_object().unwrap() {
            assert!(!media["example"].is_null(), "{path} has no example");
            fits(&document, &media["schema"], &media["example"]).unwrap_or_else(|e| panic!("example of {path}: {e}"));
            if kind == "application/json" {
                let address = if path == "/requests" { "/requests?order_by=arrival" } else { &path };
                let answer = server.ok(address).await;
                fits(&document, &media["schema"], &answer).unwrap_or_else(|e| panic!("{path}: {e}"));
            }
        }
        let refused = server.problem(&format!("{path}?no_such_parameter=1"), 400).await;
        let problem = &document["components"]["responses"]["400"]["content"]["application/problem+json"];
        fits(&document, &problem["schema"], &refused).unwrap();
        fits(&document, &problem["schema"], &problem["example"]).unwrap();
    }
}

#[tokio::test]
async fn every_error_that_an_address_names_is_told_once() {
    let (_, document, _) = told().await;
    for (path, operation) in reads(&document) {
        for (status, response) in operation["responses"].as_object().unwrap().iter().filter(|(s, _)| *s != "200") {
            let named = document.pointer(&response["$ref"].as_str().unwrap()[1..]);
            let content = &named.unwrap_or_else(|| panic!("{path}: no words for {status}"))["content"];
            assert_eq!(content["application/problem+json"]["example"]["status"].to_string(), *status);
        }
    }
}

/// Whether a value is what a schema tells: the words of JSON Schema that ours use.
fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        return fits(document, document.pointer(&name[1..]).ok_or_else(|| format!("no {name}"))?, value);
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let tried: Vec<_> = choices.iter().map(|choice| fits(document, choice, value)).collect();
            let failed = || tried.iter().flat_map(|t| t.as_ref().err()).cloned().collect::<Vec<_>>().join(" or ");
            return if tried.iter().any(Result::is_ok) { Ok(()) } else { Err(failed()) };
        }
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds: Vec<_> = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        Value::Null => vec![json!(kind)],
        one => vec![one.clone()],
    };
    let told = kinds.contains(&json!(kind)) || (kind == "integer" && kinds.contains(&json!("number")));
    if !told {
        return Err(format!("{value} is no {kinds:?}"));
    }
    let known = schema["enum"].as_array().is_none_or(|known| known.contains(value));
    if !known || (!schema["const"].is_null() && schema["const"] != *value) {
        return Err(format!("{value} is not told"));
    }
    for item in value.as_array().into_iter().flatten() {
        fits(document, &schema["items"], item)?;
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if value.is_object() && value.get(required.as_str().unwrap()).is_none() {
            return Err(format!("no {required}"));
        }
    }
    for (name, field) in value.as_object().into_iter().flatten() {
        let told = schema["properties"].get(name).or(schema.get("additionalProperties"));
        match told {
            Some(told) => fits(document, told, field).map_err(|e| format!("{name}: {e}"))?,
            None if schema.get("type").is_none() => {}
            None => return Err(format!("{name} is not told of")),
        }
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_noticed() {
    let schema = json!({ "type": "object", "properties": { "a": { "type": ["string", "null"] }, "b": { "anyOf": [
        { "enum": ["x"], "type": "string" }, { "type": "array", "items": { "type": "integer" } }] } }, "required": ["a"] });
    for value in [json!({ "a": "x" }), json!({ "a": null, "b": "x" }), json!({ "a": "", "b": [1] })] {
        fits(&Value::Null, &schema, &value).unwrap();
    }
    for value in [
        json!({}),
        json!([]),
        json!({ "a": 1 }),
        json!({ "a": "", "c": 1 }),
        json!({ "a": "", "b": "y" }),
        json!({ "a": "", "b": ["1"] }),
    ] {
        fits(&Value::Null, &schema, &value).unwrap_err();
    }
}
