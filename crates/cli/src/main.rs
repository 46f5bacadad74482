//! The binary `sealtrail`; everything is in the library beside it.

use std::process::ExitCode;

/// Records are taken apart into many small pieces: an allocator made for that saves a quarter of the work of taking one in.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sealtrail_cli::main()
}
