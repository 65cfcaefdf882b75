//! Endpoints: host, method and path template (`GET shop.example/users/{id}`), learned from traffic.
//!
//! A request gets a *shape* when it is applied: its method, host, and its path with a placeholder for
//! each segment that is a value ([`segment`]). Rows keep the shape's id, day files the shapes that
//! their rows have. What a shape is called is decided when it is read: as places of a path turn out
//! to hold too many words ([`tree`]), shapes of old rows get the same name as new ones.
//!
//! Invariants:
//! - The id of a shape is a hash of its content: the same in all files and for ever.
//! - Only answers that show that there is something ([`teaches`]) teach: whoever tries paths at random
//!   changes no template. Other paths that are not known are told apart up to a number for each host,
//!   then by the part of them that is known, `GET shop.example/users/{rest}`.
//! - Hosts, places and shapes are bounded; what has no room is counted, and shares the names
//!   `{other}` and `{rest}`.

mod decisions;
mod figures;
mod segment;
mod tree;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use decisions::{DecisionError, Decisions, Merge, Pin};
pub use figures::{Figures, Histogram, Percentiles, Usual};

use segment::{REST, general};
use tree::Tree;

/// Hosts that are told apart.
const MAX_HOSTS: usize = 1000;
/// Of them, those that never answered well: names that strangers made up.
const MAX_GUESSED_HOSTS: usize = 100;
/// Places in the trees of all hosts.
const MAX_PLACES: usize = 100_000;
/// Shapes of all hosts.
const MAX_SHAPES: usize = 100_000;
/// Shapes of a host that nothing taught.
const MAX_GUESSES: usize = 100;
/// Segments of a path that are looked at.
const MAX_SEGMENTS: usize = 16;
/// Shapes that are named at a time: whoever learns waits no longer than that takes.
const NAMED_AT_A_TIME: usize = 1000;
/// Longest name of a host, in bytes (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 255;
/// What stands for hosts and methods that are not told apart.
const OTHER: &str = "{other}";
/// Methods that are told apart: those registered (RFC 9110, section 16.1) that people use.
const METHODS: [&str; 24] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "CONNECT",
    "TRACE",
    "QUERY",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "SEARCH",
    "REPORT",
    "LINK",
    "UNLINK",
    "BIND",
    "ACL",
    "PURGE",
];

/// Names a shape; a hash of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShapeId(pub u64);

/// A decision, and all decisions with it: not in force until they are [`Endpoints::enforce`]d.
#[derive(Debug)]
pub struct Decided<T> {
    /// What was decided.
    pub what: T,
    /// All decisions then.
    pub next: Decisions,
}

/// What requests of one kind have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Method, or `{other}`.
    pub method: String,
    /// Host, or `{other}`.
    pub host: String,
    /// Path with placeholders.
    pub path: String,
    /// Whether an answer taught it.
    pub learned: bool,
}

impl Shape {
    /// Its id.
    pub fn id(&self) -> ShapeId {
        let content = [&self.method, &self.host, &self.path].map(String::as_str).join("\0");
        let hash = blake3::hash(content.as_bytes());
        ShapeId(hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
    }
}

/// Whether an answer with this status shows that the path is one of the application's.
///
/// Refusals and redirects are the same for every path, and a failure may be the proxy's own.
fn teaches(status: u16) -> bool {
    matches!(status, 101 | 200..=299 | 304)
}

/// All shapes of the week, and what they are called.
#[derive(Debug, Default)]
pub struct Endpoints {
    inner: RwLock<Inner>,
    names: Mutex<Arc<Names>>,
}

/// What shapes are called, in the order in which they came: kept, as filters look through all of them.
#[derive(Clone, Debug, Default)]
struct Names {
    /// Of which version.
    version: u64,
    list: Vec<(ShapeId, Arc<str>)>,
}

#[derive(Debug, Default)]
struct Inner {
    hosts: HashMap<String, Host>,
    guessed_hosts: usize,
    shapes: HashMap<ShapeId, Shape>,
    /// Their ids, in the order in which they came.
    order: Vec<ShapeId>,
    decisions: Decisions,
    places: usize,
    overflows: u64,
    /// Rises when shapes get other names.
    version: u64,
}

#[derive(Debug, Default)]
struct Host {
    tree: Tree,
    /// Whether nothing was learned of it yet.
    guessed: bool,
    /// Shapes beyond what was learned.
    guesses: usize,
}

impl Endpoints {
    /// Takes over what people decided, kept in `file` from now on.
    pub fn decide_by(&self, file: &Path) -> Result<(), DecisionError> {
        let decisions = Decisions::open(file)?;
        let mut inner = self.write();
        inner.decisions = decisions;
        inner.version += 1;
        Ok(())
    }

    /// The templates that were pinned, in the order in which that happened.
    pub fn pins(&self) -> Vec<Pin> {
        self.read().decisions.pins().to_vec()
    }

    /// The endpoints that were merged, in the order in which that happened.
    pub fn merges(&self) -> Vec<Merge> {
        self.read().decisions.merges().to_vec()
    }

    /// Pins a template of a host.
    pub fn pin(&self, host: &str, path: &str) -> Result<Decided<Pin>, DecisionError> {
        self.decide(|decisions| decisions.pin(host, path))
    }

    /// Calls an endpoint by the name of another.
    pub fn merge(&self, from: &str, into: &str) -> Result<Decided<Merge>, DecisionError> {
        self.decide(|decisions| decisions.merge(from, into))
    }

    /// Undoes a pin; `None` when there is none of that id.
    pub fn unpin(&self, id: u32) -> Option<Decided<Pin>> {
        let mut next = self.read().decisions.clone();
        next.unpin(id).map(|what| Decided { what, next })
    }

    /// Undoes a merge; `None` when there is none of that id.
    pub fn unmerge(&self, id: u32) -> Option<Decided<Merge>> {
        let mut next = self.read().decisions.clone();
        next.unmerge(id).map(|what| Decided { what, next })
    }

    fn decide<T>(
        &self,
        change: impl FnOnce(&mut Decisions) -> Result<T, DecisionError>,
    ) -> Result<Decided<T>, DecisionError> {
        let mut next = self.read().decisions.clone();
        Ok(Decided { what: change(&mut next)?, next })
    }

    /// Puts decisions in force, in their file first, and gives back those that were. What is learned meanwhile does
    /// not wait for the disk; whoever decides anything else meanwhile must.
    pub fn enforce(&self, decisions: Decisions) -> Result<Decisions, DecisionError> {
        decisions.save()?;
        let mut inner = self.write();
        inner.version += 1;
        Ok(std::mem::replace(&mut inner.decisions, decisions))
    }

    /// The shape of a request, and what it is called now. A good answer teaches its path.
    pub fn learn(&self, method: &str, host: &str, path: &str, status: u16) -> (ShapeId, String) {
        let mut inner = self.write();
        let id = inner.learn(method, host, path, teaches(status));
        let name = inner.name(id).unwrap_or_default();
        (id, name)
    }

    /// Takes back what [`shape`](Self::shape) told.
    pub fn restore(&self, shapes: impl IntoIterator<Item = Shape>) {
        let (learned, guessed): (Vec<_>, Vec<_>) = shapes.into_iter().partition(|shape| shape.learned);
        let mut inner = self.write();
        for shape in learned.iter().chain(&guessed) {
            inner.restore(shape);
        }
        inner.version += 1;
    }

    /// What a shape is called: its endpoint.
    pub fn name(&self, id: ShapeId) -> Option<String> {
        self.read().name(id)
    }

    /// A shape, to be kept.
    pub fn shape(&self, id: ShapeId) -> Option<Shape> {
        self.read().shapes.get(&id).cloned()
    }

    /// The shapes whose endpoint meets a condition.
    pub fn matching(&self, condition: impl Fn(&str) -> bool) -> Vec<ShapeId> {
        self.named(condition).into_iter().map(|(id, _)| id).collect()
    }

    /// Likewise, with their endpoints.
    pub fn named(&self, condition: impl Fn(&str) -> bool) -> Vec<(ShapeId, Arc<str>)> {
        self.names().list.iter().filter(|(_, name)| condition(name)).cloned().collect()
    }

    /// What all shapes are called. Only what is new is named, and in steps, so that nothing that is learned
    /// meanwhile waits for it; what changes its name meanwhile is named anew the next time.
    fn names(&self) -> Arc<Names> {
        let mut known = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.version();
        if known.version != version {
            *known = Arc::new(Names { version, list: Vec::new() });
        }
        while let Some(more) = self.named_behind(known.list.len()) {
            Arc::make_mut(&mut known).list.extend(more);
        }
        Arc::clone(&known)
    }

    /// The names of the shapes that came after the first `known`; `None` when there are none.
    fn named_behind(&self, known: usize) -> Option<Vec<(ShapeId, Arc<str>)>> {
        let inner = self.read();
        let new = inner.order.get(known..)?.iter().take(NAMED_AT_A_TIME);
        let named: Vec<_> = new.filter_map(|&id| Some((id, inner.name(id)?.into()))).collect();
        (!named.is_empty()).then_some(named)
    }

    /// Rises when shapes get other names.
    pub fn version(&self) -> u64 {
        self.read().version
    }

    /// Requests whose path, host or method found no room and share a name with others.
    pub fn overflows(&self) -> u64 {
        self.read().overflows
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn learn(&mut self, method: &str, host: &str, path: &str, teaches: bool) -> ShapeId {
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or(OTHER);
        let pinned = self.decisions.pinned(host, path).map(str::to_owned);
        let segments = segments(pinned.as_deref().unwrap_or(path));
        let room = self.places < MAX_PLACES;
        if !self.admit(host, teaches) {
            return self.share(method, OTHER, &[], teaches);
        }
        let Some(place) = self.hosts.get_mut(host) else { return self.share(method, OTHER, &[], teaches) };
        let before = place.tree.places();
        let learned = teaches && room && place.tree.learn(&segments);
        self.version += u64::from(place.tree.places() < before);
        self.places = self.places - before + place.tree.places();
        let (template, all) = place.tree.template(&segments);
        let rest = segments.get(template.len()..).unwrap_or_default();
        let all = all || pinned.is_some();
        let path = pinned.clone().unwrap_or_else(|| joined(template.iter().chain(rest)));
        let shape = Shape { method: method.into(), host: host.into(), path, learned };
        let id = shape.id();
        if let Some(known) = self.shapes.get_mut(&id) {
            known.learned |= learned;
            return id;
        }
        if self.shapes.len() >= MAX_SHAPES || !all && place.guesses >= MAX_GUESSES {
            return self.share(method, host, &template, teaches);
        }
        place.guesses += usize::from(!all);
        self.keep(id, shape);
        id
    }

    /// Makes a place for a host; false when there is no room.
    fn admit(&mut self, name: &str, teaches: bool) -> bool {
        let guess = !teaches;
        if let Some(host) = self.hosts.get_mut(name) {
            self.guessed_hosts -= usize::from(teaches && host.guessed);
            host.guessed &= guess;
            return true;
        }
        let full = self.hosts.len() >= MAX_HOSTS || guess && self.guessed_hosts >= MAX_GUESSED_HOSTS;
        if full || name.len() > MAX_HOST {
            return false;
        }
        self.guessed_hosts += usize::from(guess);
        self.hosts.insert(name.to_owned(), Host { guessed: guess, ..Host::default() });
        true
    }

    /// The shape that what has no room of its own shares: as much of it as is known.
    fn share(&mut self, method: &str, host: &str, known: &[&str], teaches: bool) -> ShapeId {
        self.overflows += u64::from(teaches);
        let of = |host: &str, known: &[&str]| {
            let path = joined(known.iter().chain([&REST]));
            Shape { method: method.into(), host: host.into(), path, learned: false }
        };
        let mut shape = of(host, known);
        if self.shapes.len() >= MAX_SHAPES && !self.shapes.contains_key(&shape.id()) {
            // Of these there is one for each method.
            shape = of(OTHER, &[]);
        }
        let id = shape.id();
        if !self.shapes.contains_key(&id) {
            self.keep(id, shape);
        }
        id
    }

    /// Takes in a shape that is new.
    fn keep(&mut self, id: ShapeId, shape: Shape) {
        self.shapes.insert(id, shape);
        self.order.push(id);
    }

    fn restore(&mut self, shape: &Shape) {
        let segments = segments(&shape.path);
        let shared = shape.host == OTHER || !shape.learned && segments.last() == Some(&REST);
        if !shared && self.admit(&shape.host, shape.learned) {
            let room = self.places < MAX_PLACES;
            if let Some(place) = self.hosts.get_mut(&shape.host) {
                let before = place.tree.places();
                let known = shape.learned && room && place.tree.learn(&segments);
                self.places = self.places - before + place.tree.places();
                place.guesses += usize::from(!known && !place.tree.template(&segments).1);
            }
        }
        let id = shape.id();
        if let Some(known) = self.shapes.get_mut(&id) {
            known.learned |= shape.learned;
        } else if self.shapes.len() < MAX_SHAPES {
            self.keep(id, shape.clone());
        }
    }

    fn name(&self, id: ShapeId) -> Option<String> {
        let Shape { method, host, path, .. } = self.shapes.get(&id)?;
        let template = match self.decisions.pinned(host, path) {
            Some(pinned) => pinned.to_owned(),
            None => self.template(host, path),
        };
        Some(self.decisions.called(&format!("{method} {host}{template}")).to_owned())
    }

    fn template(&self, host: &str, path: &str) -> String {
        let segments = segments(path);
        let template = self.hosts.get(host).map(|host| host.tree.template(&segments).0).unwrap_or_default();
        let rest = segments.get(template.len()..).unwrap_or_default();
        joined(template.iter().chain(rest))
    }
}

/// The segments of a path, values as placeholders.
fn segments(path: &str) -> Vec<&str> {
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
    let mut first: Vec<_> = segments.by_ref().take(MAX_SEGMENTS).map(general).collect();
    if segments.next().is_some()
        && let Some(last) = first.last_mut()
    {
        *last = REST;
    }
    first
}

fn joined<'a>(segments: impl Iterator<Item = &'a &'a str>) -> String {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        path.push_str(segment);
    }
    path
}

#[cfg(test)]
mod tests;
