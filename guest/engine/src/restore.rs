//! Fills a sink from a snapshot.

use crate::catalog::Table;
use crate::error::{Code, Error, Place, Result};
use crate::globs;
use crate::open::{Opened, open};
use crate::progress::{Few, Progress, advance};
use crate::snapshot;
use crate::store::{Bytes, Sink};
use crate::vault::Vault;
use crate::verify::Damage;

/// Bytes that are handed over at once.
const CHUNK: u32 = 1 << 20;

/// Restores the tables that match the globs, or all.
///
/// `sink` is asked for with the template of the store. With `skip_damaged`, tables that cannot be read in full are left
/// out and reported; otherwise the first of them ends the run.
pub fn restore<'s>(
    vault: &dyn Vault,
    which: &str,
    tables: Option<&[String]>,
    skip_damaged: bool,
    progress: &dyn Progress,
    sink: impl FnOnce(&[u8]) -> Result<Box<dyn Sink + 's>>,
) -> Result<Vec<Damage>> {
    let opened = open(vault, which)?;
    let chosen = globs::choose(opened.tables(), tables, |table| &table.name)?;
    let mut sink = sink(&opened.schema()?.template)?;
    let mut damage = Vec::new();
    // What is missing because somebody took the snapshot away is no damage.
    let forgotten = |e: Error| match snapshot::exists(vault, &opened.snapshot().name) {
        Ok(false) if e.code == Code::Damaged => Error::new(
            Code::NotFound,
            format!("snapshot {:?} was forgotten while it was restored", opened.snapshot().name),
        ),
        _ => e,
    };
    let mut left_out = Few::new(progress);
    for table in chosen {
        let done = restore_table(&opened, table, sink.as_mut(), progress)?;
        match done.map_err(forgotten) {
            Err(e) if skip_damaged && e.is_spoilt() => {
                sink.abandon_table();
                left_out.warn(&format!("table {:?} is left out: {e}", table.name));
                damage.push(Damage {
                    file: String::new(),
                    snapshots: vec![opened.snapshot().name.clone()],
                    tables: vec![table.name.clone()],
                    entries: Some(table.entries),
                    what: e.message,
                });
            }
            done => done?,
        }
    }
    left_out.end("tables that are left out");
    sink.finish()?;
    Ok(damage)
}

/// The inner error is the repository's: what cannot be read there is not what cannot be written here.
fn restore_table(
    opened: &Opened<'_>,
    table: &Table,
    sink: &mut dyn Sink,
    progress: &dyn Progress,
) -> Result<Result<()>> {
    let place = || format!("table {:?}", table.name);
    sink.table(&table.to_store()).place(place())?;
    let mut entries = match opened.entries(&table.name, 0, u64::MAX) {
        Err(e) => return Ok(Err(e)),
        entries => entries?,
    };
    loop {
        let chunk = match entries.read(CHUNK) {
            Err(e) => return Ok(Err(e)),
            chunk => chunk?,
        };
        if chunk.is_empty() {
            break;
        }
        sink.append(&chunk).place(place())?;
        advance(progress, "restore", chunk.len() as u64, 0)?;
    }
    let written = sink.finish_table().place(place())?;
    check_written(table, written)?;
    advance(progress, "restore", 0, written).map(Ok)
}

/// Fails if the new database took another number of entries than the table has.
pub(crate) fn check_written(table: &Table, written: u64) -> Result<()> {
    if written == table.entries {
        return Ok(());
    }
    Err(Error::new(
        Code::Other,
        format!(
            "the new database took {written} entries of table {:?} instead of {}",
            table.name, table.entries
        ),
    ))
}
