//! `goshift-worker`: see `goshift::cli::worker`.

fn main() -> std::process::ExitCode {
    goshift::cli::worker::main(std::env::args_os())
}
