//! The binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    evergrant::cli::main()
}
