//! Packs that somebody else has taken away or cut off.

use std::fs;
use std::path::PathBuf;

use crate::application::{self, Model};
use crate::place::{Place, lines};

/// A repository of a database that nobody changes, with a snapshot called "first".
fn place() -> Place {
    let place = Place::empty();
    application::database(&place.path("app.redb"), 9);
    // The first run of all may tell that it compiles something.
    assert_eq!(place.run("backup app.redb --name first").code, Some(0));
    place
}

fn packs(place: &Place) -> Vec<PathBuf> {
    let mut packs: Vec<PathBuf> =
        place.path("backups/packs").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    packs.sort_by_key(|pack| pack.metadata().unwrap().len());
    packs
}

/// The next backup of the same data heals what it needs, so the first snapshot is whole again as well; a prune then takes
/// away what is left of the pack.
fn next_backup_heals(place: &Place, what: &str) {
    let ran = place.run("backup app.redb --name next");
    assert_eq!(ran.code, Some(0), "{what}: {ran:?}");
    let verified = place.run("verify --read-data --json --repo backups");
    assert_eq!(verified.code, Some(0), "{what}: {verified:?}");
    for line in lines(std::str::from_utf8(&verified.stdout).unwrap()) {
        assert!(line["type"] == "warning" || line["damage"] == 0, "{what}: {line}");
    }
    for name in ["next", "first"] {
        let restored = place.run(&format!("restore {name} out.redb --force --repo backups"));
        assert_eq!(restored.code, Some(0), "{what}, {name}: {restored:?}");
        Model::after(9).check(&place.path("out.redb"));
    }
    let pruned = place.run("prune --max-unused 0 --repo backups");
    assert_eq!(pruned.code, Some(0), "{what}: {pruned:?}");
    place.ok("verify --read-data --repo backups");
}

#[test]
fn packs_that_are_gone_or_shorter_than_the_index_says_are_healed() {
    let place = place();
    let saved: Vec<(PathBuf, Vec<u8>)> =
        packs(&place).into_iter().map(|pack| (pack.clone(), fs::read(&pack).unwrap())).collect();
    let index: Vec<PathBuf> =
        place.path("backups/index").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    let index: Vec<(PathBuf, Vec<u8>)> =
        index.into_iter().map(|file| (file.clone(), fs::read(&file).unwrap())).collect();
    let (largest, content) = saved.last().unwrap();
    for left in [None, Some(0), Some(1), Some(content.len() / 2), Some(content.len() - 1)] {
        // As it was.
        for dir in ["packs", "index"] {
            let dir = place.path("backups").join(dir);
            dir.read_dir().unwrap().for_each(|entry| fs::remove_file(entry.unwrap().path()).unwrap());
        }
        saved.iter().chain(&index).for_each(|(path, content)| fs::write(path, content).unwrap());
        let _ = fs::remove_file(place.path("backups/snapshots/next.json"));
        match left {
            None => fs::remove_file(largest).unwrap(),
            Some(len) => fs::write(largest, &content[..len]).unwrap(),
        }
        if left == Some(content.len() - 1) {
            // Only the end of its list: all that anybody needs is there.
            let ran = place.run("verify --read-data --repo backups");
            let said = String::from_utf8_lossy(&ran.stdout);
            assert!(ran.code == Some(0) && said.contains("warning: packs/"), "{ran:?}");
        } else {
            place.fails("verify --read-data --repo backups", 12, &["damaged"]);
        }
        next_backup_heals(&place, &format!("{left:?} of {} bytes", content.len()));
    }
}

/// The run has read the index, which names a pack that goes before it is done.
#[cfg(unix)]
#[test]
fn a_pack_that_goes_while_a_backup_is_at_work_is_healed_by_the_next_one() {
    use std::process::{Command, Stdio};
    let mut caught = 0;
    for number in 0..60u64 {
        let place = place();
        let pack = packs(&place).pop().unwrap();
        let args = "backup app.redb --name meanwhile --threads 1";
        let mut command = place.command(args.split_whitespace());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lock = place.path("backups/lock");
        while !lock.exists() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_micros(number % 6 * 700));
        let signal =
            |name: &str| Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
        signal("-STOP");
        // On a busy machine it may be done by now; then the pack goes after it.
        caught += u64::from(lock.exists());
        if number % 2 == 0 {
            fs::remove_file(&pack).unwrap();
        } else {
            fs::OpenOptions::new().write(true).open(&pack).unwrap().set_len(1000).unwrap();
        }
        signal("-CONT");
        let ran = crate::place::Ran::from(child.wait_with_output().unwrap());
        // It may have noticed, or have been told of the pack before.
        assert!(matches!(ran.code, Some(0 | 12)), "{ran:?}");
        next_backup_heals(&place, &format!("pack gone, {number}"));
        if caught == 4 {
            return;
        }
    }
    panic!("{caught} of 60 backups could be stopped in time");
}
