//! The configuration: what is said once for the whole of `http`, and all of it made ready to run.
//! What is said level by level is in [`location`](crate::location).

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use capture::{NodeFacts, Plan, PlanSpec, Slot};
use identity::Secret;
use nginx_sys::{
    ngx_array_push, ngx_conf_t, ngx_core_conf_t, ngx_core_module, ngx_hash_key_t, ngx_http_core_main_conf_t,
    ngx_http_get_variable_index, ngx_http_handler_pt, ngx_http_phases_NGX_HTTP_LOG_PHASE,
    ngx_http_phases_NGX_HTTP_POST_READ_PHASE, ngx_http_variable_t, ngx_int_t, ngx_pool_cleanup_add, ngx_str_t,
    ngx_uint_t,
};
use ngx::http::HttpModuleConfExt;
use shipper::{Address, Security};

use crate::collector::Collector;
use crate::entropy::random_bytes;
use crate::guard::guard;
use crate::headers::{RequestHeaders, ResponseHeaders};
use crate::location::LocConf;
use crate::log::Place;
use crate::{ERROR, OK, core_module, filters, forget_indexes, log, module, record, spool_directory, variables};

/// What the core's configuration has for the workers' user while no directive has named it
/// (NGX_CONF_UNSET_UINT as ngx_uid_t, in ngx_core_module_create_conf in src/core/nginx.c).
const UNSET_USER: u32 = u32::MAX;
/// Plans that a node reports at most.
const MAX_PLANS: usize = 64;
/// Where batches go unless the configuration says otherwise.
const DEFAULT_COLLECTOR: &str = "/run/api-sessions/collector.sock";

/// What is said once for the whole of `http`.
#[derive(Default)]
pub(crate) struct MainConf {
    /// Sessions are on somewhere: without that, no handler is installed and no thread started.
    pub(crate) used: bool,
    pub(crate) status_used: bool,
    pub(crate) collectors: Vec<Collector>,
    pub(crate) secret: Option<Secret>,
    pub(crate) node: Option<String>,
    pub(crate) queue: Option<Queue>,
    pub(crate) batch: Option<Batch>,
    pub(crate) spool: Option<Spool>,
    /// The distinct plans in force, for the node's report.
    pub(crate) plans: Vec<wire::PlanReport>,
    /// Variables that directives name, each with the first that does.
    pub(crate) named: BTreeMap<String, Naming>,
    /// Indexes of our own variables that are used, which the log phase computes anew.
    pub(crate) own_variables: Vec<ngx_uint_t>,
    /// Made of the above when all is read.
    pub(crate) facts: Option<Arc<NodeFacts>>,
    _presence: Presence,
}

/// How many main configurations there are in this process: of the running cycle, of one being read,
/// of old ones that requests still use.
static PRESENT: AtomicUsize = AtomicUsize::new(0);

/// Stands in each main configuration.
struct Presence;

impl Default for Presence {
    fn default() -> Self {
        PRESENT.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if PRESENT.fetch_sub(1, Ordering::Relaxed) == 1 {
            forget_indexes();
        }
    }
}

/// A directive of which something is found when all is read.
#[derive(Clone)]
pub(crate) struct Naming {
    pub(crate) directive: String,
    pub(crate) place: Option<Place>,
}

/// `wallarm_session_queue`.
#[derive(Clone, Copy)]
pub(crate) struct Queue {
    pub(crate) snapshots: usize,
    pub(crate) memory: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self { snapshots: 8192, memory: 64 << 20 }
    }
}

/// `wallarm_session_batch`.
#[derive(Clone, Copy)]
pub(crate) struct Batch {
    pub(crate) events: usize,
    pub(crate) interval: Duration,
    pub(crate) zstd: bool,
}

impl Default for Batch {
    fn default() -> Self {
        Self { events: 500, interval: Duration::from_secs(1), zstd: false }
    }
}

/// `wallarm_session_spool`.
#[derive(Clone)]
pub(crate) struct Spool {
    pub(crate) directory: PathBuf,
    pub(crate) max: u64,
    /// The directive, for errors about it that are found when all is read.
    pub(crate) naming: Naming,
}

impl MainConf {
    /// Notes a plan in force for the node's report.
    pub(crate) fn in_force(&mut self, plan: &Plan) {
        self.used = true;
        if self.plans.len() < MAX_PLANS {
            let report = plan.report();
            if !self.plans.contains(&report) {
                self.plans.push(report);
            }
        }
    }

    /// The collectors to try, in order.
    pub(crate) fn collectors(&self) -> Vec<Collector> {
        if self.collectors.is_empty() {
            let address = Address::Unix(PathBuf::from(DEFAULT_COLLECTOR));
            return vec![Collector { address, security: Security::default() }];
        }
        self.collectors.clone()
    }
}

/// A plan with what the event loop needs to copy its inputs fast.
pub(crate) struct Capture {
    pub(crate) plan: Arc<Plan>,
    pub(crate) request_headers: RequestHeaders,
    pub(crate) response_headers: ResponseHeaders,
    pub(crate) variables: Vec<(ngx_uint_t, Slot)>,
}

impl Capture {
    /// # Safety
    /// `cf` is the configuration being read.
    pub(crate) unsafe fn new(cf: *mut ngx_conf_t, spec: PlanSpec) -> Result<Self, String> {
        let plan = Plan::new(spec);
        let variables = plan
            .variables()
            .iter()
            // SAFETY: upheld by the caller.
            .map(|variable| Ok((unsafe { variable_index(cf, &variable.name) }?, variable.slot)))
            .collect::<Result<_, String>>()?;
        Ok(Self {
            request_headers: RequestHeaders::new(plan.request_headers()),
            response_headers: ResponseHeaders::new(plan.response_headers()),
            variables,
            plan: Arc::new(plan),
        })
    }
}

/// Index of a variable; NGINX finds out later, and says so, when there is none of that name.
///
/// # Safety
/// `cf` is the configuration being read.
pub(crate) unsafe fn variable_index(cf: *mut ngx_conf_t, name: &str) -> Result<ngx_uint_t, String> {
    let mut name_str = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
    // SAFETY: upheld by the caller; the name is copied (src/http/ngx_http_variables.c).
    let index = unsafe { ngx_http_get_variable_index(cf, &raw mut name_str) };
    ngx_uint_t::try_from(index).map_err(|_| format!("no memory for the variable \"${name}\""))
}

/// Makes the configuration of one level; it is dropped with the configuration's pool.
///
/// # Safety
/// `cf` is the configuration being read.
pub(crate) unsafe fn create<T: Level>(cf: *mut ngx_conf_t) -> *mut c_void {
    // SAFETY: upheld by the caller; the pool outlives every use of the configuration.
    unsafe {
        let Some(cleanup) = ngx_pool_cleanup_add((*cf).pool, 0).as_mut() else { return ptr::null_mut() };
        let conf = Box::into_raw(Box::<T>::default()).cast();
        cleanup.data = conf;
        cleanup.handler = Some(T::DROP);
        conf
    }
}

/// What [`create`] makes.
pub(crate) trait Level: Default {
    /// Drops one; runs once, as the cleanup of a pool.
    const DROP: unsafe extern "C" fn(*mut c_void);
}

impl Level for MainConf {
    const DROP: unsafe extern "C" fn(*mut c_void) = drop_main_conf;
}

impl Level for LocConf {
    const DROP: unsafe extern "C" fn(*mut c_void) = drop_loc_conf;
}

#[unsafe(export_name = "wallarm_sessions_entry_drop_main_conf")]
unsafe extern "C" fn drop_main_conf(conf: *mut c_void) {
    // SAFETY: `create` gave NGINX the pointer together with this function.
    guard("drop_main_conf", (), || drop(unsafe { Box::from_raw(conf.cast::<MainConf>()) }));
}

#[unsafe(export_name = "wallarm_sessions_entry_drop_loc_conf")]
unsafe extern "C" fn drop_loc_conf(conf: *mut c_void) {
    // SAFETY: as above.
    guard("drop_loc_conf", (), || drop(unsafe { Box::from_raw(conf.cast::<LocConf>()) }));
}

/// The main configuration while it is read.
///
/// # Safety
/// `cf` is the configuration being read, inside `http`; no other reference is held.
pub(crate) unsafe fn main_conf<'a>(cf: *mut ngx_conf_t) -> Option<&'a mut MainConf> {
    // SAFETY: made by `create` for this module.
    unsafe { (*cf).http_main_conf_unchecked::<MainConf>(module()).map(|mut conf| conf.as_mut()) }
}

/// When all is read: handlers, shared memory, secret.
///
/// # Safety
/// `cf` is the configuration being read, all levels are merged.
pub(crate) unsafe fn finish(cf: *mut ngx_conf_t) -> ngx_int_t {
    // SAFETY: upheld by the caller.
    match unsafe { try_finish(cf) } {
        Ok(()) => OK,
        Err(error) => {
            // SAFETY: upheld by the caller.
            unsafe { log::config_at(cf, log::Level::Emerg, &error.text, error.place.as_ref()) };
            ERROR
        }
    }
}

/// What is wrong with a configuration, and where when that is not where NGINX is by now.
struct Refused {
    text: String,
    place: Option<Place>,
}

impl<T: Into<String>> From<T> for Refused {
    fn from(text: T) -> Self {
        Self { text: text.into(), place: None }
    }
}

/// # Safety
/// As [`finish`].
unsafe fn try_finish(cf: *mut ngx_conf_t) -> Result<(), Refused> {
    // SAFETY: upheld by the caller.
    unsafe { filters::install() };
    // SAFETY: upheld by the caller.
    let main = unsafe { main_conf(cf) }.ok_or("no main configuration")?;
    if !main.used {
        return Ok(());
    }
    let secret = main.secret.clone().unwrap_or_else(|| {
        let warning = "no \"wallarm_session_secret\": session ids and pseudonyms change with every start of NGINX \
                       and differ between nodes; make one with \"openssl rand -hex 32 > FILE\"";
        // SAFETY: upheld by the caller.
        unsafe { log::config(cf, log::Level::Warn, warning) };
        random_secret()
    });
    let name = main.node.clone().unwrap_or_else(host_name);
    main.facts = Some(Arc::new(NodeFacts { name, secret }));
    if let Some(spool) = &main.spool {
        // SAFETY: upheld by the caller.
        unsafe { check_spool(cf, spool) }?;
    }
    // SAFETY: upheld by the caller.
    unsafe {
        warn_of_unknown_variables(cf, main);
        let core = (*cf).http_main_conf_unchecked::<ngx_http_core_main_conf_t>(core_module()).ok_or("no http core")?;
        main.own_variables = variables::used(core.as_ref());
        let phases = &raw mut (*core.as_ptr()).phases;
        let post_read = &mut (*phases)[ngx_http_phases_NGX_HTTP_POST_READ_PHASE as usize].handlers;
        add_handler(post_read, Some(record::post_read))?;
        let log = &mut (*phases)[ngx_http_phases_NGX_HTTP_LOG_PHASE as usize].handlers;
        add_handler(log, Some(record::log))?;
        // First in the phase: the access log, which is there already, reads our variables after us.
        let handlers = std::slice::from_raw_parts_mut(log.elts.cast::<ngx_http_handler_pt>(), log.nelts);
        handlers.rotate_right(1);
    }
    Ok(())
}

/// Whether the workers' user can use the spool, where that user is known: `user` may stand behind `http`.
///
/// # Safety
/// `cf` is the configuration being read.
unsafe fn check_spool(cf: *mut ngx_conf_t, spool: &Spool) -> Result<(), Refused> {
    // SAFETY: only asks for this process.
    let own = unsafe { libc::geteuid() };
    // SAFETY: the core's configuration is made before any is read (ngx_init_cycle in src/core/ngx_cycle.c).
    let user = unsafe {
        let core = *(*(*cf).cycle).conf_ctx.add(ngx_core_module.index);
        (*core.cast::<ngx_core_conf_t>()).user
    };
    let outcome = match (own, user) {
        (0, UNSET_USER) => Ok(()),
        (0, user) => spool_directory::check_user(&spool.directory, user, true),
        (own, _) => spool_directory::check_user(&spool.directory, own, false),
    };
    let Naming { directive, place } = &spool.naming;
    outcome.map_err(|error| Refused { text: format!("\"{directive}\" {error}"), place: place.clone() })
}

/// NGINX refuses a variable that nothing defines, but names neither directive nor file: here is where.
/// Only a warning, as modules after this one can still define it.
///
/// # Safety
/// `cf` is the configuration being read, before ngx_http_variables_init_vars.
unsafe fn warn_of_unknown_variables(cf: *mut ngx_conf_t, main: &MainConf) {
    // SAFETY: upheld by the caller.
    let Some(core) = (unsafe { (*cf).http_main_conf_unchecked::<ngx_http_core_main_conf_t>(core_module()) }) else {
        return;
    };
    // SAFETY: arrays of those types, all there until init_vars (src/http/ngx_http_core_module.h).
    let (wanted, prefixes, keys) = unsafe {
        let core = core.as_ref();
        let Some(keys) = core.variables_keys.as_ref() else { return };
        (
            elements::<ngx_http_variable_t>(&core.variables),
            elements::<ngx_http_variable_t>(&core.prefix_variables),
            elements::<ngx_hash_key_t>(&keys.keys),
        )
    };
    let unknown = wanted.iter().filter(|variable| {
        let name = variable.name.as_bytes();
        variable.get_handler.is_none()
            && !keys.iter().any(|key| key.key.as_bytes() == name)
            && !prefixes.iter().any(|prefix| name.starts_with(prefix.name.as_bytes()))
    });
    for variable in unknown {
        let name = wire::escape(variable.name.as_bytes());
        if let Some(naming) = main.named.get(&*name) {
            let text =
                format!("\"{}\" uses the variable \"${name}\", which nothing has defined so far", naming.directive);
            // SAFETY: upheld by the caller.
            unsafe { log::config_at(cf, log::Level::Warn, &text, naming.place.as_ref()) };
        }
    }
}

/// # Safety
/// `array` holds elements of that type, and does so as long as the slice.
unsafe fn elements<'a, T>(array: &nginx_sys::ngx_array_t) -> &'a [T] {
    if array.elts.is_null() {
        return &[];
    }
    // SAFETY: upheld by the caller.
    unsafe { std::slice::from_raw_parts(array.elts.cast(), array.nelts) }
}

/// # Safety
/// `handlers` is a phase's array of handlers while the configuration is read.
unsafe fn add_handler(handlers: &mut nginx_sys::ngx_array_t, handler: ngx_http_handler_pt) -> Result<(), String> {
    // SAFETY: upheld by the caller; the array's elements are of that type (src/http/ngx_http.c).
    unsafe {
        let place = ngx_array_push(handlers).cast::<ngx_http_handler_pt>();
        if place.is_null() {
            return Err("no memory for a phase handler".into());
        }
        ptr::write(place, handler);
    }
    Ok(())
}

/// One secret for the life of the master process: workers inherit it, reloads keep it.
fn random_secret() -> Secret {
    static SECRET: OnceLock<Secret> = OnceLock::new();
    SECRET.get_or_init(|| Secret::from_file_bytes(&random_bytes::<32>())).clone()
}

fn host_name() -> String {
    let mut name = [0_u8; 256];
    // SAFETY: writes at most the given length, the last byte stays zero.
    let read = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    let text = name.split(|&b| b == 0).next().unwrap_or_default();
    if read == 0 && !text.is_empty() { wire::escape(text).into_owned() } else { "unknown".into() }
}
