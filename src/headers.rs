//! The headers that a plan wants. The event loop asks for every header of every request.

use capture::{HeaderSlot, Slot};
use nginx_sys::{ngx_table_elt_t, ngx_uint_t};

const BUCKETS: usize = 64;
const NONE: u8 = u8::MAX;

/// Request headers to copy, found by NGINX's hash of their names: most others meet an empty bucket.
pub(crate) struct RequestHeaders {
    /// Bucket after bucket.
    headers: Vec<HeaderSlot>,
    /// Where each bucket begins, or [`NONE`].
    begins: [u8; BUCKETS],
}

impl RequestHeaders {
    pub(crate) fn new(headers: &[HeaderSlot]) -> Self {
        let bucket = |header: &HeaderSlot| hash(header.name.as_bytes()) % BUCKETS;
        let mut headers = headers.to_vec();
        headers.sort_by_key(bucket);
        // With `ignore_invalid_headers off` names may hold what NGINX leaves out of its hash.
        let hashed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let begins = if headers.iter().all(|header| header.name.bytes().all(hashed)) {
            let begin = |wanted| headers.iter().position(|header| bucket(header) == wanted);
            // A plan has 32 parameters, and the built-in keys.
            std::array::from_fn(|wanted| begin(wanted).map_or(NONE, |at| at as u8))
        } else {
            [0; BUCKETS]
        };
        Self { headers, begins }
    }

    /// Where the values of a header go.
    #[inline]
    pub(crate) fn slot(&self, header: &ngx_table_elt_t) -> Option<Slot> {
        match self.begins.get(header.hash % BUCKETS) {
            None | Some(&NONE) => None,
            Some(&begin) => self.find(begin.into(), lower_case(header)),
        }
    }

    #[inline]
    fn find(&self, begin: usize, name: &[u8]) -> Option<Slot> {
        let found = self.headers.get(begin..)?.iter().find(|wanted| wanted.name.as_bytes() == name)?;
        Some(found.slot)
    }
}

/// A request header's name in lower case, which NGINX keeps beside the name.
fn lower_case(header: &ngx_table_elt_t) -> &[u8] {
    if header.lowcase_key.is_null() {
        return &[];
    }
    // SAFETY: as long as the name (ngx_http_process_request_headers in src/http/ngx_http_request.c).
    unsafe { std::slice::from_raw_parts(header.lowcase_key, header.key.len) }
}

/// NGINX's hash of a header name in lower case, over its letters, digits and hyphens (ngx_hash in
/// src/core/ngx_hash.h). It computes that for request headers alone.
fn hash(name: &[u8]) -> ngx_uint_t {
    name.iter().fold(0, |hash: ngx_uint_t, &byte| hash.wrapping_mul(31).wrapping_add(byte.into()))
}

/// Response headers to copy, found by name.
pub(crate) struct ResponseHeaders {
    headers: Vec<HeaderSlot>,
    /// Bit `length % 64` is set for each name.
    lengths: u64,
    // What NGINX keeps outside its list of headers.
    pub(crate) location: Option<Slot>,
    pub(crate) content_type: Option<Slot>,
    pub(crate) content_length: Option<Slot>,
}

impl ResponseHeaders {
    pub(crate) fn new(headers: &[HeaderSlot]) -> Self {
        let slot = |name: &str| headers.iter().find(|header| header.name == name).map(|header| header.slot);
        Self {
            headers: headers.to_vec(),
            lengths: headers.iter().fold(0, |lengths, header| lengths | bit(header.name.len())),
            location: slot("location"),
            content_type: slot("content-type"),
            content_length: slot("content-length"),
        }
    }

    /// Where the values of a header go.
    #[inline]
    pub(crate) fn slot(&self, header: &ngx_table_elt_t) -> Option<Slot> {
        if self.lengths & bit(header.key.len) == 0 {
            return None;
        }
        let name = header.key.as_bytes();
        self.headers.iter().find(|wanted| wanted.name.as_bytes().eq_ignore_ascii_case(name)).map(|wanted| wanted.slot)
    }
}

fn bit(length: usize) -> u64 {
    1 << (length % 64)
}
