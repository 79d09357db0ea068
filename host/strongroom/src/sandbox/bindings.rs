//! What the WIT packages say, in Rust.
#![allow(missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    path: "wit",
    world: "backup",
    imports: { default: trappable },
    with: {
        "strongroom:kv/kv-store.store": crate::host::store::OpenStore,
        "strongroom:kv/kv-store.bytes": crate::host::store::OpenBytes,
        "strongroom:kv/kv-store.changes": crate::host::store::OpenChanges,
        "strongroom:kv/kv-sink.sink": crate::host::sink::OpenSink,
        "strongroom:kv/kv-sink.writer": crate::host::sink::OpenWriter,
    },
});
