//! What passes between the steps may be anything: it is refused, never believed.

use strongroom_engine::testing::{MemoryVault, ModelStore};
use strongroom_engine::{Code, Silent};

use crate::common::{Random, assert_holds, copy_all, files, job, one_table};

fn store() -> ModelStore {
    one_table((0..900u32).map(|n| (n.to_be_bytes().to_vec(), vec![n as u8; 60])).collect())
}

/// Bytes that are nearly right, and bytes that are not.
fn spoilt(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut random = Random(bytes.len() as u64);
    let flipped = (0..bytes.len() * 8).step_by(5).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    });
    let cut = (0..bytes.len()).step_by(3).map(|len| bytes[..len].to_vec());
    let random = (0..200).map(move |_| {
        let len = random.below(300);
        random.bytes(len)
    });
    flipped.chain(cut).chain(random).chain([[bytes, &[0]].concat()])
}

#[test]
fn plans_receipts_and_drafts_are_checked() {
    let (vault, store) = (MemoryVault::default(), store());
    let plan = strongroom_engine::prepare(&vault, &store, &job("x", 3), &Silent).unwrap();
    for plan in spoilt(&plan.state) {
        assert_eq!(
            strongroom_engine::copy(&vault, &store, &plan, 0, &Silent).unwrap_err().code,
            Code::Invalid
        );
    }
    let receipts = copy_all(&vault, &store, &plan).unwrap();
    let seal =
        |plan: &[u8], receipts: &[Vec<u8>]| strongroom_engine::seal(&vault, &store, plan, receipts, &Silent);
    for bytes in spoilt(&plan.state) {
        assert_eq!(seal(&bytes, &receipts).unwrap_err().code, Code::Invalid);
    }
    for receipt in spoilt(&receipts[1]) {
        let receipts = [receipts[0].clone(), receipt, receipts[2].clone()];
        assert_eq!(seal(&plan.state, &receipts).unwrap_err().code, Code::Invalid);
    }
    // One kind of thing is not another.
    assert_eq!(seal(&receipts[0], &receipts).unwrap_err().code, Code::Invalid);
    assert!(files(&vault, "snapshots").is_empty());
    let draft = seal(&plan.state, &receipts).unwrap();
    for draft in spoilt(&draft.state) {
        assert_eq!(strongroom_engine::publish(&vault, &draft).unwrap_err().code, Code::Invalid);
    }
    strongroom_engine::publish(&vault, &draft.state).unwrap();
    assert_holds(&vault, "x", &store);
}

#[test]
fn receipts_must_be_those_of_the_plan_each_once_and_in_order() {
    let (vault, store) = (MemoryVault::default(), store());
    let plan = strongroom_engine::prepare(&vault, &store, &job("x", 3), &Silent).unwrap();
    let receipts = copy_all(&vault, &store, &plan).unwrap();
    let other = strongroom_engine::prepare(&vault, &store, &job("y", 3), &Silent).unwrap();
    let others = copy_all(&vault, &store, &other).unwrap();
    for wrong in
        [vec![], vec![0, 1], vec![1, 2], vec![0, 2, 1], vec![0, 0, 1], vec![0, 1, 2, 2], vec![0, 1, 5]]
    {
        let all: Vec<&Vec<u8>> = receipts.iter().chain(&others).collect();
        let wrong: Vec<Vec<u8>> = wrong.iter().map(|at| all[*at].clone()).collect();
        let refused = strongroom_engine::seal(&vault, &store, &plan.state, &wrong, &Silent);
        assert_eq!(refused.unwrap_err().code, Code::Invalid);
    }
    let refused = strongroom_engine::copy(&vault, &store, &plan.state, 3, &Silent);
    assert_eq!(refused.unwrap_err().code, Code::Invalid);
}

#[test]
fn a_store_that_ends_early_is_refused() {
    struct Cut(ModelStore, usize);
    struct Limited<'a>(Box<dyn strongroom_engine::Bytes + 'a>, usize);
    impl strongroom_engine::Bytes for Limited<'_> {
        fn read(&mut self, max: u32) -> strongroom_engine::Result<Vec<u8>> {
            let bytes = self.0.read(max.min(self.1 as u32))?;
            self.1 -= bytes.len();
            Ok(bytes)
        }
    }
    impl strongroom_engine::Store for Cut {
        fn tables(&self) -> strongroom_engine::Result<Vec<strongroom_engine::Table>> {
            self.0.tables()
        }
        fn template(&self) -> strongroom_engine::Result<Box<dyn strongroom_engine::Bytes + '_>> {
            self.0.template()
        }
        fn notes(&self) -> strongroom_engine::Result<Vec<(String, String)>> {
            self.0.notes()
        }
        fn position(&self, at: &str) -> strongroom_engine::Result<u64> {
            self.0.position(at)
        }
        fn split(&self, table: &str, parts: u32) -> strongroom_engine::Result<Vec<Vec<u8>>> {
            self.0.split(table, parts)
        }
        fn scan(
            &self,
            table: &str,
            from: Option<&[u8]>,
            to: Option<&[u8]>,
        ) -> strongroom_engine::Result<Box<dyn strongroom_engine::Bytes + '_>> {
            Ok(Box::new(Limited(self.0.scan(table, from, to)?, self.1)))
        }
    }
    let entries = vec![(vec![1; 10], vec![2; 10]), (vec![3], vec![4; 300_000])];
    // After 28 bytes an entry ends, but that is not all that the store counts.
    for len in [1, 7, 8, 9, 27, 28, 29, 36, 37, 200_000, 300_036] {
        let vault = MemoryVault::default();
        let cut = Cut(one_table(entries.clone()), len);
        let refused = crate::common::try_backup(&vault, &cut, &job("x", 1));
        let code = if len == 28 { Code::Damaged } else { Code::Io };
        assert_eq!(refused.unwrap_err().code, code, "{len}");
    }
    let all = Cut(one_table(entries), 300_037);
    assert_eq!(crate::common::backup(&MemoryVault::default(), &all, "x", 1).entries, 2);
}

#[test]
fn garbage_for_entries_never_panics() {
    let mut random = Random(77);
    struct Noise(ModelStore, Vec<u8>);
    struct Whole(Vec<u8>);
    impl strongroom_engine::Bytes for Whole {
        fn read(&mut self, max: u32) -> strongroom_engine::Result<Vec<u8>> {
            let rest = self.0.split_off(self.0.len().min(max as usize).min(97));
            Ok(std::mem::replace(&mut self.0, rest))
        }
    }
    impl strongroom_engine::Store for Noise {
        fn tables(&self) -> strongroom_engine::Result<Vec<strongroom_engine::Table>> {
            self.0.tables()
        }
        fn template(&self) -> strongroom_engine::Result<Box<dyn strongroom_engine::Bytes + '_>> {
            self.0.template()
        }
        fn notes(&self) -> strongroom_engine::Result<Vec<(String, String)>> {
            self.0.notes()
        }
        fn position(&self, at: &str) -> strongroom_engine::Result<u64> {
            self.0.position(at)
        }
        fn split(&self, _: &str, _: u32) -> strongroom_engine::Result<Vec<Vec<u8>>> {
            Ok(vec![vec![1], vec![], vec![1]])
        }
        fn scan(
            &self,
            _: &str,
            _: Option<&[u8]>,
            _: Option<&[u8]>,
        ) -> strongroom_engine::Result<Box<dyn strongroom_engine::Bytes + '_>> {
            Ok(Box::new(Whole(self.1.clone())))
        }
    }
    for _ in 0..300 {
        let len = random.below(2000);
        let mut noise = random.bytes(len);
        // Lengths that are small now and then, and the one that is never used.
        for chunk in noise.chunks_mut(4) {
            match random.below(4) {
                0 => chunk.fill(255),
                1 => chunk[1..].fill(0),
                _ => {}
            }
        }
        let noise = Noise(one_table(vec![(vec![1], vec![2; 5000])]), noise);
        let _ = crate::common::try_backup(&MemoryVault::default(), &noise, &job("x", 1 + len as u32 % 5));
    }
}
