//! Something in the repository cannot be read, or is no file at all: it is named and worked round, and left as it is.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use strongroom_tests::faulty::{Errno, Faulty, Op};

use crate::damage::with_pack;
use crate::place::{Place, Ran, sound_words};

/// What lies in the place of a file, and whether it is still there.
type Odd = (fn(&Path), fn(&Path) -> bool);

const DIRECTORY: Odd = (|path| fs::create_dir(path).unwrap(), Path::is_dir);
const DANGLING: Odd = (|path| symlink("nowhere", path).unwrap(), Path::is_symlink);

/// An old snapshot's file: all that is about others goes on, and a prune does not.
#[test]
fn an_old_snapshot_that_is_no_file_stops_nothing_but_a_prune() {
    for (make, is_there) in [DIRECTORY, DANGLING] {
        let place = Place::new();
        place.ok("backup app.redb --name one");
        place.ok("backup app.redb --name two");
        let one = place.path("backups/snapshots/one.json");
        fs::remove_file(&one).unwrap();
        make(&one);
        place.finds("snapshots", 12, &["snapshots/one.json"]);
        place.ok("restore latest out.redb");
        place.ok("backup app.redb --name three");
        place.finds("verify", 12, &["snapshots/one.json", "2 snapshots whole"]);
        place.finds("repair", 12, &["snapshots/one.json"]);
        place.fails("prune", 1, &["snapshots/one.json", "nothing was removed"]);
        assert!(is_there(&one));
        // What the message says: forget the snapshot, or, where that says so, move away what lies there.
        if one.is_symlink() {
            place.ok("forget one");
        } else {
            place.fails("forget one", 1, &["snapshots/one.json", "it is a directory", "move it away"]);
            assert!(is_there(&one));
            fs::remove_dir(&one).unwrap();
        }
        place.ok("prune");
        place.ok("verify --read-data");
    }
}

#[test]
fn a_name_that_is_not_utf8_hides_no_snapshot() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    let odd = place.path("backups/snapshots").join(OsStr::from_bytes(b"caf\xe9.json"));
    fs::write(&odd, "x").unwrap();
    place.finds("snapshots", 12, &["the folder snapshots"]);
    place.ok("restore latest out.redb");
    place.ok("backup app.redb --name two");
    place.fails("prune", 1, &["the folder snapshots"]);
    fs::remove_file(&odd).unwrap();
    place.ok("prune");
    place.ok("verify");
}

/// What a repair leaves out, the next backup writes again; the file stays, until somebody moves it away.
#[test]
fn a_pack_that_is_no_file_is_worked_round() {
    let (place, pack) = with_pack();
    fs::remove_file(&pack).unwrap();
    fs::create_dir(&pack).unwrap();
    let name = format!("packs/{}", pack.file_name().unwrap().to_str().unwrap());
    place.finds("verify", 12, &[&name]);
    place.finds("restore one out.redb --skip-damaged", 12, &["big"]);
    place.finds("repair", 12, &[&name]);
    place.warns("backup app.redb --name two", &[&name]);
    place.ok("restore two two.redb");
    place.fails("prune", 1, &[&name, "move it away"]);
    assert!(pack.is_dir());
    fs::remove_dir(&pack).unwrap();
    place.ok("repair");
    place.ok("prune");
    place.ok("verify --read-data");
}

/// An index file is gone, and so are the packs that it names.
#[test]
fn an_index_gone_with_its_packs_is_healed_by_the_next_backup() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    for dir in ["backups/packs", "backups/index"] {
        for entry in fs::read_dir(place.path(dir)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().len() == 64 {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }
    place.finds("verify", 12, &["a backup of a database that still holds the data"]);
    place.warns("backup app.redb --name two", &["lost"]);
    place.ok("restore two out.redb");
    place.ok("verify --read-data");
    assert_eq!(place.accounts("out.redb"), place.accounts("app.redb"));
}

#[test]
fn a_prune_that_would_leave_nothing_asks() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    fs::rename(place.path("backups/snapshots/one.json"), place.path("one.json")).unwrap();
    place.fails("prune", 1, &["no snapshot", "--allow-empty"]);
    place.fails("prune --dry-run", 1, &["no snapshot"]);
    fs::rename(place.path("one.json"), place.path("backups/snapshots/one.json")).unwrap();
    place.ok("verify --read-data");
    place.ok("forget one --allow-empty --prune");
    assert_eq!(fs::read_dir(place.path("backups/packs")).unwrap().count(), 0);
}

/// Bad sectors and closed doors under the real command: what rests on other files works, the file is named and left as it
/// is, and once it can be read again all is back.
#[test]
#[cfg(target_os = "linux")]
fn what_the_disk_does_not_give_is_named_and_left_as_it_is() {
    let place = Place::small();
    place.ok("backup app.redb --name one");
    let db = redb::Database::open(place.path("app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(crate::place::ACCOUNTS).unwrap().insert("account-0007", 8).unwrap();
    txn.commit().unwrap();
    drop(db);
    place.ok("backup app.redb --name two");
    let first = |dir: &str| {
        let names = fs::read_dir(place.path("backups").join(dir)).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        format!("{dir}/{}", names.filter(|name| name.len() == 64).min().unwrap())
    };
    let files = ["snapshots/one.json".to_owned(), first("packs"), first("index")];
    let mut mounted = 0;
    for file in &files {
        for (op, errno) in [(Op::Read, Errno::IO), (Op::Open, Errno::ACCESS), (Op::Stat, Errno::IO)] {
            let mut copy = Command::new("cp");
            copy.args(["-a", "backups", "copy"]).current_dir(place.path(""));
            assert!(copy.status().unwrap().success());
            let Some(disk) = Faulty::mount(&place.path("copy")) else { return };
            mounted += 1;
            let content = fs::read(place.path("copy").join(file)).unwrap();
            disk.fail(op, file, errno);
            let run = |args: &str| -> (i32, String) {
                let repository = disk.path().to_str().unwrap().to_owned();
                let args = args.split(' ').chain(["--repo", &repository]);
                let ran: Ran = place.command(args).output().unwrap().into();
                sound_words(&ran.stderr);
                let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
                (ran.code.unwrap(), said)
            };
            let here = format!("{op:?} of {file}: {errno}");
            // Of what a folder does not even say what it is, the name is not known.
            let folder = format!("the folder {}", file.split('/').next().unwrap());
            let names = |said: &str| said.contains(file.as_str()) || op == Op::Stat && said.contains(&folder);
            for verb in ["verify --read-data", "repair"] {
                let (code, said) = run(verb);
                // Whatever an index file says is had from the packs.
                let fits = code == 12 || code == 0 && file.starts_with("index/");
                assert!(fits && names(&said), "{here}: {verb}: {code}, {said}");
            }
            let of_another = file.starts_with("snapshots/");
            for (verb, must) in [
                ("snapshots", 12),
                ("report", 12),
                ("restore two out.redb --skip-damaged --force", 0),
                ("backup app.redb --name three", 0),
                ("prune", 1),
            ] {
                let (code, said) = run(verb);
                let works = code == must || matches!(code, 0 | 1 | 12) && !of_another;
                assert!(works, "{here}: {verb}: {code}, {said}");
                // After a repair nothing says any more what lay in the file, but what is not there is named.
                let tells = names(&said) || said.contains("is in no pack that is there");
                assert!(code == 0 || tells, "{here}: {verb}: {said}");
            }
            assert!(fs::read(place.path("copy").join(file)).unwrap() == content, "{here}");
            disk.heal();
            for verb in ["repair", "verify --read-data", "restore one one.redb --force", "prune"] {
                let (code, said) = run(verb);
                assert_eq!(code, 0, "{here}, and then {verb}: {said}");
            }
            drop(disk);
            fs::remove_dir_all(place.path("copy")).unwrap();
            let (one, app) = (place.accounts("one.redb"), place.accounts("app.redb"));
            assert_eq!((one["account-0007"], app["account-0007"]), (7, 8), "{here}");
        }
    }
    assert_eq!(mounted, 9);
}
