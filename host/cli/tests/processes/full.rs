//! A file system of 6 MiB, filled to the last byte, or to the last file, by the real command; then what its message advises.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use redb::{Database, TableDefinition};

use crate::place::{Place, cache, random};

/// Databases that have half of their rows in common.
fn databases(place: &Place) {
    for number in 0..20u64 {
        let db = Database::create(place.path(&format!("{number}.redb"))).unwrap();
        let txn = db.begin_write().unwrap();
        {
            let mut table = txn.open_table(TableDefinition::<u64, &[u8]>::new("rows")).unwrap();
            for row in 0..200u64 {
                let seed = if row % 2 == 0 { row } else { number << 10 | row };
                table.insert(row, random(seed, 4000).as_slice()).unwrap();
            }
        }
        txn.commit().unwrap();
    }
}

/// A shell in which `$S` is the command, in a namespace where `$DIR` is a file system of its own; `None` where nobody may have
/// one.
fn in_a_small_file_system(place: &Place, options: &str, script: &str) -> Option<String> {
    fs::create_dir_all(place.path("small")).unwrap();
    let mount = format!("mount -t tmpfs -o size=6m,mode=700,{options} strongroom-test small || exit 77");
    let shell = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", &format!("{mount}\n{script}")]);
        command.current_dir(place.path("")).stdin(Stdio::null());
        command.env("S", env!("CARGO_BIN_EXE_strongroom")).env("XDG_CACHE_HOME", cache());
        command.env("XDG_CONFIG_HOME", place.path("")).env_remove("STRONGROOM_REPO");
        command.output()
    };
    if !shell("true").is_ok_and(|tried| tried.status.success()) {
        println!("no file system of one's own may be mounted here");
        return None;
    }
    let ran = shell(script).unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}");
    Some(said)
}

/// Backups until one fails, and then until nothing more fits at all; each ends as it should.
const FILL: &str = r#"
R="--repo small/backups"
n=0
while "$S" backup $n.redb $R --source app --name n$n --accept -q 2>said; do n=$((n + 1)); done
cat said
grep -q 'no room is left' said && grep -q "$PWD/small/backups" said && grep -q 'forget' said || exit 3
[ $n -gt 2 ] || exit 4
"#;

/// What the message advises, and then there is room.
const REMEDY: &str = r#"
"$S" forget $R --keep-last 1 --prune 2>&1 || exit 5
left=$((n - 1))
"$S" verify $R --read-data 2>&1 || exit 6
"$S" restore n$left out.redb $R || exit 7
"$S" backup $n.redb $R --source app --name after --accept -q || exit 8
"$S" verify $R --read-data || exit 9
[ -e small/backups/lock ] && exit 10
"$S" snapshots $R --json | wc -l | grep -q '^ *2$' || exit 11
"#;

#[test]
fn what_a_full_disk_advises_makes_room_to_the_last_byte() {
    let place = Place::empty();
    databases(&place);
    let bytes = "cat /dev/zero > small/ballast 2>/dev/null\n";
    in_a_small_file_system(&place, "nr_inodes=10000", &[FILL, bytes, REMEDY].concat());
    assert!(Path::new(&place.path("0.redb")).exists());
}

#[test]
fn what_a_full_disk_advises_makes_room_without_a_file_to_spare() {
    let place = Place::empty();
    databases(&place);
    let files = "i=0; while true 2>/dev/null >small/ballast$i; do i=$((i + 1)); done 2>/dev/null\n";
    in_a_small_file_system(&place, "nr_inodes=300", &[FILL, files, REMEDY].concat());
}
