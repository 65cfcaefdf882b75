//! One level of the configuration: what its directives say, and what it inherits.
//!
//! Levels are `http`, servers, locations, and the blocks `if` and `limit_except` in a location, which
//! NGINX keeps as nameless locations inside that one (ngx_http_rewrite_if, ngx_http_core_limit_except).
//! A level that says nothing about what is captured shares the plan of the level above, however many
//! there are.

use std::cell::{Cell, OnceCell};
use std::ffi::c_char;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use capture::{AddressMode, ContextSpec, KeySpec, MAX_PARAMETERS, McpMode, PathMode, PlanSpec, Template};
use nginx_sys::{ngx_conf_t, ngx_uint_t};

use crate::config::{Capture, main_conf};
use crate::directives;
use crate::log::{self, Place};

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
    pub(crate) keys: Option<Arc<Vec<KeySpec>>>,
    pub(crate) contexts: Option<Arc<Vec<ContextSpec>>>,
    pub(crate) builtin_keys: Option<bool>,
    pub(crate) address: Option<AddressMode>,
    pub(crate) path: Option<PathMode>,
    pub(crate) body_limit: Option<usize>,
    pub(crate) mcp: Option<McpMode>,
    /// The status page answers here; not inherited.
    pub(crate) status: Option<()>,
    /// The last key or context said on this level.
    pub(crate) last_parameter: Option<Place>,
    /// The plan of all levels that ask for the same, made when the first of them captures.
    plan: Rc<OnceCell<Arc<Capture>>>,
    /// That plan, where requests are captured.
    pub(crate) capture: Option<Arc<Capture>>,
    captures: Rc<Captures>,
}

/// Whether requests are captured on a level or on one in it.
#[derive(Default)]
struct Captures {
    any: Cell<bool>,
    above: Option<Rc<Self>>,
}

impl LocConf {
    /// Keys and contexts said on this level; after [`merge`] the inherited ones too.
    pub(crate) fn parameters(&self) -> usize {
        self.keys.as_ref().map_or(0, |keys| keys.len()) + self.contexts.as_ref().map_or(0, |contexts| contexts.len())
    }

    /// Whether requests that begin on this level may be captured.
    pub(crate) fn may_capture(&self) -> bool {
        self.captures.any.get()
    }

    fn says_nothing_of_the_plan(&self) -> bool {
        self.application.is_none()
            && self.keys.is_none()
            && self.contexts.is_none()
            && self.builtin_keys.is_none()
            && self.address.is_none()
            && self.path.is_none()
            && self.body_limit.is_none()
            && self.mcp.is_none()
    }

    fn inherit(&mut self, parent: &Self) {
        fn from<T: Clone>(child: &mut Option<T>, parent: &Option<T>) {
            if child.is_none() {
                child.clone_from(parent);
            }
        }
        self.captures = Rc::new(Captures { any: Cell::new(false), above: Some(Rc::clone(&parent.captures)) });
        if self.says_nothing_of_the_plan() {
            self.plan = Rc::clone(&parent.plan);
        }
        from(&mut self.switch, &parent.switch);
        from(&mut self.application, &parent.application);
        from(&mut self.keys, &parent.keys);
        from(&mut self.contexts, &parent.contexts);
        from(&mut self.builtin_keys, &parent.builtin_keys);
        from(&mut self.address, &parent.address);
        from(&mut self.path, &parent.path);
        from(&mut self.body_limit, &parent.body_limit);
        from(&mut self.mcp, &parent.mcp);
    }

    fn spec(&self) -> PlanSpec {
        let default = PlanSpec::default();
        PlanSpec {
            application: self.application.clone().unwrap_or(default.application),
            keys: self.keys.as_deref().cloned().unwrap_or_default(),
            contexts: self.contexts.as_deref().cloned().unwrap_or_default(),
            builtin_keys: self.builtin_keys.unwrap_or(default.builtin_keys),
            address: self.address.unwrap_or_default(),
            path: self.path.unwrap_or_default(),
            body_limit: self.body_limit.unwrap_or(default.body_limit),
            mcp: self.mcp.unwrap_or_default(),
        }
    }
}

/// Merges a level with the one above, and makes its plan.
///
/// # Safety
/// `cf` is the configuration being read, both levels were made by [`create`](crate::config::create).
pub(crate) unsafe fn merge(cf: *mut ngx_conf_t, parent: *mut LocConf, child: *mut LocConf) -> *mut c_char {
    // SAFETY: upheld by the caller; NGINX never merges a level with itself.
    let child = unsafe {
        let child = &mut *child;
        child.inherit(&*parent);
        child
    };
    // SAFETY: upheld by the caller.
    match unsafe { make_ready(cf, child) } {
        Ok(()) => ptr::null_mut(),
        Err(error) => {
            // NGINX is at the end of `http` by now.
            // SAFETY: upheld by the caller.
            unsafe { log::config_at(cf, log::Level::Emerg, &error, child.last_parameter.as_ref()) };
            directives::FAILED
        }
    }
}

/// # Safety
/// `cf` is the configuration being read; `level` is a merged one.
unsafe fn make_ready(cf: *mut ngx_conf_t, level: &mut LocConf) -> Result<(), String> {
    let count = level.parameters();
    if count > MAX_PARAMETERS {
        return Err(format!(
            "\"wallarm_session_key\" and \"wallarm_session_context\" make {count} parameters together with the \
             inherited ones, expected at most {MAX_PARAMETERS}"
        ));
    }
    if !matches!(level.switch, None | Some(Switch::Off)) {
        // SAFETY: upheld by the caller.
        level.capture = Some(unsafe { plan(cf, level) }?);
        let levels = std::iter::successors(Some(&level.captures), |level| level.above.as_ref());
        levels.for_each(|level| level.any.set(true));
    }
    Ok(())
}

/// # Safety
/// As [`make_ready`].
unsafe fn plan(cf: *mut ngx_conf_t, level: &LocConf) -> Result<Arc<Capture>, String> {
    if let Some(made) = level.plan.get() {
        return Ok(Arc::clone(made));
    }
    // SAFETY: upheld by the caller; merging holds no other reference to the main configuration.
    let (capture, main) = unsafe { (Capture::new(cf, level.spec())?, main_conf(cf).ok_or("no main configuration")?) };
    main.in_force(&capture.plan);
    Ok(Arc::clone(level.plan.get_or_init(|| Arc::new(capture))))
}
