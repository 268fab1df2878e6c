//! `goshift-submit`: see `goshift::cli::submit`.

fn main() -> std::process::ExitCode {
    goshift::cli::submit::main(std::env::args_os())
}
