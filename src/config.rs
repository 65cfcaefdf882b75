//! The configuration: what the directives leave behind, inherited level by level, and made ready
//! to run.

use std::ffi::{c_char, c_void};
use std::path::PathBuf;
use std::ptr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use capture::{AddressMode, ContextSpec, KeySpec, MAX_PARAMETERS, NodeFacts, PathMode, Plan, PlanSpec, Slot, Template};
use identity::Secret;
use nginx_sys::{
    ngx_array_push, ngx_conf_t, ngx_http_core_main_conf_t, ngx_http_get_variable_index, ngx_http_handler_pt,
    ngx_http_phases_NGX_HTTP_LOG_PHASE, ngx_http_phases_NGX_HTTP_POST_READ_PHASE, ngx_int_t, ngx_pool_cleanup_add,
    ngx_shm_zone_t, ngx_str_t, ngx_uint_t,
};
use ngx::http::HttpModuleConfExt;
use shipper::Address;

use crate::entropy::random_bytes;
use crate::guard::guard;
use crate::headers::{RequestHeaders, ResponseHeaders};
use crate::{ERROR, OK, core_module, counters, directives, log, module, record, variables};

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
    pub(crate) collectors: Vec<Address>,
    pub(crate) secret: Option<Secret>,
    pub(crate) node: Option<String>,
    pub(crate) queue: Option<Queue>,
    pub(crate) batch: Option<Batch>,
    /// The distinct plans in force, for the node's report.
    pub(crate) plans: Vec<wire::PlanReport>,
    /// Indexes of our own variables, which the log phase computes anew.
    pub(crate) own_variables: Vec<ngx_uint_t>,
    /// Shared memory of the counters.
    pub(crate) zone: Option<*mut ngx_shm_zone_t>,
    /// Made of the above when all is read.
    pub(crate) facts: Option<Arc<NodeFacts>>,
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
}

impl Default for Batch {
    fn default() -> Self {
        Self { events: 500, interval: Duration::from_secs(1) }
    }
}

impl MainConf {
    /// The collectors to try, in order.
    pub(crate) fn collectors(&self) -> Vec<Address> {
        if self.collectors.is_empty() {
            return vec![Address::Unix(PathBuf::from(DEFAULT_COLLECTOR))];
        }
        self.collectors.clone()
    }
}

/// Whether requests of a level are captured.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Switch {
    Off,
    On,
    /// On unless the variable of this index is empty or `0`.
    Variable(ngx_uint_t),
}

/// What one level says; `None` where it says nothing and inherits.
#[derive(Default)]
pub(crate) struct LocConf {
    pub(crate) switch: Option<Switch>,
    pub(crate) application: Option<Template>,
    pub(crate) keys: Option<Vec<KeySpec>>,
    pub(crate) contexts: Option<Vec<ContextSpec>>,
    pub(crate) builtin_keys: Option<bool>,
    pub(crate) address: Option<AddressMode>,
    pub(crate) path: Option<PathMode>,
    /// Made when the level is merged and captures.
    pub(crate) capture: Option<Arc<Capture>>,
}

impl LocConf {
    /// Keys and contexts said on this level.
    pub(crate) fn parameters(&self) -> usize {
        self.keys.as_ref().map_or(0, Vec::len) + self.contexts.as_ref().map_or(0, Vec::len)
    }

    fn says_nothing_of_the_plan(&self) -> bool {
        self.application.is_none()
            && self.keys.is_none()
            && self.contexts.is_none()
            && self.builtin_keys.is_none()
            && self.address.is_none()
            && self.path.is_none()
    }

    fn inherit(&mut self, parent: &Self) {
        fn from<T: Clone>(child: &mut Option<T>, parent: &Option<T>) {
            if child.is_none() {
                child.clone_from(parent);
            }
        }
        from(&mut self.switch, &parent.switch);
        from(&mut self.application, &parent.application);
        from(&mut self.keys, &parent.keys);
        from(&mut self.contexts, &parent.contexts);
        from(&mut self.builtin_keys, &parent.builtin_keys);
        from(&mut self.address, &parent.address);
        from(&mut self.path, &parent.path);
    }

    fn spec(&self) -> PlanSpec {
        let default = PlanSpec::default();
        PlanSpec {
            application: self.application.clone().unwrap_or(default.application),
            keys: self.keys.clone().unwrap_or_default(),
            contexts: self.contexts.clone().unwrap_or_default(),
            builtin_keys: self.builtin_keys.unwrap_or(default.builtin_keys),
            address: self.address.unwrap_or_default(),
            path: self.path.unwrap_or_default(),
        }
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
    unsafe fn new(cf: *mut ngx_conf_t, spec: PlanSpec) -> Result<Self, String> {
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

/// Merges a level with the one above, and makes its plan.
///
/// # Safety
/// `cf` is the configuration being read, both levels were made by [`create`].
pub(crate) unsafe fn merge(cf: *mut ngx_conf_t, parent: *mut LocConf, child: *mut LocConf) -> *mut c_char {
    // SAFETY: upheld by the caller; NGINX never merges a level with itself.
    let result = unsafe { merge_levels(cf, &*parent, &mut *child) };
    match result {
        Ok(()) => ptr::null_mut(),
        Err(error) => {
            // SAFETY: upheld by the caller.
            unsafe { log::config(cf, log::Level::Emerg, &error) };
            directives::FAILED
        }
    }
}

/// # Safety
/// As [`merge`].
unsafe fn merge_levels(cf: *mut ngx_conf_t, parent: &LocConf, child: &mut LocConf) -> Result<(), String> {
    let inherits_plan = child.says_nothing_of_the_plan();
    child.inherit(parent);
    let count = child.parameters();
    if count > MAX_PARAMETERS {
        return Err(format!(
            "\"wallarm_session_key\" and \"wallarm_session_context\" name {count} parameters in some block \
             of \"http\", inherited ones included, expected at most {MAX_PARAMETERS}"
        ));
    }
    if matches!(child.switch, None | Some(Switch::Off)) {
        return Ok(());
    }
    child.capture = match &parent.capture {
        Some(capture) if inherits_plan => Some(Arc::clone(capture)),
        _ => {
            // SAFETY: upheld by the caller.
            let capture = unsafe { Capture::new(cf, child.spec()) }?;
            // SAFETY: upheld by the caller; merging holds no other reference to it.
            let main = unsafe { main_conf(cf) }.ok_or("no main configuration")?;
            let report = capture.plan.report();
            if main.plans.len() < MAX_PLANS && !main.plans.contains(&report) {
                main.plans.push(report);
            }
            main.used = true;
            Some(Arc::new(capture))
        }
    };
    Ok(())
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
            unsafe { log::config(cf, log::Level::Emerg, &error) };
            ERROR
        }
    }
}

/// # Safety
/// As [`finish`].
unsafe fn try_finish(cf: *mut ngx_conf_t) -> Result<(), String> {
    // SAFETY: upheld by the caller.
    let main = unsafe { main_conf(cf) }.ok_or("no main configuration")?;
    if main.used || main.status_used {
        // SAFETY: upheld by the caller.
        main.zone = Some(unsafe { counters::reserve(cf) }?);
    }
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
    // SAFETY: upheld by the caller.
    unsafe {
        main.own_variables = variables::indexes(cf)?;
        let core = (*cf).http_main_conf_unchecked::<ngx_http_core_main_conf_t>(core_module()).ok_or("no http core")?;
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
