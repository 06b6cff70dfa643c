//! The `earwitness` binary; everything is in the library and in `cli`.

#![allow(unreachable_pub, reason = "a binary exports nothing; `pub` marks a file's interface")]

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
