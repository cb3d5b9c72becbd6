//! The binary. All else is in the library, so that a rebuild compiles it once.

fn main() -> std::process::ExitCode {
    todo_app::command::run(std::env::args().skip(1))
}
