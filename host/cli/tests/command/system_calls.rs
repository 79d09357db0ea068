//! Every system call that a backup makes on the repository is where the process is killed, or where it fails.
//!
//! The calls are struck by `strace`, which has to be installed; without it this says so and looks at nothing. All of
//! them: `cargo test --release -p strongroom-cli --test command -- --ignored --nocapture system_calls`

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use redb::Database;

use crate::place::{ACCOUNTS, Place, Ran};

/// Calls that open, read, change, sync, name or list what is in the repository.
const CALLS: &str = "openat,openat2,pread64,pwrite64,pwritev,preadv,ftruncate,fsync,fdatasync,rename,renameat,renameat2,\
                     unlink,unlinkat,fadvise64,mkdir,mkdirat,getdents64,statx,newfstatat,flock";

/// What a backup called "second" writes.
const FILES: [&str; 9] = [
    "",
    "/packs",
    "/index",
    "/snapshots",
    "/packs/tmp-0-0",
    "/packs/tmp-seal-0",
    "/index/tmp-index",
    "/snapshots/tmp-second.json",
    "/lock",
];

struct Scene(Place);

impl Scene {
    /// A repository with a snapshot, and a database that has changed since.
    fn new() -> Self {
        let place = Place::small();
        // The first run of all may tell that it compiles something.
        assert_eq!(place.run("backup app.redb --name first --repo saved").code, Some(0));
        let db = Database::open(place.path("app.redb")).unwrap();
        let txn = db.begin_write().unwrap();
        for i in 0..300 {
            txn.open_table(ACCOUNTS).unwrap().insert(format!("account-{i:04}").as_str(), i + 5).unwrap();
        }
        txn.commit().unwrap();
        Self(place)
    }

    /// The repository as it was.
    fn set(&self) {
        let repo = self.0.path("backups");
        let _ = fs::remove_dir_all(&repo);
        let copied = Command::new("cp").arg("-a").arg(self.0.path("saved")).arg(&repo).status().unwrap();
        assert!(copied.success());
    }

    fn backup(&self, strace: &[&str]) -> Ran {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o"]).arg(self.0.path("log"));
        let repo = self.0.path("backups");
        for file in FILES {
            command.arg("-P").arg(format!("{}{file}", repo.display()));
        }
        let backup = self.0.command([]);
        command.args(strace).arg(backup.get_program());
        command.args(["backup", "app.redb", "--name", "second", "--threads", "1", "--repo", "backups"]);
        command.current_dir(self.0.path("")).env("XDG_CACHE_HOME", crate::place::cache());
        command.output().unwrap().into()
    }

    fn counts(&self) -> BTreeMap<String, usize> {
        self.set();
        let done = self.backup(&["-e", &format!("trace={CALLS}")]);
        assert_eq!(done.code, Some(0), "{done:?}");
        let log = fs::read_to_string(self.0.path("log")).unwrap();
        let mut counts = BTreeMap::new();
        for line in log.lines() {
            if let Some((call, _)) = line.split_whitespace().nth(1).and_then(|call| call.split_once('(')) {
                *counts.entry(call.to_owned()).or_default() += 1;
            }
        }
        counts
    }

    fn names(&self) -> Vec<String> {
        let name = |line: serde_json::Value| Some(line["name"].as_str()?.to_owned());
        self.0.json("snapshots --repo backups").into_iter().filter_map(name).collect()
    }

    /// One call is struck; then all that was reported is whole, and the next backup succeeds.
    fn strike(&self, call: &str, number: usize, effect: &str) -> Option<i32> {
        let what = format!("{call} {number}: {effect}");
        self.set();
        let inject = format!("inject={call}:{effect}:when={number}");
        let done = self.backup(&["-e", &format!("trace={call}"), "-e", &inject]);
        let interrupted_io = effect == "error=EINTR" && ["pread64", "pwrite64", "fsync"].contains(&call);
        match done.code {
            Some(0) => {}
            Some(_) => {
                assert!(!interrupted_io, "{what}: {done:?}");
                assert!(
                    done.stderr.contains("error: ") && !done.stderr.contains("panicked"),
                    "{what}: {done:?}"
                );
            }
            None => assert!(effect.contains("KILL"), "{what}: {done:?}"),
        }
        let names = self.names();
        let reported: &[&str] = if done.code == Some(0) { &["first", "second"] } else { &["first"] };
        assert!(reported.iter().all(|name| names.iter().any(|found| found == name)), "{what}: {names:?}");
        self.0.ok("verify --read-data --repo backups");
        let next = self.0.run("backup app.redb --name third --repo backups");
        assert_eq!(next.code, Some(0), "{what}, and then: {next:?}");
        self.0.ok("verify --read-data --repo backups");
        assert!(!unfinished(&self.0.path("backups")), "{what}: something unfinished is left");
        done.code
    }
}

fn unfinished(repo: &Path) -> bool {
    let is = |dir: &str| {
        let mut names = repo.join(dir).read_dir().unwrap().map(|entry| entry.unwrap().file_name());
        names.any(|name| name.to_string_lossy().starts_with("tmp-"))
    };
    ["", "packs", "index", "snapshots"].into_iter().any(is)
}

fn everywhere(effects: &[&str], step: usize) {
    let traces = Command::new("strace").args(["-e", "trace=none", "true"]).output();
    if !traces.is_ok_and(|traces| traces.status.success()) {
        println!("there is no strace here, or it may not trace: nothing was looked at");
        return;
    }
    let scene = Scene::new();
    let counts = scene.counts();
    println!("calls: {counts:?}");
    assert!(counts["fsync"] >= 8 && counts["pwrite64"] >= 3, "{counts:?}");
    let (mut cases, mut codes) = (0, BTreeMap::<String, usize>::new());
    for (call, count) in &counts {
        for number in 1..=*count {
            for effect in effects {
                cases += 1;
                if cases % step == 0 {
                    let code = scene.strike(call, number, effect);
                    let code = code.map_or("killed".to_owned(), |code| format!("exit code {code}"));
                    *codes.entry(code).or_default() += 1;
                }
            }
        }
    }
    println!("{} of {cases} tried: {codes:?}", cases / step);
}

#[test]
fn a_backup_that_is_struck_at_a_system_call_loses_nothing() {
    everywhere(&["signal=KILL", "error=EIO", "error=ENOSPC", "error=EINTR"], 23);
}

#[test]
#[ignore = "minutes"]
fn a_backup_that_is_struck_at_any_system_call_loses_nothing() {
    everywhere(&["signal=KILL", "error=EIO", "error=ENOSPC", "error=EINTR"], 1);
}
