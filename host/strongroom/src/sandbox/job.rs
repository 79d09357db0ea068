//! Every job runs on a thread of its own.
//!
//! WASI calls must not be made from inside an asynchronous task, and the mode of new files is a property that threads
//! share unless they are told not to; so each job gets a thread, a private runtime, and a mask of its own, all of
//! which end with it. So do its walls.

use super::confine::Walls;
use crate::{Error, ErrorCode, Result};

/// Runs `job` on a thread of its own, as free as this one, and waits for it.
pub(crate) fn on_own_thread<T: Send>(name: &str, job: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    on_confined_thread(name, &Walls::none(), job)
}

/// Runs `job` on a thread of its own, within these walls, and waits for it.
pub(crate) fn on_confined_thread<T: Send>(
    name: &str,
    walls: &Walls,
    job: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(format!("strongroom-{name}"));
        let thread =
            thread.spawn_scoped(scope, || prepared(walls, job)).map_err(|e| no_thread("the job", &e))?;
        thread.join().unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
    })
}

/// Starts `job` on a thread of its own, within these walls, that may outlive this call.
pub(crate) fn on_lasting_thread(
    name: &str,
    walls: Walls,
    job: impl FnOnce() -> Result<()> + Send + 'static,
) -> Result<std::thread::JoinHandle<Result<()>>> {
    let thread = std::thread::Builder::new().name(format!("strongroom-{name}"));
    thread.spawn(move || prepared(&walls, job)).map_err(|e| no_thread("the job", &e))
}

/// No thread is to be had for this.
pub(super) fn no_thread(what: &str, e: &std::io::Error) -> Error {
    let message = format!(
        "no thread for {what}: {e}; more processes or threads are needed than this user or container may have (`ulimit -u`, \
         TasksMax of systemd, pids.max, or a filter of system calls that refuses clone)"
    );
    Error::new(ErrorCode::Other, message)
}

/// What a job says that a panic ended.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("no message");
    Error::new(ErrorCode::Other, format!("a panic ended the job, and nothing was published: {text}"))
}

/// Runs `job` on this thread, which is for it alone.
fn prepared<T>(walls: &Walls, job: impl FnOnce() -> Result<T>) -> Result<T> {
    private_files();
    walls.raise()?;
    // Made behind the walls, so that its threads are too.
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime =
        runtime.map_err(|e| Error::new(ErrorCode::Other, format!("no runtime for the job: {e}")))?;
    let _entered = runtime.enter();
    job()
}

/// What this thread makes from now on is for its user alone: files 0600, directories 0700.
///
/// WASI makes files 0644 and has no way to ask for less. On other systems than Linux the mask belongs to the whole
/// process, so there the directory's own 0700 is what protects them.
fn private_files() {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::Mode;
        // Safety: this only takes the mask and the current directory out of what the threads of this process share;
        // no descriptor is affected.
        #[allow(unsafe_code)]
        let own = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::FS) };
        match own {
            Ok(()) => {
                rustix::process::umask(Mode::RWXG | Mode::RWXO);
            }
            Err(e) => tracing::debug!("files get the mode of the process's own mask: {e}"),
        }
    }
}
