//! Running a program and measuring it: wall time, peak memory, what it printed.
//!
//! Linux carries the peak of the process that starts another over to the new one, so a program that measures must stay
//! small itself: all work, its own included, is done in processes that it starts.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

/// What a finished process took.
#[derive(Debug, Clone)]
pub struct Ran {
    /// From its start until its end.
    pub seconds: f64,
    /// Most bytes of memory at any moment, where the system says.
    pub peak_rss: Option<u64>,
    /// Seconds of processors that it took, all of its threads and of the system for it, where the system says. Unlike
    /// the wall time, this hardly depends on what else runs.
    pub cpu: Option<f64>,
    /// What it wrote to its standard output.
    pub stdout: String,
}

/// Runs a program to its end. Fails with what it said if it fails.
pub fn run(command: &mut Command) -> Result<Ran> {
    let program = command.get_program().to_string_lossy().into_owned();
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let started = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot run {program}"))?;
    let Usage { status, peak_rss, cpu } = wait(child)?;
    let seconds = started.elapsed().as_secs_f64();
    if !status.success() {
        let said = format!("{}{}", text(&mut stderr)?, text(&mut stdout)?);
        bail!("{} ended with {status}: {}", shown(command), said.trim());
    }
    Ok(Ran { seconds, peak_rss, cpu, stdout: text(&mut stdout)? })
}

/// Runs a program whose input is what another one prints.
pub fn run_piped(from: &mut Command, into: &mut Command) -> Result<Ran> {
    let mut first =
        from.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {}", shown(from)))?;
    let pipe = first.stdout.take().context("a pipe was asked for")?;
    let ran = run(into.stdin(pipe));
    // The pipe's end in this process would keep the first one from noticing that nobody reads.
    into.stdin(Stdio::null());
    let status = first.wait()?;
    let ran = ran?;
    if !status.success() {
        bail!("{} ended with {status}", shown(from));
    }
    Ok(ran)
}

/// A command as one would type it.
fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(std::ffi::OsStr::to_string_lossy));
    words.join(" ")
}

fn text(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

struct Usage {
    status: ExitStatus,
    peak_rss: Option<u64>,
    cpu: Option<f64>,
}

#[cfg(unix)]
fn wait(child: Child) -> Result<Usage> {
    use std::os::unix::process::ExitStatusExt as _;
    // What the system counts in: KiB, on Apple's bytes.
    const UNIT: u64 = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    let pid = i32::try_from(child.id())?;
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both point to memory of the right size that lives through the call; `rusage` holds only integers, for
        // which zeroes are valid; `child` is not waited for anywhere else, so the id is still its own.
        let (ended, usage) =
            unsafe { (libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()), usage.assume_init_ref()) };
        if ended == pid {
            let peak = u64::try_from(usage.ru_maxrss).ok().map(|peak| peak * UNIT);
            let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
            let cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime);
            return Ok(Usage { status: ExitStatus::from_raw(status), peak_rss: peak, cpu: Some(cpu) });
        }
        let e = std::io::Error::last_os_error();
        if e.kind() != std::io::ErrorKind::Interrupted {
            return Err(e).context("cannot wait for a process");
        }
    }
}

#[cfg(not(unix))]
fn wait(mut child: Child) -> Result<Usage> {
    Ok(Usage { status: child.wait()?, peak_rss: None, cpu: None })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_fails_says_why() {
        let failed = run(Command::new("sh").args(["-c", "echo broken >&2; exit 3"])).unwrap_err().to_string();
        assert!(failed.contains("broken") && failed.contains('3'), "{failed}");
        assert_eq!(run(Command::new("sh").args(["-c", "echo well"])).unwrap().stdout, "well\n");
    }

    #[test]
    fn what_one_prints_another_reads() {
        let (mut one, mut other) = (Command::new("printf"), Command::new("cat"));
        assert_eq!(run_piped(one.arg("text"), &mut other).unwrap().stdout, "text");
    }
}
