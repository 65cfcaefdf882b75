//! Whatever is done to NGINX while it runs: no request is refused because of the module, and each is
//! stored or counted.
#![forbid(unsafe_code)]

mod constancy;
mod ending;
mod keys;
mod logs;
mod processes;
mod reload;
mod single;
mod site;
mod spool;
mod switching;
mod upgrade;
