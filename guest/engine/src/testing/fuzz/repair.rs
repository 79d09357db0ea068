//! A small repository, damaged in any way, and repaired.

use std::collections::{BTreeMap, BTreeSet};

use super::database::Database;
use super::history::{backup, job, tells};
use super::input::Input;
use crate::testing::{MemoryVault, ModelStore, Restored, RestoringSink, backup_with_deltas, verify};
use crate::{Code, Depth, Job, Prune, Repair, Silent, Sink, Vault};

/// What two databases held, and what is done to their repository.
///
/// Whatever it is: a dry run says what a repair does; what could be restored before is restored equal after; nothing comes
/// back wrong; what is said to be lost is what is lost; a second repair finds nothing to do; the next backups are whole.
pub fn repair(data: &[u8]) {
    let mut input = Input(data);
    let vault = MemoryVault::default();
    let made = history(&mut input, &vault);
    for _ in 0..1 + input.below(5) {
        blow(&mut input, &vault);
    }

    let could = restorable(&vault, &made);
    let dry = crate::repair(&vault, Repair { dry_run: true }, &Silent);
    let repaired = match crate::repair(&vault, Repair::default(), &Silent) {
        Ok(repaired) => repaired,
        Err(e) => {
            let refused = matches!(e.code, Code::NoRepository | Code::Damaged | Code::NewerFormat);
            assert!(refused && could.is_empty(), "{e:?}");
            return;
        }
    };
    assert_eq!(dry.expect("what can be done can be announced"), repaired);
    let can = restorable(&vault, &made);
    for (at, entries) in &could {
        assert!(can.get(at) == Some(entries), "{at:?} is gone by {repaired:#?}");
    }
    for ((name, table), restored) in &can {
        assert!(made[name].1.tables.get(table) == Some(restored), "{table} of {name} is wrong");
    }
    let damage = verify(&vault, None, Depth::Data, &Silent).expect("memory is read").damage;
    let hurt: BTreeSet<&String> = damage.iter().flat_map(|damage| &damage.snapshots).collect();
    let lost: BTreeSet<&String> = repaired.lost.iter().flat_map(|lost| &lost.snapshots).collect();
    assert_eq!(hurt, lost, "{damage:#?} {repaired:#?}");
    assert_eq!(repaired.whole as usize, repaired.snapshots as usize - hurt.len());

    let files = |vault: &MemoryVault| -> BTreeMap<String, Vec<u8>> {
        vault.paths().into_iter().map(|path| (path.clone(), vault.get(&path).unwrap_or_default())).collect()
    };
    let before = files(&vault);
    let again = crate::repair(&vault, Repair::default(), &Silent).expect("it was repaired before");
    assert!(again.mended.is_empty(), "{again:#?} after {repaired:#?}");
    assert!(files(&vault) == before, "a second repair changed something");

    for source in 0..2 {
        let Some((_, store)) = made.values().rfind(|(job, _)| job.source == self::source(source)) else {
            continue;
        };
        let name = format!("next {source}");
        let made = backup(&vault, store, &job(name.clone(), source, 1000, 2));
        let id = made.expect("after a repair a backup is made").id;
        let first = backup(&MemoryVault::default(), store, &job(name.clone(), source, 1, 1));
        assert_eq!(id, first.expect("memory takes everything").id, "the history shows in the id");
        assert!(restore(&vault, &name, None) == Some(store.tables.clone()), "{name} is not whole");
    }
    match crate::prune(&vault, Prune { max_unused: 0, dry_run: false, allow_empty: true }, &Silent) {
        Ok(_) => {}
        Err(e) => assert!(e.code == Code::Damaged, "{e:?}"),
    }
    let still = restorable(&vault, &made);
    assert!(could.iter().all(|(at, entries)| still.get(at) == Some(entries)), "a prune took something");
}

pub(super) type Made = BTreeMap<String, (Job, ModelStore)>;

pub(super) fn source(number: usize) -> String {
    job(String::new(), number, 0, 1).source
}

/// A few backups of two databases, with a forget and a prune among them.
pub(super) fn history(input: &mut Input<'_>, vault: &MemoryVault) -> Made {
    let mut databases = [Database::default(), Database::default()];
    let mut made = Made::new();
    for number in 1..=2 + input.below(5) as u64 {
        let source = usize::from(input.rarely(3));
        (0..1 + input.below(2)).for_each(|_| databases[source].edit(input));
        let mut store = databases[source].store();
        let mut job = job(format!("s{number}"), source, number, 1 + input.below(3) as u32);
        job.folding.files = 2 + input.below(4) as u32;
        let done = match input.below(4) {
            0 => {
                store.tells = tells(input);
                backup(vault, &store, &job)
            }
            _ => backup_with_deltas(vault, &store, &job),
        };
        done.expect("memory takes everything");
        made.insert(job.name.clone(), (job, store));
        if input.rarely(8) {
            crate::forget(vault, &[format!("s{number}")], false).expect("it was just made");
            made.remove(&format!("s{number}"));
        }
        if input.rarely(8) {
            let prune = Prune { max_unused: 200, dry_run: false, allow_empty: true };
            crate::prune(vault, prune, &Silent).expect("nothing is in the way");
        }
    }
    made
}

/// One piece of damage.
pub(super) fn blow(input: &mut Input<'_>, vault: &MemoryVault) {
    let all = vault.paths();
    let packs: Vec<String> = all.iter().filter(|path| path.starts_with("packs/")).cloned().collect();
    let pick = |input: &mut Input<'_>| {
        let among = if packs.is_empty() || input.below(3) == 0 { &all } else { &packs };
        among.get(input.below(among.len())).cloned()
    };
    let Some(path) = pick(input) else { return };
    let mut file = vault.get(&path).unwrap_or_default();
    let at = (usize::from(input.u16()) << 8 | usize::from(input.u8())) % (file.len() + 1);
    match input.below(10) {
        0 | 1 => {
            if let Some(byte) = file.get_mut(at) {
                *byte ^= 1 << input.below(8);
            }
        }
        2 => {
            let end = file.len().saturating_sub(input.below(64) + 1);
            if let Some(byte) = file.get_mut(end) {
                *byte ^= 16;
            }
        }
        3 => file.truncate(at),
        4 => file[at..].fill(0),
        5 => {
            vault.remove(&path).expect("it is there");
            return;
        }
        6 | 7 => {
            // Two are exchanged, or one lies in the place of another.
            let Some(other) = pick(input) else { return };
            let content = vault.get(&other).unwrap_or_default();
            if input.coin() {
                vault.put(&other, std::mem::take(&mut file));
            }
            file = content;
        }
        8 => {
            // A copy under a name of its own.
            if let Some((dir @ ("packs" | "index"), _)) = path.split_once('/') {
                vault.put(&format!("{dir}/{at:064x}"), file);
            }
            return;
        }
        _ => wrong_delta(&mut file, at),
    }
    vault.put(&path, file);
}

/// The first delta behind this place makes something else; its checksum is right.
fn wrong_delta(file: &mut [u8], from: usize) {
    let number = |file: &[u8], at: usize| {
        file.get(at..at + 4)
            .map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().unwrap_or_default()) as usize)
    };
    let is_delta = |at: &usize| {
        let len = number(file, at + 12);
        file[*at..].starts_with(&crate::object::MAGIC)
            && file.get(at + 7).is_some_and(|depth| *depth > 0)
            && len > 32
            && file.len() >= at + crate::object::HEADER + len
    };
    let Some(at) = (from..file.len()).find(is_delta) else { return };
    let end = at + crate::object::HEADER + number(file, at + 12);
    file[end - 1] ^= 1;
    let header = xxhash_rust::xxh3::xxh3_64(&file[at..at + 48]);
    let sum = xxhash_rust::xxh3::xxh3_64_with_seed(&file[at + crate::object::HEADER..end], header);
    file[at + 48..at + 56].copy_from_slice(&sum.to_le_bytes());
}

/// By snapshot and table: what comes back.
pub(super) type Tables = BTreeMap<(String, String), crate::testing::ModelTable>;

pub(super) fn restorable(vault: &MemoryVault, made: &Made) -> Tables {
    let mut all = Tables::new();
    for (name, (_, store)) in made {
        for table in store.tables.keys() {
            if let Some(restored) = restore(vault, name, Some(std::slice::from_ref(table))) {
                all.extend(restored.into_iter().map(|(table, entries)| ((name.clone(), table), entries)));
            }
        }
    }
    all
}

pub(super) fn restore(vault: &MemoryVault, name: &str, tables: Option<&[String]>) -> Option<Restored> {
    let mut restored = Restored::new();
    let into = &mut restored;
    let done = crate::restore(vault, name, tables, false, &Silent, move |_| {
        Ok(Box::new(RestoringSink::new(into)) as Box<dyn Sink>)
    });
    match done {
        Ok(_) => Some(restored),
        Err(e) => {
            assert!(
                matches!(e.code, Code::Damaged | Code::NotFound | Code::NoRepository | Code::NewerFormat),
                "{e:?}"
            );
            None
        }
    }
}
