//! How the program is linked, and the firmware of the Wi-Fi chip, which is not ours to give away.

use std::{env, fs, io, path::PathBuf};

/// The chip's program, its table of what each country allows, and the settings of the board's antenna:
/// from the folder `cyw43-firmware` of embassy's repository.
const PARTS: [&str; 3] = ["43439A0.bin", "43439A0_clm.bin", "nvram_rp2040.bin"];

fn main() -> io::Result<()> {
    println!("cargo:rustc-link-search={}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=-Tlink-rp.x");
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rerun-if-env-changed=DUNLIN_CYW43");
    let from = env::var_os("DUNLIN_CYW43").map(PathBuf::from);
    let Some(to) = env::var_os("OUT_DIR").map(PathBuf::from) else { return Ok(()) };
    for part in PARTS {
        // Without them the program can be checked; on a board, there would be no network.
        let bytes = match &from {
            Some(folder) => {
                println!("cargo:rerun-if-changed={}", folder.join(part).display());
                fs::read(folder.join(part))?
            }
            None => Vec::new(),
        };
        fs::write(to.join(part), bytes)?;
    }
    Ok(())
}
