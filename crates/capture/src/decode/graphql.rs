//! GraphQL over HTTP: operation, type, arguments and variables of a request.
//!
//! A request is a document (`application/graphql`), or JSON with `query`, `operationName` and
//! `variables`, or a list of such (a batch, of which the first value counts), or a query string with
//! fields of these names. No crate reads the documents: those that are kept build trees, recursively,
//! of ten times the size; what is wanted here are a few tokens.
//!
//! Fields are known by their names, not by their aliases, at any depth, through fragments. Variables
//! are put in: `arg.FIELD.ARG` is what the server gets for it.

mod document;
mod token;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::input::{Found, Input};
use super::undecoded::Reason;
use super::{form, json};
use document::{Argument, Document, Wanted};

/// The members of a request that are read.
const MEMBERS: [&str; 3] = ["query", "operationName", "variables"];
/// Most requests of a batch that are looked at.
const MAX_BATCH: usize = 100;

/// What is wanted of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GraphqlPath {
    /// Name of the operation.
    Operation,
    /// `query`, `mutation` or `subscription`.
    Type,
    /// An argument of a field, or something in it.
    Argument {
        /// Name of the field, at any depth.
        field: String,
        /// Name of the argument.
        argument: String,
        /// The way into its value.
        path: Vec<String>,
    },
    /// A variable, or something in it.
    Variable(Vec<String>),
}

/// Reads the values at `paths` of a document, a request in JSON, or a batch.
pub(crate) fn read(input: Input, paths: &[&GraphqlPath]) -> Found<'static> {
    let mut found = Found::none_of(paths.len());
    match shape(input.bytes) {
        Shape::Document => Request { query: Some(input), ..Request::default() }.read(paths, &mut found),
        Shape::Object => read_json(input, paths, &mut found),
        Shape::Batch => {
            let mut requests = Vec::new();
            let mut reader = serde_json::Deserializer::from_slice(without_mark(input.bytes));
            if let Err(error) = reader.deserialize_seq(Requests(&mut requests)) {
                found.failure = Some(match error.classify() {
                    Category::Eof => input.end(),
                    // Our own: there are too many.
                    Category::Data if requests.len() == MAX_BATCH => Reason::TooLarge,
                    _ => Reason::Malformed,
                });
            }
            for request in requests {
                read_json(Input::whole(request.get().as_bytes()), paths, &mut found);
                if found.is_complete() {
                    break;
                }
            }
        }
    }
    found
}

/// Reads the values at `paths` of a query string.
pub(crate) fn read_query(input: Input, paths: &[&GraphqlPath]) -> Found<'static> {
    let mut found = Found::none_of(paths.len());
    let fields = form::read(input, &MEMBERS);
    Request::of(&fields).read(paths, &mut found);
    found
}

fn read_json(input: Input, paths: &[&GraphqlPath], found: &mut Found) {
    let members = MEMBERS.map(|name| [name.to_owned()]);
    let fields = json::read(input, &members.each_ref().map(<[String; 1]>::as_slice));
    Request::of(&fields).read(paths, found);
}

/// How a request is written.
enum Shape {
    Document,
    Object,
    Batch,
}

/// A selection never begins with a string, a request in JSON always does.
fn shape(text: &[u8]) -> Shape {
    match without_mark(text).trim_ascii_start().split_first() {
        Some((b'[', _)) => Shape::Batch,
        Some((b'{', rest)) if matches!(rest.trim_ascii_start().first(), None | Some(b'"' | b'}')) => Shape::Object,
        _ => Shape::Document,
    }
}

fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// The parts of one request.
#[derive(Default)]
struct Request<'f> {
    query: Option<Input<'f>>,
    operation: Option<&'f [u8]>,
    variables: Option<&'f [u8]>,
    failure: Option<Reason>,
}

impl<'f> Request<'f> {
    /// From the values of [`MEMBERS`].
    fn of(fields: &'f Found) -> Self {
        let field = |place: usize| fields.values.get(place)?.as_deref().filter(|text| !text.is_empty());
        Self {
            query: field(0).map(Input::whole),
            operation: field(1),
            variables: field(2),
            failure: fields.failure.filter(|_| !fields.is_complete()),
        }
    }

    /// Puts what is wanted and not there yet.
    fn read(self, paths: &[&GraphqlPath], found: &mut Found) {
        let document = self.query.map(Document::of);
        let operation = document.as_ref().and_then(|document| document.chosen(self.operation));
        let mut lookups = Lookups::default();
        for (place, path) in paths.iter().enumerate() {
            match path {
                GraphqlPath::Operation => {
                    let name = operation.and_then(|operation| operation.name).or(self.operation);
                    name.into_iter().for_each(|name| found.put(place, Cow::Owned(name.to_vec())));
                }
                GraphqlPath::Type => {
                    operation
                        .into_iter()
                        .for_each(|operation| found.put(place, Cow::Borrowed(operation.kind.as_bytes())));
                }
                GraphqlPath::Variable(path) => lookups.add(place, path.clone()),
                GraphqlPath::Argument { .. } => {}
            }
        }
        if let (Some(document), Some(operation)) = (&document, operation) {
            let wanted: Vec<(usize, Wanted)> =
                paths.iter().enumerate().filter_map(|(place, path)| Some((place, Wanted::of(path)?))).collect();
            for ((place, _), argument) in wanted.iter().zip(document.arguments(operation, &wanted)) {
                match argument {
                    Some(Argument::Value(value)) => found.put(*place, Cow::Owned(value.into_owned())),
                    Some(Argument::Variable(name, path)) => {
                        lookups.add(*place, variable_path(name, path));
                        if let Some(Argument::Value(value)) = document.default_of(operation, name, path) {
                            lookups.defaults.push((*place, value.into_owned()));
                        }
                    }
                    Some(Argument::Nothing) | None => {}
                }
            }
        }
        let failure = lookups.read(self.variables, found);
        let document = document.and_then(|document| document.failure);
        found.failure = found.failure.or(self.failure).or(document).or(failure);
    }
}

/// Where a variable lies in the JSON of all.
fn variable_path(name: &[u8], path: &[String]) -> Vec<String> {
    let mut all = vec![String::from_utf8_lossy(name).into_owned()];
    all.extend_from_slice(path);
    all
}

/// Variables to be looked up in one pass.
#[derive(Default)]
struct Lookups {
    places: Vec<usize>,
    paths: Vec<Vec<String>>,
    /// What stands for a variable that is not there.
    defaults: Vec<(usize, Vec<u8>)>,
}

impl Lookups {
    fn add(&mut self, place: usize, path: Vec<String>) {
        self.places.push(place);
        self.paths.push(path);
    }

    fn read(self, variables: Option<&[u8]>, found: &mut Found) -> Option<Reason> {
        let mut failure = None;
        if let Some(variables) = variables.filter(|_| !self.paths.is_empty()) {
            let paths: Vec<&[String]> = self.paths.iter().map(Vec::as_slice).collect();
            let values = json::read(Input::whole(variables), &paths);
            failure = values.failure;
            for (place, value) in self.places.iter().zip(values.values) {
                value.into_iter().for_each(|value| found.put(*place, Cow::Owned(value.into_owned())));
            }
        }
        self.defaults.into_iter().for_each(|(place, value)| found.put(place, Cow::Owned(value)));
        failure
    }
}

/// Collects the requests of a batch.
struct Requests<'r, 'd>(&'r mut Vec<&'d RawValue>);

impl<'d> Visitor<'d> for Requests<'_, 'd> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a batch of GraphQL requests")
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(request) = seq.next_element()? {
            if self.0.len() == MAX_BATCH {
                return Err(serde::de::Error::custom("too many requests"));
            }
            self.0.push(request);
        }
        Ok(())
    }
}
