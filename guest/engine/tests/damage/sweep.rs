//! Every way to damage a file, at every place.

use std::collections::BTreeMap;

use strongroom_engine::Vault;
use strongroom_engine::testing::MemoryVault;

use crate::cases::{Also, Figures, kind, print};
use crate::common::Random;
use crate::repository::{Repository, complete, folded};

/// Does some damage.
type Damage = Box<dyn FnOnce(&MemoryVault)>;
type Table = BTreeMap<String, Figures>;

fn silent(figures: &Table) -> Vec<&str> {
    figures.values().flat_map(|figures| &figures.silent).map(String::as_str).collect()
}

/// Where some places are damaged, and where every byte is.
const SHORT: Also = Also { backups: 1, repair: 3 };
const LONG: Also = Also { backups: 16, repair: 1 };

/// Damages a copy for each of these and looks at it.
fn sweep(
    title: &str,
    repository: &Repository,
    also: Also,
    damage: impl Iterator<Item = (String, String, Damage)>,
) -> Table {
    let mut table = Table::new();
    for (kind, what, damage) in damage {
        let vault = repository.vault.deep_clone();
        damage(&vault);
        let new = || Figures { also, ..Figures::default() };
        table.entry(kind).or_insert_with(new).look(repository, &vault, &what);
    }
    print(title, &table);
    table
}

/// Other contents for files.
fn contents(
    title: &str,
    repository: &Repository,
    also: Also,
    contents: impl Fn(&[u8]) -> Vec<(String, Vec<u8>)>,
) -> Table {
    let paths = repository.vault.paths().into_iter();
    let damage = paths.flat_map(|path| {
        let contents = contents(&repository.vault.get(&path).unwrap());
        contents.into_iter().map(move |(what, content)| {
            let (kind, what, path) = (kind(&path).to_owned(), format!("{path}, {what}"), path.clone());
            let damage: Damage = Box::new(move |vault| vault.put(&path, content));
            (kind, what, damage)
        })
    });
    sweep(title, repository, also, damage)
}

fn flip(step: usize, also: Also) {
    flip_in(&complete(), step, also);
}

fn flip_in(repository: &Repository, step: usize, also: Also) {
    let table = contents("One bit flipped in every byte", repository, also, |file| {
        let flipped = (0..file.len()).step_by(step).map(|at| {
            let mut flipped = file.to_vec();
            flipped[at] ^= 1 << ((at * 5 + at / 8) % 8);
            (format!("byte {at}"), flipped)
        });
        flipped.collect()
    });
    assert_eq!(silent(&table), [""; 0]);
    if step == 1 {
        assert_eq!(table.values().map(|figures| figures.cases).sum::<u64>(), repository.vault.bytes());
    }
}

fn cut(step: usize, also: Also) {
    let repository = complete();
    let table = contents("Every file cut off at every length", &repository, also, |file| {
        let lengths = (0..file.len()).rev().step_by(step).chain([0]);
        lengths.map(|len| (format!("{len} bytes"), file[..len].to_vec())).collect()
    });
    // Without its newline the file that makes a repository says the same.
    assert_eq!(silent(&table), ["repository.json, 35 bytes"]);
}

#[test]
fn a_flipped_bit_is_found() {
    flip(97, SHORT);
}

#[test]
fn a_flipped_bit_is_found_where_objects_rest_on_others() {
    flip_in(&folded(), 23, Also::ALWAYS);
}

#[test]
#[ignore = "minutes"]
fn a_flipped_bit_in_any_byte_is_found() {
    flip(1, LONG);
}

#[test]
fn a_file_that_is_cut_off_is_found() {
    cut(97, SHORT);
}

#[test]
#[ignore = "minutes"]
fn a_file_that_is_cut_off_anywhere_is_found() {
    cut(1, LONG);
}

#[test]
fn other_contents_are_found() {
    let repository = complete();
    let table = contents("Files filled with other things", &repository, Also::ALWAYS, |file| {
        let len = file.len();
        let mut tail = file.to_vec();
        tail.extend_from_slice(&file[..len.min(512)]);
        let mut hole = file.to_vec();
        let middle = len / 3..len / 2 + 1;
        hole[middle].fill(0);
        vec![
            ("zeros".to_owned(), vec![0; len]),
            ("ones".to_owned(), vec![0xff; len]),
            ("noise".to_owned(), Random(len as u64).bytes(len)),
            ("a hole".to_owned(), hole),
            ("zeros behind".to_owned(), [file, &[0; 512]].concat()),
            ("itself behind".to_owned(), tail),
        ]
    });
    // A pack behind itself ends as it should, and its objects are where they should be.
    assert!(silent(&table).iter().all(|what| what.starts_with("packs/") && what.ends_with("itself behind")));
}

#[test]
fn files_that_are_swapped_are_found_unless_they_say_the_same() {
    let repository = complete();
    let paths = repository.vault.paths();
    let pairs = paths
        .iter()
        .enumerate()
        .flat_map(|(n, a)| paths[n + 1..].iter().map(move |b| (a.clone(), b.clone())));
    let damage = pairs.map(|(a, b)| {
        let kinds = format!("{} and {}", kind(&a), kind(&b));
        let what = format!("{a} and {b}");
        let damage: Damage = Box::new(move |vault| {
            let (of_a, of_b) = (vault.get(&a).unwrap(), vault.get(&b).unwrap());
            vault.put(&a, of_b);
            vault.put(&b, of_a);
        });
        (kinds, what, damage)
    });
    let table = sweep("Two files swapped", &repository, Also::ALWAYS, damage);
    // The name of an index file is not needed to read it.
    assert!(silent(&table).iter().all(|what| what.matches("index/").count() == 2), "{:?}", silent(&table));
}

#[test]
fn a_file_that_is_gone_is_found_unless_nothing_is_lost_with_it() {
    let repository = complete();
    let damage = repository.vault.paths().into_iter().map(|path| {
        let damage: Damage = Box::new({
            let path = path.clone();
            move |vault| vault.remove(&path).unwrap()
        });
        (kind(&path).to_owned(), path, damage)
    });
    let table = sweep("A file deleted", &repository, Also::ALWAYS, damage);
    // The index is made again from the packs. A snapshot that is gone is one less: nobody remembers it.
    let silent = silent(&table);
    assert!(
        silent.iter().all(|what| what.starts_with("index/") || what.starts_with("snapshots/")),
        "{silent:?}"
    );
}

#[test]
fn a_file_that_is_there_twice_costs_nothing() {
    let repository = complete();
    let damage = repository.vault.paths().into_iter().filter(|path| path.contains('/')).map(|path| {
        let (dir, name) = path.split_once('/').unwrap();
        let twin = match name.strip_suffix(".json") {
            Some(name) => format!("{dir}/{name} twin.json"),
            None => format!("{dir}/{:064x}", name.len()),
        };
        let what = format!("{path} also as {twin}");
        let kind = dir.to_owned();
        let damage: Damage = Box::new(move |vault| vault.put(&twin, vault.get(&path).unwrap()));
        (kind, what, damage)
    });
    let table = sweep("A file there twice", &repository, Also::ALWAYS, damage);
    assert!(table.values().all(|figures| figures.harmless == figures.cases));
    // Nothing reads a pack that no index needs; a second index file says what the first one says.
    assert_eq!(table["snapshots"].found, table["snapshots"].cases);
}
