//! What we keep of a request from its first phase to its log phase: its id, its start, its bodies.
//!
//! Internal redirects and named locations clear `r->ctx`, so the context is found again by its
//! cleanup in the request's pool, as the realip module does (src/http/modules/ngx_http_realip_module.c).

use std::ffi::c_void;
use std::ptr;

use nginx_sys::{ngx_http_request_t, ngx_pool_cleanup_add};

use crate::bodies::Bodies;
use crate::guard::guard;
use crate::{clock, module, worker};

/// Lives in the request's pool, and is dropped with it.
pub(crate) struct Context {
    /// Request id, a UUIDv7 of its start.
    pub(crate) id: wire::RequestId,
    /// Start, microseconds since the Unix epoch.
    pub(crate) start: u64,
    /// Copies of its bodies, as far as they are wanted.
    pub(crate) bodies: Bodies,
}

/// The request's context, made when it has none yet. `None` without memory.
///
/// # Safety
/// `r` is a live request; no reference from an earlier call is held.
#[inline]
pub(crate) unsafe fn of<'a>(r: *mut ngx_http_request_t) -> Option<&'a mut Context> {
    // SAFETY: `r` is live, so are its main request and their pool, which they share.
    unsafe {
        let main = (*r).main;
        let slot = (*main).ctx.add(module().ctx_index);
        if (*slot).is_null() {
            *slot = find(main).or_else(|| make(main))?;
        }
        (*slot).cast::<Context>().as_mut()
    }
}

/// # Safety
/// `r` is a live request.
unsafe fn find(r: *mut ngx_http_request_t) -> Option<*mut c_void> {
    // SAFETY: the pool's cleanups are a list that ends with null (src/core/ngx_palloc.c).
    unsafe {
        let mut cleanup = (*(*r).pool).cleanup;
        while let Some(entry) = cleanup.as_ref() {
            if entry.handler.is_some_and(|handler| ptr::fn_addr_eq(handler, FORGET)) {
                return Some(entry.data);
            }
            cleanup = entry.next;
        }
    }
    None
}

/// # Safety
/// `r` is a live main request.
unsafe fn make(r: *mut ngx_http_request_t) -> Option<*mut c_void> {
    // SAFETY: `r` is live; the cleanup's data is at least as large and as aligned as asked for
    // (ngx_palloc aligns to NGX_ALIGNMENT, 8 or more).
    unsafe {
        let cleanup = ngx_pool_cleanup_add((*r).pool, size_of::<Context>()).as_mut()?;
        cleanup.handler = Some(FORGET);
        let start = clock::start_micros(r);
        let context = Context { id: worker::request_id(start), start, bodies: Bodies::default() };
        ptr::write(cleanup.data.cast(), context);
        Some(cleanup.data)
    }
}

/// Marks our entry among the cleanups: compared by address, so there is one address for it.
static FORGET: unsafe extern "C" fn(*mut c_void) = forget;

/// The pool is going.
#[unsafe(export_name = "wallarm_sessions_entry_forget")]
unsafe extern "C" fn forget(context: *mut c_void) {
    // SAFETY: `make` gave NGINX the pointer to a context in the pool that is still there, and a cleanup
    // runs once.
    guard("forget", (), || unsafe { ptr::drop_in_place(context.cast::<Context>()) });
}
