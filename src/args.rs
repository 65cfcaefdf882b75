//! The words of a directive.

use std::time::Duration;

use nginx_sys::{ngx_conf_t, ngx_parse_offset, ngx_parse_size, ngx_parse_time, ngx_str_t};

use crate::log::Place;

/// The directive's name and its values, as text.
pub(crate) struct Args {
    words: Vec<String>,
    place: Option<Place>,
}

impl Args {
    /// # Safety
    /// `cf` is the configuration being read, at a directive.
    pub(crate) unsafe fn of(cf: *mut ngx_conf_t) -> Result<Self, String> {
        // SAFETY: while a directive is handled `args` is an array of ngx_str_t
        // (ngx_conf_read_token in src/core/ngx_conf_file.c).
        let words = unsafe {
            let args = &*(*cf).args;
            std::slice::from_raw_parts(args.elts.cast::<ngx_str_t>(), args.nelts)
        };
        // SAFETY: upheld by the caller.
        let mut args = Self { words: Vec::with_capacity(words.len()), place: unsafe { Place::of(cf) } };
        for word in words {
            let word = text(word.as_bytes()).map_err(|error| format!("\"{}\" {error}", args.directive()))?;
            args.words.push(word);
        }
        Ok(args)
    }

    /// Name of the directive.
    pub(crate) fn directive(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// What stands behind the name.
    pub(crate) fn values(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// The first value; NGINX has checked that there is one where we ask for it.
    pub(crate) fn first(&self) -> &str {
        self.values().first().map_or("", String::as_str)
    }

    /// Where the directive stands.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Values behind the first.
    pub(crate) fn options(&self) -> &[String] {
        self.words.get(2..).unwrap_or_default()
    }
}

/// Text as it stands. Other bytes, and characters that no console shows, are in no name, path or
/// address that somebody means; in a source they would find nothing, silently.
fn text(word: &[u8]) -> Result<String, String> {
    match str::from_utf8(word) {
        Ok(text) if !text.contains(char::is_control) => Ok(text.to_owned()),
        Ok(text) => Err(format!("has the value \"{}\", expected no control characters", text.escape_default())),
        Err(_) => Err(format!("has the value \"{}\", expected UTF-8", wire::escape(word))),
    }
}

/// A size such as `64m`, in bytes.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let mut value = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
    // SAFETY: only reads the text (src/core/ngx_parse.c).
    let size = unsafe { ngx_parse_size(&raw mut value) };
    match usize::try_from(size) {
        Ok(size) if size > 0 => Ok(size),
        _ => Err(format!("\"{text}\" is no size, expected a number with k or m, as in \"64m\"")),
    }
}

/// A size such as `1g`, in bytes.
pub(crate) fn large_size(text: &str) -> Result<u64, String> {
    let mut value = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
    // SAFETY: only reads the text (src/core/ngx_parse.c).
    let size = unsafe { ngx_parse_offset(&raw mut value) };
    match u64::try_from(size) {
        Ok(size) if size > 0 => Ok(size),
        _ => Err(format!("\"{text}\" is no size, expected a number with k, m or g, as in \"1g\"")),
    }
}

/// A time such as `500ms` or `1s`, at most an hour.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    const HOUR: u64 = 3_600_000;
    let mut value = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
    // SAFETY: only reads the text (src/core/ngx_parse.c); 0 asks for milliseconds.
    let millis = unsafe { ngx_parse_time(&raw mut value, 0) };
    match u64::try_from(millis) {
        Ok(millis @ 1..=HOUR) => Ok(Duration::from_millis(millis)),
        _ => Err(format!("\"{text}\" is no time from 1ms to 1h, expected a number with ms, s or m, as in \"1s\"")),
    }
}

/// A positive number.
pub(crate) fn number(text: &str, max: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        _ => Err(format!("\"{text}\" is no number from 1 to {max}")),
    }
}
