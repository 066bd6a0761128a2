//! The `milepost` binary: everything is in the library.

fn main() -> std::process::ExitCode {
    milepost::cli::main()
}
