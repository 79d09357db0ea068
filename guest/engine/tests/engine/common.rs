//! What the tests share.

use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable, Restored, RestoringSink};
use strongroom_engine::{
    Depth, FULL_SCAN_DAYS, FULL_SCAN_SNAPSHOTS, Job, Plan, Prune, Pruned, Result, Silent, Sink, Snapshot,
    Store, Vault, Verified,
};
use xxhash_rust::xxh3::xxh3_64;

pub(crate) type Entries = Vec<(Vec<u8>, Vec<u8>)>;

pub(crate) fn job(name: &str, parts: u32) -> Job {
    Job {
        name: name.into(),
        source: "test".into(),
        only_source: false,
        origin: None,
        tables: None,
        leave_out: Vec::new(),
        position: None,
        time: 1_700_000_000,
        parts,
        part_min: 1,
        full_scan: false,
        full_scan_snapshots: FULL_SCAN_SNAPSHOTS,
        full_scan_days: FULL_SCAN_DAYS,
        folding: strongroom_engine::Folding::default(),
        compression: strongroom_engine::Compression::default(),
    }
}

/// A receipt for every part of a plan; they are copied last one first, because the order does not matter.
pub(crate) fn copy_all(vault: &dyn Vault, store: &dyn Store, plan: &Plan) -> Result<Vec<Vec<u8>>> {
    let copy = |part| strongroom_engine::copy(vault, store, &plan.state, part, &Silent);
    let mut receipts = (0..plan.parts).rev().map(copy).collect::<Result<Vec<_>>>()?;
    receipts.reverse();
    Ok(receipts)
}

pub(crate) fn try_backup(vault: &dyn Vault, store: &dyn Store, job: &Job) -> Result<Snapshot> {
    let plan = strongroom_engine::prepare(vault, store, job, &Silent)?;
    let receipts = copy_all(vault, store, &plan)?;
    let draft = strongroom_engine::seal(vault, store, &plan.state, &receipts, &Silent)?;
    let snapshot = strongroom_engine::publish(vault, &draft.state)?;
    assert_eq!(snapshot, draft.snapshot);
    Ok(snapshot)
}

pub(crate) fn backup(vault: &dyn Vault, store: &dyn Store, name: &str, parts: u32) -> Snapshot {
    try_backup(vault, store, &job(name, parts)).unwrap()
}

pub(crate) fn restore(vault: &dyn Vault, which: &str) -> Result<Restored> {
    let mut restored = Restored::new();
    let into = &mut restored;
    strongroom_engine::restore(vault, which, None, false, &Silent, move |template| {
        assert_eq!(template, b"a template");
        Ok(Box::new(RestoringSink::new(into)) as Box<dyn Sink>)
    })?;
    Ok(restored)
}

pub(crate) fn verify(vault: &dyn Vault) -> Verified {
    strongroom_engine::testing::verify(vault, None, Depth::Data, &Silent).unwrap()
}

/// Everything is whole, and this snapshot holds what the store holds.
pub(crate) fn assert_holds(vault: &MemoryVault, which: &str, store: &ModelStore) {
    let verified = strongroom_engine::testing::verify(vault, Some(which), Depth::Data, &Silent).unwrap();
    assert!(verified.damage.is_empty(), "{:?}", verified.damage);
    assert!(restore(vault, which).unwrap() == store.tables, "{which} gave back something else");
}

/// The paths of the files of a folder that bear the name of an id, or any name for snapshots.
pub(crate) fn files(vault: &MemoryVault, dir: &str) -> Vec<String> {
    let is_ours = |name: &str| dir == "snapshots" || strongroom_engine::Id::from_hex(name).is_some();
    let in_dir = |path: &str| path.strip_prefix(dir)?.strip_prefix('/').map(is_ours);
    vault.paths().into_iter().filter(|path| in_dir(path) == Some(true)).collect()
}

pub(crate) fn plain(entries: Entries) -> ModelTable {
    ModelTable { multimap: false, entries }
}

pub(crate) fn one_table(entries: Entries) -> ModelStore {
    ModelStore::new([("table", plain(entries))])
}

/// Bytes of what index files say that they replaced, which depends on the history.
pub(crate) fn bytes_of_history(vault: &MemoryVault) -> u64 {
    let replaced = |path: &String| u32::from_le_bytes(vault.get(path).unwrap()[12..16].try_into().unwrap());
    files(vault, "index").iter().map(|path| 8 * u64::from(replaced(path))).sum()
}

/// Numbers that look random and are the same in every run (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(len);
        bytes
    }
}

/// The rank of an entry, as FORMAT.md has it.
pub(crate) fn rank(identity: &[u8], len: u64) -> u8 {
    let hash = u128::from(xxh3_64(identity));
    (0..6).take_while(|k| hash < (u128::from(len.min(16384)) << 50) >> (8 * k)).count() as u8
}

pub(crate) fn prune(vault: &dyn Vault, max_unused: u32) -> Pruned {
    strongroom_engine::prune(vault, Prune { max_unused, dry_run: false, allow_empty: true }, &Silent).unwrap()
}

pub(crate) fn forget(vault: &dyn Vault, names: &[&str]) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    strongroom_engine::forget(vault, &names, false).unwrap();
}

/// What a dry run says, which changes nothing, and what the run then does are the same, and the freed bytes are true.
pub(crate) fn prune_as_announced(vault: &MemoryVault, max_unused: u32) -> Pruned {
    let (paths, before) = (vault.paths(), vault.bytes());
    let dry = Prune { max_unused, dry_run: true, allow_empty: true };
    let announced = strongroom_engine::prune(vault, dry, &Silent).unwrap();
    assert_eq!((vault.paths(), vault.bytes()), (paths, before), "a dry run changed something");
    let pruned = prune(vault, max_unused);
    assert_eq!(announced, pruned);
    assert_eq!(pruned.bytes_freed, before as i64 - vault.bytes() as i64);
    assert_eq!(pruned.bytes_left, vault.bytes());
    pruned
}

/// The ids in the list at the end of a pack, as FORMAT.md has it.
pub(crate) fn ids_in_pack(pack: &[u8]) -> Vec<[u8; 32]> {
    let trailer = &pack[pack.len() - 16..];
    assert_eq!(&trailer[..8], b"SRpack01");
    let objects = u32::from_le_bytes(trailer[8..12].try_into().unwrap()) as usize;
    let list = &pack[pack.len() - 16 - objects * 48..pack.len() - 16];
    list.chunks(48).map(|entry| entry[..32].try_into().unwrap()).collect()
}

/// The ids of all objects that are stored, sorted; one that is stored twice is there twice.
pub(crate) fn stored(vault: &MemoryVault) -> Vec<[u8; 32]> {
    let packs = files(vault, "packs").into_iter().map(|path| vault.get(&path).unwrap());
    let mut stored: Vec<_> = packs.flat_map(|pack| ids_in_pack(&pack)).collect();
    stored.sort_unstable();
    stored
}
