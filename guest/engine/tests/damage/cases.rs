//! What one piece of damage comes to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use strongroom_engine::testing::MemoryVault;
use strongroom_engine::{Code, Depth, Silent};

use crate::allocator::most_bytes;
use crate::common::{job, restore, try_backup};
use crate::repository::Repository;

/// No verb may hold more at once, whatever a damaged file says. Most of it are the buffers of one open pack.
const MEMORY_MAX: usize = 24 << 20;

/// What came of many pieces of damage to one kind of file.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) cases: u64,
    /// `verify` named damage.
    pub(crate) found: u64,
    /// No verb would touch the repository.
    pub(crate) refused: u64,
    /// Every snapshot that is listed still restores.
    pub(crate) harmless: u64,
    /// What nobody noticed, all of it harmless.
    pub(crate) silent: Vec<String>,
    pub(crate) most_bytes: usize,
    pub(crate) also: Also,
}

/// What follows in one of so many cases.
#[derive(Clone, Copy)]
pub(crate) struct Also {
    pub(crate) backups: u64,
    pub(crate) repair: u64,
}

impl Also {
    pub(crate) const ALWAYS: Self = Self { backups: 1, repair: 1 };
}

impl Default for Also {
    fn default() -> Self {
        Self::ALWAYS
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cases, found, refused, harmless, silent, most_bytes, .. } = self;
        let memory = most_bytes.div_ceil(1 << 20);
        write!(f, "| {cases} | {found} | {refused} | {} | {harmless} | {memory} MiB |", silent.len())
    }
}

/// What a file is, for the table.
pub(crate) fn kind(path: &str) -> &str {
    path.split_once('/').map_or(path, |(dir, _)| dir)
}

/// The snapshots that restore to what they were made of; others must say that they are damaged.
pub(crate) fn whole(repository: &Repository, vault: &MemoryVault, what: &str) -> BTreeSet<&'static str> {
    let mut whole = BTreeSet::new();
    for (name, store) in &repository.snapshots {
        match restore(vault, name) {
            Ok(restored) => {
                assert!(restored == store.tables, "{what}: {name} was restored with other data");
                whole.insert(*name);
            }
            Err(e) => {
                let known =
                    matches!(e.code, Code::Damaged | Code::NewerFormat | Code::NotFound | Code::NoRepository);
                assert!(known && e.message.len() > 10, "{what}: {e:?}");
            }
        }
    }
    whole
}

impl Figures {
    /// Looks at a damaged copy of the repository.
    pub(crate) fn look(&mut self, repository: &Repository, vault: &MemoryVault, what: &str) {
        self.cases += 1;
        let (most, ()) = most_bytes(|| self.look_inside(repository, vault, what));
        assert!(most < MEMORY_MAX, "{what}: {most} bytes at once");
        self.most_bytes = self.most_bytes.max(most);
    }

    fn look_inside(&mut self, repository: &Repository, vault: &MemoryVault, what: &str) {
        let restorable = whole(repository, vault, what);
        if self.cases.is_multiple_of(self.also.repair) {
            crate::repair::check(repository, vault, what, &restorable);
        }
        let damage = match strongroom_engine::testing::verify(vault, None, Depth::Data, &Silent) {
            Ok(verified) => verified.damage,
            Err(e) => {
                let known = matches!(e.code, Code::Damaged | Code::NewerFormat | Code::NoRepository);
                assert!(known && restorable.is_empty(), "{what}: {e:?}");
                self.refused += 1;
                return;
            }
        };
        self.found += u64::from(!damage.is_empty());
        // Each snapshot that does not restore is named: by itself, or its file, or it is not listed at all.
        let listed = strongroom_engine::snapshots(vault).unwrap().0;
        let mut all_whole = true;
        for (name, _) in repository.snapshots.iter().filter(|(name, _)| !restorable.contains(name)) {
            if listed.iter().any(|snapshot| snapshot.name == *name) {
                all_whole = false;
                let named = damage.iter().any(|damage| damage.snapshots.iter().any(|hurt| hurt == name));
                assert!(named, "{what}: {name} does not restore, and verify says {damage:?}");
            } else {
                let file = format!("snapshots/{name}.json");
                let named = damage.iter().any(|damage| damage.file == file);
                assert!(named || vault.get(&file).is_none(), "{what}: {name} is gone without a word");
            }
        }
        self.harmless += u64::from(all_whole);
        if damage.is_empty() {
            self.silent.push(what.to_owned());
        }
        // Where every byte is damaged, one in a few cases is followed up.
        if !self.cases.is_multiple_of(self.also.backups) {
            return;
        }
        let error_is_clear = |e: &strongroom_engine::Error| e.code == Code::Damaged && e.message.len() > 10;
        // A backup of other data makes nothing worse, and one of the same data succeeds.
        for (name, (_, store)) in ["next other", "next"].into_iter().zip(repository.snapshots.iter().rev()) {
            match try_backup(vault, store, &job(name, 2)) {
                Ok(_) => {}
                Err(e) => assert!(error_is_clear(&e), "{what}: the next backup failed: {e:?}"),
            }
            let still = whole(repository, vault, what);
            assert!(
                restorable.is_subset(&still),
                "{what}: {restorable:?} were whole, and after a backup {still:?}"
            );
        }
    }
}

/// Figures by kind of file, as a table.
pub(crate) fn print(title: &str, figures: &BTreeMap<String, Figures>) {
    println!("\n{title}\n");
    println!("| files | cases | found by verify | refused by every verb | silent | all restores | memory |");
    println!("|---|---|---|---|---|---|---|");
    for (kind, figures) in figures {
        println!("| {kind} {figures}");
    }
    for silent in figures.values().flat_map(|figures| &figures.silent) {
        println!("- silent: {silent}");
    }
}
