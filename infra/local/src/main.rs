//! `cargo run`: the whole platform on this machine. `cargo run -- help` lists the commands.

use clap::Parser;
use scrip::commands::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    Cli::parse().run()
}
