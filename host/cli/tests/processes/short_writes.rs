//! Writes of which the system does only a part, and what is made of them: a limit on the length of files, of which every
//! kilobyte is tried, cuts the last write at any place.

#[cfg(target_os = "linux")]
#[test]
fn what_was_written_only_in_part_is_not_taken_as_written() {
    use crate::place::{Place, Ran};
    use std::process::{Command, Stdio};

    let place = Place::small();
    assert_eq!(place.run("backup app.redb --name first --threads 1").code, Some(0));
    let largest = |dir: &str| {
        let files = place.files(dir).into_iter().filter(|(path, _)| path.is_file());
        files.map(|(_, (len, _))| len).max().unwrap()
    };
    // As many kilobytes as the largest file has.
    let most = largest("backups").div_ceil(1024);
    assert!(most > 8, "{most}");
    let (mut refused, mut done) = (0, 0);
    for kilobytes in (0..most + 2).step_by(1.max(most as usize / 40)) {
        let repo = format!("limited-{kilobytes}");
        // A signal that is ignored stays so in the program that is started.
        let line = format!("ulimit -f {kilobytes}; trap '' XFSZ; exec \"$0\" \"$@\"");
        let backup = place.command([]);
        let mut command = Command::new("bash");
        command.args(["-c", &line]).arg(backup.get_program());
        command.args(["backup", "app.redb", "--name", "second", "--threads", "1", "--repo", &repo]);
        command.current_dir(place.path("")).stdin(Stdio::null()).env("XDG_CACHE_HOME", crate::place::cache());
        let ran = Ran::from(command.output().unwrap());
        match ran.code {
            Some(0) => {
                done += 1;
                place.ok(&format!("verify --read-data --repo {repo}"));
                place.ok(&format!("restore second out.redb --force --repo {repo}"));
                assert_eq!(place.accounts("out.redb"), place.accounts("app.redb"));
            }
            _ => {
                refused += 1;
                drop(ran.failed(1, &[]));
                assert!(!place.path(&format!("{repo}/snapshots/second.json")).exists(), "limit {kilobytes}");
                // With room it goes on where it was.
                place.ok(&format!("backup app.redb --name second --repo {repo}"));
                place.ok(&format!("verify --read-data --repo {repo}"));
            }
        }
    }
    assert!(refused > 4 && done > 0, "{refused} were refused, {done} were not");
}
