//! A repair after one piece of damage.

use std::collections::BTreeSet;

use strongroom_engine::testing::{MemoryVault, Restored, RestoringSink};
use strongroom_engine::{Code, Depth, Repair, Silent, Sink};

use crate::cases::whole;
use crate::common::{job, restore, try_backup};
use crate::repository::Repository;

/// All tables that can still be had: those of other content are none that anybody made.
fn tables(repository: &Repository, vault: &MemoryVault, what: &str) -> BTreeSet<(&'static str, String)> {
    let mut there = BTreeSet::new();
    for (name, store) in &repository.snapshots {
        let mut restored = Restored::new();
        let into = &mut restored;
        let done = strongroom_engine::restore(vault, name, None, true, &Silent, move |_| {
            Ok(Box::new(RestoringSink::new(into)) as Box<dyn Sink>)
        });
        for (table, entries) in restored {
            assert!(done.is_ok() && store.tables[&table] == entries, "{what}: {table} of {name} is wrong");
            there.insert((*name, table));
        }
    }
    there
}

/// The snapshots that a verify finds damaged, and what it says that costs no snapshot anything.
fn damage(vault: &MemoryVault) -> Option<(BTreeSet<String>, Vec<String>)> {
    let damage = strongroom_engine::testing::verify(vault, None, Depth::Data, &Silent).ok()?.damage;
    let others = damage.iter().filter(|damage| damage.snapshots.is_empty()).map(|damage| damage.file.clone());
    let others = others.collect();
    Some((damage.into_iter().flat_map(|damage| damage.snapshots).collect(), others))
}

/// Nothing is worse than before, what is said to be lost is lost and nothing else, and there is nothing more to do.
pub(crate) fn check(
    repository: &Repository,
    vault: &MemoryVault,
    what: &str,
    restorable: &BTreeSet<&'static str>,
) {
    let vault = vault.deep_clone();
    let (could, was) = (tables(repository, &vault, what), damage(&vault));
    let content = |vault: &MemoryVault| -> Vec<_> {
        vault.paths().into_iter().map(|path| (vault.get(&path), path)).collect()
    };
    let before = content(&vault);
    let announced = strongroom_engine::repair(&vault, Repair { dry_run: true }, &Silent);
    assert!(content(&vault) == before, "{what}: a dry run changed something");
    let repaired = match strongroom_engine::repair(&vault, Repair::default(), &Silent) {
        Ok(repaired) => repaired,
        Err(e) => {
            let known = matches!(e.code, Code::Damaged | Code::NewerFormat | Code::NoRepository);
            assert!(known && could.is_empty() && content(&vault) == before, "{what}: {e:?}");
            return;
        }
    };
    assert_eq!(announced.unwrap(), repaired, "{what}");
    let can = tables(repository, &vault, what);
    assert!(could.is_subset(&can), "{what}: {could:?} were there, and after {repaired:#?} {can:?}");
    assert!(restorable.is_subset(&whole(repository, &vault, what)), "{what}: {repaired:#?}");
    let (hurt, others) = damage(&vault).unwrap();
    assert!(was.is_none_or(|(was, _)| hurt.is_subset(&was)), "{what}: {hurt:?} after {repaired:#?}");
    assert!(
        others.iter().all(|file| file.starts_with("snapshots/")),
        "{what}: {others:?} after {repaired:#?}"
    );
    let lost: BTreeSet<String> = repaired.lost.iter().flat_map(|lost| lost.snapshots.clone()).collect();
    assert_eq!(hurt, lost, "{what}: {repaired:#?}");
    let after = content(&vault);
    let again = strongroom_engine::repair(&vault, Repair::default(), &Silent).unwrap();
    assert!(again.mended.is_empty() && content(&vault) == after, "{what}: {again:#?} after {repaired:#?}");
    remedies(repository, &vault, what);
}

/// What the messages advise, followed: a backup of what the database still holds is whole; once the snapshots are forgotten
/// that `verify` still names, a prune succeeds, and nothing more is said of anything.
fn remedies(repository: &Repository, vault: &MemoryVault, what: &str) {
    for (name, source) in [("third", "another"), ("fourth", "test"), ("i", "test")] {
        let Some((_, store)) = repository.snapshots.iter().find(|(of, _)| *of == name) else { continue };
        let healed = format!("{name} healed");
        let job = strongroom_engine::Job { source: source.into(), ..job(&healed, 1) };
        let made = try_backup(vault, store, &job);
        assert!(made.is_ok(), "{what}: after a repair a backup is made: {made:?}");
        assert!(restore(vault, &healed).is_ok_and(|restored| restored == store.tables), "{what}: {healed}");
    }
    let verified = strongroom_engine::verify(vault, None, Depth::Data, &Silent).unwrap();
    let files = verified.damage.iter().filter(|damage| damage.snapshots.is_empty());
    let files = files
        .filter_map(|damage| Some(damage.file.strip_prefix("snapshots/")?.strip_suffix(".json")?.to_owned()));
    let hurt = verified.damage.iter().flat_map(|damage| damage.snapshots.clone());
    let forget: BTreeSet<String> = hurt.chain(files).collect();
    assert!(forget.iter().all(|name| !name.ends_with("healed")), "{what}: {forget:?}");
    strongroom_engine::forget(vault, &forget.into_iter().collect::<Vec<_>>(), false).unwrap();
    let everything = strongroom_engine::Prune { max_unused: 0, dry_run: false, allow_empty: false };
    let pruned = strongroom_engine::prune(vault, everything, &Silent);
    assert!(pruned.is_ok(), "{what}: a prune after that fails: {pruned:?}");
    let verified = strongroom_engine::verify(vault, None, Depth::Data, &Silent).unwrap();
    assert!(verified.damage.is_empty() && verified.warnings.is_empty(), "{what}: {verified:#?}");
}
