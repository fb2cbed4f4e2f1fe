//! Tells the linker what the board has.

use std::{env, fs, path::Path};

fn main() {
    let target = env::var("TARGET").expect("cargo names the target");
    let (memory, script) =
        if target.starts_with("thumb") { ("microbit.x", "link.x") } else { ("virt.x", "memory.x") };
    // The runtime of Cortex-M looks for this name.
    let out = env::var("OUT_DIR").expect("cargo names a folder");
    fs::copy(memory, Path::new(&out).join("memory.x")).expect("the script can be copied");
    println!("cargo:rustc-link-search={out}");
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rustc-link-arg-bins=-T{script}");
    println!("cargo:rerun-if-changed={memory}");
}
