//! Attacks on files. `/data` may be written, `/readonly` may be read.

use std::fs;

use wasip2::filesystem::types::{Descriptor, PathFlags};

use crate::attacks::attacks;

/// The granted directory of this name.
fn directory(name: &str) -> Descriptor {
    let all = wasip2::filesystem::preopens::get_directories();
    all.into_iter().find(|(_, guest)| guest == name).unwrap_or_else(|| panic!("{name} is not granted")).0
}

/// What came of several attempts, of which none may work.
fn all_refused(attempts: impl IntoIterator<Item = (&'static str, Option<String>)>) -> String {
    let (mut said, mut worked) = (Vec::new(), Vec::new());
    for (what, error) in attempts {
        match error {
            Some(error) => said.push(format!("{what}: {error}")),
            None => worked.push(what),
        }
    }
    if worked.is_empty() { said.join("; ") } else { format!("ESCAPED: {}", worked.join("; ")) }
}

fn error<T, E: std::fmt::Display>(result: Result<T, E>) -> Option<String> {
    result.err().map(|e| e.to_string())
}

attacks![
    dot_dot,
    absolute_paths,
    follow_a_symlink,
    make_symlinks,
    hard_links,
    rename_across,
    trailing_slashes,
    write_where_it_may_read,
    proc_self_fd,
    the_repository,
    delete_everything,
    many_zeroes,
];
