//! Edits at the places where a tree is strange, and edits and trees that are wrong.

use super::*;

/// Every entry ends a leaf, so that the nodes above are cut by the ceiling; whatever is cut is cut anew behind a change.
#[test]
fn the_ceiling_above_the_leaves_is_that_of_a_scan() {
    let chosen: Vec<Entry> = (0u64..)
        .filter(|key| rank(&key.to_be_bytes(), 160) == 1)
        .take(11_000)
        .map(|key| (key.to_be_bytes().to_vec(), vec![key as u8; 144]))
        .collect();
    let kept = Kept::default();
    let mut random = Random(7);
    let mut old = chosen[..10_500].to_vec();
    let mut root = scan(&old, Tree::Table, false, &kept);
    for step in 0..12 {
        let at = [0, 4_946, 4_947, 9_893, old.len(), random.below(old.len())][step % 6];
        let fresh = chosen[10_500 + step].clone();
        let change = match step % 3 {
            0 => Change { from: at, to: at, new: vec![fresh] },
            1 => Change { from: at, to: (at + 1).min(old.len()), new: vec![] },
            _ => Change { from: at, to: (at + 2).min(old.len()), new: vec![fresh] },
        };
        let new = apply(&old, std::slice::from_ref(&change));
        let edits = told(&old, &[change], &mut random);
        let got = edit(root, Tree::Table, false, &edits, &kept, &mut random).unwrap();
        assert_eq!(got, scan(&new, Tree::Table, false, &Kept::default()), "step {step}");
        (root, old) = (got, new);
    }
}

/// What one changed row costs does not depend on how many there are.
#[test]
fn a_changed_row_costs_its_path() {
    for rows in [1_000u32, 100_000, 1_000_000] {
        let mut old: Vec<Entry> = (0..rows)
            .map(|n| (n.to_be_bytes().to_vec(), n.wrapping_mul(7).to_le_bytes().repeat(6)))
            .collect();
        let kept = Kept::default();
        let root = scan(&old, Tree::Table, false, &kept);
        let depth = u64::from(root.unwrap().level) + 1;
        let at = rows as usize / 2;
        for (wide, most) in [(0, 2 * depth), (70, 2 * depth + 2)] {
            let mut edits = Vec::new();
            let mut say = |op: u8, n: usize| {
                edits.push(op);
                edits.extend_from_slice(&(n as u64).to_le_bytes());
            };
            say(0, at - wide);
            say(1, 2 * wide + 1);
            say(2, 2 * wide + 1);
            old[at].1[3] ^= 1;
            edits.extend_from_slice(&pack(&old[at - wide..=at + wide]));
            edits.push(0);
            edits.extend_from_slice(&((rows as usize - at - wide - 1) as u64).to_le_bytes());
            let (read, written) = (kept.read.get(), kept.written.get());
            let mut taker = Edits::new(OldTree::new(Tree::Table, root, &kept), false);
            taker.push(&edits, &mut &kept).unwrap();
            assert_eq!(taker.changed, 2);
            let got = taker.finish(&mut &kept).unwrap();
            let (read, written) = (kept.read.get() - read, kept.written.get() - written);
            assert!(read <= most && written <= depth, "{rows} rows: {read} read, {written} written");
            assert_eq!(got, scan(&old, Tree::Table, false, &Kept::default()));
            old[at].1[3] ^= 1;
        }
    }
}

#[test]
fn edits_that_contradict_themselves_are_refused() {
    let kept = Kept::default();
    let old: Vec<Entry> = (0..100u32).map(|n| (n.to_be_bytes().to_vec(), vec![n as u8; 9])).collect();
    let root = scan(&old, Tree::Table, false, &kept);
    let op = |op: u8, n: u64| [&[op][..], &n.to_le_bytes()].concat();
    let good = [op(0, 40), op(1, 1), op(2, 2), pack(&old[..2]), op(0, 59)].concat();
    let mut random = Random(3);
    let mut told = |edits: &[u8]| edit(root, Tree::Table, false, edits, &kept, &mut random);
    assert!(told(&good).is_ok());
    let contradictions = [
        op(0, 99),
        op(0, 101),
        op(1, 101),
        op(0, u64::MAX),
        op(1, u64::MAX),
        [op(0, 100), op(0, 0)].concat(),
        [op(0, 100), op(1, 1)].concat(),
        [op(0, 100), op(3, 1)].concat(),
        [op(0, 100), op(2, 3), pack(&old[..2])].concat(),
        [op(1, 60), op(0, 30)].concat(),
        Vec::new(),
    ];
    let cut = (1..good.len()).map(|len| good[..len].to_vec());
    for edits in contradictions.into_iter().chain(cut) {
        assert_eq!(told(&edits).err().map(|e| e.code), Some(Code::Invalid), "{edits:?}");
    }
}

#[test]
fn a_damaged_old_node_is_no_panic() {
    let kept = Kept::default();
    let old: Vec<Entry> = (0..20_000u32).map(|n| (n.to_be_bytes().to_vec(), vec![n as u8; 30])).collect();
    let root = scan(&old, Tree::Table, false, &kept).unwrap();
    let edits =
        [&[0][..], &10_000u64.to_le_bytes(), &[1], &1u64.to_le_bytes(), &[0], &9_999u64.to_le_bytes()];
    for wrong in [
        Ref { entries: 20_000, items: 3, ..root.node },
        Ref { bytes: 3, ..root.node },
        Ref { id: Id([3; 32]), ..root.node },
    ] {
        let root = Some(Root { node: wrong, ..root });
        let failed = edit(root, Tree::Table, false, &edits.concat(), &kept, &mut Random(1)).err();
        assert_eq!(failed.map(|e| e.code), Some(Code::Damaged));
    }
}
