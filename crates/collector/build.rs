//! Tells the linker where the server finds its engine, `libduckdb.so`, when it runs: beside the
//! binary, in the place where `scripts/install` puts it, and at last where it was at build time, so
//! that an installed server never depends on a user's folders.
//!
//! And it has the server built anew when the web console is another one.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN");
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/api-sessions");
    if let Some(dir) = std::env::var_os("DUCKDB_LIB_DIR") {
        let dir = PathBuf::from(dir);
        let dir = dir.canonicalize().unwrap_or(dir);
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", dir.display());
    }
    // It is there as soon as it was built, and another one when the sources are others.
    println!("cargo:rerun-if-changed=../../build/console/index.html");
    println!("cargo:rerun-if-env-changed=API_SESSIONS_CONSOLE");
}
