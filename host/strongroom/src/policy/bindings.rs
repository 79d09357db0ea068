//! The three interfaces in Rust, each for itself: a policy exports any of them.
#![allow(missing_docs, unreachable_pub, clippy::all)]

pub mod selector {
    wasmtime::component::bindgen!({ path: "wit/deps/policy", world: "selector" });
}
pub mod admitter {
    wasmtime::component::bindgen!({ path: "wit/deps/policy", world: "admitter" });
}
pub mod retainer {
    wasmtime::component::bindgen!({ path: "wit/deps/policy", world: "retainer" });
}

pub use admitter::exports::strongroom::policy::admit;
pub use retainer::exports::strongroom::policy::retain;
pub use selector::exports::strongroom::policy::select;
