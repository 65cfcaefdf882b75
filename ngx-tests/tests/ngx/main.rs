//! Promises to users, shown on real NGINX processes, real collectors and real clients.
#![forbid(unsafe_code)]

mod plain;
mod site;
