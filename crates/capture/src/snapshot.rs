//! What was copied from a request on the event loop, before anybody thinks about it.

use std::sync::Arc;

use crate::Plan;
use crate::body::Side;

/// Longest value that is copied, in bytes. Longer ones are absent, and counted.
pub const MAX_VALUE: usize = 64 << 10;
/// Most bytes that are copied from one request.
pub const MAX_SNAPSHOT: usize = 256 << 10;
/// Room for what is copied of most requests, so that a new snapshot does not grow step by step.
const TEXT: usize = 1 << 10;

/// Names an input of a plan: a header, a variable, or one of the fixed ones below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub(crate) u16);

impl Slot {
    /// Request target as the client sent it.
    pub const TARGET: Self = Self(0);
    /// Method as the client sent it.
    pub const METHOD: Self = Self(1);
    /// `$host`.
    pub const HOST: Self = Self(2);
    /// `$server_protocol`.
    pub const PROTO: Self = Self(3);
    /// `$remote_addr`.
    pub const IP: Self = Self(4);
    /// `Content-Type` of a copied request body.
    pub const REQUEST_TYPE: Self = Self(5);
    /// Its `Content-Encoding`.
    pub const REQUEST_ENCODING: Self = Self(6);
    /// `Content-Type` of a copied response body.
    pub const RESPONSE_TYPE: Self = Self(7);
    /// Its `Content-Encoding` as the copied bytes have it, which need not be what the client got.
    pub const RESPONSE_ENCODING: Self = Self(8);
    /// The first slot that a plan gives away.
    pub(crate) const FIRST_FREE: u16 = 9;
}

/// What is known of a request without copying text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Request id.
    pub id: wire::RequestId,
    /// Place in the worker's stream.
    pub seq: Option<wire::Seq>,
    /// Start, microseconds since the Unix epoch.
    pub start: u64,
    /// Microseconds from start to end.
    pub duration: u64,
    /// Microseconds in upstreams.
    pub upstream: Option<u64>,
    /// Status; 0 before the response.
    pub status: u16,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Connection serial.
    pub connection: u64,
    /// Number of the request within the connection.
    pub number: u64,
    /// Whether the client used TLS.
    pub https: bool,
    /// Whether slashes in the path are merged.
    pub merge_slashes: bool,
}

/// A body, or the beginning of one.
#[derive(Debug, Default)]
pub struct Body {
    /// Its bytes, up to the limit of the plan.
    pub bytes: Vec<u8>,
    /// Whether more came than was copied.
    pub cut: bool,
}

/// The copied bytes of one request, by slot. Made to be used again: [`Snapshot::reset`] keeps the
/// memory.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// What asked for these values; `None` until the first [`Snapshot::reset`].
    pub plan: Option<Arc<Plan>>,
    /// What is known without text.
    pub facts: Facts,
    request_body: Option<Body>,
    response_body: Option<Body>,
    /// Values that were too long to copy.
    pub oversized: u32,
    /// The first value of each slot of the plan.
    first: Vec<Span>,
    /// Further values of headers that came more than once, in their order.
    more: Vec<(Slot, Span)>,
    text: Vec<u8>,
}

/// The text begins with a byte that belongs to no value, so that a span of zeros is none.
const BEFORE: [u8; 1] = [0];

/// Where a value is in the text; all zero says that there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn is_absent(self) -> bool {
        self.end == 0
    }

    fn of(self, text: &[u8]) -> Option<&[u8]> {
        if self.is_absent() { None } else { text.get(self.start as usize..self.end as usize) }
    }
}

impl Snapshot {
    /// Empties it for a request of a plan.
    #[inline]
    pub fn reset(&mut self, plan: &Arc<Plan>) {
        if self.plan.as_ref().is_some_and(|current| Arc::ptr_eq(current, plan)) {
            self.first.fill(Span::default());
        } else {
            self.plan = Some(Arc::clone(plan));
            self.first.clear();
            self.first.resize(plan.slots(), Span::default());
            self.text.reserve(TEXT);
        }
        self.facts = Facts::default();
        self.more.clear();
        self.text.clear();
        self.text.extend_from_slice(&BEFORE);
        self.oversized = 0;
        self.drop_bodies();
    }

    /// Takes a body over; it was collected elsewhere while it passed, so nothing is copied again.
    pub fn put_body(&mut self, side: Side, body: Body) {
        match side {
            Side::Request => self.request_body = Some(body),
            Side::Response => self.response_body = Some(body),
        }
    }

    /// The body that went one way.
    pub fn body(&self, side: Side) -> Option<&Body> {
        match side {
            Side::Request => self.request_body.as_ref(),
            Side::Response => self.response_body.as_ref(),
        }
    }

    /// Gives the bodies up, the first thing to go when memory is short.
    #[inline]
    pub fn drop_bodies(&mut self) {
        self.request_body = None;
        self.response_body = None;
    }

    /// Gives the bodies out, to use their memory again.
    #[inline]
    pub fn take_bodies(&mut self) -> impl Iterator<Item = Body> {
        [self.request_body.take(), self.response_body.take()].into_iter().flatten()
    }

    /// Copies a value. A slot may get several (repeated headers); their order is kept.
    #[inline(never)]
    pub fn put(&mut self, slot: Slot, value: &[u8]) {
        let start = self.text.len();
        let end = start + value.len();
        if value.len() > MAX_VALUE || end > MAX_SNAPSHOT {
            self.oversized += 1;
            return;
        }
        self.text.extend_from_slice(value);
        self.note(slot, start, end);
    }

    /// Copies the head of a request at once, before anything else is put; [`Snapshot::put_part`] tells
    /// what of it is a value. One that is longer than a value may be is not copied.
    #[inline]
    pub fn put_head(&mut self, head: &[u8]) -> bool {
        let fits = head.len() <= MAX_VALUE;
        if fits {
            self.text.extend_from_slice(head);
        }
        fits
    }

    /// Puts a value that begins at `offset` in the head.
    #[inline]
    pub fn put_part(&mut self, slot: Slot, offset: usize, length: usize) {
        self.note(slot, BEFORE.len() + offset, BEFORE.len() + offset + length);
    }

    #[inline]
    fn note(&mut self, slot: Slot, start: usize, end: usize) {
        // Both fit: MAX_SNAPSHOT is far below 4 GiB.
        let span = Span { start: start as u32, end: end as u32 };
        match self.first.get_mut(usize::from(slot.0)) {
            Some(first) if first.is_absent() => *first = span,
            _ => self.note_again(slot, span),
        }
    }

    #[cold]
    fn note_again(&mut self, slot: Slot, span: Span) {
        self.more.push((slot, span));
    }

    /// The first value of a slot.
    pub fn get(&self, slot: Slot) -> Option<&[u8]> {
        self.first.get(usize::from(slot.0))?.of(&self.text)
    }

    /// Everything that was copied, when that is UTF-8, as nearly always.
    pub(crate) fn utf8(&self) -> Option<&str> {
        std::str::from_utf8(&self.text).ok()
    }

    /// All values of a slot, in the order they came.
    pub fn all(&self, slot: Slot) -> impl Iterator<Item = &[u8]> {
        let more = self.more.iter().filter(move |(of, _)| *of == slot);
        self.get(slot).into_iter().chain(more.filter_map(|(_, span)| span.of(&self.text)))
    }

    /// Bytes of memory that it holds on to.
    #[inline]
    pub fn memory(&self) -> usize {
        let spans = self.first.capacity() * size_of::<Span>() + self.more.capacity() * size_of::<(Slot, Span)>();
        size_of::<Self>() + self.text.capacity() + spans + self.body_memory()
    }

    /// Bytes of memory of its bodies.
    #[inline]
    pub fn body_memory(&self) -> usize {
        let bodies = [&self.request_body, &self.response_body].into_iter().flatten();
        bodies.map(|body| body.bytes.capacity()).sum()
    }
}
