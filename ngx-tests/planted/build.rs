//! As the module is built, with the plants of `src/plant.rs` in it.

#[path = "../../build.rs"]
mod module;

fn main() {
    println!("cargo:rustc-cfg=planted");
    module::main();
}
