//! Repositories in which every checksum and every id is right, and what they say is not.

use std::cell::Cell;

use super::input::Input;
use crate::backup::stock::Stock;
use crate::catalog::{self, Schema, Table};
use crate::error::{Code, Error, Result};
use crate::id::Kind;
use crate::index::{self, Change};
use crate::progress::{Level, Progress};
use crate::snapshot::{self, Snapshot};
use crate::testing::{MemoryVault, ModelStore, ModelTable, Restored, RestoringSink};
use crate::tree::Put;
use crate::tree::item::Items;
use crate::tree::node::{LEVEL_MAX, Ref, Root};
use crate::{Bytes, Damage, Depth, Job, Prune, Silent, Sink, Vault};

/// A plan for a hostile repository: nodes that point at each other and lie about it, tables and a schema over them.
///
/// Every verb on it comes to an end without panic; what is called whole is restored, also after a prune; and a backup
/// into it is whole.
pub fn hostile(data: &[u8]) {
    let vault = repository(&mut Input(data)).expect("memory takes everything");
    let damage = verify(&vault, Depth::Data);
    verify(&vault, Depth::Structure);
    verify(&vault, Depth::Sample(100, data.len() as u64));
    let restored = restore(&vault);
    match &restored {
        // Of counts, only those of entries matter to it.
        Ok(_) => {}
        Err(e) if e.code == Code::Cancelled => {}
        Err(e) => {
            assert!(e.code == Code::Damaged && !damage.is_empty(), "{e:?}, but the damage is {damage:?}")
        }
    }
    read_some(&vault);

    let job = Job {
        name: "sound".into(),
        source: "x".into(),
        only_source: false,
        origin: None,
        tables: None,
        leave_out: Vec::new(),
        position: None,
        time: 2,
        parts: 2,
        part_min: 1,
        full_scan: false,
        full_scan_snapshots: 3,
        full_scan_days: 1,
        folding: crate::Folding { files: 3, ..Default::default() },
        compression: crate::Compression::default(),
    };
    backup(&vault, &job).expect("whatever is there, a backup is made");
    let sound = crate::testing::verify(&vault, Some("sound"), Depth::Data, &Silent).expect("memory is read");
    assert!(sound.damage.is_empty(), "{:?}", sound.damage);

    let pruned = crate::prune(&vault, Prune { max_unused: 0, dry_run: false, allow_empty: true }, &Silent);
    match pruned {
        Ok(_) => {}
        Err(e) => {
            assert!(e.code == Code::Damaged && !damage.is_empty(), "{e:?}, but the damage is {damage:?}")
        }
    }
    if damage.is_empty() {
        assert_eq!(verify(&vault, Depth::Data), []);
        if let Ok(restored) = restored {
            assert!(restore(&vault).expect("it was restored before") == restored);
        }
    }
}

/// Stops what would go on for ever: a few hundred bytes can stand for any number of entries.
struct Limited(Cell<u64>);

impl Progress for Limited {
    fn advance(&self, _phase: &str, bytes: u64, _entries: u64) -> bool {
        self.0.set(self.0.get().saturating_sub(bytes));
        self.0.get() > 0
    }
    fn log(&self, _level: Level, _message: &str) {}
}

fn verify(vault: &MemoryVault, depth: Depth) -> Vec<Damage> {
    crate::testing::verify(vault, None, depth, &Silent).expect("memory is read").damage
}

fn restore(vault: &MemoryVault) -> Result<Restored> {
    let mut restored = Restored::new();
    let into = &mut restored;
    crate::restore(vault, "x", None, false, &Limited(Cell::new(1 << 20)), move |_| {
        Ok(Box::new(RestoringSink::new(into)) as Box<dyn Sink>)
    })?;
    Ok(restored)
}

/// Some entries of every table, from the middle too.
fn read_some(vault: &MemoryVault) {
    let damaged = |e: &Error| assert!(matches!(e.code, Code::Damaged | Code::NewerFormat), "{e:?}");
    let Ok(opened) = crate::open(vault, "x").inspect_err(damaged) else { return };
    for table in opened.tables() {
        for from in [0, table.entries / 2, table.entries.saturating_sub(1)] {
            let Ok(mut entries) = opened.entries(&table.name, from, u64::MAX).inspect_err(damaged) else {
                continue;
            };
            for max in [1, 7, 50_000] {
                if entries.read(max).inspect_err(damaged).is_err() {
                    break;
                }
            }
        }
    }
}

fn backup(vault: &MemoryVault, job: &Job) -> Result<Snapshot> {
    let entries = (0..9u8).map(|n| (vec![n], vec![n; 40])).collect();
    let store = ModelStore::new([("a", ModelTable { multimap: false, entries })]);
    let plan = crate::prepare(vault, &store, job, &Silent)?;
    let copy = |part| crate::copy(vault, &store, &plan.state, part, &Silent);
    let receipts = (0..plan.parts).map(copy).collect::<Result<Vec<_>>>()?;
    let draft = crate::seal(vault, &store, &plan.state, &receipts, &Silent)?;
    crate::publish(vault, &draft.state)
}

pub(super) fn repository(input: &mut Input<'_>) -> Result<MemoryVault> {
    let vault = MemoryVault::default();
    crate::repository::prepare(&vault)?;
    let mut stock = Stock::open(&vault, "x")?;
    let mut nodes = Vec::new();
    for _ in 0..1 + input.below(12) {
        let node = node(input, &nodes, &mut stock)?;
        nodes.push(node);
    }
    let tables = tables(input, &nodes);
    let root = catalog::write(&tables, &mut stock)?;
    let types = if input.rarely(8) { input.below(4) } else { tables.len() };
    let schema = Schema { template: b"a template".to_vec(), types: vec![Default::default(); types] };
    let schema = catalog::write_schema(&schema, &mut stock)?;
    let packs = stock.finish()?.0.iter().map(|pack| pack.id).collect();
    index::update(&vault, Change { packs, ..Change::default() })?;
    let root = if input.rarely(8) { nodes.get(input.below(nodes.len())).copied() } else { root };
    let snapshot = Snapshot {
        name: "x".into(),
        id: catalog::id(root),
        source: "x".into(),
        parent: None,
        seq: 1,
        imported: false,
        origin: None,
        time: 1,
        position: None,
        tables: tables.len() as u32,
        tables_left_out: 0,
        entries: input.u8().into(),
        bytes: 0,
        bytes_added: 0,
        labels: Vec::new(),
        root,
        schema,
        tracking: None,
    };
    snapshot.write_unfinished(&vault)?;
    vault.rename(&snapshot::unfinished("x"), &snapshot::path("x"))?;
    Ok(vault)
}

/// One more node, over those that are there.
fn node(input: &mut Input<'_>, nodes: &[Root], stock: &mut Stock<'_>) -> Result<Root> {
    let mut content = Vec::new();
    let (mut level, mut entries, mut bytes) = (0u8, 0u64, 0u64);
    let mut items = 0u32;
    if nodes.is_empty() || input.below(3) == 0 {
        leaf(input, stock, &mut content)?;
        for item in Items::new(&content).map_while(Result::ok) {
            items += 1;
            entries += 1;
            bytes += u64::from(item.key.len()) + u64::from(item.value.len());
        }
    } else {
        for _ in 0..1 + input.below(4) {
            let below = nodes[input.below(nodes.len())];
            level = level.max(below.level.saturating_add(1));
            for _ in 0..if input.rarely(4) { 90 } else { 1 } {
                below.node.encode(&mut content);
                items += 1;
                entries = entries.saturating_add(below.node.entries);
                bytes = bytes.saturating_add(below.node.bytes);
            }
        }
    }
    let mut lie = |truth: u64| match input.below(24) {
        21 => truth.wrapping_add(1),
        22 => u64::MAX,
        23 => 0,
        _ => truth,
    };
    let (items, entries, bytes) = (lie(items.into()) as u32, lie(entries), lie(bytes));
    let level = match lie(level.into()) {
        u64::MAX => LEVEL_MAX,
        level => level.min(LEVEL_MAX.into()) as u8,
    };
    let id = stock.put(Kind::Node { level }, &content)?;
    Ok(Root { level, node: Ref { id, items, entries, bytes, rank: input.u8() % 8 } })
}

fn leaf(input: &mut Input<'_>, stock: &mut Stock<'_>, content: &mut Vec<u8>) -> Result<()> {
    match input.below(4) {
        // Any bytes at all.
        0 => {
            let len = input.below(64);
            content.extend_from_slice(input.bytes(len));
        }
        // An entry in pieces, of which some may not be there or have another length.
        1 => {
            let len = 262_145 + u32::from(input.u8()) * if input.coin() { 2000 } else { 0 };
            let pieces = len.div_ceil(262_144) as usize - usize::from(input.rarely(8));
            content.extend_from_slice(&u32::MAX.to_le_bytes());
            content.extend_from_slice(&(8 + 1 + 32 * pieces as u32).to_le_bytes());
            content.extend_from_slice(&1u32.to_le_bytes());
            content.extend_from_slice(&len.to_le_bytes());
            content.push(b'k');
            for piece in 0..pieces {
                let full = (len as usize - piece * 262_144).min(262_144);
                let len = if input.rarely(8) { input.u8().into() } else { full };
                let id = stock.put(Kind::Blob, &vec![input.u8(); len])?;
                content.extend_from_slice(&if input.rarely(16) { [7; 32] } else { id.0 });
            }
        }
        _ => {
            for _ in 0..input.below(6) {
                let (key, value) = (input.below(4), input.below(40));
                content.extend_from_slice(&(key as u32).to_le_bytes());
                content.extend_from_slice(&(value as u32).to_le_bytes());
                content.resize(content.len() + key + value, input.u8());
            }
        }
    }
    Ok(())
}

fn tables(input: &mut Input<'_>, nodes: &[Root]) -> Vec<Table> {
    let mut tables = Vec::new();
    for number in 0..input.below(4) as u8 {
        let letter = if input.rarely(12) { input.u8() % 4 } else { number };
        let root =
            if input.rarely(6) { None } else { Some(nodes[nodes.len() - 1 - input.below(nodes.len())]) };
        let (mut entries, bytes) = root.map_or((0, 0), |root| (root.node.entries, root.node.bytes));
        if input.rarely(24) {
            entries = entries.wrapping_add(1);
        }
        tables.push(Table {
            name: String::from(char::from(b'a' + letter)),
            multimap: input.coin(),
            entries,
            bytes,
            key_type: String::new(),
            value_type: String::new(),
            identity: Vec::new(),
            root,
        });
    }
    tables
}
