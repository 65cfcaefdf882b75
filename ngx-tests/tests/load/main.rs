//! Promises about load. Each test wants the machine for itself: run with `--test-threads=1`.
#![forbid(unsafe_code)]

mod crash;
mod locks;
mod memory;
mod numbers;
mod site;
mod syncs;
