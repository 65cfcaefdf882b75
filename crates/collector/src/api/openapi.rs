//! The API as an OpenAPI 3.1 document, and the routes that it is made with.
//!
//! Each address is added with its handler and with what is told of it, in one line of `routes`, so
//! that no route can be missing in the document. Schemas come from the types that are answered with;
//! that parameters and fields are those of real answers is what the tests compare.

pub(super) mod examples;
mod problems;
mod words;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::handler::Handler;
use axum::http::{Method, header};
use axum::routing::{MethodFilter, on};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::params::Params;
use super::{Api, Problem};

/// Routes, each told of.
pub(super) struct Routes {
    router: Router<Api>,
    paths: Map<String, Value>,
    parameters: BTreeMap<String, Vec<&'static str>>,
    schemas: SchemaGenerator,
}

/// What is told of an address.
pub(super) struct Told {
    summary: &'static str,
    parameters: Vec<&'static str>,
    takes: Option<Content>,
    answers: Option<Content>,
    succeeds: Vec<u16>,
    problems: Vec<u16>,
}

/// A body.
struct Content {
    kind: &'static str,
    schema: Box<dyn Fn(&mut SchemaGenerator) -> Schema>,
    example: Option<Value>,
}

impl Told {
    /// An address in a sentence.
    pub(super) fn of(summary: &'static str) -> Self {
        Self { summary, parameters: Vec::new(), takes: None, answers: None, succeeds: vec![200], problems: Vec::new() }
    }

    /// The parameters of its query string; each is in the table of `words`.
    pub(super) fn parameters(mut self, names: &[&'static str]) -> Self {
        self.parameters.extend(names);
        // Somebody may cancel it, and the id may be taken.
        self.problems.extend(names.contains(&"query_id").then_some(409));
        self
    }

    /// It answers with JSON, such as the example.
    pub(super) fn answers<T: JsonSchema + Serialize + 'static>(mut self, example: T) -> Self {
        self.answers = Some(Content::json(example));
        self
    }

    /// It answers with a text of this content type.
    pub(super) fn answers_text(mut self, kind: &'static str, example: &str) -> Self {
        self.answers = Some(Content { kind, schema: Box::new(String::json_schema), example: Some(example.into()) });
        self
    }

    /// It takes a body of JSON, such as the example.
    pub(super) fn takes<T: JsonSchema + Serialize + 'static>(mut self, example: T) -> Self {
        self.takes = Some(Content::json(example));
        self
    }

    /// The statuses of its success, if not 200.
    pub(super) fn succeeds(mut self, statuses: &[u16]) -> Self {
        self.succeeds = statuses.to_vec();
        self
    }

    /// Errors beyond those that every address may answer with.
    pub(super) fn problems(mut self, statuses: &[u16]) -> Self {
        self.problems.extend(statuses);
        self
    }
}

impl Content {
    fn json<T: JsonSchema + Serialize + 'static>(example: T) -> Self {
        let example = serde_json::to_value(example).ok();
        Self { kind: "application/json", schema: Box::new(|schemas| schemas.subschema_for::<T>()), example }
    }

    fn told(&self, schemas: &mut SchemaGenerator) -> Value {
        let mut media = json!({ "schema": (self.schema)(schemas) });
        if let Some(example) = &self.example {
            media["example"] = example.clone();
        }
        json!({ self.kind: media })
    }
}

impl Routes {
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            router: Router::new(),
            paths: Map::new(),
            parameters: BTreeMap::new(),
            schemas: settings.into_generator(),
        }
    }

    /// Adds an address that is read.
    pub(super) fn get<H, T>(self, path: &str, handler: H, told: Told) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        self.add(Method::GET, path, handler, told)
    }

    /// Adds an address, or another method of one.
    pub(super) fn add<H, T>(mut self, method: Method, path: &str, handler: H, told: Told) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        let operation = self.operation(&method, path, &told);
        let name = method.as_str().to_lowercase();
        if method == Method::GET {
            self.parameters.insert(path.to_owned(), told.parameters);
        }
        if let Ok(filter) = MethodFilter::try_from(method) {
            self.router = self.router.route(path, on(filter, handler));
        }
        self.paths.entry(path).or_insert_with(|| json!({}))[name] = operation;
        self
    }

    fn operation(&mut self, method: &Method, path: &str, told: &Told) -> Value {
        let in_path = path.split('/').filter_map(|part| part.split_once('{')?.1.split_once('}')).map(|(name, _)| name);
        let mut parameters: Vec<Value> = in_path.map(|name| words::parameter(name, "path")).collect();
        parameters.extend(told.parameters.iter().map(|name| words::parameter(name, "query")));
        let mut responses = problems::responses(method, told.takes.is_some(), &told.problems);
        let mut success = json!({ "description": told.summary });
        if let Some(content) = &told.answers {
            success["content"] = content.told(&mut self.schemas);
        }
        responses.extend(told.succeeds.iter().map(|status| (status.to_string(), success.clone())));
        let mut operation = json!({ "summary": told.summary, "parameters": parameters, "responses": responses });
        if let Some(content) = &told.takes {
            operation["requestBody"] = json!({ "required": true, "content": content.told(&mut self.schemas) });
        }
        operation
    }

    /// The parameters of an address.
    pub(super) fn parameters(&self, path: &str) -> &[&'static str] {
        self.parameters.get(path).map(Vec::as_slice).unwrap_or_default()
    }

    /// The routes so far.
    pub(super) fn router(&self) -> Router<Api> {
        self.router.clone()
    }

    /// The routes, and the document about them.
    pub(super) fn finish(mut self) -> (Router<Api>, Value) {
        let problem = self.schemas.subschema_for::<problems::ProblemBody>();
        let document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "API Sessions",
                "version": env!("CARGO_PKG_VERSION"),
                "summary": "Sessions of API traffic behind NGINX, and their requests",
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "servers": [{ "url": "/api/v1" }],
            "paths": self.paths,
            "components": {
                "schemas": self.schemas.take_definitions(true),
                "responses": problems::components(&problem),
            },
        });
        (self.router, document)
    }
}

/// The routes, with the document about them and about itself.
pub(super) fn told(routes: Routes) -> Router<Api> {
    let text: Arc<OnceLock<Bytes>> = Arc::default();
    let told = Arc::clone(&text);
    let answer = move |params: Params| async move {
        params.only(&[])?;
        let kind = [(header::CONTENT_TYPE, "application/json")];
        Ok::<_, Problem>((kind, told.get().cloned().unwrap_or_default()))
    };
    let itself = Told::of("This document").answers(json!({ "openapi": "3.1.0" }));
    let (router, document) = routes.get("/openapi.json", answer, itself).finish();
    text.get_or_init(|| document.to_string().into());
    router
}
