//! Who changed what.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::page::Walk;
use super::params::{Asked, Params};
use super::{Api, Problem};
use crate::desk::Entry;

/// The list's name in its page tokens.
const LIST: &str = "audit";

#[derive(Serialize)]
pub(super) struct Audit {
    entries: Vec<Entry>,
    next_page_token: Option<String>,
}

/// `GET /audit`: the newest first. Rows are numbered and never change their place, so a page needs no
/// frozen state.
pub(super) async fn list(State(api): State<Api>, params: Params) -> Result<Json<Audit>, Problem> {
    let params = params.only(&["page_size", "page_token"])?;
    let size = params.page_size()?;
    let now = api.shared.clock.now();
    let (walk, before) = match params.text("page_token") {
        Some(token) => {
            Walk::resume::<i64>(token, LIST, Asked::default(), now).map(|(walk, before)| (walk, Some(before)))?
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
