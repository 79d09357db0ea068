//! The `strongroom` command: backups of redb databases while they are in use, made by a sandboxed WebAssembly
//! component. What it has in common with that component under other runtimes is `strongroom-command`.

mod component;
mod config;
mod demo;
mod drill;
mod forget;
mod interrupt;
mod native;
mod policy;
mod report;
mod repository;
mod run;
mod shell;
mod trace;

use std::process::ExitCode;

fn main() -> ExitCode {
    strongroom_command::main::<native::Native>(std::env::args_os()).into()
}
