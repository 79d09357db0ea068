//! Every verb of the command, wherever it runs and whatever its answer goes to.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use strongroom_tests::faulty::{Errno, Faulty, Op};

use crate::place::{Place, Ran, cache};
use crate::run::does;

/// A run of each verb, in an order in which each has what it needs. `@` is where the test plays.
const VERBS: [&str; 34] = [
    "init",
    "backup @/app.redb --name one",
    "backup @/app.redb --name two",
    "snapshots",
    "snapshots two",
    "tables latest",
    "get latest accounts account-0001",
    "cat latest head",
    "verify",
    "verify --read-data",
    "verify latest --against @/app.redb",
    "diff one @/app.redb",
    "diff one two --keys",
    "export one @/one.archive",
    "export one @/one.archive --force",
    "export one -",
    "import @/one.archive --name three",
    "restore latest @/out.redb",
    "restore latest @/out.redb --force",
    "restore latest @/out.jsonl --to-jsonl",
    "restore latest - --to-jsonl",
    "restore latest @/out.sqlite --to-sqlite",
    "restore --archive @/one.archive @/again.redb",
    "drill --dir @",
    "report",
    "report --html @/report.html",
    "repair",
    "forget --keep-last 1 --prune",
    "prune",
    "run @/well.wasm --store @/app.redb",
    "policy check",
    "policy simulate --every 1d --for 3d --keep-last 1",
    "component @/engine.wasm",
    "completions bash",
];

/// A few of them, for a place that differs little from another.
const SOME: [&str; 4] =
    ["backup @/app.redb --name one", "restore latest @/out.redb", "drill --dir @", "prune"];

/// What is different about a run.
type Change<'c> = dyn Fn(&mut Command) + 'c;

/// Somebody of whom this system knows nothing.
const USER: u32 = 4711;
const GROUP: u32 = 4712;

fn is_root() -> bool {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        eprintln!("NOT TESTED: this is not root");
    }
    root
}

/// A place with what the verbs need, that belongs to another user, program and compiled code included.
struct Scene {
    place: Place,
    program: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let place = Place::small();
        fs::write(place.path("well.wasm"), does("i32.const 0")).unwrap();
        // Files that nobody else may read are copied with it.
        place.fails("snapshots", 10, &[]);
        let copied = Command::new("cp").arg("-r").arg(cache()).arg(place.path("cache")).status();
        assert!(copied.unwrap().success());
        let program = place.path("strongroom");
        fs::copy(env!("CARGO_BIN_EXE_strongroom"), &program).unwrap();
        Self { place, program }
    }

    fn give_away(&self) {
        let mut chown = Command::new("chown");
        let done = chown.args(["-R", &format!("{USER}:{GROUP}")]).arg(self.place.path("")).status();
        assert!(done.unwrap().success());
    }

    /// The verb, to be changed and run.
    fn command(&self, verb: &str, at: &Path) -> Command {
        let mut command = Command::new(&self.program);
        let repo = format!("--repo={}", at.join("backups").display());
        let path = at.to_str().unwrap();
        command.args(verb.split(' ').map(|word| word.replace('@', path))).arg(repo);
        command.current_dir(at).env("XDG_CACHE_HOME", self.place.path("cache")).env("XDG_CONFIG_HOME", at);
        command
    }

    /// Runs these verbs, each of which must succeed, with these words as their only warnings.
    fn all(&self, verbs: &[&str], at: &Path, change: impl Fn(&mut Command), warnings: &[&str]) {
        for verb in verbs {
            let mut command = self.command(verb, at);
            change(&mut command);
            went_well(verb, &mut command, warnings);
        }
    }
}

fn went_well(verb: &str, command: &mut Command, warnings: &[&str]) -> Ran {
    let ran = Ran::from_lossy(command.output().unwrap());
    assert_eq!(ran.code, Some(0), "{verb}: {}", ran.stderr);
    for line in ran.stderr.lines().filter(|line| line.starts_with("warning: ")) {
        assert!(warnings.iter().any(|known| line.contains(known)), "{verb}: {line}");
    }
    ran
}

/// The command by way of another one.
fn by(outer: &[&str], inner: &Command) -> Command {
    let mut command = Command::new(outer[0]);
    command.args(&outer[1..]).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    inner.get_current_dir().map(|dir| command.current_dir(dir));
    command
}

/// Runs as somebody else.
fn as_user(command: &mut Command) {
    command.uid(USER).gid(GROUP);
}

#[test]
fn the_list_has_every_verb() {
    let help = Place::empty().ok("--help");
    let (_, verbs) = help.split_once("Verbs:\n").unwrap();
    let verbs = verbs.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let verbs = verbs.filter_map(|line| line.split_whitespace().next());
    for verb in verbs.filter(|verb| !matches!(*verb, "help" | "demo" | "man")) {
        assert!(VERBS.iter().any(|run| run.split(' ').next() == Some(verb)), "{verb} is not tried");
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let scene = Scene::new();
    for json in [false, true] {
        for verb in VERBS {
            let mut command = scene.command(verb, &scene.place.path(""));
            if json && verb != "completions bash" {
                command.arg("--json");
            }
            // Where the answer is a file or the plugin's, there may be nothing to say.
            let ran = Ran::from_lossy(command.output().unwrap());
            let full = File::options().write(true).open("/dev/full").unwrap();
            if !ran.stdout.is_empty() && !verb.starts_with("backup") && !verb.starts_with("import") {
                let full = Ran::from_lossy(command.stdout(full).output().unwrap());
                let again = full.stderr.contains("exists already") || full.stderr.contains("not found");
                assert!(full.code == Some(1) || again, "{verb}: {full:?}");
                assert!(again || full.stderr.contains("No space left on device"), "{verb}: {full:?}");
            }
        }
    }
    for asked in ["--help", "--version", "backup --help", "man"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran: Ran = scene.place.command(asked.split(' ')).stdout(full).output().unwrap().into();
        assert_eq!(ran.code, Some(1), "{asked}: {ran:?}");
        assert!(
            ran.stderr.contains("cannot write to standard output: No space left on device"),
            "{asked}: {ran:?}"
        );
    }
}

#[test]
fn every_verb_works_without_a_home_an_account_or_a_place_to_stand() {
    if !is_root() {
        return;
    }
    let locked = tempfile::tempdir().unwrap();
    fs::set_permissions(locked.path(), PermissionsExt::from_mode(0o000)).unwrap();
    let environments: [(&str, &[&str], &Change<'_>); 4] = [
        ("HOME=/dev/null", &VERBS, &|command| {
            as_user(command);
            command.env("HOME", "/dev/null").env_remove("XDG_CONFIG_HOME");
        }),
        ("a HOME that cannot be searched", &SOME, &|command| {
            as_user(command);
            command.env("HOME", locked.path()).env_remove("XDG_CONFIG_HOME");
        }),
        ("no variables but one", &SOME, &|command| {
            as_user(command);
            let kept = command.get_envs().find(|(name, _)| *name == "XDG_CACHE_HOME").unwrap().1.unwrap();
            let kept = kept.to_owned();
            command.env_clear().env("XDG_CACHE_HOME", kept);
        }),
        ("no HOME, in a directory that cannot be searched", &VERBS, &|command| {
            // It goes there before it becomes another user, who could not.
            let (user, group) = (format!("--reuid={USER}"), format!("--regid={GROUP}"));
            *command = by(&["setpriv", &user, &group, "--clear-groups"], command);
            command.current_dir(locked.path()).env_remove("HOME").env_remove("XDG_CONFIG_HOME");
        }),
    ];
    for (what, verbs, change) in environments {
        eprintln!("{what}");
        let scene = Scene::new();
        scene.give_away();
        scene.all(verbs, &scene.place.path(""), change, &[]);
    }
    // Nowhere to keep compiled code either.
    let scene = Scene::new();
    scene.give_away();
    let mut command = scene.command("backup @/app.redb", &scene.place.path(""));
    as_user(&mut command);
    let ran: Ran = command.env("HOME", "/dev/null").env_remove("XDG_CACHE_HOME").output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn every_verb_works_without_proc() {
    let scene = Scene::new();
    let at = scene.place.path("");
    let may = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/proc"]).output();
    if !may.is_ok_and(|tried| tried.status.success()) {
        eprintln!("NOT TESTED: nobody may mount here");
        return;
    }
    for verb in VERBS {
        let hidden = "mount -t tmpfs none /proc && exec \"$0\" \"$@\"";
        let mut outer = by(&["unshare", "-rm", "sh", "-c", hidden], &scene.command(verb, &at));
        went_well(verb, &mut outer, &[]);
    }
}

/// Everything below a directory that belongs to somebody else.
fn foreign(dir: &Path) -> Vec<PathBuf> {
    let mut left = vec![dir.to_owned()];
    let mut found = Vec::new();
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        if (metadata.uid(), metadata.gid()) != (USER, GROUP) {
            found.push(path);
        }
    }
    found
}

#[test]
fn what_root_does_in_an_applications_repository_keeps_it_the_applications() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let at = scene.place.path("");
    scene.give_away();
    let app = |verb: &str| {
        let mut command = scene.command(verb, &at);
        as_user(&mut command);
        let ran: Ran = command.output().unwrap().into();
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{verb}");
    };
    app("backup @/app.redb --name zero");
    for verb in VERBS {
        went_well(verb, &mut scene.command(verb, &at), &[]);
        assert_eq!(foreign(&at.join("backups")), Vec::<PathBuf>::new(), "{verb}");
    }
    app("backup @/app.redb --name last --full-scan");
    app("verify --read-data");
    app("prune --max-unused 0%");

    // Root that may not be anybody else says so.
    let inner = scene.command("backup @/app.redb --name poor", &at);
    let ran: Ran = by(&["setpriv", "--bounding-set=-setuid,-setgid"], &inner).output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains(&format!("chown -R {USER}:{GROUP} ")), "{ran:?}");
}

#[test]
fn a_file_that_is_replaced_keeps_owner_group_and_mode() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let at = scene.place.path("");
    scene.place.ok("backup app.redb --name one");
    let what = |path: &Path| {
        let found = fs::metadata(path).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o777)
    };
    for (verb, name) in [
        ("restore latest @/app.redb --force", "app.redb"),
        ("restore latest @/out.jsonl --to-jsonl --force", "out.jsonl"),
        ("restore latest @/out.sqlite --to-sqlite --force", "out.sqlite"),
        ("export latest @/one.archive --force", "one.archive"),
        ("report --html @/report.html", "report.html"),
    ] {
        let path = at.join(name);
        if name == "report.html" {
            scene.place.ok("report --html report.html");
        } else if name != "app.redb" {
            fs::write(&path, "old").unwrap();
        }
        std::os::unix::fs::chown(&path, Some(USER), Some(GROUP)).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let ran: Ran = scene.command(verb, &at).output().unwrap().into();
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{verb}");
        assert_eq!(what(&path), (USER, GROUP, 0o640), "{verb}");
    }
    // Who may not give it away says so, and lets no other group look.
    scene.give_away();
    let path = at.join("app.redb");
    std::os::unix::fs::chown(&path, Some(0), Some(0)).unwrap();
    let mut command = scene.command("restore latest @/app.redb --force", &at);
    as_user(&mut command);
    let ran: Ran = command.output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains("belonged to user 0 and group 0 with mode 0640, which could not be kept"),
        "{ran:?}"
    );
    assert_eq!(what(&path), (USER, GROUP, 0o600));
}

#[test]
fn a_users_own_file_beside_the_new_one_stays() {
    let place = Place::small();
    place.ok("backup app.redb --name one");
    fs::write(place.path("out.redb.partial"), "mine").unwrap();
    place.ok("restore one out.redb");
    assert_eq!(fs::read(place.path("out.redb.partial")).unwrap(), b"mine");
}

#[test]
fn what_a_killed_drill_left_goes_with_the_next_one() {
    let place = Place::small();
    place.ok("backup app.redb --name one");
    for name in ["scratch", "scratch/strongroom-drill-dead", "scratch/strongroom-drill-alive", "scratch/mine"]
    {
        fs::create_dir(place.path(name)).unwrap();
    }
    fs::write(place.path("scratch/strongroom-drill-dead/restored.redb"), "left").unwrap();
    let alive = File::open(place.path("scratch/strongroom-drill-alive")).unwrap();
    alive.try_lock().unwrap();
    place.ok("drill --dir scratch");
    let left = |name: &str| place.path("scratch").join(name).exists();
    assert!(!left("strongroom-drill-dead") && left("strongroom-drill-alive") && left("mine"));
    drop(alive);
    place.ok("drill --dir scratch");
    assert!(!left("strongroom-drill-alive") && left("mine"));
}

#[test]
fn a_directory_is_looked_at_before_it_is_changed() {
    let place = Place::small();
    fs::create_dir(place.path("photos")).unwrap();
    fs::set_permissions(place.path("photos"), PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(place.path("photos/cat.jpg"), "").unwrap();
    for more in ["", " --permission-override"] {
        let said = place.fails(&format!("backup app.redb --repo photos{more}"), 10, &["photos", "cat.jpg"]);
        assert!(!said.contains("chmod"), "{said}");
    }
    assert!(!place.fails("backup app.redb --repo /", 10, &["/ holds no repository"]).contains("chmod"));
    assert_eq!(fs::metadata(place.path("photos")).unwrap().mode() & 0o777, 0o755);
    assert_eq!(fs::read_dir(place.path("photos")).unwrap().count(), 1);
}

#[test]
fn every_verb_works_on_a_disk_without_modes_and_without_syncs_of_directories() {
    let modes = "keeps no permissions";
    let syncs = "cannot sync directories";
    let disks = [
        (Some(0o777), None, None, SOME.as_slice()),
        (Some(0o777), Some(Errno::PERM), Some(Errno::INVAL), VERBS.as_slice()),
        (None, None, Some(Errno::OPNOTSUPP), SOME.as_slice()),
    ];
    for (mode, refused, errno, verbs) in disks {
        let scene = Scene::new();
        let Some(disk) = Faulty::mount(&scene.place.path("")) else { return };
        if let Some(mode) = mode {
            disk.show_mode(mode);
        }
        if let Some(errno) = refused {
            disk.fail(Op::Mode, "*", errno);
            disk.fail(Op::Owner, "*", errno);
        }
        if let Some(errno) = errno {
            disk.fail(Op::SyncDir, "*", errno);
        }
        scene.all(verbs, disk.path(), |_| {}, &[modes, syncs]);
        let mut command = scene.command("backup @/app.redb --name last", disk.path());
        let ran: Ran = command.output().unwrap().into();
        let times = |words: &str| ran.stderr.matches(words).count();
        assert_eq!(times(modes), usize::from(mode.is_some()), "{ran:?}");
        assert_eq!(times(syncs), usize::from(errno.is_some()), "{ran:?}");
        // What the disk could not write is no such thing.
        disk.heal();
        disk.fail(Op::SyncDir, "backups/snapshots", Errno::IO);
        let mut command = scene.command("backup @/app.redb --name lost", disk.path());
        let ran: Ran = command.output().unwrap().into();
        assert_eq!(ran.code, Some(1), "{ran:?}");
    }
}

/// Another user yet, whose processes nobody else's tests are.
const FEW: u32 = 4721;

#[test]
fn where_threads_or_addresses_are_few_the_command_works_or_says_what_to_do() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let done = Command::new("chown").args(["-R", &format!("{FEW}:{FEW}")]).arg(scene.place.path("")).status();
    assert!(done.unwrap().success());
    let at = scene.place.path("");
    let user = [format!("--reuid={FEW}"), format!("--regid={FEW}")];
    let limited = |limit: &str, verb: &str| {
        let outer = ["setpriv", &user[0], &user[1], "--clear-groups", "prlimit", limit];
        let ran: Ran = by(&outer, &scene.command(verb, &at)).output().unwrap().into();
        ran
    };
    let mut failed = 0;
    for most in 1..=8 {
        for verb in [
            format!("backup @/app.redb --name with-{most}"),
            "restore latest @/out.redb --force".to_owned(),
            "drill --dir @".to_owned(),
            "policy check".to_owned(),
            "run @/well.wasm --store @/app.redb".to_owned(),
        ] {
            let ran = limited(&format!("--nproc={most}"), &verb);
            let said = ran.stderr.contains("thread") && !ran.stderr.contains("panic");
            let not_there = ran.stderr.contains("there is no");
            assert!(ran.code == Some(0) || said || not_there, "{most} threads: {verb}: {ran:?}");
            assert_ne!(ran.code, Some(101), "{most} threads: {verb}: {ran:?}");
            failed += usize::from(said);
        }
    }
    assert!(failed > 0, "some were too few");
    assert_eq!(limited("--nproc=64", "backup @/app.redb --name with-many").code, Some(0));
    limited("--as=2000000000", "backup @/app.redb --name small")
        .failed(1, &["ulimit -v unlimited", "LimitAS="]);
}

#[test]
fn a_database_that_was_not_closed_is_backed_up_and_not_changed() {
    let place = Place::small();
    let database = redb::Database::open(place.path("app.redb")).unwrap();
    fs::copy(place.path("app.redb"), place.path("killed.redb")).unwrap();
    drop(database);
    let before = fs::read(place.path("killed.redb")).unwrap();
    place.ok("backup killed.redb --name killed");
    place.ok("backup app.redb --name whole");
    let ids: Vec<_> = place.json("snapshots").iter().map(|snapshot| snapshot["id"].clone()).collect();
    assert_eq!(ids[0], ids[1]);
    assert!(place.ok("snapshots killed").contains("after a repair in memory: it was not closed cleanly"));
    assert!(fs::read(place.path("killed.redb")).unwrap() == before);
}
