//! Lists as CSV and NDJSON: `/sessions.csv` holds all pages of `/sessions`, one after another.
//!
//! An export asks the list itself for its pages, over the same router, so that parameters, rows and
//! errors are those of the list and there is no second way to any data. It holds one page at a time,
//! asks for the next when the reader has taken this one, and for none when the reader has gone.
//! All pages are of one snapshot; the ten minutes of page tokens do not count for them. What fails on the way
//! cuts the answer off: a chunked answer without its last chunk is one that every client refuses.

mod lists;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use lists::{LISTS, List};

use super::openapi::{Routes, Told};
use super::params::Params;
use super::queries::Query;
use super::{Api, Problem};

/// Exports at a time; they take their turns with all other questions.
const EXPORTS: usize = 4;
/// Rows that an export asks for at a time.
const PAGE_SIZE: usize = 1000;
/// What it asks with, and nobody else.
const PAGES: [&str; 2] = ["page_size", "page_token"];
/// Bytes of a page; no list answers with more.
const PAGE_BYTES: usize = 256 << 20;

/// The header that tells how many rows there were when the export began, where that is known.
pub(crate) const TOTAL: HeaderName = HeaderName::from_static("x-total-count");
/// The header that tells how many were left out because they are noise.
pub(crate) const HIDDEN: HeaderName = HeaderName::from_static("x-hidden-count");
/// The lists with a count beside them.
const COUNTED: [&str; 3] = ["/sessions", "/requests", "/sessions/{id}/requests"];
/// What counts know nothing of.
const UNCOUNTED: &str = "order_by";

/// Adds the addresses of the exports; `lists` answers for the lists.
pub(super) fn add(mut routes: Routes, lists: &Router) -> Routes {
    let slots = Arc::new(Semaphore::new(EXPORTS));
    for list in LISTS {
        let mut parameters = routes.parameters(list.path).to_vec();
        parameters.retain(|name| !PAGES.contains(name));
        for format in [Format::Csv, Format::Ndjson] {
            let (lists, slots) = (lists.clone(), Arc::clone(&slots));
            let handler = move |State(api): State<Api>, uri: Uri, params: Params| {
                let slot = Arc::clone(&slots).try_acquire_owned();
                async move {
                    let query = api.within(&params).map(|api| api.query).map_err(IntoResponse::into_response)?;
                    let group_by = params.text("group_by").unwrap_or_default().to_owned();
                    Export { lists, list, format, uri, group_by, query }.begin(&params, slot.ok()).await
                }
            };
            let told = Told::of(format.summary()).parameters(&parameters).problems(list.problems);
            let told = told.answers_text(format.media_type(), format.example());
            routes = routes.get(&format!("{}.{}", list.path, format.suffix()), handler, told);
        }
    }
    routes
}

/// What the rows are written as.
#[derive(Clone, Copy, Debug)]
enum Format {
    Csv,
    Ndjson,
}

impl Format {
    fn suffix(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => self.media_type(),
        })
    }

    fn summary(self) -> &'static str {
        match self {
            Self::Csv => "All rows of the list, as CSV with a line of names",
            Self::Ndjson => "All rows of the list, a JSON object a line",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Csv => "id,...\r\n0197f4a03e7c7b2a9c41d3a5b6e7f809,...\r\n",
            Self::Ndjson => "{\"id\":\"0197f4a03e7c7b2a9c41d3a5b6e7f809\"}\n",
        }
    }
}

/// One export under way.
struct Export {
    lists: Router,
    list: &'static List,
    format: Format,
    /// As it was asked for.
    uri: Uri,
    /// What statistics are grouped by.
    group_by: String,
    /// What its pages are part of: others can see how far it is, and cancel it.
    query: Option<Query>,
}

/// A page of a list, its rows unread.
struct Page {
    rows: Vec<Box<RawValue>>,
    next: Option<String>,
}

impl Export {
    /// The answer, once the first page is there: until then what goes wrong is told as a problem.
    async fn begin(self, params: &Params, slot: Option<OwnedSemaphorePermit>) -> Result<Response, Response> {
        for name in PAGES {
            if params.text(name).is_some() {
                let detail = format!("an export holds all rows: it takes what the list takes, but no `{name}`");
                return Err(Problem::parameter(name, detail).into_response());
            }
        }
        if params.text("order_by") == Some("arrival") {
            let detail = "requests by arrival have no end; /stream sends them as they come";
            return Err(Problem::parameter("order_by", detail).into_response());
        }
        let slot = slot.ok_or_else(|| Problem::busy().into_response())?;
        let Page { rows, next } = self.page(None).await?;
        let written = self.head().and_then(|head| Ok([head, self.write(&rows)?].concat()));
        let first = written.map_err(|error| failed(&error).into_response())?;
        let headers =
            [(header::CONTENT_TYPE, self.format.content_type()), (header::CONTENT_DISPOSITION, self.file_name())];
        let counts = axum::response::AppendHeaders(self.counts().await);
        let rest = stream::try_unfold((self, next, slot), |(export, next, slot)| async move {
            let Some(token) = next else { return Ok(None) };
            let Page { rows, next } = export.page(Some(&token)).await.map_err(|refused| {
                tracing::warn!(status = %refused.status(), address = export.uri.path(), "an export was cut off");
                io::Error::other("a page could not be had")
            })?;
            let bytes = export.write(&rows)?;
            Ok::<_, io::Error>(Some((Bytes::from(bytes), (export, next, slot))))
        });
        let first = stream::once(async { Ok(Bytes::from(first)) });
        Ok((counts, headers, Body::from_stream(first.chain(rest))).into_response())
    }

    fn file_name(&self) -> HeaderValue {
        let name = format!("attachment; filename=\"{}.{}\"", self.list.rows, self.format.suffix());
        HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment"))
    }

    /// How many rows there are, and how many are hidden, of a list that is counted in time.
    async fn counts(&self) -> Vec<(HeaderName, HeaderValue)> {
        if !COUNTED.contains(&self.list.path) {
            return Vec::new();
        }
        let is_known = |part: &&str| part.split('=').next() != Some(UNCOUNTED);
        let query: Vec<_> = self.uri.query().unwrap_or_default().split('&').filter(is_known).collect();
        let Ok(told) = self.ask(&format!("{}/count", self.list_path()), &query.join("&")).await else {
            return Vec::new();
        };
        let told: Value = serde_json::from_slice(&told).unwrap_or_default();
        let header = |(name, field): (HeaderName, &str)| Some((name, HeaderValue::from(told[field].as_u64()?)));
        [(TOTAL, "count"), (HIDDEN, "hidden")].into_iter().filter_map(header).collect()
    }

    /// The address of the list.
    fn list_path(&self) -> &str {
        let path = self.uri.path();
        path.strip_suffix(self.format.suffix()).and_then(|path| path.strip_suffix('.')).unwrap_or(path)
    }

    /// What the lists answer.
    async fn ask(&self, path: &str, query: &str) -> Result<Bytes, Response> {
        let wrong = |error: &dyn std::error::Error| failed(error).into_response();
        let mut request = Request::get(format!("{path}?{query}")).body(Body::empty()).map_err(|e| wrong(&e))?;
        if let Some(query) = &self.query {
            request.extensions_mut().insert(query.clone());
        }
        let Ok(answer) = self.lists.clone().oneshot(request).await;
        if !answer.status().is_success() {
            return Err(answer);
        }
        axum::body::to_bytes(answer.into_body(), PAGE_BYTES).await.map_err(|e| wrong(&e))
    }

    /// Asks the list for a page.
    async fn page(&self, token: Option<&str>) -> Result<Page, Response> {
        let size = self.list.paged.then(|| format!("page_size={PAGE_SIZE}"));
        let token = token.map(|token| format!("page_token={token}"));
        let asked = self.uri.query().map(str::to_owned);
        let query: Vec<String> = [asked, size, token].into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let body = self.ask(self.list_path(), &query.join("&")).await?;
        let wrong = |error: &dyn std::error::Error| failed(error).into_response();
        let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&body).map_err(|e| wrong(&e))?;
        let mut field = |name: &str| fields.remove(name).unwrap_or_else(|| RawValue::NULL.to_owned());
        let rows = serde_json::from_str(field(self.list.rows).get()).map_err(|e| wrong(&e))?;
        let next = serde_json::from_str(field("next_page_token").get()).map_err(|e| wrong(&e))?;
        let page = Page { rows, next };
        self.query.iter().for_each(|query| query.sent(page.rows.len()));
        Ok(page)
    }

    /// What stands before the rows.
    fn head(&self) -> io::Result<Vec<u8>> {
        match self.format {
            Format::Csv => csv_records([self.columns().into_iter()]),
            Format::Ndjson => Ok(Vec::new()),
        }
    }

    fn columns(&self) -> Vec<String> {
        let groups = || self.group_by.split(',').filter(|name| !name.is_empty()).map(|name| format!("group.{name}"));
        let column = |name: &&str| match *name {
            "group" => groups().collect(),
            name => vec![name.to_owned()],
        };
        self.list.columns.iter().flat_map(column).collect()
    }

    fn write(&self, rows: &[Box<RawValue>]) -> io::Result<Vec<u8>> {
        match self.format {
            Format::Csv => {
                let rows: Vec<Value> =
                    rows.iter().map(|row| serde_json::from_str(row.get())).collect::<Result<_, _>>()?;
                let columns = self.columns();
                csv_records(rows.iter().map(|row| columns.iter().map(|column| cell(row, column))))
            }
            Format::Ndjson => {
                Ok(rows.iter().flat_map(|row| [row.get().as_bytes(), b"\n"]).flatten().copied().collect())
            }
        }
    }
}

fn failed(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "an export failed");
    Problem::internal()
}

/// Lines as RFC 4180 has them.
fn csv_records(records: impl IntoIterator<Item = impl Iterator<Item = String>>) -> io::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for record in records {
        writer.write_record(record.map(String::into_bytes))?;
    }
    writer.into_inner().map_err(|e| io::Error::other(e.to_string()))
}

/// The text of a field: nothing for what is absent or empty, JSON for lists and objects.
fn cell(row: &Value, column: &str) -> String {
    match field(row, column) {
        Value::Null => String::new(),
        Value::String(text) => defused(text),
        Value::Array(list) if list.is_empty() => String::new(),
        Value::Object(map) if map.is_empty() => String::new(),
        other => other.to_string(),
    }
}

/// A field, or one in a field; names have points too.
fn field<'a>(row: &'a Value, name: &str) -> &'a Value {
    match (row.get(name), name.split_once('.')) {
        (None, Some((outer, inner))) => field(&row[outer], inner),
        (found, _) => found.unwrap_or(&Value::Null),
    }
}

/// A text that no spreadsheet takes for a formula: those begin with one of a few characters, and an
/// apostrophe before them says that what follows is text.
fn defused(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}
