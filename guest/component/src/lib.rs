//! The engine as a component: its verbs as WIT exports, the store, the sink and the listener as WIT imports, and the
//! repository as the one directory that WASI shows.

#![cfg(target_os = "wasi")]

mod archive;
mod diff;
mod engine;
mod imports;
mod latest;
mod snapshots;
mod vault;

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    wit_bindgen::generate!({ path: "../../wit", world: "backup", generate_all });
    use super::Component;
    export!(Component);
}

/// What the component exports.
struct Component;
