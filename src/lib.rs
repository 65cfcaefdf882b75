//! The NGINX edge of API Sessions: directives, phases, variables, worker life, status page.
//!
//! Here NGINX's structures are read and everything `unsafe` happens; what a value means is decided
//! in `capture`, how it travels in `shipper`.
//!
//! Invariants:
//! - The event loop copies and counts. It never blocks, never takes a lock that the flusher thread
//!   may hold, and never waits for it.
//! - No panic crosses into C: every entry goes through [`guard`].
//! - No NGINX object is touched by the flusher thread.
//! - A problem of ours never refuses traffic: the module degrades, counts, and says so once.

mod args;
mod bodies;
mod clock;
mod collector;
mod collector_address;
mod config;
mod context;
mod counters;
mod directives;
mod drops;
mod entropy;
mod filters;
mod flusher;
mod guard;
mod headers;
mod lives;
mod location;
mod log;
#[cfg(feature = "module-list")]
mod module_list;
#[cfg(planted)]
mod plant;
mod record;
mod request;
mod spool_directory;
mod status;
mod variables;
mod worker;

use std::ffi::{c_char, c_void};
use std::ptr;

use nginx_sys::{
    NGX_HTTP_MODULE, ngx_conf_t, ngx_cycle_t, ngx_http_core_module, ngx_http_module_t, ngx_int_t, ngx_module_t,
};

use crate::guard::guard;

const OK: ngx_int_t = nginx_sys::NGX_OK as ngx_int_t;
const ERROR: ngx_int_t = nginx_sys::NGX_ERROR as ngx_int_t;
const DECLINED: ngx_int_t = nginx_sys::NGX_DECLINED as ngx_int_t;

static HTTP_MODULE: ngx_http_module_t = ngx_http_module_t {
    preconfiguration: Some(preconfiguration),
    postconfiguration: Some(postconfiguration),
    create_main_conf: Some(create_main_conf),
    init_main_conf: None,
    create_srv_conf: None,
    merge_srv_conf: None,
    create_loc_conf: Some(create_loc_conf),
    merge_loc_conf: Some(merge_loc_conf),
};

/// The module as NGINX sees it. NGINX writes its indexes into it while it loads.
#[unsafe(no_mangle)]
pub static mut ngx_http_wallarm_sessions_module: ngx_module_t = ngx_module_t {
    ctx: (&raw const HTTP_MODULE).cast_mut().cast(),
    commands: &raw mut directives::COMMANDS as *mut _,
    type_: NGX_HTTP_MODULE as _,
    init_module: Some(init_module),
    init_process: Some(init_process),
    exit_process: Some(exit_process),
    ..ngx_module_t::default()
};

/// The module itself.
fn module() -> &'static ngx_module_t {
    let module = &raw const ngx_http_wallarm_sessions_module;
    // SAFETY: a static, written only by this thread while a configuration is read, when none of our
    // code runs (ngx_add_module and ngx_count_modules in src/core/ngx_module.c).
    unsafe { &*module }
}

/// NGINX's http core, whose configurations we read.
fn core_module() -> &'static ngx_module_t {
    let module = &raw const ngx_http_core_module;
    // SAFETY: a static of NGINX, written only while modules load.
    unsafe { &*module }
}

/// Forgets the places that NGINX gave to the module. It does so itself for a module that is unmapped
/// when the configuration does without it; ours stays mapped (`-z nodelete`), and a module that came
/// meanwhile may have got the same places when ours comes back (ngx_add_module and ngx_count_modules
/// in src/core/ngx_module.c keep what is set).
fn forget_indexes() {
    let module = &raw mut ngx_http_wallarm_sessions_module;
    // SAFETY: a static, written only by this thread; no configuration is left that is found by them.
    unsafe {
        (*module).index = ngx_module_t::default().index;
        (*module).ctx_index = ngx_module_t::default().ctx_index;
    }
}

#[unsafe(export_name = "wallarm_sessions_entry_preconfiguration")]
unsafe extern "C" fn preconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    // SAFETY: NGINX calls with the configuration it is reading.
    guard("preconfiguration", ERROR, || unsafe { variables::register(cf) })
}

#[unsafe(export_name = "wallarm_sessions_entry_postconfiguration")]
unsafe extern "C" fn postconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    // SAFETY: as above, after all levels are merged.
    guard("postconfiguration", ERROR, || unsafe { config::finish(cf) })
}

#[unsafe(export_name = "wallarm_sessions_entry_create_main_conf")]
unsafe extern "C" fn create_main_conf(cf: *mut ngx_conf_t) -> *mut c_void {
    // NGINX asks for it before anything else of ours.
    guard::take_panics_over();
    // SAFETY: as above.
    guard("create_main_conf", ptr::null_mut(), || unsafe { config::create::<config::MainConf>(cf) })
}

#[unsafe(export_name = "wallarm_sessions_entry_create_loc_conf")]
unsafe extern "C" fn create_loc_conf(cf: *mut ngx_conf_t) -> *mut c_void {
    // SAFETY: as above.
    guard("create_loc_conf", ptr::null_mut(), || unsafe { config::create::<location::LocConf>(cf) })
}

#[unsafe(export_name = "wallarm_sessions_entry_merge_loc_conf")]
unsafe extern "C" fn merge_loc_conf(cf: *mut ngx_conf_t, parent: *mut c_void, child: *mut c_void) -> *mut c_char {
    // SAFETY: both were made by `create_loc_conf`.
    guard("merge_loc_conf", directives::FAILED, || unsafe { location::merge(cf, parent.cast(), child.cast()) })
}

#[unsafe(export_name = "wallarm_sessions_entry_init_module")]
unsafe extern "C" fn init_module(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    // SAFETY: NGINX calls with a cycle that is about to run, before workers for it are started.
    guard("init_module", OK, || unsafe {
        worker::prepare(cycle);
        OK
    })
}

#[unsafe(export_name = "wallarm_sessions_entry_init_process")]
unsafe extern "C" fn init_process(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    // An error here ends the worker for good (src/os/unix/ngx_process_cycle.c): never return one.
    // SAFETY: NGINX calls once in each process with the running cycle.
    guard("init_process", OK, || unsafe {
        worker::start(cycle);
        OK
    })
}

#[unsafe(export_name = "wallarm_sessions_entry_exit_process")]
unsafe extern "C" fn exit_process(_cycle: *mut ngx_cycle_t) {
    // SAFETY: NGINX calls once, last, on the event loop's thread.
    guard("exit_process", (), || unsafe { worker::stop() });
}
