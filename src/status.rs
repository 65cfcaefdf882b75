//! The status page: the counters of all workers, as Prometheus text or as JSON.

use std::fmt::Write;
use std::ptr;

use nginx_sys::{
    NGX_HTTP_GET, NGX_HTTP_HEAD, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_NOT_ALLOWED, NGX_HTTP_OK, ngx_chain_t,
    ngx_create_temp_buf, ngx_http_discard_request_body, ngx_http_output_filter, ngx_http_request_t,
    ngx_http_send_header, ngx_int_t, ngx_str_t, ngx_uint_t,
};

use crate::counters::{self, Kind, Metric};
use crate::guard::guard;
use crate::{OK, request};

const PREFIX: &str = "wallarm_sessions";
const PROMETHEUS: &str = "text/plain; version=0.0.4";
const JSON: &str = "application/json";

/// Content handler of a location with `wallarm_session_status`.
#[unsafe(export_name = "wallarm_sessions_entry_status")]
pub(crate) unsafe extern "C" fn handler(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: NGINX calls with a live request.
    guard("status", NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t, || unsafe { answer(r) })
}

/// # Safety
/// `r` is a live request.
unsafe fn answer(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: upheld by the caller.
    unsafe {
        if (*r).method & (NGX_HTTP_GET | NGX_HTTP_HEAD) as ngx_uint_t == 0 {
            return NGX_HTTP_NOT_ALLOWED as ngx_int_t;
        }
        let discarded = ngx_http_discard_request_body(r);
        if discarded != OK {
            return discarded;
        }
        let metrics = counters::totals();
        match request::accepts_json(&*r) {
            true => send(r, JSON, &json(&metrics)),
            false => send(r, PROMETHEUS, &prometheus(&metrics)),
        }
    }
}

/// # Safety
/// `r` is a live request whose answer has not begun.
unsafe fn send(r: *mut ngx_http_request_t, content_type: &'static str, body: &str) -> ngx_int_t {
    // SAFETY: upheld by the caller; the buffer has room for the body, and its type is static text.
    unsafe {
        let headers = &mut (*r).headers_out;
        headers.status = NGX_HTTP_OK as ngx_uint_t;
        headers.content_length_n = i64::try_from(body.len()).unwrap_or(0);
        headers.content_type = ngx_str_t { len: content_type.len(), data: content_type.as_ptr().cast_mut() };
        headers.content_type_len = content_type.len();
        let sent = ngx_http_send_header(r);
        if sent != OK || (*r).header_only() != 0 {
            return sent;
        }
        let buffer = ngx_create_temp_buf((*r).pool, body.len());
        if buffer.is_null() {
            return NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
        }
        ptr::copy_nonoverlapping(body.as_ptr(), (*buffer).last, body.len());
        (*buffer).last = (*buffer).last.add(body.len());
        // Within a subrequest the main request says what is last.
        (*buffer).set_last_buf((r == (*r).main).into());
        (*buffer).set_last_in_chain(1);
        let mut chain = ngx_chain_t { buf: buffer, next: ptr::null_mut() };
        ngx_http_output_filter(r, &raw mut chain)
    }
}

fn prometheus(metrics: &[Metric]) -> String {
    let mut out = String::with_capacity(4096);
    let mut described = "";
    for metric in metrics {
        let name = metric.name;
        if name != described {
            let kind = if metric.kind == Kind::Counter { "counter" } else { "gauge" };
            let _ = writeln!(out, "# HELP {PREFIX}_{name} {}", metric.help.trim());
            let _ = writeln!(out, "# TYPE {PREFIX}_{name} {kind}");
            described = name;
        }
        let _ = match (metric.decoder, metric.reason) {
            ("", "") => writeln!(out, "{PREFIX}_{name} {}", metric.value),
            ("", reason) => writeln!(out, "{PREFIX}_{name}{{reason=\"{reason}\"}} {}", metric.value),
            (_, _) if metric.value == 0 => Ok(()),
            (decoder, reason) => {
                writeln!(out, "{PREFIX}_{name}{{decoder=\"{decoder}\",reason=\"{reason}\"}} {}", metric.value)
            }
        };
    }
    out
}

/// `{"requests_total":n,"dropped_total":{"queue_full":n,...},"undecoded_values_total":{"json":{"cut":n},...},...}`.
fn json(metrics: &[Metric]) -> String {
    let mut all = serde_json::json!({});
    for metric in metrics.iter().filter(|metric| metric.decoder.is_empty() || metric.value > 0) {
        let labels = [metric.name, metric.decoder, metric.reason];
        let place = labels.iter().filter(|label| !label.is_empty()).fold(&mut all, |place, label| &mut place[*label]);
        *place = metric.value.into();
    }
    format!("{all}\n")
}
