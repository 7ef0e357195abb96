//! Has the linker compress the binary's debug information, which would else be a third of it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bins=-Wl,-O2,--compress-debug-sections=zlib");
}
