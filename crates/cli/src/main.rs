//! The binary `sealtrail`; everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    sealtrail_cli::main()
}
