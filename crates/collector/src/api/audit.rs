//! Who changed what.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::examples;
use super::page::Walk;
use super::params::{Asked, Params};
use super::{Api, Problem};
use crate::desk::Entry;

/// The list's name in its page tokens.
const LIST: &str = "audit";

#[derive(Serialize, JsonSchema)]
pub(super) struct Audit {
    entries: Vec<Entry>,
    next_page_token: Option<String>,
}

impl Audit {
    pub(super) fn example() -> Self {
        let entry = Entry {
            n: 1,
            at: examples::time(),
            who: "local".to_owned(),
            action: "label.add".to_owned(),
            kind: "session".to_owned(),
            subject: examples::id().to_string(),
            before: None,
            after: Some("checked".to_owned()),
        };
        Self { entries: vec![entry], next_page_token: None }
    }
}

/// `GET /audit`: the newest first. Rows are numbered and never change their place, so a page needs no
/// frozen state.
pub(super) async fn list(State(api): State<Api>, params: Params) -> Result<Json<Audit>, Problem> {
    let params = params.only(&["page_size", "page_token"])?;
    let size = params.page_size()?;
    let now = api.shared.clock.now();
    let (walk, before) = match params.text("page_token") {
        Some(token) => {
            // An export goes on as long as it makes progress.
            let limited = params.query().is_none().then_some(now);
            Walk::resume::<i64>(token, LIST, Asked::default(), limited).map(|(walk, before)| (walk, Some(before)))?
        }
        None => {
            let asked = Asked::default();
            (Walk { list: LIST.to_owned(), asked, issued: now, oldest: api.oldest(), as_of: 0 }, None)
        }
    };
    let mut entries = api.shared.desk.audit(before, size + 1).await?;
    let more = entries.len() > size;
    entries.truncate(size);
    let next_page_token = match entries.last() {
        Some(last) if more => Some(walk.token(last.n)?),
        _ => None,
    };
    Ok(Json(Audit { entries, next_page_token }))
}
