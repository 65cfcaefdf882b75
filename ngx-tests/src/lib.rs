//! The demo's shop and clients, and what starts and stops real NGINX processes, real collectors and
//! real load. The demo and the tests in `tests/` are built from it.
//!
//! Everything here looks at the product from outside: binaries, sockets, files, HTTP. Nothing here
//! calls the product's own code, so that an error in it cannot excuse itself.
//!
//! Whatever is started is held by a value and stopped by its process id when the value goes; files
//! live in a temporary folder, ports are leased, so any number of copies run side by side.
#![forbid(unsafe_code)]

pub mod clients;
pub mod collector;
pub mod counters;
pub mod fastcgi;
pub mod folder;
pub mod forward;
pub mod line;
pub mod load;
pub mod nginx;
pub mod node;
pub mod proc;
pub mod process;
pub mod raw;
pub mod relay;
pub mod rest;
pub mod shop;
pub mod silent;
pub mod traffic;
pub mod wait;
