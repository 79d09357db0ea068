//! Whether a component is a plugin, told by the names of what it imports and exports before it is linked.

use wasmtime::Engine;
use wasmtime::component::types::Component;

use super::network;
use crate::sandbox::INTERFACES;
use crate::{Error, ErrorCode, Result};
use strongroom_core::excerpt;

const STORE: &str = "strongroom:kv/kv-store";
const STORE_VERSION: &str = "0.1.0";

/// Fails unless the component exports what a plugin does and imports no more than one may.
pub(super) fn check(called: &str, component: &Component, engine: &Engine) -> Result<()> {
    let invalid = |message: String| Err(Error::new(ErrorCode::Invalid, format!("{called} {message}")));
    let exports: Vec<&str> = component.exports(engine).map(|(name, _)| name).collect();
    if !exports.iter().any(|export| is(export, "wasi:cli/run", "0.2.")) {
        return invalid(format!(
            "is no plugin: a plugin exports wasi:cli/run@0.2, and this component exports {}",
            list(&exports)
        ));
    }
    let mut refused = Vec::new();
    for (import, _) in component.imports(engine) {
        let (name, version) = import.split_once('@').unwrap_or((import, ""));
        if name == STORE && !version.starts_with("0.1.") {
            return invalid(format!(
                "was made for {STORE}@{}, and the only version that is known here is {STORE_VERSION}; build it \
                 against that one",
                excerpt(version, 40)
            ));
        }
        let wasi = version.starts_with("0.2.");
        let known = INTERFACES.contains(&name) || name.starts_with(network::INTERFACES);
        if name != STORE && !(wasi && known) {
            refused.push(import);
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    invalid(format!(
        "wants more than a plugin can be granted: {}. It may import {STORE}@{STORE_VERSION} and, of WASI 0.2, \
         files, streams, arguments, clocks and random numbers",
        list(&refused)
    ))
}

fn is(name: &str, interface: &str, version: &str) -> bool {
    name.strip_prefix(interface)
        .and_then(|rest| rest.strip_prefix('@'))
        .is_some_and(|v| v.starts_with(version))
}

/// Names that a component gives, some of them.
fn list(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(|name| excerpt(name, 100)).collect();
    if names.len() > SHOWN {
        shown.push(format!("and {} more", names.len() - SHOWN));
    }
    shown.join(", ")
}
