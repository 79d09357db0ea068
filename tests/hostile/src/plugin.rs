//! A plugin that tries the attack that its first argument names, and says what came of it.
#![allow(missing_docs)]

#[cfg(target_os = "wasi")]
mod attacks;
#[cfg(target_os = "wasi")]
mod files;
#[cfg(target_os = "wasi")]
mod outside;
#[cfg(target_os = "wasi")]
mod store;

#[cfg(target_os = "wasi")]
mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    wit_bindgen::generate!({ path: "../../wit/deps/kv", world: "plugin", generate_all });
}

#[cfg(target_os = "wasi")]
fn main() {
    let attack = std::env::args().nth(1).unwrap_or_default();
    let tried = [attacks::run, files::run, outside::run, store::run].iter().find_map(|run| run(&attack));
    match tried {
        Some(came_of_it) => println!("{came_of_it}"),
        None => wasip2::cli::exit::exit_with_code(99),
    }
}

#[cfg(not(target_os = "wasi"))]
fn main() {}
