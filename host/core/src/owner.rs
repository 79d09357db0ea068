//! Who owns what is made in a repository.
//!
//! A single run as root, by a timer or `sudo`, would leave files in an application's repository that the application
//! cannot read. So root makes them as the owner of the directory.

use std::marker::PhantomData;
use std::path::Path;

/// While this lives, what this thread makes belongs to the owner of a directory. It stays on the thread that made it.
///
/// Linux alone has this: there each thread has a user and a group of its own for files (`setfsuid`), which the threads
/// that it starts inherit. It is sound because it decides nothing but whom new files belong to: the capabilities, which
/// the kernel takes away with such a change, are given back, so root may do to files what it could do before. Additional
/// groups only ever grant access, and Landlock looks at paths alone.
#[derive(Debug)]
pub struct AsOwner {
    #[cfg(target_os = "linux")]
    before: Option<linux::Before>,
    on_this_thread: PhantomData<*const ()>,
}

impl AsOwner {
    /// Takes the identity of the directory's owner if this is root, and somebody else owns the directory, and nobody but
    /// the owner may write in it. Root that may not do that is told so.
    pub fn of(dir: &Path) -> Self {
        #[cfg(not(target_os = "linux"))]
        let _ = dir;
        Self {
            #[cfg(target_os = "linux")]
            before: linux::become_owner(dir),
            on_this_thread: PhantomData,
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for AsOwner {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            linux::back(&before);
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;
    use std::sync::Once;

    use rustix::thread::{CapabilitySets, capabilities, set_capabilities};

    #[derive(Debug)]
    pub(super) struct Before {
        user: u32,
        group: u32,
        capabilities: CapabilitySets,
    }

    /// Sets user and group for files, and answers those of before.
    #[allow(unsafe_code)]
    fn set(user: u32, group: u32) -> (u32, u32) {
        // Safety: both only change what this thread is to the file system; the C library passes them on as they are.
        let before = unsafe { (libc::setfsuid(user), libc::setfsgid(group)) };
        (before.0.cast_unsigned(), before.1.cast_unsigned())
    }

    /// There is no such user or group, so this changes nothing.
    const NOBODY: u32 = u32::MAX;

    pub(super) fn become_owner(dir: &Path) -> Option<Before> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let found = std::fs::metadata(dir).ok()?;
        if found.uid() == 0 || found.mode() & 0o022 != 0 {
            return None;
        }
        let capabilities = capabilities(None).ok()?;
        let (user, group) = set(found.uid(), found.gid());
        let before = Before { user, group, capabilities };
        let is = set(NOBODY, NOBODY);
        if is == (found.uid(), found.gid()) && set_capabilities(None, before.capabilities).is_ok() {
            return Some(before);
        }
        back(&before);
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            tracing::warn!(
                "{} belongs to user {}, and what is made in it now belongs to root, because this process may not \
                 change that: run strongroom as that user, or afterwards `chown -R {}:{} {0}`",
                dir.display(),
                found.uid(),
                found.uid(),
                found.gid(),
            );
        });
        None
    }

    pub(super) fn back(before: &Before) {
        set(before.user, before.group);
        // Back as root, the kernel has given them back itself.
        let _ = set_capabilities(None, before.capabilities);
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    use super::AsOwner;

    #[test]
    fn what_root_makes_in_a_private_directory_is_its_owners() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("NOT TESTED: this is not root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let owners = |name: &str| {
            let found = fs::metadata(dir.path().join(name)).unwrap();
            (found.uid(), found.gid())
        };
        let make = |name: &str| fs::write(dir.path().join(name), "").unwrap();
        chown(dir.path(), Some(4711), Some(4712)).unwrap();
        make("of root");
        fs::set_permissions(dir.path().join("of root"), PermissionsExt::from_mode(0o000)).unwrap();
        {
            let _owner = AsOwner::of(dir.path());
            make("first");
            // It may do what root may.
            fs::read(dir.path().join("of root")).unwrap();
            // So do threads that are made meanwhile, also when they ask for it themselves.
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let _again = AsOwner::of(dir.path());
                    make("second");
                });
            });
            make("third");
        }
        make("fourth");
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let _none = AsOwner::of(dir.path());
        make("fifth");
        let app = (4711, 4712);
        assert_eq!(["first", "second", "third"].map(owners), [app; 3]);
        assert_eq!(["fourth", "fifth"].map(owners), [(0, 0); 2]);
    }
}
