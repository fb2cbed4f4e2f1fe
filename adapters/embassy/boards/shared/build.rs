//! Puts the pinned root where the program includes it from.

use std::{env, fs, path::PathBuf};

fn main() -> Result<(), std::io::Error> {
    println!("cargo:rerun-if-env-changed=DUNLIN_ROOT");
    let Some(folder) = env::var_os("OUT_DIR").map(PathBuf::from) else { return Ok(()) };
    // Without one the program can be checked; on a board, it would trust nobody.
    let root = match env::var_os("DUNLIN_ROOT") {
        Some(path) => {
            println!("cargo:rerun-if-changed={}", PathBuf::from(&path).display());
            fs::read(path)?
        }
        None => Vec::new(),
    };
    fs::write(folder.join("root.der"), root)
}
