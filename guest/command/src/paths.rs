//! Paths as people write them.

use std::path::{Path, PathBuf};

use strongroom_core::directory;

use crate::exit::usage;
use crate::host::Host;

/// The absolute path that is meant: `~/` and environment variables are filled in.
///
/// A variable that is not set is an error. If it counted as empty, `$DATA/backups` would be `/backups`.
pub fn expand(host: &dyn Host, path: &Path) -> anyhow::Result<PathBuf> {
    Ok(host.absolute(&fill_in(path)?)?)
}

/// The path with `~/` and environment variables filled in.
///
/// A file or directory whose name has a dollar sign in it is meant as it is.
pub fn fill_in(path: &Path) -> anyhow::Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(usage("a path is empty; perhaps a variable in the shell's command line is not set"));
    }
    if let Err(e) = directory::check_local(path) {
        return Err(usage(e.to_string()));
    }
    let text = path.as_os_str().as_encoded_bytes();
    if text.contains(&b'$') && !text.starts_with(b"~") && path.symlink_metadata().is_ok() {
        return Ok(path.to_owned());
    }
    let expanded = expanded(path)?;
    if expanded.starts_with("~") {
        return Err(usage(format!("{}: there is no home directory to put for ~", path.display())));
    }
    Ok(expanded)
}

#[cfg(not(target_os = "wasi"))]
fn expanded(path: &Path) -> anyhow::Result<PathBuf> {
    let expanded = shellexpand::path::full(path).map_err(|e| {
        let name = e.var_name.display();
        usage(format!(
            "{}: the environment variable {name} cannot be filled in ({}); set it, or write $$ for a dollar sign",
            path.display(),
            e.cause
        ))
    })?;
    Ok(expanded.into_owned())
}

/// A component sees no environment; what its shell did not fill in is a mistake.
#[cfg(target_os = "wasi")]
fn expanded(path: &Path) -> anyhow::Result<PathBuf> {
    let text = path.to_string_lossy();
    let name = match text.replace("$$", "").split_once('$') {
        None => return Ok(text.replace("$$", "$").into()),
        Some((_, name)) => name.trim_start_matches('{').to_owned(),
    };
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    Err(usage(format!(
        "{}: the environment variable {} cannot be filled in (a component sees none); set it, or write $$ for a dollar \
         sign",
        path.display(),
        &name[..end]
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(path: &str) -> PathBuf {
        std::path::absolute(fill_in(Path::new(path)).unwrap()).unwrap()
    }

    #[test]
    fn home_and_variables_are_filled_in() {
        let home = std::env::var("HOME").unwrap();
        assert_eq!(meant("~/x/y"), Path::new(&home).join("x/y"));
        assert_eq!(meant("$HOME/x"), Path::new(&home).join("x"));
        assert_eq!(meant("${HOME}/x"), Path::new(&home).join("x"));
        assert_eq!(meant("/a/$$b"), Path::new("/a/$b"));
    }

    #[test]
    fn paths_become_absolute_and_clean() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(meant("x.redb"), here.join("x.redb"));
        assert_eq!(meant("./x//y/./z"), here.join("x/y/z"));
    }

    #[test]
    fn what_is_not_set_is_an_error_that_names_it() {
        let e = fill_in(Path::new("/data/$NO_SUCH_VARIABLE_HERE/x")).unwrap_err();
        assert!(e.to_string().contains("NO_SUCH_VARIABLE_HERE"), "{e}");
        assert!(fill_in(Path::new("")).is_err());
    }
}
