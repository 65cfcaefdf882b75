//! Evidence: all that is known of a session at one moment, as a page to read and an archive for
//! programs. Both stand alone: nothing in them is fetched from anywhere.
//!
//! Invariants:
//! - Every value is escaped: whatever a client of the watched site sent, the page shows it and obeys
//!   nothing of it.
//! - It is bounded by [`REQUESTS`] and [`BYTES`]; what is left out is counted in it.

mod page;

use serde::Serialize;

use crate::desk::{By, Label, Note};
use crate::model::{Id, Micros, Request, SessionPart};

pub use page::POLICY;

/// Requests of a bundle: the first ones of the session.
pub const REQUESTS: usize = 10_000;
/// Bytes of requests in the archive; the page has about as many again.
pub const BYTES: usize = 16 << 20;

/// What a bundle is made of. Requests come in one by one, until there is no more room.
#[derive(Debug)]
pub struct Evidence {
    /// Id of the bundle.
    pub id: Id,
    /// Whose evidence.
    pub session: Id,
    /// Its parts, the newest first.
    pub parts: Vec<SessionPart>,
    /// Its labels.
    pub labels: Vec<Label>,
    /// Its notes and those of its requests.
    pub notes: Vec<Note>,
    /// Who makes it, and when.
    pub by: By,
    requests: Vec<Request>,
    /// The requests as lines of the archive.
    lines: Vec<u8>,
}

/// A bundle in both forms.
#[derive(Clone, Debug)]
pub struct Archive {
    /// Id of the bundle.
    pub id: Id,
    /// Whose evidence.
    pub session: Id,
    /// Requests in it.
    pub requests: usize,
    /// Requests that there was no room for.
    pub left_out: usize,
    /// The page.
    pub html: Vec<u8>,
    /// The archive.
    pub ndjson: Vec<u8>,
}

/// A line of the archive.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Bundle(Head<'a>),
    Part(&'a SessionPart),
    Label(&'a Label),
    Note(&'a Note),
    Request(&'a Request),
}

/// The first line.
#[derive(Serialize)]
struct Head<'a> {
    format: u32,
    id: Id,
    session_id: Id,
    author: &'a str,
    at: Micros,
    server: &'a str,
    requests: usize,
    requests_left_out: usize,
}

impl Evidence {
    /// The evidence about a session, without requests yet.
    pub fn new(id: Id, session: Id, parts: Vec<SessionPart>, labels: Vec<Label>, notes: Vec<Note>, by: By) -> Self {
        Self { id, session, parts, labels, notes, by, requests: Vec::new(), lines: Vec::new() }
    }

    /// Takes the next request of the session in; says whether there was room for it.
    pub fn add(&mut self, request: Request) -> serde_json::Result<bool> {
        let before = self.lines.len();
        write(&mut self.lines, &Line::Request(&request))?;
        if self.lines.len() > BYTES || self.requests.len() == REQUESTS {
            self.lines.truncate(before);
            return Ok(false);
        }
        self.requests.push(request);
        Ok(true)
    }

    /// Writes it down in both forms.
    pub fn archive(&self) -> serde_json::Result<Archive> {
        let mut ndjson = Vec::new();
        write(&mut ndjson, &Line::Bundle(self.head()))?;
        self.parts.iter().try_for_each(|part| write(&mut ndjson, &Line::Part(part)))?;
        self.labels.iter().try_for_each(|label| write(&mut ndjson, &Line::Label(label)))?;
        self.notes.iter().try_for_each(|note| write(&mut ndjson, &Line::Note(note)))?;
        ndjson.extend(&self.lines);
        let html = page::page(self, &blake3::hash(&ndjson).to_hex()).into_bytes();
        let (requests, left_out) = (self.requests.len(), self.left_out());
        Ok(Archive { id: self.id, session: self.session, requests, left_out, html, ndjson })
    }

    /// Requests of the session that are not in it.
    fn left_out(&self) -> usize {
        let all: u64 = self.parts.iter().map(|part| part.requests).sum();
        usize::try_from(all).unwrap_or(usize::MAX).saturating_sub(self.requests.len())
    }

    fn head(&self) -> Head<'_> {
        Head {
            format: 1,
            id: self.id,
            session_id: self.session,
            author: &self.by.who,
            at: self.by.at,
            server: concat!("api-sessions ", env!("CARGO_PKG_VERSION")),
            requests: self.requests.len(),
            requests_left_out: self.left_out(),
        }
    }
}

fn write(to: &mut Vec<u8>, line: &Line) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests;
