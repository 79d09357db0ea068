//! Builds what stands around the engine where no host of ours is, and plugs it all together.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId};

// A link to the file of `artifacts`, so that a package has it too.
mod guest;

fn main() {
    let path = |name| PathBuf::from(env::var_os(name).expect("cargo sets it"));
    let out = path("OUT_DIR");
    let here = path("CARGO_MANIFEST_DIR");
    let root = here.join("../..");
    let wit = contracts(&here.join("wit")).and_then(|text| Ok(std::fs::write(out.join("wit.rs"), text)?));
    if let Err(e) = wit {
        guest::fail(&format!("the contracts in {} cannot be taken: {e}", here.join("wit").display()));
    }
    if !root.join("guest/stock/Cargo.toml").exists() {
        guest::take_prebuilt(&here, &out, "strongroom.wasm");
        return;
    }
    let engine = path("DEP_STRONGROOM_ARTIFACTS_ENGINE");
    let target = path("DEP_STRONGROOM_ARTIFACTS_GUEST");
    for path in [
        "guest/command/src",
        "guest/command/Cargo.toml",
        "guest/stock",
        "host/core/src",
        "host/core/Cargo.toml",
        "host/provider",
        "host/store/src",
        "host/store/Cargo.toml",
        "wit",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    println!("cargo::rerun-if-changed={}", engine.display());
    guest::ensure_target(&root);
    let provider = guest::build(&root, &target, "strongroom-provider");
    let command = guest::build(&root, &target, "strongroom-stock");
    let written = compose(&provider, &engine, &command)
        .and_then(|bytes| Ok(std::fs::write(out.join("strongroom.wasm"), bytes)?));
    if let Err(e) = written {
        guest::fail(&format!("the components cannot be put together: {e}"));
    }
}

/// One component of three. The engine is the very file that a host of ours runs.
fn compose(provider: &Path, engine: &Path, command: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut graph = CompositionGraph::new();
    let provider = add(&mut graph, "provider", provider)?;
    let engine = add(&mut graph, "engine", engine)?;
    let command = add(&mut graph, "command", command)?;
    for (to, from, name) in [
        (engine, provider, "strongroom:kv/kv-store@0.1.0"),
        (engine, provider, "strongroom:kv/kv-sink@0.1.0"),
        (engine, provider, "strongroom:backup/progress@0.1.0"),
        // So the engine sees the directory that it is given, and no other.
        (engine, provider, "wasi:filesystem/preopens@0.2.12"),
        (command, provider, "strongroom:provider/control@0.1.0"),
        (command, engine, "strongroom:backup/engine@0.1.0"),
        (command, engine, "strongroom:backup/archive@0.1.0"),
        (command, engine, "strongroom:backup/diff@0.1.0"),
        (command, engine, "strongroom:kv/kv-store@0.1.0"),
    ] {
        let export = graph.alias_instance_export(from, name)?;
        graph.set_instantiation_argument(to, name, export)?;
    }
    for (from, name) in [(command, "wasi:cli/run@0.2.12"), (engine, "strongroom:backup/engine@0.1.0")] {
        let export = graph.alias_instance_export(from, name)?;
        graph.export(export, name)?;
    }
    for (name, _, _) in graph.imports() {
        if !name.starts_with("wasi:") {
            return Err(format!("{name} would have to be imported").into());
        }
    }
    Ok(graph.encode(EncodeOptions::default())?)
}

fn add(graph: &mut CompositionGraph, name: &str, file: &Path) -> Result<NodeId, Box<dyn Error>> {
    let package = Package::from_file(&format!("strongroom:{name}-component"), None, file, graph.types_mut())?;
    let package = graph.register_package(package)?;
    Ok(graph.instantiate(package))
}

/// The WIT files as a constant: path and text of each.
fn contracts(dir: &Path) -> Result<String, Box<dyn Error>> {
    let (mut files, mut open) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let mut text = "&[\n".to_owned();
    for file in files {
        let name = file.strip_prefix(dir)?.to_string_lossy().replace('\\', "/");
        writeln!(text, "    ({name:?}, include_str!({:?})),", file.canonicalize()?.to_string_lossy())?;
    }
    text.push_str("]\n");
    Ok(text)
}
