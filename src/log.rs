//! Lines in NGINX's error log. Only for the event loop's thread: the log's writers are unlocked.

use std::ffi::c_char;
use std::fmt;

use nginx_sys::{ngx_conf_log_error, ngx_conf_t, ngx_cycle, ngx_log_error_core, ngx_log_t, ngx_uint_t};

/// Severities of the error log that we use.
#[derive(Clone, Copy)]
pub(crate) enum Level {
    Emerg = nginx_sys::NGX_LOG_EMERG as isize,
    Alert = nginx_sys::NGX_LOG_ALERT as isize,
    Error = nginx_sys::NGX_LOG_ERR as isize,
    Warn = nginx_sys::NGX_LOG_WARN as isize,
    Notice = nginx_sys::NGX_LOG_NOTICE as isize,
}

/// A message of a length: never read as a format itself.
const TEXT: *const c_char = c"%*s".as_ptr();

/// A line in the log of the running cycle.
pub(crate) fn cycle(level: Level, text: &str) {
    // SAFETY: `ngx_cycle` points to a cycle from before modules load until the process ends
    // (src/core/nginx.c, main); its log lives as long.
    unsafe {
        if let Some(cycle) = ngx_cycle.as_ref() {
            line(cycle.log, level, text);
        }
    }
}

/// # Safety
/// `log` is null or a log of NGINX that is alive.
unsafe fn line(log: *mut ngx_log_t, level: Level, text: &str) {
    // SAFETY: upheld by the caller; "%*s" takes a length and a pointer (src/core/ngx_string.c).
    unsafe {
        if log.is_null() || (*log).log_level < level as ngx_uint_t {
            return;
        }
        ngx_log_error_core(level as ngx_uint_t, log, 0, TEXT, text.len(), text.as_ptr());
    }
}

/// A line about the configuration; NGINX adds file and line.
///
/// # Safety
/// `cf` is the configuration being read.
pub(crate) unsafe fn config(cf: *mut ngx_conf_t, level: Level, text: &str) {
    // SAFETY: upheld by the caller.
    unsafe { ngx_conf_log_error(level as ngx_uint_t, cf, 0, TEXT, text.len(), text.as_ptr()) }
}

/// The same about something that stands elsewhere than where NGINX is by now.
///
/// # Safety
/// `cf` is the configuration being read.
pub(crate) unsafe fn config_at(cf: *mut ngx_conf_t, level: Level, text: &str, place: Option<&Place>) {
    // SAFETY: upheld by the caller; a log of the configuration outlives its reading.
    unsafe {
        match place {
            Some(place) => line((*cf).log, level, &format!("{text} in {place}")),
            None => config(cf, level, text),
        }
    }
}

/// Where in the configuration something stands.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    file: String,
    line: ngx_uint_t,
}

impl Place {
    /// Where NGINX reads now; `None` on the command line.
    ///
    /// # Safety
    /// `cf` is the configuration being read.
    pub(crate) unsafe fn of(cf: *const ngx_conf_t) -> Option<Self> {
        // SAFETY: upheld by the caller; null outside of files, and a file that is being read has a
        // name (ngx_conf_parse in src/core/ngx_conf_file.c).
        let file = unsafe { (*cf).conf_file.as_ref() }?;
        let name = file.file.name.as_bytes();
        (!name.is_empty()).then(|| Self { file: wire::escape(name).into_owned(), line: file.line })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
