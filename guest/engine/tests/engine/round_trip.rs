//! What is backed up comes back, and equal data has equal ids.

use proptest::prelude::*;
use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable};
use strongroom_engine::{Depth, Silent};

use crate::common::{backup, copy_all, job, plain, restore};

fn entries() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    let key = prop::collection::vec(any::<u8>(), 0..40);
    let value = prop_oneof![
        40 => prop::collection::vec(any::<u8>(), 0..300),
        2 => (any::<u8>(), 0usize..40_000).prop_map(|(byte, len)| vec![byte; len]),
        1 => (any::<u8>(), 250_000usize..600_000).prop_map(|(byte, len)| vec![byte; len]),
    ];
    prop::collection::vec((key, value), 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn what_is_backed_up_comes_back_with_the_same_id_however_it_is_cut(
        plain in entries(), pairs in entries(), read_max in prop_oneof![Just(0usize), 1usize..5000], parts in 1u32..9,
    ) {
        let mut store = ModelStore::new([
            ("empty", ModelTable::default()),
            ("pairs", ModelTable { multimap: true, entries: pairs }),
            ("plain", ModelTable { multimap: false, entries: plain }),
        ]);
        let (one, other) = (MemoryVault::default(), MemoryVault::default());
        let first = backup(&one, &store, "a", 1);
        store.read_max = read_max;
        let second = backup(&other, &store, "b", parts);
        prop_assert_eq!(first.id, second.id);
        let digest = strongroom_engine::digest(&store, None, &Silent).unwrap();
        prop_assert_eq!(digest.id, first.id);
        let opened = strongroom_engine::open(&one, "a").unwrap();
        prop_assert_eq!(digest.tables, opened.tables());
        for (vault, name) in [(&one, "a"), (&other, "b")] {
            prop_assert_eq!(&restore(vault, name).unwrap(), &store.tables);
            let verified = strongroom_engine::testing::verify(vault, None, Depth::Data, &Silent).unwrap();
            prop_assert!(verified.damage.is_empty(), "{:?}", verified.damage);
        }
        let again = backup(&one, &store, "again", parts);
        prop_assert_eq!(again.id, first.id);
        prop_assert_eq!(again.bytes_added, 0);
    }
}

#[test]
fn the_tables_of_a_draft_are_those_of_the_snapshot() {
    let vault = MemoryVault::default();
    let store = ModelStore::new([("a", plain(vec![(b"k".to_vec(), b"v".to_vec())])), ("b", plain(vec![]))]);
    let plan = strongroom_engine::prepare(&vault, &store, &job("x", 1), &Silent).unwrap();
    let receipts = copy_all(&vault, &store, &plan).unwrap();
    let draft = strongroom_engine::seal(&vault, &store, &plan.state, &receipts, &Silent).unwrap();
    let tables = strongroom_engine::draft_tables(&vault, &draft.state).unwrap();
    assert_eq!(tables.iter().map(|table| table.entries).collect::<Vec<_>>(), [1, 0]);
    strongroom_engine::publish(&vault, &draft.state).unwrap();
    assert_eq!(tables, strongroom_engine::open(&vault, "x").unwrap().tables());
}
