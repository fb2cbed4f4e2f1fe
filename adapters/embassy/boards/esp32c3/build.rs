//! How the program is linked.

fn main() {
    println!("cargo:rustc-link-arg-bins=-Tlinkall.x");
}
