//! Tools of other languages, from their registries.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a tool; `None` if it is not there or does not succeed, which has been said then. Where `CI` is set, that fails.
pub fn tool(command: &mut Command) -> Option<()> {
    let why = match command.output() {
        Ok(output) if output.status.success() => return Some(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(e) => e.to_string(),
    };
    let message = format!("NOT TESTED, because this tool does not do its work here: {command:?}\n{why}");
    assert!(std::env::var_os("CI").is_none(), "{message}");
    eprintln!("{message}");
    None
}

/// componentize-py, of the version that this file asks for: `COMPONENTIZE_PY`, or one that is installed in `dir` and kept
/// there.
pub fn componentize_py(requirements: &Path, dir: &Path) -> Option<OsString> {
    if let Some(there) = std::env::var_os("COMPONENTIZE_PY") {
        return Some(there);
    }
    let tools: PathBuf = dir.join("componentize-py");
    let installed = tools.join("bin/componentize-py");
    if Command::new(&installed).arg("--version").output().is_err() {
        tool(Command::new("python3").args(["-m", "venv"]).arg(&tools))?;
        let mut install = Command::new(tools.join("bin/pip"));
        tool(install.args(["install", "--quiet", "--requirement"]).arg(requirements))?;
    }
    Some(installed.into())
}
