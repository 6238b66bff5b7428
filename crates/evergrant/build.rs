//! The catalogue is embedded: a file added to its folder must make the crate build again.

fn main() {
    println!("cargo::rerun-if-changed=../../catalog");
}
