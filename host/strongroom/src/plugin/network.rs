//! The network, which no plugin has. The standard libraries of Python, Go and C import it whether or not a program uses
//! it, so the imports are there, and each of their functions ends the run.

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::types::{Component, ComponentItem};
use wasmtime::component::{Linker, ResourceType};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};

use crate::sandbox::State;

/// What the names of these interfaces begin with.
pub(super) const INTERFACES: &str = "wasi:sockets/";

/// Somebody called a function of the network.
#[derive(Debug)]
pub(super) struct NoNetwork(pub(super) String);

impl fmt::Display for NoNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was called, and there is no network", self.0)
    }
}

impl std::error::Error for NoNetwork {}

/// Defines whatever a component imports of the network.
pub(super) fn deny(
    linker: &mut Linker<State>,
    component: &Component,
    engine: &Engine,
) -> wasmtime::Result<()> {
    for (interface, import) in component.imports(engine) {
        let ComponentItem::ComponentInstance(imported) = import.ty else { continue };
        if !interface.starts_with(INTERFACES) {
            continue;
        }
        let mut instance = linker.instance(interface)?;
        for (name, export) in imported.exports(engine) {
            match export.ty {
                ComponentItem::ComponentFunc(_) => {
                    let function = format!("{interface}#{name}");
                    instance.func_new(name, move |_, _, _, _| Err(NoNetwork(function.clone()).into()))?;
                }
                ComponentItem::Resource(_) => {
                    // Those of `wasi:io` are what they are everywhere else; of the others there is never one.
                    let resource = match name {
                        "pollable" => ResourceType::host::<DynPollable>(),
                        "input-stream" => ResourceType::host::<DynInputStream>(),
                        "output-stream" => ResourceType::host::<DynOutputStream>(),
                        _ => ResourceType::host::<NoNetwork>(),
                    };
                    instance.resource(name, resource, |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}
