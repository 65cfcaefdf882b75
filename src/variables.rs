//! `$wallarm_session_id`, `$wallarm_session_key`, `$wallarm_session_user`, `$wallarm_request_id`.
//!
//! Computed when somebody reads them, from the request as far as it has come; the record that the
//! log phase makes is what counts.

use std::sync::atomic::{AtomicBool, Ordering};

use capture::Snapshot;
use nginx_sys::{
    NGX_HTTP_VAR_NOCACHEABLE, ngx_conf_t, ngx_http_add_variable, ngx_http_core_main_conf_t, ngx_http_request_t,
    ngx_http_variable_t, ngx_http_variable_value_t, ngx_int_t, ngx_pnalloc, ngx_str_t, ngx_uint_t,
};
use ngx::http::HttpModuleConfExt;

use crate::config::{Capture, MainConf};
use crate::guard::{guard, planted};
use crate::{ERROR, OK, context, module, record, request};

/// The variables and what computes each.
const VARIABLES: [(&str, Value); 4] = [
    ("wallarm_session_id", Value::SessionId),
    ("wallarm_session_key", Value::Key),
    ("wallarm_session_user", Value::User),
    ("wallarm_request_id", Value::RequestId),
];

#[derive(Clone, Copy)]
enum Value {
    SessionId,
    Key,
    User,
    RequestId,
}

impl Value {
    fn of(data: usize) -> Option<Self> {
        VARIABLES.get(data).map(|&(_, value)| value)
    }
}

/// Tells NGINX of the variables.
///
/// # Safety
/// `cf` is the configuration being read, before its directives.
pub(crate) unsafe fn register(cf: *mut ngx_conf_t) -> ngx_int_t {
    for (data, (name, _)) in VARIABLES.iter().enumerate() {
        let mut name = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
        // SAFETY: upheld by the caller; the name is static, as NGINX keeps it.
        unsafe {
            let flags = NGX_HTTP_VAR_NOCACHEABLE as ngx_uint_t;
            let Some(variable) = ngx_http_add_variable(cf, &raw mut name, flags).as_mut() else { return ERROR };
            variable.get_handler = Some(get);
            variable.data = data;
        }
    }
    OK
}

/// The indexes of those that the configuration uses.
///
/// # Safety
/// `core` is the http core's main configuration, after all directives are read.
pub(crate) unsafe fn used(core: &ngx_http_core_main_conf_t) -> Vec<ngx_uint_t> {
    let indexed = &core.variables;
    if indexed.elts.is_null() {
        return Vec::new();
    }
    // SAFETY: upheld by the caller; the array holds that type (ngx_http_get_variable_index in
    // src/http/ngx_http_variables.c).
    let indexed = unsafe { std::slice::from_raw_parts(indexed.elts.cast::<ngx_http_variable_t>(), indexed.nelts) };
    let is_ours =
        |variable: &ngx_http_variable_t| VARIABLES.iter().any(|(name, _)| variable.name.as_bytes() == name.as_bytes());
    indexed.iter().enumerate().filter(|(_, variable)| is_ours(variable)).map(|(index, _)| index).collect()
}

#[unsafe(export_name = "wallarm_sessions_entry_variable")]
unsafe extern "C" fn get(r: *mut ngx_http_request_t, v: *mut ngx_http_variable_value_t, data: usize) -> ngx_int_t {
    // SAFETY: NGINX calls with a live request and the place for the value.
    guard("variable", ERROR, || unsafe {
        let text = Value::of(data).and_then(|value| compute(r, value));
        (*v).set_valid(1);
        (*v).set_no_cacheable(0);
        (*v).set_not_found(text.is_none().into());
        match text {
            Some(text) => give(r, v, text.as_bytes()),
            None => OK,
        }
    })
}

/// Copies a value into the request's pool, where NGINX expects it.
///
/// # Safety
/// `r` is a live request, `v` the place for a value.
unsafe fn give(r: *mut ngx_http_request_t, v: *mut ngx_http_variable_value_t, text: &[u8]) -> ngx_int_t {
    // SAFETY: upheld by the caller; the memory has room for the text.
    unsafe {
        let place = ngx_pnalloc((*r).pool, text.len()).cast::<u8>();
        if place.is_null() {
            return ERROR;
        }
        std::ptr::copy_nonoverlapping(text.as_ptr(), place, text.len());
        (*v).data = place;
        (*v).set_len(u32::try_from(text.len()).unwrap_or(0));
    }
    OK
}

/// A session that is being found. A key may depend on one of our variables through a `map`: the
/// circle ends where it comes back here.
struct Computing;

static COMPUTING: AtomicBool = AtomicBool::new(false);

impl Computing {
    /// `None` within itself. All requests are on one thread.
    fn begin() -> Option<Self> {
        (!COMPUTING.swap(true, Ordering::Relaxed)).then_some(Self)
    }
}

impl Drop for Computing {
    fn drop(&mut self) {
        COMPUTING.store(false, Ordering::Relaxed);
    }
}

/// # Safety
/// `r` is a live request.
unsafe fn compute(r: *mut ngx_http_request_t, value: Value) -> Option<String> {
    // SAFETY: upheld by the caller.
    unsafe {
        if matches!(value, Value::RequestId) {
            return context::of(r).map(|context| identity::hex(&context.id));
        }
        let _computing = Computing::begin()?;
        planted("compute");
        let capture: &Capture = record::wanted(r)?;
        let main = (*r).http_main_conf_unchecked::<MainConf>(module())?.as_ref();
        let secret = &main.facts.as_ref()?.secret;
        let mut snapshot = Snapshot::default();
        record::before_answer(r, capture, &mut snapshot)?;
        if (*(*r).main).headers_out.status != 0 {
            request::copy_answer((*r).main, capture, &mut snapshot);
        }
        match value {
            Value::SessionId => Some(identity::hex(&capture.plan.identify(&snapshot, secret).sid)),
            Value::Key => Some(capture.plan.identify(&snapshot, secret).key.source.into_owned()),
            Value::User => capture.plan.user(&snapshot, secret).map(|user| user.value.into_owned()),
            Value::RequestId => None,
        }
    }
}
