//! The filters that bodies pass: they find out whether one is wanted, let it be copied
//! ([`crate::bodies`]), and pass on what they were given, also when finding out panicked.
//!
//! They see every body that NGINX reads from a client or sends as an answer, whatever the protocol,
//! and whether it stays in memory or goes on into a file. They never move a buffer's position. A
//! request's body that nobody reads (`return 200`) never comes by.

use capture::Side;
use nginx_sys::{
    NGX_HTTP_HEAD, ngx_chain_t, ngx_http_output_body_filter_pt, ngx_http_output_header_filter_pt,
    ngx_http_request_body_filter_pt, ngx_http_request_t, ngx_http_top_body_filter, ngx_http_top_header_filter,
    ngx_http_top_request_body_filter, ngx_int_t,
};

use crate::bodies::given;
use crate::guard::guard;
use crate::{ERROR, context, record, request};

/// Where each chain goes on. Written while a configuration is read, when there is one thread and no
/// request; workers are forked later.
static mut NEXT_REQUEST_BODY: ngx_http_request_body_filter_pt = None;
static mut NEXT_HEADER: ngx_http_output_header_filter_pt = None;
static mut NEXT_BODY: ngx_http_output_body_filter_pt = None;

/// Puts the filters into NGINX's chains, also where the configuration wants no body: the chains
/// belong to the process, and after a reload that failed workers of the old configuration are
/// started with those of the new one.
///
/// # Safety
/// Called once for each configuration that is read.
pub(crate) unsafe fn install() {
    // SAFETY: upheld by the caller.
    unsafe {
        NEXT_REQUEST_BODY = ngx_http_top_request_body_filter;
        ngx_http_top_request_body_filter = Some(request_body);
        NEXT_HEADER = ngx_http_top_header_filter;
        ngx_http_top_header_filter = Some(response_header);
        NEXT_BODY = ngx_http_top_body_filter;
        ngx_http_top_body_filter = Some(response_body);
    }
}

/// Each piece of a request's body comes by once, for the main request, whatever is done with it then
/// (src/http/ngx_http_request_body.c).
#[unsafe(export_name = "wallarm_sessions_entry_request_body")]
unsafe extern "C" fn request_body(r: *mut ngx_http_request_t, chain: *mut ngx_chain_t) -> ngx_int_t {
    // SAFETY: NGINX calls with a live request and a chain, after it read the configuration.
    unsafe {
        guard("request_body", None, || copy_request(r, chain));
        NEXT_REQUEST_BODY.map_or(ERROR, |next| next(r, chain))
    }
}

/// Before each answer; again when a filter behind us answers something else.
#[unsafe(export_name = "wallarm_sessions_entry_response_header")]
unsafe extern "C" fn response_header(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: as above.
    unsafe {
        guard("response_header", None, || begin_response(r));
        NEXT_HEADER.map_or(ERROR, |next| next(r))
    }
}

/// Each piece of an answer comes by once; `chain` is null when NGINX only goes on sending.
#[unsafe(export_name = "wallarm_sessions_entry_response_body")]
unsafe extern "C" fn response_body(r: *mut ngx_http_request_t, chain: *mut ngx_chain_t) -> ngx_int_t {
    // SAFETY: as above.
    unsafe {
        guard("response_body", None, || copy_response(r, chain));
        NEXT_BODY.map_or(ERROR, |next| next(r, chain))
    }
}

/// # Safety
/// `r` is a live main request, `chain` null or a chain.
unsafe fn copy_request(r: *mut ngx_http_request_t, chain: *const ngx_chain_t) -> Option<()> {
    // SAFETY: upheld by the caller.
    unsafe {
        let plan = &record::capture(r)?.plan;
        if !plan.may_want_body(Side::Request) {
            return None;
        }
        let copied = context::of(r)?.bodies.of(Side::Request);
        if copied.is_unasked() {
            let content_type = request::content_type(&*r);
            if plan.wants_body(Side::Request, given(&content_type), || request::may_be_call(&*r)) {
                copied.begin(plan.body_limit(), request::body_kind(&*r, content_type));
            } else {
                copied.give_up();
            }
        }
        copied.add(chain);
    }
    Some(())
}

/// # Safety
/// `r` is a live request with the headers of its answer.
unsafe fn begin_response(r: *mut ngx_http_request_t) -> Option<()> {
    // SAFETY: upheld by the caller.
    unsafe {
        let plan = &record::capture(r)?.plan;
        // What a subrequest answers is a part of the answer, or none.
        if r != (*r).main || (*r).method == NGX_HTTP_HEAD as usize || !plan.may_want_body(Side::Response) {
            return None;
        }
        let bodies = &mut context::of(r)?.bodies;
        let is_call = || request::is_call(&*r);
        let asked = bodies.of(Side::Request);
        if asked.is_growing() && plan.body(Side::Request).is_none() && !is_call() {
            // It looked like the first call of an AI agent, and a stream may be open for hours.
            asked.give_up();
        }
        let copied = bodies.of(Side::Response);
        if !plan.wants_body(Side::Response, given(&(*r).headers_out.content_type), is_call) {
            // The copy filter, which comes before us, leaves files to sendfile.
            copied.give_up();
            return None;
        }
        copied.begin(plan.body_limit(), request::answer_kind(&*r));
        (*r).set_filter_need_in_memory(1);
    }
    Some(())
}

/// # Safety
/// `r` is a live request, `chain` null or a chain.
unsafe fn copy_response(r: *mut ngx_http_request_t, chain: *const ngx_chain_t) -> Option<()> {
    // SAFETY: upheld by the caller.
    unsafe {
        if r == (*r).main && !chain.is_null() {
            record::capture(r)?;
            context::of(r)?.bodies.of(Side::Response).add(chain);
        }
    }
    Some(())
}
