//! `goshift`: see `goshift::cli::goshift`.

fn main() -> std::process::ExitCode {
    goshift::cli::goshift::main(std::env::args_os())
}
