//! What the component imports and exports, and what is no engine.

use strongroom::{ENGINE, ErrorCode};

use crate::common::{builder, noise};

/// All that the component may ask for, and why it does.
const IMPORTS: [&str; 20] = [
    // How far a run is, and whether it should stop.
    "strongroom:backup/progress@0.1.0",
    // The database that is restored into; denied while backing up.
    "strongroom:kv/kv-sink@0.1.0",
    // The database that is backed up; denied while restoring.
    "strongroom:kv/kv-store@0.1.0",
    // What Rust's standard library brings along. There are no variables and no arguments in it here.
    "wasi:cli/environment@0.2.12",
    "wasi:cli/exit@0.2.12",
    // A panic's last words.
    "wasi:cli/stderr@0.2.12",
    // Rust's standard library again; both lead nowhere.
    "wasi:cli/stdin@0.2.12",
    "wasi:cli/stdout@0.2.12",
    "wasi:cli/terminal-input@0.2.12",
    "wasi:cli/terminal-output@0.2.12",
    "wasi:cli/terminal-stderr@0.2.12",
    "wasi:cli/terminal-stdin@0.2.12",
    "wasi:cli/terminal-stdout@0.2.12",
    // Times of files, which the types of files name, and what day it is for `latest` among several sources.
    "wasi:clocks/wall-clock@0.2.12",
    // The repository, as the one directory.
    "wasi:filesystem/preopens@0.2.12",
    "wasi:filesystem/types@0.2.12",
    // What streams are made of, which files and stderr name.
    "wasi:io/error@0.2.12",
    "wasi:io/poll@0.2.12",
    "wasi:io/streams@0.2.12",
    // The seed of Rust's hash maps.
    "wasi:random/insecure-seed@0.2.12",
];

#[test]
fn the_component_imports_this_and_nothing_else() {
    let engine = wasmtime::Engine::default();
    let component = wasmtime::component::Component::from_binary(&engine, ENGINE).unwrap();
    let types = component.component_type();
    let mut imports: Vec<String> = types.imports(&engine).map(|(name, _)| name.to_owned()).collect();
    imports.sort();
    assert_eq!(imports, IMPORTS);
    assert!(!imports.iter().any(|name| name.contains("sockets") || name.contains("http")));
    let mut exports: Vec<String> = types.exports(&engine).map(|(name, _)| name.to_owned()).collect();
    exports.sort();
    assert_eq!(
        exports,
        [
            "strongroom:backup/archive@0.1.0",
            "strongroom:backup/diff@0.1.0",
            "strongroom:backup/engine@0.1.0",
            "strongroom:kv/kv-store@0.1.0"
        ]
    );
}

#[test]
fn what_is_no_engine_is_refused_and_called_by_its_name() {
    let serialized = wasmtime::Engine::default().precompile_component(ENGINE).unwrap();
    let another_world = r#"(component
        (import "wasi:sockets/network@0.2.0" (instance (export "network" (type (sub resource)))))
        (import "nobody:grants/this@1.0.0" (instance (export "it" (func)))))"#;
    let wrong: [(&str, Vec<u8>, &str); 8] = [
        ("nothing", Vec::new(), "not a WebAssembly component"),
        ("noise", noise(1, 5000), "not a WebAssembly component"),
        ("text", b"(component)".to_vec(), "not a WebAssembly component"),
        ("a module", wat::parse_str("(module)").unwrap(), "not a WebAssembly component"),
        ("the engine, cut off", ENGINE[..ENGINE.len() / 2].to_vec(), "not a WebAssembly component"),
        // It would run unchecked.
        ("code that was compiled before", serialized, "not a WebAssembly component"),
        ("a component that exports nothing", wat::parse_str("(component)").unwrap(), "not an engine"),
        (
            "a component of another world",
            wat::parse_str(another_world).unwrap(),
            "wants more than is granted",
        ),
    ];
    for (what, bytes, why) in wrong {
        let error = builder().component(bytes).build().err().unwrap_or_else(|| panic!("{what} was taken"));
        assert_eq!(error.code(), ErrorCode::Invalid, "{what}: {error}");
        assert!(error.to_string().contains(why), "{what}: {error}");
    }
}
