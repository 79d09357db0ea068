//! A second wall, on Linux: Landlock.
//!
//! The runtime keeps a component within the directories that it was granted. Should that fail, the kernel still refuses
//! every other path to the thread that runs it. It is about paths only: not about memory, nor about what is open
//! already.
//!
//! Whatever runs on a confined thread is confined with it, and so is every thread that is made there, for good. So
//! components are compiled elsewhere, and the job's runtime is its own and ends with it.

use std::path::{Path, PathBuf};

use strongroom_store as kv;

use crate::Result;

/// What this kernel can do to confine threads to directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Landlock {
    /// Jobs are confined to the directories that they are for.
    Enforced,
    /// An older kernel: it checks less than all that is asked of it, such as truncating files or renaming across
    /// directories.
    Partly,
    /// The kernel has none of it, or it is switched off there.
    Absent,
}

impl Landlock {
    /// What this kernel has, whether or not it is used.
    pub fn of_this_kernel() -> Self {
        #[cfg(target_os = "linux")]
        {
            linux::supported()
        }
        #[cfg(not(target_os = "linux"))]
        {
            Landlock::Absent
        }
    }
}

/// Confines the calling thread, and all threads that it makes from now on, to these directories, for good: a second wall
/// around a program that knows what it needs from here on. What is open already stays open, and other threads stay as
/// free as they are.
///
/// Jobs that are begun afterwards are confined twice: to their own directories among these.
pub fn confine(reading: &[&Path], writing: &[&Path]) -> Result<Landlock> {
    let walls = reading.iter().fold(Walls::closed(), |walls, dir| walls.reading(dir));
    let walls = writing.iter().fold(walls, |walls, dir| walls.writing(dir));
    walls.raise()
}

/// The directories of a job; or nothing that is known, and then it is not confined.
#[derive(Debug, Clone, Default)]
pub(crate) struct Walls(Option<Directories>);

#[derive(Debug, Clone, Default)]
struct Directories {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
}

impl Walls {
    /// None: the job is as free as the thread that asks for it.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Walls without a door.
    pub(crate) fn closed() -> Self {
        Self(Some(Directories::default()))
    }

    /// Below this directory the job may also read.
    pub(crate) fn reading(mut self, dir: &Path) -> Self {
        self.0.iter_mut().for_each(|known| known.read.push(dir.to_owned()));
        self
    }

    /// Below this directory the job may also read, write, make and remove.
    pub(crate) fn writing(mut self, dir: &Path) -> Self {
        self.0.iter_mut().for_each(|known| known.write.push(dir.to_owned()));
        self
    }

    /// With what this store needs. One that does not say has to be free.
    pub(crate) fn for_store(self, store: Option<&dyn kv::Store>) -> Self {
        let Some(store) = store else { return self };
        match store.directories() {
            Some(dirs) => dirs.iter().fold(self, |walls, dir| walls.reading(dir)),
            None => self.unknown("the store"),
        }
    }

    /// With what this sink needs. One that does not say has to be free.
    pub(crate) fn for_sink(self, sink: Option<&dyn kv::Sink>) -> Self {
        let Some(sink) = sink else { return self };
        match sink.directories() {
            Some(dirs) => dirs.iter().fold(self, |walls, dir| walls.writing(dir)),
            None => self.unknown("the sink"),
        }
    }

    fn unknown(self, who: &str) -> Self {
        if self.0.is_some() {
            tracing::debug!(
                "{who} does not say which directories it needs, so the job is not confined to any"
            );
        }
        Self::none()
    }

    /// Confines this thread, and all that it makes, for good.
    pub(super) fn raise(&self) -> Result<Landlock> {
        let Some(known) = &self.0 else { return Ok(Landlock::Absent) };
        #[cfg(target_os = "linux")]
        {
            let got = linux::restrict(known)?;
            tracing::debug!(read = ?known.read, write = ?known.write, landlock = ?got, "this thread is confined");
            Ok(got)
        }
        #[cfg(not(target_os = "linux"))]
        {
            tracing::debug!(read = ?known.read, write = ?known.write, "this system has no Landlock");
            Ok(Landlock::Absent)
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use landlock::{
        ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
        RulesetCreatedAttr, RulesetStatus,
    };

    use super::{Directories, Landlock};
    use crate::{Error, ErrorCode, Result};

    /// Files, truncating them, renaming them across directories, and device files.
    const VERSION: ABI = ABI::V5;

    pub(super) fn supported() -> Landlock {
        let hard = |version| {
            let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
            ruleset.handle_access(AccessFs::from_all(version)).and_then(Ruleset::create).is_ok()
        };
        match (hard(VERSION), hard(ABI::V1)) {
            (true, _) => Landlock::Enforced,
            (false, true) => Landlock::Partly,
            (false, false) => Landlock::Absent,
        }
    }

    pub(super) fn restrict(known: &Directories) -> Result<Landlock> {
        let failed = |e: &dyn std::fmt::Display| {
            let message = format!(
                "the job cannot be confined to its directories: {e}. To go on without, use --no-landlock or \
                 SandboxBuilder::landlock(false)"
            );
            Error::new(ErrorCode::Other, message)
        };
        let all = AccessFs::from_all(VERSION);
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let write = all & !AccessFs::Execute;
        let ruleset = Ruleset::default().handle_access(all).and_then(Ruleset::create);
        let mut ruleset = ruleset.map_err(|e| failed(&e))?;
        let reading = known.read.iter().map(|dir| (dir, read));
        let writing = known.write.iter().map(|dir| (dir, write));
        for (dir, access) in reading.chain(writing) {
            let open = PathFd::new(dir).map_err(|e| failed(&e))?;
            ruleset = ruleset.add_rule(PathBeneath::new(open, access)).map_err(|e| failed(&e))?;
        }
        Ok(match ruleset.restrict_self().map_err(|e| failed(&e))?.ruleset {
            RulesetStatus::FullyEnforced => Landlock::Enforced,
            RulesetStatus::PartiallyEnforced => Landlock::Partly,
            RulesetStatus::NotEnforced => Landlock::Absent,
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::{Landlock, Walls};
    use crate::sandbox::{on_confined_thread, on_own_thread};

    /// Where the kernel has none of it, the tests that need it say so; where they must run, they fail.
    fn kernel_has_it() -> bool {
        let there = Landlock::of_this_kernel() == Landlock::Enforced;
        assert!(there || std::env::var_os("CI").is_none(), "this kernel has no Landlock of version 5");
        if !there {
            eprintln!("SKIPPED: this kernel has no Landlock of version 5");
        }
        there
    }

    #[test]
    fn host_code_on_a_confined_thread_opens_no_other_file_and_everybody_else_still_does() {
        if !kernel_has_it() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("inside"), dir.path().join("outside"));
        let readable = dir.path().join("readable");
        for dir in [&inside, &outside, &readable] {
            fs::create_dir(dir).unwrap();
            fs::write(dir.join("file"), "text").unwrap();
        }
        let already_open = fs::File::open(outside.join("file")).unwrap();
        let walls = Walls::closed().writing(&inside).reading(&readable);
        let denied = std::io::ErrorKind::PermissionDenied;
        let attempt = || {
            assert_eq!(fs::read(inside.join("file")).unwrap(), b"text");
            fs::write(inside.join("new"), "text").unwrap();
            fs::rename(inside.join("new"), inside.join("newer")).unwrap();
            fs::remove_file(inside.join("newer")).unwrap();
            assert_eq!(fs::read(readable.join("file")).unwrap(), b"text");
            assert_eq!(fs::write(readable.join("file"), "").unwrap_err().kind(), denied);
            assert_eq!(fs::remove_file(readable.join("file")).unwrap_err().kind(), denied);
            assert_eq!(fs::read(outside.join("file")).unwrap_err().kind(), denied);
            assert_eq!(fs::read_dir(&outside).unwrap_err().kind(), denied);
            assert_eq!(fs::write(outside.join("new"), "").unwrap_err().kind(), denied);
            assert_eq!(fs::read("/etc/hostname").unwrap_err().kind(), denied);
            assert!(std::process::Command::new("/bin/true").status().is_err());
            // What it is not: it is about paths, not about what is open.
            let mut text = String::new();
            std::io::Read::read_to_string(&mut (&already_open), &mut text).unwrap();
            assert_eq!(text, "text");
            // Nor do threads get out that are made there.
            let there = std::thread::scope(|scope| {
                scope.spawn(|| fs::read(outside.join("file")).unwrap_err().kind()).join().unwrap()
            });
            assert_eq!(there, denied);
            Ok(())
        };
        on_confined_thread("one", &walls, attempt).unwrap();
        // The next job, and this thread, are as they were.
        let next = on_own_thread("two", || Ok(fs::read(outside.join("file")).unwrap()));
        assert_eq!(next.unwrap(), b"text");
        assert_eq!(fs::read(outside.join("file")).unwrap(), b"text");
    }

    #[test]
    fn a_program_confines_itself_and_the_threads_that_it_makes() {
        if !kernel_has_it() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("inside"), dir.path().join("outside"));
        for dir in [&inside, &outside] {
            fs::create_dir(dir).unwrap();
            fs::write(dir.join("file"), "text").unwrap();
        }
        let program = || {
            assert_eq!(super::confine(&[&inside], &[]).unwrap(), Landlock::Enforced);
            let there = std::thread::scope(|scope| {
                let read = || [&inside, &outside].map(|dir| fs::read(dir.join("file")).is_ok());
                scope.spawn(read).join().unwrap()
            });
            assert_eq!(there, [true, false]);
            assert!(fs::write(inside.join("new"), "").is_err());
        };
        std::thread::scope(|scope| scope.spawn(program).join().unwrap());
        assert!(fs::read(outside.join("file")).is_ok());
    }

    #[test]
    fn the_applications_own_pools_stay_free() {
        if !kernel_has_it() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "text").unwrap();
        let pool = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let walls = Walls::closed();
        on_confined_thread("job", &walls, || {
            assert!(fs::read(&file).is_err());
            // A task of the job's own runtime is confined; it ends with the job.
            let mine = tokio::runtime::Handle::current();
            let path = file.clone();
            let read = mine.spawn_blocking(move || fs::read(path).is_err());
            assert!(mine.block_on(read).unwrap());
            Ok(())
        })
        .unwrap();
        let read = pool.spawn_blocking(move || fs::read(file).unwrap());
        assert_eq!(pool.block_on(read).unwrap(), b"text");
    }

    #[test]
    fn a_job_whose_directory_is_gone_does_not_run() {
        if !kernel_has_it() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let walls = Walls::closed().reading(&dir.path().join("gone"));
        let e = on_confined_thread("job", &walls, || -> crate::Result<()> { panic!("it ran") }).unwrap_err();
        assert!(e.to_string().contains("--no-landlock"), "{e}");
    }
}
