//! `goshift-server`: see `goshift::cli::server`.

fn main() -> std::process::ExitCode {
    goshift::cli::server::main(std::env::args_os())
}
