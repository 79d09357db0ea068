//! What the engine imports, as a component, where no host of ours runs it: a store and a sink over redb, a listener,
//! and of the file system the one directory that the command has granted.

#![cfg(target_os = "wasi")]

mod control;
mod directory;
mod listener;
mod panics;
mod sink;
mod store;

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    wit_bindgen::generate!({
        path: ["../../wit", "wit"],
        world: "strongroom:provider/provider",
        with: {
            "wasi:io/error@0.2.12": wasip2::io::error,
            "wasi:io/poll@0.2.12": wasip2::io::poll,
            "wasi:io/streams@0.2.12": wasip2::io::streams,
            "wasi:clocks/wall-clock@0.2.12": wasip2::clocks::wall_clock,
            "wasi:filesystem/types@0.2.12": wasip2::filesystem::types,
            "wasi:filesystem/preopens@0.2.12": generate,
        },
        generate_all,
    });
    use super::Component;
    export!(Component);
}

/// What the component exports.
struct Component;
