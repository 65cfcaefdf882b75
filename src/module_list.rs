//! What `load_module` looks up in the library (src/core/nginx.c).
//!
//! nginx's own build generates the same three for a module that it links: then they are not here.

use std::ffi::c_char;
use std::ptr;

use nginx_sys::ngx_module_t;

use crate::ngx_http_wallarm_sessions_module;

/// The modules of this library.
#[unsafe(no_mangle)]
pub static mut ngx_modules: [*const ngx_module_t; 2] = [&raw const ngx_http_wallarm_sessions_module, ptr::null()];

/// Their names, in the same order.
#[unsafe(no_mangle)]
pub static mut ngx_module_names: [*const c_char; 2] = [c"ngx_http_wallarm_sessions_module".as_ptr(), ptr::null()];

/// Before the copy filter, so that body filters of ours see answers in memory, as they were made: what
/// NGINX adds or compresses comes behind us.
/// Without an order a module is appended last and runs before it (src/core/ngx_module.c).
#[unsafe(no_mangle)]
pub static mut ngx_module_order: [*const c_char; 3] =
    [c"ngx_http_wallarm_sessions_module".as_ptr(), c"ngx_http_copy_filter_module".as_ptr(), ptr::null()];
