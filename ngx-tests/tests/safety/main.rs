//! Whatever goes wrong in the module, NGINX goes on: each entry panics, on purpose.
#![forbid(unsafe_code)]

mod entries;
mod flusher;
mod panics;
mod sanitizer;
mod site;
