//! Copies of bodies: the beginning of each wanted one, taken while it passes.
//!
//! A copy grows up to the location's limit, and counts against the memory of `wallarm_session_queue`
//! from its first byte; when there is none left for it, it is given up. What a body holds is found
//! out by `capture`, on the flusher.

use capture::{Body, Side, Snapshot};
use nginx_sys::{ngx_buf_t, ngx_chain_t, ngx_str_t};

use crate::{counters, worker};

/// Most memory that is taken for a body because of its length, before it has come.
const EXPECTED: usize = 16 << 10;

/// The copies of one request.
#[derive(Default)]
pub(crate) struct Bodies {
    request: Copied,
    response: Copied,
}

impl Bodies {
    pub(crate) fn of(&mut self, side: Side) -> &mut Copied {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }
}

/// The copy of one body.
#[derive(Default)]
pub(crate) enum Copied {
    /// Nobody has asked yet whether it is wanted.
    #[default]
    Unasked,
    /// It is not, or there was no memory for it.
    Unwanted,
    /// It grows while the body passes.
    Growing(Beginning),
}

/// What has passed so far, up to a limit.
pub(crate) struct Beginning {
    body: Body,
    limit: usize,
    kind: Kind,
    /// Its last piece has passed: without, somebody went away in the middle.
    ended: bool,
    held: worker::Held,
}

/// What a body's headers say of it; the texts are in the request's pool.
pub(crate) struct Kind {
    pub(crate) content_type: ngx_str_t,
    /// Of the bytes that are copied: a filter behind us may compress them for the client.
    pub(crate) content_encoding: ngx_str_t,
    /// Bytes of the whole body; negative when nobody knows.
    pub(crate) length: i64,
}

/// A type that is missing is not an empty one: such a body may be anything.
pub(crate) fn given(content_type: &ngx_str_t) -> Option<&[u8]> {
    Some(content_type.as_bytes()).filter(|text| !text.is_empty())
}

impl Copied {
    pub(crate) fn is_unasked(&self) -> bool {
        matches!(self, Self::Unasked)
    }

    pub(crate) fn is_growing(&self) -> bool {
        matches!(self, Self::Growing(_))
    }

    /// Begins a copy of at most `limit` bytes.
    pub(crate) fn begin(&mut self, limit: usize, kind: Kind) {
        let (body, held) = Default::default();
        *self = Self::Growing(Beginning { body, limit, kind, ended: false, held });
    }

    /// Whether more bytes would change it.
    fn is_open(&self) -> bool {
        matches!(self, Self::Growing(beginning) if !beginning.body.cut)
    }

    /// Adds what a chain of buffers holds in memory.
    ///
    /// # Safety
    /// `chain` is null or a chain of NGINX, unchanged for the time of the call.
    pub(crate) unsafe fn add(&mut self, chain: *const ngx_chain_t) {
        // SAFETY: upheld by the caller; a chain ends with null (src/core/ngx_buf.h).
        unsafe {
            let mut next = chain.as_ref();
            while let Some(link) = next.filter(|_| self.is_open()) {
                if let Some(buffer) = link.buf.as_ref() {
                    self.add_bytes(in_memory(buffer), buffer.last_buf() != 0);
                }
                next = link.next.as_ref();
            }
        }
    }

    fn add_bytes(&mut self, passing: &[u8], last: bool) {
        let Self::Growing(beginning) = self else { return };
        beginning.ended |= last;
        if !beginning.add(passing) {
            counters::current().bodies_given_up.add(1);
            *self = Self::Unwanted;
        }
    }

    /// Ends a copy that turned out not to be wanted.
    pub(crate) fn give_up(&mut self) {
        *self = Self::Unwanted;
    }

    /// Hands the copy over, when there is one.
    pub(crate) fn hand_over(&mut self, side: Side, snapshot: &mut Snapshot) {
        if !self.is_growing() {
            return;
        }
        if let Self::Growing(mut beginning) = std::mem::replace(self, Self::Unwanted) {
            if let Some(content_type) = given(&beginning.kind.content_type) {
                snapshot.put(side.content_type(), content_type);
            }
            if !beginning.kind.content_encoding.is_empty() {
                snapshot.put(side.content_encoding(), beginning.kind.content_encoding.as_bytes());
            }
            // Of an answer in slices only the first passes here.
            let length = i64::try_from(beginning.body.bytes.len()).unwrap_or(i64::MAX);
            beginning.body.cut |= !beginning.ended || beginning.kind.length >= 0 && beginning.kind.length != length;
            // From now on the snapshot counts it.
            snapshot.put_body(side, beginning.body);
        }
    }
}

impl Beginning {
    /// False when there is no memory for it.
    fn add(&mut self, passing: &[u8]) -> bool {
        let bytes = &mut self.body.bytes;
        let part = passing.get(..self.limit - bytes.len()).unwrap_or(passing);
        let wanted = bytes.len() + part.len();
        if wanted > bytes.capacity() {
            // As much as is to come, and twice as much each time, so that no body is copied over and over.
            let expected = usize::try_from(self.kind.length).unwrap_or(0).min(EXPECTED);
            let capacity = wanted.max(expected).max(bytes.capacity() * 2).min(self.limit);
            // SAFETY: filters run on the event loop's thread.
            if !unsafe { self.held.enlarge(bytes, capacity) } {
                return false;
            }
        }
        bytes.extend_from_slice(part);
        self.body.cut |= part.len() < passing.len();
        true
    }
}

/// What a buffer holds in memory; nothing when it is in a file only, or only says something.
///
/// # Safety
/// `buffer` is a live buffer of NGINX.
unsafe fn in_memory(buffer: &ngx_buf_t) -> &[u8] {
    if buffer.temporary() == 0 && buffer.memory() == 0 && buffer.mmap() == 0 {
        return &[];
    }
    // SAFETY: what is in memory lies between `pos` and `last`, in one piece (src/core/ngx_buf.h).
    unsafe {
        match usize::try_from(buffer.last.offset_from(buffer.pos)) {
            Ok(len) if len > 0 => std::slice::from_raw_parts(buffer.pos, len),
            _ => &[],
        }
    }
}
