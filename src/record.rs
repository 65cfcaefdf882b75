//! The phases: note a request's start, and hand a snapshot of it over when it has ended.

use capture::Side;
use nginx_sys::{ngx_http_request_t, ngx_int_t, ngx_uint_t};
use ngx::http::HttpModuleConfExt;

use crate::config::{Capture, MainConf};
use crate::guard::{guard, planted};
use crate::location::{LocConf, Switch};
use crate::{DECLINED, OK, clock, context, module, request, worker};

const PARTIAL_CONTENT: u16 = nginx_sys::NGX_HTTP_PARTIAL_CONTENT as u16;

/// First phase: the context is made here so that it knows the start to the microsecond.
#[unsafe(export_name = "wallarm_sessions_entry_post_read")]
pub(crate) unsafe extern "C" fn post_read(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: NGINX calls with a live request.
    guard("post_read", DECLINED, || unsafe {
        // The location is not known yet: what a request has here is the configuration of its server.
        if r == (*r).main && conf(r).is_some_and(LocConf::may_capture) {
            // Without memory the log phase tries again.
            let _ = context::of(r);
        }
        DECLINED
    })
}

/// Log phase: what is returned does not matter (ngx_http_log_request in src/http/ngx_http_request.c).
#[unsafe(export_name = "wallarm_sessions_entry_log")]
pub(crate) unsafe extern "C" fn log(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: NGINX calls with a live request.
    guard("log", OK, || unsafe {
        // With log_subrequest on, subrequests come here too: the main request tells of all.
        if r == (*r).main {
            forget_own_variables(r);
            if let Some(capture) = wanted(r) {
                worker::record(|snapshot| fill(r, capture, snapshot));
            }
        }
        OK
    })
}

/// What the location that answered asks for; `None` where sessions are off.
///
/// # Safety
/// `r` is a live request.
pub(crate) unsafe fn wanted<'a>(r: *mut ngx_http_request_t) -> Option<&'a Capture> {
    // SAFETY: upheld by the caller; configurations outlive requests.
    unsafe {
        let conf = conf(r)?;
        let capture = conf.capture.as_deref()?;
        let on = match conf.switch? {
            Switch::Off => false,
            Switch::On => true,
            Switch::Variable(index) => request::variable(r, index).is_some_and(|value| value != b"0"),
        };
        on.then_some(capture)
    }
}

/// What the location asks for whose configuration the request has now; whether sessions are on there
/// at the end, a variable may decide.
///
/// # Safety
/// `r` is a live request.
pub(crate) unsafe fn capture<'a>(r: *mut ngx_http_request_t) -> Option<&'a Capture> {
    // SAFETY: upheld by the caller; configurations outlive requests.
    unsafe { conf(r)?.capture.as_deref() }
}

/// The level of the configuration that a request is on now.
///
/// # Safety
/// `r` is a live request.
unsafe fn conf<'a>(r: *mut ngx_http_request_t) -> Option<&'a LocConf> {
    // SAFETY: upheld by the caller; configurations outlive requests.
    unsafe { (*r).http_location_conf_unchecked::<LocConf>(module()).map(|conf| conf.as_ref()) }
}

/// Copies all of a request that has ended. `None` without memory for its context.
///
/// # Safety
/// `r` is a live main request in its log phase.
unsafe fn fill(r: *mut ngx_http_request_t, capture: &Capture, snapshot: &mut capture::Snapshot) -> Option<()> {
    // SAFETY: upheld by the caller.
    unsafe {
        before_answer(r, capture, snapshot)?;
        planted("fill");
        request::copy_answer(r, capture, snapshot);
        hand_bodies_over(r, snapshot)?;
    }
    // The clock may have been stepped back meanwhile.
    snapshot.facts.duration = clock::now_micros().saturating_sub(snapshot.facts.start);
    Some(())
}

/// # Safety
/// As [`fill`].
unsafe fn hand_bodies_over(r: *mut ngx_http_request_t, snapshot: &mut capture::Snapshot) -> Option<()> {
    // SAFETY: upheld by the caller.
    let bodies = unsafe { &mut context::of(r)?.bodies };
    bodies.of(Side::Request).hand_over(Side::Request, snapshot);
    // Of a part of an answer nobody knows where in it the part stands.
    if snapshot.facts.status != PARTIAL_CONTENT {
        bodies.of(Side::Response).hand_over(Side::Response, snapshot);
    }
    Some(())
}

/// Copies what is known of a request before its answer.
///
/// # Safety
/// `r` is a live request.
pub(crate) unsafe fn before_answer(
    r: *mut ngx_http_request_t,
    capture: &Capture,
    snapshot: &mut capture::Snapshot,
) -> Option<()> {
    // SAFETY: upheld by the caller.
    unsafe {
        // Not held: a variable that is read below may ask for the context again.
        let (id, start) = context::of(r).map(|context| (context.id, context.start))?;
        snapshot.reset(&capture.plan);
        snapshot.facts.id = id;
        snapshot.facts.start = start;
        request::copy((*r).main, capture, snapshot);
    }
    Some(())
}

/// Variables are kept once they are read; before the answer ours say less than now.
///
/// # Safety
/// `r` is a live request.
unsafe fn forget_own_variables(r: *mut ngx_http_request_t) {
    // SAFETY: upheld by the caller; `variables` has room for every index (ngx_http_create_request).
    unsafe {
        let Some(main) = (*r).http_main_conf_unchecked::<MainConf>(module()) else { return };
        let indexes: &[ngx_uint_t] = &main.as_ref().own_variables;
        for &index in indexes {
            let value = &mut *(*r).variables.add(index);
            value.set_valid(0);
            value.set_not_found(0);
        }
    }
}
