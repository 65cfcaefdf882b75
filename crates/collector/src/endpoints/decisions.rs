//! What people decided about endpoints: templates they pinned, endpoints they merged.
//!
//! A pin is a template of a host whose words stay words, whatever the traffic teaches (`/users/me` beside
//! `/users/{name}`), and whose placeholders stand for any segment. A merge calls one endpoint by the name
//! of another. Neither changes a stored row, and both can be undone; a pinned word that was united
//! into `{name}` before is told apart from then on only.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::segment::{REST, is_placeholder};
use super::{MAX_HOST, MAX_SEGMENTS};
use crate::data_dir::{load_json, save_json};

/// Pins, and merges, at most.
const MAX: usize = 500;
/// Longest path of a pin, and longest name of an endpoint in a merge, in bytes.
const MAX_TEXT: usize = 1024;

/// A template that a host has, whatever its traffic teaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pin {
    /// Names it when it is undone.
    pub id: u32,
    /// The host.
    pub host: String,
    /// The template.
    pub path: String,
}

/// An endpoint that is called by another's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Merge {
    /// Names it when it is undone.
    pub id: u32,
    /// The endpoint.
    pub from: String,
    /// What it is called.
    pub into: String,
}

/// Why a decision is refused.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// It cannot be right.
    #[error("{reason}")]
    Refused {
        /// Which part of it.
        field: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// It was decided before.
    #[error("{reason}")]
    Taken {
        /// Which part of it.
        field: &'static str,
        /// What there is.
        reason: String,
    },
    /// Their file cannot be read or written.
    #[error("decisions about endpoints in {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
}

/// All decisions, and where they are kept.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    kept: Kept,
    file: Option<PathBuf>,
    /// The pins of each host, words before placeholders.
    by_host: HashMap<String, Vec<String>>,
    /// What endpoints are called that were merged.
    names: HashMap<String, String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    last_id: u32,
    pins: Vec<Pin>,
    merges: Vec<Merge>,
}

impl Decisions {
    /// What the file holds; nothing when there is none.
    pub(super) fn open(path: &Path) -> Result<Self, DecisionError> {
        let kept = load_json(path).map_err(|source| DecisionError::File { path: path.to_owned(), source })?;
        let mut decisions = Self { kept, file: Some(path.to_owned()), ..Self::default() };
        decisions.index();
        Ok(decisions)
    }

    pub(super) fn pins(&self) -> &[Pin] {
        &self.kept.pins
    }

    pub(super) fn merges(&self) -> &[Merge] {
        &self.kept.merges
    }

    /// The pinned template that a path of the host has, words before placeholders.
    pub(super) fn pinned(&self, host: &str, path: &str) -> Option<&str> {
        let pins = self.by_host.get(host)?;
        pins.iter().map(String::as_str).find(|template| fits(template, path))
    }

    /// What an endpoint is called.
    pub(super) fn called<'a>(&'a self, endpoint: &'a str) -> &'a str {
        self.names.get(endpoint).map_or(endpoint, String::as_str)
    }

    pub(super) fn pin(&mut self, host: &str, path: &str) -> Result<Pin, DecisionError> {
        if !is_host(host) {
            return Err(refused("host", format!("`{}` is no host such as shop.example", shown(host))));
        }
        check_path(path).map_err(|reason| refused("path", reason))?;
        if self.kept.pins.iter().any(|pin| pin.host == host && pin.path == path) {
            return Err(DecisionError::Taken { field: "path", reason: format!("`{path}` is pinned already") });
        }
        let pin = Pin { id: self.next_id(self.kept.pins.len())?, host: host.to_owned(), path: path.to_owned() };
        self.change(|kept| kept.pins.push(pin.clone()));
        Ok(pin)
    }

    pub(super) fn merge(&mut self, from: &str, into: &str) -> Result<Merge, DecisionError> {
        for (field, endpoint) in [("from", from), ("into", into)] {
            check_endpoint(endpoint).map_err(|reason| refused(field, reason))?;
        }
        if from == into {
            return Err(refused("into", "it is the endpoint itself; another one would be right".into()));
        }
        if self.names.contains_key(from) {
            let reason = format!("`{from}` is merged already; undo that first");
            return Err(DecisionError::Taken { field: "from", reason });
        }
        if self.names.contains_key(into) {
            return Err(refused("into", format!("`{into}` is merged into `{}` itself", self.called(into))));
        }
        if self.names.values().any(|name| name == from) {
            return Err(refused("from", format!("others are merged into `{from}`; undo that first")));
        }
        let merge = Merge { id: self.next_id(self.kept.merges.len())?, from: from.to_owned(), into: into.to_owned() };
        self.change(|kept| kept.merges.push(merge.clone()));
        Ok(merge)
    }

    /// Undoes a pin; `None` when there is none of that id.
    pub(super) fn unpin(&mut self, id: u32) -> Option<Pin> {
        let known = self.kept.pins.iter().find(|pin| pin.id == id).cloned()?;
        self.change(|kept| kept.pins.retain(|pin| pin.id != id));
        Some(known)
    }

    /// Undoes a merge; `None` when there is none of that id.
    pub(super) fn unmerge(&mut self, id: u32) -> Option<Merge> {
        let known = self.kept.merges.iter().find(|merge| merge.id == id).cloned()?;
        self.change(|kept| kept.merges.retain(|merge| merge.id != id));
        Some(known)
    }

    /// Replaces what the file holds.
    pub(super) fn save(&self) -> Result<(), DecisionError> {
        let Some(path) = &self.file else { return Ok(()) };
        save_json(path, &self.kept).map_err(|source| DecisionError::File { path: path.clone(), source })
    }

    fn next_id(&self, taken: usize) -> Result<u32, DecisionError> {
        let full = || refused("id", format!("there are {MAX} already, the most that are kept; undo one first"));
        if taken >= MAX { Err(full()) } else { self.kept.last_id.checked_add(1).ok_or_else(full) }
    }

    fn change(&mut self, change: impl FnOnce(&mut Kept)) {
        let kept = &mut self.kept;
        change(kept);
        let ids = kept.pins.iter().map(|pin| pin.id).chain(kept.merges.iter().map(|merge| merge.id));
        kept.last_id = ids.max().max(Some(kept.last_id)).unwrap_or_default();
        self.index();
    }

    fn index(&mut self) {
        self.by_host.clear();
        for Pin { host, path, .. } in &self.kept.pins {
            self.by_host.entry(host.clone()).or_default().push(path.clone());
        }
        let order = |path: &str| path.split('/').map(|s| (is_placeholder(s), s.to_owned())).collect::<Vec<_>>();
        self.by_host.values_mut().for_each(|pins| pins.sort_by_cached_key(|path| order(path)));
        self.names = self.kept.merges.iter().map(|merge| (merge.from.clone(), merge.into.clone())).collect();
    }
}

/// Whether a path has the form of a template.
fn fits(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    template
        .split('/')
        .all(|wanted| segments.next().is_some_and(|segment| wanted == segment || is_any(wanted, segment)))
        && segments.next().is_none()
}

fn is_any(wanted: &str, segment: &str) -> bool {
    is_placeholder(wanted) && segment != REST
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_HOST
        && !text.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control())
}

fn check_path(path: &str) -> Result<(), String> {
    let wrong =
        |reason: &str| Err(format!("`{}` {reason}; a template such as /users/{{id}} would be right", shown(path)));
    if !path.starts_with('/') || path.len() > MAX_TEXT || path.contains(|c: char| c.is_control() || c == '?') {
        return wrong("is no path");
    }
    if path.split('/').count() > MAX_SEGMENTS {
        return wrong(&format!("has more than {} segments", MAX_SEGMENTS - 1));
    }
    if path.split('/').any(|segment| segment.contains(['{', '}']) && !is_placeholder(segment) || segment == REST) {
        return wrong("holds a segment with braces that is no placeholder of its own");
    }
    Ok(())
}

fn check_endpoint(text: &str) -> Result<(), String> {
    let parts = text.split_once(' ').and_then(|(method, rest)| Some((method, rest.split_once('/')?.0)));
    let right = text.len() <= MAX_TEXT
        && !text.contains(char::is_control)
        && parts.is_some_and(|(method, host)| !method.is_empty() && is_host(host));
    if right {
        return Ok(());
    }
    Err(format!("`{}` is no endpoint such as `GET shop.example/users/{{id}}`", shown(text)))
}

fn refused(field: &'static str, reason: String) -> DecisionError {
    DecisionError::Refused { field, reason }
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
