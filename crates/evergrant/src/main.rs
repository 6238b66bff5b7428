//! The binary.

use std::process::ExitCode;

/// A request is read by one thread and answered by another: the C library's allocator has them queue for each other's arenas.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    evergrant::cli::main()
}
