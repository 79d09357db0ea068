//! A file system for tests: a directory as it is, except that calls fail as the test says. Linux only, and only where
//! root may mount FUSE. Every call reaches the rules, because nothing is cached.
//!
//! `strongroom-faulty DIRECTORY MOUNTPOINT` answers each line of its input with one, and ends with its input.

#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod nodes;
#[cfg(target_os = "linux")]
mod op;
#[cfg(target_os = "linux")]
mod rules;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::path::PathBuf;

    use fuser::{Config, MountOption, SessionACL};
    use rustix::mount::{UnmountFlags, unmount};

    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [directory, point] = paths.as_slice() else {
        return Err("strongroom-faulty DIRECTORY MOUNTPOINT".into());
    };
    let rules = rules::Shared::default();
    let mut config = Config::default();
    config.acl = SessionACL::All;
    config.mount_options = vec![MountOption::DefaultPermissions, MountOption::FSName("faulty".into())];
    let session = fuser::spawn_mount(files::Files::new(directory, rules.clone())?, point, &config)?;
    println!("ok");
    for line in std::io::stdin().lines() {
        println!("{}", rules::locked(&rules).obey(&line?)?);
    }
    // Also while a process that was killed still holds a file in it.
    unmount(point, UnmountFlags::DETACH)?;
    drop(session);
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {}
