//! Archives: any bytes, those of hostile repositories, and sound ones with something changed.

use std::cell::Cell;

use super::hostile::repository;
use super::input::Input;
use crate::catalog;
use crate::error::{Code, Error, Result};
use crate::objects::Objects;
use crate::progress::{Level, Progress};
use crate::snapshot::{self, Snapshot};
use crate::testing::{MemoryVault, Restored, RestoringSink};
use crate::{Bytes, Depth, Import, RestoreArchive, Silent, Sink, Vault};

/// Bytes as an archive, and a plan for a repository in which all ids are right and what the nodes say may not be.
///
/// What is refused leaves no snapshot. What is taken in is whole, and is what goes out again; what goes out of a hostile
/// repository without an error is taken in; and nobody takes what was changed for anything but what it was.
pub fn archive(data: &[u8]) {
    take(data, data.len() / 3);
    let mut input = Input(data);
    let vault = repository(&mut input).expect("memory takes everything");
    let counted = count(&vault).expect("memory is read");
    let archive = match export(&vault) {
        Ok(archive) => archive,
        Err(e) if e.code == Code::Cancelled => return,
        Err(e) => {
            assert_eq!(e.code, Code::Damaged, "{e:?}");
            let found = crate::verify(&vault, None, Depth::Data, &Silent).expect("memory is read").damage;
            assert!(!counted || !found.is_empty(), "{e:?}, and no damage is found");
            return;
        }
    };
    let whole = take(&archive, 1 + usize::from(input.u16())).expect("what goes out comes in");
    let mut changed = archive.clone();
    for _ in 0..1 + input.below(3) {
        let at = input.u64() as usize % (changed.len() + 1);
        match input.below(3) {
            0 => changed.truncate(at),
            1 => changed.insert(at, input.u8()),
            _ => changed.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << input.below(8)),
        }
    }
    if changed != archive {
        assert!(take(&changed, 1000).is_none(), "what was changed is taken in");
    } else {
        assert!(take(&changed, 1000) == Some(whole));
    }
}

/// Stops what would go on for ever: a few hundred bytes can stand for any number of entries.
struct Limited(Cell<u64>);

impl Progress for Limited {
    fn advance(&self, _phase: &str, bytes: u64, entries: u64) -> bool {
        self.0.set(self.0.get().saturating_sub(bytes + entries + 64));
        self.0.get() > 0
    }
    fn log(&self, _level: Level, _message: &str) {}
}

/// Lets the snapshot's file say what its tables say; `false` if that is not to be had.
fn count(vault: &MemoryVault) -> Result<bool> {
    let snapshot = snapshot::read(vault, "x")?;
    let Ok(tables) = catalog::read_tree(&Objects::open(vault)?, &snapshot) else { return Ok(false) };
    let entries = tables.iter().try_fold(0u64, |sum, table| sum.checked_add(table.entries));
    let bytes = tables.iter().try_fold(0u64, |sum, table| sum.checked_add(table.bytes));
    let (Some(entries), Some(bytes)) = (entries, bytes) else { return Ok(false) };
    let counted = Snapshot { tables: tables.len() as u32, entries, bytes, ..snapshot };
    vault.put(&snapshot::path("x"), counted.to_file()?);
    Ok(true)
}

fn export(vault: &dyn Vault) -> Result<Vec<u8>> {
    let limited = Limited(Cell::new(1 << 20));
    let mut export = crate::export(vault, "x", &limited)?;
    let mut archive = Vec::new();
    loop {
        let bytes = export.read(5000)?;
        if bytes.is_empty() {
            return Ok(archive);
        }
        archive.extend_from_slice(&bytes);
    }
}

/// Takes an archive in and restores it; what it holds, if it is one.
fn take(archive: &[u8], piece: usize) -> Option<Restored> {
    let refused = |e: &Error| {
        let known = [Code::Damaged, Code::NewerFormat, Code::Invalid];
        assert!(known.contains(&e.code), "{e:?}");
    };
    let vault = MemoryVault::default();
    let imported = import(&vault, archive, piece).inspect_err(refused).ok();
    let restored = restore(archive, piece).inspect_err(refused).ok();
    assert_eq!(imported.is_some(), restored.is_some());
    let published = vault.paths().iter().any(|path| path.starts_with("snapshots/"));
    assert_eq!(imported.is_some(), published);
    let snapshot = imported?;
    let verified = crate::verify(&vault, None, Depth::Data, &Silent).expect("memory is read");
    assert!(verified.damage.is_empty(), "{:?}", verified.damage);
    let restored = restored?;
    let mut again = Restored::new();
    let into = &mut again;
    crate::restore(&vault, &snapshot.name, None, false, &Silent, move |_| {
        Ok(Box::new(RestoringSink::new(into)) as Box<dyn Sink>)
    })
    .expect("what is whole is restored");
    assert!(again == restored, "it holds something else");
    Some(restored)
}

fn import(vault: &MemoryVault, archive: &[u8], piece: usize) -> Result<Snapshot> {
    let mut import = Import::new(vault, None, None, &Silent)?;
    archive.chunks(piece.max(1)).try_for_each(|piece| import.take(piece))?;
    import.finish()
}

fn restore(archive: &[u8], piece: usize) -> Result<Restored> {
    let mut restored = Restored::new();
    let into = &mut restored;
    let mut restore = RestoreArchive::new(None, &Silent, move |_: &[u8]| {
        Ok(Box::new(RestoringSink::new(into)) as Box<dyn Sink>)
    });
    archive.chunks(piece.max(1)).try_for_each(|piece| restore.take(piece))?;
    restore.finish()?;
    Ok(restored)
}
