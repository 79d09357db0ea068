//! The simulated disk loses what a disk may lose, or all that is proved on it would be worth nothing.

use strongroom_engine::Vault;
use strongroom_engine::testing::disk::{Data, Disk, Effect, Fault, Names, Repeat, Survival};

fn after(disk: &Disk, number: u64) -> Vec<(String, Vec<u8>)> {
    disk.after_power_failure(Survival::number(number)).files()
}

fn write(disk: &Disk, path: &str, content: &[u8]) -> Box<dyn strongroom_engine::VaultFile> {
    let mut file = disk.create(path).unwrap();
    file.write_at(0, content).unwrap();
    file
}

#[test]
fn a_name_is_kept_by_syncing_its_folder_and_data_by_syncing_its_file() {
    let disk = Disk::default();
    let file = write(&disk, "a", b"data");
    assert_eq!(after(&disk, 0), []);
    disk.sync_dir("").unwrap();
    assert_eq!(after(&disk, 0), [("a".to_owned(), Vec::new())]);
    file.sync().unwrap();
    assert_eq!(after(&disk, 0), [("a".to_owned(), b"data".to_vec())]);
    disk.rename("a", "b").unwrap();
    assert_eq!(after(&disk, 0)[0].0, "a");
    assert_eq!(after(&disk, 1)[0].0, "b");
    disk.sync_dir("").unwrap();
    disk.remove("b").unwrap();
    assert_eq!(after(&disk, 0)[0].0, "b");
    assert_eq!(after(&disk, 1), []);
}

#[test]
fn a_folder_that_is_not_synced_into_its_own_is_lost_with_all_that_is_in_it() {
    let disk = Disk::default();
    disk.make_dir("d").unwrap();
    write(&disk, "d/a", b"data").sync().unwrap();
    disk.sync_dir("d").unwrap();
    assert_eq!(after(&disk, 0), []);
    disk.sync_dir("").unwrap();
    assert_eq!(after(&disk, 0).len(), 1);
}

#[test]
fn unsynced_data_is_kept_in_any_way() {
    let disk = Disk::default();
    let content: Vec<u8> = (0..4096).map(|n| (n / 512) as u8 + 1).collect();
    write(&disk, "a", &content);
    disk.sync_dir("").unwrap();
    let kept: Vec<Vec<u8>> = (0..400).map(|number| after(&disk, number)[0].1.clone()).collect();
    let has = |what: &dyn Fn(&Vec<u8>) -> bool| assert!(kept.iter().any(what));
    has(&|kept| kept.is_empty());
    has(&|kept| *kept == content);
    has(&|kept| *kept == vec![0; 4096]);
    has(&|kept| kept.len() == 1024 && content.starts_with(kept));
    // A hole, the last sector without the first, what lay there before, and an end anywhere.
    has(&|kept| kept.len() == 4096 && kept[512..1024] == [0; 512] && kept[1024..] == content[1024..]);
    has(&|kept| kept.len() == 4096 && kept[0] == 0 && kept[4095] == 8);
    has(&|kept| kept.iter().any(|byte| *byte > 8));
    has(&|kept| !kept.len().is_multiple_of(512));
    // Sectors are whole.
    let whole = |kept: &Vec<u8>| {
        kept.chunks_exact(512).all(|s| s.iter().all(|b| *b == s[0]) || s.iter().any(|b| *b > 8))
    };
    assert!(kept.iter().all(whole));
}

#[test]
fn changes_of_names_are_kept_in_any_order() {
    let disk = Disk::default();
    write(&disk, "a", b"").sync().unwrap();
    write(&disk, "b", b"").sync().unwrap();
    disk.rename("b", "c").unwrap();
    let names = |number| -> Vec<String> { after(&disk, number).into_iter().map(|(name, _)| name).collect() };
    let kept: Vec<Vec<String>> = (0..400).map(names).collect();
    for wanted in [&[][..], &["a"], &["b"], &["c"], &["a", "b"], &["a", "c"], &["b", "c"], &["a", "b", "c"]] {
        assert!(kept.iter().any(|kept| kept == wanted), "{wanted:?}");
    }
}

#[test]
fn what_a_failed_sync_has_lost_no_later_one_brings_back() {
    let disk = Disk::default();
    let file = write(&disk, "a", b"data");
    disk.sync_dir("").unwrap();
    disk.begin(Some(Fault::Fail { at: 0, effect: Effect::Io, repeat: Repeat::Once }));
    file.sync().unwrap_err();
    file.sync().unwrap();
    assert_eq!(disk.files()[0].1, b"data");
    let all = Survival { names: Names::All, data: Data::All, seed: 0 };
    assert_eq!(disk.after_power_failure(all).files()[0].1, b"");
}

#[test]
fn a_killed_run_does_nothing_more() {
    let disk = Disk::default();
    disk.begin(Some(Fault::Kill { before_change: 1 }));
    let mut file = disk.create("a").unwrap();
    file.write_at(0, b"data").unwrap_err();
    assert!(file.read_at(0, 1).is_err() && disk.remove("a").is_err() && disk.list("").is_err());
    disk.begin(None);
    assert_eq!(disk.files(), [("a".to_owned(), Vec::new())]);
}

#[test]
fn several_runs_take_turns_in_an_order_that_follows_from_the_seed() {
    let order = |seed| {
        let disk = Disk::default();
        disk.in_turns(seed, vec!["a", "b", "c"], |disk, name| {
            for n in 0..5 {
                write(disk, &format!("{name}{n}"), b"");
            }
        });
        let kept = disk.after_power_failure(Survival { names: Names::First, data: Data::None, seed: 3 });
        kept.files().into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(order(1), order(1));
    assert!((2..20).any(|seed| order(seed) != order(1)));
}
