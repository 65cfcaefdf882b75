//! Reading NGINX's request: from its fields to a snapshot. Copies, and decides nothing.
//!
//! Every field is optional: the log phase also runs for requests that were refused before their
//! headers were read (400, 408, HTTP/0.9).

use capture::Slot;
use nginx_sys::{
    ngx_connection_t, ngx_http_core_srv_conf_t, ngx_http_get_indexed_variable, ngx_http_request_t,
    ngx_http_upstream_state_t, ngx_list_t, ngx_str_t, ngx_table_elt_t, ngx_uint_t,
};
use ngx::http::HttpModuleConfExt;

use crate::bodies::Kind;
use crate::config::Capture;
use crate::core_module;

/// Copies what a capture asks for.
///
/// # Safety
/// `r` is a live main request, on the event loop's thread.
pub(crate) unsafe fn copy(r: *mut ngx_http_request_t, capture: &Capture, snapshot: &mut capture::Snapshot) {
    // SAFETY: upheld by the caller; NGINX keeps the strings of a request until its pool goes.
    unsafe {
        let request = &*r;
        let facts = &mut snapshot.facts;
        facts.bytes_in = u64::try_from(request.request_length).unwrap_or(0);
        facts.merge_slashes = merges_slashes(request);
        let connection = request.connection.as_ref();
        if let Some(connection) = connection {
            facts.connection = connection_number(connection);
            facts.number = connection.requests as u64;
            facts.https = !connection.ssl.is_null();
        }
        let (method, target) = asked(request);
        let mut values = Values::new(snapshot, head(request));
        values.put(Slot::TARGET, target);
        values.put(Slot::METHOD, method);
        values.put(Slot::HOST, host(request));
        values.put(Slot::PROTO, request.http_protocol.as_bytes());
        if let Some(connection) = connection {
            values.put(Slot::IP, connection.addr_text.as_bytes());
        }
        each_header(&request.headers_in.headers, |header| {
            if let Some(slot) = capture.request_headers.slot(header) {
                values.put(slot, header.value.as_bytes());
            }
        });
        for &(index, slot) in &capture.variables {
            if let Some(value) = variable(r, index) {
                values.put(slot, value);
            }
        }
    }
}

/// Puts values into a snapshot: one copy of the request's head for those that lie there, which are
/// nearly all.
struct Values<'a> {
    snapshot: &'a mut capture::Snapshot,
    head: &'a [u8],
}

impl<'a> Values<'a> {
    fn new(snapshot: &'a mut capture::Snapshot, head: &'a [u8]) -> Self {
        let head = if snapshot.put_head(head) { head } else { &[] };
        Self { snapshot, head }
    }

    #[inline(always)]
    fn put(&mut self, slot: Slot, value: &[u8]) {
        let offset = value.as_ptr().addr().wrapping_sub(self.head.as_ptr().addr());
        if offset < self.head.len() && value.len() <= self.head.len() - offset {
            self.snapshot.put_part(slot, offset, value.len());
        } else {
            self.snapshot.put(slot, value);
        }
    }
}

/// The head of a request from its first line to its last header, when all of it is in one buffer.
/// Empty else: for HTTP/2 and HTTP/3, when it took a second buffer, or when a module has changed it.
///
/// # Safety
/// `request` is live.
unsafe fn head(request: &ngx_http_request_t) -> &[u8] {
    // SAFETY: upheld by the caller; what lies between two received texts in one buffer was received
    // too (ngx_http_read_request_header and ngx_http_alloc_large_header_buffer in
    // src/http/ngx_http_request.c).
    unsafe {
        let Some(buffer) = request.header_in.as_ref() else { return &[] };
        let Some(last) = last_header(&request.headers_in.headers) else { return &[] };
        let buffer = buffer.start.addr()..buffer.end.addr();
        let (begin, end) = (request.request_line.data.addr(), last.value.data.addr() + last.value.len);
        if !buffer.contains(&begin) || end < begin || end > buffer.end {
            return &[];
        }
        std::slice::from_raw_parts(request.request_line.data, end - begin)
    }
}

/// Copies what a capture asks for of the answer, and how it went.
///
/// # Safety
/// As [`copy`], in the log phase.
pub(crate) unsafe fn copy_answer(r: *const ngx_http_request_t, capture: &Capture, snapshot: &mut capture::Snapshot) {
    // SAFETY: upheld by the caller.
    unsafe {
        let request = &*r;
        let facts = &mut snapshot.facts;
        facts.status = status(request);
        facts.bytes_out = request.connection.as_ref().map_or(0, |c| u64::try_from(c.sent).unwrap_or(0));
        facts.upstream = upstream_micros(request);
        let wanted = &capture.response_headers;
        each_header(&request.headers_out.headers, |header| {
            if let Some(slot) = wanted.slot(header) {
                snapshot.put(slot, header.value.as_bytes());
            }
        });
        // NGINX keeps these outside the list, or deletes them from it while it sends them.
        if let Some(slot) = wanted.location
            && snapshot.get(slot).is_none()
            && let Some(location) = request.headers_out.location.as_ref()
        {
            snapshot.put(slot, location.value.as_bytes());
        }
        if let Some(slot) = wanted.content_type {
            snapshot.put(slot, request.headers_out.content_type.as_bytes());
        }
        if let Some(slot) = wanted.content_length
            && request.headers_out.content_length_n >= 0
        {
            snapshot.put(slot, request.headers_out.content_length_n.to_string().as_bytes());
        }
    }
}

/// The type of a request's body; empty when there is none.
///
/// # Safety
/// `request` is live.
pub(crate) unsafe fn content_type(request: &ngx_http_request_t) -> ngx_str_t {
    // SAFETY: upheld by the caller.
    unsafe { value(request.headers_in.content_type) }
}

/// What a request says of its body of that type.
///
/// # Safety
/// `request` is live.
pub(crate) unsafe fn body_kind(request: &ngx_http_request_t, content_type: ngx_str_t) -> Kind {
    let mut content_encoding = ngx_str_t::default();
    // SAFETY: upheld by the caller; NGINX leaves it in the list.
    unsafe {
        each_header(&request.headers_in.headers, |header| {
            if header.key.as_bytes().eq_ignore_ascii_case(b"content-encoding") {
                content_encoding = header.value;
            }
        });
    }
    Kind { content_type, content_encoding, length: request.headers_in.content_length_n }
}

/// What an answer says of its body, before filters behind us may encode it.
///
/// # Safety
/// `request` is live.
pub(crate) unsafe fn answer_kind(request: &ngx_http_request_t) -> Kind {
    let headers = &request.headers_out;
    // SAFETY: upheld by the caller.
    let content_encoding = unsafe { value(headers.content_encoding) };
    Kind { content_type: headers.content_type, content_encoding, length: headers.content_length_n }
}

/// # Safety
/// `header` is null or a live entry of a header list.
unsafe fn value(header: *const ngx_table_elt_t) -> ngx_str_t {
    // SAFETY: upheld by the caller.
    unsafe { header.as_ref() }.filter(|header| header.hash != 0).map(|header| header.value).unwrap_or_default()
}

/// Whether a request may be a call of an AI agent (MCP over HTTP), as far as can be told before its
/// answer: a POST that carries an `Mcp-*` header, or accepts an event stream, as the first call does.
///
/// # Safety
/// `request` is live.
pub(crate) unsafe fn may_be_call(request: &ngx_http_request_t) -> bool {
    // SAFETY: upheld by the caller.
    unsafe {
        is_post(request)
            && any_header(&request.headers_in.headers, |name, value| {
                is_of_mcp(name) || name.eq_ignore_ascii_case(b"accept") && mentions(value, b"text/event-stream")
            })
    }
}

/// The same, when its answer is about to begin: the first call is told by the session that it is given.
///
/// # Safety
/// `request` is live.
pub(crate) unsafe fn is_call(request: &ngx_http_request_t) -> bool {
    // SAFETY: upheld by the caller.
    unsafe {
        is_post(request)
            && (any_header(&request.headers_in.headers, |name, _| is_of_mcp(name))
                || any_header(&request.headers_out.headers, |name, _| name.eq_ignore_ascii_case(b"mcp-session-id")))
    }
}

/// As the client sent it: `error_page` makes a GET of it.
///
/// # Safety
/// `request` is live.
unsafe fn is_post(request: &ngx_http_request_t) -> bool {
    let line = request.request_line.as_bytes();
    if !line.is_empty() {
        return line.starts_with(b"POST ");
    }
    // SAFETY: upheld by the caller.
    unsafe { asked(request).0 == b"POST" }
}

fn is_of_mcp(name: &[u8]) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"mcp-"))
}

/// Whether a header's value has a word in it, in any case.
fn mentions(value: &[u8], word: &[u8]) -> bool {
    value.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// # Safety
/// As [`each_header`].
unsafe fn any_header(list: &ngx_list_t, is: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    let mut any = false;
    // SAFETY: upheld by the caller.
    unsafe { each_header(list, |header| any = any || is(header.key.as_bytes(), header.value.as_bytes())) };
    any
}

/// The value of a variable; `None` when it has none, or an empty one.
///
/// # Safety
/// `r` is a live request, `index` came from `ngx_http_get_variable_index`.
pub(crate) unsafe fn variable<'a>(r: *mut ngx_http_request_t, index: ngx_uint_t) -> Option<&'a [u8]> {
    // SAFETY: upheld by the caller; a value lives as long as its request.
    unsafe {
        let value = ngx_http_get_indexed_variable(r, index).as_ref()?;
        if value.not_found() != 0 || value.len() == 0 || value.data.is_null() {
            return None;
        }
        Some(std::slice::from_raw_parts(value.data, value.len() as usize))
    }
}

/// The number of the client's connection. NGINX gives each stream of QUIC, which is a request of
/// HTTP/3, a connection with a number of its own; what a client has is the one that they belong to.
pub(crate) fn connection_number(connection: &ngx_connection_t) -> u64 {
    #[cfg(ngx_feature = "quic")]
    // SAFETY: a stream is gone before its connection (src/event/quic/ngx_event_quic_streams.c).
    if let Some(parent) = unsafe { connection.quic.as_ref().and_then(|stream| stream.parent.as_ref()) } {
        return parent.number;
    }
    connection.number
}

/// Method and target as the client sent them: `error_page` may have made a GET of it since. What NGINX
/// could not read has no target, so that its first line is read again.
///
/// # Safety
/// `request` is live.
unsafe fn asked(request: &ngx_http_request_t) -> (&[u8], &[u8]) {
    let target = request.unparsed_uri.as_bytes();
    let line = request.request_line.as_bytes();
    if !target.is_empty()
        && let Some(end) = line.iter().position(|&b| b == b' ')
    {
        return (line.get(..end).unwrap_or_default(), target);
    }
    // SAFETY: upheld by the caller.
    match unsafe { first_line(request) } {
        // No line at all: not of HTTP/1.
        b"" => (request.method_name.as_bytes(), target),
        line => capture::line::words(line),
    }
}

/// As `$request` (ngx_http_variable_request_line in src/http/ngx_http_variables.c), which is there before
/// a request is read to its end, or never.
///
/// # Safety
/// `request` is live.
unsafe fn first_line(request: &ngx_http_request_t) -> &[u8] {
    let line = request.request_line.as_bytes();
    if !line.is_empty() || request.request_start.is_null() {
        return line;
    }
    // SAFETY: upheld by the caller; the start is in the buffer that `header_in` names, which holds what
    // was received up to `last` (ngx_http_alloc_large_header_buffer in src/http/ngx_http_request.c moves
    // both, and may leave the start behind the end of an empty buffer).
    let received = unsafe {
        let last = request.header_in.as_ref().map_or(request.request_start, |buffer| buffer.last);
        let len = (last as usize).saturating_sub(request.request_start as usize);
        std::slice::from_raw_parts(request.request_start, len)
    };
    received.split(|&b| matches!(b, b'\r' | b'\n')).next().unwrap_or_default()
}

/// Whether NGINX merged slashes of the path. It reads the target before it knows the Host: the
/// connection's first server decides (ngx_http_process_request_uri in src/http/ngx_http_request.c).
///
/// # Safety
/// `request` is live.
unsafe fn merges_slashes(request: &ngx_http_request_t) -> bool {
    // SAFETY: upheld by the caller; a connection has the configurations of a server, each module's at
    // its index (ngx_http_init_connection).
    unsafe {
        let Some(conf) = request.http_connection.as_ref().and_then(|connection| connection.conf_ctx.as_ref()) else {
            return true;
        };
        let server = *conf.srv_conf.add(core_module().ctx_index);
        server.cast::<ngx_http_core_srv_conf_t>().as_ref().is_none_or(|server| server.merge_slashes != 0)
    }
}

/// As `$host` (ngx_http_variable_host in src/http/ngx_http_variables.c).
///
/// # Safety
/// `request` is live.
unsafe fn host(request: &ngx_http_request_t) -> &[u8] {
    let server_name: &ngx_str_t = &request.headers_in.server;
    if server_name.len > 0 {
        return server_name.as_bytes();
    }
    // SAFETY: upheld by the caller.
    unsafe { server(request) }.map_or(&[], |server| server.server_name.as_bytes())
}

/// # Safety
/// `request` is live.
unsafe fn server(request: &ngx_http_request_t) -> Option<&ngx_http_core_srv_conf_t> {
    // SAFETY: upheld by the caller; every request has the configurations of a server.
    unsafe { request.http_server_conf_unchecked::<ngx_http_core_srv_conf_t>(core_module()).map(|conf| conf.as_ref()) }
}

/// As `$status` (ngx_http_variable_status in src/http/ngx_http_variables.c).
fn status(request: &ngx_http_request_t) -> u16 {
    let status = match (request.err_status, request.headers_out.status) {
        (0, 0) if request.http_version == 9 => 9,
        (0, sent) => sent,
        (error, _) => error,
    };
    u16::try_from(status).unwrap_or(0)
}

/// Time in upstreams, summed over tries, as `$upstream_response_time` lists them.
///
/// # Safety
/// `request` is live.
unsafe fn upstream_micros(request: &ngx_http_request_t) -> Option<u64> {
    // SAFETY: upheld by the caller; the array holds that type (src/http/ngx_http_upstream.c), and
    // an empty one is not read.
    unsafe {
        let states = request.upstream_states.as_ref().filter(|states| states.nelts > 0)?;
        let states = std::slice::from_raw_parts(states.elts.cast::<ngx_http_upstream_state_t>(), states.nelts);
        let unknown = usize::MAX;
        let known = states.iter().map(|state| state.response_time).filter(|&time| time != unknown);
        Some(known.map(|millis| millis as u64 * 1_000).sum())
    }
}

/// Visits the entries of a header list that were not deleted.
///
/// # Safety
/// `list` is alive and unchanged; it may never have been initialised, then it is all zero.
#[inline]
unsafe fn each_header<'a>(list: &'a ngx_list_t, mut visit: impl FnMut(&'a ngx_table_elt_t)) {
    let mut next = Some(&list.part);
    while let Some(part) = next {
        if !part.elts.is_null() {
            // SAFETY: upheld by the caller; a part holds `nelts` elements of the list's type.
            let headers = unsafe { std::slice::from_raw_parts(part.elts.cast::<ngx_table_elt_t>(), part.nelts) };
            for header in headers {
                if header.hash != 0 {
                    visit(header);
                }
            }
        }
        // SAFETY: upheld by the caller; parts are a list that ends with null (src/core/ngx_list.h).
        next = unsafe { part.next.as_ref() };
    }
}

/// The entry of a header list that was added last.
///
/// # Safety
/// As [`each_header`].
unsafe fn last_header(list: &ngx_list_t) -> Option<&ngx_table_elt_t> {
    // SAFETY: upheld by the caller; the last part holds `nelts` elements of the list's type.
    unsafe {
        let part = list.last.as_ref().filter(|part| part.nelts > 0)?;
        part.elts.cast::<ngx_table_elt_t>().add(part.nelts - 1).as_ref()
    }
}

/// Whether the client asks for JSON.
///
/// # Safety
/// `request` is live.
pub(crate) unsafe fn accepts_json(request: &ngx_http_request_t) -> bool {
    let asks = |name: &[u8], value: &[u8]| name.eq_ignore_ascii_case(b"accept") && mentions(value, b"application/json");
    // SAFETY: upheld by the caller.
    unsafe { any_header(&request.headers_in.headers, asks) }
}
