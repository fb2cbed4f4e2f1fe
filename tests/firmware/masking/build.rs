//! Tells the linker what the board has.

fn main() {
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap();
    println!("cargo:rustc-link-arg-bins=-T{}/{arch}.x", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rerun-if-changed={arch}.x");
}
