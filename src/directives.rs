//! The directives: reading them, and saying what is wrong with them.
//!
//! An error names directive and value here; NGINX adds file and line.

use std::borrow::Cow;
use std::ffi::{c_char, c_void};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::ptr;
use std::sync::Arc;

use capture::{AddressMode, ContextSpec, KeySpec, MAX_PARAMETERS, McpMode, PathMode, Source, Template, is_sensitive};
use identity::Secret;
use nginx_sys::{
    NGX_CONF_1MORE, NGX_CONF_FLAG, NGX_CONF_NOARGS, NGX_CONF_TAKE1, NGX_CONF_TAKE12, NGX_CONF_TAKE123,
    NGX_HTTP_LIF_CONF, NGX_HTTP_LMT_CONF, NGX_HTTP_LOC_CONF, NGX_HTTP_LOC_CONF_OFFSET, NGX_HTTP_MAIN_CONF,
    NGX_HTTP_MAIN_CONF_OFFSET, NGX_HTTP_SRV_CONF, ngx_add_path, ngx_command_t, ngx_conf_full_name, ngx_conf_t,
    ngx_http_core_loc_conf_t, ngx_path_t, ngx_pcalloc, ngx_pnalloc, ngx_str_t, ngx_uint_t,
};
use ngx::http::HttpModuleConfExt;
use ngx::ngx_string;
use shipper::MIN_SPOOL;
use wire::ParamKind;

use crate::args::{self, Args};
use crate::config::{self, MainConf, Naming};
use crate::guard::guard;
use crate::location::{LocConf, Switch};
use crate::{collector, core_module, log, spool_directory, status};

/// What NGINX takes for "the configuration is wrong" (NGX_CONF_ERROR in src/core/ngx_conf_file.h).
pub(crate) const FAILED: *mut c_char = ptr::without_provenance_mut(usize::MAX);

/// Shortest secret, in bytes: 128 bits, when they are random.
const MIN_SECRET: usize = 16;
/// Longest secret file that is read.
const MAX_SECRET: u64 = 64 << 10;
/// Modes of a secret file that let others read it, or its group write it.
const OPEN_TO_OTHERS: u32 = 0o027;
/// Longest name of a node, a parameter, a group.
const MAX_NAME: usize = 256;

/// The contexts of `access_log`.
const ANYWHERE: ngx_uint_t =
    (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_HTTP_LIF_CONF | NGX_HTTP_LMT_CONF) as ngx_uint_t;
const HTTP: ngx_uint_t = NGX_HTTP_MAIN_CONF as ngx_uint_t;
const LOCATION: ngx_uint_t = NGX_HTTP_LOC_CONF as ngx_uint_t;

type Handler = unsafe extern "C" fn(*mut ngx_conf_t, *mut ngx_command_t, *mut c_void) -> *mut c_char;

const fn in_location(name: ngx_str_t, args: u32, set: Handler) -> ngx_command_t {
    command(name, ANYWHERE | args as ngx_uint_t, set, NGX_HTTP_LOC_CONF_OFFSET)
}

const fn in_http(name: ngx_str_t, args: u32, set: Handler) -> ngx_command_t {
    command(name, HTTP | args as ngx_uint_t, set, NGX_HTTP_MAIN_CONF_OFFSET)
}

const fn command(name: ngx_str_t, type_: ngx_uint_t, set: Handler, conf: usize) -> ngx_command_t {
    ngx_command_t { name, type_, set: Some(set), conf, offset: 0, post: ptr::null_mut() }
}

/// Makes the entry that NGINX calls for a directive of one handler below.
macro_rules! entry {
    ($conf:ty, $handler:ident) => {{
        #[unsafe(export_name = concat!("wallarm_sessions_entry_set_", stringify!($handler)))]
        unsafe extern "C" fn set(cf: *mut ngx_conf_t, _: *mut ngx_command_t, conf: *mut c_void) -> *mut c_char {
            // SAFETY: NGINX calls at a directive with the level's configuration, made by `create`.
            guard(concat!("set_", stringify!($handler)), FAILED, || unsafe { read::<$conf>(cf, conf, $handler) })
        }
        set
    }};
}

/// The table that NGINX looks directives up in.
pub(crate) static mut COMMANDS: [ngx_command_t; 17] = [
    in_location(ngx_string!("wallarm_sessions"), NGX_CONF_TAKE1, entry!(LocConf, sessions)),
    in_location(ngx_string!("wallarm_session_application"), NGX_CONF_TAKE1, entry!(LocConf, application)),
    in_location(ngx_string!("wallarm_session_key"), NGX_CONF_1MORE, entry!(LocConf, key)),
    in_location(ngx_string!("wallarm_session_context"), NGX_CONF_1MORE, entry!(LocConf, context)),
    in_location(ngx_string!("wallarm_session_builtin_keys"), NGX_CONF_FLAG, entry!(LocConf, builtin_keys)),
    in_location(ngx_string!("wallarm_session_ip"), NGX_CONF_TAKE1, entry!(LocConf, ip)),
    in_location(ngx_string!("wallarm_session_path"), NGX_CONF_TAKE1, entry!(LocConf, path)),
    in_location(ngx_string!("wallarm_session_body_limit"), NGX_CONF_TAKE1, entry!(LocConf, body_limit)),
    in_location(ngx_string!("wallarm_session_mcp"), NGX_CONF_TAKE1, entry!(LocConf, mcp)),
    in_http(ngx_string!("wallarm_session_collector"), NGX_CONF_1MORE, entry!(MainConf, collector)),
    in_http(ngx_string!("wallarm_session_secret"), NGX_CONF_TAKE1, entry!(MainConf, secret)),
    in_http(ngx_string!("wallarm_session_node"), NGX_CONF_TAKE1, entry!(MainConf, node)),
    in_http(ngx_string!("wallarm_session_queue"), NGX_CONF_TAKE12, entry!(MainConf, queue)),
    in_http(ngx_string!("wallarm_session_batch"), NGX_CONF_TAKE123, entry!(MainConf, batch)),
    in_http(ngx_string!("wallarm_session_spool"), NGX_CONF_TAKE12, entry!(MainConf, spool)),
    command(
        ngx_string!("wallarm_session_status"),
        LOCATION | NGX_CONF_NOARGS as ngx_uint_t,
        entry!(LocConf, status_page),
        NGX_HTTP_LOC_CONF_OFFSET,
    ),
    ngx_command_t::empty(),
];

/// The configuration being read.
#[derive(Clone, Copy)]
struct Reading(*mut ngx_conf_t);

/// # Safety
/// `cf` is the configuration being read, at a directive; `conf` was made by `create` for a `C`.
unsafe fn read<C>(
    cf: *mut ngx_conf_t,
    conf: *mut c_void,
    handler: fn(&mut C, &Args, Reading) -> Result<(), String>,
) -> *mut c_char {
    // SAFETY: upheld by the caller; NGINX holds no reference to the configuration.
    let outcome = unsafe {
        Args::of(cf).and_then(|args| {
            let outcome = handler(&mut *conf.cast::<C>(), &args, Reading(cf));
            outcome.map_err(|error| format!("\"{}\" {error}", args.directive()))
        })
    };
    match outcome {
        Ok(()) => ptr::null_mut(),
        Err(error) => {
            // SAFETY: upheld by the caller.
            unsafe { log::config(cf, log::Level::Emerg, &short(&error)) };
            FAILED
        }
    }
}

/// NGINX cuts a message at 1 KiB: a long value must not push out what would be right.
fn short(error: &str) -> String {
    const LONGEST: usize = 160;
    let pieces = error.split('"').map(|piece| match piece.len() {
        0..=LONGEST => Cow::Borrowed(piece),
        length => {
            let start = piece.floor_char_boundary(LONGEST / 2);
            let end = piece.ceil_char_boundary(length - LONGEST / 2);
            Cow::Owned(format!("{}...{}", &piece[..start], &piece[end..]))
        }
    });
    pieces.collect::<Vec<_>>().join("\"")
}

/// Sets what may be said once on a level.
fn once<T>(place: &mut Option<T>, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err("is said twice on this level, expected once".into()),
    }
}

fn sessions(conf: &mut LocConf, args: &Args, reading: Reading) -> Result<(), String> {
    let value = args.first();
    let switch = match on_or_off(value) {
        Some(true) => Switch::On,
        Some(false) => Switch::Off,
        None => {
            let template = template(value, args, reading)?;
            let [capture::Piece::Variable(name)] = template.0.as_slice() else {
                return Err(format!("is \"{value}\", expected \"on\", \"off\" or a variable such as \"$capture\""));
            };
            // SAFETY: `reading` holds the configuration being read.
            Switch::Variable(unsafe { config::variable_index(reading.0, name) }?)
        }
    };
    once(&mut conf.switch, switch)
}

/// In any case, as NGINX reads its own (ngx_conf_set_flag_slot in src/core/ngx_conf_file.c).
fn on_or_off(value: &str) -> Option<bool> {
    match value {
        _ if value.eq_ignore_ascii_case("on") => Some(true),
        _ if value.eq_ignore_ascii_case("off") => Some(false),
        _ => None,
    }
}

fn application(conf: &mut LocConf, args: &Args, reading: Reading) -> Result<(), String> {
    once(&mut conf.application, template(args.first(), args, reading)?)
}

/// A value that may hold variables.
fn template(text: &str, args: &Args, reading: Reading) -> Result<Template, String> {
    let template = Template::parse(text).map_err(|error| format!("value \"{text}\" {error}"))?;
    name_variables(text, &template, args, reading)?;
    Ok(template)
}

/// Notes the variables of a template. None may be computed from the session itself.
fn name_variables(text: &str, template: &Template, args: &Args, reading: Reading) -> Result<(), String> {
    // SAFETY: `reading` holds the configuration being read; a level's is another than the main one.
    let main = unsafe { config::main_conf(reading.0) }.ok_or("no main configuration")?;
    for name in template.variables() {
        if name.starts_with("wallarm_session_") {
            return Err(format!("value \"{text}\" uses \"${name}\", which is computed from it"));
        }
        let naming = || Naming { directive: args.directive().to_owned(), place: args.place().cloned() };
        main.named.entry(name.to_owned()).or_insert_with(naming);
    }
    Ok(())
}

fn source(text: &str, args: &Args, reading: Reading) -> Result<Source, String> {
    let source = Source::parse(text).map_err(|error| format!("source \"{text}\" {error}"))?;
    if let capture::Origin::Value(template) = &source.origin {
        name_variables(text, template, args, reading)?;
    }
    Ok(source)
}

fn unknown_option(option: &str, expected: &str) -> String {
    format!("has the option \"{option}\", expected {expected}")
}

/// Sets what an option may say once.
fn option_once<T>(place: &mut Option<T>, value: T, option: &str) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("says \"{option}\" after it said that already, expected once")),
    }
}

fn name(text: &str) -> Result<String, String> {
    match text.len() {
        1..=MAX_NAME => Ok(text.to_owned()),
        0 => Err("has an empty name, expected some text".into()),
        length => Err(format!("has a name of {length} bytes, expected at most {MAX_NAME}: \"{text}\"")),
    }
}

fn room_for_one_more(conf: &LocConf, text: &str) -> Result<(), String> {
    if conf.parameters() < MAX_PARAMETERS {
        return Ok(());
    }
    Err(format!(
        "source \"{text}\" is one parameter too many: a level has at most {MAX_PARAMETERS} keys and contexts together"
    ))
}

fn key(conf: &mut LocConf, args: &Args, reading: Reading) -> Result<(), String> {
    const OPTIONS: &str = "\"name=\", \"group=\" or \"show\"";
    let text = args.first();
    let source = source(text, args, reading)?;
    room_for_one_more(conf, text)?;
    let (mut label, mut group, mut show) = (None, None, None);
    for option in args.options() {
        match option.split_once('=') {
            Some(("name", value)) => option_once(&mut label, name(value)?, option)?,
            Some(("group", value)) => option_once(&mut group, template(&name(value)?, args, reading)?, option)?,
            None if option == "show" => option_once(&mut show, true, option)?,
            _ => return Err(unknown_option(option, OPTIONS)),
        }
    }
    let name = label.unwrap_or_else(|| Source::default_name(text));
    let show = show.is_some();
    conf.last_parameter = args.place().cloned();
    let keys = Arc::make_mut(conf.keys.get_or_insert_default());
    keys.push(KeySpec { text: text.to_owned(), source, name, group, show });
    Ok(())
}

fn context(conf: &mut LocConf, args: &Args, reading: Reading) -> Result<(), String> {
    const OPTIONS: &str = "\"name=\", \"type=\", \"hash\" or \"show\"";
    let text = args.first();
    let source = source(text, args, reading)?;
    room_for_one_more(conf, text)?;
    let (mut label, mut said_kind, mut hash) = (None, None, None);
    for option in args.options() {
        match option.split_once('=') {
            Some(("name", value)) => option_once(&mut label, name(value)?, option)?,
            Some(("type", value)) => option_once(&mut said_kind, kind(value)?, option)?,
            None if option == "hash" || option == "show" => {
                let wanted = option == "hash";
                if hash.is_some_and(|before| before != wanted) {
                    return Err("says both \"hash\" and \"show\", expected one of them".into());
                }
                option_once(&mut hash, wanted, option)?;
            }
            _ => return Err(unknown_option(option, OPTIONS)),
        }
    }
    conf.last_parameter = args.place().cloned();
    Arc::make_mut(conf.contexts.get_or_insert_default()).push(ContextSpec {
        text: text.to_owned(),
        source,
        name: label.unwrap_or_else(|| Source::default_name(text)),
        kind: said_kind.unwrap_or_default(),
        hash: hash.unwrap_or_else(|| is_sensitive(text)),
    });
    Ok(())
}

fn kind(text: &str) -> Result<ParamKind, String> {
    match text {
        "context" => Ok(ParamKind::Context),
        "user" => Ok(ParamKind::User),
        "role" => Ok(ParamKind::Role),
        _ => Err(format!("has the type \"{text}\", expected \"context\", \"user\" or \"role\"")),
    }
}

fn builtin_keys(conf: &mut LocConf, args: &Args, _: Reading) -> Result<(), String> {
    let value = args.first();
    let on = on_or_off(value).ok_or_else(|| format!("is \"{value}\", expected \"on\" or \"off\""))?;
    once(&mut conf.builtin_keys, on)
}

fn ip(conf: &mut LocConf, args: &Args, _: Reading) -> Result<(), String> {
    let mode = match args.first() {
        "clear" => AddressMode::Clear,
        "prefix" => AddressMode::Prefix,
        "hash" => AddressMode::Hash,
        other => return Err(format!("is \"{other}\", expected \"clear\", \"prefix\" or \"hash\"")),
    };
    once(&mut conf.address, mode)
}

fn path(conf: &mut LocConf, args: &Args, _: Reading) -> Result<(), String> {
    let mode = match args.first() {
        "clear" => PathMode::Clear,
        "mask" => PathMode::Mask,
        other => return Err(format!("is \"{other}\", expected \"clear\" or \"mask\"")),
    };
    once(&mut conf.path, mode)
}

fn body_limit(conf: &mut LocConf, args: &Args, _: Reading) -> Result<(), String> {
    /// The event loop copies so much at once, at worst.
    const MAX_LIMIT: usize = 8 << 20;
    let limit = args::size(args.first())?;
    if limit > MAX_LIMIT {
        return Err(format!("is \"{}\", expected at most \"8m\"", args.first()));
    }
    once(&mut conf.body_limit, limit)
}

fn mcp(conf: &mut LocConf, args: &Args, _: Reading) -> Result<(), String> {
    let value = args.first();
    let mode = match on_or_off(value) {
        Some(true) => McpMode::On,
        Some(false) => McpMode::Off,
        None if value == "arguments" => McpMode::Arguments,
        None => return Err(format!("is \"{value}\", expected \"on\", \"off\" or \"arguments\"")),
    };
    once(&mut conf.mcp, mode)
}

fn collector(conf: &mut MainConf, args: &Args, reading: Reading) -> Result<(), String> {
    let full_path = |name: &str| full_path(reading, name, Below::Configuration);
    let collector = collector::read(args.first(), args.options(), full_path)?;
    if conf.collectors.iter().any(|other| other.address == collector.address) {
        return Err(format!("names \"{}\" twice", args.first()));
    }
    conf.collectors.push(collector);
    Ok(())
}

fn secret(conf: &mut MainConf, args: &Args, reading: Reading) -> Result<(), String> {
    let path = full_path(reading, args.first(), Below::Configuration)?;
    let about = std::fs::metadata(&path).map_err(|error| format!("file \"{path}\" cannot be read: {error}"))?;
    if !about.is_file() || about.len() > MAX_SECRET {
        return Err(format!("file \"{path}\" is no file of at most {MAX_SECRET} bytes"));
    }
    let bytes = std::fs::read(&path).map_err(|error| format!("file \"{path}\" cannot be read: {error}"))?;
    let length = bytes.strip_suffix(b"\n").unwrap_or(&bytes).len();
    if length < MIN_SECRET {
        return Err(format!(
            "file \"{path}\" holds {length} bytes, expected at least {MIN_SECRET}, \
             as \"openssl rand -hex 32 > {path}\" makes them"
        ));
    }
    let mode = about.mode() & 0o7777;
    if mode & OPEN_TO_OTHERS != 0 {
        let warning = format!(
            "file \"{path}\" has the mode {mode:04o}: others can read it, or its group can write it, and tell values by their \
             pseudonyms; expected 0600 or 0640"
        );
        // SAFETY: `reading` holds the configuration being read.
        unsafe { log::config(reading.0, log::Level::Warn, &warning) };
    }
    once(&mut conf.secret, Secret::from_file_bytes(&bytes))
}

/// A path; a relative one is where NGINX users expect it: what is read, in the folder of `nginx.conf`; what is
/// written, below NGINX's prefix.
fn full_path(reading: Reading, text: &str, below: Below) -> Result<String, String> {
    let with_end = format!("{text}\0");
    let mut name = ngx_str_t { len: text.len(), data: with_end.as_ptr().cast_mut() };
    // SAFETY: `reading` holds the configuration being read; the name ends with a zero byte and is
    // replaced, never written to (ngx_get_full_name in src/core/ngx_file.c).
    let status = unsafe { ngx_conf_full_name((*reading.0).cycle, &raw mut name, below as ngx_uint_t) };
    if status != crate::OK {
        return Err("no memory for a file's name".into());
    }
    Ok(wire::escape(name.as_bytes()).into_owned())
}

/// What a relative path is below, as ngx_conf_full_name has it.
#[derive(Clone, Copy)]
enum Below {
    Prefix = 0,
    Configuration = 1,
}

fn node(conf: &mut MainConf, args: &Args, _: Reading) -> Result<(), String> {
    once(&mut conf.node, name(args.first())?)
}

fn queue(conf: &mut MainConf, args: &Args, _: Reading) -> Result<(), String> {
    /// Snapshots are small, but a queue of a million is a mistake.
    const MAX_QUEUE: usize = 1 << 20;
    const MIN_MEMORY: usize = 1 << 20;
    let mut queue = config::Queue { snapshots: args::number(args.first(), MAX_QUEUE)?, ..config::Queue::default() };
    for option in args.options() {
        match option.split_once('=') {
            Some(("memory", value)) => {
                queue.memory = args::size(value)?;
                if queue.memory < MIN_MEMORY {
                    return Err(format!("has \"{option}\", expected at least \"memory=1m\""));
                }
            }
            _ => return Err(unknown_option(option, "\"memory=\"")),
        }
    }
    once(&mut conf.queue, queue)
}

fn batch(conf: &mut MainConf, args: &Args, _: Reading) -> Result<(), String> {
    const MAX_BATCH: usize = 10_000;
    let (mut events, mut interval, mut zstd) = (None, None, None);
    for option in args.values() {
        match option.split_once('=') {
            Some(("size", value)) => option_once(&mut events, args::number(value, MAX_BATCH)?, option)?,
            Some(("interval", value)) => option_once(&mut interval, args::time(value)?, option)?,
            Some(("compress", value)) => option_once(&mut zstd, compression(value)?, option)?,
            _ => return Err(unknown_option(option, "\"size=\", \"interval=\" or \"compress=\"")),
        }
    }
    let default = config::Batch::default();
    let batch = config::Batch {
        events: events.unwrap_or(default.events),
        interval: interval.unwrap_or(default.interval),
        zstd: zstd.unwrap_or(default.zstd),
    };
    once(&mut conf.batch, batch)
}

/// Whether it is zstd.
fn compression(text: &str) -> Result<bool, String> {
    match text {
        "zstd" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("compresses by \"{text}\", expected \"zstd\" or \"off\"")),
    }
}

fn spool(conf: &mut MainConf, args: &Args, reading: Reading) -> Result<(), String> {
    const DEFAULT: u64 = 1 << 30;
    let directory = full_path(reading, args.first(), Below::Prefix)?;
    let mut max = DEFAULT;
    for option in args.options() {
        match option.split_once('=') {
            Some(("max", value)) => {
                max = args::large_size(value)?;
                if max < MIN_SPOOL {
                    return Err(format!("has \"{option}\", expected at least \"max=16m\""));
                }
            }
            _ => return Err(unknown_option(option, "\"max=\"")),
        }
    }
    spool_directory::check(Path::new(&directory))?;
    // SAFETY: `reading` holds the configuration being read.
    unsafe { make_path(reading.0, &directory) }?;
    let naming = Naming { directive: args.directive().to_owned(), place: args.place().cloned() };
    once(&mut conf.spool, config::Spool { directory: directory.into(), max, naming })
}

/// Lets NGINX make a directory before workers start, and give it to their user.
///
/// # Safety
/// `cf` is the configuration being read.
unsafe fn make_path(cf: *mut ngx_conf_t, directory: &str) -> Result<(), String> {
    // SAFETY: upheld by the caller; the pool lives as long as the cycle, which keeps the path, and zeroes are
    // a path without levels, manager and place (ngx_conf_set_path_slot in src/core/ngx_file.c).
    let added = unsafe {
        let path = ngx_pcalloc((*cf).pool, size_of::<ngx_path_t>()).cast::<ngx_path_t>();
        let name = ngx_pnalloc((*cf).pool, directory.len() + 1).cast::<u8>();
        if path.is_null() || name.is_null() {
            return Err("no memory for a directory's name".into());
        }
        // With the zero byte that the system's calls need.
        ptr::copy_nonoverlapping(directory.as_ptr(), name, directory.len());
        name.add(directory.len()).write(0);
        (*path).name = ngx_str_t { len: directory.len(), data: name };
        // Whose it is, and for whoever names the directory for something else, where.
        (*path).data = name.cast();
        let file = (*cf).conf_file;
        if !file.is_null() {
            (*path).conf_file = (*file).file.name.data;
            (*path).line = (*file).line;
        }
        let mut slot = path;
        ngx_add_path(cf, &raw mut slot)
    };
    if added == crate::OK { Ok(()) } else { Err(format!("directory \"{directory}\" is used for something else")) }
}

fn status_page(conf: &mut LocConf, _: &Args, reading: Reading) -> Result<(), String> {
    once(&mut conf.status, ())?;
    // SAFETY: `reading` holds the configuration being read, inside a location.
    unsafe {
        let core = (*reading.0)
            .http_location_conf_unchecked::<ngx_http_core_loc_conf_t>(core_module())
            .ok_or("no http core")?;
        (*core.as_ptr()).handler = Some(status::handler);
        config::main_conf(reading.0).ok_or("no main configuration")?.status_used = true;
    }
    Ok(())
}
