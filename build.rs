//! Link arguments of the module, and a clear word when there is no NGINX to build against.

use std::path::Path;

/// Also run by `ngx-tests/planted`.
pub fn main() {
    // NGINX unmaps modules when a cycle's pool goes; Rust's thread-local destructors may run later.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,relro,-z,now");
    // What this NGINX was configured with, as nginx-sys found out: `cfg(ngx_feature = "quic")`.
    let features = std::env::var("DEP_NGINX_FEATURES").unwrap_or_default();
    let known = std::env::var("DEP_NGINX_FEATURES_CHECK").unwrap_or_default();
    println!("cargo:rustc-check-cfg=cfg(ngx_feature, values({known}))");
    for feature in features.split(',').filter(|feature| !feature.is_empty()) {
        println!("cargo:rustc-cfg=ngx_feature=\"{feature}\"");
    }
    println!("cargo:rerun-if-env-changed=DEP_NGINX_FEATURES");
    println!("cargo:rerun-if-env-changed=NGINX_BUILD_DIR");
    let objs = std::env::var("NGINX_BUILD_DIR").unwrap_or_default();
    if !Path::new(&objs).join("ngx_auto_config.h").exists() {
        println!("cargo:warning=no configured NGINX at NGINX_BUILD_DIR=\"{objs}\": run scripts/setup");
    }
}
