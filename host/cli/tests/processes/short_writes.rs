//! Writes of which the system does only a part, and what is made of them: a limit on the length of files cuts the write
//! of a pack anywhere. (A WASI that does so at will is in `tests/tests/short_writes.rs`.)

#[cfg(target_os = "linux")]
#[test]
fn what_was_written_only_in_part_is_not_taken_as_written() {
    use crate::place::{Place, Ran};
    use std::process::{Command, Stdio};

    /// With less, not even the sandbox comes up: its memory is a file too.
    const LEAST: u64 = 256;

    let place = Place::new();
    assert_eq!(place.run("backup app.redb --name first --threads 1").code, Some(0));
    let files = place.files("backups").into_iter().filter(|(path, _)| path.is_file());
    // As many kilobytes as the largest file has.
    let most = files.map(|(_, (len, _))| len).max().unwrap().div_ceil(1024);
    assert!(most > LEAST + 1000, "{most}");
    let (mut refused, mut done) = (0, 0);
    for kilobytes in (LEAST..most - 2).step_by(150).chain(most - 2..most + 2) {
        let repo = format!("limited-{kilobytes}");
        // A signal that is ignored stays so in the program that is started.
        let line = format!("ulimit -f {kilobytes}; trap '' XFSZ; exec \"$0\" \"$@\"");
        let backup = place.command([]);
        let mut command = Command::new("bash");
        command.args(["-c", &line]).arg(backup.get_program());
        command.args(["backup", "app.redb", "--name", "second", "--threads", "1", "--repo", &repo]);
        command.current_dir(place.path("")).stdin(Stdio::null()).env("XDG_CACHE_HOME", crate::place::cache());
        let ran: Ran = command.output().unwrap().into();
        match ran.code {
            Some(0) => {
                done += 1;
                place.ok(&format!("verify --read-data --repo {repo}"));
                place.ok(&format!("restore second out.redb --force --repo {repo}"));
                assert_eq!(place.accounts("out.redb"), place.accounts("app.redb"));
            }
            _ => {
                refused += 1;
                drop(ran.failed(1, &["the file system takes no larger file"]));
                assert!(!place.path(&format!("{repo}/snapshots/second.json")).exists(), "limit {kilobytes}");
                // With room it goes on where it was.
                place.ok(&format!("backup app.redb --name second --repo {repo}"));
                place.ok(&format!("verify --read-data --repo {repo}"));
            }
        }
    }
    assert!(refused > 15 && done > 0, "{refused} were refused, {done} were not");
}
