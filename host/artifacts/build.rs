//! Builds the components for `wasm32-wasip2` and puts them where `src/lib.rs` embeds them. A package from a registry has
//! them built already, in `prebuilt`.

use std::env;
use std::path::PathBuf;

mod guest;

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = here.join("../..");
    if !root.join("guest/component/Cargo.toml").exists() {
        for name in ["engine.wasm", "policy.wasm"] {
            guest::take_prebuilt(&here, &out, name);
        }
        println!("cargo::metadata=engine={}", out.join("engine.wasm").display());
        return;
    }
    for path in [
        "guest/order",
        "guest/engine/src",
        "guest/engine/Cargo.toml",
        "guest/component",
        "guest/policy/src",
        "guest/policy/Cargo.toml",
        "wit",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    println!("cargo::rerun-if-env-changed=RUSTUP_TOOLCHAIN");
    guest::ensure_target(&root);
    // One at a time: together they would share features of their dependencies, and the policy would get `std`.
    for (package, name) in [("strongroom-component", "engine.wasm"), ("strongroom-policy", "policy.wasm")] {
        let built = guest::build(&root, &out.join("guest"), package);
        if let Err(e) = std::fs::copy(&built, out.join(name)) {
            guest::fail(&format!("{package} was built but is not at {}: {e}", built.display()));
        }
    }
    // For whoever builds more on it.
    println!("cargo::metadata=engine={}", out.join("engine.wasm").display());
    println!("cargo::metadata=guest={}", out.join("guest").display());
}
