//! The `strongroom` command as a component. Around the engine it stands where no host of ours is: it imports the
//! engine, and what the provider takes from the command.

#![cfg(target_os = "wasi")]

mod elsewhere;
mod host;
mod repository;

use std::io::Write as _;

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    wit_bindgen::generate!({
        path: ["../../wit", "../../host/provider/wit"],
        world: "strongroom:provider/command",
        generate_all,
    });
}

struct Command;

impl wasip2::exports::cli::run::Guest for Command {
    fn run() -> Result<(), ()> {
        let code = strongroom_command::main::<host::Stock>(std::env::args_os());
        // Nobody is left to tell if that fails.
        let _ = std::io::stdout().flush();
        if code != 0 {
            wasip2::cli::exit::exit_with_code(code);
        }
        Ok(())
    }
}

wasip2::cli::command::export!(Command);
